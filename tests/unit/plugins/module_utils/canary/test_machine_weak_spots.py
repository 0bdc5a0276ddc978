# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flagger's weak spots that the state machine has to be free of, each by its number."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, REFUSED, UNKNOWN
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import flagger_status
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    PRE_ROLLOUT,
    ROLLBACK,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    NEVER,
    A,
    B,
    C,
    Run,
    World,
    at_weight,
    canary,
    check,
    fresh,
    hook,
    in_phase,
    raises,
    released,
    until,
)


def failed(document=None) -> World:
    """Revision B was rolled back."""
    world = at_weight(10, document)
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    world.measures.clear()
    world.done.clear()
    return world


def test_weak_spot_01_a_failed_canary_swallows_no_revision() -> None:
    world = failed()
    world.release(C)
    world.primary.limping = True
    for _run in range(3):
        Run(world, patience=30).walk()
    world.primary.limping = False
    assert Run(world).walk().outcome == "promoted"
    assert world.record.last_promoted == C


def test_weak_spot_02_an_idle_failed_canary_is_not_written() -> None:
    world = failed()
    writes, transition = world.writes, world.record.last_transition
    for _run in range(3):
        world.pass_time(60)
        Run(world).walk()
    assert (world.writes, world.record.last_transition) == (writes, transition)


def test_weak_spot_03_a_failed_initialisation_leaves_the_original_in_service() -> None:
    world = fresh()
    until(world, lambda now: now.primary is not None)
    world.primary.sick.add(A)
    assert Run(world).walk().outcome == "held"
    assert (world.target.replicas, world.target.endpoints(world.now), world.apex_since, world.split) == (2, 2, NEVER, None)


def test_weak_spot_04_a_broken_primary_is_never_what_a_walk_goes_back_to() -> None:
    world = at_weight(30)
    world.primary.down = True
    world.measures[0] = (FAIL, "")
    Run(world, patience=120).walk()
    assert world.weight == 30
    rules.hold(world)


def test_weak_spot_05_after_a_failed_promotion_the_next_release_meets_a_mended_primary() -> None:
    world = at_weight(50)
    world.primary.sick.add(B)
    assert Run(world).walk().outcome == "rolled_back"
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    rules.hold(world)


@pytest.mark.parametrize("weight", [0, 10, 50])
def test_weak_spot_06_a_revert_in_mid_walk_is_noticed_and_nothing_is_promoted(weight: int) -> None:
    world = at_weight(weight)
    world.release(A)
    world.done.clear()
    run = Run(world).walk()
    assert run.outcome == "superseded"
    assert not [one for one in world.done if one.workload and one.workload.promote]
    assert (world.record.phase, world.record.last_promoted, world.record.last_applied) == (states.SUCCEEDED, A, A)
    rules.at_rest(world)
    assert Run(world).walk().outcome == "unchanged", "no needless run starts right after"


def test_weak_spot_06_a_revert_while_it_waits_for_approval_takes_its_pods_away() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_ROLLOUT),)))
    world.gates[0] = REFUSED
    world.target.scale(2, world.now)
    until(world, lambda now: now.record.phase == states.WAITING)
    world.release(A)
    assert Run(world).walk().outcome == "superseded"
    rules.at_rest(world)


def test_weak_spot_07_a_change_between_verdict_and_promotion_is_not_promoted() -> None:
    world = at_weight(50)
    until(world, lambda now: bool(now.record.intent and now.record.intent.workload))
    world.release(C)
    Run(world).walk()
    assert [one.workload.promote["revision"] for one in world.done if one.workload and one.workload.promote] == [C]
    rules.hold(world)


def test_weak_spot_07_what_is_rejected_is_what_was_judged() -> None:
    world = at_weight(10)
    world.measures[0] = (FAIL, "")
    until(world, lambda now: now.record.ending is not None)
    world.measures.clear()
    world.release(C)
    Run(world).walk()
    assert world.record.last_promoted == C, "the revision that came meanwhile is not the one that failed"


