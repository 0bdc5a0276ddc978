# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole releases over a simulated cluster: what is ordered, in which order, what people are told, and how it ends."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import asks, decide, glance
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    ALLOWED,
    FAIL,
    NO_ANSWER,
    PASS,
    REFUSED,
    UNKNOWN,
    Answer,
    Orders,
    Outcome,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, flagger_status
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    POST_ROLLOUT,
    PRE_ROLLOUT,
    ROLLBACK,
    ROLLOUT,
    Options,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    C,
    Run,
    World,
    at_weight,
    canary,
    fresh,
    hook,
    in_phase,
    raises,
    released,
    until,
)

SEARCHING = bool(os.environ.get("CANARY_EXAMPLES"))
ENDS = (states.SUCCEEDED, states.FAILED)


def trace(world: World) -> list[Any]:
    """What was ordered, in short: weights, and words for workloads."""
    found: list[Any] = []
    for one in world.done:
        work = one.workload
        found.append(one.weight if work is None else "promote" if work.promote else "restore" if work.restore else f"scale {work.scale_target}")
    return found


def said(world: World) -> list[str]:
    return [one.message for one in world.told]


def counted(world: World, index: int) -> int:
    return sum(1 for _at, hook_index in world.asked if hook_index == index)


def phases(world: World) -> list[str]:
    found: list[str] = []
    for _at, _where, decision in world.decisions:
        if not found or found[-1] != decision.record.phase:
            found.append(decision.record.phase)
    return found


# -- the good release --

def test_a_good_release_climbs_every_step_and_is_promoted() -> None:
    world = released()
    run = Run(world).walk()
    assert run.outcome == "promoted"
    assert trace(world) == ["scale 2", 10, 20, 30, 40, 50, "promote", 0, "scale 0"]
    assert phases(world) == [states.PROGRESSING, states.PROMOTING, states.FINALISING, states.SUCCEEDED]
    assert (world.record.last_promoted, world.record.last_applied, world.primary.revision) == (B, B, B)
    rules.hold(world)
    rules.at_rest(world)


def test_a_good_release_tells_what_flagger_tells() -> None:
    world = released()
    Run(world).walk()
    assert said(world) == [
        "New revision detected! Scaling up podinfo.test", "Starting canary analysis for podinfo.test",
        *(f"Advance podinfo.test canary weight {weight}" for weight in (10, 20, 30, 40, 50)),
        "Copying podinfo.test template spec to podinfo-primary.test", "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo.test"]


@pytest.mark.parametrize(("analysis", "weights", "returned"), [
    ({"step_weights": (1, 2, 10, 80), "step_weight": 0}, [1, 2, 10, 80], [0]),
    ({"step_weight": 20}, [20, 40, 60], [0]),
    ({"step_weight": 40, "max_weight": 100}, [40, 80, 100], [0]),
    ({"step_weight": 100, "max_weight": 100, "step_weight_promotion": 50}, [100], [50, 0]),
    ({"step_weight": 25, "step_weight_promotion": 20}, [25, 50], [30, 10, 0]),
])
def test_weights_by_the_document(analysis: dict[str, Any], weights: list[int], returned: list[int]) -> None:
    world = released(canary(analysis=analysis))
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["scale 2", *weights, "promote", *returned, "scale 0"]
    rules.hold(world)


def test_traffic_returns_step_by_step_with_an_interval_between() -> None:
    world = released(canary(analysis={"step_weight": 100, "max_weight": 100, "step_weight_promotion": 50}))
    Run(world).walk()
    half, none = (next(one.at for one in world.done if one.weight == weight) for weight in (50, 0))
    assert none - half >= 10
    assert "Advance podinfo.test primary weight 50" in said(world)


def test_pods_that_are_there_already_are_not_scaled() -> None:
    world = released()
    world.target.scale(3, world.now)
    Run(world).walk()
    assert trace(world)[0] == 10


def test_a_second_run_changes_and_orders_nothing() -> None:
    world = released()
    Run(world).walk()
    world.pass_time(60)
    world.done.clear()
    writes, run = world.writes, Run(world).walk()
    assert (run.outcome, world.done, world.writes) == ("unchanged", [], writes)


