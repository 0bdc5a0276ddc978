# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A good release with the intervals and waits of everyday life, under load, judged by the lab's Prometheus."""

from __future__ import annotations

import json
import subprocess
import threading
import time

from figures import Figure, Unmeasured
from subject import Subject, subject

RATE = 20                               # requests per second: enough to judge by, little enough not to be in the way
DEFAULTS = {"canary_min_interval": None, "canary_settle": None, "canary_drain": None}


class Phases(threading.Thread):
    """When the record first said which phase, by a watch."""

    def __init__(self, one: Subject) -> None:
        super().__init__(daemon=True)
        self.began: dict[str, float] = {}
        self.process = subprocess.Popen(
            ["kubectl", "-n", one.namespace, "get", "configmap", f"{one.name}-canary", "--watch-only", "-o", 'jsonpath={.data.record}{"\\n"}'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        one.on_cleanup.append(self.process.kill)
        self.start()

    def run(self) -> None:
        for line in self.process.stdout:
            self.began.setdefault(json.loads(line)["status"]["phase"], time.time())


def figures() -> list[Figure]:
    with subject("release", interval="10s", stepWeight=10, maxWeight=50) as one:
        watch, phases, load = one.watch_route(), Phases(one), one.load(RATE)
        changed = time.time()
        one.release_new(2)
        one.finished(one.walk(**DEFAULTS), "promoted")
        counted, weights = load.stop(), watch.stop()
        phases.process.kill()
    if weights != [0, 10, 20, 30, 40, 50, 0] or 0 not in watch.accepted or "Succeeded" not in phases.began:
        raise Unmeasured(f"the release did not go as it should: weights {weights}, phases {list(phases.began)}")
    raised = {weight: when - changed for when, _primary, weight in watch.seen[1:-1]}
    reached = ", ".join([*(f"{weight}% {when:.1f}" for weight, when in raised.items()),
                         *(f"{phase} {when - changed:.1f}" for phase, when in phases.began.items() if when > changed)])
    details = [f"reached after s: {reached}", f"{counted['sent']} requests, {counted['failed']} failed"]
    return [
        Figure("release of five weights: all users on the new primary", watch.accepted[0] - changed, "s", 72, details),
        Figure("release of five weights: Succeeded", phases.began["Succeeded"] - changed, "s", 84),
    ]
