# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walk among autoscalers: one for the target, and its copy for the primary, which sees half a minute late how many users there are."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary import stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    C,
    Run,
    Scales,
    World,
    canary,
    fresh,
    raises,
    released,
    until,
)

LOAD = 6                                # replicas that all users need; the autoscaler may go down to 2
KINDS = (HPA, SCALED_OBJECT)


def document(kind: str = HPA, **more: Any) -> Canary:
    return canary(autoscaler=Autoscaler(kind, "podinfo"), **more)


def new(one: Canary | None = None) -> World:
    """Nobody ever walked it, and the autoscaler gave the target what its users need."""
    world = fresh(one or document(), load=LOAD)
    assert world.target
    world.target.replicas = LOAD
    return world


def serving(one: Canary | None = None) -> World:
    """Revision A serves, scaled by a copy of the target's autoscaler, and B was just released."""
    world = released(one or document(), load=LOAD)
    assert world.primary
    world.primary.replicas = LOAD
    return world


def walking(weight: int, one: Canary | None = None) -> World:
    world = serving(one)
    until(world, lambda now: now.record.canary_weight == weight and now.record.phase == states.PROGRESSING and now.record.intent is None)
    return world


def minimums(world: World) -> list[int]:
    """What the primary's autoscaler was told, one after the other."""
    return [one.workload.scaler for one in world.done if one.workload and one.workload.scaler is not None]


def well(world: World) -> None:
    rules.hold(world)
    rules.nobody_is_overloaded_by_us(world)


# The first walk

@pytest.mark.parametrize("kind", KINDS)
def test_safety_28_the_primary_gets_a_copy_of_the_autoscaler_before_anybody_is_sent_to_it(kind: str) -> None:
    world = new(document(kind))
    run = Run(world).walk()
    assert run.outcome == "promoted", run.why
    made = next(index for index, one in enumerate(world.done) if one.workload and one.workload.scaler is not None)
    routed = next(index for index, one in enumerate(world.done) if one.traffic)
    assert world.done[made - 1].workload.create_primary == LOAD and made < routed
    assert f"{kind}/podinfo-primary" in world.record.inventory
    assert world.target and world.target.replicas == 0 and world.primary and world.primary.replicas == LOAD
    rules.at_rest(world)
    well(world)


def test_safety_15_a_primary_without_users_is_kept_as_large_as_the_target_until_it_has_them() -> None:
    world = new()
    Run(world).walk()
    assert minimums(world) == [LOAD, 0]
    last = world.done[-1]
    assert last.workload and last.workload.scaler == 0 and last.at - last.record.confirmed_at >= 60, "it was let go before it saw its users"
    assert (world.scaler.minimum, world.scaler.maximum) == (2, 10)
    well(world)


def test_without_an_autoscaler_to_copy_the_target_serves_on() -> None:
    world = new()
    world.original = None
    run = Run(world).walk()
    assert run.outcome == "held" and "there is no HorizontalPodAutoscaler podinfo" in run.why
    assert world.target.replicas == LOAD and not [one for one in world.done if one.traffic]


# A release

@pytest.mark.parametrize("kind", KINDS)
def test_safety_15_a_release_holds_the_minimum_before_the_first_weight_and_gives_it_back_at_the_end(kind: str) -> None:
    world = serving(document(kind))
    run = Run(world).walk()
    assert run.outcome == "promoted", run.why
    assert minimums(world) == [LOAD, 0]
    assert world.done.index(next(one for one in world.done if one.workload and one.workload.scaler)) \
        < world.done.index(next(one for one in world.done if one.traffic))
    assert (world.scaler.minimum, world.primary.replicas) == (2, LOAD)
    rules.at_rest(world)
    well(world)


def test_weak_spot_31_an_autoscaler_never_shrinks_a_primary_that_a_rollback_would_crush() -> None:
    world = walking(40)
    world.pass_time(600)
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert minimums(world) == [LOAD, 0] and world.primary.replicas == LOAD
    rules.at_rest(world)
    well(world)


