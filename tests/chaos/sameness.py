# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a walk leaves behind, without what differs between any two walks: two ends are equal when nothing that matters differs."""

from __future__ import annotations

import json
from typing import Any

from harness import Release

OBJECTS = (("deployment", ""), ("deployment", "-primary"), ("service", ""), ("service", "-primary"), ("service", "-canary"), ("httproute", ""),
           ("configmap", ""), ("poddisruptionbudget", ""), ("poddisruptionbudget", "-primary"))
# Of metadata: what the server counts and our fence, whose number says how often somebody took over.
VOLATILE = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace", "selfLink"}
ANNOTATIONS = {"progressive.delivery/epoch", "progressive.delivery/released",
               "deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"}
# Of the record: times, whose walk it was, how often it was taken over or told what to do, what was measured, and the line that nobody has printed yet.
RECORD = {"epoch", "holder", "run", "confirmed_at", "due", "due_why", "drain_until", "ready_since", "unready_since", "hold_since", "started_at", "evidence",
          "outcome_at", "last_transition", "condition_since", "target_uid", "judged_by", "aborted_in", "absent_since", "announced", "replicaset_uid",
          "obeyed", "lastTransitionTime", "lastUpdateTime", "conditions", "clusterIP", "clusterIPs", "inventory", "report"}


def end(release: Release) -> dict[str, Any]:
    """By "kind/name": the spec and metadata of each object that a canary has, and its record. None = there is no such object."""
    found: dict[str, Any] = {f"{kind}/{release.name}{suffix}": _object(release.get(kind, release.name + suffix)) for kind, suffix in OBJECTS}
    found["copies"] = {one["metadata"]["name"]: one.get("data") for one in release.owned("configmap") if one["metadata"]["name"] != f"{release.name}-canary"}
    record = release.record()
    found["record"] = _without(record, RECORD)
    found["inventory"] = sorted(record["walk"].get("inventory", []))
    return json.loads(_anonymous(json.dumps(found, sort_keys=True), release, record))


def differences(expected: Any, found: Any, at: str = "") -> list[str]:
    """Where the two differ, a line each."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for key in sorted({*expected, *found}) for line in differences(expected.get(key), found.get(key), f"{at}.{key}")]
    return [] if expected == found else [f"{at}: {expected!r} became {found!r}"]


def _object(body: dict[str, Any]) -> Any:
    if not body:
        return None
    metadata = {key: value for key, value in body["metadata"].items() if key not in VOLATILE}
    metadata["annotations"] = {key: value for key, value in metadata.get("annotations", {}).items() if key not in ANNOTATIONS}
    return {"metadata": metadata, "spec": _without(body.get("spec", {}), RECORD), "data": body.get("data")}


def _without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    return [_without(item, keys) for item in value] if isinstance(value, list) else value


def _anonymous(text: str, release: Release, record: dict[str, Any]) -> str:
    """Without the names that only this round has: of its namespace, its version and its revisions."""
    status, walk = record["status"], record["walk"]
    environment = release.get("deployment", release.name)["spec"]["template"]["spec"]["containers"][0].get("env", [])
    version = next((one["value"] for one in environment if one["name"] == "VERSION"), "")
    names = {release.namespace: "NAMESPACE", f'"name": "VERSION", "value": "{version}"': '"name": "VERSION", "value": "THIS"'}
    names |= {status.get(key, ""): key.upper() for key in ("lastAppliedSpec", "lastPromotedSpec")}
    names |= {(walk.get(key) or {}).get(part, ""): f"{key} {part}".upper() for key in ("pinned", "previous") for part in ("replicaset", "revision")}
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = text.replace(name, names[name])
    return text
