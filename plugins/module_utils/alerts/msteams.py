# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft Teams: an Adaptive Card for Workflows, which read nothing else, and Flagger's MessageCard for the connectors before them."""

from __future__ import annotations

import urllib.parse
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ERROR, INFO, WARN, AlertProvider

COLORS = {INFO: "0076D7", WARN: "FFA500", ERROR: "FF0000"}
# https://adaptivecards.io/explorer/TextBlock.html
STYLES = {INFO: "Accent", WARN: "Warning", ERROR: "Attention"}

# Where Workflows listen, in Microsoft's clouds.
_WORKFLOWS = tuple(f".{service}.{cloud}" for service in ("logic.azure", "powerplatform", "powerautomate") for cloud in ("com", "us", "cn"))


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    host = urllib.parse.urlsplit(address).hostname or ""
    return _adaptive_card(message) if host.endswith(_WORKFLOWS) else _message_card(message)


def _message_card(message: Message) -> dict[str, Any]:
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": COLORS[message.severity],
        "summary": message.title,
        "sections": [{
            "activityTitle": message.text,
            "activitySubtitle": message.title,
            "facts": [{"name": name, "value": value} for name, value in message.fields],
        }],
    }


def _adaptive_card(message: Message) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": message.text, "weight": "Bolder", "color": STYLES[message.severity], "wrap": True},
            {"type": "TextBlock", "text": message.title, "isSubtle": True, "wrap": True},
            {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in message.fields]},
        ],
        "msteams": {"width": "Full"},
    }
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}]}
