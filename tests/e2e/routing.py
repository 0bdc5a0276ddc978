# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The APIs that a release may be routed by in the lab: which gateway serves it, what its document says, how its object is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from cluster import gateways

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Routing:
    """One API of one gateway.

    Attributes:
        gateway: its name in the lab; also whose metrics tell of it (``metrics``).
        resource: the full name of the routing object's kind, for kubectl.
        weights: the weight of each Service that a routing object names.
        settled: whether the gateway has taken over the present generation of a routing object.
    """

    name: str
    gateway: str
    metrics: str
    provider: str
    resource: str
    weights: Callable[[Object], dict[str, int]]
    settled: Callable[[Object], bool]

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Where users' requests go."""
        return gateways()[self.gateway]["url"]

    def service(self, host: str) -> dict[str, Any]:
        """What ``spec.service`` of a document says so that the route serves this host."""
        if self.resource != HTTP_ROUTE:
            return {}
        namespace, name = gateways()[self.gateway]["gateway"].split("/")
        return {"hosts": [host], "gatewayRefs": [{"name": name, "namespace": namespace}]}

    def root(self, namespace: str, name: str, host: str) -> list[dict[str, Any]]:
        """What the user has to have beside the document: an HTTPProxy without a host is served where one with a host includes it, a TraefikService
        where an IngressRoute names it."""
        if self.resource == TRAEFIK_SERVICE:
            rule = {"kind": "Rule", "match": f"Host(`{host}`)", "services": [{"kind": "TraefikService", "name": name}]}
            return [{"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": f"{name}-root", "namespace": namespace},
                     "spec": {"entryPoints": ["web"], "routes": [rule]}}]
        if self.resource != HTTP_PROXY:
            return []
        include = {"name": name, "namespace": namespace, "conditions": [{"prefix": "/"}]}
        return [{"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": f"{name}-root", "namespace": namespace},
                 "spec": {"virtualhost": {"fqdn": host}, "includes": [include]}}]


def _route_weights(route: Object) -> dict[str, int]:
    """Those of the first rule that names a Service: rules for who shows a cookie stand behind the one for everybody."""
    return {ref["name"]: ref.get("weight", 1) for rule in reversed(route["spec"]["rules"]) for ref in rule.get("backendRefs", [])}


def _route_settled(route: Object) -> bool:
    found = [one for parent in route.get("status", {}).get("parents", []) for one in parent["conditions"] if one["type"] == "Accepted"]
    return bool(found) and all(_holds(one, route) for one in found)


def _proxy_weights(proxy: Object) -> dict[str, int]:
    """Those of the first route that names a Service: the one for everybody stands behind the one for who matches."""
    return {service["name"]: service.get("weight", 0) for route in reversed(proxy["spec"].get("routes", [])) for service in route.get("services", [])
            if not service.get("mirror")}


def _proxy_settled(proxy: Object) -> bool:
    return any(one["type"] == "Valid" and _holds(one, proxy) for one in proxy.get("status", {}).get("conditions", []))


def _service_weights(service: Object) -> dict[str, int]:
    """One that is not named gets nothing."""
    return {f"{service['metadata']['name']}-canary": 0, **{entry["name"]: entry.get("weight", 1) for entry in service["spec"]["weighted"]["services"]}}


def _holds(condition: Object, obj: Object) -> bool:
    return condition["status"] == "True" and condition.get("observedGeneration", 0) >= obj["metadata"]["generation"]


HTTP_ROUTE = "httproute"
HTTP_PROXY = "httpproxy"
TRAEFIK_SERVICE = "traefikservice"

TRAEFIK = Routing("traefik-gatewayapi", "traefik", "traefik", "gatewayapi:v1", HTTP_ROUTE, _route_weights, _route_settled)
CONTOUR = Routing("contour-gatewayapi", "contour", "envoy", "gatewayapi:v1", HTTP_ROUTE, _route_weights, _route_settled)
PROXY = Routing("contour-httpproxy", "contour", "envoy", "contour", HTTP_PROXY, _proxy_weights, _proxy_settled)
SERVICE = Routing("traefik-traefikservice", "traefik", "traefik", "traefik", TRAEFIK_SERVICE, _service_weights, lambda service: True)
ROUTINGS = (TRAEFIK, CONTOUR, PROXY, SERVICE)

on_each_api = pytest.mark.parametrize("routing", ROUTINGS, ids=str)
"""For what tells most about a gateway: a good release and a bad one."""

on_every_gateway = pytest.mark.parametrize("routing", [TRAEFIK, *(pytest.param(one, marks=pytest.mark.wide) for one in ROUTINGS[1:])], ids=str)
"""For the other scenarios that show what users' traffic does: on Traefik always, elsewhere in a wide run. Without it a test runs on Traefik."""
