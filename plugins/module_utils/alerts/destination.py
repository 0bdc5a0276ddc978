# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where alerts of a provider go: its address and token, out of the document or out of its Secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Alert, AlertProvider

# Who is sent the token of a Secret; to others it means nothing.
BEARERS = (flagger.SLACK, flagger.ALERT_WEBHOOK)

Secrets = Callable[[str, str], Union[Mapping[str, str], CanaryError]]
"""What the Secret of a namespace and name holds, or why it could not be read."""


@dataclass(frozen=True)
class Destination:
    """Both are secrets."""

    address: str = field(repr=False)
    token: str = field(default="", repr=False)


def destination_of(provider: AlertProvider, secrets: Secrets) -> Destination | CanaryError:
    """Where its alerts go, or what is in the way."""
    if not provider.secret:
        return Destination(provider.address)
    held = secrets(provider.namespace, provider.secret)
    if isinstance(held, CanaryError):
        return held
    # A Secret made by `echo` ends in a newline.
    address, token = held["address"].strip(), held.get("token", "").strip()
    wrong = formats.URL.wrong(address)
    if wrong:
        return CanaryError(f"the address in the Secret {provider.namespace}/{provider.secret} {wrong}")
    return Destination(address, token if provider.type in BEARERS else "")


def objections(alerts: Sequence[Alert], secrets: Secrets) -> Iterator[SpecError]:
    """Before a walk: the Secrets that cannot be used, each once. Nobody is written to."""
    for provider in dict.fromkeys(alert.provider for alert in alerts):
        found = destination_of(provider, secrets)
        if isinstance(found, CanaryError):
            yield SpecError(f"{provider.called} spec.secretRef.name", str(found), "accepted: a Secret that may be read, with the key address")
