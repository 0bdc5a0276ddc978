# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of check mode: what would happen when all goes well."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import MOST_STEPS, plan
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_ROLLOUT, Options
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_machine_properties import (
    BOUNDED,
    DOCUMENTS,
    DOWNTIMES,
    HAPPENINGS,
    play,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    Run,
    World,
    at_weight,
    canary,
    fresh,
    hook,
    in_phase,
    raises,
    released,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def planned(world: World) -> Any:
    return plan(world.canary, world.record, world.look())


def weights(world: World) -> list[int]:
    return squeezed(step.weight for step in planned(world))


def test_the_plan_of_a_release_has_every_weight_and_ends_promoted() -> None:
    world = released()
    steps = planned(world)
    assert weights(world) == [0, 10, 20, 30, 40, 50, 0]
    assert (steps[-1].phase, steps[-1].what) == (states.SUCCEEDED, "analysis completed")
    assert any(step.what == "promoted" for step in steps)


@pytest.mark.parametrize("world", [released, fresh, lambda: at_weight(30), lambda: released(canary(analysis={"step_weight_promotion": 20}))])
def test_the_plan_is_what_happens_when_all_goes_well(world: Any) -> None:
    """Phases and weights in their order; an undisturbed run takes no other way."""
    imagined, real = world(), world()
    steps, before = planned(imagined), len(real.decisions)
    Run(real).walk()
    records = [decision.record for _at, _where, decision in real.decisions[before:]]
    assert squeezed(step.phase for step in steps) == squeezed(record.phase for record in records)
    assert squeezed(step.weight for step in steps) == squeezed([*(record.canary_weight for record in records), 0])


def squeezed(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not found or found[-1] != item:
            found.append(item)
    return found


def test_a_plan_tells_when() -> None:
    steps = planned(released())
    assert [step.after for step in steps] == sorted(step.after for step in steps)
    assert steps[-1].after >= 5 * 10 + 10


def test_a_plan_knows_the_time() -> None:
    world = released()
    coarse = dataclasses.replace(world.look(), latest=world.now + 0.7)
    assert plan(world.canary, world.record, coarse) == plan(world.canary, world.record, world.look())


def test_a_plan_of_the_first_run_is_the_initialisation_in_its_order() -> None:
    whats = [step.what for step in planned(fresh())]
    assert [what.split()[0] for what in whats[:5]] == ["create", "create", "route", "point", "initialised;"]


def test_a_plan_of_a_first_release_is_the_initialisation_and_then_the_walk() -> None:
    world = fresh()
    steps = plan(world.canary, world.record, world.look(), then=B)
    first = steps.index(next(step for step in steps if step.phase == states.PROGRESSING))
    assert [step.what for step in steps[:first]][-1] == planned(fresh())[-1].what
    assert squeezed(step.weight for step in steps[first:]) == [0, 10, 20, 30, 40, 50, 0]
    assert (steps[-1].phase, steps[-1].what) == (states.SUCCEEDED, "analysis completed")


@pytest.mark.parametrize("gate", [CONFIRM_ROLLOUT, CONFIRM_PROMOTION])
def test_a_plan_ends_where_only_a_person_can_go_on(gate: str) -> None:
    steps = planned(released(canary(options=Options(manual_gates=(gate,)))))
    assert steps[-1].waits == "person" and gate in steps[-1].what


def test_a_plan_takes_webhook_gates_for_open_and_rollback_hooks_for_silent() -> None:
    assert planned(released(canary(hooks=(hook(0, "rollback"), hook(1, CONFIRM_PROMOTION)))))[-1].phase == states.SUCCEEDED


def test_a_plan_of_a_finished_canary_says_that_nothing_changed() -> None:
    assert [step.what for step in planned(released(wanted=A))] == ["Succeeded: nothing changed"]


def test_a_plan_changes_nothing_of_what_it_was_given() -> None:
    world = in_phase(states.PROMOTING)
    before = (world.stored, dataclasses.replace(world.look()))
    planned(world)
    assert (world.stored, world.look()) == before
    assert raises(world) == [10, 20, 30, 40, 50]


@given(happenings=HAPPENINGS, downtimes=DOWNTIMES, document=st.sampled_from(sorted(DOCUMENTS)))
@settings(BOUNDED)
def test_there_is_a_plan_from_anywhere(happenings: list[Any], downtimes: list[float], document: str) -> None:
    world = released(DOCUMENTS[document])
    play(world, happenings, downtimes)
    steps = planned(world)
    assert 0 < len(steps) < MOST_STEPS
    assert all(step.what.strip() for step in steps)
