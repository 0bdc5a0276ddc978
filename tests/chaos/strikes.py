# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults that a proxy does to requests, and what a walk that met one may end with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from harness import Walk


@dataclass(frozen=True)
class Fault:
    """What the proxy does to one request, or to all of a kind for a while."""

    name: str
    action: str
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


FAULTS = (
    Fault("409", "answer", {"status": 409}),
    Fault("429", "answer", {"status": 429, "headers": {"Retry-After": "1"}}),
    Fault("500", "answer", {"status": 500}),
    Fault("503", "answer", {"status": 503}),
    Fault("lost before", "cut_before"),
    Fault("lost after", "cut_after"),
    Fault("cut in its answer", "cut_inside"),
    Fault("500 for good", "answer", {"status": 500, "times": 0}),
    Fault("hangs", "hold"),
)
# Of a whole walk: each request is slow, or closes its connection.
WEATHER = (Fault("slow", "delay", {"seconds": 0.3, "times": 0}), Fault("no connection is kept", "close", {"times": 0}))


def in_words(walk: Walk) -> list[str]:
    """What is wrong with how an ended walk says why it failed."""
    if "Traceback" in walk.output:
        return [f"a traceback: {walk.output[-3000:]}"]
    # A walk that was killed, since it hung, says nothing.
    told = walk.rc <= 0 or re.search(r'"msg": ".{20,}"', walk.output)
    return [] if told else [f"it ended with {walk.rc} and without words: {walk.output[-1500:]}"]
