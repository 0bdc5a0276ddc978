# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of users' requests, before any of them gets to the canary: one stage of a weighted release, every iteration of a blue/green one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, REFUSED, Route, Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Intent
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rescue import rescue
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_TRAFFIC_INCREASE, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_machine_release import phases, said, trace
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_plan import planned
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    C,
    Run,
    World,
    at_weight,
    canary,
    fresh,
    hook,
    raises,
    released,
    until,
)


def weighted(percent: int = 100, **more: Any) -> Canary:
    return canary(analysis={"step_weight": 25, "mirror": percent, **more.pop("analysis", {})}, **more)


def blue_green(percent: int = 100, iterations: int = 3, **more: Any) -> Canary:
    return canary(analysis={"iterations": iterations, "step_weight": 0, "max_weight": 100, "mirror": percent}, **more)


BOTH = pytest.mark.parametrize("document", [weighted, blue_green])


def copied(document: Canary | None = None) -> World:
    """Revision B gets copies, seen accepted, and nobody walks."""
    world = released(document or weighted())
    until(world, lambda now: now.record.mirror > 0 and now.record.intent is None)
    return world


def splits(world: World) -> list[tuple[int, int]]:
    """(weight, copies) of each order for the route."""
    return [(one.weight, one.copies) for one in world.done if one.weight is not None]


# -- the good release --

def test_a_weighted_release_gets_copies_for_one_stage_before_its_first_weight() -> None:
    world = released(weighted())
    assert Run(world).walk().outcome == "promoted"
    assert splits(world) == [(0, 100), (25, 0), (50, 0), (0, 0)]
    assert phases(world) == [states.PROGRESSING, states.PROMOTING, states.FINALISING, states.SUCCEEDED]
    rules.hold(world)
    rules.at_rest(world)


def test_a_blue_green_release_gets_copies_in_every_iteration_and_then_all_users() -> None:
    world = released(blue_green(40))
    assert Run(world).walk().outcome == "promoted"
    assert splits(world) == [(0, 40), (100, 0), (0, 0)]
    assert [number for _at, _run, number in world.iterated] == [1, 2, 3]
    rules.hold(world)
    rules.at_rest(world)


def test_what_people_are_told() -> None:
    weights, iterations = released(weighted()), released(blue_green(20, 1))
    Run(weights).walk()
    Run(iterations).walk()
    assert [line for line in said(weights) if line.startswith("Advance")][:2] == [
        "Advance podinfo.test canary mirror 100", "Advance podinfo.test canary weight 25"]
    assert "Stop traffic mirroring and route all traffic to canary" in said(iterations), "in Flagger's words"
    assert any("0% mirror 20% iteration 1/1 |" in line for line in iterations.lines)
    assert any("0% mirror 100% |" in line for line in weights.lines)


@BOTH
def test_the_plan_is_what_happens_when_all_goes_well(document: Any) -> None:
    imagined, real = released(document()), released(document())
    steps = planned(imagined)
    Run(real).walk()
    happened = [decision.why for _at, _where, decision in real.decisions]
    assert any("with copies of 100%" in step.what or "copies of 100% of the requests" in step.what for step in steps)
    assert [why for why in happened if why in {step.what for step in steps}] == [step.what for step in steps if step.what in set(happened)]


@BOTH
def test_ticks_on_a_schedule_go_on_with_the_copies(document: Any) -> None:
    world = released(document())
    for _minute in range(30):
        if Run(world, mode="tick").walk().outcome == "unchanged":
            break
        world.pass_time(30)
    assert world.record.phase == states.SUCCEEDED and splits(world)[0] == (0, 100)
    rules.hold(world)


# -- evidence --

@BOTH
def test_safety_12_copies_are_judged_for_an_interval_of_their_own_before_anybody_is_served(document: Any) -> None:
    world = released(document())
    Run(world).walk()
    began = next(one.at for one in world.done if one.copies)
    served = next(one.at for one in world.done if one.weight)
    assert served - began >= 10
    assert [at for at, _check in world.measured if began + 10 <= at <= served]


