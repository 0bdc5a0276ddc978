# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server's audit log: who asked for what, and how long it took."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# Written as creations, and changing nothing.
REVIEWS = ("selfsubjectrulesreviews", "selfsubjectaccessreviews")
READS = ("get", "list", "watch")


@dataclass(frozen=True)
class Request:
    """``received`` and ``completed`` in Unix seconds; ``resource`` with its subresource, or the path of what is none."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    status: int
    received: float
    completed: float

    @property
    def waits(self) -> bool:
        return self.verb == "watch"

    @property
    def writes(self) -> bool:
        return self.verb not in READS and self.resource not in REVIEWS


class AuditLog:
    """The log from the moment on at which this was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open(encoding="utf-8")        # kept open, since the log may be rotated meanwhile
        self._file.seek(0, os.SEEK_END)
        self._requests: list[Request] = []

    def of(self, user: str, since: float = 0.0, until: float = float("inf")) -> list[Request]:
        """What this user asked for, and was answered, in the order in which it was received."""
        self._read()
        return sorted((one for one in self._requests if one.user == user and since <= one.received < until), key=lambda one: one.received)

    def _read(self) -> None:
        self._requests += _completed(self._file)
        if os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino:
            self._file.close()
            self._file = self._path.open(encoding="utf-8")
            self._requests += _completed(self._file)


def _completed(lines: Iterable[str]) -> Iterable[Request]:
    for line in lines:
        if '"ResponseComplete"' in line and line.endswith("\n"):
            yield _request(json.loads(line))


def _request(event: dict) -> Request:
    what = event.get("objectRef") or {}
    resource = "/".join(filter(None, (what.get("resource", ""), what.get("subresource", "")))) or event["requestURI"].partition("?")[0]
    return Request(
        event["user"]["username"], event["verb"], resource, what.get("namespace", ""), what.get("name", ""), event["responseStatus"].get("code", 0),
        _time(event["requestReceivedTimestamp"]), _time(event["stageTimestamp"]))


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def overlap(requests: Iterable[Request], began: float, ended: float) -> float:
    """Seconds between two moments in which one of the requests was under way; they do not overlap each other."""
    return sum(max(0.0, min(one.completed, ended) - max(one.received, began)) for one in requests)


def listed(requests: Iterable[Request]) -> str:
    """``2 get configmaps podinfo-canary, 1 patch httproutes podinfo``"""
    counted = Counter(" ".join(filter(None, (one.verb, one.resource, one.name))) for one in requests)
    return ", ".join(f"{count} {what}" for what, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])))
