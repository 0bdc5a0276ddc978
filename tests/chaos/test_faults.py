# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault at every distinct call: the walk ends as ever, or in words, and run again it ends as ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sameness import differences
from stand import ASKED_ONCE, INITIALISE, NO_REVIEW, PROMOTION, REMOVE, WRITES, Scenario, Stand, Undisturbed, at_each
from strikes import FAULTS, WEATHER, Fault, in_words

AT_MOST, FEWER = 6, 2       # points of a promotion, and of another scenario, where not all are tried
IN_FLIGHT = 1               # hooks that may be asked once more, since what they said was lost
IN_EVERY_WALK = "/(configmaps|events)"      # the record and what is told: of a promotion all these calls are struck


def distinct(requests: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The calls that differ by more than a name: method, and the path as an expression."""
    return sorted({(entry["method"], _kind(entry["path"])) for entry in requests if re.search(NO_REVIEW, entry["path"])})


def _kind(path: str) -> str:
    """The path of a request as an expression for all of its kind: namespace, names and generated parts left open."""
    path, _mark, query = path.partition("?")
    kind = re.sub(r"^(.*/namespaces/)[^/]+/([^/]+)(/[^/]+)?(.*)$", lambda found: rf"{found[1]}[^/]+/{found[2]}{'/[^/?]+' if found[3] else ''}{found[4]}", path)
    return "^" + kind + (r"\?.*watch=1" if "watch=1" in query else r"(\?(?!.*watch=1)|$)")


@pytest.mark.parametrize("scenario", [PROMOTION, INITIALISE, REMOVE], ids=str)
def test_safety_00_every_fault_at_every_call_ends_as_ever_or_in_words(
        stand: Callable[[str], Stand], scenario: Scenario, part: int, chosen: Callable[..., list[int]], tried: Callable[[str], None]) -> None:
    one = stand(f"fault-{scenario}-{part}")
    one.ready(scenario)
    since = len(one.proxy.log())
    usual = one.undisturbed(scenario)
    calls = distinct(one.proxy.log(since))
    if scenario != PROMOTION:
        calls = [(method, kind) for method, kind in calls if re.fullmatch(WRITES, method) and not re.search(IN_EVERY_WALK, kind)]
    points = [(method, kind, fault) for method, kind in calls for fault in FAULTS]
    tries: list[tuple[str, Callable[[], list[str] | None]]] = []
    for point in chosen(len(points), part, AT_MOST if scenario == PROMOTION else FEWER):
        method, kind, fault = points[point - 1]
        tries.append((f"{fault} at {method} {kind}", partial(_struck, one, scenario, usual, fault, method, kind)))
    wrong = at_each(tries, lambda: tried(f"faults of {scenario}"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("weather", WEATHER, ids=str)
def test_safety_00_in_any_weather_a_walk_ends_as_ever(stand: Callable[[str], Stand], weather: Fault, tried: Callable[[str], None]) -> None:
    one = stand("weather")
    usual = one.undisturbed(PROMOTION)
    wrong = _struck(one, PROMOTION, usual, weather, ".*", "")
    tried("weathers")
    assert wrong == []


def _struck(one: Stand, scenario: Scenario, usual: Undisturbed, fault: Fault, method: str, kind: str) -> list[str] | None:
    """What is wrong after a walk with this fault; nothing when all is well, None when no request was struck."""
    release = one.ready(scenario)
    one.begin(scenario)
    asked, watch = len(one.hooks.asked), release.watch_route()
    one.proxy.rule(fault.action, method=method, path=kind, name="fault", **fault.settings)
    walk = one.start(scenario.playbook)
    wrong = []
    try:
        walk.wait(120)
    except AssertionError:
        wrong.append(f"the walk hangs: {walk.output[-1500:]}")
    struck = one.proxy.wait("fault", 0.1)
    one.proxy.clear()
    wrong += in_words(walk)
    one.go_on(scenario, by_ticks=False)
    weights, hooks = watch.stop(), one.asked_since(asked)
    if not {*weights} <= {*usual.weights} or max(weights) != max(usual.weights):
        wrong.append(f"the weights were {weights} instead of {usual.weights}")
    wrong += [f"{hook} was asked {hooks[hook]} times instead of {usual.hooks[hook]}"
              for hook in ASKED_ONCE if not usual.hooks[hook] <= hooks[hook] <= usual.hooks[hook] + IN_FLIGHT]
    wrong += differences(usual.end, one.end())
    return wrong if struck or wrong else None
