# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that the Secret of a metric or alert provider holds, for the verb that uses them at once: they belong in no result (ANSIBLE 10)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api

# As Flagger names them.
KEYS = ("token", "username", "password")
OF_ALERTS = ("address", "token")


def credentials(api: Api, namespace: str, name: str) -> Mapping[str, str] | CanaryError:
    """What the Secret holds of KEYS, or what is in the way of it: for whoever asks for several, one missing is no reason to stop."""
    held = _held(api, namespace, name, KEYS)
    if not isinstance(held, CanaryError) and "token" not in held and not {"username", "password"} <= held.keys():
        return CanaryError(f"the Secret {namespace}/{name} has neither the key token nor username and password")
    return held


def of_alerts(api: Api, namespace: str, name: str) -> Mapping[str, str] | CanaryError:
    """The same of OF_ALERTS, of which the address is needed."""
    held = _held(api, namespace, name, OF_ALERTS)
    if not isinstance(held, CanaryError) and not held.get("address"):
        return CanaryError(f"the Secret {namespace}/{name} does not have the key address")
    return held


def _held(api: Api, namespace: str, name: str, keys: tuple[str, ...]) -> Mapping[str, str] | CanaryError:
    try:
        found = api.get(refs.secret(namespace, name))
    except KubeError as error:
        return error
    if found is None:
        return CanaryError(f"there is no Secret {namespace}/{name}")
    try:
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items() if key in keys}
    except ValueError:
        return CanaryError(f"the Secret {namespace}/{name} holds what is no text")
