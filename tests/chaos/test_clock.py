# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walker whose clock is off: whatever happens goes by the API server's, and it is told (SAFETY 12, 27)."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness import Walk
from sameness import differences
from stand import HOOKS, MOST_TICKS, PATIENCE, PROMOTION, Stand

OFF_BY = (90, -90)          # seconds
ROUNDED = 3.0               # seconds by which the API server's Date, in whole ones, and answers on their way may differ from the present
FOLDER = Path(__file__).parent / "clock"
INTERVAL = 0.5              # of the document


def _off_by(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """For the playbooks that are started from now on."""
    monkeypatch.setenv("CLOCK_OFF_BY", str(seconds))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH", "")])]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", ["walk", "tick"] if metafunc.config.getoption("--full") else ["walk"])


def test_safety_27_a_clock_that_is_off_changes_nothing_but_a_warning(
        stand: Callable[[str], Stand], monkeypatch: pytest.MonkeyPatch, mode: str, tried: Callable[..., None]) -> None:
    one = stand(f"clock-{mode}")
    one.hook_types = (*HOOKS, "event")
    usual = one.undisturbed(PROMOTION)
    # By ticks, each has the other clock.
    for clocks in [[seconds] for seconds in OFF_BY] if mode == "walk" else [OFF_BY]:
        one.begin(PROMOTION)
        watch, asked, began = one.release.watch_route(), len(one.hooks.asked), time.time()
        first = _to_the_end(one, clocks, mode, monkeypatch)
        assert (watch.stop(), one.asked_since(asked), differences(usual.end, one.end())) == (usual.weights, usual.hooks, [])
        present = (began - ROUNDED, time.time() + ROUNDED)
        judged = [entry["at"] for entry in one.release.record()["walk"]["evidence"]]
        assert len(judged) == 2 and all(present[0] <= at <= present[1] for at in judged), (present, judged)
        assert all(later - earlier >= INTERVAL for earlier, later in itertools.pairwise(judged)), judged
        stamps = [float(body["metadata"]["timestamp"]) / 1000 for body in one.hooks.asked[asked:] if body.get("metadata", {}).get("type") == "event"]
        assert stamps and all(present[0] <= stamp <= present[1] for stamp in stamps), (present, stamps)
        assert f"s {'ahead of' if clocks[0] > 0 else 'behind'} the API server's" in " ".join(first.output.split()), first.output[-4000:]
        tried(f"releases by a clock that is off ({mode})")


def _to_the_end(one: Stand, clocks: Sequence[int], mode: str, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """The first run of all that it took."""
    runs: list[Walk] = []
    for seconds in itertools.islice(itertools.cycle(clocks), MOST_TICKS):
        with monkeypatch.context() as off:
            _off_by(off, seconds)
            runs.append(one.start(direct=True, canary_mode=mode).wait(PATIENCE))
        assert runs[-1].rc == 0, runs[-1].output[-3000:]
        if mode == "walk" or runs[-1].result["outcome"] == "promoted":
            break
    assert runs[-1].result["outcome"] == "promoted", runs[-1].output[-4000:]
    return runs[0]
