# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ROUTERS, gatewayapi_around
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND

GATEWAY = {"name": "public", "namespace": "infra"}
CANARY = Canary(
    name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=80, gateway_refs=(GATEWAY,), hosts=("app.example.com",)), analysis=Analysis(interval=10, threshold=1))
FIELD = "spec.service.gatewayRefs[0]"


def with_service(**changes: Any) -> Canary:
    return dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, **changes))


def gateway(*listeners: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Gateway", "metadata": {"name": "public", "namespace": "infra"}, "spec": {"listeners": list(listeners)}}


def listener(name: str = "web", source: str = "All", **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": source}}, **more}


def route(name: str = "other", created: str = "2026-01-01T00:00:00Z", hosts: Any = ("app.example.com",), parent: Any = None, **rule: Any) -> dict[str, Any]:
    return {"kind": "HTTPRoute", "metadata": {"name": name, "namespace": "test", "creationTimestamp": created},
            "spec": {"parentRefs": [parent or GATEWAY], "hostnames": list(hosts), "rules": [rule]}}


def test_every_router_has_its_surroundings() -> None:
    assert AROUND.keys() == ROUTERS.keys()


def test_a_route_hangs_on_the_gateways_that_the_document_names() -> None:
    canary = with_service(gateway_refs=(GATEWAY, {"name": "mesh", "kind": "Service", "group": ""}, {"name": "own"}))
    assert [(field, place["namespace"], place["name"]) for field, place in gatewayapi_around.parents(canary)] == [
        (FIELD, "infra", "public"), ("spec.service.gatewayRefs[2]", "test", "own")]


@pytest.mark.parametrize(
    "listeners",
    [
        (listener(),),
        (listener(source="Selector"),),
        (listener(hostname="*.example.com"),),
        (listener(hostname="other.org"), listener("second", hostname="app.example.com")),
        (listener(allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}, {"kind": "HTTPRoute"}]}),),
        (listener(protocol="TCP"), listener("second", protocol="HTTPS")),
    ],
)
def test_a_gateway_with_a_listener_for_the_route_is_fine(listeners: Any) -> None:
    assert gatewayapi_around.objection(CANARY, FIELD, gateway(*listeners)) is None


@pytest.mark.parametrize(
    ("wanted", "listeners", "words"),
    [
        ({}, (), "spec.service.gatewayRefs[0]: Gateway infra/public has no listener"),
        ({"sectionName": "secure"}, (listener(),),
         "spec.service.gatewayRefs[0]: Gateway infra/public has no listener named secure (accepted: web (port 80))"),
        ({"port": 81}, (listener(),), "spec.service.gatewayRefs[0]: Gateway infra/public has no listener on port 81 (accepted: web (port 80))"),
        ({}, (listener(source="Same"),), "spec.service.gatewayRefs[0]: no listener of Gateway infra/public takes an HTTPRoute from namespace test (accepted: "),
        ({}, ({"name": "web", "port": 80, "protocol": "HTTP"},), "spec.service.gatewayRefs[0]: no listener of Gateway infra/public takes an HTTPRoute"),
        ({}, (listener(protocol="TCP"),), "spec.service.gatewayRefs[0]: no listener of Gateway infra/public takes an HTTPRoute"),
        ({}, (listener(allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]}),),
         "spec.service.gatewayRefs[0]: no listener of Gateway infra/public takes an HTTPRoute"),
        ({}, (listener(hostname="other.org"), listener("second", hostname="*.app.example.com")),
         "spec.service.hosts: none of app.example.com belongs to a listener of Gateway infra/public (accepted: *.app.example.com, other.org)"),
    ],
)
def test_a_gateway_that_would_never_take_the_route_is_refused(wanted: Any, listeners: Any, words: str) -> None:
    refused = gatewayapi_around.objection(with_service(gateway_refs=({**GATEWAY, **wanted},)), FIELD, gateway(*listeners))
    assert str(refused).startswith(words)


def test_a_listener_for_its_own_namespace_takes_a_canary_of_that_namespace() -> None:
    assert gatewayapi_around.objection(dataclasses.replace(CANARY, namespace="infra"), FIELD, gateway(listener(source="Same"))) is None


@pytest.mark.parametrize(
    ("host", "listens", "meets"),
    [
        ("a.example.com", "*.example.com", True), ("a.b.example.com", "*.example.com", True), ("example.com", "*.example.com", False),
        ("*.example.com", "a.example.com", True), ("*.a.example.com", "*.example.com", True), ("*.example.com", "example.org", False),
    ],
)
def test_a_wildcard_stands_for_one_label_or_more(host: str, listens: str, meets: bool) -> None:
    assert (gatewayapi_around.objection(with_service(hosts=(host,)), FIELD, gateway(listener(hostname=listens))) is None) is meets


def test_safety_26_an_older_route_for_the_same_requests_is_refused() -> None:
    (refused,) = gatewayapi_around.rivals(CANARY, None, [route()])
    assert str(refused).startswith("spec.service.hosts: HTTPRoute test/other is older and matches the same requests (app.example.com)")


def test_safety_26_so_is_one_where_both_take_every_host() -> None:
    (refused,) = gatewayapi_around.rivals(with_service(hosts=()), None, [route(hosts=())])
    assert "(any host)" in str(refused)


@pytest.mark.parametrize(
    "other",
    [
        route("podinfo"),
        route(hosts=("other.example.com",)),
        route(hosts=()),
        route(hosts=("*.example.com",)),
        route(parent={"name": "private", "namespace": "infra"}),
        route(parent={"name": "public"}),
        route(matches=[{"path": {"type": "Exact", "value": "/"}}]),
        route(matches=[{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "x", "value": "1"}]}]),
        route(matches=[{"method": "POST"}]),
    ],
)
def test_a_route_for_other_requests_is_no_rival(other: Any) -> None:
    assert not gatewayapi_around.rivals(CANARY, None, [other])


def test_a_younger_route_is_no_rival() -> None:
    ours = route("podinfo", created="2026-01-01T00:00:00Z")
    assert not gatewayapi_around.rivals(CANARY, ours, [route(created="2026-01-02T00:00:00Z")])
    assert not gatewayapi_around.rivals(CANARY, ours, [route("zebra")])
    assert gatewayapi_around.rivals(CANARY, ours, [route("aardvark")])


def test_sections_of_a_gateway_are_apart() -> None:
    canary = with_service(gateway_refs=({**GATEWAY, "sectionName": "a"},))
    assert not gatewayapi_around.rivals(canary, None, [route(parent={**GATEWAY, "sectionName": "b"})])
    assert gatewayapi_around.rivals(canary, None, [route()])
