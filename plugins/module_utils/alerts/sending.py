# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts on the wire: they decide nothing and hold nothing up. What cannot be delivered is said once, and not tried again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import exchange
from ansible_collections.progressive.delivery.plugins.module_utils.alerts import ENDPOINTS, PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.destination import Destination, Secrets, destination_of
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Alert, AlertProvider

# Flagger's time-out of one alert; and seconds for all that are told at once, however many there are.
TIMEOUT = 5.0
ALTOGETHER = 10.0
AT_ONCE = 8

# Bytes of an answer, of which at most one word is shown, such as channel_not_found.
LIMIT = 4096
_WORD = re.compile(r"[a-z]+(?:_[a-z]+)+")


def send(alerts: Sequence[Alert], messages: Sequence[Message], secrets: Secrets) -> tuple[str, ...]:
    """Tell every alert what it wants of ``messages``: providers at the same time, messages in order. Returns what went wrong, one sentence an alert.

    A provider that failed once is left alone for the rest. Raises MissingLibrary without the requests library.
    """
    wanted = [(alert, told) for alert in alerts if (told := [message for message in messages if alert.wants(message.severity)])]
    if not wanted:
        return ()
    # One after another: a client of the API server is for one thread.
    held = {alert.index: destination_of(alert.provider, secrets) for alert, _told in wanted}
    until = time.monotonic() + ALTOGETHER

    def tell(alert: Alert, told: Sequence[Message]) -> str:
        found = held[alert.index]
        problem = f"{alert.provider.called}: {found}" if isinstance(found, CanaryError) else next(
            filter(None, (_post(alert.provider, found, message, until) for message in told)), "")
        return f"alert {alert.name} was not delivered: {problem}" if problem else ""

    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(wanted))) as pool:
        return tuple(filter(None, pool.map(lambda one: tell(*one), wanted)))


def _post(provider: AlertProvider, destination: Destination, message: Message, until: float) -> str:
    """Why it did not arrive, empty when it did."""
    left = until - time.monotonic()
    if left <= 0:
        return f"{provider.called}: others took so long that no time was left for it"
    address, token = destination.address, destination.token
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = json.dumps(PROVIDERS[provider.type].payload(message, provider, address), allow_nan=False).encode()
    reply = exchange.exchange(exchange.Request("POST", ENDPOINTS.get(provider.type, str)(address), headers=headers, body=body,
                                               timeout=min(TIMEOUT, left), limit=LIMIT, proxy=provider.proxy, called=provider.called))
    if reply.failure:
        return reply.failure
    if 300 <= reply.status < 400:
        return f"{provider.called} answered {reply.status}, a redirect, which is not followed"
    said = _answer(reply)
    if reply.status // 100 == 2 and said.get("ok") is not False:
        return ""
    # Any other text may hold the address or what was sent.
    word = str(said.get("error", ""))
    shown = _WORD.fullmatch(word) and word not in address and word not in token
    return f"{provider.called} answered {reply.status}" + (f": {word}" if shown else "")


def _answer(reply: exchange.Reply) -> Mapping[str, Any]:
    """Slack's answers: its API says 200 and ``ok: false`` with a word for an error, its webhooks only that word."""
    try:
        said = json.loads(reply.text)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {"error": reply.text.strip()}