def test_weak_spot_08_the_rollback_comes_with_the_check_that_reaches_the_threshold() -> None:
    world = at_weight(10, canary(analysis={"threshold": 1}))
    world.measures[0] = (FAIL, "")
    began = world.now
    until(world, lambda now: now.weight == 0)
    assert world.now - began < 15


def test_weak_spot_09_a_canary_that_is_never_quite_ready_does_not_keep_its_traffic() -> None:
    world = at_weight(30, canary(progress_deadline=120.0))
    world.target.limping = True
    run = Run(world, patience=600).walk()
    assert run.outcome == "rolled_back" and world.weight == 0


def test_weak_spot_10_the_deadline_is_not_put_off_by_writes() -> None:
    world = released(canary(progress_deadline=60.0, hooks=(hook(0, ROLLBACK),)))
    world.target.sick.add(B)
    began = world.now
    assert Run(world).walk().outcome == "rolled_back"
    assert world.now - began < 90


@pytest.mark.parametrize(("gate", "words"), [
    (CONFIRM_ROLLOUT, "waiting for approval"), (CONFIRM_TRAFFIC_INCREASE, "waiting for traffic increase approval"),
    (CONFIRM_PROMOTION, "waiting for promotion approval")])
def test_weak_spot_11_a_closed_gate_is_told_once(gate: str, words: str) -> None:
    world = released(canary(hooks=(hook(0, gate),)))
    world.gates[0] = REFUSED
    Run(world, patience=300).walk()
    Run(world, patience=100).walk()
    assert len([one for one in world.told if words in one.message]) == 1


def test_weak_spot_11_a_rollback_that_cannot_be_done_is_told_once() -> None:
    world = at_weight(30)
    world.primary.down = True
    world.order("abort")
    Run(world, patience=120).walk()
    assert len([one for one in world.told if "Rolling back" in one.message]) == 1
    assert len([one for one in world.told if "cannot go back" in one.message]) == 1


def test_weak_spot_12_a_closed_traffic_gate_does_not_repeat_pre_rollout_hooks() -> None:
    world = released(canary(hooks=(hook(0, PRE_ROLLOUT), hook(1, CONFIRM_TRAFFIC_INCREASE))))
    world.gates[1] = REFUSED
    Run(world, patience=300).walk()
    assert len([index for _at, index in world.asked if index == 0]) == 1
    assert world.weight == 0


@pytest.mark.parametrize("phase", [states.WAITING, states.PROGRESSING, states.WAITING_PROMOTION, states.PROMOTING])
def test_weak_spot_13_rollback_hooks_are_read_in_every_phase_and_not_all_the_time(phase: str) -> None:
    hooks = (hook(0, ROLLBACK), hook(1, CONFIRM_ROLLOUT), hook(2, CONFIRM_PROMOTION))
    world = released(canary(hooks=hooks))
    world.gates.update({states.WAITING: {1: REFUSED}, states.WAITING_PROMOTION: {2: REFUSED}}.get(phase, {}))
    world.primary.takes = 300.0 if phase == states.PROMOTING else 3.0
    until(world, lambda now: now.record.phase == phase and now.record.intent is None)
    world.asked.clear()
    Run(world, patience=100).walk()
    assert 5 <= len([index for _at, index in world.asked if index == 0]) <= 12


def test_weak_spot_13_an_approval_that_waits_for_the_primary_does_not_ask_all_the_time() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_ROLLOUT), hook(1, ROLLBACK))))
    world.gates[0] = REFUSED
    until(world, lambda now: now.record.phase == states.WAITING)
    world.primary.takes = 300.0
    world.edit_primary(C)
    world.approve(CONFIRM_ROLLOUT)
    world.asked.clear()
    Run(world, patience=100).walk()
    assert 5 <= len([index for _at, index in world.asked if index == 1]) <= 12


def test_weak_spot_14_waiting_for_promotion_keeps_weight_and_counters() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_PROMOTION),)))
    world.gates[0] = REFUSED
    world.measures[0] = (FAIL, "")
    until(world, lambda now: now.record.failed_checks == 1)
    world.measures.clear()
    Run(world, patience=300).walk()
    status = flagger_status(world.record)
    assert (status["phase"], status["canaryWeight"], status["iterations"], status["failedChecks"]) == (states.WAITING_PROMOTION, 50, 0, 1)


