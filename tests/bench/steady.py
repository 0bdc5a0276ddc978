# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tick in the middle of a walk that raises the weight: time, CPU and requests."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import ansible_alone
import traces
from audit import Request, listed, overlap
from figures import Figure, Unmeasured
from subject import Subject, subject

INTERVAL = "200ms"                      # so that hardly anything of a tick is waiting
WALKED = {"canary_min_interval": 0.2, "canary_drain": 0}
LONGEST = 900.0                         # seconds that a walk may take on a busy machine
ENOUGH = 5                              # steady ticks below which there is no figure


@dataclass(frozen=True)
class Measured:
    """One steady tick; ``wall`` without what was waited for: the clock, the gateway."""

    tick: traces.Tick
    wall: float
    waited: float
    requests: Sequence[Request]         # without watches
    watches: Sequence[Request]

    @property
    def signature(self) -> str:
        return listed(self.requests)


def in_process(prometheus: str) -> list[Figure]:
    with subject("steady", **_document(prometheus, steps=60)) as one:
        every = _walked(one)
    floor = ansible_alone.milliseconds()
    usual = statistics.median(tick.wall for tick in every)
    rounds = _share_of_rounds(every, usual)
    cpu = statistics.mean(tick.tick.cpu for tick in every)
    spread = statistics.quantiles((tick.wall for tick in every), n=10)
    return [
        Figure("steady tick in process: wall", 1000 * (usual + rounds), "ms", 240, [
            f"median of {len(every)} ticks {1000 * usual:.0f} ms, and {1000 * rounds:.0f} ms as its share of a round of 25; "
            f"mean {1000 * statistics.mean(tick.wall for tick in every):.0f}, a tenth below {1000 * spread[0]:.0f}, a tenth above {1000 * spread[-1]:.0f} ms",
            f"waits taken off, clock and gateway: {1000 * statistics.median(tick.waited for tick in every):.0f} ms; Prometheus answers at once",
            _by_task(every),
            f"Ansible alone, the same tasks doing nothing, just now: {floor[0]:.0f} ms",
        ]),
        Figure("steady tick in process: CPU", 1000 * cpu, "ms", 220, [
            f"mean of {len(every)}; ansible-playbook and its workers, rounds included; polling while it waits too",
            f"Ansible alone, the same tasks doing nothing, just now: {floor[1]:.0f} ms",
        ]),
        _requests("requests of a steady tick, no Canary object", 14, every),
    ]


def as_modules(prometheus: str) -> list[Figure]:
    with subject("modules", **_document(prometheus, steps=ENOUGH + 3)) as one:
        every = _walked(one, PROGRESSIVE_DELIVERY_IN_PROCESS="0")
    usual = statistics.median(tick.wall for tick in every)
    return [Figure("steady tick as plain modules: wall", usual, "s", 2.5, [
        f"median of {len(every)}; CPU {statistics.mean(tick.tick.cpu for tick in every):.2f} s", _by_task(every)])]


def with_object(prometheus: str) -> list[Figure]:
    document = _document(prometheus, steps=15)
    with subject("object", **document) as one:
        one.apply(one.document(**document))
        every = _walked(one, canary_file="")
    return [_requests("requests of a steady tick, with a Canary object", 16, every)]


def _document(prometheus: str, steps: int) -> dict:
    return {"interval": INTERVAL, "stepWeight": 1, "maxWeight": steps, "spec__metricsServer": prometheus}


def _walked(one: Subject, canary_file: str | None = None, **environment: str) -> list[Measured]:
    """The steady ticks of one release."""
    one.release_new(2)
    variables = WALKED if canary_file is None else {**WALKED, "canary_file": canary_file}
    one.finished(one.playbook("canary", environment=environment, **variables), "promoted", LONGEST)
    requests = one.requests()
    found = [_measured(tick, requests) for tick in traces.steady(traces.ticks(one.events()))]
    if len(found) < ENOUGH:
        raise Unmeasured(f"only {len(found)} steady ticks in the walk")
    return found


def _measured(tick: traces.Tick, requests: Sequence[Request]) -> Measured:
    within = [one for one in requests if tick.began <= one.received < tick.ended]
    watches = [one for one in within if one.waits]
    waited = overlap(watches, tick.began, tick.ended)
    return Measured(tick, tick.ended - tick.began - waited, waited, [one for one in within if not one.waits], watches)


def _share_of_rounds(every: Sequence[Measured], usual: float) -> float:
    """Seconds that beginning the next round of 25 ticks adds to each of them."""
    longer = [tick.wall - usual for tick in every if tick.tick.opens_a_round]
    return max(0.0, statistics.median(longer)) / 25 if longer else 0.0


def _by_task(every: Sequence[Measured]) -> str:
    """The median of each task in ms, the waits within it taken off."""
    spent: dict[str, list[float]] = {}
    for one in every:
        starts = {event.name: event.t for event in one.tick.tasks if event.event == "start"}
        for name, seconds in traces.seconds_of_tasks(one.tick).items():
            spent.setdefault(name, []).append(seconds - overlap(one.watches, starts[name], starts[name] + seconds))
    means = {name: 1000 * statistics.median(values) for name, values in spent.items() if len(values) > len(every) / 2}
    return "ms by task: " + ", ".join(f"{name} {value:.0f}" for name, value in sorted(means.items(), key=lambda item: -item[1]))


def _requests(what: str, budget: int, every: Sequence[Measured]) -> Figure:
    counts = [len(one.requests) for one in every]
    kinds = Counter(one.signature for one in every)
    usual, times = kinds.most_common(1)[0]
    rare = max(every, key=lambda one: len(one.requests))
    details = [f"{times} of {len(every)} ticks: {usual}"]
    if len(rare.requests) > statistics.median(counts):
        details.append(f"most: {len(rare.requests)}: {rare.signature}")
    details.append(f"waits apart: {listed(every[len(every) // 2].watches)}")
    return Figure(what, statistics.median(counts), "", budget, details)
