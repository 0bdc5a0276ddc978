# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that a metric provider's Secret holds, for the verb that uses them at once: they belong in no result (ANSIBLE 10)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api

# As Flagger names them.
KEYS = ("token", "username", "password")


def credentials(api: Api, namespace: str, name: str) -> Mapping[str, str] | CanaryError:
    """What the Secret holds of KEYS, or what is in the way of it: for whoever asks for several, one missing is no reason to stop."""
    try:
        found = api.get(refs.secret(namespace, name))
    except KubeError as error:
        return error
    if found is None:
        return CanaryError(f"there is no Secret {namespace}/{name}")
    try:
        held = {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items() if key in KEYS}
    except ValueError:
        return CanaryError(f"the Secret {namespace}/{name} holds what is no text")
    if "token" not in held and not {"username", "password"} <= held.keys():
        return CanaryError(f"the Secret {namespace}/{name} has neither the key token nor username and password")
    return held
