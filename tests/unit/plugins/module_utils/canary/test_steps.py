# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import at_top, next_promotion, next_weight, sequence
from hypothesis import given
from hypothesis import strategies as st


def linear(step: int, maximum: int = 100, promotion: int = 0) -> Analysis:
    return Analysis(interval=60, threshold=1, step_weight=step, max_weight=maximum, step_weight_promotion=promotion)


def listed(*steps: int) -> Analysis:
    return Analysis(interval=60, threshold=1, step_weights=steps)


percent = st.integers(1, 100)
linear_plans = st.builds(linear, percent, percent)
listed_plans = st.sets(percent, min_size=1).map(lambda steps: listed(*sorted(steps)))
plans = linear_plans | listed_plans


@pytest.mark.parametrize(("plan", "weights"), [
    (linear(10, 50), (10, 20, 30, 40, 50)),
    (linear(20, 50), (20, 40, 60)),
    (linear(30, 50), (30, 60)),
    (linear(40, 100), (40, 80, 100)),
    (linear(40), (40, 80, 100)),
    (linear(100), (100,)),
    (linear(60, 50), (60,)),
    (linear(5, 5), (5,)),
    (listed(1, 2, 10, 80), (1, 2, 10, 80)),
    (listed(1, 2, 10, 200), (1, 2, 10, 100)),
    (listed(100), (100,)),
])
def test_the_sequence_of_weights_is_that_of_flagger(plan: Analysis, weights: tuple[int, ...]) -> None:
    assert sequence(plan) == weights


def test_max_weight_does_not_count_beside_step_weights() -> None:
    plan = Analysis(interval=60, threshold=1, step_weights=(10, 90), max_weight=50)
    assert sequence(plan) == (10, 90)


@pytest.mark.parametrize(("weight", "expected"), [(0, 10), (5, 10), (10, 20), (15, 20), (49, 50)])
def test_a_weight_that_is_not_listed_goes_to_the_next_listed_one_and_never_to_100(weight: int, expected: int) -> None:
    assert next_weight(listed(10, 20, 50), weight) == expected


def test_a_weight_beside_the_linear_grid_is_raised_to_the_next_one_of_the_grid() -> None:
    assert next_weight(linear(10, 50), 15) == 20


@pytest.mark.parametrize(("plan", "weight"), [(linear(10, 50), 50), (linear(20, 50), 60), (listed(10, 20), 20), (linear(10, 50), 100)])
def test_at_the_top_there_is_no_further_step(plan: Analysis, weight: int) -> None:
    assert at_top(plan, weight)
    assert next_weight(plan, weight) == weight


@pytest.mark.parametrize(("step", "weights"), [(50, (50, 0)), (30, (70, 40, 10, 0)), (0, (0,)), (100, (0,))])
def test_traffic_returns_to_the_primary_in_promotion_steps(step: int, weights: tuple[int, ...]) -> None:
    plan = linear(100, promotion=step)
    seen, weight = [], 100
    while weight:
        weight = next_promotion(plan, weight)
        seen.append(weight)
    assert tuple(seen) == weights


@given(plans)
def test_every_sequence_rises_without_a_repetition_within_1_and_100(plan: Analysis) -> None:
    weights = sequence(plan)
    assert weights
    assert list(weights) == sorted(set(weights))
    assert weights[0] >= 1
    assert weights[-1] <= 100


@given(plans)
def test_every_sequence_ends_at_the_top_and_is_not_there_before(plan: Analysis) -> None:
    weights = sequence(plan)
    assert at_top(plan, weights[-1])
    assert not any(at_top(plan, weight) for weight in (0, *weights[:-1]))


@given(linear_plans)
def test_a_linear_sequence_passes_its_maximum_by_less_than_one_step(plan: Analysis) -> None:
    assert plan.max_weight <= sequence(plan)[-1] < plan.max_weight + plan.step_weight


@given(plans, st.integers(0, 100))
def test_from_any_live_weight_a_raise_stays_within_one_step_of_the_plan(plan: Analysis, weight: int) -> None:
    raised = next_weight(plan, weight)
    assert weight <= raised <= 100
    assert (raised == weight) == at_top(plan, weight)
    assert raised == weight or raised in plan.step_weights or raised - weight <= plan.step_weight


@given(st.integers(0, 100), st.integers(0, 100))
def test_traffic_returning_to_the_primary_always_arrives(step: int, weight: int) -> None:
    lowered = next_promotion(linear(10, promotion=step), weight)
    assert 0 <= lowered < max(weight, 1)
