# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of docs/safety.md that the state machine carries, each by its number."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states, stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, REFUSED, UNKNOWN, Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Intent, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    ROLLBACK,
    Canary,
    Options,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    BEGIN,
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


def killed_after_deciding(world: World, what: str) -> None:
    """The process dies between the record of a decision and its order."""
    def decided(now: World) -> bool:
        intent = now.record.intent if now.stored else None
        return bool(intent and (intent.traffic if what == "traffic" else intent.workload))
    until(world, decided)


def edited(world: World, **changes: Any) -> None:
    world.stored = dumps(dataclasses.replace(world.record, **changes))


# -- the record, the lock and the fence --

def test_safety_04_an_approval_opens_the_gate_of_its_revision_once() -> None:
    world = released(canary(options=Options(manual_gates=(CONFIRM_PROMOTION,))))
    world.after(100, lambda now: now.approve(CONFIRM_PROMOTION))
    run = Run(world).walk()
    assert run.outcome == "promoted"
    assert world.annotations == {}


@pytest.mark.parametrize("said", [{"revision": C}, {"revision": ""}, {"revision": B[:7]}, {"run": "another"}])
def test_safety_04_an_approval_for_another_revision_or_run_opens_nothing(said: dict[str, str]) -> None:
    world = released(canary(options=Options(manual_gates=(CONFIRM_PROMOTION,))))
    world.after(100, lambda now: now.approve(CONFIRM_PROMOTION, **said))
    run = Run(world, patience=600).walk()
    assert (run.outcome, world.record.phase) == ("interrupted", states.WAITING_PROMOTION)
    assert world.annotations, "an order that was not obeyed is not removed"


def test_safety_04_an_approval_of_one_gate_opens_no_other() -> None:
    world = released(canary(options=Options(manual_gates=(CONFIRM_PROMOTION,))))
    world.after(100, lambda now: now.approve(CONFIRM_TRAFFIC_INCREASE))
    run = Run(world, patience=600).walk()
    assert (run.outcome, world.record.phase) == ("interrupted", states.WAITING_PROMOTION)


def test_safety_04_a_rollout_approved_for_one_revision_is_not_that_of_the_next() -> None:
    world = released(canary(options=Options(manual_gates=(CONFIRM_ROLLOUT,))))
    world.after(10, lambda now: now.approve(CONFIRM_ROLLOUT))
    world.after(60, lambda now: now.release(C))
    Run(world, patience=600).walk()
    assert world.record.phase == states.WAITING
    assert world.weight == 0


def test_safety_04_an_approval_is_heard_at_once() -> None:
    world = in_phase(states.WAITING_PROMOTION, canary(options=Options(manual_gates=(CONFIRM_PROMOTION,)), analysis={"interval": 300.0}))
    began = world.now
    world.after(2, lambda now: now.approve(CONFIRM_PROMOTION))
    until(world, lambda now: now.record.phase == states.PROMOTING)
    assert world.now - began < 10


def test_safety_04_an_approval_that_opens_nothing_makes_nobody_ask_more_often() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_ROLLOUT),)))
    world.gates[0] = REFUSED
    Run(world, patience=30).walk()
    world.approve(CONFIRM_PROMOTION)
    world.asked.clear()
    Run(world, patience=100).walk()
    assert len(world.asked) <= 12


@pytest.mark.parametrize("weight", [0, 10, 50])
def test_safety_05_a_lost_record_takes_traffic_back_before_anything_else(weight: int) -> None:
    world = at_weight(weight)
    world.lose_record()
    world.done.clear()
    until(world, lambda now: bool(now.stored) and now.record.phase == states.INITIALIZED)
    assert [(one.weight, one.workload) for one in world.done] == ([(0, None)] if weight else [])
    assert world.record.last_promoted == A
    run = Run(world).walk()
    assert run.outcome == "promoted" and world.record.last_promoted == B
    rules.hold(world)


def test_safety_05_a_lost_record_moves_nothing_to_a_primary_that_is_not_ready() -> None:
    world = at_weight(30)
    world.lose_record()
    world.done.clear()
    assert world.primary
    world.primary.down = True
    Run(world, patience=60).walk()
    assert world.done == []


# -- moving traffic --

def test_safety_09_a_restart_takes_traffic_back_before_the_new_revision_begins() -> None:
    world = at_weight(30)
    world.release(C)
    world.done.clear()
    Run(world).walk()
    assert [one.weight for one in world.done[:2]] == [0, 10]
    assert world.record.last_promoted == C
    rules.hold(world)


def test_safety_09_a_restart_that_cannot_take_traffic_back_does_not_begin() -> None:
    world = at_weight(30)
    assert world.primary
    world.release(C)
    world.primary.down = True
    Run(world, patience=60).walk()
    assert (world.weight, world.record.pinned.revision) == (30, B)
    world.primary.down = False
    world.done.clear()
    Run(world).walk()
    assert [one.weight for one in world.done[:2]] == [0, 10]
    rules.hold(world)


def test_safety_10_ready_pods_settle_before_the_first_weight() -> None:
    world = released(canary(options=Options(settle=7.0)))
    until(world, lambda now: now.weight == 10)
    assert world.target
    assert world.done[-1].at >= world.target.changed_at + world.target.takes + 7


def test_safety_10_readiness_lost_while_settling_settles_anew() -> None:
    world = released(canary(options=Options(settle=7.0)))
    until(world, lambda now: now.record.ready_since > 0)
    assert world.target
    world.target.down = True
    Run(world, patience=5).walk()
    world.target.down = False
    back = world.now
    until(world, lambda now: now.weight == 10)
    assert world.done[-1].at >= back + 7


def test_safety_10_a_canary_without_a_ready_endpoint_gets_no_weight() -> None:
    world = released()
    until(world, lambda now: now.record.ready_since > 0)
    world.pass_time(5)
    seen = world.look()
    assert seen.target and seen.target.ready
    assert decide(world.canary, world.record, seen).traffic == TrafficOrder(split=Split(90, 10), raised_from=0)
    unreachable = dataclasses.replace(seen, target=dataclasses.replace(seen.target, endpoints=0))
    decision = decide(world.canary, world.record, unreachable)
    assert decision.traffic is None and "none of its pods is a ready endpoint" in decision.why


