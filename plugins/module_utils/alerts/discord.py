# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Discord, by the part of its webhooks that reads Slack's form.

https://docs.discord.com/developers/resources/webhook#execute-slackcompatible-webhook
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.slack import COLORS, attached
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import AlertProvider


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    return attached(message, provider, COLORS, str)


def endpoint(address: str) -> str:
    """As in Flagger, ``/slack`` behind the path, once."""
    parts = urllib.parse.urlsplit(address)
    path = parts.path.rstrip("/")
    return urllib.parse.urlunsplit(parts._replace(path=path if path.endswith("/slack") else f"{path}/slack"))
