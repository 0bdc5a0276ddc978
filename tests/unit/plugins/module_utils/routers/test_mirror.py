# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of requests to the canary, by every router that can send them."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import refuse, router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, SPLITS
from hypothesis import given
from hypothesis import strategies as st

PRIMARY, CANARY = "podinfo-primary", "podinfo-canary"
PERCENTS = st.integers(0, 100)
SHADOW = {"type": "RequestMirror", "requestMirror": {"backendRef": {"group": "", "kind": "Service", "name": "shadow", "port": 80}}}


def document(provider: str = "gatewayapi:v1", percent: int = 100, **service: Any) -> Canary:
    parents = ({"name": "public", "namespace": "ingress"},) if provider.startswith("gatewayapi") else ()
    return Canary(
        name="podinfo", namespace="test", provider=provider, target="podinfo", target_kind="Deployment",
        service=Service(name="podinfo", port=9898, gateway_refs=parents, **service),
        analysis=Analysis(interval=10, threshold=1, iterations=3, mirror=percent))


def adopted(canary: Canary) -> Canary:
    return dataclasses.replace(canary, options=Options(route="adopted"))


on_both = pytest.mark.parametrize("provider", ["gatewayapi:v1", "gatewayapi:v1beta1", "contour"])


@pytest.mark.parametrize(("percent", "share"), [(100, {}), (20, {"percent": 20})])
def test_the_gateway_api_copies_by_a_filter_of_the_rule_that_splits(percent: int, share: dict[str, int]) -> None:
    rule, = router_for(document()).desired(document(), Split(100, 0, percent))["spec"]["rules"]
    backend = {"group": "", "kind": "Service", "name": CANARY, "port": 9898}
    assert rule["filters"] == [{"type": "RequestMirror", "requestMirror": {"backendRef": backend, **share}}]


@pytest.mark.parametrize(("percent", "share"), [(100, {}), (20, {"weight": 20})])
def test_contour_copies_by_an_entry_that_has_no_part_in_the_split(percent: int, share: dict[str, int]) -> None:
    route, = router_for(document("contour")).desired(document("contour"), Split(100, 0, percent))["spec"]["routes"]
    assert [entry["name"] for entry in route["services"]] == [PRIMARY, CANARY, CANARY]
    assert route["services"][2] == {"name": CANARY, "port": 9898, "mirror": True, **share}


@on_both
@BOUNDED
@given(SPLITS, PERCENTS, SPLITS, PERCENTS)
def test_what_is_written_is_read_and_the_rest_stays(provider: str, first: Split, before: int, second: Split, after: int) -> None:
    canary = document(provider)
    router = router_for(canary)
    first, second = dataclasses.replace(first, mirror=before), dataclasses.replace(second, mirror=after)
    obj = router.desired(canary, first)
    assert router.read(obj, canary) == first and router.differs(obj, canary) == []
    changed = router.write(obj, canary, second)
    assert router.read(changed, canary) == second and router.differs(changed, canary) == []
    assert router.write(changed, canary, second) == changed
    assert router.write(changed, canary, first) == obj


@on_both
def test_a_weight_ends_the_copies_with_the_same_change(provider: str) -> None:
    canary = document(provider)
    router = router_for(canary)
    plain = router.desired(canary, Split(0, 100))
    assert router.write(router.desired(canary, Split(100, 0, 100)), canary, Split(0, 100)) == plain


def test_filters_that_the_document_or_the_user_asks_for_stay_where_they_are() -> None:
    canary = document(mirror=({"backendRef": {"name": "shadow", "port": 80}},))
    router = router_for(canary)
    obj = router.desired(canary, Split(100, 0))
    theirs = {"type": "ExtensionRef", "extensionRef": {"group": "a", "kind": "B", "name": "c"}}
    obj["spec"]["rules"][0]["filters"].append(theirs)
    copied = router.write(obj, canary, Split(100, 0, 30))
    assert copied["spec"]["rules"][0]["filters"][:2] == [SHADOW, theirs] and router.read(copied, canary) == Split(100, 0, 30)
    assert router.write(copied, canary, Split(100, 0)) == obj


def test_a_share_that_somebody_wrote_as_a_fraction_is_understood() -> None:
    canary = document()
    router = router_for(canary)
    obj = router.desired(canary, Split(100, 0, 20))
    for fraction, percent in (({"numerator": 1, "denominator": 4}, 25), ({"numerator": 7}, 7), ({"numerator": 1, "denominator": 10000}, 1)):
        obj["spec"]["rules"][0]["filters"][0]["requestMirror"] = {"backendRef": {"name": CANARY, "port": 9898}, "fraction": fraction}
        assert router.read(obj, canary) == Split(100, 0, percent)


def test_a_filter_that_copies_nothing_goes_too_since_it_names_a_service_that_will() -> None:
    canary = document()
    router = router_for(canary)
    obj = router.desired(canary, Split(100, 0, 20))
    obj["spec"]["rules"][0]["filters"][0]["requestMirror"]["percent"] = 0
    assert router.read(obj, canary) == Split(100, 0) and router.differs(obj, canary)
    assert router.write(obj, canary, Split(100, 0)) == router.desired(canary, Split(100, 0))
    assert router.release(obj, canary) == router.release(router.desired(canary, Split(100, 0)), canary)