def test_a_route_that_vanished_meanwhile_is_made_again() -> None:
    world = released()
    Run(world).walk()
    world.split = None
    Run(world).walk()
    assert world.weight == 0 and world.split is not None


# -- the bad release --

def test_the_threshold_rolls_back_in_the_tick_that_reaches_it() -> None:
    world = at_weight(20)
    world.measures[0] = (FAIL, "request-success-rate 80.00% < 99%")
    world.done.clear()
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "request-success-rate 80.00% < 99%" in run.why
    assert trace(world) == [0, "scale 0"]
    third = sorted(at for at, _index in world.measured)[-1]
    assert world.done[0].at == third
    assert (world.record.phase, world.record.last_applied, world.primary.revision) == (states.FAILED, B, A)
    rules.at_rest(world)


def test_a_rollback_tells_what_flagger_tells() -> None:
    world = at_weight(20)
    world.measures[0] = (FAIL, "request-success-rate 80.00% < 99%")
    world.told.clear()
    Run(world).walk()
    assert said(world) == [
        *["Halt podinfo.test advancement request-success-rate 80.00% < 99%"] * 3,
        "Rolling back podinfo.test failed checks threshold reached 3: request-success-rate 80.00% < 99%",
        "Canary failed! Scaling down podinfo.test"]


def test_failed_checks_below_the_threshold_hold_the_weight() -> None:
    world = at_weight(20)
    world.measures[0] = (FAIL, "")
    world.after(15, lambda now: now.measures.clear())
    run = Run(world).walk()
    assert run.outcome == "promoted"
    counted = max(decision.record.failed_checks for _at, _where, decision in world.decisions)
    assert counted >= 1 and world.record.failed_checks == counted, "how many failed is told of a release that was promoted too, as Flagger does"


def test_a_threshold_lowered_meanwhile_counts() -> None:
    world = at_weight(20)
    world.measures[0] = (FAIL, "")
    until(world, lambda now: now.record.failed_checks == 2 and now.record.intent is None)
    world.measures.clear()
    world.canary = canary(analysis={"threshold": 2})
    assert Run(world).walk().outcome == "rolled_back"


def test_a_release_that_never_gets_ready_is_rolled_back_at_the_deadline_and_never_seen() -> None:
    world = released(canary(progress_deadline=60.0))
    world.target.sick.add(B)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "progress deadline" in run.why
    assert raises(world) == []


@pytest.mark.parametrize("blips", [((5, 10), (80, 85)), ((95, 105), (200, 205))])
def test_a_blip_of_readiness_does_not_start_the_clock_of_the_next_one(blips: tuple[tuple[int, int], ...]) -> None:
    """Within one interval, and over the ends of two."""
    world = at_weight(10, canary(progress_deadline=60.0, analysis={"interval": 100.0}))
    began = world.now
    for second, limping in [(second, second == begin) for begin, end in blips for second in (begin, end)]:
        world.pass_time(max(0.0, began + second - world.now))
        world.target.limping = limping
        Run(world, patience=1).walk()
    assert Run(world).walk().outcome == "promoted"


def test_a_rejected_revision_stays_rejected_until_something_else_was_there() -> None:
    world = at_weight(20)
    world.measures[0] = (FAIL, "")
    Run(world).walk()
    world.measures.clear()
    assert Run(world).walk().outcome == "unchanged"
    world.release(A)
    Run(world).walk()
    world.release(B)
    assert Run(world).walk().outcome == "promoted"


# -- other ways through --

def test_skip_analysis_promotes_what_is_ready_without_any_traffic() -> None:
    world = released(canary(skip_analysis=True, hooks=(hook(0, CONFIRM_PROMOTION), hook(1, CONFIRM_TRAFFIC_INCREASE))))
    world.gates.update({0: REFUSED, 1: REFUSED})
    run = Run(world).walk()
    assert run.outcome == "promoted"
    assert trace(world) == ["scale 2", "promote", "scale 0"]
    assert said(world)[-1] == "Promotion completed! Canary analysis was skipped for podinfo.test"
    rules.hold(world)


