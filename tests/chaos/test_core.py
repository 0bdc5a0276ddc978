# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure core alone, over imagined clusters, in sequences that a seed gives: the same rules, a hundred thousand times."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import test_machine_properties as properties
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import World, fresh, released

SEEDS, BOUNDED = 100_000, 400
AT_A_TIME = 1_000           # seeds of one test
MOST_EVENTS = 10
MODES = ("walk", "walk", "walk", "tick")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seeds = SEEDS if metafunc.config.getoption("--full") else BOUNDED
    metafunc.parametrize("seeds", [range(first, min(first + AT_A_TIME, seeds)) for first in range(0, seeds, AT_A_TIME)],
                         ids=lambda seeds: f"from {seeds.start} to {seeds.stop - 1}")


def test_safety_00_the_rules_hold_for_whatever_a_seed_gives(seeds: range, tried: Callable[..., None]) -> None:
    wrong = [problem for seed in seeds if (problem := _problem(seed))]
    tried("sequences of the pure core", len(seeds))
    assert not wrong, f"{len(wrong)} of {len(seeds)}:\n" + "\n".join(wrong[:5])


def _problem(seed: int) -> str:
    """What is wrong after the sequence of this seed, and what happened in it; nothing when all is well."""
    dice = random.Random(seed)
    document, begin, mode = dice.choice([*properties.DOCUMENTS]), dice.choice((fresh, released)), dice.choice(MODES)
    happenings = [(dice.choice(properties.PAUSES), dice.choice(properties.EVENTS)) for _event in range(dice.randint(0, MOST_EVENTS))]
    try:
        _walk(begin(properties.DOCUMENTS[document]), happenings, [dice.choice(properties.ABSENCES) for _absence in range(6)], mode)
    except Exception as error:  # pylint: disable=broad-except  # whatever the core raises is a finding
        happened = ", ".join(f"{pause:g} s, {event.__name__}" for pause, event in happenings)
        return f"seed {seed} ({document}, {begin.__name__}, by {mode}: {happened}): {type(error).__name__}: {error}"
    return ""


def _walk(world: World, happenings: list[tuple[float, properties.Event]], absences: list[float], mode: str) -> None:
    properties.play(world, happenings, absences, mode)
    rules.hold(world)
    properties.end(world)
    rules.hold(world)
    rules.at_rest(world)
