# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Metadata, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ROUTERS, gatewayapi, router_for
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, FOREIGN, SPLITS
from hypothesis import given
from hypothesis import strategies as st

GATEWAY = {"name": "gateway", "namespace": "infra"}
CANARY = Canary(
    name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=9898, gateway_refs=(GATEWAY,)), analysis=Analysis(interval=10, threshold=1))


def with_service(**changes: Any) -> Canary:
    return dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, **changes))


def backend(name: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 9898, **({} if weight is None else {"weight": weight}), **more}


def route(*rules: Mapping[str, Any], labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A route as a user writes it."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "podinfo", "namespace": "test", "generation": 3, "resourceVersion": "7",
                     "labels": dict(labels or {}), "annotations": dict(annotations or {})},
        "spec": {"parentRefs": [GATEWAY], "hostnames": ["app.example.com"], "rules": list(rules)},
    }


def rule(primary: int | None = 100, canary: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"backendRefs": [backend("podinfo-primary", primary), backend("podinfo-canary", canary)], **more}


# What a document gives

def test_the_smallest_document_gives_the_smallest_route() -> None:
    assert gatewayapi.desired(CANARY, Split(90, 10)) == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": "podinfo", "namespace": "test",
            "labels": {"progressive.delivery/canary": "podinfo"},
            "annotations": {
                "kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled",
                "progressive.delivery/canary": "podinfo"},
        },
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway", "namespace": "infra"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"group": "", "kind": "Service", "name": "podinfo-primary", "port": 9898, "weight": 90},
                    {"group": "", "kind": "Service", "name": "podinfo-canary", "port": 9898, "weight": 10},
                ],
            }],
        },
    }


WHOLE = with_service(
    hosts=("app.example.com", "www.example.com"), timeout="15s", backend_timeout="2s",
    gateway_refs=({**GATEWAY, "sectionName": "https", "port": 443}, {"group": "", "kind": "Service", "name": "podinfo"}),
    match=({"uri": {"prefix": "/api"}, "method": {"exact": "GET"}, "headers": {"x-user": {"regex": "in.*"}, "a": {"exact": "b"}},
            "queryParams": {"q": {"exact": "1"}}}, {"uri": {"regex": "/v[12]"}}, {"headers": {"x": {"exact": "y"}}}),
    headers={"request": {"set": {"x-b": "2", "x-a": "1"}, "add": {"x-c": "3"}, "remove": ["x-e", "x-d"]}, "response": {"set": {"x-f": "4"}}},
    rewrite={"uri": "/", "authority": "inner.example.com", "type": "ReplacePrefixMatch"},
    mirror=({"backendRef": {"name": "shadow", "port": 80}},),
    cors_policy={"allowOrigins": [{"exact": "https://a.example.com"}], "allowMethods": ["GET"], "maxAge": "1h30m", "allowCredentials": True},
    apex=Metadata({"team": "blue"}, {"note": "hello"}))


def test_everything_that_a_document_can_say_reaches_the_route() -> None:
    assert gatewayapi.refuse(WHOLE) == []
    made = gatewayapi.desired(WHOLE, Split(100, 0))
    assert made["metadata"]["labels"] == {"team": "blue", "progressive.delivery/canary": "podinfo"}
    assert made["metadata"]["annotations"]["note"] == "hello"
    assert made["metadata"]["annotations"]["progressive.delivery/owns"] == (
        "hostnames,timeouts,filters.CORS,filters.RequestHeaderModifier,filters.RequestMirror,filters.ResponseHeaderModifier,filters.URLRewrite")
    spec = made["spec"]
    assert spec["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway", "namespace": "infra", "sectionName": "https", "port": 443},
        {"group": "", "kind": "Service", "name": "podinfo"}]
    assert spec["hostnames"] == ["app.example.com", "www.example.com"]
    only, = spec["rules"]
    assert only["matches"] == [
        {"path": {"type": "PathPrefix", "value": "/api"}, "method": "GET",
         "headers": [{"type": "Exact", "name": "a", "value": "b"}, {"type": "RegularExpression", "name": "x-user", "value": "in.*"}],
         "queryParams": [{"type": "Exact", "name": "q", "value": "1"}]},
        {"path": {"type": "RegularExpression", "value": "/v[12]"}},
        {"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"type": "Exact", "name": "x", "value": "y"}]},
    ]
    assert only["timeouts"] == {"request": "15s", "backendRequest": "2s"}
    assert only["filters"] == [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "add": [{"name": "x-c", "value": "3"}], "set": [{"name": "x-a", "value": "1"}, {"name": "x-b", "value": "2"}], "remove": ["x-d", "x-e"]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-f", "value": "4"}]}},
        {"type": "URLRewrite", "urlRewrite": {"hostname": "inner.example.com", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"group": "", "kind": "Service", "name": "shadow", "port": 80}}},
        {"type": "CORS", "cors": {"allowOrigins": ["https://a.example.com"], "allowCredentials": True, "allowMethods": ["GET"], "maxAge": 5400}},
    ]


