# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import services
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.services import APEX, ROLES
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Metadata, Service

CANARY = Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
                service=Service(name="podinfo", port=80, target_port="http", app_protocol="http"), analysis=Analysis(interval=10, threshold=1))
SELECTOR = Selector("app", "podinfo")
TARGET: dict[str, Any] = {"spec": {"template": {"spec": {"containers": [
    {"name": "istio-proxy", "ports": [{"containerPort": 15090}]},
    {"name": "podinfo", "ports": [{"name": "http", "containerPort": 9898}, {"name": "grpc", "containerPort": 9999}, {"containerPort": 9797},
                                  {"name": "dns", "containerPort": 53, "protocol": "UDP"}]},
]}}}}


def with_service(**changes: Any) -> Canary:
    return dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, **changes))


def wanted(role: str, canary: Canary = CANARY) -> dict[str, Any]:
    return services.wanted(canary, role, SELECTOR, TARGET)


def reconciled(live: dict[str, Any], role: str, canary: Canary = CANARY) -> dict[str, Any]:
    return services.reconciled(live, canary, role, SELECTOR, TARGET)


def as_server_keeps(service: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(service)
    kept["spec"].update(clusterIP="10.96.0.7", sessionAffinity="None")
    kept["spec"]["ports"][0]["nodePort"] = 31000
    return kept


def users(**spec: Any) -> dict[str, Any]:
    """An apex that was there before."""
    return {"kind": "Service", "metadata": {"name": "podinfo", "namespace": "test", "labels": {"theirs": "x"}},
            "spec": {"type": "LoadBalancer", "selector": {"app": "podinfo", "tier": "web"},
                     "ports": [{"name": "web", "port": 80, "targetPort": "http", "nodePort": 31000, "protocol": "TCP"},
                               {"name": "metrics", "port": 9797}], **spec}}


def test_the_three_services() -> None:
    assert {role: (wanted(role)["metadata"]["name"], wanted(role)["spec"]["selector"]) for role in ROLES} == {
        "apex": ("podinfo", {"app": "podinfo-primary"}),
        "primary": ("podinfo-primary", {"app": "podinfo-primary"}),
        "canary": ("podinfo-canary", {"app": "podinfo"}),
    }
    assert wanted("canary") == {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "podinfo-canary", "namespace": "test",
            "labels": {"app": "podinfo-canary", "progressive.delivery/canary": "podinfo"},
            "annotations": {
                "kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled",
                "progressive.delivery/canary": "podinfo"},
        },
        "spec": {"type": "ClusterIP", "selector": {"app": "podinfo"},
                 "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http", "appProtocol": "http"}]},
    }


def test_what_the_document_says_about_each_of_them() -> None:
    canary = with_service(headless=True, traffic_distribution="PreferClose", target_port=0, app_protocol="", port_name="web",
                          canary=Metadata({"a": "1"}, {"b": "2"}))
    made = wanted("canary", canary)
    assert made["spec"] == {"type": "ClusterIP", "clusterIP": "None", "trafficDistribution": "PreferClose", "selector": {"app": "podinfo"},
                            "ports": [{"name": "web", "protocol": "TCP", "port": 80, "targetPort": 80}]}
    assert (made["metadata"]["labels"]["a"], made["metadata"]["annotations"]["b"]) == ("1", "2")
    assert "a" not in wanted("primary", canary)["metadata"]["labels"]


@pytest.mark.parametrize(("changes", "found"), [
    ({"target_port": "http"}, [("grpc", 9999), ("tcp-podinfo-2", 9797)]),
    ({"target_port": 9898}, [("grpc", 9999), ("tcp-podinfo-2", 9797)]),
    ({"target_port": 0, "port": 9797}, [("http", 9898), ("grpc", 9999)]),
])
def test_port_discovery_adds_the_other_ports_of_the_application(changes: dict[str, Any], found: list[tuple[str, int]]) -> None:
    ports = wanted("apex", with_service(port_discovery=True, **changes))["spec"]["ports"]
    assert [(port["name"], port["port"]) for port in ports[1:]] == found


@pytest.mark.parametrize("role", ROLES)
def test_a_service_as_we_made_it_needs_nothing(role: str) -> None:
    live = as_server_keeps(wanted(role))
    assert reconciled(live, role) == live
    assert services.is_as_wanted(live, CANARY, role, SELECTOR, TARGET)
    assert not services.is_as_wanted(None, CANARY, role, SELECTOR, TARGET)


