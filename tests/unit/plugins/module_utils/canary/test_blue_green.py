# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue/green releases over a simulated cluster: iterations without a user, then everybody; and without any routing object."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import glance
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, REFUSED, UNKNOWN, Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import flagger_status
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_TRAFFIC_INCREASE,
    KUBERNETES,
    PRE_ROLLOUT,
    ROLLBACK,
    ROLLOUT,
    Canary,
    Options,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.stage import confirmed_for
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_machine_release import counted, phases, said, trace
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_plan import planned, squeezed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    C,
    Run,
    World,
    canary,
    fresh,
    hook,
    in_phase,
    raises,
    released,
    until,
)


def blue_green(iterations: int = 3, **more: Any) -> Canary:
    return canary(analysis={"iterations": iterations, "step_weight": 0, "max_weight": 100, **more.pop("analysis", {})}, **more)


def services_only(iterations: int = 3, **more: Any) -> Canary:
    return blue_green(iterations, provider=KUBERNETES, **more)


BOTH = pytest.mark.parametrize("document", [blue_green, services_only])


def in_iteration(number: int, document: Canary | None = None) -> World:
    """Revision B in an iteration, nobody walks."""
    world = released(document or blue_green())
    until(world, lambda now: now.record.iterations == number and now.record.intent is None)
    return world


# -- the good release --

def test_a_good_release_meets_users_all_at_once_and_is_promoted() -> None:
    world = released(blue_green())
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["scale 2", 100, "promote", 0, "scale 0"]
    assert phases(world) == [states.PROGRESSING, states.PROMOTING, states.FINALISING, states.SUCCEEDED]
    assert [number for _at, _run, number in world.iterated] == [1, 2, 3]
    rules.hold(world)
    rules.at_rest(world)


def test_a_good_release_over_services_alone_is_promoted_without_an_order_for_traffic() -> None:
    world = released(services_only())
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["scale 2", "promote", "scale 0"]
    assert [number for _at, _run, number in world.iterated] == [1, 2, 3]
    rules.hold(world)
    rules.at_rest(world)


def test_a_release_tells_what_flagger_tells() -> None:
    world = released(blue_green(2))
    Run(world).walk()
    assert said(world) == [
        "New revision detected! Scaling up podinfo.test", "Starting canary analysis for podinfo.test",
        "Advance podinfo.test canary iteration 1/2", "Advance podinfo.test canary iteration 2/2", "Routing all traffic to canary",
        "Copying podinfo.test template spec to podinfo-primary.test", "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo.test"]


def test_iterations_are_counted_as_flagger_counts_them() -> None:
    """Flagger's own sequence for one iteration: 1 while it is gathered, 2 with all traffic on the canary, 0 at the end."""
    world = released(blue_green(1))
    Run(world).walk()
    assert squeezed(flagger_status(decision.record)["iterations"] for _at, _where, decision in world.decisions) == [0, 1, 2, 0]


def test_pre_rollout_hooks_come_before_the_first_iteration_and_checks_after_each() -> None:
    world = released(blue_green(2, hooks=(hook(0, PRE_ROLLOUT), hook(1, ROLLOUT))))
    Run(world).walk()
    assert (counted(world, 0), counted(world, 1), len(world.measured)) == (1, 3, 3)
    assert max(at for at, index in world.asked if index == 0) < min(at for at, _check in world.measured)


@BOTH
def test_safety_12_each_iteration_is_an_interval_of_its_own(document: Any) -> None:
    world = released(document(4))
    Run(world).walk()
    times = [at for at, _run, _number in world.iterated]
    assert len(times) == 4 and all(later - earlier >= 10 for earlier, later in zip(times, times[1:], strict=False))


@BOTH
def test_safety_12_a_query_looks_back_no_further_than_its_iteration(document: Any) -> None:
    world = in_iteration(3, document())
    assert confirmed_for(world.record, world.now) < 10