@pytest.mark.parametrize("why", ["bad", "abort", "superseded", "promoted"])
def test_safety_11_pods_go_a_whole_drain_after_the_traffic(why: str) -> None:
    world = at_weight(30, canary(options=Options(drain=25.0)))
    if why == "bad":
        world.measures[0] = (FAIL, "")
    elif why == "abort":
        world.order("abort")
    elif why == "superseded":
        world.release(A)
    world.done.clear()
    Run(world).walk()
    lowered = next(one.at for one in world.done if one.weight == 0)
    scaled = next(one.at for one in world.done if one.workload and one.workload.scale_target == 0)
    assert scaled - lowered >= 25


def test_safety_11_weight_that_was_never_confirmed_is_drained_too() -> None:
    world = released()
    world.accepts_after = NEVER
    until(world, lambda now: now.weight == 10)
    world.order("abort")
    world.accepts_after = 0.5
    Run(world).walk()
    assert world.record.phase == states.FAILED
    rules.pods_go_only_without_weight_and_drained(world)


def test_safety_11_weight_that_somebody_took_away_is_drained_too() -> None:
    world = in_phase(states.PROMOTING)
    world.set_weight(0)
    Run(world).walk()
    assert world.record.phase == states.SUCCEEDED
    rules.pods_go_only_without_weight_and_drained(world)


def test_safety_11_what_an_order_that_was_voided_took_away_is_drained_too() -> None:
    """The weight went, nobody saw it accepted, and the primary's Service is lost: the order is void, and what it did is done."""
    world = at_weight(30)
    lowering = TrafficOrder(split=Split(100, 0))
    world.set_weight(0)
    world.accepted_from, world.primary.down = NEVER, True
    record = dataclasses.replace(world.record, canary_weight=0, drain_until=0.0, intent=Intent(world.now, "", True, traffic=lowering))
    back = read_back(world.canary, record, world.look())
    assert back.note.startswith("voided: the primary has no ready endpoint")
    assert back.record.intent is None and back.record.drain_until == world.now + world.canary.options.drain


def test_safety_11_resumed_at_zero_and_aborted_is_drained_too() -> None:
    world = at_weight(30)
    world.set_weight(0)
    world.resume()
    until(world, lambda now: now.record.canary_weight == 0)
    world.order("abort")
    Run(world).walk()
    rules.pods_go_only_without_weight_and_drained(world)


def test_safety_11_pods_stay_while_weight_0_is_not_confirmed() -> None:
    world = at_weight(30)
    world.accepts_after = NEVER
    world.measures[0] = (FAIL, "")
    Run(world, patience=600).walk()
    assert world.target and world.target.replicas == 2


def test_safety_11_an_open_order_to_scale_down_is_void_when_there_is_weight_again() -> None:
    world = at_weight(30)
    world.measures[0] = (FAIL, "")
    until(world, lambda now: bool(now.record.intent and now.record.intent.workload))
    world.set_weight(20)
    Run(world).walk()
    rules.pods_go_only_without_weight_and_drained(world)
    assert world.record.phase == states.FAILED


def test_safety_12_each_raise_has_an_interval_of_evidence() -> None:
    world = released()
    Run(world).walk()
    times = [one.at for one in world.done if one.weight]
    assert all(later - earlier >= 10 for earlier, later in zip(times, times[1:], strict=False))


def test_safety_12_evidence_counts_from_the_confirmation_not_from_the_order() -> None:
    world = released(accepts_after=6.0)
    Run(world).walk()
    times = [one.at for one in world.done if one.weight]
    assert len(times) == 5
    assert all(later - earlier >= 16 for earlier, later in zip(times, times[1:], strict=False))


@pytest.mark.parametrize("document", [canary(), canary(analysis={"step_weight": 0, "max_weight": 0, "iterations": 4})])
def test_safety_27_12_runs_that_know_the_time_to_the_second_only_raise_no_earlier(document: Canary) -> None:
    """A Date has whole seconds: the run that confirms is behind by nearly one, the run that judges by nothing."""
    world = released(document)
    for run in range(2000):
        world.lag = (0.9, 0.0)[run % 2]
        Run(world, mode="tick").walk()
        world.pass_time(0.1)
        if world.record.phase == states.SUCCEEDED:
            break
    assert world.record.phase == states.SUCCEEDED
    judged = [at for at, where, _decision in world.decisions if where == stages.JUDGE]
    confirmed = [at for at, _weight in world.weights]
    assert len(judged) >= 4
    assert all(later - earlier >= document.analysis.interval for earlier, later in zip(judged, judged[1:], strict=False))
    for raised in [one.at for one in world.done if one.weight and one.live]:
        assert raised - max(at for at in confirmed if at < raised) >= document.analysis.interval


def test_safety_12_a_hard_written_window_is_waited_for() -> None:
    world = released(canary(checks=(check(query="sum(rate(x[1m]))"),)))
    Run(world).walk()
    times = [one.at for one in world.done if one.weight]
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[1:], strict=False))


def test_safety_12_after_a_long_absence_the_first_tick_only_holds() -> None:
    world = at_weight(30)
    world.pass_time(3600)
    back = world.now
    world.done.clear()
    until(world, lambda now: now.weight == 40)
    assert world.done[0].at >= back + 10


def test_safety_12_after_a_long_absence_the_canary_settles_anew_before_its_first_weight() -> None:
    world = released(canary(options=Options(settle=7.0)))
    until(world, lambda now: now.record.ready_since > 0)
    world.pass_time(3600)
    back = world.now
    world.done.clear()
    until(world, lambda now: now.weight == 10)
    assert world.done[0].at >= back + 7


def test_safety_12_after_a_long_absence_a_failed_check_counts() -> None:
    world = at_weight(30, canary(analysis={"threshold": 1}))
    world.pass_time(3600)
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"


def test_safety_12_no_data_within_the_first_metric_interval_is_no_failure() -> None:
    world = released(canary(checks=(check(interval=60.0),), analysis={"threshold": 1}))
    world.measures[0] = (UNKNOWN, "no_data: the query returned nothing")
    world.after(50, lambda now: now.measures.clear())
    run = Run(world, patience=100).walk()
    assert run.outcome == "interrupted" and world.record.failed_checks == 0