def test_weak_spot_31_an_autoscaler_does_not_shrink_the_primary_before_a_restart_either() -> None:
    world = walking(50)
    world.pass_time(300)
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    assert world.record.last_promoted == C and world.primary.replicas == LOAD
    rules.at_rest(world)
    well(world)


@pytest.mark.parametrize("how", ["bad release", "abort", "new revision", "good release"])
def test_safety_15_a_minimum_that_was_lowered_in_mid_walk_is_held_again_before_the_traffic_returns(how: str) -> None:
    world = walking(30)
    if how == "abort":
        world.order("abort")
    elif how == "bad release":
        world.measures[0] = (FAIL, "")
        until(world, lambda now: now.record.failed_checks == 2 and now.record.intent is None)
    elif how == "new revision":
        world.release(C)
    world.scaler.minimum, world.scaler.before = 3, None
    world.done.clear()
    Run(world).walk()
    assert world.done[0].workload and world.done[0].workload.scaler == LOAD
    assert world.scaler.minimum == 3
    rules.hold(world)


def test_safety_14_who_lowers_the_minimum_twice_means_it() -> None:
    world = walking(10)
    world.scaler.minimum, world.scaler.before = 2, None
    until(world, lambda now: now.scaler is not None and now.scaler.minimum == LOAD and now.record.canary_weight == 20)
    world.scaler.minimum, world.scaler.before = 2, None
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert minimums(world) == []


def test_a_maximum_below_what_the_primary_has_is_held_as_far_as_it_goes() -> None:
    world = serving()
    world.scaler.maximum = 4
    assert Run(world).walk().outcome == "promoted"
    assert minimums(world) == [4, 0]
    rules.hold(world)


def test_where_no_traffic_leaves_the_primary_nothing_is_held() -> None:
    for one in (document(skip_analysis=True), document(provider="kubernetes", analysis={"iterations": 2, "step_weight": 0, "max_weight": 0})):
        world = serving(one)
        assert Run(world).walk().outcome == "promoted"
        assert minimums(world) == []
        rules.at_rest(world)


def test_safety_22_whoever_scales_a_target_of_kedas_to_0_has_not_told_keda() -> None:
    world = serving(document(SCALED_OBJECT))
    until(world, lambda now: bool(now.record.phase == states.PROGRESSING and now.target and now.target.replicas))
    assert world.target and world.original
    world.target.scale(0, world.now)
    world.release(A)
    world.original.acted_at = world.now         # KEDA looks only now and then
    Run(world).walk()
    world.pass_time(600)
    world.look()
    assert world.target.replicas == 0, "KEDA would have brought it back"


def test_safety_10_the_canary_starts_with_as_many_replicas_as_the_primary_has() -> None:
    world = serving()
    until(world, lambda now: bool(now.done))
    assert [one.workload.scale_target for one in world.done if one.workload] == [LOAD]


def test_safety_09_a_canary_that_shrank_in_iterations_without_users_grows_before_all_of_them_come() -> None:
    world = serving(document(analysis={"iterations": 5, "step_weight": 0, "max_weight": 0}))
    until(world, lambda now: now.record.iterations == 3)
    assert world.target.replicas == 2
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    grown, raised = world.done[0], next(one for one in world.done if one.weight == 100)
    assert grown.workload and grown.workload.scale_target == LOAD and grown.at < raised.at
    assert raised.seen.target.ready and raises(world) == [100]
    rules.at_rest(world)


# What people and other tools do

@pytest.mark.parametrize("weight", [0, 20])
def test_a_copy_that_somebody_deleted_is_made_again_once(weight: int) -> None:
    world = walking(weight) if weight else serving()
    world.scaler = None
    world.done.clear()
    assert Run(world).walk().outcome == "promoted"
    assert world.done[0].workload and world.done[0].workload.scaler == (LOAD if weight else 0)
    assert world.scaler and world.scaler.before is None
    rules.at_rest(world)
    rules.hold(world)


