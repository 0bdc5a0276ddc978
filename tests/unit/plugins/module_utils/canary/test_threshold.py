# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threshold verdict and its words."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, UNKNOWN, Outcome, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Check
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict import JUDGES
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import judge


def check(minimum: float | None = None, maximum: float | None = None, name: str = "error-rate") -> Check:
    return Check(index=3, name=name, builtin=False, interval=60.0, minimum=minimum, maximum=maximum)


def outcome_of(value: float | None, minimum: float | None = None, maximum: float | None = None, **more: Any) -> Outcome:
    return judge(check(minimum, maximum), value, **more)


@pytest.mark.parametrize(("value", "minimum", "maximum", "outcome"), [
    (99.0, 99.0, None, PASS),
    (98.999, 99.0, None, FAIL),
    (500.0, None, 500.0, PASS),
    (500.001, None, 500.0, FAIL),
    (5.0, 1.0, 10.0, PASS),
    (0.5, 1.0, 10.0, FAIL),
    (10.5, 1.0, 10.0, FAIL),
    (0.0, None, 0.0, PASS),
    (0.1, None, 0.0, FAIL),
    (-1.0, 0.0, None, FAIL),
    (12345.0, None, None, PASS),
])
def test_limits_belong_to_the_range(value: float, minimum: float | None, maximum: float | None, outcome: str) -> None:
    assert outcome_of(value, minimum, maximum).outcome == outcome


@pytest.mark.parametrize(("name", "value", "minimum", "maximum", "unit", "why"), [
    ("request-success-rate", 80.0, 99.0, None, "%", "request-success-rate 80.00% < 99%"),
    ("request-success-rate", 98.999, 99.0, None, "%", "request-success-rate 98.999% < 99%"),
    ("request-success-rate", 99.4, 99.5, None, "%", "request-success-rate 99.40% < 99.5%"),
    ("request-duration", 612.0, None, 500.0, "ms", "request-duration 612ms > 500ms"),
    ("request-duration", 500.25, None, 500.0, "ms", "request-duration 500.2ms > 500ms"),
    ("error-rate", 12.0, None, 10.0, "", "error-rate 12 > 10"),
    ("error-rate", 12.3456, None, 10.0, "", "error-rate 12.35 > 10"),
    ("error-rate", 0.000123, None, 0.0001, "", "error-rate 0.00012 > 0.0001"),
    ("error-rate", 1e-20, None, 0.0, "", "error-rate 1e-20 > 0"),
    ("error-rate", 1e20, None, 0.5, "", "error-rate 1e+20 > 0.5"),
    ("error-rate", 2.0, 3.0, None, "", "error-rate 2 < 3"),
])
def test_a_failure_names_check_value_and_limit(
        name: str, value: float, minimum: float | None, maximum: float | None, unit: str, why: str) -> None:
    assert judge(check(minimum, maximum, name), value, unit=unit).why == why


def test_a_pass_needs_no_reason() -> None:
    assert outcome_of(5.0, maximum=10.0) == Outcome(index=3, name="error-rate", outcome=PASS, value=5.0, maximum=10.0)


def test_weak_spot_41_durations_and_their_limits_keep_their_fractions() -> None:
    assert outcome_of(0.4, maximum=0.5, unit="ms").outcome == PASS
    assert outcome_of(0.6, maximum=0.5, unit="ms").why == "error-rate 0.6ms > 0.5ms"


def test_weak_spot_42_several_series_are_an_error_not_the_last_one() -> None:
    outcome = outcome_of(None, maximum=10.0, series=3)
    assert (outcome.outcome, outcome.value) == (UNKNOWN, None)
    assert outcome.why.startswith("query_error: error-rate: query returned 3 series; aggregate it")


@pytest.mark.parametrize(("value", "series"), [(None, 0), (None, 1), (math.nan, 1)])
def test_weak_spot_39_no_value_is_an_outcome_of_its_own(value: float | None, series: int) -> None:
    outcome = outcome_of(value, minimum=99.0, series=series)
    assert (outcome.outcome, outcome.value) == (UNKNOWN, None)
    assert outcome.why.startswith("no_data: error-rate: ")


def test_an_unanswered_query_says_why() -> None:
    outcome = outcome_of(None, minimum=99.0, error="http://p:9090 answered 500: boom", series=0)
    assert (outcome.outcome, outcome.why) == (UNKNOWN, "query_error: error-rate: http://p:9090 answered 500: boom")


@pytest.mark.parametrize(("value", "minimum", "maximum", "outcome", "words"), [
    (math.inf, None, 10.0, FAIL, "error-rate +Inf > 10"),
    (math.inf, 1.0, None, PASS, "error-rate is +Inf"),
    (-math.inf, 1.0, None, FAIL, "error-rate -Inf < 1"),
])
def test_ansible_04_infinity_is_compared_but_kept_as_null_with_a_reason(
        value: float, minimum: float | None, maximum: float | None, outcome: str, words: str) -> None:
    judged = outcome_of(value, minimum, maximum)
    assert (judged.outcome, judged.value) == (outcome, None)
    assert words in judged.why


LIMITS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.one_of(st.none(), st.floats()), LIMITS, LIMITS)
def test_ansible_04_every_outcome_is_json(value: float | None, minimum: float | None, maximum: float | None) -> None:
    json.dumps(dump(outcome_of(value, minimum, maximum)), allow_nan=False)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "%", "ms"]))
def test_the_words_of_a_failure_are_never_a_contradiction(value: float, maximum: float, unit: str) -> None:
    outcome = outcome_of(value, maximum=maximum, unit=unit)
    if outcome.outcome == FAIL:
        left, right = outcome.why.removeprefix("error-rate ").replace(unit or "\0", "").split(" > ")
        assert float(left) > float(right) or abs(value) >= 1e12 or abs(maximum) >= 1e11


def test_the_table_of_verdicts_knows_threshold() -> None:
    assert JUDGES == {"threshold": judge}
