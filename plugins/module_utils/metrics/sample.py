# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a metric provider answers, the same for every provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One answer to one query. ``error`` says in words why there is none; it never holds a credential."""

    value: float | None = None          # NaN counts as none, infinities are kept
    series: int = 0                     # how many the query returned; a value is only given for exactly one
    error: str = ""
    warnings: tuple[str, ...] = ()      # the provider's own, such as a partial answer
