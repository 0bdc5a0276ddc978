# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A route of the user's own: fenced and claimed as long as it is walked on, and nobody's but the user's before and after."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, LostLock
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Options
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, routes
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi


@pytest.fixture
def adopted(canary: Any) -> Any:
    service = dataclasses.replace(canary.service, route="public", gateway_refs=())
    return dataclasses.replace(canary, options=Options(route="adopted"), service=service)


@pytest.fixture
def written(others: Any, adopted: Any, canary: Any) -> dict[str, Any]:
    """The route as the server holds it before anybody walks."""
    rule = {"backendRefs": [{"name": "podinfo", "port": 9898, "weight": 100}, {"name": "podinfo-canary", "port": 9898, "weight": 0}]}
    others.create(routes.ref(adopted), {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "public", "namespace": canary.namespace, "annotations": {"theirs": "x"}},
        "spec": {"parentRefs": list(canary.service.gateway_refs), "rules": [rule]}})
    return others.get(routes.ref(adopted))


def order(weight: int) -> TrafficOrder:
    return TrafficOrder(split=Split(100 - weight, weight))


def test_a_walk_leaves_no_trace_in_it(ours: Any, adopted: Any, written: dict[str, Any], answering: None) -> None:
    place = routes.ref(adopted)
    routes.hold(ours, adopted, 3)
    assert {key: value for key, value in marks.annotations_of(ours.get(place)).items() if key != "theirs"} == {
        "progressive.delivery/canary": "podinfo", "progressive.delivery/epoch": "3"}
    for weight in (10, 50, 0):
        routes.apply_traffic(ours, adopted, order(weight), 3, wait=0)
        assert look.read_route(ours, adopted).split == Split(100 - weight, weight)
    assert look.read_route(ours, adopted).held
    assert routes.let_go(ours, adopted, 3)
    after = ours.get(place)
    assert after["spec"] == written["spec"]
    assert {key: after["metadata"].get(key) for key in ("labels", "annotations")} == {key: written["metadata"].get(key) for key in ("labels", "annotations")}
    assert not look.read_route(ours, adopted).held
    assert not routes.let_go(ours, adopted, 3)


def test_annotations_go_altogether_where_the_user_had_none(ours: Any, others: Any, adopted: Any, written: dict[str, Any]) -> None:
    place = routes.ref(adopted)
    others.patch(place, {"metadata": {"annotations": None}})
    routes.hold(ours, adopted, 3)
    routes.let_go(ours, adopted, 3)
    assert "annotations" not in ours.get(place)["metadata"]


def test_safety_01_a_raise_that_hung_is_refused_after_the_next_walk_has_claimed_the_route(
        ours: Any, others: Any, line: Any, adopted: Any, written: dict[str, Any], answering: None) -> None:
    routes.hold(others, adopted, 3)
    line.holding = True
    with pytest.raises(KubeError):
        routes.apply_traffic(ours, adopted, order(50), 3, wait=0)
    routes.let_go(others, adopted, 3)
    routes.hold(others, adopted, 4)
    assert set(line.release()) == {409}
    with pytest.raises(LostLock):
        routes.apply_traffic(ours, adopted, order(50), 3, wait=0)
    assert look.read_route(others, adopted).split == Split(100, 0)


def test_safety_01_a_run_that_lost_the_walk_does_not_let_go_of_the_route(ours: Any, others: Any, adopted: Any, written: dict[str, Any]) -> None:
    routes.hold(others, adopted, 4)
    with pytest.raises(LostLock):
        routes.let_go(ours, adopted, 3)
    assert look.read_route(others, adopted).held


def test_safety_16_between_walks_a_late_raise_finds_nobody_who_answers(ours: Any, adopted: Any, written: dict[str, Any]) -> None:
    done = routes.apply_traffic(ours, adopted, order(50), 3, wait=0)
    assert not done.changed and "has no ready endpoints" in done.why


def test_safety_08_a_route_that_is_walked_on_by_another_canary_is_refused(ours: Any, others: Any, adopted: Any, written: dict[str, Any]) -> None:
    routes.hold(others, dataclasses.replace(adopted, name="another"), 1)
    with pytest.raises(CanaryError, match="belongs to the canary another"):
        routes.hold(ours, adopted, 1)


def test_it_is_never_made(ours: Any, others: Any, line: Any, adopted: Any) -> None:
    with pytest.raises(CanaryError, match="HTTPRoute .*/public does not exist; it is yours"):
        routes.apply_traffic(ours, adopted, order(0), 1, wait=0)
    routes.hold(ours, adopted, 1)
    assert line.written == []
    assert gatewayapi.ref(adopted)["name"] == "public"