def test_without_a_type_a_rewrite_replaces_the_whole_path() -> None:
    made = gatewayapi.desired(with_service(rewrite={"uri": "/x"}), Split(100, 0))
    assert made["spec"]["rules"][0]["filters"] == [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"}}}]


@pytest.mark.parametrize(("changes", "words"), [
    ({"gateway_refs": ()}, "spec.service.gatewayRefs: is missing"),
    ({"gateway_refs": ({"namespace": "infra"},)}, "spec.service.gatewayRefs[0].name: is missing"),
    ({"timeout": "1.5s"}, "spec.service.timeout: '1.5s' is not a duration of the Gateway API"),
    ({"backend_timeout": "soon"}, "spec.service.backendTimeout: 'soon' is not"),
    ({"match": ({"uri": {"suffix": "/x"}},)}, "spec.service.match[0].uri: suffix cannot be matched; accepted is one of exact, prefix, regex"),
    ({"match": ({"uri": {"prefix": "x"}},)}, "spec.service.match[0].uri.prefix: 'x' does not begin with /"),
    ({"match": ({"method": {"regex": "G.*"}},)}, "spec.service.match[0].method: regex cannot be matched"),
    ({"match": ({"method": {"exact": "get"}},)}, "spec.service.match[0].method.exact: 'get' is not one of GET"),
    ({"match": ({"headers": {"x": {"prefix": "y"}}},)}, "spec.service.match[0].headers.x: prefix cannot be matched"),
    ({"match": ({"queryParams": {"x": {}}},)}, "spec.service.match[0].queryParams.x: nothing cannot be matched"),
    ({"match": ({"port": 80},)}, "spec.service.match[0].port: the Gateway API matches by uri, method, headers, queryParams only"),
    ({"mirror": ({"backendRef": {}},)}, "spec.service.mirror[0].backendRef.name: is missing"),
    ({"cors_policy": {"allowOrigins": [{"regex": ".*"}]}}, "spec.service.corsPolicy.allowOrigins[0]: regex cannot be matched"),
    ({"cors_policy": {"allowOrigin": ["*"], "maxAge": "long"}}, "spec.service.corsPolicy.maxAge: 'long' is not a duration"),
    ({"cors_policy": {"unmatched": True}}, "spec.service.corsPolicy.unmatched: is not known"),
])
def test_what_the_gateway_api_cannot_do_is_refused_by_name(changes: Mapping[str, Any], words: str) -> None:
    problem, = gatewayapi.refuse(with_service(**changes))
    assert words in problem


def test_a_provider_without_a_router_is_refused() -> None:
    with pytest.raises(SpecError, match="spec.provider: 'istio' is not supported .*gatewayapi:v1"):
        router_for(dataclasses.replace(CANARY, provider="istio"))
    assert router_for(CANARY) is ROUTERS["gatewayapi:v1"]


# What a live object says

@pytest.mark.parametrize(("primary", "canary", "split"), [
    (90, 10, Split(90, 10)), (900, 100, Split(90, 10)), (9, 1, Split(90, 10)), (1, 1, Split(50, 50)), (100, 0, Split(100, 0)),
    (0, 100, Split(0, 100)), (None, None, Split(50, 50)), (None, 0, Split(100, 0)), (1000000, 1, Split(99, 1)), (1, 1000000, Split(1, 99)),
    (0, 0, None),
])
def test_weights_are_proportions_and_a_small_share_is_never_said_to_be_none(primary: int | None, canary: int | None, split: Split | None) -> None:
    assert gatewayapi.read(route(rule(primary, canary)), CANARY) == split


@pytest.mark.parametrize(("obj", "words"), [
    (route(), "no rule splits between the Services podinfo-primary and podinfo-canary"),
    (route({"backendRefs": [backend("podinfo-primary")]}), "no rule splits"),
    (route({"backendRefs": [backend("podinfo-primary"), backend("podinfo-canary"), backend("other")]}), "must be exactly"),
    (route({"backendRefs": [backend("podinfo-primary"), backend("podinfo-canary", namespace="other")]}), "no rule splits"),
    (route({"backendRefs": [backend("podinfo-primary"), backend("podinfo-canary", kind="ServiceImport", group="x")]}), "no rule splits"),
    (route({"backendRefs": [backend("podinfo-primary"), backend("podinfo-primary")]}), "no rule splits"),
    (route(rule(), rule()), "2 rules split between podinfo-primary and podinfo-canary; say which one by its name"),
    (route(rule(0, 0)), "both weights are 0"),
])
def test_a_route_that_does_not_split_between_our_two_is_said_to_be_so(obj: dict[str, Any], words: str) -> None:
    assert gatewayapi.read(obj, CANARY) is None
    assert gatewayapi.mismatch(obj, CANARY).startswith("HTTPRoute test/podinfo: ")
    assert words in gatewayapi.mismatch(obj, CANARY)


def test_one_of_several_rules_is_chosen_by_its_name() -> None:
    named = with_service(route_rule="main")
    obj = route(rule(1, 1, name="testers"), rule(100, 0, name="main"))
    assert gatewayapi.mismatch(obj, named) == ""
    after = gatewayapi.write(obj, named, Split(70, 30))
    assert after["spec"]["rules"][0] == obj["spec"]["rules"][0]
    assert gatewayapi.read(after, named) == Split(70, 30)
    assert "the rule named other does not split" in gatewayapi.mismatch(obj, with_service(route_rule="other"))


# What is written: property, byte for byte

NAMES = st.sampled_from(["retry", "sessionPersistence", "filters", "timeouts", "name", "x"])
WEIGHTS = st.one_of(st.none(), st.integers(min_value=0, max_value=1000000))


@st.composite
def users_routes(draw: Any) -> dict[str, Any]:
    """A route of the user's own with one rule that fits, anything else in it, and other rules around it."""
    fitting = rule(draw(WEIGHTS), draw(WEIGHTS), **draw(st.dictionaries(NAMES, FOREIGN, max_size=3)))
    for entry in fitting["backendRefs"]:
        entry.update(draw(st.dictionaries(st.sampled_from(["filters", "x"]), FOREIGN)))
    if draw(st.booleans()):
        fitting["backendRefs"].reverse()
    others = [{"backendRefs": [backend("other", draw(WEIGHTS))], "x": draw(FOREIGN)} for unused in range(draw(st.integers(0, 2)))]
    place = draw(st.integers(0, len(others)))
    return route(*others[:place], fitting, *others[place:], annotations=draw(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)))