def test_weak_spot_15_skip_analysis_set_while_promoting_promotes_once_and_waits_for_the_primary() -> None:
    world = in_phase(states.PROMOTING)
    world.canary = dataclasses.replace(world.canary, skip_analysis=True)
    world.primary.takes = 60.0
    world.done.clear()
    Run(world).walk()
    assert not [one for one in world.done if one.workload and one.workload.promote]
    lowered = next(one for one in world.done if one.weight == 0)
    assert lowered.seen.primary.ready


def test_weak_spot_15_skip_analysis_does_not_touch_the_original_before_the_primary_is_up() -> None:
    world = fresh(canary(skip_analysis=True))
    Run(world).walk()
    scaled = next(one for one in world.done if one.workload and one.workload.scale_target == 0)
    assert scaled.seen.primary.ready and scaled.seen.apex_on_primary


def test_weak_spot_16_a_weight_that_reads_0_while_promoting_still_comes_to_the_end() -> None:
    world = in_phase(states.PROMOTING, canary(analysis={"step_weight_promotion": 10}))
    world.set_weight(0)
    assert Run(world).walk().outcome == "promoted"


def test_weak_spot_16_every_wait_says_what_it_waits_for() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_TRAFFIC_INCREASE),)))
    world.gates[0] = REFUSED
    Run(world, patience=60).walk()
    assert all(decision.why for _at, _where, decision in world.decisions)
    assert "confirm-traffic-increase" in world.record.due_why


def test_weak_spot_20_a_weight_that_somebody_reset_does_not_start_from_0_by_itself() -> None:
    world = at_weight(30)
    world.set_weight(0)
    world.done.clear()
    run = Run(world, on_wait="end").walk()
    assert run.outcome == "waiting" and "resume" in run.why and world.done == []


def test_weak_spot_26_a_route_that_is_never_accepted_stalls_nothing_silently() -> None:
    world = fresh(accepts_after=NEVER)
    run = Run(world).walk()
    assert run.outcome == "held" and "not accepted" in run.why


def test_weak_spot_29_a_weight_is_judged_by_its_own_traffic_only() -> None:
    world = released(canary(checks=(check(interval=60.0),)))
    world.measures[0] = (UNKNOWN, "no_data: nothing yet")
    world.after(45, lambda now: now.measures.update({0: (PASS, "")}))
    assert Run(world).walk().outcome == "promoted"
    assert raises(world) == [10, 20, 30, 40, 50]


def test_weak_spot_30_a_lost_record_keeps_the_revision_that_the_primary_runs() -> None:
    world = failed()
    world.lose_record()
    Run(world).walk()
    assert world.primary.revision == A or world.record.last_promoted == B, "the rejected template is not made primary unseen"
    assert not [one for one in world.done if one.workload and one.workload.create_primary]


def test_weak_spot_31_a_restart_returns_traffic_only_to_a_primary_that_answers() -> None:
    world = at_weight(30)
    world.primary.down = True
    world.release(C)
    world.done.clear()
    Run(world, patience=60).walk()
    assert world.done == []


def test_weak_spot_31_the_replicas_of_the_primary_at_the_start_are_remembered() -> None:
    world = released()
    world.primary.replicas = 7
    until(world, lambda now: now.record.phase == states.PROGRESSING)
    assert world.record.primary_replicas == 7
    assert world.target.replicas in (0, 7)


def test_weak_spot_39_no_data_is_an_outcome_of_its_own() -> None:
    world = at_weight(30, canary(analysis={"threshold": 1}))
    world.measures[0] = (UNKNOWN, "query_error: no answer")
    Run(world, patience=60).walk()
    assert (world.weight, world.record.failed_checks) == (30, 0)


def test_weak_spot_55_a_new_run_goes_on_where_the_last_one_was() -> None:
    world = at_weight(30)
    assert Run(world, name="another").walk().outcome == "promoted"
    assert raises(world) == [10, 20, 30, 40, 50]
