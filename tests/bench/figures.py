# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, beside what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


class Unmeasured(Exception):
    """A figure could not be taken; the text says why."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``budget`` is the most that is allowed, in the same ``unit``; ``load`` is filled in by whoever runs the measurement."""

    what: str
    value: float
    unit: str
    budget: float
    details: Sequence[str] = ()
    load: Sequence[float] = field(default=())

    @property
    def verdict(self) -> str:
        return "over" if self.value > self.budget else "under" if self.value < self.budget else "met"


def number(value: float) -> str:
    return f"{value:.2f}" if value < 10 and value != int(value) else f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def table(figures: Sequence[Figure]) -> str:
    """All figures, one a line, and below them how each came about."""
    rows = [("what", "value", "budget", "", "load before, after"), *map(_row, figures)]
    wide = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join([row[0].ljust(wide[0]), row[1].rjust(wide[1]), row[2].rjust(wide[2]), row[3].ljust(wide[3]), row[4]]).rstrip() for row in rows]
    details = [line for one in figures for line in (["", one.what, *(f"  {detail}" for detail in one.details)] if one.details else [])]
    return "\n".join([*lines, *details])


def _row(one: Figure) -> tuple[str, ...]:
    loads = ", ".join(f"{load:.1f}" for load in one.load)
    return one.what, f"{number(one.value)} {one.unit}".strip(), f"{number(one.budget)} {one.unit}".strip(), one.verdict, loads
