# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What metrics and webhooks answer: from the same script to both sides, each at its own pace."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import instant_prometheus
from documents import GOOD, Document
from harness import Receiver


def nth(script: Sequence[Any], number: int) -> Any:
    """The answer with this number, counted from 0; the last one stays."""
    return script[min(number, len(script) - 1)]


class Metrics:
    """A Prometheus of one side. While nothing is ``judged`` all is well, and no answer of the script is used up: a look before a walk judges nothing."""

    def __init__(self, document: Document) -> None:
        self._script, self._asked, self._lock = document.metrics, Counter[str](), threading.Lock()
        self.judged: Callable[[], bool] = lambda: False
        self.url = instant_prometheus.start(self._answer)

    def _answer(self, query: str) -> str | None:
        if query == "vector(1)":
            return "1"
        named = re.search(r'scripted\{metric="([^"]+)"', query)
        metric = named[1] if named else "duration" if "histogram_quantile" in query else "success"
        if metric not in self._script or not self.judged():
            return GOOD.get(metric, "0")
        with self._lock:
            self._asked[metric] += 1
            return nth(self._script[metric], self._asked[metric] - 1)


class Hooks(Receiver):
    """The far end of all webhooks and alerts of one side, in the order in which they came."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._script, self._number = dict(document.hooks), Counter[str]()

    def answer(self, scripts: Mapping[str, Sequence[int]]) -> None:
        """From now on."""
        self._script.update(scripts)
        for name in scripts:
            self._number[name] = 0

    def status_for(self, body: dict[str, Any]) -> int:
        name = body.get("metadata", {}).get("hook", "")
        if name not in self._script:
            return 403 if name == "rollback" else 200       # any other answer would be the order to roll back
        self._number[name] += 1
        return nth(self._script[name], self._number[name] - 1)