def test_where_the_original_is_gone_too_the_walk_goes_on_without() -> None:
    world = walking(20)
    world.scaler = world.original = None
    assert Run(world).walk().outcome == "promoted"
    assert minimums(world) == [LOAD]
    rules.at_rest(world)


def test_safety_05_a_minimum_that_a_lost_record_held_is_given_back() -> None:
    """By the note on the autoscaler itself, also where nothing is walked any more."""
    world = walking(30)
    world.release(A)
    world.lose_record()
    Run(world).walk()
    assert world.record.phase == states.INITIALIZED and world.scaler.minimum == 2
    rules.at_rest(world)
    rules.hold(world)


def test_safety_05_a_copy_that_is_lost_with_the_record_is_made_again_without_a_minimum_to_hold() -> None:
    world = serving()
    Run(world).walk()
    world.lose_record()
    world.scaler = None
    assert Run(world).walk().outcome == "promoted" and world.scaler is not None
    made = [one.workload.scaler for one in world.done if one.workload and one.workload.scaler is not None]
    assert made[-1] == 0, "all users are with the primary already, so that its autoscaler knows what it needs"
    well(world)


def test_safety_08_the_autoscaler_of_a_document_is_frozen_during_a_walk() -> None:
    assert document().identity["autoscaler"] == "HorizontalPodAutoscaler/podinfo"
    assert "autoscaler" not in canary().identity


# Removal

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", [0, 30])
def test_safety_29_a_removal_resumes_the_target_first_and_takes_the_copy_away(kind: str, weight: int) -> None:
    world = walking(weight, document(kind)) if weight else serving(document(kind))
    if not weight:
        Run(world).walk()
    world.order("remove")
    run = Run(world).walk()
    assert run.outcome == "removed", run.why
    assert world.original == Scales(2, 10), "the user's own has its minimum back"
    rules.is_removed(world)
    well(world)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_crossing_and_run_again_the_end_is_the_same(kind: str) -> None:
    undisturbed = serving(document(kind))
    Run(undisturbed).walk()
    for crossing in range(1, undisturbed.crossings + 1):
        world = serving(document(kind))
        world.kill_at = {crossing}
        assert Run(world).walk().outcome == "killed"
        again = Run(world, name="again").walk()
        assert again.outcome in ("promoted", "unchanged"), f"killed at {crossing}: {again.outcome} {again.why}"
        assert (world.record.last_promoted, world.scaler, world.target.replicas) == (B, Scales(2, 10), 0), f"killed at {crossing}"
        rules.at_rest(world)
        rules.hold(world)


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_walk_killed_at_any_crossing_ends_the_same(kind: str) -> None:
    undisturbed = new(document(kind))
    Run(undisturbed).walk()
    for crossing in range(1, undisturbed.crossings + 1):
        world = new(document(kind))
        world.kill_at = {crossing}
        assert Run(world).walk().outcome == "killed"
        Run(world, name="again").walk()
        assert (world.scaler, world.target.replicas, world.record.phase) == (Scales(2, 10), 0, states.INITIALIZED), f"killed at {crossing}"
        rules.at_rest(world)
        well(world)


def test_a_plan_says_what_is_held_and_given_back() -> None:
    said = [step.what for step in plan(document(), Record("podinfo", "test", identity=document().identity), new().look())]
    assert [text for text in said if "podinfo-primary as HorizontalPodAutoscaler podinfo" in text]
    assert [text for text in said if "give podinfo-primary the minimum back" in text]


def test_an_observation_with_an_autoscaler_stays_small() -> None:
    seen = serving().look()
    assert len(str(dump(seen))) - len(str(dump(dataclasses.replace(seen, scaler=None)))) < 120
    assert stages.minimum_to_hold(Record("a", "b", primary_replicas=3), seen) == 3


def test_safety_15_a_restart_holds_what_the_primary_has_by_then() -> None:
    world = walking(20)
    assert minimums(world) == [LOAD]
    world.primary.scale(LOAD + 3, world.now)
    world.load = LOAD + 3
    world.release(C)
    Run(world).walk()
    assert max(minimums(world)) == LOAD + 3, minimums(world)
