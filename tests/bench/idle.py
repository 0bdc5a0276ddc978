# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that find nothing to do."""

from __future__ import annotations

import time

from audit import Request, listed
from figures import Figure, Unmeasured
from harness import Walk
from subject import Subject, subject


def figures(prometheus: str) -> list[Figure]:
    document = {"stepWeight": 50, "maxWeight": 50, "spec__metricsServer": prometheus}
    with subject("idle", interval="1s", **document) as one:
        one.release_new(2)
        one.finished(one.walk(canary_drain=0), "promoted")
        unchanged = _run(one, "unchanged")
        one.write_document(interval="10m", **document)
        one.release_new(3)
        one.wait_until("it has traffic", lambda: one.weight() == 50, walk := one.walk(canary_mode="walk"))
        one.wait_until("the intent is closed", lambda: one.record()["walk"].get("intent") is None, walk)
        walk.kill()
        not_due = _run(one, "not_due", canary_mode="tick")
    return [
        Figure("requests of a tick that is not due", len(not_due), "", 2, [f"the whole run: {listed(not_due)}"]),
        Figure("requests of a run on a finished, unchanged canary", len(unchanged), "", 8, [f"the whole run: {listed(unchanged)}"]),
    ]


def _run(one: Subject, outcome: str, **variables: str) -> list[Request]:
    since = time.time()
    walk: Walk = one.finished(one.walk(**variables), outcome)
    made = one.requests(since)
    writes = [request for request in made if request.writes]
    if writes or walk.recap.get("changed"):
        raise Unmeasured(f"a run that should have found nothing to do changed something: {listed(writes) or walk.recap}")
    return made