def without_weights(obj: dict[str, Any], names: tuple[str, ...]) -> str:
    stripped = copy.deepcopy(obj)
    for one in stripped["spec"]["rules"]:
        for entry in one["backendRefs"]:
            if entry["name"] in names:
                entry.pop("weight", None)
    return json.dumps(stripped)


@BOUNDED
@given(users_routes(), SPLITS)
def test_what_is_written_is_read_back_and_a_users_route_changes_in_nothing_but_two_weights(obj: dict[str, Any], split: Split) -> None:
    original = json.dumps(obj)
    after = gatewayapi.write(obj, CANARY, split)
    assert gatewayapi.read(after, CANARY) == split
    assert json.dumps(obj) == original
    assert without_weights(after, ("podinfo-primary", "podinfo-canary")) == without_weights(obj, ("podinfo-primary", "podinfo-canary"))


@BOUNDED
@given(users_routes(), SPLITS)
def test_writing_twice_is_writing_once(obj: dict[str, Any], split: Split) -> None:
    once = gatewayapi.write(obj, CANARY, split)
    assert json.dumps(gatewayapi.write(once, CANARY, split)) == json.dumps(once)


def test_a_spelling_that_means_the_same_is_left_alone() -> None:
    obj = route(rule(900, 100))
    assert gatewayapi.write(obj, CANARY, Split(90, 10)) == obj


def test_a_users_route_is_not_owned_and_never_drifts() -> None:
    obj = route(rule(), labels={"progressive.delivery/canary": "another"})
    assert not gatewayapi.owned(obj, CANARY)
    assert gatewayapi.differs(obj, CANARY) == []


@BOUNDED
@given(SPLITS, SPLITS)
def test_our_own_route_round_trips_too(first: Split, second: Split) -> None:
    obj = gatewayapi.desired(WHOLE, first)
    assert gatewayapi.read(obj, WHOLE) == first
    assert gatewayapi.read(gatewayapi.write(obj, WHOLE, second), WHOLE) == second
    assert gatewayapi.differs(obj, WHOLE) == []


# Reconciling what we made (weak spots 20, 22)

def ours(canary: Canary = CANARY, split: Split = Split(70, 30)) -> dict[str, Any]:
    return gatewayapi.desired(canary, split)


