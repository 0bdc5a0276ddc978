# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A/B: requests that match are split, all others lead to the primary, by every router that can tell them apart."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import contour, gatewayapi, refuse, router_for
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, SPLITS
from hypothesis import given

INSIDERS = {"headers": {"x-canary": {"exact": "insider"}, "x-app": {"regex": "beta.*"}}, "queryParams": {"try": {"exact": "1"}}}
PRIMARY, CANARY = "podinfo-primary", "podinfo-canary"


def document(provider: str, *match: dict[str, Any], **service: Any) -> Canary:
    parents = ({"name": "public", "namespace": "ingress"},) if provider == "gatewayapi:v1" else ()
    return Canary(
        name="podinfo", namespace="test", provider=provider, target="podinfo", target_kind="Deployment",
        service=Service(name="podinfo", port=9898, gateway_refs=parents, **service), analysis=Analysis(interval=10, threshold=1, iterations=3, match=match))


def rules(obj: dict[str, Any]) -> list[Any]:
    return obj["spec"].get("rules") or obj["spec"]["routes"]


def parts(obj: dict[str, Any]) -> list[tuple[Any, dict[str, int]]]:
    """(what matches, weight by Service) of each rule or route."""
    return [(rule.get("matches") or rule.get("conditions"), {entry["name"]: entry["weight"] for entry in rule.get("backendRefs") or rule.get("services")})
            for rule in rules(obj)]


def test_the_gateway_api_gets_a_rule_for_those_who_match_before_the_one_for_all_others() -> None:
    served = ({"uri": {"prefix": "/api"}, "method": {"exact": "GET"}, "headers": {"x-tenant": {"exact": "t"}}}, {"uri": {"exact": "/"}})
    canary = document("gatewayapi:v1", INSIDERS, {"headers": {"cookie": {"exact": "a=b"}}}, match=served, timeout="15s")
    assert gatewayapi.refuse(canary) == []
    api, root = {"type": "PathPrefix", "value": "/api"}, {"type": "Exact", "value": "/"}
    tenant = {"type": "Exact", "name": "x-tenant", "value": "t"}
    insider = [{"type": "RegularExpression", "name": "x-app", "value": "beta.*"}, {"type": "Exact", "name": "x-canary", "value": "insider"}]
    cookie, tries = {"type": "Exact", "name": "cookie", "value": "a=b"}, [{"type": "Exact", "name": "try", "value": "1"}]
    made = gatewayapi.desired(canary, Split(0, 100))
    assert parts(made) == [
        ([{"path": api, "method": "GET", "headers": [insider[0], insider[1], tenant], "queryParams": tries},
          {"path": api, "method": "GET", "headers": [cookie, tenant]},
          {"path": root, "headers": insider, "queryParams": tries},
          {"path": root, "headers": [cookie]}], {PRIMARY: 0, CANARY: 100}),
        ([{"path": api, "method": "GET", "headers": [tenant]}, {"path": root}], {PRIMARY: 100}),
    ]
    assert [rule["timeouts"] for rule in made["spec"]["rules"]] == [{"request": "15s"}] * 2


def test_contour_gets_a_route_whose_conditions_have_all_to_hold_before_the_one_for_all_others() -> None:
    canary = document("contour", INSIDERS, match=({"uri": {"prefix": "/api"}},), timeout="15s")
    assert contour.refuse(canary) == []
    made = contour.desired(canary, Split(0, 100))
    assert parts(made) == [
        ([{"prefix": "/api"}, {"header": {"name": "x-app", "regex": "beta.*"}}, {"header": {"name": "x-canary", "exact": "insider"}},
          {"queryParameter": {"name": "try", "exact": "1"}}], {PRIMARY: 0, CANARY: 100}),
        ([{"prefix": "/api"}], {PRIMARY: 100}),
    ]
    assert [route["timeoutPolicy"]["response"] for route in made["spec"]["routes"]] == ["15s"] * 2


on_both = pytest.mark.parametrize("provider", ["gatewayapi:v1", "contour"])