def test_contour_takes_a_weight_of_0_for_all_requests_and_so_do_we() -> None:
    canary = document("contour")
    router = router_for(canary)
    obj = router.desired(canary, Split(100, 0, 20))
    obj["spec"]["routes"][0]["services"][2]["weight"] = 0
    assert router.read(obj, canary) == Split(100, 0, 100)
    assert router.read(router.write(obj, canary, Split(100, 0)), canary) == Split(100, 0)


@on_both
def test_copies_in_a_route_of_the_users_own_are_theirs(provider: str) -> None:
    canary = document(provider, 0)
    router = router_for(canary)
    obj = router.desired(canary, Split(100, 0, 100))
    del obj["metadata"]["labels"]
    assert router.read(obj, adopted(canary)) == Split(100, 0)
    after = router.write(obj, adopted(canary), Split(90, 10))
    assert router.read(router.write(after, adopted(canary), Split(100, 0)), adopted(canary)) == Split(100, 0)
    assert router.write(after, adopted(canary), Split(100, 0)) == obj


@on_both
def test_safety_29_a_removal_leaves_no_copies(provider: str) -> None:
    canary = document(provider)
    router = router_for(canary)
    released = router.release(router.desired(canary, Split(100, 0)), canary)
    assert router.release(router.desired(canary, Split(100, 0, 100)), canary) == released
    assert CANARY not in str(released["spec"])


@pytest.mark.parametrize(("canary", "words"), [
    (document("traefik"), "spec.analysis.mirror: copies by a TraefikService are not supported yet"),
    (document("kubernetes"), "spec.analysis.mirror: the provider kubernetes has no route that could copy requests"),
    (adopted(document()), "spec.analysis.mirror: with canary_route: adopted"),
    (adopted(document("contour")), "spec.analysis.mirror: with canary_route: adopted"),
    (document("gatewayapi:v1beta1", 20), "spec.analysis.mirrorWeight: gatewayapi:v1beta1 knows copies of all requests only"),
    (document(mirror=({"backendRef": {"name": CANARY, "port": 9898}},)), f"spec.service.mirror[0].backendRef.name: {CANARY} gets copies by analysis.mirror"),
])
def test_weak_spot_17_whoever_cannot_copy_says_so_before_the_canary_waits_for_it_for_ever(canary: Canary, words: str) -> None:
    problem, = refuse(canary)
    assert problem.startswith(words)


@pytest.mark.parametrize("provider", ["gatewayapi:v1", "gatewayapi:v1beta1", "contour"])
def test_weak_spot_17_whoever_can_copy_accepts_it(provider: str) -> None:
    assert refuse(document(provider)) == []


def test_traefik_which_answers_500_to_a_route_that_copies_is_refused_by_its_own_report_before_a_walk() -> None:
    canary = document()
    route = router_for(canary).desired(canary, Split(100, 0))
    around = AROUND["gatewayapi:v1"]
    assert around.standing(canary, None, walks=True) == around.standing(canary, route, walks=True) == []
    problem, = around.standing(canary, reported(route, canary), walks=True)
    assert problem.path == "spec.analysis.mirror" and "500" in problem.problem
    assert around.standing(document(percent=0), reported(route, canary), walks=True) == []


@pytest.mark.parametrize("status", [{}, {"currentStatus": "valid"}])
def test_contour_which_serves_nobody_by_a_route_with_two_mirrors_is_refused_the_second(status: dict[str, Any]) -> None:
    canary = document("contour")
    around = AROUND["contour"]
    route = {**router_for(canary).desired(canary, Split(100, 0, 100)), "status": status}
    assert around.standing(canary, None, walks=True) == around.standing(canary, route, walks=True) == []
    theirs = copy.deepcopy(route)
    theirs["spec"]["routes"][0]["services"].append({"name": "shadow", "port": 80, "mirror": True})
    problem, = around.standing(canary, theirs, walks=True)
    assert problem.path == "spec.analysis.mirror" and "shadow" in problem.problem
    assert around.standing(document("contour", 0), theirs, walks=True) == []


# Copies that the document asks for outside of a release

SHADOWED = ({"backendRef": {"name": "shadow", "port": 80}},)


def reported(route: dict[str, Any], canary: Canary, controller: str = "traefik.io/gateway-controller") -> dict[str, Any]:
    """As its controller took it over."""
    parents = [{"parentRef": parent, "controllerName": controller,
                "conditions": [{"type": kind, "status": "True", "observedGeneration": 1} for kind in ("Accepted", "ResolvedRefs")]}
               for parent in route["spec"]["parentRefs"]]
    made = copy.deepcopy(route)
    made["metadata"].update(namespace="test", generation=1)
    return {**made, "status": {"parents": parents}}