def test_safety_12_all_traffic_on_the_canary_is_judged_for_an_interval_before_the_promotion() -> None:
    world = released(blue_green())
    Run(world).walk()
    routed = next(one.at for one in world.done if one.weight == 100)
    promoted = next(one.at for one in world.done if one.workload and one.workload.promote)
    assert promoted - routed >= 10
    assert [at for at, _check in world.measured if routed < at <= promoted]


def test_safety_12_after_a_long_absence_no_iteration_is_counted() -> None:
    world = in_iteration(2)
    world.pass_time(4000)
    Run(world, mode="tick").walk()
    assert (world.record.iterations, world.record.phase) == (2, states.PROGRESSING)


def test_safety_12_pods_made_anew_gather_their_iteration_anew() -> None:
    world = in_iteration(2)
    world.pass_time(9)
    world.target.scale(0, world.now)
    back = world.now
    Run(world).walk()
    assert next(at for at, _run, number in world.iterated if number == 2) - back >= 10


# -- the bad one --

@BOTH
@pytest.mark.parametrize("number", [1, 3])
def test_a_bad_release_is_rolled_back_without_any_traffic(document: Any, number: int) -> None:
    world = in_iteration(number, document())
    world.measures[0] = (FAIL, "")
    run = Run(world).walk()
    assert (run.outcome, world.record.phase, raises(world)) == ("rolled_back", states.FAILED, [])
    assert (world.primary.revision, world.target.replicas) == (A, 0)
    rules.hold(world)
    rules.at_rest(world)


def test_a_release_that_fails_with_all_traffic_on_it_loses_it() -> None:
    world = released(blue_green())
    until(world, lambda now: now.record.canary_weight == 100)
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert trace(world)[-2:] == [0, "scale 0"]
    rules.hold(world)


@BOTH
def test_a_check_that_cannot_tell_counts_no_iteration(document: Any) -> None:
    world = in_iteration(2, document())
    world.measures[0] = (UNKNOWN, "query_error: 500")
    Run(world, patience=120).walk()
    assert (world.record.iterations, world.record.failed_checks) == (2, 0)


@BOTH
def test_a_failed_check_keeps_the_iteration(document: Any) -> None:
    world = in_iteration(2, document())
    world.measures[0] = (FAIL, "")
    until(world, lambda now: now.record.failed_checks == 1)
    assert world.record.iterations == 2
    world.measures[0] = (PASS, "")
    assert Run(world).walk().outcome == "promoted"


@BOTH
def test_a_new_revision_begins_with_the_first_iteration(document: Any) -> None:
    world = in_iteration(3, document())
    world.release(C)
    Run(world).walk()
    runs = {run for _at, run, _number in world.iterated}
    assert len(runs) == 2 and world.primary.revision == C
    assert [number for _at, run, number in world.iterated if run.startswith("cccc")] == [1, 2, 3]
    rules.hold(world)


# -- moving users --

@pytest.mark.parametrize("side", ["target", "primary"])
def test_safety_10_users_meet_the_canary_only_while_both_sides_are_ready(side: str) -> None:
    world = in_iteration(3)
    workload = {"target": world.target, "primary": world.primary}[side]
    workload.limping = True
    Run(world, patience=300).walk()
    assert raises(world) == []
    workload.limping = False
    assert Run(world).walk().outcome == "promoted"


@BOTH
@pytest.mark.parametrize("gate", [CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE])
def test_a_closed_gate_keeps_users_from_the_canary(document: Any, gate: str) -> None:
    world = released(document(hooks=(hook(0, gate),)))
    world.gates[0] = REFUSED
    Run(world, patience=300).walk()
    assert (raises(world), world.record.phase, world.primary.revision) == ([], states.WAITING_PROMOTION, A)
    world.gates.clear()
    assert Run(world).walk().outcome == "promoted"


@BOTH
def test_weak_spot_14_waiting_for_promotion_keeps_the_iterations(document: Any) -> None:
    """Flagger takes one away, so that its gate is asked in every second tick only."""
    world = released(document(hooks=(hook(0, CONFIRM_PROMOTION),)))
    world.gates[0] = REFUSED
    Run(world, patience=300).walk()
    status = flagger_status(world.record)
    assert (status["phase"], status["iterations"], status["canaryWeight"]) == (states.WAITING_PROMOTION, 3, 0)
    assert len(world.asked) >= 20