def test_safety_12_a_weight_that_was_away_for_a_moment_starts_its_evidence_anew() -> None:
    world = at_weight(30)
    world.set_weight(0)
    Run(world, patience=8).walk()
    world.set_weight(30)
    back = world.now
    world.done.clear()
    until(world, lambda now: now.weight == 40)
    assert world.done[-1].at >= back + 10


def test_safety_13_a_young_raise_is_done_again() -> None:
    world = at_weight(30)
    killed_after_deciding(world, "traffic")
    world.pass_time(5)
    world.done.clear()
    until(world, lambda now: now.weight == 40)
    assert [(one.weight, one.again) for one in world.done] == [(40, True)]


@pytest.mark.parametrize("event", ["age", "halt", "suspend", "revision", "target", "primary", "lowered"])
def test_safety_13_an_open_raise_is_void(event: str) -> None:
    world = at_weight(30)
    killed_after_deciding(world, "traffic")
    assert world.target and world.primary
    if event == "age":
        world.pass_time(11)
    elif event in ("halt", "suspend"):
        world.order(event)
    elif event == "revision":
        world.target.takes = 1.0
        world.release(C)
        world.pass_time(5)              # the new pods are ready already
    elif event == "target":
        world.target.down = True
    elif event == "primary":
        world.primary.down = True
    else:
        world.set_weight(5)
    back = read_back(world.canary, world.record, world.look())
    assert (back.traffic, back.workload, back.record.intent) == (None, None, None)
    assert back.note.startswith("voided")


def test_safety_13_an_old_promotion_is_void_and_analysed_anew() -> None:
    world = at_weight(50)
    until(world, lambda now: bool(now.record.intent and now.record.intent.workload))
    world.pass_time(3 * 3600)
    world.done.clear()
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert not [one for one in world.done if one.workload and one.workload.promote]


def test_safety_13_lowering_is_done_again_however_old() -> None:
    world = at_weight(30)
    world.measures[0] = (FAIL, "")
    until(world, lambda now: bool(now.record.intent and now.record.intent.lowers))
    world.pass_time(7200)
    world.order("suspend")
    back = read_back(world.canary, world.record, world.look())
    assert back.traffic == TrafficOrder(split=Split(100, 0))


def test_safety_14_a_lowered_weight_holds_until_resume() -> None:
    world = at_weight(30)
    world.set_weight(5)
    world.done.clear()
    run = Run(world, patience=300).walk()
    assert (run.outcome, world.done, world.weight) == ("interrupted", [], 5)
    world.resume()
    assert Run(world).walk().outcome == "promoted"
    assert raises(world)[:2] == [10, 20], "from a weight beside the plan it goes to the next one of the plan"
    rules.hold(world)


def test_safety_14_a_stray_weight_is_lowered_back() -> None:
    world = at_weight(30)
    world.set_weight(90)
    world.done.clear()
    until(world, lambda now: now.weight == 30)
    assert [one.weight for one in world.done] == [30]


def test_safety_14_a_stray_weight_of_a_finished_canary_is_lowered_back() -> None:
    world = released()
    Run(world).walk()
    world.set_weight(40)
    Run(world).walk()
    assert world.weight == 0


def test_safety_14_an_open_order_to_lower_never_raises_what_somebody_lowered_further() -> None:
    world = at_weight(30)
    world.set_weight(90)
    killed_after_deciding(world, "traffic")
    world.set_weight(0)
    world.done.clear()
    Run(world, patience=60).walk()
    assert (world.done, world.weight) == ([], 0)


def test_safety_14_a_route_that_vanished_never_comes_back_with_weight() -> None:
    for killed in (False, True):
        world = in_phase(states.PROMOTING, canary(analysis={"step_weight": 40, "max_weight": 80, "step_weight_promotion": 30}))
        if killed:
            until(world, lambda now: bool(now.record.intent and now.record.intent.lowers))
        world.split = None
        world.done.clear()
        Run(world).walk()
        assert [one.weight for one in world.done if one.traffic][0] == 0
        assert world.record.phase == states.SUCCEEDED


@pytest.mark.parametrize("phase", [states.SUCCEEDED, states.PROGRESSING, states.PROMOTING, states.FINALISING])
@pytest.mark.parametrize("gone", ["podinfo-primary", "podinfo-canary"])
def test_safety_16_a_service_of_ours_that_vanished_is_made_again(phase: str, gone: str) -> None:
    world = in_phase(phase)
    world.services.discard(gone)
    run = Run(world).walk()
    assert gone in world.services
    assert (run.outcome, world.record.phase) == ("promoted", states.SUCCEEDED), run.why


@pytest.mark.parametrize("mode", ["walk", "tick"])
def test_safety_16_nothing_to_do_is_not_what_is_said_while_the_primary_is_gone(mode: str) -> None:
    world = in_phase(states.SUCCEEDED)
    Run(world).walk()
    world.lose_primary()
    run = Run(world, mode=mode).walk()
    assert run.outcome == "held" and run.why.startswith("podinfo-primary does not exist: "), (run.outcome, run.why)
    assert "apply it again, or delete the ConfigMap test/podinfo-canary and run again" in run.why
    world.bring_primary_back()
    world.pass_time(60)
    assert Run(world, mode=mode).walk().outcome == "unchanged"


@pytest.mark.parametrize("weight", [0, 20])
def test_safety_16_whoever_waits_for_a_primary_that_is_gone_says_the_way_out(weight: int) -> None:
    world = at_weight(weight) if weight else released()
    world.lose_primary()
    run = Run(world, patience=60).walk()
    assert run.outcome == "interrupted"
    assert any("podinfo-primary does not exist: users have nobody there; apply it again, or delete the ConfigMap" in line for line in world.lines)
    assert not [one for one in world.done if one.workload and one.workload.create_primary], "not of a template that was not analysed"


