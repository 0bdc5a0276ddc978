# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTPProxies and the real CRD of Contour, where the lab has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Metadata, Options
from ansible_collections.progressive.delivery.plugins.module_utils.kube import routes
from ansible_collections.progressive.delivery.plugins.module_utils.routers import contour

OURS = ("podinfo-primary", "podinfo-canary")
WHOLE = {"timeout": "1.5s", "match": ({"uri": {"prefix": "/api"}},), "retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx,gateway-error"},
         "apex": Metadata({"team": "blue"}, {"note": "hello"})}


@pytest.fixture
def proxied(served: Any, canary: Any) -> Any:
    """The canary by Contour. What of it the API server keeps needs no controller."""
    return served(dataclasses.replace(canary, provider="contour", service=dataclasses.replace(canary.service, gateway_refs=(), hosts=())))


@pytest.mark.parametrize(("changes", "options"), [({}, Options()), (WHOLE, Options(ingress_class="outer"))])
def test_what_a_document_can_say_is_accepted_by_the_real_crd_and_read_back_without_drift(
        others: Any, proxied: Any, changes: Mapping[str, Any], options: Options) -> None:
    canary = dataclasses.replace(proxied, options=options, service=dataclasses.replace(proxied.service, **changes))
    assert contour.refuse(canary) == []
    assert str(routes.ref(canary)) == f"HTTPProxy {canary.namespace}/podinfo"
    others.create(routes.ref(canary), contour.desired(canary, Split(90, 10)))
    live = others.get(routes.ref(canary))
    assert contour.differs(live, canary) == []
    assert contour.read(live, canary) == Split(90, 10)


@pytest.mark.parametrize("percent", [100, 30])
def test_copies_are_accepted_by_the_real_crd_and_read_back_without_drift(ours: Any, others: Any, proxied: Any, answering: None, percent: int) -> None:
    canary = dataclasses.replace(proxied, analysis=dataclasses.replace(proxied.analysis, mirror=percent))
    assert contour.refuse(canary) == []
    others.create(routes.ref(canary), contour.desired(canary, Split(100, 0)))
    for split in (Split(100, 0, percent), Split(0, 100)):
        routes.apply_traffic(ours, canary, TrafficOrder(split=split), 3, wait=0)
        live = others.get(routes.ref(canary))
        assert contour.differs(live, canary) == []
        assert contour.read(live, canary) == split
        assert not routes.apply_traffic(ours, canary, TrafficOrder(split=split), 3, wait=0).changed


def test_an_absent_weight_is_added_by_the_fenced_patch(ours: Any, others: Any, proxied: Any, answering: None) -> None:
    canary = dataclasses.replace(proxied, options=Options(route="adopted"))
    route = {"conditions": [{"prefix": "/"}], "timeoutPolicy": {"response": "5s"}, "services": [
        {"name": "podinfo-primary", "port": 80, "weight": 100}, {"name": "podinfo-canary", "port": 80},
        {"name": "podinfo-canary", "port": 80, "mirror": True, "weight": 20}]}
    others.create(routes.ref(canary), {
        "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "podinfo", "namespace": canary.namespace},
        "spec": {"virtualhost": {"fqdn": f"{canary.namespace}.example.com"}, "routes": [route]}})
    before = others.get(routes.ref(canary))
    routes.apply_traffic(ours, canary, TrafficOrder(split=Split(80, 20)), 3, wait=0)
    after = others.get(routes.ref(canary))
    assert contour.read(after, canary) == Split(80, 20)
    assert [service.get("weight") for service in after["spec"]["routes"][0]["services"]] == [80, 20, 20]
    for service in (*before["spec"]["routes"][0]["services"][:2], *after["spec"]["routes"][0]["services"][:2]):
        service.pop("weight", None)
    assert after["spec"] == before["spec"]
