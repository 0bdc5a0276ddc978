# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Weights that are proportions of their sum, as most providers have them."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split


def split_of(primary: int, canary: int) -> Split | None:
    """What two weights mean in percent; None when nobody is served."""
    total = primary + canary
    if not total:
        return None
    # A share too small for a percent is still traffic: never said to be nothing.
    percent = min(99 if primary else 100, max(1 if canary else 0, round(100 * canary / total)))
    return Split(100 - percent, percent)


def mean(primary: int, canary: int, split: Split) -> bool:
    """Whether two weights say this already: 9 and 1 say what 90 and 10 say, and a spelling of the user's is not ours to change."""
    return primary + canary > 0 and primary * split.canary == canary * split.primary