def test_promote_now_promotes_the_revision_that_it_names() -> None:
    world = at_weight(20)
    world.order("promote", B)
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["promote", 0, "scale 0"]
    assert world.annotations == {}


@pytest.mark.parametrize("text", [C, "yes", B[:3]])
def test_promote_now_of_another_or_no_revision_promotes_nothing(text: str) -> None:
    world = at_weight(20)
    world.order("promote", text)
    world.done.clear()
    Run(world).walk()
    assert trace(world)[0] == 30


@pytest.mark.parametrize("phase", [states.WAITING, states.PROGRESSING, states.WAITING_PROMOTION, states.PROMOTING, states.FINALISING])
def test_a_new_revision_in_any_phase_is_walked_from_the_beginning(phase: str) -> None:
    gates = {states.WAITING: (CONFIRM_ROLLOUT,), states.WAITING_PROMOTION: (CONFIRM_PROMOTION,)}.get(phase, ())
    world = in_phase(phase, canary(options=Options(manual_gates=gates)))
    world.release(C)
    for gate in gates:
        world.after(200, lambda now, gate=gate: now.approve(gate))
    Run(world).walk()
    run = Run(world).walk() if world.record.last_promoted != C else None
    assert run is None or run.outcome == "promoted"
    assert (world.record.last_promoted, world.primary.revision) == (C, C)
    rules.hold(world)
    rules.at_rest(world)


@pytest.mark.parametrize("weight", [0, 30])
def test_a_restart_counts_from_zero(weight: int) -> None:
    world = at_weight(weight)
    world.measures[0] = (FAIL, "")
    if weight:
        until(world, lambda now: now.record.failed_checks == 2)
    world.measures.clear()
    world.release(C)
    until(world, lambda now: now.record.pinned.revision == C)
    assert (world.record.failed_checks, world.record.canary_weight, world.record.evidence, world.record.last_applied) == (0, 0, (), C)
    assert "New revision detected! Restarting analysis for podinfo.test" in said(world) + [one.message for one in world.record.untold]


def test_while_promoting_a_new_revision_takes_its_traffic_away_first() -> None:
    world = in_phase(states.PROMOTING)
    world.release(C)
    world.primary.takes = 60.0
    world.done.clear()
    until(world, lambda now: now.weight == 0)
    assert trace(world) == [0], "nobody analysed what the canary runs now"


def test_a_scaled_away_canary_comes_back_and_settles_anew() -> None:
    world = released(canary(options=Options(settle=5.0)))
    until(world, lambda now: now.record.ready_since > 0)
    world.target.scale(0, world.now)
    assert Run(world).walk().outcome == "promoted"
    assert trace(world)[:3] == ["scale 2", "scale 2", 10]


def test_a_route_that_vanishes_in_mid_walk_comes_back_at_0_and_climbs_again() -> None:
    world = at_weight(30)
    world.split = None
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert trace(world)[:3] == [0, 10, 20]


def test_a_route_with_other_backends_is_made_ours_again() -> None:
    world = at_weight(30)
    world.foreign_route = True
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert trace(world)[:2] == [0, 10]


def test_suspended_in_mid_walk_holds_everything_and_goes_on_after() -> None:
    world = at_weight(30)
    world.suspended = True
    world.measures[0] = (FAIL, "")
    world.done.clear()
    run = Run(world, patience=300).walk()
    assert (run.outcome, world.done, world.measured[-1][0] < world.now - 250) == ("interrupted", [], True)
    world.suspended = False
    world.measures.clear()
    assert Run(world).walk().outcome == "promoted"


@pytest.mark.parametrize("word", ["suspend", "halt"])
def test_a_person_holds_the_walk_until_resume(word: str) -> None:
    world = at_weight(30)
    world.order(word, "lunch")
    run = Run(world, on_wait="end").walk()
    assert run.outcome == "waiting" and "lunch" in run.why
    world.resume()
    assert Run(world).walk().outcome == "promoted"
    assert world.annotations == {}


