# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.builtin import builtin
from ansible_collections.progressive.delivery.plugins.module_utils.routers import refuse, router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.kubernetes import route

PRIMARY, OLD_PRIMARY, CANARY = "podinfo-primary-1-a", "podinfo-primary-0-a", "podinfo-2-a"


def canary(provider: str = "kubernetes", **service: Any) -> Canary:
    return Canary("podinfo", "test", provider, "podinfo", "Deployment", Service("podinfo", 80, **service), Analysis(10, 1, iterations=3))


def split(*pods: str, differs: bool = False) -> Split | None:
    found = route(exists=True, differs=differs, pods=pods, of_canary=(CANARY,))
    assert found and found.accepted
    return found.split


def test_an_apex_on_the_primary_sends_everything_there() -> None:
    assert split(PRIMARY) == split(PRIMARY, OLD_PRIMARY) == split() == Split(100, 0)


@pytest.mark.parametrize("pods", [(CANARY,), (PRIMARY, CANARY)])
def test_an_apex_that_reaches_the_canary_is_never_taken_for_one_on_the_primary(pods: tuple[str, ...]) -> None:
    assert split(*pods) == Split(0, 100)


def test_an_apex_that_selects_something_else_counts_before_its_slices_follow() -> None:
    assert split(PRIMARY, differs=True) == Split(0, 100)


def test_an_apex_that_is_not_there_is_a_route_that_is_gone() -> None:
    assert route(exists=False, differs=True, pods=(), of_canary=()) is None


@pytest.mark.parametrize(("field", "value"), [
    ("gatewayRefs", {"gateway_refs": ({"name": "public"},)}), ("hosts", {"hosts": ("app.example.com",)}), ("timeout", {"timeout": "5s"}),
    ("match", {"match": ({"uri": {"prefix": "/"}},)}), ("headers", {"headers": {"request": {"remove": ["x-a"]}}}),
])
def test_what_only_a_route_could_do_is_refused_by_name(field: str, value: dict[str, Any]) -> None:
    (problem,) = refuse(canary(**value))
    assert problem.startswith(f"spec.service.{field}: ") and "leave it out" in problem


def test_services_alone_are_refused_nothing_that_they_can_do() -> None:
    assert refuse(canary(target_port="http", port_discovery=True)) == []


def test_there_is_no_routing_object_to_ask_for() -> None:
    with pytest.raises(SpecError):
        router_for(canary())


def test_a_provider_that_nobody_knows_is_refused_with_all_that_are_supported() -> None:
    with pytest.raises(SpecError, match="gatewayapi:v1, gatewayapi:v1beta1, kubernetes"):
        refuse(canary("carrier pigeons"))


def test_built_in_checks_read_the_metrics_of_the_application() -> None:
    assert builtin("kubernetes", "request-success-rate") == builtin("gatewayapi:v1", "request-success-rate")
