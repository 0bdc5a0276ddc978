# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line for people."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, FAIL, NO_ANSWER, PASS, REFUSED, UNKNOWN, Answer, Outcome, Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import PHASES, Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.words import (
    answer_text,
    check_text,
    clock,
    clock_off,
    gathering,
    line,
    number,
    report,
    share,
    weight_bar,
)
from hypothesis import given
from hypothesis import strategies as st

NOON = 1_700_049_600.0


@pytest.mark.parametrize(("weight", "text"), [
    (0, "[....................]   0%"), (1, "[....................]   1%"), (20, "[####................]  20%"), (50, "[##########..........]  50%"),
    (100, "[####################] 100%")])
def test_the_bar_of_a_weight(weight: int, text: str) -> None:
    assert weight_bar(weight) == text


@given(st.integers(0, 100))
def test_every_bar_has_the_same_length(weight: int) -> None:
    assert len(weight_bar(weight)) == len(weight_bar(0))


@pytest.mark.parametrize(("value", "text"), [
    (None, "-"), (0.0, "0"), (99.0, "99"), (99.5, "99.5"), (99.999, "100"), (0.126, "0.13"), (100.0, "100"), (1200.0, "1200")])
def test_numbers_as_people_write_them(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("off", "says"), [(90.0, "90 s ahead of"), (-90.4, "90 s behind"), (15.1, "15 s ahead of"), (15.0, ""), (-15.0, ""), (0.0, "")])
def test_safety_27_a_clock_that_is_off_is_told(off: float, says: str) -> None:
    text = clock_off(NOON + off, NOON)
    assert (f"the clock of this machine is {says} the API server's" in text) if says else not text


@pytest.mark.parametrize(("outcome", "text"), [
    (Outcome(0, "success", PASS, 99.8, 99.0, None, unit="%"), "success 99.8% (>= 99%) ok"),
    (Outcome(0, "duration", FAIL, 612.0, None, 500.0, unit="ms"), "duration 612ms (<= 500ms) FAIL"),
    (Outcome(0, "errors", FAIL, 3.0, 0.0, 1.0), "errors 3 (>= 0, <= 1) FAIL"),
    (Outcome(0, "success", UNKNOWN, None, 99.0, None, "no_data: nothing", "%"), "success no value (>= 99%) cannot tell: no_data: nothing"),
    (Outcome(-1, "mine", PASS), "mine no value ok"),
])
def test_a_check_in_words(outcome: Outcome, text: str) -> None:
    assert check_text(outcome) == text


@pytest.mark.parametrize(("answer", "text"), [
    (Answer(0, "gate", "confirm-promotion", REFUSED, 403), "confirm-promotion gate: refused (403)"),
    (Answer(0, "gate", "confirm-promotion", NO_ANSWER), "confirm-promotion gate: no answer"),
])
def test_an_answer_in_words(answer: Answer, text: str) -> None:
    assert answer_text(answer) == text


def test_a_report_says_what_was_judged_and_then_why() -> None:
    answers = [Answer(0, "back", "rollback", REFUSED, 403), Answer(1, "load", "rollout", ALLOWED, 200)]
    assert report("canary to 20%", answers, [Outcome(0, "success", PASS, 100.0, 99.0, None)]) == (
        "success 100 (>= 99) ok, rollback back: refused (403), rollout load: allowed (200) | canary to 20%")
    assert report("it settles") == "it settles"


def test_a_line_has_time_phase_weight_report_and_what_comes_next() -> None:
    record = Record("podinfo", "test", phase="Progressing", canary_weight=20)
    assert line(record, NOON, "all checks passed", NOON + 10) == "12:00:00 Progressing      [####................]  20% | all checks passed | next in 10 s"
    assert line(Record("podinfo", "test"), NOON, "x") == "12:00:00 new              [....................]   0% | x"
    assert clock(NOON) == "12:00:00"


@pytest.mark.parametrize(("number", "weight", "text"), [
    (3, 0, "[....................]   0% iteration 3/10 | x"),
    (11, 100, "[####################] 100% | x"),
    (0, 0, "[....................]   0% | x"),
])
def test_a_line_shows_the_iteration_while_there_is_one(number: int, weight: int, text: str) -> None:
    record = Record("podinfo", "test", phase="Progressing", canary_weight=weight, iterations=number, iterations_wanted=10)
    assert line(record, NOON, "x") == f"12:00:00 Progressing      {text}"


def test_a_line_shows_how_many_requests_are_copied_while_they_are() -> None:
    record = Record("podinfo", "test", phase="Progressing", mirror=40, iterations=1, iterations_wanted=3)
    assert line(record, NOON, "x") == "12:00:00 Progressing      [....................]   0% mirror 40% iteration 1/3 | x"
    assert gathering(record) == "gathering evidence at 0%, and copies of 40%"
    assert gathering(dataclasses.replace(record, canary_weight=20, mirror=0)) == "gathering evidence at 20%"


@pytest.mark.parametrize(("split", "text"), [
    (Split(80, 20), "20%"), (Split(100, 0, 60), "0%, and copies of 60%"), (Split(100, 0, cookie="a=b"), "0%, and whoever has its cookie"),
    (Split(80, 20, cookie="a=b"), "20%"),
])
def test_what_gets_to_the_canary_in_words(split: Split, text: str) -> None:
    assert share(split) == text


@given(st.sampled_from(PHASES), st.text(min_size=1), st.floats(-100, 1e6))
def test_a_line_is_one_line_whatever_it_says(phase: str, text: str, due: float) -> None:
    assert len(line(Record("podinfo", "test", phase=phase), NOON, text, NOON + due).splitlines()) == 1