@pytest.mark.parametrize("phase", [states.SUCCEEDED, states.PROGRESSING, states.PROMOTING])
@pytest.mark.parametrize("edited", ["podinfo-primary", "podinfo-canary"])
def test_safety_16_a_service_of_ours_that_leads_elsewhere_is_put_right(phase: str, edited: str) -> None:
    world = in_phase(phase)
    decision = decide(world.canary, world.record, dataclasses.replace(world.look(), services=(edited,), missing=()))
    assert decision.traffic == TrafficOrder(services=True)
    assert decision.why == f"{edited} leads elsewhere: put it right"


@pytest.mark.parametrize(("missing", "ready", "written"), [(("podinfo-primary",), False, True), ((), False, False), ((), True, True)])
def test_safety_28_a_service_that_users_may_be_led_to_is_not_led_to_a_primary_that_is_not_ready(
        missing: tuple[str, ...], ready: bool, written: bool) -> None:
    """As where the record is lost and the document has another target: the Service leads to the former primary."""
    world = in_phase(states.INITIALIZING)
    until(world, lambda now: now.primary is not None)
    seen = world.look()
    assert seen.primary
    seen = dataclasses.replace(seen, services=("podinfo-primary",), missing=missing,
                               primary=dataclasses.replace(seen.primary, ready=ready, endpoints=0, why="" if ready else "0 of 2 pods are available"))
    decision = decide(world.canary, world.record, seen)
    assert decision.traffic == (TrafficOrder(services=True) if written else None)
    assert written or "podinfo-primary is not ready: 0 of 2 pods are available" in decision.why


def test_safety_12_what_was_gathered_while_a_service_was_gone_raises_nothing() -> None:
    world = at_weight(30)
    world.pass_time(8)
    world.services.discard("podinfo-canary")
    world.decisions.clear()
    Run(world).walk()
    repaired = next(at for at, unused, then in world.decisions if then.traffic and then.traffic.services)
    raised = next(at for at, unused, then in world.decisions if then.traffic and then.traffic.split and then.traffic.split.canary > 30)
    assert raised >= repaired + 10


def test_safety_16_an_abort_makes_the_service_of_the_primary_again_before_it_moves_users() -> None:
    world = at_weight(30)
    world.services.discard("podinfo-primary")
    world.order("abort")
    assert Run(world).walk().outcome == "aborted"
    assert [one.traffic for one in world.done if one.traffic][-2:] == [TrafficOrder(services=True), TrafficOrder(split=Split(100, 0))]


def test_nothing_is_made_again_while_a_canary_is_suspended() -> None:
    world = at_weight(30)
    world.services.discard("podinfo-canary")
    world.suspended = True
    before = len(world.done)
    Run(world, on_wait="end").walk()
    assert len(world.done) == before


def test_safety_15_a_primary_that_was_scaled_down_in_mid_walk_is_put_back() -> None:
    world = at_weight(30)
    assert world.primary
    world.primary.scale(1, world.now)
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert world.done[0].workload and world.done[0].workload.scale_primary == 2, "before the next raise"
    assert [one.workload.scale_primary for one in world.done if one.workload and one.workload.scale_primary] == [2]
    assert world.primary.replicas == 2
    rules.hold(world)


@pytest.mark.parametrize("how", ["bad release", "abort"])
def test_safety_15_a_shrunken_primary_is_put_back_before_it_gets_the_traffic(how: str) -> None:
    world = at_weight(30)
    assert world.primary
    if how == "abort":
        world.order("abort")
    else:
        world.measures[0] = (FAIL, "")
        until(world, lambda now: now.record.failed_checks == 2 and now.record.intent is None)
    world.primary.scale(1, world.now)
    world.done.clear()
    Run(world).walk()
    first, second = world.done[:2]
    assert first.workload and first.workload.scale_primary == 2
    assert second.weight == 0
    assert how != "abort" or second.at - first.at < 2
    rules.hold(world)


def test_safety_15_a_shrunken_primary_is_put_back_before_a_new_revision_sends_the_traffic_back() -> None:
    world = at_weight(30)
    assert world.primary
    world.primary.scale(1, world.now)
    world.release(C)
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    first, second = world.done[:2]
    assert first.workload and first.workload.scale_primary == 2
    assert second.weight == 0 and second.at - first.at < 2
    assert world.record.last_promoted == C and world.primary.replicas == 2
    rules.hold(world)


def test_safety_15_a_primary_that_shrank_while_it_was_promoted_is_put_back_before_it_gets_the_traffic() -> None:
    world = in_phase(states.PROMOTING)
    assert world.primary
    world.primary.scale(1, world.now)
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    first, second = world.done[:2]
    assert first.workload and first.workload.scale_primary == 2
    assert second.weight == 0 and second.seen.primary and second.seen.primary.endpoints == 2
    rules.hold(world)


def test_safety_15_who_shrinks_it_twice_means_it() -> None:
    world = at_weight(10)
    assert world.primary
    world.primary.scale(1, world.now)
    until(world, lambda now: now.primary is not None and now.primary.replicas == 2 and now.record.canary_weight == 20)
    world.primary.scale(1, world.now)
    assert Run(world).walk().outcome == "promoted"
    assert world.primary.replicas == 1


@pytest.mark.parametrize("weight", [10, 50])
def test_safety_16_a_canary_without_endpoints_loses_its_traffic_at_once(weight: int) -> None:
    world = at_weight(weight)
    assert world.target
    world.target.down = True
    world.done.clear()
    began = world.now
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "no ready endpoint" in run.why and run.why.rpartition(": ")[2]
    assert world.done[0].weight == 0 and world.done[0].at - began < 2 * 10


def test_safety_16_a_canary_that_dies_while_it_is_promoted_loses_its_traffic_and_people_are_told_why() -> None:
    world = in_phase(states.PROMOTING)
    assert world.target and world.weight > 0
    world.target.down = True
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    why = next(decision.why for _at, _where, decision in world.decisions if decision.traffic and decision.traffic.split and decision.traffic.split.canary == 0)
    assert "has no ready endpoint" in why
    assert "Routing all traffic to primary" in [told.message for told in world.told]


def test_safety_16_lowered_by_hand_does_not_keep_traffic_on_a_dead_canary() -> None:
    world = at_weight(30)
    world.set_weight(5)
    Run(world, patience=20).walk()
    assert world.target
    world.target.down = True
    assert Run(world).walk().outcome == "rolled_back"
    assert world.weight == 0