@BOTH
def test_a_gate_is_asked_once_an_interval_however_often_readiness_blinks_between_runs(document: Any) -> None:
    world = released(document(hooks=(hook(0, CONFIRM_PROMOTION),)))
    world.gates[0] = REFUSED
    until(world, lambda now: now.record.phase == states.WAITING_PROMOTION)
    world.asked.clear()
    began = world.now
    for _blink in range(20):
        for limping in (True, False):
            world.target.limping = limping
            Run(world, on_wait="end", patience=1 if limping else 60).walk()
    assert 1 <= len(world.asked) <= (world.now - began) / 10 + 1, world.asked


def test_weak_spot_14_an_open_gate_is_asked_once_before_users_meet_the_canary_and_not_again() -> None:
    world = released(blue_green(hooks=(hook(0, CONFIRM_PROMOTION),)))
    Run(world).walk()
    assert counted(world, 0) == 1


def test_safety_04_two_approvals_that_come_one_after_another_open_both_gates() -> None:
    world = released(blue_green(options=Options(manual_gates=(CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE))))
    Run(world, on_wait="end").walk()
    for gate in (CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE):
        assert raises(world) == []
        world.approve(gate)
        run = Run(world, on_wait="end").walk()
    assert (run.outcome, raises(world), world.annotations) == ("promoted", [100], {})


@BOTH
def test_skipped_analysis_promotes_without_an_iteration(document: Any) -> None:
    world = released(document(skip_analysis=True))
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["scale 2", "promote", "scale 0"] and world.iterated == []


@BOTH
def test_safety_31_a_rollback_hook_is_heard_in_an_iteration(document: Any) -> None:
    world = in_iteration(2, document(hooks=(hook(0, ROLLBACK),)))
    world.gates[0] = "allowed"
    assert Run(world).walk().outcome == "rolled_back"
    assert raises(world) == []


@BOTH
def test_safety_30_abort_in_an_iteration_moves_no_traffic(document: Any) -> None:
    world = in_iteration(2, document())
    world.done.clear()
    world.order("abort")
    assert Run(world).walk().outcome == "aborted"
    assert trace(world) == ["scale 0"]


@BOTH
@pytest.mark.parametrize("word", ["suspend", "halt"])
def test_a_suspended_iteration_goes_on_where_it_was(document: Any, word: str) -> None:
    world = in_iteration(2, document())
    world.order(word)
    Run(world, patience=120).walk()
    assert world.record.iterations == 2
    world.resume()
    assert Run(world).walk().outcome == "promoted"


@BOTH
def test_safety_16_a_failed_promotion_restores_the_primary_and_rolls_back(document: Any) -> None:
    world = released(document())
    world.primary.sick.add(B)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "promotion failed" in run.why
    assert trace(world)[-3:] in (["restore", 0, "scale 0"], ["promote", "restore", "scale 0"])
    assert (world.primary.revision, world.record.phase, world.target.replicas) == (A, states.FAILED, 0)
    rules.hold(world)


@pytest.mark.exhaustive
@BOTH
def test_killed_at_any_crossing_and_run_again_every_iteration_is_judged_and_the_end_is_the_same(document: Any) -> None:
    undisturbed = released(document(1))
    Run(undisturbed).walk()
    for crossing in range(1, undisturbed.crossings + 1):
        world = released(document(1))
        world.kill_at = {crossing}
        Run(world).walk()
        world.pass_time(5)
        run = Run(world).walk()
        assert run.outcome in ("promoted", "unchanged"), (crossing, run.why)
        assert set(raises(world)) <= set(raises(undisturbed)), crossing
        rules.hold(world)
        rules.at_rest(world)


# -- when the document changes on the way --

