# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target's autoscaler and its copy in the cluster: read, make, hold, let go, pause and resume; each a desired state.

Of the user's own nothing is changed but KEDA's pause, and the minimum while a removal gives the target its users back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import autoscalers, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Scaler
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import selector_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SCALED_OBJECT, Autoscaler, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, change, ensure


def target_ref(canary: Canary, scaler: Autoscaler) -> Ref:
    """The user's own."""
    return _ref(canary.namespace, scaler.kind, scaler.name)


def primary_ref(canary: Canary, scaler: Autoscaler) -> Ref:
    """Its copy."""
    return _ref(canary.namespace, scaler.kind, scaler.primary)


def _ref(namespace: str, kind: str, name: str) -> Ref:
    return (refs.scaled_object if kind == SCALED_OBJECT else refs.autoscaler)(namespace, name)


def written(canary: Canary) -> tuple[Ref, ...]:
    """Those that a walk of this document may change, and a takeover fences (SAFETY 1)."""
    scaler = canary.autoscaler
    if scaler is None:
        return ()
    return (primary_ref(canary, scaler), *((target_ref(canary, scaler),) if scaler.pauses else ()))


def users(canary: Canary) -> Ref | None:
    """The user's own; None where the document names none."""
    return target_ref(canary, canary.autoscaler) if canary.autoscaler else None


def got(api: Api, place: Ref) -> dict[str, Any] | None:
    """None as well where its kind is not served or it may not be read: preflight refuses that, and what goes down never waits for it."""
    try:
        return api.get(place)
    except KubeError as error:
        if error.status != 403 and error.reason != UNKNOWN_KIND:
            raise
        return None


def look(api: Api, canary: Canary) -> tuple[Scaler | None, bool]:
    """The primary's autoscaler, and whether there is one to make it from; one request, two where the copy is missing."""
    scaler = canary.autoscaler
    if scaler is None:
        return None, True
    live = got(api, primary_ref(canary, scaler))
    if live is not None:
        # Of one that is going away, the name is free only later.
        return None if live["metadata"].get("deletionTimestamp") else autoscalers.seen(live, canary), False
    return None, got(api, target_ref(canary, scaler)) is not None


def is_there(api: Api, canary: Canary) -> bool:
    """Whether the primary is scaled as the document says."""
    return canary.autoscaler is None or got(api, primary_ref(canary, canary.autoscaler)) is not None


def apply(writer: Writer, canary: Canary, minimum: int) -> Change:
    """The primary's autoscaler with at least so many replicas, made where it is missing; with 0 the minimum that it had is put back.

    Raises CanaryError where there is nothing to make it from, or somebody else made one of its name.
    """
    scaler = canary.autoscaler
    if scaler is None:
        raise CanaryError(f"the document of {canary.name} names no autoscaler: spec.autoscalerRef is needed for this order")
    place = primary_ref(canary, scaler)
    live = writer.api.get(place)
    if live is None or not marks.is_ours(live, canary.name):
        return _ensure(writer, canary, scaler, minimum)
    make = (lambda now: autoscalers.held(now, minimum)) if minimum else autoscalers.let_go
    return change(writer, place, make, live=live)


def follow(writer: Writer, canary: Canary, target: Mapping[str, Any]) -> list[Change]:
    """The copy as its original is now, held as it is held; where the original is gone, the copy stays as it is."""
    scaler = canary.autoscaler
    if scaler is None or got(writer.api, target_ref(canary, scaler)) is None:
        return []
    return [_ensure(writer, canary, scaler, 0, target)]


def _ensure(writer: Writer, canary: Canary, scaler: Autoscaler, minimum: int, target: Mapping[str, Any] | None = None) -> Change:
    original = existing(writer.api, target_ref(canary, scaler))
    target = target or existing(writer.api, refs.deployment(canary.namespace, canary.target))
    wanted = autoscalers.copy_of(original, canary, selector_of(target, canary.options.selector_labels))

    def make(live: dict[str, Any]) -> dict[str, Any]:
        return autoscalers.held(autoscalers.reconciled(live, wanted, canary), minimum)

    return ensure(writer, primary_ref(canary, scaler), lambda: autoscalers.held(wanted, minimum), make)


def rest(writer: Writer, canary: Canary, resting: bool) -> list[Change]:
    """KEDA is told whether the target rests, before its replicas say so: else it would put back what it finds (SAFETY 11: drained by now)."""
    place = users(canary) if canary.autoscaler and canary.autoscaler.pauses else None
    live = got(writer.api, place) if place else None
    if place is None or live is None:
        return []
    return [change(writer, place, autoscalers.paused if resting else autoscalers.resumed, live=live, claim=True)]


def keep_large(writer: Writer, canary: Canary, minimum: int) -> list[Change]:
    """The user's own autoscaler with at least so many replicas, while the target takes over; where it is gone, nothing."""
    place = users(canary)
    live = got(writer.api, place) if place else None
    if place is None or live is None:
        return []
    return [change(writer, place, lambda now: autoscalers.held(now, minimum), live=live, claim=True)]


def give_back(live: Mapping[str, Any], canary: Canary, epoch: int) -> dict[str, Any]:
    """The user's autoscaler as it was, without any word of ours but the mark of a removal (SAFETY 29)."""
    return marks.released(autoscalers.resumed(autoscalers.let_go(live)), canary.name, epoch)