def test_weak_spot_22_what_others_wrote_on_our_service_survives_its_repair() -> None:
    live = as_server_keeps(wanted("canary"))
    live["spec"].update(selector={"app": "elsewhere"}, sessionAffinity="ClientIP")
    live["spec"]["ports"][0]["targetPort"] = 1
    live["metadata"]["labels"]["theirs"] = "x"
    after = reconciled(live, "canary")
    assert after["spec"] == {**as_server_keeps(wanted("canary"))["spec"], "sessionAffinity": "ClientIP"}
    assert after["metadata"]["labels"]["theirs"] == "x"


def test_keys_that_the_document_leaves_unmanaged_are_left_alone() -> None:
    canary = with_service(canary=Metadata({"a": "1"}), unmanaged_metadata=Metadata({"a": ""}, {"helm.toolkit.fluxcd.io/driftDetection": ""}))
    live = as_server_keeps(wanted("canary", canary))
    live["metadata"]["labels"]["a"] = "theirs"
    live["metadata"]["annotations"]["helm.toolkit.fluxcd.io/driftDetection"] = "enabled"
    assert reconciled(live, "canary", canary) == live


def test_a_users_apex_is_adopted_by_its_selector_alone() -> None:
    live = users()
    after = reconciled(live, APEX)
    assert after["spec"] == {**live["spec"], "selector": {"app": "podinfo-primary"}}
    assert after["metadata"]["labels"] == {"theirs": "x"}
    assert after["metadata"]["annotations"] == {"progressive.delivery/original-selector": json.dumps({"app": "podinfo", "tier": "web"})}
    assert reconciled(after, APEX) == after


def test_safety_23_no_toolkit_annotation_is_put_on_a_users_service() -> None:
    assert "toolkit" not in json.dumps(reconciled(users(), APEX))


def test_of_a_users_apex_the_canarys_port_changes_only_where_the_document_names_a_target() -> None:
    live = users()
    live["spec"]["ports"][0]["targetPort"] = 8080
    assert reconciled(live, APEX)["spec"]["ports"][0]["targetPort"] == "http"
    assert reconciled(live, APEX, with_service(target_port=0))["spec"]["ports"] == live["spec"]["ports"]
    assert reconciled(live, APEX, with_service(port=81))["spec"]["ports"][:2] == live["spec"]["ports"]
    assert reconciled(live, APEX, with_service(port=81))["spec"]["ports"][2]["port"] == 81


@pytest.mark.parametrize("spec", [{"type": "ExternalName"}, {"selector": None}, {"selector": {}}])
def test_a_service_that_selects_no_pods_cannot_be_the_apex(spec: dict[str, Any]) -> None:
    with pytest.raises(CanaryError, match="Service test/podinfo selects no pods"):
        reconciled(users(**spec), APEX)


def test_a_foreign_service_in_the_place_of_ours_is_refused_unless_it_fits() -> None:
    foreign = users()
    foreign["metadata"]["name"] = "podinfo-canary"
    with pytest.raises(CanaryError, match="Service test/podinfo-canary exists, was not made for the canary podinfo, and does not select"):
        reconciled(foreign, "canary")
    assert not services.is_as_wanted(foreign, CANARY, "canary", SELECTOR, TARGET)
    foreign["spec"]["selector"] = {"app": "podinfo"}
    assert reconciled(foreign, "canary") == foreign


def test_safety_29_the_users_apex_selects_again_what_it_selected() -> None:
    before = users(selector={"app": "podinfo", "tier": "web"})
    after = services.original(reconciled(before, APEX), CANARY, SELECTOR, 7)
    assert after["spec"]["selector"] == {"app": "podinfo", "tier": "web"}
    assert after["metadata"]["annotations"]["progressive.delivery/released"] == "podinfo.7"
    assert services.original(after, CANARY, SELECTOR, 7) == after


def test_safety_29_an_apex_of_ours_or_with_a_damaged_note_selects_the_target() -> None:
    ours = services.original(as_server_keeps(wanted(APEX)), CANARY, SELECTOR, 7)
    assert ours["spec"]["selector"] == {"app": "podinfo"}
    damaged = reconciled(users(selector={"app": "podinfo"}), APEX)
    damaged["metadata"]["annotations"]["progressive.delivery/original-selector"] = "{"
    assert services.original(damaged, CANARY, SELECTOR, 7)["spec"]["selector"] == {"app": "podinfo"}


def test_safety_14_a_selector_that_somebody_else_set_meanwhile_stays() -> None:
    theirs = users(selector={"app": "somewhere-else"})
    assert services.original(theirs, CANARY, SELECTOR, 7)["spec"]["selector"] == {"app": "somewhere-else"}
