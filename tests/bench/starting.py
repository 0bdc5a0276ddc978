# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the start of the playbook to its first decision, and from a decision to the first request that it routes."""

from __future__ import annotations

import http.client
import os
import statistics
import threading
import time
import urllib.parse
from dataclasses import dataclass

import traces
from figures import Figure, Unmeasured
from subject import Subject, subject

RELEASES = 3
BETWEEN = 0.001                         # seconds between an answer and the next question


class Probe(threading.Thread):
    """One client asking as fast as it is answered; ``first`` are the times at which each version was asked for with success."""

    def __init__(self, host: str) -> None:
        super().__init__(daemon=True)
        self.first: dict[str, float] = {}
        self.slowest = 0.0              # seconds between two questions: how precise `first` is
        self._host = host
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        address = urllib.parse.urlsplit(os.environ["GATEWAY_URL"]).netloc
        connection = http.client.HTTPConnection(address, timeout=5)
        last = time.time()
        while not self._over.is_set():
            asked = time.time()
            self.slowest, last = max(self.slowest, asked - last), asked
            try:
                connection.request("GET", "/", headers={"Host": self._host})
                answer = connection.getresponse()
                answer.read()
                self.first.setdefault(answer.headers.get("X-Version", ""), asked)
            except (OSError, http.client.HTTPException):
                connection.close()
            time.sleep(BETWEEN)

    def stop(self) -> None:
        self._over.set()
        self.join(10)


@dataclass(frozen=True)
class Sample:
    """Seconds."""

    parts: dict[str, float]             # of the start: what was reached when, counted from the start of the process
    ours: float                         # from the decision in the record to the patched route
    gateways: float                     # from there to the first request that reached the canary
    precision: float


def figures(prometheus: str) -> list[Figure]:
    # The first weight is all of them: every request after the gateway has taken it over tells.
    with subject("start", interval="1s", stepWeight=100, maxWeight=100, spec__metricsServer=prometheus) as one:
        samples = [_sample(one, version) for version in range(2, 2 + RELEASES)]
    usual = {name: statistics.median(one.parts[name] for one in samples) for name in samples[0].parts}
    ours, gateways = statistics.median(one.ours for one in samples), statistics.median(one.gateways for one in samples)
    return [
        Figure("start of the playbook to the first decision", usual["decided"], "s", 1.6, [
            f"median of {RELEASES} releases; reached after s: " + ", ".join(f"{name} {value:.2f}" for name, value in usual.items()),
            "all: " + ", ".join(f"{one.parts['decided']:.2f}" for one in samples)]),
        Figure("a decision to the route that obeys it", 1000 * ours, "ms", 100, [
            f"and the gateway's own time to the first request it routes by it: {1000 * gateways:.0f} ms",
            "decision to first request, ms: " + ", ".join(f"{1000 * one.ours:.0f} + {1000 * one.gateways:.0f}" for one in samples)
            + f"; asked at least every {1000 * max(one.precision for one in samples):.0f} ms"]),
    ]


def _sample(one: Subject, version: int) -> Sample:
    one.release_new(version)
    probe = Probe(one.host)
    since = time.time()
    walk = one.walk(canary_drain=0)
    try:
        one.wait_until("users reach the new version", lambda: str(version) in probe.first, walk)
    finally:
        probe.stop()
    one.finished(walk, "promoted")
    decided, routed = _raise(one, since)
    return Sample(_start(one, since), routed - decided, probe.first[str(version)] - routed, probe.slowest)


def _raise(one: Subject, since: float) -> tuple[float, float]:
    """When the decision of the first raise reached the API server, and when the patch of the route was done."""
    requests = one.requests(since)
    routed = next((request for request in requests if request.verb == "patch" and request.resource == "httproutes"), None)
    written = [request for request in requests if request.verb == "patch" and request.resource == "configmaps"
               and routed and request.received < routed.received]
    if not written or routed is None:
        raise Unmeasured("the audit log shows no decision before a patched route")
    return written[-1].received, routed.completed


def _start(one: Subject, since: float) -> dict[str, float]:
    """When the start reached what, in seconds; the process is started just after ``since``."""
    events = one.events()
    first = {}
    for event in events:
        first.setdefault((event.event, traces.last_part(event.name)), event.t - since)
    return {
        "playbook loaded": first["playbook", ""], "first task": min(value for key, value in first.items() if key[0] == "start"),
        "preflight done": first["ok", "Check the document and the cluster"], "observed": first["ok", traces.OBSERVE],
        "decided": first["ok", traces.DECIDE],
    }