def test_a_suspended_canary_is_not_initialised() -> None:
    world = fresh(suspended=True)
    assert Run(world, on_wait="end").walk().outcome == "waiting"
    assert world.done == []


# -- gates and hooks --

@pytest.mark.parametrize(("gate", "phase", "weight"), [
    (CONFIRM_ROLLOUT, states.WAITING, 0), (CONFIRM_TRAFFIC_INCREASE, states.PROGRESSING, 0), (CONFIRM_PROMOTION, states.WAITING_PROMOTION, 50)])
@pytest.mark.parametrize("answer", [REFUSED, NO_ANSWER])
def test_a_closed_gate_holds_and_an_open_one_lets_through(gate: str, phase: str, weight: int, answer: str) -> None:
    world = released(canary(hooks=(hook(0, gate),)))
    world.gates[0] = answer
    run = Run(world, patience=200).walk()
    assert (run.outcome, world.record.phase, world.weight, world.record.failed_checks) == ("interrupted", phase, weight, 0)
    assert 3 <= counted(world, 0) <= 22
    world.gates[0] = ALLOWED
    assert Run(world).walk().outcome == "promoted"
    assert f"{gate.capitalize()} check {gate}-0 passed" in said(world)
    rules.hold(world)


def test_who_keeps_traffic_from_increasing_keeps_all_users_from_it_too_as_in_flagger() -> None:
    """A promotion is the greatest increase of all; it is asked for once, before the one that confirms it."""
    world = at_weight(50, canary(hooks=(hook(0, CONFIRM_TRAFFIC_INCREASE), hook(1, CONFIRM_PROMOTION))))
    world.gates[0] = REFUSED
    run = Run(world, patience=200).walk()
    assert (run.outcome, world.record.phase, world.weight) == ("interrupted", states.PROGRESSING, 50)
    assert said(world)[-1].startswith("Halt podinfo.test advancement waiting for traffic increase approval")
    world.gates.update({0: ALLOWED, 1: REFUSED})
    run = Run(world, patience=200).walk()
    assert (run.outcome, world.record.phase) == ("interrupted", states.WAITING_PROMOTION)
    world.asked.clear()
    world.gates.update({0: REFUSED, 1: ALLOWED})
    assert Run(world).walk().outcome == "promoted"
    assert counted(world, 0) == 0
    rules.hold(world)


@pytest.mark.parametrize("gate", [CONFIRM_ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION])
@pytest.mark.parametrize("by_hand", [True, False])
def test_a_run_that_does_not_wait_ends_at_a_closed_gate(gate: str, by_hand: bool) -> None:
    world = released(canary(options=Options(manual_gates=(gate,))) if by_hand else canary(hooks=(hook(0, gate),)))
    world.gates[0] = REFUSED
    run = Run(world, on_wait="end").walk()
    assert run.outcome == "waiting" and gate in run.why
    again = Run(world, on_wait="end").walk()
    assert again.outcome == "waiting"


def test_the_checks_go_on_while_promotion_waits_and_still_roll_back() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_PROMOTION),)))
    world.gates[0] = REFUSED
    world.after(150, lambda now: now.measures.update({0: (FAIL, "")}))
    assert Run(world).walk().outcome == "rolled_back"


def test_confirming_gates_are_asked_only_when_the_checks_passed() -> None:
    world = at_weight(20, canary(hooks=(hook(0, CONFIRM_TRAFFIC_INCREASE),)))
    world.measures[0] = (FAIL, "")
    world.asked.clear()
    Run(world).walk()
    assert world.asked == []


def test_a_rollout_hook_that_refuses_is_a_failed_check() -> None:
    world = at_weight(20, canary(hooks=(hook(0, ROLLOUT),)))
    world.gates[0] = REFUSED
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "rollout check rollout-0 failed" in run.why


@pytest.mark.parametrize(("policy", "outcome"), [("hold", "interrupted"), ("fail", "rolled_back"), ("pass", "promoted")])
def test_a_rollout_hook_without_answer_follows_its_policy(policy: str, outcome: str) -> None:
    world = at_weight(20, canary(hooks=(hook(0, ROLLOUT),), options=Options(on_no_answer=policy)))
    world.gates[0] = NO_ANSWER
    assert Run(world, patience=200).walk().outcome == outcome


