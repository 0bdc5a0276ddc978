# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traefik: a TraefikService that splits between two Services by weight, named by an IngressRoute of the user's.

Weights are proportions; one that is not given is 1. Where any Service that it names has no endpoints, whatever its weight, Traefik 3.7 serves nothing
of the object and answers 404 to everybody, unless it was started with allowEmptyServices. So the canary is not named while it gets nothing, as Flagger
has it, and an object of the user's own, which would have to name it between releases, cannot be walked on. Traefik reports nothing on the object: what
the API server took counts as accepted; Traefik follows after its throttle (providersThrottleDuration, 2 s where nobody set it).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import dotted, json_patch
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ours, proportions

GROUP = "traefik.io"
VERSION = "v1alpha1"
KIND = "TraefikService"
SPLITS = ("spec", "weighted", "services")

# Fields of spec.service that Flagger's Traefik router leaves out in silence.
_NOT_HERE = {
    "gateway_refs": "gatewayRefs", "hosts": "hosts", "match": "match", "timeout": "timeout", "backend_timeout": "backendTimeout",
    "rewrite": "rewrite", "headers": "headers", "mirror": "mirror", "cors_policy": "corsPolicy",
}
_WEIGHT = re.compile(r"/spec/weighted/services/[0-9]+/weight")


def ref(canary: Canary) -> dict[str, str]:
    return {"group": GROUP, "version": VERSION, "plural": "traefikservices", "kind": KIND, "name": canary.service.route_name}


# What is wanted

def refuse(canary: Canary) -> list[str]:
    service = canary.service
    problems = [f"canary_route_rule: a {KIND} has one list of services; leave it out"] if service.route_rule else []
    if canary.analysis.match:
        problems.append(f"spec.analysis.match: a {KIND} cannot tell requests apart, and in Flagger the first iteration sends all users to the canary; "
                        "leave it out (blue/green)")
    if canary.analysis.mirror:
        problems.append(f"spec.analysis.mirror: copies by a {KIND} are not supported yet, and in Flagger a weighted canary stays at weight 0 for ever; "
                        "accepted: false, or nothing")
    if canary.analysis.affinity:
        problems.append(f"spec.analysis.sessionAffinity: nobody's cookies are set by a canary's {KIND}, and in Flagger it is left out in silence; "
                        "accepted: no sessionAffinity, or the provider gatewayapi:v1")
    if canary.adopted:
        return [*problems, f"canary_route: adopted means a {KIND} that names the canary between releases as well, when it has no endpoints, and then Traefik "
                           "answers 404 to everybody; leave it out"]
    return problems + [f"spec.service.{name}: a {KIND} cannot say it, and in Flagger it is left out in silence; the IngressRoute of yours that names "
                       f"the {KIND} can" for field, name in _NOT_HERE.items() if getattr(service, field)]


def desired(canary: Canary, split: Split) -> dict[str, Any]:
    service = canary.service
    entries = [_entry(canary, name, weight) for name, weight in ((service.primary_name, split.primary), (service.canary_name, split.canary))]
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": ours.metadata(canary, ()),
            "spec": {"weighted": {"services": [entry for entry in entries if entry["weight"] or entry["name"] != service.canary_name]}}}


# What is there

def owned(obj: Mapping[str, Any], canary: Canary) -> bool:
    return marks.is_ours(obj, canary.name) and not canary.adopted


def snippet(canary: Canary) -> str:
    service, port = canary.service, canary.service.port or "PORT"
    return f"services: [{{name: {service.primary_name}, port: {port}, weight: 100}}, {{name: {service.canary_name}, port: {port}, weight: 0}}]"


def mismatch(obj: Mapping[str, Any], canary: Canary) -> str:
    if read(obj, canary) is not None:
        return ""
    service = canary.service
    return (f"{marks.name_of(obj)}: it does not split between the Services {service.primary_name} and {service.canary_name}; under spec.weighted it "
            f"must hold exactly {snippet(canary)}")


def read(obj: Mapping[str, Any], canary: Canary) -> Split | None:
    pair = _pair(obj, canary)
    if pair:
        return proportions.split_of(*map(_weight, pair))
    alone = [entry.get("name") for entry in _entries(obj)] == [canary.service.primary_name]
    return Split(100, 0) if alone and owned(obj, canary) and _weight(_entries(obj)[0]) else None


def accepted(obj: Mapping[str, Any], canary: Canary) -> tuple[bool, str]:
    return True, ""


# What is changed

def write(obj: Mapping[str, Any], canary: Canary, split: Split) -> dict[str, Any]:
    """Of a user's object that does not hold our two Services nothing is changed: ask ``mismatch`` first."""
    after = copy.deepcopy(dict(obj))
    pair = _pair(after, canary)
    if pair and not proportions.mean(*map(_weight, pair), split):
        pair[0]["weight"], pair[1]["weight"] = split.primary, split.canary
    if owned(obj, canary):
        _reconcile(after, desired(canary, split), keep_weights=pair is not None)
    return after


def release(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """The apex stands where our Services stood, with what else the primary's entry said."""
    after = copy.deepcopy(dict(obj))
    service, entries = canary.service, _entries(after)
    kept = [entry for entry in entries if entry.get("name") not in (service.primary_name, service.canary_name)]
    if len(kept) == len(entries):
        return after
    if not any(entry.get("name") == service.name for entry in kept):
        said = next((entry for entry in entries if entry.get("name") == service.primary_name), {})
        kept.insert(0, {**said, **_entry(canary, service.name, 100)})
    after["spec"]["weighted"]["services"] = kept
    return after


def beside(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """Traefik knows who answers behind a Service as soon as it is named."""
    return copy.deepcopy(dict(obj))


def differs(obj: Mapping[str, Any], canary: Canary) -> list[str]:
    steps = json_patch(obj, write(obj, canary, read(obj, canary) or Split(100, 0)))
    return [dotted(step["path"]) for step in steps if not _WEIGHT.fullmatch(step["path"])]


def _reconcile(obj: dict[str, Any], wanted: Mapping[str, Any], keep_weights: bool) -> None:
    """Our two and no other; what else an entry or the object says stays."""
    ours.reconcile_metadata(obj["metadata"], wanted["metadata"])
    live = {entry.get("name"): entry for entry in _entries(obj)}
    entries = [{**live.get(entry["name"], {}), **entry} for entry in wanted["spec"]["weighted"]["services"]]
    for entry in entries if keep_weights else ():
        entry["weight"] = _weight(live[entry["name"]])
    spec = obj.setdefault("spec", {})
    spec["weighted"] = {**(spec.get("weighted") or {}), "services": entries}


def _entries(obj: Mapping[str, Any]) -> list[Any]:
    return ((obj.get("spec") or {}).get("weighted") or {}).get("services") or []


def _pair(obj: Mapping[str, Any], canary: Canary) -> tuple[Any, Any] | None:
    """(primary, canary) when it splits between exactly these two Services."""
    entries = _entries(obj)
    by_name = {entry.get("name"): entry for entry in entries if entry.get("kind", "Service") == "Service"}
    for primary in canary.primary_backends:
        if len(entries) == 2 and set(by_name) == {primary, canary.service.canary_name}:
            return by_name[primary], by_name[canary.service.canary_name]
    return None


def _weight(entry: Mapping[str, Any]) -> int:
    weight = entry.get("weight")
    return 1 if weight is None else int(weight)


def _entry(canary: Canary, name: str, weight: int) -> dict[str, Any]:
    return {"name": name, "namespace": canary.namespace, "port": canary.service.port, "weight": weight}