def test_safety_16_a_deleted_target_loses_its_traffic_and_the_walk_ends() -> None:
    world = at_weight(30)
    world.target = None
    run = Run(world, patience=300).walk()
    assert (run.outcome, world.weight, world.record.phase) == ("rolled_back", 0, states.FAILED)


def test_safety_16_a_primary_without_endpoints_gets_no_traffic_back() -> None:
    world = at_weight(30)
    assert world.primary
    world.primary.down = True
    world.order("abort")
    world.done.clear()
    run = Run(world, patience=60).walk()
    assert (run.outcome, world.done, world.weight) == ("interrupted", [], 30)
    world.primary.down = False
    assert Run(world).walk().outcome == "aborted"


@pytest.mark.parametrize("foreign", [False, True])
def test_safety_16_a_route_that_vanished_does_not_lead_to_a_primary_that_does_not_answer(foreign: bool) -> None:
    world = at_weight(30)
    assert world.primary
    if foreign:
        world.foreign_route = True      # somebody leads it to other backends
    else:
        world.split = None
    world.primary.down = True
    world.done.clear()
    Run(world, patience=60).walk()
    assert world.done == []
    world.primary.down = False
    assert Run(world).walk().outcome == "promoted"
    assert world.done[0].weight == 0
    rules.hold(world)


def test_safety_16_a_failed_promotion_restores_the_primary_and_then_rolls_back() -> None:
    world = at_weight(50)
    assert world.primary
    world.primary.sick.add(B)
    world.done.clear()
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "promotion failed" in run.why
    assert [(one.weight, bool(one.workload and one.workload.promote), bool(one.workload and one.workload.restore)) for one in world.done][:3] == [
        (None, True, False), (None, False, True), (0, False, False)]
    assert world.primary.revision == world.primary.promoted == A
    rules.at_rest(world)


def test_safety_16_a_canary_that_dies_in_a_failed_promotion_loses_its_traffic() -> None:
    world = at_weight(50)
    assert world.primary and world.target
    world.primary.sick.add(B)
    until(world, lambda now: now.record.restoring is not None and now.primary.promoted == A)
    world.target.down = True
    world.primary.limping = True
    Run(world, patience=30).walk()
    assert world.weight == 0


def test_safety_16_when_even_the_restored_primary_fails_the_canary_goes_on_serving() -> None:
    world = at_weight(50)
    assert world.primary
    world.primary.sick.add(B)
    until(world, lambda now: now.record.restoring is not None)
    world.primary.sick.add(A)
    run = Run(world).walk()
    assert run.outcome == "held" and world.weight == 50 and world.target.replicas == 2
    assert any("did not become ready after it was restored" in one.message for one in world.told)


def test_safety_16_the_canary_stays_until_the_new_primary_answers() -> None:
    world = in_phase(states.FINALISING)
    assert world.primary
    world.primary.down = True
    Run(world, patience=60).walk()
    assert world.target and world.target.replicas == 2


def test_safety_16_an_open_order_to_lower_is_void_when_the_primary_does_not_answer() -> None:
    world = at_weight(30)
    world.measures[0] = (FAIL, "")
    killed_after_deciding(world, "traffic")
    world.primary.down = True
    back = read_back(world.canary, world.record, world.look())
    assert (back.traffic, back.record.intent) == (None, None)
    assert back.record.ending is not None, "what was decided stays decided"


# -- workloads --

def test_safety_17_a_pinned_replicaset_that_is_gone_is_refused() -> None:
    world = at_weight(50)
    assert world.target
    name = world.record.pinned.replicaset
    del world.target.history[name]
    world.target.history["podinfo-other"] = ("uid-other", B)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and name in run.why
    assert not [one for one in world.done if one.workload and one.workload.promote]


def test_safety_17_a_replicaset_of_the_same_name_made_anew_is_refused() -> None:
    world = at_weight(50)
    assert world.target
    world.target.history[world.record.pinned.replicaset] = ("uid-new", B)
    assert Run(world).walk().outcome == "rolled_back"


def test_safety_17_the_primarys_former_replicaset_is_remembered() -> None:
    world = in_phase(states.PROMOTING)
    assert world.record.previous == {"replicaset": f"podinfo-primary-{A[:6]}", "revision": A}


def test_safety_19_another_hash_of_the_same_meaning_starts_nothing() -> None:
    world = released(wanted=A)
    assert world.target and world.primary
    world.target.template(C, world.now)
    world.primary.template(C, world.now)
    run = Run(world).walk()
    assert run.outcome == "unchanged" and world.done == []
    assert world.record.last_promoted == C


# -- beginning, ending, aborting --

def test_safety_28_initialisation_in_its_order() -> None:
    world = fresh()
    run = Run(world).walk()
    assert run.outcome == "promoted" and world.record.phase == states.INITIALIZED
    assert [one.traffic or one.workload for one in world.done] == [
        WorkloadOrder(create_primary=2), TrafficOrder(services=True), TrafficOrder(split=Split(100, 0)), TrafficOrder(apex=True), WorkloadOrder(scale_target=0)]
    assert world.done[2].seen.primary.ready and world.done[2].seen.primary.endpoints == 2
    assert world.done[3].seen.route.accepted
    assert world.done[4].seen.apex_on_primary and world.done[4].at - world.done[3].at >= 10


def test_safety_28_the_original_is_not_touched_when_the_primary_fails() -> None:
    world = fresh()
    until(world, lambda now: now.primary is not None)
    assert world.primary and world.target
    world.primary.sick.add(A)
    run = Run(world).walk()
    assert run.outcome == "held" and "serves as before" in run.why
    assert world.target.replicas == 2 and world.apex_since == NEVER


def test_safety_28_the_original_is_not_touched_when_the_route_is_not_accepted() -> None:
    world = fresh(accepts_after=NEVER)
    run = Run(world).walk()
    assert run.outcome == "held" and "has not accepted the route" in run.why
    assert world.target.replicas == 2 and world.apex_since == NEVER


