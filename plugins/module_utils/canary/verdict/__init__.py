# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a check's value becomes an outcome, by mode: today ``threshold``, Flagger's rule of a range for every check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Outcome
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import judge

JUDGES: Mapping[str, Callable[..., Outcome]] = {"threshold": judge}
