# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault at what Prometheus answers, and at each type of webhook: the walk ends as ever, or in words, and then a release goes out as ever."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from labkit.faultcontrol import FaultProxy
from sameness import differences
from stand import ASKED_ONCE, HOOKS, PATIENCE, PROMOTION, Stand, Undisturbed
from strikes import FAULTS, WEATHER, Fault, in_words

AT_MOST = 4
FOR_A_WHILE = 4             # times in a row; a document of the stand rolls back after two failed checks
EVENT = "event"


@dataclass(frozen=True)
class Call:
    """Whom a walk asks outside of the cluster, and by what the requests are known."""

    name: str
    settings: dict[str, str]
    of_metrics: bool = False

    def __str__(self) -> str:
        return self.name


CALLS = (
    Call("the question whether Prometheus is there", {"path": r"query=vector"}, of_metrics=True),
    Call("a query", {"path": r"query=(?!vector)"}, of_metrics=True),
    *(Call(f"a {kind} hook", {"body": f'"type": "{kind}"'}) for kind in (*HOOKS, "rollback", EVENT)),
)
OUTSIDE = tuple(Fault(f"{fault.name[:3]} for a while", fault.action, {**fault.settings, "times": FOR_A_WHILE}) if fault.settings.get("times") == 0 else fault
                for fault in FAULTS) + WEATHER


class Asked:
    """What the receiver was asked since, as far as the asker got the whole answer, and that it allowed."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy, self.since = proxy, len(proxy.log())

    def passed(self) -> Counter[str]:
        return Counter(text for entry in self.proxy.log(self.since) if entry["status"] == 200 and entry.get("action") in (None, "delay", "close")
                       for text in self._texts(entry["body"]))

    def _texts(self, body: str) -> list[str]:
        return [kind for kind in ASKED_ONCE if f'"type": "{kind}"' in body]


@pytest.fixture
def outside(stand: Callable[[str], Stand], part: int, tmp_path: Path) -> tuple[Stand, FaultProxy, FaultProxy]:
    one = stand(f"outside-{part}")
    one.hook_types = (*HOOKS, "rollback", EVENT)
    return one, *one.put_between(tmp_path)


def test_safety_00_every_fault_outside_the_cluster_ends_as_ever_or_in_words(
        outside: tuple[Stand, FaultProxy, FaultProxy], part: int, chosen: Callable[..., list[int]], tried: Callable[..., None]) -> None:
    one, metrics, hooks = outside
    one.ready(PROMOTION)
    asked = Asked(hooks)
    usual = one.undisturbed(PROMOTION)
    passed = asked.passed()
    assert {*passed} == {*ASKED_ONCE} and {*passed.values()} == {1}
    wrong: list[str] = []
    points = [*itertools.product(CALLS, OUTSIDE)]
    for point in chosen(len(points), part, AT_MOST):
        call, fault = points[point - 1]
        wrong += [f"{fault} at {call}: {problem}" for problem in _struck(one, usual, call, fault, metrics, hooks)]
        tried("faults outside the cluster")
    assert not wrong, "\n".join(wrong)


def _struck(one: Stand, usual: Undisturbed, call: Call, fault: Fault, metrics: FaultProxy, hooks: FaultProxy) -> list[str]:
    """What is wrong after a walk with this fault; nothing when all is well."""
    release, proxy = one.ready(PROMOTION), metrics if call.of_metrics else hooks
    one.begin(PROMOTION)
    watch, asked = release.watch_route(), Asked(hooks)
    proxy.rule(fault.action, name="fault", **{**fault.settings, **call.settings})
    walk = one.start(direct=True)
    wrong = []
    try:
        walk.wait(PATIENCE)
    except AssertionError:
        wrong.append(f"the walk hangs: {walk.output[-1500:]}")
    if not proxy.wait("fault", 0.1):
        wrong.append(f"nothing was struck: {walk.output[-3000:]}")
    proxy.clear()
    wrong += in_words(walk)
    wrong += [f"{kind} was asked {times} times though it had allowed" for kind, times in asked.passed().items() if times > 1]
    if walk.rc != 0:
        wrong += _run_again(one, walk.output)
    weights = watch.stop()
    if not {*weights} <= {*usual.weights} or max(weights) != max(usual.weights):
        wrong.append(f"the weights were {weights} instead of {usual.weights}")
    # A check that failed by it was counted.
    return wrong + [difference for difference in differences(usual.end, one.end()) if ".failedChecks:" not in difference]


def _run_again(one: Stand, output: str) -> list[str]:
    """A release that was rolled back, since hooks that were out for a while refused it, stays so until there is another one."""
    if one.release.phase() == "Failed":
        one.begin(PROMOTION)
    walk = one.start(direct=True).wait(PATIENCE)
    return [] if (walk.rc, walk.result["outcome"]) == (0, "promoted") else [f"run again it ended with {walk.result}, after {output[-3000:]}"]
