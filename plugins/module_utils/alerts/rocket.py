# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rocket.Chat: Slack's form with colours of its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.slack import attached
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ERROR, INFO, WARN, AlertProvider

COLORS = {INFO: "#0076D7", WARN: "#FFA500", ERROR: "#FF0000"}


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    return attached(message, provider, COLORS, str)
