# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a canary's status, and of its route, as everybody sees it who watches these objects."""

from __future__ import annotations

import json
import threading
from typing import Any

from harness import Release, api

FIELDS = ("canaryWeight", "iterations", "failedChecks")
LONGEST = 3600              # seconds that a watch may last


class StatusWatch(threading.Thread):
    """Every status that differs from the one before, in the order of the API server."""

    def __init__(self, release: Release) -> None:
        super().__init__(daemon=True)
        self.statuses: list[dict[str, Any]] = []
        self.conditions: list[dict[str, Any]] = []
        self._release, self._go_on = release, True
        self.start()

    def run(self) -> None:
        for event in api("canary").watch(namespace=self._release.namespace, name=self._release.name, timeout=LONGEST):
            if not self._go_on:
                return
            status = event["raw_object"].get("status") or {}
            if not status.get("phase"):
                continue
            _append(self.statuses, {"phase": status["phase"], **{key: status.get(key, 0) for key in FIELDS}})
            for one in status.get("conditions", []):
                _append(self.conditions, {key: one.get(key) for key in ("type", "status", "reason", "message")})

    def stop(self) -> None:
        self._go_on = False


EXTRAS = {'"RequestMirror"': "copies", '"mirror": true': "copies", '"Set-Cookie"': "cookies"}        # what a route does besides weights, by what says so


class ExtrasWatch(threading.Thread):
    """Whether requests are copied and cookies set, whenever that changed."""

    def __init__(self, release: Release) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self._release, self._go_on = release, True
        self.start()

    def run(self) -> None:
        for event in api(self._release.routing.resource).watch(namespace=self._release.namespace, name=self._release.name, timeout=LONGEST):
            if not self._go_on:
                return
            spec = json.dumps(event["raw_object"]["spec"])
            _append(self.seen, ", ".join(sorted({extra for mark, extra in EXTRAS.items() if mark in spec})))

    def stop(self) -> list[str]:
        self._go_on = False
        return list(self.seen)


def _append(seen: list[Any], new: Any) -> None:
    if not seen or seen[-1] != new:
        seen.append(new)