def test_weak_spot_20_drift_is_put_right_without_touching_the_live_weights() -> None:
    obj = ours()
    obj["spec"]["parentRefs"][0]["name"] = "elsewhere"
    obj["spec"]["rules"][0]["matches"] = [{"path": {"type": "Exact", "value": "/x"}}]
    assert gatewayapi.differs(obj, CANARY) == [
        "spec.parentRefs[0].name", "spec.rules[0].matches[0].path.type", "spec.rules[0].matches[0].path.value"]
    assert gatewayapi.write(obj, CANARY, Split(70, 30)) == ours()


def test_weak_spot_22_what_others_added_survives() -> None:
    obj = ours()
    obj["metadata"]["labels"]["theirs"] = obj["metadata"]["annotations"]["theirs"] = "x"
    obj["spec"]["useDefaultGateways"] = "All"
    only = obj["spec"]["rules"][0]
    only["retry"] = {"attempts": 3}
    only["filters"] = [{"type": "ExtensionRef", "extensionRef": {"group": "x", "kind": "y", "name": "z"}}]
    only["backendRefs"][1]["filters"] = [{"type": "ResponseHeaderModifier"}]
    obj["spec"]["rules"].append({"backendRefs": [backend("other")]})
    assert gatewayapi.differs(obj, CANARY) == []
    after = gatewayapi.write(obj, CANARY, Split(60, 40))
    assert gatewayapi.read(after, CANARY) == Split(60, 40)
    assert without_weights(after, ("podinfo-primary", "podinfo-canary")) == without_weights(obj, ("podinfo-primary", "podinfo-canary"))


def test_a_part_that_the_document_no_longer_asks_for_goes_and_a_users_own_of_that_kind_stays() -> None:
    before = with_service(timeout="15s", hosts=("a.example.com",), rewrite={"uri": "/"}, headers={"request": {"set": {"x": "1"}}})
    obj = ours(before)
    obj["spec"]["rules"][0]["filters"].insert(0, {"type": "ExtensionRef"})
    after = gatewayapi.write(obj, with_service(headers={"request": {"set": {"x": "2"}}}), Split(70, 30))
    assert "hostnames" not in after["spec"]
    assert "timeouts" not in after["spec"]["rules"][0]
    assert after["spec"]["rules"][0]["filters"] == [
        {"type": "ExtensionRef"}, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "2"}]}}]
    assert after["metadata"]["annotations"]["progressive.delivery/owns"] == "filters.RequestHeaderModifier"
    by_hand = ours()
    by_hand["spec"]["hostnames"] = ["theirs.example.com"]
    by_hand["spec"]["rules"][0]["timeouts"] = {"request": "1s"}
    assert gatewayapi.differs(by_hand, CANARY) == []


@pytest.mark.parametrize("refs", [
    [], [backend("podinfo-primary", 5)], [backend("podinfo-canary", 5), backend("other", 5)],
    [backend("podinfo-primary", 5), backend("podinfo-canary", 5), backend("other", 5)],
])
def test_backends_that_somebody_took_away_or_added_are_put_right(refs: list[dict[str, Any]]) -> None:
    obj = ours()
    obj["spec"]["rules"][0]["backendRefs"] = refs
    assert gatewayapi.read(obj, CANARY) is None
    assert gatewayapi.differs(obj, CANARY)
    after = gatewayapi.write(obj, CANARY, Split(100, 0))
    assert gatewayapi.read(after, CANARY) == Split(100, 0)
    assert gatewayapi.differs(after, CANARY) == []


# Accepted by whom

def report(generation: int = 3, parent: Mapping[str, Any] | None = None, **statuses: str) -> dict[str, Any]:
    return {"parentRef": dict(parent or GATEWAY), "controllerName": "x/y", "conditions": [
        {"type": kind, "status": status, "observedGeneration": generation, "reason": "Because", "message": "so it is"}
        for kind, status in {"Accepted": "True", "ResolvedRefs": "True", **statuses}.items()]}