def test_traefik_is_refused_copies_that_the_document_asks_for_outside_of_a_release() -> None:
    canary = document(percent=0, mirror=SHADOWED)
    around, route = AROUND["gatewayapi:v1"], router_for(canary).desired(canary, Split(100, 0))
    assert around.standing(canary, route, walks=False) == []
    assert around.standing(canary, reported(route, canary, "example.com/gateway"), walks=False) == []
    problem, = around.standing(canary, reported(route, canary), walks=False)
    assert problem.path == "spec.service.mirror" and "500" in problem.problem


def test_traefik_is_known_before_the_first_route_by_who_writes_the_status_of_the_gateway() -> None:
    around = AROUND["gatewayapi:v1"]
    listener = {"name": "web", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}

    def gateway(manager: str, subresource: str = "status", *others: dict[str, str]) -> dict[str, Any]:
        written = [{"manager": manager, "subresource": subresource, "time": "2026-11-01T10:00:00Z"}, *others]
        return {"kind": "Gateway", "metadata": {"name": "public", "namespace": "infra", "managedFields": written}, "spec": {"listeners": [listener]}}
    canary = document(percent=0, mirror=SHADOWED)
    problem = around.objection(canary, "spec.service.gatewayRefs[0]", gateway("traefik"))
    assert problem and problem.path == "spec.service.mirror"
    later, earlier = ({"manager": "contour", "subresource": "status", "time": time} for time in ("2026-11-02T10:00:00Z", "2026-10-01T10:00:00Z"))
    assert around.objection(canary, "spec.service.gatewayRefs[0]", gateway("traefik", "status", earlier))
    for fine in (gateway("contour"), gateway("traefik", ""), gateway("traefik", "status", later)):
        assert around.objection(canary, "spec.service.gatewayRefs[0]", fine) is None
    assert around.objection(document(), "spec.service.gatewayRefs[0]", gateway("traefik")) is None, "copies of an analysis do not begin with the route"


def test_safety_16_copies_that_would_cut_everybody_off_are_left_out_of_a_route_that_traefik_serves() -> None:
    canary = document(percent=0, mirror=SHADOWED)
    router = router_for(canary)
    made = reported(router.desired(canary, Split(100, 0)), canary)
    assert not router.accepted(made, canary)[0], "so that it is written again"
    after = router.write(made, canary, Split(100, 0))
    assert "shadow" not in str(after) and router.read(after, canary) == Split(100, 0) and router.accepted(after, canary)[0]
    assert router.write(after, canary, Split(70, 30))["spec"]["rules"][0].get("filters") is None
    assert router.differs(after, canary) == []
    others = reported(router.desired(canary, Split(100, 0)), canary, "example.com/gateway")
    assert router.accepted(others, canary)[0] and router.write(others, canary, Split(70, 30))["spec"]["rules"][0]["filters"]


@pytest.mark.parametrize("copies", [SHADOWED, ()], ids=["as the document asks", "the document asks no more"])
def test_safety_29_a_removal_behind_traefik_leaves_a_route_that_counts_as_accepted(copies: Any) -> None:
    canary = document(percent=0, mirror=SHADOWED)
    router, walked_by = router_for(canary), document(percent=0, mirror=copies)
    made = reported(router.desired(canary, Split(100, 0)), canary)
    named = router.beside(made, walked_by)
    assert router.accepted(named, walked_by)[0] and "'podinfo', 'port': 9898, 'weight': 0" in str(named["spec"]), "before users are led to the apex"
    for route in (made, named):
        released = router.release(route, walked_by)
        rule, = released["spec"]["rules"]
        assert router.accepted(released, walked_by)[0] and "filters" not in rule
        assert [entry["name"] for entry in rule["backendRefs"]] == ["podinfo"]
        assert router.release(released, walked_by) == released


def test_safety_29_a_route_behind_traefik_that_a_removal_left_with_copies_is_led_back_without_them() -> None:
    canary = document(percent=0, mirror=SHADOWED)
    router = router_for(canary)
    released = router.release(router.desired(canary, Split(100, 0)), canary)
    assert "shadow" in str(released), "copies for all others stay"
    after = router.release(reported(released, canary), canary)
    assert after["spec"] == router.release(router.desired(document(percent=0), Split(100, 0)), canary)["spec"]
    assert router.accepted(after, canary)[0]


def test_what_traefik_reported_of_a_gateway_that_the_route_hangs_on_no_more_does_not_count() -> None:
    canary = document(mirror=SHADOWED)
    router, around = router_for(canary), AROUND["gatewayapi:v1"]
    moved = reported(router.desired(canary, Split(100, 0)), canary, "example.com/gateway")
    former = {"parentRef": {"name": "former", "namespace": "ingress"}, "controllerName": "traefik.io/gateway-controller", "conditions": []}
    moved["status"]["parents"].insert(0, former)
    assert around.standing(canary, moved, walks=True) == []
    assert router.accepted(moved, canary) == (True, "")
    assert router.write(moved, canary, Split(100, 0)) == moved
    moved["spec"]["parentRefs"].append(former["parentRef"])
    assert [problem.path for problem in around.standing(canary, moved, walks=True)] == ["spec.analysis.mirror", "spec.service.mirror"]
