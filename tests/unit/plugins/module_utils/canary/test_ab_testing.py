# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A/B releases over a simulated cluster: who matches meets the canary in every iteration, all others after the promotion."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, REFUSED
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_machine_release import phases, said, trace
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_plan import planned, squeezed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import Run, World, canary, hook, released, until

INSIDERS = {"headers": {"x-canary": {"exact": "insider"}}}


def a_b(iterations: int = 3, **more: Any) -> Canary:
    return canary(analysis={"iterations": iterations, "step_weight": 0, "max_weight": 100, "match": (INSIDERS,)}, **more)


def in_iteration(number: int, document: Canary | None = None) -> World:
    """Revision B in an iteration, nobody walks."""
    world = released(document or a_b())
    until(world, lambda now: now.record.iterations == number and now.record.canary_weight == 100 and now.record.intent is None)
    return world


def test_a_good_release_meets_those_who_match_in_every_iteration_and_is_promoted() -> None:
    world = released(a_b())
    assert Run(world).walk().outcome == "promoted"
    assert trace(world) == ["scale 2", 100, "promote", 0, "scale 0"]
    assert phases(world) == [states.PROGRESSING, states.PROMOTING, states.FINALISING, states.SUCCEEDED]
    assert [number for _at, _run, number in world.iterated] == [1, 2, 3]
    at = [when for when, _run, _number in world.iterated]
    assert all(later - earlier >= 10 for earlier, later in zip(at, at[1:], strict=False)), "each iteration has an interval of its own"
    rules.hold(world)
    rules.at_rest(world)


def test_the_count_of_iterations_ends_with_the_promotion_as_in_flagger() -> None:
    world = in_iteration(3)
    until(world, lambda now: now.record.phase == states.FINALISING)
    assert world.record.iterations == 0


def test_a_plan_tells_the_iterations() -> None:
    assert squeezed(step.weight for step in planned(released(a_b()))) == [0, 100, 0]
    whats = [step.what for step in planned(released(a_b()))]
    assert [what for what in whats if "iteration" in what] == [
        "ready: iteration 1 of 3, all requests that match to the canary", "all checks passed: iteration 2 of 3", "all checks passed: iteration 3 of 3",
        "all checks passed in 3 iterations: promote podinfo-bbbbbbbbbb"]


def test_a_release_tells_what_flagger_tells() -> None:
    world = released(a_b(2))
    Run(world).walk()
    assert [line for line in said(world) if line.startswith("Advance")] == [
        "Advance podinfo.test canary iteration 1/2", "Advance podinfo.test canary iteration 2/2"]


def test_a_bad_release_is_taken_from_those_who_match_at_the_threshold() -> None:
    world = in_iteration(2)
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert trace(world)[-2:] == [0, "scale 0"] and "promote" not in trace(world)
    rules.hold(world)


@pytest.mark.parametrize(("gate", "reached", "weights"), [(CONFIRM_TRAFFIC_INCREASE, 0, {0}), (CONFIRM_PROMOTION, 3, {0, 100})])
def test_a_closed_gate_keeps_those_who_match_away_or_the_promotion(gate: str, reached: int, weights: set[int]) -> None:
    world = released(a_b(hooks=(hook(0, gate),)))
    world.gates[0] = REFUSED
    for _minute in range(12):
        Run(world, mode="tick").walk()
        world.pass_time(60.0)
    assert (world.record.iterations, {weight for _at, weight in world.weights} | {0}) == (reached, weights)
    assert "promote" not in trace(world)
    world.gates.clear()
    assert Run(world).walk().outcome == "promoted"
    rules.hold(world)


def test_safety_08_who_matches_is_frozen_during_a_walk() -> None:
    world = in_iteration(2)
    everybody = dataclasses.replace(world.canary, analysis=dataclasses.replace(world.canary.analysis, match=({"headers": {"host": {"regex": ".*"}}},)))
    for other in (everybody, dataclasses.replace(everybody, analysis=dataclasses.replace(everybody.analysis, match=()))):
        assert other.identity != world.record.identity


def test_what_a_persons_hand_left_of_an_iteration_does_not_count() -> None:
    world = in_iteration(2, a_b(2))
    world.set_weight(30)
    for _look in range(3):
        Run(world, mode="tick").walk()
        world.pass_time(20.0)
    assert world.record.phase == states.PROGRESSING and "promote" not in trace(world)
    world.resume()
    assert Run(world).walk().outcome == "promoted"
    assert [number for _at, _run, number in world.iterated][-2:] == [1, 2], "they begin anew with all who match"
    rules.hold(world)