@BOTH
def test_safety_14_copies_that_a_person_took_away_gather_their_evidence_anew(document: Any) -> None:
    world = copied(document())
    world.pass_time(8)
    world.set_copies(0)
    run = Run(world, on_wait="end").walk()
    assert run.outcome == "waiting" and "somebody lowered the copies of requests to 0%" in run.why
    world.resume()
    resumed = world.now
    assert Run(world).walk().outcome == "promoted"
    again = next(one.at for one in world.done if one.copies and one.at > resumed)
    assert next(one.at for one in world.done if one.weight and one.at > resumed) - again >= 10
    rules.hold(world)


# -- going down --

@BOTH
def test_a_bad_release_is_rolled_back_without_a_user_having_met_it(document: Any) -> None:
    world = copied(document())
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert raises(world) == [] and splits(world)[-1] == (0, 0)
    assert (world.primary.revision, world.target.replicas) == (A, 0)
    rules.hold(world)
    rules.at_rest(world)


@BOTH
@pytest.mark.parametrize("end", ["abort", "remove", "set back"])
def test_safety_11_copies_end_and_drain_before_the_pods_go(document: Any, end: str) -> None:
    world = copied(document())
    world.done.clear()
    if end == "set back":
        world.release(A)
    else:
        world.order(end)
    Run(world).walk()
    assert splits(world)[0] == (0, 0) and world.split is None or not world.split.reaches_canary
    stopped = next(one.at for one in world.done if one.copies == 0)
    gone = [one.at for one in world.done if one.workload and one.workload.scale_target == 0]
    assert all(at - stopped >= world.canary.options.drain for at in gone) and (gone or end == "remove")
    rules.hold(world)


@BOTH
def test_safety_09_a_new_revision_gets_no_copies_that_were_begun_for_the_last_one(document: Any) -> None:
    world = copied(document())
    world.done.clear()
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    assert splits(world)[:2] == [(0, 0), (0, 100)] and world.primary.revision == C
    rules.hold(world)


@BOTH
def test_safety_11_scaling_to_0_is_void_while_copies_go_to_the_pods(document: Any) -> None:
    world = copied(document())
    record = dataclasses.replace(world.record, intent=Intent(world.now, "", True, workload=WorkloadOrder(scale_target=0)))
    back = read_back(world.canary, record, world.look())
    assert back.workload is None and "the canary has traffic again" in back.note


# -- who is ready, and whose hand it is --

@BOTH
@pytest.mark.parametrize("side", ["target", "primary"])
def test_safety_10_copies_begin_only_while_both_sides_are_ready(document: Any, side: str) -> None:
    world = released(document())
    workload = world.primary if side == "primary" else world.target
    workload.limping = True
    Run(world, patience=300).walk()
    assert splits(world) == []
    workload.limping = False
    assert Run(world).walk().outcome == "promoted"


@pytest.mark.parametrize(("where", "weight"), [("idle", 0), ("at a weight", 25), ("with a document that mirrors", 0)])
def test_safety_14_copies_that_nobody_ordered_are_stopped(where: str, weight: int) -> None:
    plain = canary(analysis={"step_weight": 25})
    world = {"idle": lambda: released(plain, wanted=A), "at a weight": lambda: at_weight(25, plain),
             "with a document that mirrors": lambda: released(weighted())}[where]()
    world.set_copies(70)
    until(world, lambda now: now.split is not None and now.split.mirror == 0)
    assert splits(world)[-1] == (weight, 0)
    rules.hold(world)


