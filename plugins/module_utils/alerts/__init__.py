# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What alerts look like, by the type of a provider. The next provider is one more file like webhook.py and one more row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.alerts import discord, gchat, msteams, rocket, slack, webhook
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import AlertProvider


class Provider(Protocol):
    """What the file of a provider has."""

    def payload(self, message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
        """The body of the POST to ``address``."""


PROVIDERS: Mapping[str, Provider] = {
    "slack": slack,
    "msteams": msteams,
    "discord": discord,
    "rocket": rocket,
    "gchat": gchat,
    "webhook": webhook,
}

# Where the address that people are given is not yet the one that is written to.
ENDPOINTS: Mapping[str, Callable[[str], str]] = {"discord": discord.endpoint}
