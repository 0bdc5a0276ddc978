# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of requests, and users who stay by a cookie, where the target is a Service: ``-canary`` moves only while nobody is led by it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, Orders, Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import routes
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.test_service_target import WEIGHTED, Cluster, at


def with_analysis(**more: Any) -> Canary:
    return dataclasses.replace(WEIGHTED, analysis=dataclasses.replace(WEIGHTED.analysis, **more))


COPIED = with_analysis(mirror=100)
STAYING = with_analysis(affinity=Affinity("stays", primary_cookie_name="rests"))
DOCUMENTS = {
    "copies, then weights": COPIED, "copies, then all": with_analysis(mirror=100, iterations=2, step_weight=0, max_weight=0), "cookies": STAYING,
}


class Watched(Cluster):
    """Who is led where, and by what, at each moment; a moment is one step of the walk."""

    def __init__(self, server: Any, canary: Canary) -> None:
        super().__init__(server, canary)
        self.moments: list[tuple[float, Split, str]] = []

    @property
    def split(self) -> Split:
        return gatewayapi.read(self.kept.get(routes.ref(self.canary)) or {}, self.canary) or Split(100, 0)

    def step(self, **changes: Any) -> str:
        outcome = super().step(**changes)
        self.moments.append((self.now, self.split, self.leads("podinfo-canary")))
        return outcome

    def release(self, version: str) -> None:
        """Up to where the canary gets requests, or copies of them."""
        self.point(version)
        self.until(lambda: self.record.reaches_canary and self.record.intent is None)
        self.moments.clear()
        self.moments.append((self.now, self.split, self.leads("podinfo-canary")))

    def moved_while_it_was_reached(self) -> list[str]:
        """Where -canary was led within the time to drain after requests or copies last went to it."""
        found, reached = [], float("-inf")
        for (at_time, split, before), (later, _split, after) in zip(self.moments, self.moments[1:], strict=False):
            reached = at_time if split.reaches_canary else reached
            if before != after and later - reached < self.canary.options.drain:
                found.append(f"{after} {later - reached} s after requests went to {before}")
        return found


@pytest.fixture(params=DOCUMENTS.values(), ids=DOCUMENTS)
def cluster(server: Any, request: Any) -> Watched:
    """Initialised: v1 is promoted."""
    made = Watched(server, request.param)
    assert made.walk() == "promoted", made.why
    return made


@pytest.fixture
def copied(server: Any) -> Watched:
    """v2 gets copies."""
    made = Watched(server, COPIED)
    assert made.walk() == "promoted", made.why
    made.release("v2")
    assert made.split == Split(100, 0, mirror=100)
    return made


def test_safety_11_a_good_release_moves_the_canarys_service_before_anything_goes_there_and_after_it_drained(cluster: Watched) -> None:
    cluster.point("v2")
    assert cluster.walk() == "promoted", cluster.why
    assert cluster.seen[-1] == ("v2", "v2", "v2") and not cluster.split.reaches_canary
    assert any(split.mirror or split.cookie for _at, split, _leads in cluster.moments)
    assert cluster.moved_while_it_was_reached() == []


@pytest.mark.parametrize(("end", "outcome", "led_to"), [
    ("fails", "rolled_back", "v1"), ("set back", "superseded", "v1"), ("another revision", "promoted", "v3"), ("abort", "aborted", "v1"),
    ("remove", "removed", ""),
])
def test_safety_11_copies_and_cookies_end_and_drain_before_the_canarys_service_leads_elsewhere(
        cluster: Watched, end: str, outcome: str, led_to: str) -> None:
    cluster.release("v2")
    cluster.verdict = FAIL if end == "fails" else cluster.verdict
    if end in ("set back", "another revision"):
        cluster.point("v1" if end == "set back" else "v3")
    assert cluster.walk(**({"orders": Orders(**{end: "yes"})} if end in ("abort", "remove") else {})) == outcome, cluster.why
    assert cluster.leads("podinfo-canary") == cluster.leads("podinfo-primary") == led_to
    assert cluster.moved_while_it_was_reached() == [] and not cluster.split.reaches_canary


def test_a_plan_says_what_is_copied(copied: Watched) -> None:
    planned = plan(copied.canary, Record("podinfo", "test", identity=copied.canary.identity), copied.look(), then="v3" * 20)
    assert any("copies of 100% of the requests" in step.what for step in planned) and planned[-1].phase == states.SUCCEEDED


def test_safety_09_12_a_canarys_service_that_somebody_pointed_elsewhere_comes_back_without_copies_and_is_judged_anew(copied: Watched) -> None:
    copied.kept.change(at("podinfo-canary"), lambda live: live["spec"].update(selector={"version": "v3"}))
    copied.until(lambda: copied.leads("podinfo-canary") == "v2")
    assert not copied.split.mirror, "what -canary leads to by then has not been seen ready"
    back = copied.now
    copied.until(lambda: copied.record.canary_weight > 0)
    again = next(at_time for at_time, split, _leads in copied.moments if split.mirror and at_time > back)
    assert copied.record.confirmed_at - again >= copied.canary.analysis.interval
    assert copied.walk() == "promoted", copied.why


def test_safety_16_nobody_of_the_primary_gets_copies_when_the_canarys_service_is_gone(copied: Watched) -> None:
    copied.kept.drop(at("podinfo-canary"))
    for _step in range(30):
        copied.step()
        assert not (copied.split.mirror and copied.leads("podinfo-canary") == "v1"), copied.why
        if copied.record.canary_weight:
            break
    assert copied.walk() == "promoted", copied.why


def test_safety_05_a_lost_record_ends_the_copies_before_the_canarys_service_moves(copied: Watched) -> None:
    copied.record = Record("podinfo", "test", identity=copied.canary.identity)
    copied.walk()
    assert copied.moved_while_it_was_reached() == []
