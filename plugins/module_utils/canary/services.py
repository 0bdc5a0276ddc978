# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three Services of a canary: the apex that users call, ``-primary`` and ``-canary`` for the route.

Those that we make are ours. An apex that was there before is the user's: only its selector and the canary's port change, and the
annotation ``progressive.delivery/original-selector`` keeps what it selected.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary, Metadata

APEX = "apex"
PRIMARY = "primary"
CANARY = "canary"
ROLES = (APEX, PRIMARY, CANARY)

_SIDECARS = frozenset(("istio-proxy", "envoy"))


def name_of(canary: Canary, role: str) -> str:
    service = canary.service
    return {APEX: service.name, PRIMARY: service.primary_name, CANARY: service.canary_name}[role]


def wanted(canary: Canary, role: str, selector: Selector, target: Mapping[str, Any]) -> dict[str, Any]:
    """The Service as we make it. ``target`` is the Deployment, for its ports where the document asks for port discovery."""
    service = canary.service
    name, metadata = name_of(canary, role), _metadata(canary, role)
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "selector": selector.target if role == CANARY else selector.primary,
        "ports": _ports(canary, target),
    }
    if service.headless:
        spec["clusterIP"] = "None"
    if service.traffic_distribution:
        spec["trafficDistribution"] = service.traffic_distribution
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": canary.namespace,
            "labels": {**metadata.labels, selector.key: name, marks.CANARY: marks.label_of(canary.name)},
            "annotations": {**metadata.annotations, **marks.TOOLKIT, marks.CANARY: canary.name},
        },
        "spec": spec,
    }


def reconciled(live: Mapping[str, Any], canary: Canary, role: str, selector: Selector, target: Mapping[str, Any]) -> dict[str, Any]:
    """The live Service as it should be. Raises CanaryError for one that is not ours to change."""
    want = wanted(canary, role, selector, target)
    after = takeover.freed(copy.deepcopy(dict(live)), "" if role == APEX else canary.name)
    if marks.is_ours(live, canary.name):
        _reconcile_ours(after, want, canary)
    elif role == APEX:
        _adopt(after, want, canary)
    elif _differs(after["spec"], want["spec"]):
        raise CanaryError(f"{marks.name_of(live)} exists, was not made for the canary {canary.name}, and does not select {want['spec']['selector']} "
                          f"on port {canary.service.port}; remove or rename it, or give the document another spec.service.name")
    return after


def original(live: Mapping[str, Any], canary: Canary, selector: Selector, epoch: int) -> dict[str, Any]:
    """The apex as it was before us: of the user's the selector that it had, of one that we made the target's."""
    after = marks.released(live, canary.name, epoch)
    kept = marks.annotations_of(live).get(marks.ORIGINAL_SELECTOR)
    if not is_original(live, selector):
        after["spec"] = {**after["spec"], "selector": _kept_selector(kept) or selector.target}
    return after


def is_original(live: Mapping[str, Any], selector: Selector) -> bool:
    """Whether the apex selects somebody else than the primary."""
    return (live["spec"].get("selector") or {}).get(selector.key) != selector.primary[selector.key]


def _kept_selector(text: str | None) -> dict[str, str] | None:
    try:
        kept = json.loads(text or "")
    except ValueError:
        return None
    return kept if isinstance(kept, dict) and kept else None


def is_as_wanted(live: Mapping[str, Any] | None, canary: Canary, role: str, selector: Selector, target: Mapping[str, Any]) -> bool:
    """Whether traffic would go where it should; metadata apart, which other tools may write too."""
    if live is None:
        return False
    try:
        return reconciled(live, canary, role, selector, target)["spec"] == live["spec"] and not takeover.owners_of(live)
    except CanaryError:
        return False


def _reconcile_ours(after: dict[str, Any], want: Mapping[str, Any], canary: Canary) -> None:
    left_alone = canary.service.unmanaged_metadata
    for part, keys in (("labels", left_alone.labels), ("annotations", left_alone.annotations)):
        live = after["metadata"].get(part) or {}
        ours = {key: value for key, value in want["metadata"][part].items() if key not in keys or key not in live}
        after["metadata"][part] = {**live, **ours}
    spec = after["spec"]
    spec["selector"] = want["spec"]["selector"]
    spec["ports"] = _merged_ports(spec.get("ports") or [], want["spec"]["ports"])
    if "trafficDistribution" in want["spec"]:
        spec["trafficDistribution"] = want["spec"]["trafficDistribution"]


def _adopt(after: dict[str, Any], want: Mapping[str, Any], canary: Canary) -> None:
    spec = after["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        raise CanaryError(f"{marks.name_of(after)} selects no pods ({spec.get('type', 'ClusterIP')} without a selector), so it cannot become the apex "
                          f"of the canary {canary.name}")
    if spec["selector"] != want["spec"]["selector"]:
        annotations = after["metadata"].setdefault("annotations", {})
        annotations.setdefault(marks.ORIGINAL_SELECTOR, json.dumps(spec["selector"], sort_keys=True))
        spec["selector"] = want["spec"]["selector"]
    port = _port_of(spec.get("ports") or [], want["spec"]["ports"][0])
    if port is None:
        spec["ports"] = [*(spec.get("ports") or []), want["spec"]["ports"][0]]
    elif canary.service.target_port:
        port["targetPort"] = canary.service.target_port


def _differs(live: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    port = _port_of(live.get("ports") or [], want["ports"][0])
    return live.get("selector") != want["selector"] or port is None


def _port_of(ports: Sequence[dict[str, Any]], want: Mapping[str, Any]) -> dict[str, Any] | None:
    """The user's entry for the canary's port; its name and what else it says are the user's."""
    return next((port for port in ports if port.get("port") == want["port"] and port.get("protocol", "TCP") == "TCP"), None)


def _merged_ports(live: Sequence[Mapping[str, Any]], want: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The wanted ports with what the API server added to each (a nodePort), in the live order where they are the same."""
    by_name = {port.get("name", ""): port for port in live}
    merged = {port["name"]: {**by_name.get(port["name"], {}), **port} for port in want}
    for name, port in merged.items():
        wanted_port = next(entry for entry in want if entry["name"] == name)
        if "appProtocol" not in wanted_port:
            port.pop("appProtocol", None)
    order = [name for name in by_name if name in merged] + [name for name in merged if name not in by_name]
    return [merged[name] for name in order]


def _ports(canary: Canary, target: Mapping[str, Any]) -> list[dict[str, Any]]:
    service = canary.service
    port: dict[str, Any] = {
        "name": service.port_name, "protocol": "TCP", "port": service.port, "targetPort": service.target_port or service.port}
    if service.app_protocol:
        port["appProtocol"] = service.app_protocol
    return [port, *(_discovered(canary, target) if service.port_discovery else ())]


def _discovered(canary: Canary, target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers' other TCP ports; a sidecar's are not the application's."""
    found = []
    for container in target["spec"]["template"]["spec"].get("containers") or []:
        if container["name"] in _SIDECARS:
            continue
        for index, port in enumerate(container.get("ports") or []):
            number, name = port["containerPort"], port.get("name", "")
            known = canary.service.target_port or canary.service.port
            if port.get("protocol", "TCP") != "TCP" or known in (number, name or None):
                continue
            found.append({"name": name or f"tcp-{container['name']}-{index}", "protocol": "TCP", "port": number, "targetPort": number})
    return found


def _metadata(canary: Canary, role: str) -> Metadata:
    service = canary.service
    return {APEX: service.apex, PRIMARY: service.primary, CANARY: service.canary}[role]
