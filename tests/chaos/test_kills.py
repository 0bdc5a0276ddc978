# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed at every write, before it reached the API server and after it did, and run again: the end is that of an undisturbed walk.

Killed outright, as the end of a node or of a container does it: a worker that outlives its playbook repeats the write that it lost. That is tried too,
since a job runner kills the group of the playbook, which Ansible's workers have left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sameness import differences
from stand import INITIALISE, NO_REVIEW, PROMOTION, RATE, SCENARIOS, WRITES, Scenario, Stand, Undisturbed, at_each

AT_MOST, FEWER = 7, 1       # points of a scenario, where not all are tried: killed outright, and its group alone
SIDES = ("before", "after")
OUTRIGHT, ITS_GROUP = "root", "group"       # whom the proxy kills
KILLS = [*((scenario, OUTRIGHT) for scenario in SCENARIOS), (PROMOTION, ITS_GROUP)]


@pytest.mark.parametrize(("scenario", "whom"), KILLS, ids=[f"{scenario}-{whom}" for scenario, whom in KILLS])
def test_safety_00_killed_at_any_write_and_run_again_the_end_is_the_same(
        stand: Callable[[str], Stand], scenario: Scenario, whom: str, part: int, chosen: Callable[..., list[int]], tried: Callable[[str], None]) -> None:
    one = stand(f"kill-{scenario}-{part}")
    usual = one.undisturbed(scenario)
    assert usual.writes and differences(usual.end, one.end()) == []
    tries: list[tuple[str, Callable[[], list[str] | None]]] = []
    # Point 2n-1 is before write n, point 2n after it.
    for count, point in enumerate(chosen(2 * len(usual.writes), part, AT_MOST if whom == OUTRIGHT else FEWER)):
        number, side = (point + 1) // 2, SIDES[(point + 1) % 2]
        tries.append((f"killed {side} write {number} of {len(usual.writes)}, {usual.writes[number - 1]}",
                      partial(_killed, one, scenario, usual, number, side, whom, by_ticks=count % 2 == 1)))
    wrong = at_each(tries, lambda: tried(f"kill points of {scenario}" + (", its workers left alive" if whom == ITS_GROUP else "")))
    assert not wrong, "\n".join(wrong)


def _killed(one: Stand, scenario: Scenario, usual: Undisturbed, number: int, side: str, whom: str, by_ticks: bool) -> list[str] | None:
    """What is wrong in the end; nothing when all is well, None when the walk ended without that write."""
    release = one.ready(scenario)
    # Before a canary is initialised there is no route, and no user.
    load = release.load(RATE) if scenario.good and scenario != INITIALISE else None
    one.begin(scenario)
    asked, since, watch = len(one.hooks.asked), len(one.proxy.log()), release.watch_route()
    walk = one.start(scenario.playbook)
    rule = one.proxy.rule(f"kill_{side}", method=WRITES, path=NO_REVIEW, nth=number, **{whom: walk.process.pid})
    walk.process.wait(150)
    struck = one.proxy.wait(rule, 0.1)
    one.proxy.clear()
    if struck:
        one.go_on(scenario, by_ticks)
    else:
        one.finish(walk, scenario.rc, scenario.outcome)
    weights, hooks = watch.stop(), one.asked_since(asked)
    written = one.written_since(since)
    assert not struck or whom == ITS_GROUP or written[-1].get("rule") == rule, f"it was killed, and wrote: {written[-3:]}"
    lost = release.lost(load.stop()) if load else []
    wrong = [*differences(usual.end, one.end()), *_trace(usual.weights, weights), *(f"a user's request failed: {failure}" for failure in lost),
             *(f"{kind} was asked {hooks[kind]} times instead of {count}" for kind, count in usual.hooks.items() if hooks[kind] < count)]
    return wrong if struck or wrong else None


def _trace(usual: Sequence[int], seen: Sequence[int]) -> list[str]:
    """Repetitions and holds are no difference; the watch leaves them out."""
    return [] if list(seen) == list(usual) else [f"the weights were {list(seen)} instead of {list(usual)}"]
