# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who scales the target, and would scale the primary: the autoscaler that the document names, and those that it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import autoscalers, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

Object = Mapping[str, Any]

REF = "spec.autoscalerRef"
REPLICAS = f"{REF}.primaryScalerReplicas"
_SERVERS = {HPA: "a Kubernetes of 1.23 or newer", SCALED_OBJECT: "install KEDA, or leave autoscalerRef out"}


def judge(canary: Canary, seen: Seen, findings: Findings) -> None:
    scaler = canary.autoscaler
    if scaler is not None:
        _named(canary, scaler, seen, findings)
    _others(canary, seen, findings)


def _named(canary: Canary, scaler: Autoscaler, seen: Seen, findings: Findings) -> None:
    if not seen.scaler_kind:
        findings.refuse(f"{REF}.kind", f"the API server does not know {scaler.kind} of {autoscalers.API_VERSIONS[scaler.kind]}", _SERVERS[scaler.kind])
        return
    if seen.primary_scaler is not None and not autoscalers.is_known(seen.primary_scaler, canary):
        findings.refuse(f"{REF}.name", f"{marks.name_of(seen.primary_scaler)} exists and was not made for the canary {canary.name}",
                        f"remove or rename it: the walk makes a {scaler.kind} of this name")
    if seen.scaler is None:
        if seen.scaler_readable:
            findings.refuse(f"{REF}.name", f"there is no {scaler.kind} '{scaler.name}' in namespace {canary.namespace}",
                            f"accepted: the name of a {scaler.kind} that scales {canary.target}")
        return
    if not autoscalers.scales(seen.scaler, canary.target):
        reference = seen.scaler["spec"].get("scaleTargetRef") or {}
        scaled = f"{reference.get('kind', 'Deployment')} {reference.get('name', '')}"
        findings.refuse(f"{REF}.name", f"{marks.name_of(seen.scaler)} scales {scaled}, not Deployment {canary.target}",
                        f"accepted: the name of a {scaler.kind} whose scaleTargetRef is {canary.target}")
        return
    _belongs(canary, scaler, seen.scaler, findings)
    _bounds(canary, scaler, seen, seen.scaler, findings)
    if scaler.kind == SCALED_OBJECT:
        _of_keda(canary, scaler, seen.scaler, findings)


def _belongs(canary: Canary, scaler: Autoscaler, live: Object, findings: Findings) -> None:
    made_by = _made_by_keda(live)
    if made_by:
        findings.refuse(f"{REF}.name", f"{marks.name_of(live)} is made by KEDA from {SCALED_OBJECT} {made_by}, which puts back what differs",
                        f"accepted: kind: {SCALED_OBJECT}, apiVersion: {autoscalers.API_VERSIONS[SCALED_OBJECT]}, name: {made_by}")
    other = excerpt(marks.annotations_of(live).get(marks.CANARY, ""))
    if scaler.pauses and other and other != canary.name:
        findings.refuse(f"{REF}.name", f"{marks.name_of(live)} belongs to the canary {other}", "accepted: an autoscaler that no other canary names")


def _bounds(canary: Canary, scaler: Autoscaler, seen: Seen, live: Object, findings: Findings) -> None:
    least, most = autoscalers.bounds(live)
    if least < 1:
        findings.refuse(f"{REF}.name", f"{marks.name_of(live)} may scale {canary.target} to 0: in the middle of a walk nobody would answer for the canary",
                        "give it a minimum of 1 or more; between walks the target rests at 0 by itself")
    wanted_least, wanted_most = scaler.min_replicas or max(1, least), scaler.max_replicas or most
    if wanted_least > wanted_most:
        field, value = ("minReplicas", wanted_least) if scaler.min_replicas else ("maxReplicas", wanted_most)
        limit = f"from 1 to {most}" if scaler.min_replicas else f"from {least} on"
        findings.refuse(f"{REPLICAS}.{field}", f"{value} does not fit {marks.name_of(live)}, which has {least} to {most} replicas",
                        f"accepted: a whole number {limit}, or the other bound as well")
    now = max(_replicas(seen.target), _replicas(seen.primary))
    if now > wanted_most:
        findings.warn(f"{REPLICAS}.maxReplicas" if scaler.max_replicas else f"{REF}.name",
                      f"gives {canary.primary} {wanted_most} replicas at most, and {now} serve users now")
    if canary.analysis.counts_without_users and canary.splits and least < now:
        findings.warn(f"{REF}.name", f"{marks.name_of(live)} may shrink {canary.target} to {least} replicas while nobody uses it, and then all users meet it "
                                     f"at once: it is scaled to as many as {canary.primary} has just before, and a higher minimum would keep it there")