@on_both
@BOUNDED
@given(SPLITS, SPLITS)
def test_only_those_who_match_are_split(provider: str, first: Split, second: Split) -> None:
    canary = document(provider, INSIDERS)
    router = router_for(canary)
    obj = router.desired(canary, first)
    assert router.read(obj, canary) == first and router.differs(obj, canary) == []
    after = router.write(obj, canary, second)
    assert router.read(after, canary) == second
    assert parts(after)[1] == parts(obj)[1]
    assert router.write(after, canary, second) == after


@on_both
def test_a_document_may_become_a_b_and_back_between_releases(provider: str) -> None:
    plain, tested = document(provider), document(provider, INSIDERS)
    router = router_for(plain)
    whole = router.desired(plain, Split(100, 0))
    whole["spec"]["note"] = "of the user's"
    asked = router.write(whole, tested, Split(100, 0))
    assert parts(asked) == parts(router.desired(tested, Split(100, 0))) and asked["spec"]["note"] == "of the user's"
    assert router.write(asked, plain, Split(100, 0)) == whole


@on_both
def test_a_deleted_rule_for_all_others_is_drift_and_put_back(provider: str) -> None:
    canary = document(provider, INSIDERS)
    router = router_for(canary)
    obj = router.desired(canary, Split(0, 100))
    harmed = copy.deepcopy(obj)
    del rules(harmed)[1]
    assert router.differs(harmed, canary)
    assert router.write(harmed, canary, Split(0, 100)) == obj


@on_both
def test_all_others_get_the_primary_whatever_weight_somebody_gave_it(provider: str) -> None:
    canary = document(provider, INSIDERS)
    router = router_for(canary)
    obj = router.desired(canary, Split(0, 100))
    harmed = copy.deepcopy(obj)
    (rules(harmed)[1].get("backendRefs") or rules(harmed)[1]["services"])[0]["weight"] = 0
    assert router.write(harmed, canary, Split(0, 100)) == obj


@on_both
def test_a_rule_of_the_users_own_that_leads_to_the_primary_is_not_ours(provider: str) -> None:
    plain, tested = document(provider), document(provider, INSIDERS)
    router = router_for(plain)
    obj = router.desired(plain, Split(100, 0))
    theirs = copy.deepcopy(rules(router.desired(tested, Split(100, 0)))[1])
    rules(obj).append(theirs)
    after = router.write(obj, plain, Split(90, 10))
    assert router.read(after, plain) == Split(90, 10) and rules(after)[1] == theirs


@on_both
def test_safety_29_a_removal_leaves_one_rule_for_everybody(provider: str) -> None:
    canary = document(provider, INSIDERS)
    router = router_for(canary)
    assert router.release(router.beside(router.desired(canary, Split(100, 0)), canary), canary) == router.release(router.desired(canary, Split(100, 0)), canary)
    (matches, weights), = parts(router.release(router.desired(canary, Split(100, 0)), canary))
    assert (matches, weights) == (parts(router.desired(document(provider), Split(100, 0)))[0][0], {"podinfo": 100})
    again = router.write(router.release(router.desired(canary, Split(100, 0)), canary), canary, Split(100, 0))
    assert parts(again) == parts(router.desired(canary, Split(100, 0)))


@pytest.mark.parametrize(("canary", "words"), [
    (document("contour", INSIDERS, INSIDERS), "spec.analysis.match: has 2 entries; Contour takes one"),
    (document("traefik", INSIDERS), "spec.analysis.match: a TraefikService cannot tell requests apart"),
    (document("kubernetes", INSIDERS), "spec.analysis.match: the provider kubernetes cannot tell requests apart"),
    (document("gatewayapi:v1", INSIDERS, match=({"headers": {"X-Canary": {"exact": "a"}}},)),
     "spec.analysis.match[0].headers.x-canary: spec.service.match asks for it too"),
    (document("gatewayapi:v1", *[INSIDERS] * 9, match=({"uri": {"prefix": "/"}},) * 8), "spec.analysis.match: with those of spec.service.match these are 72"),
    *((dataclasses.replace(document(provider, INSIDERS), options=Options(route="adopted")), "spec.analysis.match: with canary_route: adopted")
      for provider in ("gatewayapi:v1", "contour")),
])
def test_weak_spot_18_23_whoever_cannot_tell_requests_apart_says_so_before_all_users_meet_the_canary(canary: Canary, words: str) -> None:
    problem, = refuse(canary)
    assert problem.startswith(words)