@pytest.mark.parametrize(("option", "why", "policy", "outcome"), [
    ("on_no_data", "no_data: nothing", "fail", "rolled_back"), ("on_no_data", "no_data: nothing", "hold", "interrupted"),
    ("on_no_data", "no_data: nothing", "pass", "promoted"), ("on_query_error", "query_error: 503", "hold", "interrupted"),
    ("on_query_error", "query_error: 503", "fail", "rolled_back"), ("on_query_error", "query_error: 503", "pass", "promoted"),
])
def test_a_check_that_cannot_tell_follows_its_policy(option: str, why: str, policy: str, outcome: str) -> None:
    world = released(canary(options=Options(**{option: policy})))
    world.measures[0] = (UNKNOWN, why)
    assert Run(world, patience=200).walk().outcome == outcome


def test_who_cannot_tell_for_longer_than_the_deadline_counts_failures() -> None:
    world = at_weight(20, canary(progress_deadline=60.0))
    world.measures[0] = (UNKNOWN, "query_error: 503")
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "query_error" in run.why


def test_post_rollout_hooks_are_called_after_every_end() -> None:
    for outcome in (PASS, FAIL):
        world = released(canary(hooks=(hook(0, POST_ROLLOUT),)))
        world.measures[0] = (outcome, "")
        Run(world).walk()
        assert counted(world, 0) == 1
        assert "Post-rollout check post-rollout-0 passed" in said(world)


def test_post_rollout_hooks_decide_nothing() -> None:
    world = released(canary(hooks=(hook(0, POST_ROLLOUT),)))
    world.gates[0] = NO_ANSWER
    assert Run(world).walk().outcome == "promoted"
    assert any(message.startswith("Post-rollout hook post-rollout-0 failed") for message in said(world))


def test_pre_rollout_hooks_that_refuse_are_failed_checks_before_any_traffic() -> None:
    world = released(canary(hooks=(hook(0, PRE_ROLLOUT),)))
    world.gates[0] = REFUSED
    assert Run(world).walk().outcome == "rolled_back"
    assert raises(world) == [] and counted(world, 0) == 3


@pytest.mark.parametrize(("policy", "outcome"), [("hold", "interrupted"), ("fail", "rolled_back"), ("pass", "promoted")])
def test_a_pre_rollout_hook_without_answer_follows_its_policy(policy: str, outcome: str) -> None:
    world = released(canary(hooks=(hook(0, PRE_ROLLOUT),), options=Options(on_no_answer=policy)))
    world.gates[0] = NO_ANSWER
    assert Run(world, patience=200).walk().outcome == outcome


# -- what is missing is never a pass (ANSIBLE 13) --

def ready_to_judge(**more: Any) -> World:
    world = at_weight(20, canary(**more))
    world.pass_time(10)
    return world


@pytest.mark.parametrize("answers", [[], [Answer(1, "another", ROLLOUT, ALLOWED, 200)]])
def test_an_answer_that_is_missing_holds(answers: list[Answer]) -> None:
    world = ready_to_judge(hooks=(hook(0, ROLLOUT),))
    decision = decide(world.canary, world.record, world.look(), answers, [Outcome(0, "request-success-rate", PASS)])
    assert (decision.traffic, decision.record.failed_checks) == (None, 0) and "was not asked" in decision.why


@pytest.mark.parametrize("answers", [[], [Answer(0, "rollout-0", ROLLOUT, NO_ANSWER)]])
def test_a_hook_that_was_not_asked_holds_also_where_one_without_answer_passes(answers: list[Answer]) -> None:
    world = ready_to_judge(hooks=(hook(0, ROLLOUT), hook(1, ROLLOUT)), options=Options(on_no_answer="pass"))
    decision = decide(world.canary, world.record, world.look(), answers, [Outcome(0, "request-success-rate", PASS)])
    assert (decision.traffic, decision.record.failed_checks) == (None, 0), decision.why