def test_steps_that_become_iterations_take_the_traffic_back_first() -> None:
    world = released()
    until(world, lambda now: now.record.canary_weight == 20)
    world.canary = blue_green(2)
    world.done.clear()
    Run(world).walk()
    assert trace(world) == [0, 100, "promote", 0, "scale 0"]
    assert [number for _at, _run, number in world.iterated] == [1, 2]


def test_iterations_that_become_steps_begin_with_the_first_step() -> None:
    world = in_iteration(2)
    world.canary = canary()
    Run(world).walk()
    assert raises(world) == [10, 20, 30, 40, 50]
    assert flagger_status(world.record)["iterations"] == 0


# -- services alone: the apex is what routes --

def test_initialisation_over_services_alone_has_one_step_less_and_leaves_the_original_for_last() -> None:
    world = fresh(services_only())
    Run(world).walk()
    assert world.record.phase == states.INITIALIZED
    assert [one.traffic.services for one in world.done if one.traffic] == [True, False]
    assert world.done[-1].workload and world.done[-1].workload.scale_target == 0
    assert world.done[-1].seen.apex_on_primary
    rules.hold(world)


@pytest.mark.parametrize("where", ["idle", "iteration", "promoting"])
def test_safety_14_an_apex_that_somebody_pointed_at_the_canary_is_pointed_back(where: str) -> None:
    world = {"idle": lambda: released(services_only(), wanted=A), "iteration": lambda: in_iteration(2, services_only()),
             "promoting": lambda: in_phase(states.PROMOTING, services_only())}[where]()
    world.set_weight(100)
    Run(world).walk()
    assert world.weight == 0 and any(one.weight == 0 for one in world.done)
    rules.hold(world)


def test_safety_11_pods_stay_while_the_apex_leads_to_them() -> None:
    world = in_iteration(2, services_only())
    world.primary.down = True
    world.set_weight(100)
    world.order("abort")
    Run(world, patience=120).walk()
    assert world.target.replicas == 2, "nobody else could answer"
    world.primary.down = False
    world.done.clear()
    Run(world).walk()
    assert trace(world) == [0, "scale 0"]
    rules.hold(world)


def test_an_apex_that_was_deleted_comes_back_on_the_primary() -> None:
    world = in_iteration(2, services_only())
    world.split = None
    assert Run(world).walk().outcome == "promoted"
    assert world.weight == 0 and raises(world) == []


# -- what people and schedules see --

def test_a_line_shows_the_iteration() -> None:
    world = released(blue_green())
    Run(world).walk()
    assert any("  0% iteration 2/3 | " in line for line in world.lines)
    assert not [line for line in world.lines if "100% iteration" in line]


def test_the_plan_has_every_iteration() -> None:
    whats = [step.what for step in planned(released(blue_green()))]
    assert [what for what in whats if "iteration " in what] == [
        "ready: iteration 1 of 3", "all checks passed: iteration 2 of 3", "all checks passed: iteration 3 of 3"]
    assert "all checks passed in 3 iterations: all traffic to the canary" in whats


@BOTH
def test_the_plan_is_what_happens_when_all_goes_well(document: Any) -> None:
    imagined, real = released(document()), released(document())
    steps = planned(imagined)
    Run(real).walk()
    happened = [decision.why for _at, _where, decision in real.decisions]
    assert [why for why in happened if why in {step.what for step in steps}] == [step.what for step in steps if step.what in set(happened)]
    assert {step.weight for step in steps} == {weight for _at, weight in real.weights}


def test_a_tick_between_two_iterations_is_not_due() -> None:
    world = in_iteration(2)
    assert glance(dataclasses.replace(world.record, untold=()), B, Orders(), world.now) == "not_due"


def test_ticks_on_a_schedule_count_every_iteration() -> None:
    world = released(blue_green())
    for _minute in range(20):
        if Run(world, mode="tick").walk().outcome == "unchanged":
            break
        world.pass_time(30)
    assert [number for _at, _run, number in world.iterated] == [1, 2, 3]
    assert (raises(world), world.record.phase) == ([100], states.SUCCEEDED)
    rules.hold(world)
