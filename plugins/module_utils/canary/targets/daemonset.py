# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DaemonSet: a pod on each node that it fits on, its former templates in ControllerRevisions.

It has no number of replicas. As Flagger does, it is taken off its nodes by a selector that no node fulfils: it is *parked*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import parking
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rollout import Rollout, unobserved
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET

KIND = DAEMONSET
API_VERSION = "apps/v1"
HISTORY = "ControllerRevision"
BESIDE = ("minReadySeconds", "revisionHistoryLimit", "updateStrategy")
PAUSES = False
IS_APEX = False

ON_DELETE = "OnDelete"


def template(live: Mapping[str, Any]) -> Mapping[str, Any]:
    return live["spec"]["template"]


def replicas(live: Mapping[str, Any]) -> int:
    return 0 if parking.is_parked(template(live)) else 1


def nodes(live: Mapping[str, Any]) -> int:
    return _counted(live, "desiredNumberScheduled")


def running(live: Mapping[str, Any]) -> int:
    return _counted(live, "currentNumberScheduled") + _counted(live, "numberMisscheduled")


def available(live: Mapping[str, Any]) -> int:
    return _counted(live, "numberAvailable")


def numbered(replicas: int) -> dict[str, Any]:
    return {}


def rollout(live: Mapping[str, Any], threshold: int = 100) -> Rollout:
    """Its controller knows no deadline, so that it is never stuck by itself: the document's deadline ends it (weak spot 10)."""
    name = live["metadata"]["name"]
    if unobserved(live):
        return Rollout(False, f"waiting for rollout to finish: the latest spec of {name} is not observed yet")
    if parking.is_parked(template(live)):
        return Rollout(False, f"{name} is parked, no node runs it")
    desired, updated, ready = nodes(live), _counted(live, "updatedNumberScheduled"), available(live)
    if desired == 0:
        return Rollout(False, f"waiting for rollout to finish: there is no node that {name} is to run on")
    if updated < desired:
        by_hand = f" (its updateStrategy is {ON_DELETE})" if (live["spec"].get("updateStrategy") or {}).get("type") == ON_DELETE else ""
        return Rollout(False, f"waiting for rollout to finish: {updated} out of {desired} new pods have been updated{by_hand}")
    if ready < max(1, desired * threshold // 100):
        return Rollout(False, f"waiting for rollout to finish: {ready} of {desired} (readyThreshold {threshold}%) updated pods are available")
    return Rollout(True)


def kept(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A ControllerRevision holds a patch: the whole template, and the word that it replaces the one before."""
    held = (((entry.get("data") or {}).get("spec")) or {}).get("template") or {}
    return {key: value for key, value in held.items() if key != "$patch"}


def newest_first(live: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Parking makes a revision of its own for the controller, and none for us: of two that mean the same, the one that is parked as the template is now."""
    parked = parking.is_parked(template(live))
    return sorted(history, key=lambda item: (parking.is_parked(kept(item)) != parked, -int(item.get("revision") or 0)))


def answering(live: Mapping[str, Any], pods: frozenset[str], entry: str) -> int:
    """Its pods do not say by their names which template they are of: each that was not updated may be one of those that are ready."""
    others = max(0, running(live) - _counted(live, "updatedNumberScheduled"))
    return max(0, len(pods) - others) if entry else 0


def scaling(name: str, replicas: int) -> str:
    return f"let {name} run on its nodes" if replicas else f"take {name} off its nodes"


def making(name: str, replicas: int) -> str:
    return f"create {name}"


def _counted(live: Mapping[str, Any], what: str) -> int:
    return int((live.get("status") or {}).get(what) or 0)
