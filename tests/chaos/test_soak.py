# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs, and one long walk, leave nothing behind; what a walk takes at most is measured by ``make bench ARGS='--only memory'``."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stand import PROMOTION, Stand

RUNS, BOUNDED = 500, 5      # one-tick runs, with --full and without
TICKS, FEW_TICKS = 500, 40  # of one walk
A_WALK = 4 * 1024 * 1024    # bytes by which a walk grows until it has done everything once
A_TICK = 120 * 1024         # bytes by which a walk may grow in a tick: Ansible keeps the tasks of each tick, 60 to 100 kB where every tick asks a hook
LARGEST = 32 * 1024         # bytes of a record: evidence, inventory and messages are bounded, and an object may have a MiB


def test_runs_of_one_tick_leave_no_lock_no_file_and_a_small_record(
        request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand: Callable[[str], Stand],
        tried: Callable[[str], None]) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # Other runs beside this one, killed ones among them, have the usual places.
    for variable in ("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"):
        monkeypatch.setenv(variable, str(temporary))
    steps = dataclasses.replace(PROMOTION, document={**PROMOTION.document, "stepWeight": 1, "maxWeight": 90})
    one = stand("soak")
    release = one.ready(steps)
    one.begin(steps)
    sizes: list[int] = []
    for _run in range(RUNS if request.config.getoption("--full") else BOUNDED):
        walk = one.start(direct=True, canary_mode="tick").wait(90)
        assert walk.rc == 0, walk.output[-3000:]
        record = release.record()
        assert record["walk"].get("holder") is None, "a run that has ended holds nothing"
        sizes.append(len(json.dumps(record)))
        tried("runs of one tick")
        if walk.result["outcome"] == "promoted":
            one.begin(steps)
    assert max(sizes) < LARGEST, f"the record grew to {max(sizes)} bytes"
    assert sizes[-1] < 2 * max(sizes[:len(sizes) // 2]), "the record grows"
    assert not list(temporary.iterdir()), "something was left behind"


def test_a_long_walk_keeps_no_thread_and_no_connection_and_little_memory(
        request: pytest.FixtureRequest, stand: Callable[[str], Stand], tried: Callable[..., None]) -> None:
    # A check that fails, and a threshold out of reach: each tick asks, measures, decides and tells, and none ends the walk.
    endless = dataclasses.replace(PROMOTION, document={**PROMOTION.document, "interval": "200ms", "threshold": 100000}, good=False)
    ticks = TICKS if request.config.getoption("--full") else FEW_TICKS
    one = stand("long")
    one.ready(endless)
    one.begin(endless)
    walk = one.start(direct=True, canary_min_interval=0.2)
    began, seen = time.monotonic(), []
    while (tick := one.asked_since(0)["rollout"]) < ticks:
        assert walk.process.poll() is None and time.monotonic() - began < 4 * ticks, walk.output[-3000:]
        process = Path(f"/proc/{walk.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="ascii").splitlines())
        seen.append((tick, len(list((process / "fd").iterdir())), int(status["Threads"]), 1024 * int(status["VmRSS"].split()[0])))
        time.sleep(0.2)
    walk.kill_all()
    first, last = ([sample for sample in seen if low * ticks <= sample[0] < high * ticks] for low, high in ((0.1, 0.5), (0.6, 1.0)))
    for what, column in (("files and connections", 1), ("threads", 2)):
        before, after = (statistics.median(sample[column] for sample in part) for part in (first, last))
        assert after <= before, f"{what}: {before}, later {after}"
    (tick, *_rest, small), (later, *_more, large) = first[0], last[-1]
    assert large - small < A_WALK + A_TICK * (later - tick), f"{small} bytes at tick {tick}, {large} at tick {later}"
    tried("ticks of one walk", ticks)
