# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tick a minute, as a job scheduler can do it. First in the alphabet, since these wait most and work least."""

from __future__ import annotations

import time

import pytest

from harness import Release, wait_for


@pytest.mark.parametrize("interval", ["5m", "1m", "10s"])
def test_tick_mode_once_a_minute_promotes(release: Release, interval: str) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20, interval=interval)
    load = release.load(50)
    release.set_template("lab.local/testapp:2", VERSION="2")
    began = time.monotonic()
    outcomes = []
    for minute in range(10):
        wait_for("the next minute", lambda minute=minute: time.monotonic() >= began + 60 * minute, 61)
        tick = release.walk(canary_mode="tick").wait()
        assert tick.rc == 0, tick.output[-4000:]
        outcomes.append(tick.result["outcome"])
        if release.phase() == "Succeeded":
            break
    assert release.phase() == "Succeeded", outcomes
    assert load.stop()["failed"] == 0