def test_safety_14_copies_that_the_document_asks_for_no_more_are_stopped_at_once() -> None:
    world = copied(blue_green())
    world.canary = dataclasses.replace(world.canary, analysis=dataclasses.replace(world.canary.analysis, mirror=0))
    stopped = world.now
    until(world, lambda now: now.split.mirror == 0)
    assert world.now - stopped < 3, "not when the next interval is over"
    Run(world).walk()
    assert world.record.phase == states.SUCCEEDED
    rules.hold(world)


@BOTH
def test_safety_13_copies_that_were_ordered_long_ago_are_not_begun(document: Any) -> None:
    world = released(document())
    until(world, lambda now: now.record.intent is not None and now.record.intent.traffic is not None)
    assert world.record.intent.traffic.split.mirror == 100 and not world.split.mirror
    world.pass_time(600)
    seen = world.look()
    assert "voided" in read_back(world.canary, world.record, seen).note
    assert Run(world).walk().outcome == "promoted"
    rules.hold(world)


def test_safety_13_a_weight_that_rests_on_copies_is_void_when_somebody_stopped_them() -> None:
    world = copied()
    raised = Intent(world.now, world.record.pinned.revision, False, TrafficOrder(split=Split(75, 25), raised_from=0, mirrored_from=100))
    world.set_copies(0)
    world.accepted_from = world.now
    back = read_back(world.canary, dataclasses.replace(world.record, intent=raised), world.look())
    assert back.traffic is None and "somebody changed how many requests are copied" in back.note


def test_a_closed_gate_keeps_the_copies_away_and_after_them_the_first_weight() -> None:
    """Flagger asks before the copies and not again before users are served."""
    world = released(weighted(hooks=(hook(0, CONFIRM_TRAFFIC_INCREASE),)))
    world.gates[0] = REFUSED
    Run(world, patience=120).walk()
    assert splits(world) == []
    world.gates.clear()
    until(world, lambda now: now.record.mirror == 100)
    world.gates[0] = REFUSED
    Run(world, patience=120).walk()
    assert splits(world) == [(0, 100)]
    world.gates.clear()
    assert Run(world).walk().outcome == "promoted"


def test_safety_31_a_halt_while_requests_are_copied_stops_what_follows() -> None:
    world = copied(blue_green())
    world.order("halt")
    Run(world, patience=120).walk()
    assert splits(world) == [(0, 100)] and world.record.mirror == 100, "what goes on goes on, nothing is added"
    world.resume()
    assert Run(world).walk().outcome == "promoted"


# -- when the record is gone --

def test_safety_05_a_lost_record_ends_the_copies_before_the_canary_is_touched() -> None:
    world = copied()
    world.lose_record()
    world.done.clear()
    Run(world).walk()
    assert splits(world)[0] == (0, 0)
    rules.hold(world)


def test_safety_06_an_abort_without_a_readable_record_ends_the_copies_too() -> None:
    ends = rescue(weighted(), "", Route(Split(100, 0, 60), True), True)
    assert ends.traffic == TrafficOrder(split=Split(100, 0)) and "the canary has 0%, and copies of 60%" in ends.why


def test_a_first_walk_of_a_document_that_mirrors_initialises_without_copies() -> None:
    world = fresh(weighted())
    Run(world).walk()
    assert world.record.phase == states.INITIALIZED and splits(world) == [(0, 0)]
    assert trace(world)[-1] == "scale 0"


@pytest.mark.exhaustive
@BOTH
def test_killed_at_any_crossing_and_run_again_the_copies_are_judged_and_the_end_is_the_same(document: Any) -> None:
    undisturbed = released(document())
    Run(undisturbed).walk()
    for crossing in range(1, undisturbed.crossings + 1):
        world = released(document())
        world.kill_at = {crossing}
        Run(world).walk()
        world.pass_time(5)
        run = Run(world).walk()
        assert run.outcome in ("promoted", "unchanged"), (crossing, run.why)
        assert set(splits(world)) <= set(splits(undisturbed)), crossing
        rules.hold(world)
        rules.at_rest(world)
