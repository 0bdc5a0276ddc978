# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be known of a PromQL text without asking Prometheus: white space, and how far back it looks."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_STRING = r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
_STRING_OR_GAP = re.compile(rf"{_STRING}|(?:\s|#[^\n]*)+", re.DOTALL)
_RANGE = re.compile(r"\[\s*([0-9a-z.]+)\s*(?::[^\]]*)?\]")


def collapse(query: str) -> str:
    """The query on one line: comments dropped, runs of white space made one space, strings left as they are.

    Flagger collapses inside of strings too, and glues what follows a comment to it; both change what the query means.
    """
    return _STRING_OR_GAP.sub(lambda found: found[1] or " ", query).strip()


def duration(text: str) -> float | None:
    """Seconds of a Prometheus duration such as ``90s``, ``1h30m`` or (since Prometheus 3) ``300``; None for anything else."""
    if _DURATION.fullmatch(text):
        return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return float(text) if _NUMBER.fullmatch(text) else None


def hard_window(query: str) -> float | None:
    """Seconds of the largest range that stands hard in the query (``[5m]``, ``[1h:1m]``); None when there is none.

    For so long after a change of weight the query still counts what went before it: it has to be waited for (SAFETY 12).
    ``[{{ interval }}]`` takes the window that it is given; an ``offset`` looks at the past on purpose.
    """
    ranges = (duration(text) for text in _RANGE.findall(_STRING_OR_GAP.sub(" ", query)))
    return max((seconds for seconds in ranges if seconds is not None), default=None)
