# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Flagger left: a primary without our note, and the phase of its status (SAFETY 25)."""

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    C,
    Run,
    World,
    raises,
    released,
    until,
)


def left_by_flagger(target: str, weight: int = 0, replicas: int = 0, failed: bool = False) -> World:
    """Its primary runs A, the target has a template of its own, and there is neither a record nor a note on the primary."""
    world = released(wanted=target, flagger_failed=failed)
    assert world.target and world.primary
    world.lose_record()
    world.primary.promoted = ""
    if replicas:
        world.target.scale(replicas, world.now)
        world.pass_time(60)
    if weight:
        world.set_weight(weight)
    return world


@pytest.mark.parametrize("weight", [0, 30])
def test_safety_25_a_target_that_flagger_had_not_promoted_is_walked_from_0(weight: int) -> None:
    world = left_by_flagger(B, weight, replicas=2)
    until(world, lambda now: bool(now.stored) and now.record.phase == states.INITIALIZED)
    assert (world.weight, world.record.last_promoted, world.primary.promoted) == (0, A, A)
    assert Run(world).walk().outcome == "promoted"
    assert raises(world) == [10, 20, 30, 40, 50]
    assert world.primary.promoted == B
    rules.hold(world)


def test_safety_25_a_target_that_flagger_had_promoted_is_not_walked_again() -> None:
    world = left_by_flagger(A)
    Run(world).walk()
    assert (world.record.phase, world.record.last_promoted, world.primary.promoted) == (states.INITIALIZED, A, A)
    assert raises(world) == []
    assert Run(world).walk().outcome == "unchanged"


@pytest.mark.parametrize("replicas", [0, 2])
def test_safety_25_what_flagger_rejected_stays_rejected_until_the_template_changes(replicas: int) -> None:
    world = left_by_flagger(B, replicas=replicas, failed=True)
    run = Run(world).walk()
    assert (run.outcome, run.why) == ("rolled_back", "the status of the Canary object says that this template failed before")
    assert (world.record.phase, world.record.last_applied, world.record.last_promoted) == (states.FAILED, B, A)
    assert (raises(world), world.target.replicas, world.primary.revision) == ([], 0, A)
    assert Run(world).walk().outcome == "unchanged"
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    assert world.primary.promoted == C
    rules.hold(world)


def test_safety_25_it_stays_rejected_when_the_takeover_is_killed_after_its_first_step() -> None:
    world = left_by_flagger(B, weight=30, replicas=2, failed=True)
    until(world, lambda now: bool(now.stored) and now.weight == 0)
    assert Run(world).walk().outcome == "rolled_back"
    assert (world.record.phase, raises(world)) == (states.FAILED, [])


def test_safety_25_a_template_that_changes_during_the_takeover_is_new() -> None:
    world = left_by_flagger(B, weight=30, replicas=2, failed=True)
    until(world, lambda now: bool(now.stored) and now.weight == 0)
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    assert world.primary.promoted == C


def test_safety_25_a_rejected_template_that_the_primary_runs_is_promoted() -> None:
    world = left_by_flagger(A, failed=True)
    Run(world).walk()
    assert (world.record.phase, world.record.last_promoted) == (states.INITIALIZED, A)


def test_safety_16_a_first_promotion_over_flaggers_primary_can_be_taken_back() -> None:
    world = left_by_flagger(B)
    world.primary.sick.add(B)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and "primary not ready" in run.why
    assert (world.primary.revision, world.primary.promoted, world.weight) == (A, A, 0)
    rules.hold(world)