def _of_keda(canary: Canary, scaler: Autoscaler, live: Object, findings: Findings) -> None:
    annotations = marks.annotations_of(live)
    if live["spec"].get("idleReplicaCount") is not None:
        findings.refuse(f"{REF}.name", f"{marks.name_of(live)} has idleReplicaCount, so that KEDA takes {canary.target} to 0 as soon as it has nothing to do",
                        "leave idleReplicaCount out")
    by_somebody = [key for key in annotations if key.startswith(autoscalers.PAUSED) and (key, annotations[key]) != (autoscalers.PAUSED_REPLICAS, "0")]
    if by_somebody:
        findings.refuse(f"{REF}.name", f"{marks.name_of(live)} was paused by somebody ({', '.join(sorted(by_somebody))}), and a walk would undo that",
                        "take the annotation off first")
    named = [excerpt(str(trigger["name"]), 60) for trigger in autoscalers.triggers(live) if trigger.get("name")]
    for name in (excerpt(name, 60) for name in scaler.queries):
        if name not in named:
            findings.refuse(f"{REF}.primaryScalerQueries.{name}", f"{marks.name_of(live)} has no trigger of this name",
                            f"accepted: {', '.join(named) or 'no name, since its triggers have none'}")
    for number, trigger in enumerate(autoscalers.triggers(live)):
        query = (trigger.get("metadata") or {}).get("query")
        if query and trigger.get("name") not in scaler.queries and not autoscalers.names(query, canary.target):
            findings.warn(f"{REF}.name", f"{marks.name_of(live)}: the query of spec.triggers[{number}] says nothing of {canary.target}, so that "
                                         f"{canary.primary} is scaled by the same value: primaryScalerQueries gives it another one")


def _others(canary: Canary, seen: Seen, findings: Findings) -> None:
    """Those that no document names: two on one workload undo each other, and none on the primary is a primary of a fixed size."""
    scaler = canary.autoscaler
    for live in _unnamed(canary, scaler, seen):
        if scaler is not None and autoscalers.scales(live, canary.primary):
            findings.refuse(marks.name_of(live), f"scales {canary.primary}, as {scaler.kind} {scaler.primary} would, which the walk makes: two on one "
                                                 "Deployment undo each other", "remove it, or leave spec.autoscalerRef out")
        elif not autoscalers.scales(live, canary.target):
            continue
        elif scaler is not None:
            findings.refuse(marks.name_of(live), f"scales {canary.target}, as {scaler.called} does: two on one Deployment undo each other",
                            "remove one of them")
        else:
            findings.warn(marks.name_of(live), f"scales {canary.target}, not {canary.primary}, which serves users with a fixed number of pods from now on: "
                                               "name it in spec.autoscalerRef, and the primary gets a copy of it")


def _unnamed(canary: Canary, scaler: Autoscaler | None, seen: Seen) -> Iterator[Object]:
    known = {scaler.name, scaler.primary} if scaler else set()
    for live in seen.autoscalers:
        if scaler is not None and (live["metadata"]["name"] in known if scaler.kind == HPA else _made_by_keda(live) in known):
            continue
        yield live


def _made_by_keda(live: Object) -> str:
    """The name of the ScaledObject that a HorizontalPodAutoscaler was made from; empty for others."""
    return next((str(owner.get("name")) for owner in live["metadata"].get("ownerReferences") or [] if owner.get("kind") == SCALED_OBJECT), "")


def _replicas(deployment: Object | None) -> int:
    if deployment is None:
        return 0
    wanted = deployment["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)