@pytest.mark.parametrize("outcomes", [[], [Outcome(-1, "mine", PASS)]])
def test_an_outcome_that_is_missing_holds(outcomes: list[Outcome]) -> None:
    world = ready_to_judge()
    decision = decide(world.canary, world.record, world.look(), [], outcomes)
    assert (decision.traffic, decision.record.failed_checks) == (None, 0) and "was not run" in decision.why


def test_a_confirming_gate_that_was_not_asked_is_closed() -> None:
    world = ready_to_judge(hooks=(hook(0, CONFIRM_TRAFFIC_INCREASE),))
    decision = decide(world.canary, world.record, world.look(), [], [Outcome(0, "request-success-rate", PASS)])
    assert decision.traffic is None and "was not asked" in decision.why


@pytest.mark.parametrize(("extra", "failed"), [(Outcome(-1, "mine", FAIL, why="too slow"), 1), (Outcome(-1, "mine", UNKNOWN, why="query_error: x"), 0)])
def test_checks_of_users_own_tasks_count(extra: Outcome, failed: int) -> None:
    world = ready_to_judge()
    decision = decide(world.canary, world.record, world.look(), [], [Outcome(0, "request-success-rate", PASS), extra])
    assert (decision.traffic, decision.record.failed_checks) == (None, failed)


@pytest.mark.parametrize(("outcome", "failed"), [(REFUSED, 1), (NO_ANSWER, 0)])
def test_gates_of_users_own_tasks_count(outcome: str, failed: int) -> None:
    world = ready_to_judge()
    decision = decide(world.canary, world.record, world.look(), [Answer(-1, "mine", "", outcome)], [Outcome(0, "request-success-rate", PASS)])
    assert (decision.traffic, decision.record.failed_checks) == (None, failed)


# -- what a tick asks --

def test_a_tick_asks_what_its_stage_needs() -> None:
    kinds = (CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION, ROLLBACK)
    hooks = tuple(hook(index, kind) for index, kind in enumerate(kinds))
    world = released(canary(hooks=hooks))
    assert asks(world.canary, world.record, world.look()).before == (0,)
    world = at_weight(20, canary(hooks=hooks))
    assert not asks(world.canary, world.record, world.look()), "not due yet"
    world.pass_time(10)
    wanted = asks(world.canary, world.record, world.look())
    assert (wanted.before, wanted.checks, wanted.after) == ((5, 2), (0,), (3,))
    world = at_weight(50, canary(hooks=hooks))
    world.pass_time(10)
    assert asks(world.canary, world.record, world.look()).after == (3, 4)


# -- the glance of a run that may have nothing to do --

def test_a_glance_sees_that_nothing_changed() -> None:
    world = released()
    Run(world).walk()
    record = world.record
    assert glance(record, B, Orders(), world.now) == "unchanged"
    assert glance(record, C, Orders(), world.now) == ""
    assert glance(record, B, Orders(abort="yes"), world.now) == ""


def test_a_glance_sees_that_a_tick_is_not_due() -> None:
    world = at_weight(20)
    assert glance(world.record, B, Orders(), world.now) == "not_due"
    assert glance(world.record, C, Orders(), world.now) == ""
    assert glance(world.record, B, Orders(), world.now, grace=15.0) == ""
    assert glance(world.record, B, Orders(), world.now + 11) == ""


# -- ticks on a schedule --

@pytest.mark.parametrize(("every", "interval"), [(1.0, 10.0), (60.0, 10.0), (60.0, 60.0), (60.0, 300.0)])
def test_ticks_on_a_schedule_promote_with_a_whole_interval_for_each_raise(every: float, interval: float) -> None:
    world = released(canary(analysis={"interval": interval, "step_weight": 25}))
    for _minute in range(int(3600 / every)):
        if world.record.phase in ENDS and world.record.last_promoted == B:
            break
        Run(world, mode="tick").walk()
        world.pass_time(every)
    assert world.record.last_promoted == B
    assert raises(world) == [25, 50]
    rules.hold(world)


