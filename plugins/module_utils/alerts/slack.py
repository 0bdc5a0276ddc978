# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slack: an incoming webhook, or with a token chat.postMessage.

https://docs.slack.dev/messaging/formatting-message-text: of a text, &, < and > are escaped, so that none of it becomes a mention or a link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ERROR, INFO, WARN, AlertProvider

# In Flagger a warning looks like an information (weak spot 52).
COLORS = {INFO: "good", WARN: "warning", ERROR: "danger"}


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    return attached(message, provider, COLORS, escaped)


def attached(message: Message, provider: AlertProvider, colors: Mapping[str, str], plain: Callable[[str], str]) -> dict[str, Any]:
    """Slack's own form, which others read too, each with its ``colors``; ``plain`` makes a text one that means nothing but itself."""
    return {
        "channel": provider.channel,
        "username": provider.username,
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [{
            "color": colors[message.severity],
            "author_name": message.title,
            "text": plain(message.text),
            "mrkdwn_in": ["text"],
            "fields": [{"title": plain(name), "value": plain(value), "short": False} for name, value in message.fields],
        }],
    }


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
