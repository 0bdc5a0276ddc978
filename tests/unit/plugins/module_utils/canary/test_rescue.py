# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Route, Split, TrafficOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rescue import rescue
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import canary

DAMAGED = "the record is damaged (JSONDecodeError)"


@pytest.mark.parametrize("problem", [DAMAGED, ""])
@pytest.mark.parametrize("weight", [1, 30, 100])
def test_safety_06_an_abort_without_a_readable_record_takes_all_traffic_back(problem: str, weight: int) -> None:
    assert rescue(canary(), problem, Route(Split(100 - weight, weight), True), True).traffic == TrafficOrder(split=Split(100, 0))


def test_safety_16_it_takes_nothing_back_to_a_primary_that_does_not_answer() -> None:
    ends = rescue(canary(), DAMAGED, Route(Split(70, 30), True), False)
    assert ends.traffic is None
    assert "traffic stays where it is, 30% at the canary, since Service podinfo-primary has no ready endpoint" in ends.why


@pytest.mark.parametrize(("route", "says"), [
    (Route(Split(100, 0), True), "all traffic is routed to the primary (100/0)."),
    (Route(Split(100, 0), False, "no controller"), "has not accepted that yet: no controller."),
    (Route(None, True), "no route splits between podinfo-primary and podinfo-canary, so there was no weight to take back."),
    (None, "no route splits between podinfo-primary and podinfo-canary, so there was no weight to take back."),
])
@pytest.mark.parametrize("answers", [True, False])
def test_safety_06_it_ends_by_saying_what_was_done_and_what_was_not(route: Route | None, says: str, answers: bool) -> None:
    ends = rescue(canary(), DAMAGED, route, answers)
    assert ends.traffic is None
    assert ends.why.startswith(f"{DAMAGED}; ") and says in ends.why
    assert "The pods of podinfo and the ConfigMap were left as they are." in ends.why


@pytest.mark.parametrize(("problem", "way_out"), [
    (DAMAGED, "To go on, mend the ConfigMap test/podinfo-canary, or delete it and run progressive.delivery.canary: it makes the record anew"),
    ("", "To go on, run progressive.delivery.canary: it makes the record anew"),
])
def test_safety_06_it_says_the_way_out(problem: str, way_out: str) -> None:
    assert way_out in rescue(canary(), problem, Route(Split(100, 0), True), True).why
