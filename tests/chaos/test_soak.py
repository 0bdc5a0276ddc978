# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs leave nothing behind; the memory of one long walk is measured by ``make bench ARGS='--only memory'``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from stand import PROMOTION, Stand

RUNS, BOUNDED = 500, 5      # one-tick runs, with --full and without
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
