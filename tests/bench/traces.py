# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What callback_plugins/bench_trace.py wrote, cut into the ticks of a walk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OBSERVE, CHECK, DECIDE, SHIFT, MOVE = "Observe", "Check the metrics", "Decide", "Shift traffic", "Move the workload"
STEADY = {OBSERVE, CHECK, DECIDE, SHIFT}
BEGIN = "Walk the canary to promotion or rollback"


@dataclass(frozen=True)
class Event:
    """``t`` in Unix seconds; ``cpu`` seconds of the playbook's process and its ended workers until then; ``rss`` bytes."""

    t: float
    event: str
    name: str
    cpu: float
    rss: int


@dataclass(frozen=True)
class Tick:
    """From one Observe to the next one, so with what including the tick costs."""

    began: float
    ended: float
    cpu: float
    tasks: Sequence[Event]

    @property
    def ran(self) -> set[str]:
        """The verbs that were not skipped."""
        return {event.name for event in self.tasks if event.event == "ok"} & {*STEADY, MOVE}

    @property
    def opens_a_round(self) -> bool:
        return any(event.name.endswith("Begin the next round") for event in self.tasks)


def read(path: Path) -> list[Event]:
    """The events so far, without a line that is still being written."""
    whole, _end, _rest = path.read_text(encoding="utf-8").rpartition("\n")
    return [Event(**json.loads(line)) for line in whole.splitlines()]


def last_part(name: str) -> str:
    """A task's name without that of its role."""
    return name.rpartition(" : ")[2]


def ticks(events: Sequence[Event]) -> list[Tick]:
    """All ticks but the last one, which has no end."""
    events = [Event(event.t, event.event, last_part(event.name), event.cpu, event.rss) for event in events]
    begins = [index for index, event in enumerate(events) if event.event == "start" and event.name == OBSERVE]
    return [
        Tick(events[first].t, events[after].t, events[after].cpu - events[first].cpu, events[first:after])
        for first, after in zip(begins, begins[1:], strict=False)
    ]


def steady(every: Sequence[Tick]) -> list[Tick]:
    """Those that raise the weight after a tick that raised it too: nothing of the beginning or of the end is in them."""
    return [tick for before, tick in zip(every, every[1:], strict=False) if before.ran == STEADY == tick.ran]


def seconds_of_tasks(tick: Tick) -> dict[str, float]:
    """Seconds from the start of each task to that of the next one, skipped ones included."""
    starts = [event for event in tick.tasks if event.event == "start"]
    ends = [event.t for event in starts[1:]] + [tick.ended]
    spent: dict[str, float] = {}
    for event, end in zip(starts, ends, strict=True):
        spent[event.name] = spent.get(event.name, 0.0) + end - event.t
    return spent
