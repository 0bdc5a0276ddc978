# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault at every distinct call: the walk ends as ever, or in words, and run again it ends as ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sameness import differences
from stand import NO_REVIEW, PROMOTION, Stand, Undisturbed
from strikes import FAULTS, WEATHER, Fault, in_words

AT_MOST = 6


def distinct(requests: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The calls that differ by more than a name: method, and the path as an expression."""
    return sorted({(entry["method"], _kind(entry["path"])) for entry in requests if re.search(NO_REVIEW, entry["path"])})


def _kind(path: str) -> str:
    """The path of a request as an expression for all of its kind: namespace, names and generated parts left open."""
    path, _mark, query = path.partition("?")
    kind = re.sub(r"^(.*/namespaces/)[^/]+/([^/]+)(/[^/]+)?(.*)$", lambda found: rf"{found[1]}[^/]+/{found[2]}{'/[^/?]+' if found[3] else ''}{found[4]}", path)
    return "^" + kind + (r"\?.*watch=1" if "watch=1" in query else r"(\?(?!.*watch=1)|$)")


def test_safety_00_every_fault_at_every_call_ends_as_ever_or_in_words(
        stand: Callable[[str], Stand], part: int, chosen: Callable[..., list[int]], tried: Callable[[str], None]) -> None:
    one = stand(f"fault-{part}")
    one.ready(PROMOTION)
    since = len(one.proxy.log())
    usual = one.undisturbed(PROMOTION)
    calls = distinct(one.proxy.log(since))
    points = [(method, kind, fault) for method, kind in calls for fault in FAULTS]
    wrong: list[str] = []
    struck = 0
    for point in chosen(len(points), part, AT_MOST):
        method, kind, fault = points[point - 1]
        problems = _struck(one, usual, fault, method, kind)
        if problems is None:
            continue                            # this walk had no need of that call, as where nobody was waited for
        struck += 1
        wrong += [f"{fault} at {method} {kind}: {problem}" for problem in problems]
        tried("faults")
    assert not wrong, "\n".join(wrong)
    assert struck


@pytest.mark.parametrize("weather", WEATHER, ids=str)
def test_safety_00_in_any_weather_a_walk_ends_as_ever(stand: Callable[[str], Stand], weather: Fault, tried: Callable[[str], None]) -> None:
    one = stand("weather")
    usual = one.undisturbed(PROMOTION)
    wrong = _struck(one, usual, weather, ".*", "")
    tried("faults")
    assert wrong == []


def _struck(one: Stand, usual: Undisturbed, fault: Fault, method: str, kind: str) -> list[str] | None:
    """What is wrong after a walk with this fault; nothing when all is well, None when no request was struck."""
    release = one.ready(PROMOTION)
    one.begin(PROMOTION)
    watch = release.watch_route()
    one.proxy.rule(fault.action, method=method, path=kind, name="fault", **fault.settings)
    walk = one.start()
    wrong = []
    try:
        walk.wait(120)
    except AssertionError:
        wrong.append(f"the walk hangs: {walk.output[-1500:]}")
    struck = one.proxy.wait("fault", 0.1)
    one.proxy.clear()
    wrong += in_words(walk)
    one.go_on(PROMOTION, by_ticks=False)
    weights = watch.stop()
    if not {*weights} <= {*usual.weights} or max(weights) != max(usual.weights):
        wrong.append(f"the weights were {weights} instead of {usual.weights}")
    wrong += differences(usual.end, one.end())
    return wrong if struck or wrong else None
