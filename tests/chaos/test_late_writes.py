# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A write that hangs on its way until others have gone on to the end, and then arrives (SAFETY 1)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import pytest
from harness import Walk, wait_for
from sameness import differences
from stand import INITIALISE, NO_REVIEW, PATIENCE, PROMOTION, REMOVE, ROLLBACK, WRITES, Scenario, Stand, Undisturbed, at_each

AT_MOST = 2                 # points of a scenario, where not all are tried
MEANWHILE = ("abort", "tick", "new revision", "remove")    # what others do, to the end
OF_A_REMOVAL = ("abort", "remove")
SIDE_EFFECTS = r"/(deployments|services|httproutes|poddisruptionbudgets)"


@pytest.mark.parametrize("scenario", [PROMOTION, ROLLBACK, INITIALISE, REMOVE], ids=str)
def test_safety_01_a_late_write_changes_nothing(
        stand: Callable[[str], Stand], scenario: Scenario, part: int, chosen: Callable[..., list[int]], tried: Callable[[str], None]) -> None:
    one = stand(f"late-{scenario}-{part}")
    usual = one.undisturbed(scenario)
    side_effects = [write for write in usual.writes if re.search(SIDE_EFFECTS, write)]
    assert side_effects
    points = [(number, meanwhile) for number in range(1, len(side_effects) + 1) for meanwhile in (OF_A_REMOVAL if scenario == REMOVE else MEANWHILE)]
    tries: list[tuple[str, Callable[[], list[str] | None]]] = []
    for point in chosen(len(points), part, AT_MOST):
        number, meanwhile = points[point - 1]
        tries.append((f"{side_effects[number - 1]}, late after {meanwhile}", partial(_late, one, scenario, usual, number, meanwhile)))
    wrong = at_each(tries, lambda: tried("late writes"))
    assert not wrong, "\n".join(wrong)


def _late(one: Stand, scenario: Scenario, usual: Undisturbed, number: int, meanwhile: str) -> list[str] | None:
    """What is wrong after one late write; nothing when all is well, None when the walk ended without that write."""
    one.ready(scenario)
    one.begin(scenario)
    walk, since = one.start(scenario.playbook), len(one.proxy.log())
    one.proxy.rule("hold", method=WRITES, path=NO_REVIEW + ".*" + SIDE_EFFECTS, nth=number, name="late")
    if not _held(one, walk):
        one.finish(walk, scenario.rc, scenario.outcome)
        one.drop()
        return None
    walk.kill_all()                             # or it would repeat itself what is held
    _go_on(one, scenario, meanwhile)
    before = one.end()
    one.proxy.release("late")
    entry = wait_for("the late write arrives", lambda: next((entry for entry in one.proxy.log(since) if entry.get("rule") == "late" and entry["status"]), None))
    one.proxy.clear()
    wrong = []
    if entry["method"] != "POST" and entry["status"] < 400:
        wrong.append(f"it was accepted: {entry['status']}")
    time.sleep(0.3)                             # what it set off would have begun
    after = differences(before, one.end())
    if entry["method"] == "POST" and entry["status"] < 300:
        # A late create cannot be refused. It carries no traffic, and the next run takes it away, or needs it.
        again = "canary" if meanwhile == "abort" else meanwhile
        _go_on(one, scenario, again)
        expected, found = usual.end if again == "canary" else before, one.end()
        if again == "remove":
            # A budget has no name in the order that makes it: one that came late was found by its label. It is gone, and the record says that it was there.
            late = [entry for entry in found["inventory"] if entry.startswith("PodDisruptionBudget/")]
            expected = {**expected, "inventory": sorted({*expected["inventory"], *late})}
        after = differences(expected, found)
    wrong += after
    one.drop()
    return wrong


def _held(one: Stand, walk: Walk) -> bool:
    """Whether the write came before the walk ended."""
    deadline = time.monotonic() + PATIENCE
    while not one.proxy.wait("late", 1):
        if walk.process.poll() is not None or time.monotonic() > deadline:
            return one.proxy.wait("late", 0.1)
    return True


def _go_on(one: Stand, scenario: Scenario, meanwhile: str) -> None:
    """Others go on to the end, past the proxy."""
    if meanwhile == "tick":
        one.tick_to_the_end(scenario)
    elif meanwhile == "new revision":
        one.version, one.good = one.version + 1, True
        one.release.set_template("lab.local/testapp:2", VERSION=str(one.version))
        walk = one.start(direct=True).wait()
        assert walk.result["outcome"] in ("promoted", "unchanged"), walk.output[-4000:]
        if one.release.phase() == "Initialized":
            one.go_on(PROMOTION, by_ticks=False)
    elif meanwhile == "canary":
        one.go_on(scenario, by_ticks=False)
    else:
        walk = one.start(meanwhile, direct=True).wait()
        assert walk.rc == 0 or meanwhile == "abort", walk.output[-4000:]
