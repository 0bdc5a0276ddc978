# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory of a long walk."""

from __future__ import annotations

import time
from pathlib import Path

from figures import Figure, Unmeasured
from subject import subject
from traces import Event, OBSERVE, last_part

TICKS = 500
SHOWN = (100, 300, 500)
LIMIT = 600                             # seconds in which it has to come to that
MIB = 1024 * 1024


def figures(prometheus: str) -> list[Figure]:
    # A check that can only fail, and a threshold out of reach: each tick measures, decides and tells, and none ends the walk.
    never = [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"max": 1}}]
    with subject("memory", interval="200ms", threshold=100000, metrics=never, spec__metricsServer=prometheus) as one:
        one.release_new(2)
        walk = one.walk(canary_min_interval=0.2)
        began = time.monotonic()
        most = 0
        while len(observed := _observed(one.events())) <= TICKS:
            most = max(most, whole(walk.process.pid))
            if walk.process.poll() is not None or time.monotonic() - began > LIMIT:
                raise Unmeasured(f"only {len(observed)} ticks in {time.monotonic() - began:.0f} s\n{walk.output[-2000:]}")
            time.sleep(0.25)
        walk.kill()
    at = {count: observed[count].rss / MIB for count in SHOWN}
    return [Figure(f"memory of a walk of {TICKS} ticks, at most", most / MIB, "MB", 120, [
        "proportional set size of ansible-playbook and its workers together; ticks in which a check fails without end, an interval of 200 ms",
        "resident size of ansible-playbook alone, MB: " + ", ".join(f"{size:.1f} at tick {count}" for count, size in at.items()),
        f"it grows by {1024 * (at[SHOWN[-1]] - at[SHOWN[0]]) / (SHOWN[-1] - SHOWN[0]):.1f} kB a tick from tick {SHOWN[0]} on",
    ])]


def _observed(events: list[Event]) -> list[Event]:
    return [event for event in events if event.event == "start" and last_part(event.name) == OBSERVE]


def whole(pid: int) -> int:
    """Bytes that the process and its children take, what they share counted once."""
    total = 0
    for one in [pid, *_children(pid)]:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue                    # it has ended
        total += sum(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