def test_safety_28_the_original_stays_while_the_apex_still_reaches_it() -> None:
    world = fresh(apex_takes=NEVER)
    Run(world, patience=300).walk()
    assert (world.record.phase, world.target.replicas) == (states.INITIALIZING, 2)


def test_safety_28_a_route_written_after_a_long_absence_gets_its_time_to_be_accepted() -> None:
    world = fresh(accepts_after=5.0)
    until(world, lambda now: bool(now.record.intent and now.record.intent.traffic and now.record.intent.traffic.split))
    world.pass_time(3600)
    assert Run(world).walk().outcome == "promoted"


def first_release_broken_and_mended() -> World:
    """The primary was made of a template whose pods never get ready; the target has another one by now."""
    world = fresh()
    world.target.sick.add(A)
    until(world, lambda now: now.primary is not None)
    world.primary.sick.add(A)
    assert Run(world).walk().outcome == "held"
    world.release(B)
    world.pass_time(60)
    return world


def test_safety_28_a_first_release_that_never_gets_ready_is_repaired_by_the_next_one() -> None:
    world = first_release_broken_and_mended()
    run = Run(world).walk()
    assert (run.outcome, world.record.last_promoted, world.primary.revision) == ("promoted", B, B)


@pytest.mark.parametrize(("missing", "answering", "available", "mended"), [
    ((), 2, 0, True),                       # the Service leads to the former primary, whose pods these are
    ((), 1, 1, False),                      # only its port was edited: whoever answers is this primary's, and users are led to it
    (("podinfo-primary",), 0, 0, False),    # the Service is made first
])
def test_safety_28_a_broken_first_template_is_mended_while_the_service_leads_to_a_former_primary(
        missing: tuple[str, ...], answering: int, available: int, mended: bool) -> None:
    """As where the record is lost and the document has another target, whose first release is broken."""
    world = first_release_broken_and_mended()
    seen = world.look()
    assert seen.primary and not seen.primary.ready and seen.target and seen.target.ready
    primary = dataclasses.replace(seen.primary, endpoints=answering, available=available)
    decision = decide(world.canary, world.record, dataclasses.replace(seen, services=("podinfo", "podinfo-primary"), missing=missing, primary=primary))
    assert bool(decision.workload and decision.workload.promote) == mended, decision.why


ABORTED = {
    states.WAITING: "aborted", states.PROGRESSING: "aborted", states.WAITING_PROMOTION: "aborted", states.PROMOTING: "aborted", states.FINALISING: "promoted",
}


@pytest.mark.parametrize("phase", ABORTED)
def test_safety_30_abort_by_phase(phase: str) -> None:
    gates = {states.WAITING: (CONFIRM_ROLLOUT,), states.WAITING_PROMOTION: (CONFIRM_PROMOTION,)}.get(phase, ())
    world = in_phase(phase, canary(options=Options(manual_gates=gates)))
    world.order("abort", "error budget spent")
    run = Run(world, name="abort").walk()
    assert run.outcome == ABORTED[phase]
    assert world.annotations == {}
    rules.at_rest(world)
    rules.hold(world)
    if ABORTED[phase] == "aborted":
        assert "error budget spent" in run.why
        assert (world.record.phase, world.primary.revision) == (states.FAILED, A)


def test_safety_30_abort_while_initialising_stops_and_leaves_the_original_alone() -> None:
    world = in_phase(states.INITIALIZING)
    world.order("abort")
    world.done.clear()
    run = Run(world).walk()
    assert (run.outcome, world.done, world.target.replicas) == ("aborted", [], 2)
    assert Run(world).walk().outcome == "promoted", "the next run begins again"


@pytest.mark.parametrize("phase", [states.INITIALIZED, states.SUCCEEDED, states.FAILED])
def test_safety_30_abort_of_an_idle_canary_does_nothing_and_begins_nothing(phase: str) -> None:
    world = released(wanted=A)
    edited(world, phase=phase)
    world.release(B)
    world.order("abort")
    run = Run(world).walk()
    assert (run.outcome, world.done, world.record.phase) == ("aborted", [], phase)
    assert "bbbbbbbb was not walked" in run.why, "the run that was to release it does not end as if it had"
    assert Run(world).walk().outcome == "promoted"


def test_safety_30_abort_where_nothing_is_new_does_nothing() -> None:
    world = released(wanted=A)
    world.order("abort")
    run = Run(world).walk()
    assert (run.outcome, world.done, world.annotations) == ("unchanged", [], {})


def test_safety_30_the_run_that_aborts_does_not_walk_the_next_revision() -> None:
    world = at_weight(30)
    world.order("abort")
    world.after(5, lambda now: now.release(C))
    assert Run(world).walk().outcome == "aborted"
    assert raises(world)[-1] == 30


def test_safety_30_abort_works_while_suspended_and_without_metrics() -> None:
    world = at_weight(30)
    world.suspended = True
    world.order("suspend")
    world.order("abort")
    world.measures[0] = (UNKNOWN, "query_error: no answer")
    assert Run(world).walk().outcome == "aborted"
    assert world.weight == 0


WHO = "alice@ci-7: change 4711"


def _obeyed(world: World) -> list[tuple[str, str]]:
    return [(entry["order"], entry["said"]) for entry in world.record.obeyed]


def test_safety_30_the_record_says_who_aborted_and_why() -> None:
    world = at_weight(30)
    world.order("abort", WHO)
    run = Run(world).walk()
    assert run.why.endswith(f"aborted by a person: {WHO}") and _obeyed(world) == [("abort", WHO)]


def test_safety_30_the_record_says_who_promoted_and_why() -> None:
    world = at_weight(30)
    world.order("promote", json.dumps({"revision": B, "by": WHO}))
    assert Run(world).walk().outcome == "promoted"
    assert _obeyed(world) == [("promote", WHO)]


@pytest.mark.parametrize("gate", [CONFIRM_ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION])
def test_safety_30_the_record_says_who_approved_and_why(gate: str) -> None:
    world = released(canary(options=Options(manual_gates=(gate,))))
    until(world, lambda now: now.record.closed_gate == gate)
    world.approve(gate, by=WHO)
    Run(world, patience=100).walk()
    assert _obeyed(world) == [(f"approve {gate}", WHO)]