# -- killed anywhere --

SCENES: dict[str, Any] = {
    "good": lambda: released(canary(analysis={"step_weight": 25})),
    "bad": lambda: released(canary(analysis={"step_weight": 25, "threshold": 1}), measures={0: (FAIL, "")}),
    "first": fresh,
}


DOWNTIMES = (0.0, 4.0, 45.0, 3600.0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("downtime", DOWNTIMES)
@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_any_crossing_and_run_again_the_end_is_the_same(scene: str, downtime: float) -> None:
    undisturbed = SCENES[scene]()
    Run(undisturbed).walk()
    stride, first = (1, 1) if SEARCHING else (len(DOWNTIMES), 1 + DOWNTIMES.index(downtime))
    for crossing in range(first, undisturbed.crossings + 1, stride):
        world = SCENES[scene]()
        world.kill_at.add(crossing)
        Run(world).walk()
        world.pass_time(downtime)
        Run(world, name="again").walk()
        assert end_of(world) == end_of(undisturbed), f"killed at crossing {crossing}"
        assert sorted(set(raises(world))) == raises(undisturbed)
        rules.hold(world)
        rules.at_rest(world)


def end_of(world: World) -> tuple[Any, ...]:
    record = world.record
    return (record.phase, record.last_promoted, record.last_applied, record.outcome, world.weight, world.primary.revision, world.target.replicas)


# -- the projection into a Canary object --

def test_the_condition_promoted_is_true_only_when_promoted() -> None:
    world = released()
    conditions = set()
    until(world, lambda now: bool(conditions.add((now.record.phase, flagger_status(now.record)["conditions"][0]["status"])))
          or (now.record.phase == states.SUCCEEDED and now.record.last_promoted == B))
    assert conditions == {(states.SUCCEEDED, "True"), (states.PROGRESSING, "Unknown"), (states.PROMOTING, "Unknown"), (states.FINALISING, "Unknown")}


def test_a_route_that_differs_and_is_not_accepted_is_put_right_once_before_anybody_is_led_there() -> None:
    world = fresh()
    until(world, lambda now: now.split is not None and now.record.intent is None and now.record.phase == states.INITIALIZING)
    seen = world.look()
    assert seen.route and not seen.apex_on_primary
    refused = dataclasses.replace(seen, route=dataclasses.replace(seen.route, accepted=False, why="no", drift=("spec.rules[0].filters",)))
    first = decide(world.canary, world.record, refused)
    assert first.traffic and first.traffic.split and not first.traffic.split.reaches_canary
    again = decide(world.canary, dataclasses.replace(first.record, intent=None), refused)
    assert again.traffic is None and "not accepted" in again.why


def test_safety_28_each_edit_of_a_document_whose_route_is_not_accepted_is_written_once() -> None:
    """One wrong parent after another, before anybody is led there; who else writes the same field back is not fought."""
    world = fresh()
    until(world, lambda now: now.split is not None and now.record.intent is None and now.record.phase == states.INITIALIZING)
    seen = world.look()
    assert seen.route

    def written(record: Record, parent: str, *drift: str) -> tuple[bool, Record]:
        edited = dataclasses.replace(world.canary, service=dataclasses.replace(world.canary.service, gateway_refs=({"name": parent},)))
        decision = decide(edited, record, dataclasses.replace(seen, route=dataclasses.replace(seen.route, accepted=False, why="no", drift=drift)))
        return decision.traffic is not None, dataclasses.replace(decision.record, intent=None)

    record, parents = world.record, "spec.parentRefs[0].name"
    for parent in ("wrong", "still wrong", "wrong", "right"):
        for wanted in (True, False, False):
            done, record = written(record, parent, parents)
            assert done == wanted, parent
    for wanted in (True, False):
        done, record = written(record, "right", "spec.rules[0].filters")
        assert done == wanted, "what differs may be something else, as where the router knows by the first report what nobody would be served by"
    assert not written(record, "right", parents)[0], "nor when both take turns"
    assert len([note for note in record.announced if note.startswith("route put right")]) == 2
