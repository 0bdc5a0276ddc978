# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes Events about a canary, in Flagger's words and under its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Told, rfc3339
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api

REASON = "Synced"
COMPONENT = "progressive-delivery"
LONGEST = 1024                          # bytes of a message, by the API's rule


def emit(api: Api, involved: Mapping[str, str], messages: Sequence[Told]) -> list[str]:
    """One Event a message on the object ``involved`` (apiVersion, kind, namespace, name, uid). Returns what went wrong, in sentences.

    Nothing that users feel hangs on an Event: a refusal must not hold up a rollback.
    """
    problems = []
    for message in messages:
        try:
            api.create(refs.event(involved["namespace"]), _event(involved, message, rfc3339(api.now())))
        except KubeError as error:
            problems.append(str(error))
    return problems


def _event(involved: Mapping[str, str], message: Told, now: str) -> dict[str, Any]:
    text = one_line(message.message).encode()[:LONGEST].decode(errors="ignore")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{involved['name'][:200]}.", "namespace": involved["namespace"]},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "type": message.kind,
        "reason": REASON,
        "message": text,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
