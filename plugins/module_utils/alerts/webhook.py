# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON for whoever reads it: not a type of Flagger's, which has event webhooks for that, without severities and fields."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import rfc3339
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import AlertProvider


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    return {
        "name": message.name,
        "namespace": message.namespace,
        "phase": message.phase,
        "severity": message.severity,
        "message": message.text,
        "timestamp": rfc3339(message.at),
        "fields": dict(message.fields),
    }