@pytest.mark.parametrize(("reports", "accepted", "why"), [
    ([report()], True, ""),
    ([report(4)], True, ""),
    ([report(parent={"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY})], True, ""),
    ([report(2)], False, "Gateway infra/gateway: Accepted is reported for an older generation of the route"),
    ([report(Accepted="False")], False, "Gateway infra/gateway: Accepted is False (Because): so it is"),
    ([report(ResolvedRefs="False")], False, "Gateway infra/gateway: ResolvedRefs is False (Because): so it is"),
    ([report(parent={"name": "other", "namespace": "infra"})], False, "Gateway infra/gateway: no controller has reported on the route yet"),
    ([], False, "Gateway infra/gateway: no controller has reported on the route yet"),
    ([{"parentRef": GATEWAY, "conditions": []}], False, "Gateway infra/gateway: Accepted is not reported yet"),
    ([report(2), report(3)], True, ""),
])
def test_weak_spot_26_a_route_is_accepted_when_every_parent_says_so_for_its_present_generation(reports: list[Any], accepted: bool, why: str) -> None:
    assert gatewayapi.accepted({**route(rule()), "status": {"parents": reports}}, CANARY) == (accepted, why)


def test_one_parent_that_does_not_accept_is_named() -> None:
    obj = route(rule())
    obj["spec"]["parentRefs"] = [GATEWAY, {"name": "inner", "sectionName": "http"}]
    obj["status"] = {"parents": [report()]}
    assert gatewayapi.accepted(obj, CANARY) == (False, "Gateway test/inner (http): no controller has reported on the route yet")
    obj["status"]["parents"].append(report(parent={"name": "inner", "namespace": "test", "sectionName": "http"}))
    assert gatewayapi.accepted(obj, CANARY) == (True, "")


def test_a_route_without_parents_is_never_accepted() -> None:
    obj = route(rule())
    obj["spec"]["parentRefs"] = []
    assert gatewayapi.accepted(obj, CANARY) == (False, "HTTPRoute test/podinfo names no parent")


# What is given back

def test_safety_29_a_route_of_ours_leads_to_the_apex_alone_and_back_to_a_split() -> None:
    ours = gatewayapi.desired(CANARY, Split(100, 0))
    back = gatewayapi.release(ours, CANARY)
    assert back["spec"]["rules"][0]["backendRefs"] == [{"group": "", "kind": "Service", "name": "podinfo", "port": 9898, "weight": 100}]
    assert {**back["spec"], "rules": []} == {**ours["spec"], "rules": []}
    assert gatewayapi.release(back, CANARY) == back
    assert gatewayapi.read(back, CANARY) is None
    assert gatewayapi.write(back, CANARY, Split(100, 0)) == ours


def test_safety_29_the_apex_is_named_before_a_route_leads_there() -> None:
    ours = gatewayapi.desired(CANARY, Split(100, 0))
    named = gatewayapi.beside(ours, CANARY)
    assert named["spec"]["rules"][0]["backendRefs"] == [
        *ours["spec"]["rules"][0]["backendRefs"], {"group": "", "kind": "Service", "name": "podinfo", "port": 9898, "weight": 0}]
    assert gatewayapi.beside(named, CANARY) == named
    assert gatewayapi.release(named, CANARY) == gatewayapi.release(ours, CANARY)
    assert gatewayapi.write(named, CANARY, Split(100, 0)) == ours
    for other in (gatewayapi.release(ours, CANARY), route({"backendRefs": [backend("files")]})):
        assert gatewayapi.beside(other, CANARY) == other


def test_safety_29_of_a_users_route_nothing_but_our_backends_changes() -> None:
    theirs = route({"name": "static", "backendRefs": [backend("files")]}, rule(100, 0, name="app", filters=[{"type": "URLRewrite"}]))
    back = gatewayapi.release(theirs, CANARY)
    wanted = copy.deepcopy(theirs)
    wanted["spec"]["rules"][1]["backendRefs"] = [backend("podinfo", 100)]
    assert back == wanted
    assert gatewayapi.release(route({"backendRefs": [backend("files")]}), CANARY) == route({"backendRefs": [backend("files")]})


# The older version of the API

def test_v1beta1_is_the_same_route_by_its_older_name() -> None:
    older = dataclasses.replace(CANARY, provider="gatewayapi:v1beta1")
    assert router_for(older) is router_for(CANARY) is gatewayapi
    assert gatewayapi.ref(older) == {**gatewayapi.ref(CANARY), "version": "v1beta1"}
    made = gatewayapi.desired(older, Split(90, 10))
    assert made.pop("apiVersion") == "gateway.networking.k8s.io/v1beta1"
    assert {"apiVersion": "gateway.networking.k8s.io/v1", **made} == gatewayapi.desired(CANARY, Split(90, 10))
    assert gatewayapi.refuse(older) == []
    problem, = gatewayapi.refuse(dataclasses.replace(with_service(cors_policy={"allowOrigin": ["*"]}), provider="gatewayapi:v1beta1"))
    assert problem.startswith("spec.service.corsPolicy: gatewayapi:v1beta1 does not know it")