@pytest.mark.parametrize("word", ["halt", "suspend"])
def test_safety_30_the_record_says_once_who_held_it_and_who_let_it_go_on(word: str) -> None:
    world = at_weight(30)
    world.order(word, WHO)
    Run(world, patience=120).walk()
    world.annotations.clear()
    world.order("resume", "bob@ci-7")
    assert Run(world).walk().outcome == "promoted"
    assert _obeyed(world) == [(word, WHO), ("resume", "bob@ci-7")]


def test_safety_30_what_people_said_is_cut_and_the_last_ten_are_kept() -> None:
    world = at_weight(30)
    for number in range(12):
        world.order("resume", f"{number} " + "x" * 900)
        Run(world, patience=1).walk()
    assert [entry["said"].split()[0] for entry in world.record.obeyed] == [str(number) for number in range(2, 12)]
    assert {len(entry["said"]) for entry in world.record.obeyed} == {200}


def test_safety_30_abort_while_promoting_keeps_the_split_until_the_primary_is_restored() -> None:
    world = in_phase(states.PROMOTING)
    world.order("abort")
    world.done.clear()
    Run(world).walk()
    assert [one.weight if one.traffic else "restore" if one.workload.restore else one.workload.scale_target for one in world.done] == ["restore", 0, 0]
    lowered = next(one for one in world.done if one.weight == 0)
    assert lowered.seen.primary.ready and lowered.seen.primary.promoted == A


@pytest.mark.parametrize("phase", [states.WAITING, states.PROGRESSING, states.WAITING_PROMOTION, states.PROMOTING])
def test_safety_31_rollback_hooks_are_read_in_every_phase(phase: str) -> None:
    hooks = (hook(0, ROLLBACK), hook(1, CONFIRM_ROLLOUT), hook(2, CONFIRM_PROMOTION), hook(3, CONFIRM_TRAFFIC_INCREASE))
    world = released(canary(hooks=hooks))
    world.gates.update({states.WAITING: {1: REFUSED}, states.WAITING_PROMOTION: {2: REFUSED}}.get(phase, {}))
    if phase == states.PROMOTING:
        world.primary.takes = 30.0
    until(world, lambda now: now.record.phase == phase and now.record.intent is None)
    world.gates[0] = "allowed"
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "manual webhook" in run.why
    assert world.primary.revision == A
    rules.hold(world)


@pytest.mark.parametrize("phase", [states.INITIALIZING, states.WAITING, states.PROGRESSING, states.WAITING_PROMOTION, states.PROMOTING, states.FINALISING])
@pytest.mark.parametrize("order", ["halt", "suspend"])
def test_safety_31_a_halt_is_obeyed_in_every_phase(phase: str, order: str) -> None:
    gates = {states.WAITING: (CONFIRM_ROLLOUT,), states.WAITING_PROMOTION: (CONFIRM_PROMOTION,)}.get(phase, ())
    world = in_phase(phase, canary(options=Options(manual_gates=gates)))
    world.order(order)
    world.done.clear()
    Run(world, patience=120).walk()
    assert (world.done, world.record.phase) == ([], phase)
    world.resume()
    for gate in gates:
        world.approve(gate)
    assert Run(world).walk().outcome == "promoted"


def test_safety_31_rollback_hooks_are_read_while_the_canary_is_not_ready() -> None:
    world = released(canary(hooks=(hook(0, ROLLBACK),)))
    world.target.sick.add(B)
    world.after(30, lambda now: now.gates.update({0: "allowed"}))
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and world.now - BEGIN < 90


@pytest.mark.parametrize("weight", [0, 5])
def test_safety_31_rollback_hooks_are_read_while_somebody_holds_the_weight_down(weight: int) -> None:
    world = at_weight(30, canary(hooks=(hook(0, ROLLBACK),)))
    world.set_weight(weight)
    assert Run(world, patience=60).walk().outcome == "interrupted"
    world.gates[0] = "allowed"
    run = Run(world, patience=120).walk()
    assert run.outcome == "rolled_back" and "manual webhook" in run.why
    rules.at_rest(world)
    rules.hold(world)


def test_safety_31_rollback_hooks_are_read_while_the_primary_is_not_ready() -> None:
    world = at_weight(30, canary(hooks=(hook(0, ROLLBACK),)))
    world.primary.limping = True
    world.gates[0] = "allowed"
    run = Run(world, patience=120).walk()
    assert run.outcome == "rolled_back"


def test_safety_31_skip_analysis_waits_for_a_ready_primary() -> None:
    world = released(canary(skip_analysis=True))
    world.primary.limping = True
    Run(world, patience=60).walk()
    assert not [one for one in world.done if one.workload and one.workload.promote]


def test_safety_31_skip_analysis_waits_for_a_primary_that_is_no_longer_ready() -> None:
    world = released(canary(skip_analysis=True))
    until(world, lambda now: now.record.phase == states.PROGRESSING)
    world.primary.limping = True
    Run(world, patience=60).walk()
    assert not [one for one in world.done if one.workload and one.workload.promote]
    world.primary.limping = False
    assert Run(world).walk().outcome == "promoted"


def test_an_intent_of_another_kind_is_read_back_by_what_it_ordered() -> None:
    world = released()
    edited(world, intent=Intent(world.now, "", True, workload=WorkloadOrder(scale_target=0)))
    assert read_back(world.canary, world.record, world.look()).record.intent is None


def pausing(**more: Any) -> Any:
    return canary(options=Options(pause_target=True), **more)


def test_safety_22_a_target_is_paused_before_it_gets_traffic_and_resumed_when_it_has_none() -> None:
    world = released(pausing())
    assert Run(world).walk().outcome == "promoted"
    pauses = [(one.workload.pause_target, one.live) for one in world.done if one.workload and one.workload.pause_target is not None]
    assert pauses == [(True, 0), (False, 0)]
    first_raise = next(one.at for one in world.done if one.weight)
    assert next(one.at for one in world.done if one.workload and one.workload.pause_target) < first_raise
    assert world.target and not world.target.paused
    rules.hold(world)


