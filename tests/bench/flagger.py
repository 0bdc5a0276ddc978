# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flagger beside us: the same Canary, app, load and Prometheus on Contour, one after the other. Flagger's value stands where a budget stands."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from figures import Figure, Unmeasured
from memory import MIB, whole
from routing import PROXY
from subject import USER, Subject, subject

RATE = 50                               # requests per second
CANARY = {"interval": "10s", "threshold": 1, "stepWeight": 10, "maxWeight": 50}
EVERYDAY = {"canary_file": "", "canary_min_interval": None, "canary_settle": None, "canary_drain": None}
PORT = 18099
LONGEST = 240.0
NOTE = [f"the value is ours, the budget what Flagger 1.44 took; {CANARY}, {RATE} requests/s, Contour's HTTPProxy"]


@dataclass(frozen=True)
class Run:
    """What one of the two took; units as in ROWS."""

    requests: float
    cpu: float
    memory: float
    users: float
    succeeded: float
    served: float


ROWS = {
    "requests": ("beside Flagger: requests to the API server in an interval of the analysis", ""),
    "cpu": ("beside Flagger: CPU in an interval of the analysis", "ms"),
    "memory": ("beside Flagger: memory at most", "MB"),
    "users": ("beside Flagger: all users on the new primary", "s"),
    "succeeded": ("beside Flagger: Succeeded", "s"),
    "served": ("beside Flagger: answers of 5xx until a bad release is rolled back", ""),
}


WORSE = {
    "requests": "a tick proves that the record is still its own before it writes, and reads the route back after; Flagger reads from watches that are always"
                " open and not counted here, and trusts what it wrote",
    "cpu": "Ansible starts a process for every task, in Python; it takes nothing between releases",
    "memory": "ansible-playbook and its workers, which are there while a canary is walked; Flagger is there always, once for all canaries",
}
"""Why we take more, where that is known."""


class Watched(threading.Thread):
    """CPU and memory of a process and its children, from the inside of /proc."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._go_on = pid, True
        self.seen: list[tuple[float, float, int]] = []      # Unix seconds, CPU seconds since the start, bytes
        self.start()

    def run(self) -> None:
        while self._go_on:
            with suppress(OSError, IndexError):
                spent = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:15]
                self.seen.append((time.time(), sum(map(int, spent)) / os.sysconf("SC_CLK_TCK"), whole(self._pid)))
            time.sleep(0.25)

    def cpu(self, since: float, until: float) -> float:
        within = [cpu for when, cpu, _bytes in self.seen if since <= when <= until]
        return within[-1] - within[0]

    def stop(self) -> None:
        self._go_on = False
        self.join()


class Phases(threading.Thread):
    """When the Canary object first said which phase after it was made."""

    def __init__(self, one: Subject) -> None:
        super().__init__(daemon=True)
        self.began: list[tuple[str, float]] = []
        self._process = subprocess.Popen(
            ["kubectl", "-n", one.namespace, "get", "canary", one.name, "--watch", "-o", 'jsonpath={.status.phase}{"\\n"}'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        one.on_cleanup.append(self._process.kill)
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not self.began or self.began[-1][0] != line.strip():
                self.began.append((line.strip(), time.time()))

    def wait(self, phase: str, since: float) -> float:
        """When it was in that phase after a moment. Raises Unmeasured where it takes too long."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            for said, when in self.began:
                if said == phase and when > since:
                    return when
            time.sleep(0.1)
        raise Unmeasured(f"never {phase}: {self.began}")


def figures() -> list[Figure]:
    ours, theirs = _ours(), _flaggers()
    return [_beside(row.name, getattr(ours, row.name), getattr(theirs, row.name)) for row in fields(Run)]


def _beside(row: str, ours: float, theirs: float) -> Figure:
    worse = [f"worse: {WORSE.get(row, 'nobody knows why')}"] if ours > theirs else []
    return Figure(ROWS[row][0], ours, ROWS[row][1], theirs, [*(NOTE if row == "requests" else []), *worse])


def _ours() -> Run:
    with subject("ours", PROXY, **CANARY) as one:
        one.apply(one.document(**CANARY))
        one.finished(one.walk(**EVERYDAY), "unchanged")
        phases = Phases(one)
        walks: list[Watched] = []

        def walk() -> None:
            walks.append(Watched(one.walk(**EVERYDAY).process.pid))
        return _run(one, phases, walk, lambda: walks[-1], one.user)


def _flaggers() -> Run:
    with subject("flagger", PROXY, begin=False, **CANARY) as one:
        one.kubectl("create", "clusterrolebinding", one.namespace, "--clusterrole=cluster-admin", f"--serviceaccount={one.namespace}:{USER}")
        one.on_cleanup.append(lambda: one.kubectl("delete", "clusterrolebinding", one.namespace))
        log = (one.folder / "flagger.log").open("w", encoding="utf-8")
        process = subprocess.Popen(
            [os.environ["FLAGGER"], f"-kubeconfig={one.folder / 'kubeconfig'}", f"-metrics-server={os.environ['PROMETHEUS_URL']}", "-mesh-provider=contour",
             f"-namespace={one.namespace}", f"-port={PORT}", "-log-level=info"], stdout=log, stderr=subprocess.STDOUT)
        one.on_cleanup.append(process.kill)
        watched = Watched(process.pid)
        began = time.time()
        one.apply(one.document(**CANARY))
        phases = Phases(one)
        phases.wait("Initialized", began)
        return _run(one, phases, lambda: None, lambda: watched, one.user)


def _run(one: Subject, phases: Phases, walk: Callable[[], None], watched: Callable[[], Watched], user: str) -> Run:
    """A good release and a bad one; ``walk`` begins a walk where nobody watches."""
    route, load, changed = one.watch_route(), one.load(RATE), time.time()
    one.release_new(2)
    walk()
    succeeded = phases.wait("Succeeded", changed)
    good, first = load.stop(), watched()
    weights = {weight: when for when, _primary, weight in route.seen if when > changed}
    if one.lost(good) or not {10, 50, 0} <= set(weights):
        raise Unmeasured(f"a good release went wrong: {len(one.lost(good))} requests failed, weights {weights}")
    intervals = 4                       # from 10 % to 50 %
    asked = [request for request in one.audit.of(user, weights[10], weights[50]) if not request.waits]
    cpu, most = first.cpu(weights[10], weights[50]), max(size for _when, _cpu, size in first.seen)
    users, succeeded = route.accepted[0] - changed, succeeded - changed

    load, changed = one.load(RATE), time.time()
    one.release_new(3, ERROR_SHARE="0.2")
    walk()
    phases.wait("Failed", changed)
    bad = load.stop()
    for one_watched in (first, watched()):
        one_watched.stop()
    return Run(len(asked) / intervals, 1000 * cpu / intervals, most / MIB, users, succeeded, bad["failed"])
