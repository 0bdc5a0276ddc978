# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a change is a fenced patch and not a server-side apply, and whose name our changes bear (SAFETY 24)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import fenced
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import FIELD_MANAGER, JSON_PATCH
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi


def apply(line: Any, place: refs.Ref, body: Mapping[str, Any], force: bool = True) -> int:
    """A server-side apply in our name, and the status that it was answered by."""
    query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
    whole = {"apiVersion": place.api_version, "kind": place.kind, **body}
    return line.send("PATCH", place.path, query, json.dumps(whole).encode(), "application/apply-patch+yaml", 10.0).status


def resting_on(obj: Mapping[str, Any], **body: Any) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {"metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "resourceVersion": metadata["resourceVersion"]}, **body}


def fields_of(obj: Mapping[str, Any], manager: str = FIELD_MANAGER, subresource: str = "") -> set[str]:
    """The dotted paths that the server's books hold under this name."""
    return {path for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager and entry.get("subresource", "") == subresource
            for path in leaves(entry["fieldsV1"])}


def leaves(fields: Mapping[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for key, below in fields.items():
        if key != ".":
            path = f"{above}.{key.removeprefix('f:')}".lstrip(".")
            found += leaves(below, path) or [path]
    return found


def made_by(line: Any, manager: str, place: refs.Ref, body: Mapping[str, Any]) -> None:
    """Somebody else's object: what is in it is under another name in the server's books."""
    assert line.send("POST", place.collection.path, {"fieldManager": manager}, json.dumps(body).encode(), "application/json", 10.0).status == 201


@pytest.fixture
def route(line: Any, canary: Any, answering: None) -> refs.Ref:
    """A user's route, the canary at 30 percent, of a gateway that is not there: no controller writes a status meanwhile."""
    place = routes.ref(canary)
    spec = {**gatewayapi.desired(canary, Split(70, 30))["spec"], "parentRefs": [{"name": "nowhere"}]}
    made_by(line, "helm", place, {"apiVersion": place.api_version, "kind": place.kind, "metadata": {"name": place.name}, "spec": spec})
    return place


# What an apply does

@pytest.mark.parametrize("kind", ["HTTPRoute", "Deployment", "Service"])
def test_safety_24_an_apply_that_comes_late_makes_what_was_deleted_again_and_a_patch_does_not(
        others: Any, line: Any, canary: Any, route: refs.Ref, target: refs.Ref, kind: str) -> None:
    """The resourceVersion that it rests on fences nothing here, so an order that hung would bring back a route with its weight."""
    others.create(refs.service(canary.namespace), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo"},
                                                   "spec": {"selector": {"app": "podinfo"}, "ports": [{"port": 80}]}})
    place = {"HTTPRoute": route, "Deployment": target, "Service": refs.service(canary.namespace, "podinfo")}[kind]
    live = others.get(place)
    others.delete(place)
    patch = fenced([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}], live["metadata"]["resourceVersion"])
    with pytest.raises(KubeError) as caught:
        others.patch(place, patch, JSON_PATCH)
    assert (caught.value.status, others.get(place)) == (404, None)
    wanted = {key: live["spec"][key] for key in ("rules", "selector", "template", "ports") if key in live["spec"]}
    assert apply(line, place, resting_on(live, spec=wanted)) == 201
    assert others.get(place)["metadata"]["uid"] != live["metadata"]["uid"]


def test_safety_24_an_apply_is_refused_for_an_older_resource_version_as_a_patch_is(others: Any, line: Any, route: refs.Ref) -> None:
    live = others.get(route)
    others.patch(route, {"metadata": {"annotations": {"somebody": "else"}}})
    assert apply(line, route, resting_on(live, spec={"rules": live["spec"]["rules"]})) == 409


def test_safety_24_an_apply_that_is_not_refused_takes_the_whole_list_of_rules_from_its_manager(
        others: Any, line: Any, canary: Any, route: refs.Ref) -> None:
    """Rules are one atomic list: without force one weight is a conflict, with it all filters and matches of the user are taken over."""
    live = others.get(route)
    rules = gatewayapi.write(live, canary, Split(90, 10))["spec"]["rules"]
    assert apply(line, route, resting_on(live, spec={"rules": rules}), force=False) == 409
    assert apply(line, route, resting_on(live, spec={"rules": rules}), force=True) == 200
    after = others.get(route)
    assert "spec.rules" in fields_of(after)
    assert "spec.rules" not in fields_of(after, "helm")


# What our writes leave in the server's books

def test_safety_24_of_a_users_route_we_are_named_for_its_rules_and_our_two_annotations(
        ours: Any, others: Any, canary: Any, route: refs.Ref) -> None:
    apply_traffic(ours, canary, TrafficOrder(split=Split(90, 10)), 3, wait=0)
    live = others.get(route)
    annotations = {f"metadata.annotations.progressive.delivery/{name}" for name in ("canary", "epoch")}
    assert fields_of(live) == {"spec.rules", *annotations}
    assert {"spec.parentRefs", "spec.hostnames"} <= fields_of(live, "helm")


def test_safety_24_of_a_users_target_we_are_named_for_its_replicas_and_our_two_annotations(
        ours: Any, others: Any, line: Any, canary: Any) -> None:
    place = refs.deployment(canary.namespace, "podinfo")
    made_by(line, "helm", place, {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "podinfo"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "podinfo"}}, "template": {
            "metadata": {"labels": {"app": "podinfo"}},
            "spec": {"containers": [{"name": "podinfo", "image": "lab.local/podinfo:A", "imagePullPolicy": "Never"}]}}}})
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 3)
    apply_workload(ours, canary, WorkloadOrder(scale_target=1), 3)
    live = others.get(place)
    assert fields_of(live) == {f"metadata.annotations.progressive.delivery/{name}" for name in ("canary", "epoch")}
    assert fields_of(live, subresource="scale") == {"spec.replicas"}


def test_safety_24_of_a_users_apex_we_are_named_for_what_a_canary_changes_of_it(
        ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    place = refs.service(canary.namespace, "podinfo")
    made_by(line, "helm", place, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo"}, "spec": {
        "selector": {"app": "podinfo"}, "ports": [{"name": "http", "port": 9898, "targetPort": 9898}]}})
    apply_traffic(ours, canary, TrafficOrder(apex=True), 3, wait=0)
    live = others.get(place)
    assert live["spec"]["selector"] == {"app": "podinfo-primary"}
    annotations = {f"metadata.annotations.progressive.delivery/{name}" for name in ("canary", "epoch", "original-selector")}
    assert fields_of(live) == {"spec.selector", *annotations}
    assert "spec.ports" in {path[:10] for path in fields_of(live, "helm")}
