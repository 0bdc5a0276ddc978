# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When nobody comes back to a walk (SAFETY 32): by when somebody should have, and whether that has a consequence."""

from __future__ import annotations

import dataclasses

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

HOLD = "hold"
ROLLBACK = "rollback"
POLICIES = (HOLD, ROLLBACK)

# Seconds after which a walk that is due and held by nobody counts as left alone.
PATIENCE = 60.0

# Where something can be rolled back: before there is nothing to take back, and what is finalising is finished.
PHASES = (states.PROGRESSING, states.WAITING_PROMOTION, states.PROMOTING)


def expected(record: Record) -> float:
    """By when somebody should have come back, whoever it is."""
    since = record.holder.until if record.holder else record.last_transition
    return max(record.due, since, record.confirmed_at, record.intent.at if record.intent else 0.0)


def orphaned_since(record: Record, now: float, patience: float = PATIENCE) -> float:
    """Since when somebody should have come back and nobody did; 0 when all is well, or nothing is under way."""
    if record.phase in ("", *states.IDLE, states.TERMINATED):
        return 0.0
    by = expected(record)
    return by if now > by + patience else 0.0


def noted(canary: Canary, record: Record, now: float) -> Record:
    """The record as it is found by a run that has not claimed it yet. Waiting for a person is no absence."""
    if canary.options.on_absence != ROLLBACK or record.phase not in PHASES or record.closed_gate or record.absent_since:
        return record
    patience = max(canary.options.absence, 2 * canary.analysis.interval)
    return dataclasses.replace(record, absent_since=orphaned_since(record, now, patience))