def test_safety_22_an_edit_while_nobody_walks_waits_until_the_target_has_no_traffic() -> None:
    world = at_weight(30, pausing())
    assert world.target and world.target.paused
    world.release(C)
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert [(one.weight, one.workload.pause_target if one.workload else None) for one in world.done[:2]] == [(0, None), (None, False)]
    assert world.record.last_promoted == C and not world.target.paused
    rules.hold(world)


@pytest.mark.parametrize("how", ["abort", "rollback"])
def test_safety_22_whatever_ends_the_walk_the_target_is_resumed(how: str) -> None:
    world = at_weight(30, pausing())
    if how == "abort":
        world.order("abort")
    else:
        world.measures[0] = (FAIL, "")
    Run(world).walk()
    assert world.record.phase == states.FAILED
    assert world.target and not world.target.paused and not world.record.paused
    rules.hold(world)


def test_safety_22_a_target_that_its_owner_paused_stays_paused() -> None:
    world = at_weight(30, canary())
    assert world.target
    world.target.pause(True, world.now)
    assert Run(world).walk().outcome == "promoted"
    assert world.target.paused


def promoted_in_vain() -> World:
    """Half of the users are on the canary, and the primary gets ready neither with the new template nor with the former one."""
    world = at_weight(50)
    until(world, lambda now: now.record.phase == states.PROMOTING and now.record.intent is None)
    assert world.primary and world.target
    world.primary.sick |= {A, B}
    world.primary.changed_at = world.now
    return world


def test_safety_16_a_canary_that_has_to_go_on_serving_is_paused() -> None:
    world = promoted_in_vain()
    run = Run(world).walk()
    assert run.outcome == "held" and "goes on serving" in run.why
    assert world.target.paused and world.weight == 50


@pytest.mark.parametrize("wanted", [A, C])
def test_safety_16_an_edit_of_the_paused_canary_leads_nobody_to_half_a_primary(wanted: str) -> None:
    world = promoted_in_vain()
    assert Run(world).walk().outcome == "held"
    world.release(wanted)
    world.primary.sick.clear()
    world.primary.limping = True
    world.done.clear()
    assert (Run(world).walk().outcome, world.done, world.weight) == ("held", [], 50)
    world.primary.limping = False
    Run(world).walk()
    assert world.done[0].weight == 0 and world.record.last_promoted == wanted
    rules.hold(world)


def test_safety_16_a_canary_that_was_edited_before_it_was_paused_is_left_for_half_a_primary() -> None:
    world = promoted_in_vain()
    world.primary.down = True
    world.release(C)
    until(world, lambda now: now.target.paused)
    world.release(A)
    world.primary.sick.clear()
    world.primary.down, world.primary.limping = False, True
    Run(world, patience=30).walk()
    assert world.weight == 0, "C served, which nobody analysed"


def test_safety_16_new_settings_of_the_paused_canary_lead_nobody_to_half_a_primary() -> None:
    world = promoted_in_vain()
    assert Run(world).walk().outcome == "held"
    world.configure("d" * 64)
    world.primary.sick.clear()
    world.primary.limping = True
    assert (Run(world).walk().outcome, world.weight) == ("held", 50)


def test_safety_16_a_restored_primary_that_is_mended_by_hand_gets_its_users_back() -> None:
    world = at_weight(50)
    world.primary.sick.add(B)
    until(world, lambda now: now.record.restoring is not None)
    world.primary.sick.add(A)
    assert Run(world).walk().outcome == "held" and world.weight == 50
    world.primary.template(C, world.now)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and (world.weight, world.primary.revision) == (0, C)
    rules.at_rest(world)


@pytest.mark.parametrize("pods", ["gone", "of the edit"])
def test_safety_16_a_paused_canary_is_left_for_half_a_primary_where_it_does_not_serve_what_was_analysed(pods: str) -> None:
    world = promoted_in_vain()
    assert Run(world).walk().outcome == "held"
    world.release(C)
    world.target.down, world.target.held = pods == "gone", pods == "gone"
    world.primary.sick.clear()
    world.primary.limping = True
    Run(world, patience=30).walk()
    assert world.weight == 0


def test_weak_spot_13_a_rollback_hook_is_asked_once_an_interval_while_an_approval_waits_for_pods() -> None:
    document = canary(hooks=(hook(0, ROLLBACK),), options=Options(manual_gates=(CONFIRM_PROMOTION,)), analysis={"step_weight": 50})
    world = released(document)
    until(world, lambda now: bool(now.stored) and now.record.phase == states.WAITING_PROMOTION)
    world.target.limping = True
    world.approve(CONFIRM_PROMOTION)
    world.asked.clear()
    Run(world, patience=60).walk()
    assert 5 <= len(world.asked) <= 8, [at - world.asked[0][0] for at, _hook in world.asked]


def test_safety_04_an_order_to_promote_is_for_nothing_that_comes_later() -> None:
    world = at_weight(10)
    world.order("suspend")
    world.order("promote", B)
    Run(world, patience=15).walk()
    assert world.orders().promote and world.record.phase == states.PROGRESSING
    world.order("abort")
    assert Run(world).walk().outcome == "aborted"
    assert not world.orders().promote


def test_safety_04_an_order_to_promote_does_not_outlive_a_newer_revision() -> None:
    world = at_weight(10)
    world.order("promote", B)
    world.target.down = True
    Run(world, patience=15).walk()
    world.release(C)
    until(world, lambda now: now.record.pinned is not None and now.record.pinned.revision == C)
    assert not world.orders().promote


def test_safety_04_an_order_to_promote_names_its_run() -> None:
    world = at_weight(10)
    world.order("promote", json.dumps({"revision": B, "run": "another", "by": "alice"}))
    Run(world, patience=15).walk()
    assert world.record.phase == states.PROGRESSING
    world.order("promote", json.dumps({"revision": B, "run": world.record.run, "by": "alice"}))
    run = Run(world).walk()
    assert (run.outcome, world.record.outcome_why) == ("promoted", "promoted by a person: alice")


def test_what_skips_its_analysis_obeys_no_order_to_promote_something_else() -> None:
    world = released(canary(skip_analysis=True))
    world.order("promote", "f" * 64)
    Run(world).walk()
    assert world.record.outcome_why == "analysis was skipped" and not [one for one in world.record.obeyed if one["order"] == "promote"]
