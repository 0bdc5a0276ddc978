# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target: whose pods are the user's own, and what is walked is whom it selects.

The user points the target at another version. ``-primary`` keeps what was promoted, ``-canary`` gets what the target selects when its
analysis begins, and keeps it; what is promoted is what ``-canary`` selects. Nobody's pods are made, scaled or drained here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SERVICE, Canary

KIND = SERVICE
API_VERSION = "v1"
HISTORY = "Service"
PAUSES = False
IS_APEX = True

# Of -primary the selector and ports that it had before a promotion; of -canary, that it leads to a revision on trial.
PREVIOUS = marks.PREFIX + "previous"
TRIAL = marks.PREFIX + "trial"

# What of a Service says whom requests reach, with what the API server writes where it says nothing. Types, addresses and node ports are each one's own.
_DEFAULTS: Mapping[str, Any] = {
    "selector": None, "sessionAffinity": "None", "sessionAffinityConfig": None, "publishNotReadyAddresses": None, "internalTrafficPolicy": "Cluster",
    "trafficDistribution": None,
}


def template(live: Mapping[str, Any]) -> dict[str, Any]:
    """What a Service means, in the place of a pod template: its revision is made of it."""
    spec = live["spec"]
    said = {key: spec[key] for key, default in _DEFAULTS.items() if spec.get(key) not in (None, default)}
    return {"spec": {**said, "ports": [_port(port) for port in spec.get("ports") or []]}}


def revision(live: Mapping[str, Any]) -> str:
    return revision_of(template(live))


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in port.items() if key != "nodePort"}
    return {"protocol": "TCP", "targetPort": port["port"], **own}


def leading(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The Service that leads where ``wanted``, a template, says; itself where it does already."""
    if revision(live) == revision_of(wanted):
        return dict(live)
    spec = {key: value for key, value in live["spec"].items() if key not in _DEFAULTS}
    said = {key: value for key, default in _DEFAULTS.items() if (value := wanted["spec"].get(key, default)) is not None}
    known = {(port.get("name", ""), port["port"]): port["nodePort"] for port in live["spec"].get("ports") or [] if "nodePort" in port}
    ports = [{**port, **({"nodePort": known[place]} if (place := (port.get("name", ""), port["port"])) in known else {})} for port in wanted["spec"]["ports"]]
    return {**live, "spec": {**spec, **copy.deepcopy(said), "ports": copy.deepcopy(ports)}}


def made(name: str, canary: Canary, like: Mapping[str, Any], **annotations: str) -> dict[str, Any]:
    """A Service of ours that leads where ``like`` does."""
    spec: dict[str, Any] = {"type": "ClusterIP"}
    if like["spec"].get("clusterIP") == "None":
        spec["clusterIP"] = "None"
    empty = {"metadata": {"name": name, "namespace": canary.namespace}, "spec": {**spec, "ports": []}}
    return {
        "apiVersion": API_VERSION, "kind": KIND,
        "metadata": {**empty["metadata"], "labels": {marks.CANARY: marks.label_of(canary.name)},
                     "annotations": {**marks.TOOLKIT, marks.CANARY: canary.name, **annotations}},
        "spec": leading(empty, template(like))["spec"],
    }


def new_primary(target: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """It leads where the target does, and says so."""
    return made(canary.primary, canary, target, **{marks.PROMOTED: revision(target)})


def pinned(found: Mapping[str, Any] | None, order: Mapping[str, str], canary: Canary) -> dict[str, Any]:
    """What -canary leads to, if it is the very Service that was analysed, leading where it did then (SAFETY 17). Raises CanaryError when it is not."""
    what = f"{KIND} {canary.namespace}/{order['replicaset']}"
    if found is None:
        raise CanaryError(f"{what} is gone, so what was analysed can no longer be promoted")
    if order.get("uid") and found["metadata"]["uid"] != order["uid"]:
        raise CanaryError(f"{what} is not the one that was analysed (its uid differs): that one was deleted, and it cannot be promoted")
    if revision(found) != order["revision"]:
        raise CanaryError(f"{what} does not lead to the revision that was analysed ({order['revision'][:10]}), so it cannot be promoted")
    return template(found)


def promoted(primary: Mapping[str, Any], wanted: Mapping[str, Any], noted: str) -> dict[str, Any]:
    """The primary leading there, with the note of it; where it led before is kept, for nobody else keeps it."""
    if revision(primary) == revision_of(wanted):
        return marks.with_annotations(primary, {marks.PROMOTED: noted})
    before = json.dumps(template(primary), sort_keys=True, separators=(",", ":"))
    return marks.with_annotations(leading(primary, wanted), {marks.PROMOTED: noted, PREVIOUS: before})


def restored(primary: Mapping[str, Any], noted: str) -> dict[str, Any]:
    """The primary leading to this revision again. Raises CanaryError when it neither does so nor remembers how."""
    if marks.annotations_of(primary).get(marks.PROMOTED) == noted:
        return dict(primary)
    before = _remembered(primary)
    if before is not None and revision_of(before) == noted:
        return marks.with_annotations(leading(primary, before), {marks.PROMOTED: noted})
    if revision(primary) == noted:
        return marks.with_annotations(primary, {marks.PROMOTED: noted})
    raise CanaryError(f"{marks.name_of(primary)} does not remember the revision {noted[:10]}, so it cannot be restored")


def _remembered(primary: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        before = json.loads(marks.annotations_of(primary).get(PREVIOUS, "null"))
    except ValueError:
        return None
    return before if isinstance(before, dict) and isinstance((before.get("spec") or {}).get("ports"), list) else None


def on_trial(live: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """-canary leading where the target does."""
    return marks.with_annotations(leading(live, template(target)), {TRIAL: revision(target)})


def at_rest(live: Mapping[str, Any], primary: Mapping[str, Any]) -> dict[str, Any]:
    """-canary leading where the primary does, so that nobody is led to what was rejected."""
    moved = leading(live, template(primary))
    kept = {key: value for key, value in marks.annotations_of(live).items() if key != TRIAL}
    return {**moved, "metadata": {**moved["metadata"], "annotations": kept}}


def is_on_trial(live: Mapping[str, Any]) -> bool:
    return TRIAL in marks.annotations_of(live)


def scaling(name: str, replicas: int) -> str:
    return f"lead {name}-canary to what {name if replicas else f'{name}-primary'} selects"


def making(name: str, replicas: int) -> str:
    return f"create {name}"
