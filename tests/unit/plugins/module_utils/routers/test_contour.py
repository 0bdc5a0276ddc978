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
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse, problems
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Metadata, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ROUTERS, contour, router_for
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, FOREIGN, SPLITS
from hypothesis import given
from hypothesis import strategies as st

CANARY = Canary(
    name="podinfo", namespace="test", provider="contour", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=9898), analysis=Analysis(interval=10, threshold=1))
OURS = ("podinfo-primary", "podinfo-canary")


def with_service(**changes: Any) -> Canary:
    return dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, **changes))


def entry(name: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 9898, **({} if weight is None else {"weight": weight}), **more}


def splits(primary: int | None = 100, canary: int | None = 0, *others: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"services": [entry("podinfo-primary", primary), entry("podinfo-canary", canary), *others], **more}


def proxy(*routes: Mapping[str, Any], status: Any = None, **metadata: Any) -> dict[str, Any]:
    """An HTTPProxy as a user writes it."""
    return {
        "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy",
        "metadata": {"name": "podinfo", "namespace": "test", "generation": 3, "resourceVersion": "7", **metadata},
        "spec": {"virtualhost": {"fqdn": "app.example.com", "rateLimitPolicy": {"local": {"requests": 9}}}, "routes": list(routes)},
        **({"status": status} if status else {}),
    }


def backend(name: str, weight: int) -> dict[str, Any]:
    """As Flagger 1.44 writes it, for Linkerd."""
    return {"name": name, "port": 9898, "weight": weight, "requestHeadersPolicy": {
        "set": [{"name": "l5d-dst-override", "value": f"{name}.test.svc.cluster.local:9898"}]}}


# What a document gives

def test_the_smallest_document_gives_what_flagger_makes() -> None:
    assert contour.desired(CANARY, Split(90, 10)) == {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": {
            "name": "podinfo", "namespace": "test",
            "labels": {"progressive.delivery/canary": "podinfo"},
            "annotations": {
                "kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled",
                "progressive.delivery/canary": "podinfo"},
        },
        "spec": {"routes": [{"conditions": [{"prefix": "/"}], "services": [backend("podinfo-primary", 90), backend("podinfo-canary", 10)]}]},
    }


WHOLE = dataclasses.replace(
    with_service(timeout="15s", match=({"uri": {"prefix": "/api"}},), retries={"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx, reset"},
                 apex=Metadata({"team": "blue"}, {"note": "hello"})),
    options=Options(ingress_class="outer"))


def test_everything_that_a_document_can_say_reaches_the_object() -> None:
    assert contour.refuse(WHOLE) == []
    made = contour.desired(WHOLE, Split(100, 0))
    assert made["metadata"]["labels"] == {"team": "blue", "progressive.delivery/canary": "podinfo"}
    assert made["metadata"]["annotations"]["note"] == "hello"
    assert made["metadata"]["annotations"]["progressive.delivery/owns"] == "ingressClassName,timeoutPolicy,retryPolicy"
    assert made["spec"] == {"ingressClassName": "outer", "routes": [{
        "conditions": [{"prefix": "/api"}],
        "timeoutPolicy": {"response": "15s", "idle": "5m"},
        "retryPolicy": {"count": 3, "perTryTimeout": "1s", "retryOn": ["5xx", "reset"]},
        "services": [backend("podinfo-primary", 100), backend("podinfo-canary", 0)],
    }]}


@pytest.mark.parametrize(("changes", "words"), [
    ({"gateway_refs": ({"name": "public"},)}, "spec.service.gatewayRefs: "),
    ({"hosts": ("app.example.com",)}, "spec.service.hosts: "),
    ({"backend_timeout": "2s"}, "spec.service.backendTimeout: "),
    ({"rewrite": {"uri": "/"}}, "spec.service.rewrite: "),
    ({"headers": {"request": {"remove": ["x"]}}}, "spec.service.headers: "),
    ({"mirror": ({"backendRef": {"name": "shadow", "port": 80}},)}, "spec.service.mirror: "),
    ({"cors_policy": {"allowOrigin": ["*"]}}, "spec.service.corsPolicy: "),
    ({"match": ({"uri": {"exact": "/x"}},)}, "spec.service.match[0].uri.exact: cannot be matched; accepted: prefix"),
    ({"match": ({"uri": {"prefix": "/x"}, "headers": {"x": {"exact": "y"}}},)}, "spec.service.match[0].headers: "),
    ({"match": ({"method": {"exact": "GET"}},)}, "spec.service.match[0].method: "),
    ({"match": ({"uri": {"prefix": "/x"}}, {"uri": {"prefix": "/y"}})}, "spec.service.match: has 2 entries"),
    ({"retries": {"attempts": 1, "retryOn": "5xx,sometimes"}}, "spec.service.retries.retryOn: 'sometimes' is not one of 5xx"),
    ({"route_rule": "main"}, "canary_route_rule: the routes of an HTTPProxy have no names"),
])
def test_what_contour_cannot_do_as_flagger_makes_it_is_refused_by_name(changes: Mapping[str, Any], words: str) -> None:
    problem, = contour.refuse(with_service(**changes))
    assert problem.startswith(words)


def document(**service: Any) -> dict[str, Any]:
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": "test"}, "spec": {
        "provider": "contour", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80, **service}, "skipAnalysis": True, "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10}}}


def test_a_document_for_contour_needs_no_gateway_and_may_have_retries_and_durations_with_fractions() -> None:
    canary = parse(document(timeout="1.5s", retries={"attempts": "3", "perTryTimeout": "1s", "retryOn": "5xx,reset"}))
    assert router_for(canary) is ROUTERS["contour"]
    assert canary.service.timeout == "1.5s"
    assert canary.service.retries == {"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx,reset"}


@pytest.mark.parametrize(("service", "path"), [
    ({"retries": {"attempts": 0}}, "spec.service.retries.attempts"),
    ({"retries": {"retryOn": "5xx"}}, "spec.service.retries.attempts"),
    ({"retries": {"attempts": 1, "perTryTimeout": "soon"}}, "spec.service.retries.perTryTimeout"),
    ({"retries": {"attempts": 1, "retryRemoteLocalities": True}}, "spec.service.retries.retryRemoteLocalities"),
    ({"timeout": "soon"}, "spec.service.timeout"),
    ({"trafficPolicy": {"tls": {"mode": "DISABLE"}}}, "spec.service.trafficPolicy"),
])
def test_a_wrong_document_for_contour_is_refused_with_the_field(service: Mapping[str, Any], path: str) -> None:
    assert [problem.path for problem in problems(document(**service))] == [path]


# What a live object says

@pytest.mark.parametrize(("primary", "canary", "split"), [
    (90, 10, Split(90, 10)), (9, 1, Split(90, 10)), (900, 100, Split(90, 10)), (1, 1, Split(50, 50)), (100, 0, Split(100, 0)), (0, 100, Split(0, 100)),
    (None, None, Split(50, 50)), (0, 0, Split(50, 50)), (None, 0, Split(50, 50)),
    (100, None, Split(100, 0)), (None, 100, Split(0, 100)), (1, None, Split(100, 0)),
    (100000, 1, Split(99, 1)), (1, 100000, Split(1, 99)),
])
def test_weights_are_proportions_one_left_out_is_nothing_and_none_at_all_is_an_even_split(primary: int | None, canary: int | None, split: Split) -> None:
    assert contour.read(proxy(splits(primary, canary)), CANARY) == split


@pytest.mark.parametrize("mirror", [
    entry("podinfo-canary", mirror=True), entry("podinfo-canary", 20, mirror=True), entry("shadow", 0, mirror=True), entry("podinfo-primary", 100, mirror=True),
])
def test_a_mirror_has_no_part_in_the_split_and_keeps_its_weight(mirror: dict[str, Any]) -> None:
    obj = proxy(splits(90, 10, mirror))
    assert contour.read(obj, CANARY) == Split(90, 10)
    after = contour.write(obj, CANARY, Split(80, 20))
    assert after["spec"]["routes"][0]["services"] == [entry("podinfo-primary", 80), entry("podinfo-canary", 20), mirror]


@pytest.mark.parametrize(("obj", "words"), [
    (proxy(), "no route splits between the Services podinfo-primary and podinfo-canary"),
    (proxy({"services": [entry("podinfo-primary")]}), "its services must be exactly [{name: podinfo-primary, port: 9898, weight: 100}"),
    (proxy({"services": [entry("podinfo-primary"), entry("podinfo-canary"), entry("other")]}), "no route splits"),
    (proxy({"services": [entry("podinfo-primary"), entry("podinfo-canary", mirror=True)]}), "no route splits"),
    (proxy({"services": [entry("podinfo-primary"), entry("podinfo-primary")]}), "no route splits"),
    (proxy(splits(), splits(conditions=[{"prefix": "/api"}])), "2 routes split between podinfo-primary and podinfo-canary, and they have no names"),
])
def test_an_object_that_does_not_split_between_our_two_is_said_to_be_so(obj: dict[str, Any], words: str) -> None:
    assert contour.read(obj, CANARY) is None
    assert contour.mismatch(obj, CANARY).startswith("HTTPProxy test/podinfo: ")
    assert words in contour.mismatch(obj, CANARY)


# What is written: property, byte for byte

NAMES = st.sampled_from(["retryPolicy", "timeoutPolicy", "conditions", "rateLimitPolicy", "loadBalancerPolicy", "x"])
WEIGHTS = st.one_of(st.none(), st.integers(min_value=0, max_value=100000))


@st.composite
def users_proxies(draw: Any, primary: str = "podinfo-primary") -> dict[str, Any]:
    """An HTTPProxy of the user's own with one route that fits, mirrors and anything else in it, and other routes around it."""
    fitting = {**draw(st.dictionaries(NAMES, FOREIGN, max_size=3)), "services": [entry(primary, draw(WEIGHTS)), entry("podinfo-canary", draw(WEIGHTS))]}
    for one in fitting["services"]:
        one.update(draw(st.dictionaries(st.sampled_from(["requestHeadersPolicy", "x"]), FOREIGN)))
    if draw(st.booleans()):
        fitting["services"].reverse()
    for name in draw(st.lists(st.sampled_from([*OURS, "shadow"]), max_size=2)):
        fitting["services"].insert(draw(st.integers(0, 2)), entry(name, draw(WEIGHTS), mirror=True))
    others = [{"services": [entry("other", draw(WEIGHTS)), entry("podinfo-canary", draw(WEIGHTS), mirror=True)], "x": draw(FOREIGN)}
              for unused in range(draw(st.integers(0, 2)))]
    place = draw(st.integers(0, len(others)))
    return proxy(*others[:place], fitting, *others[place:], annotations=draw(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)))


def without_weights(obj: dict[str, Any], names: tuple[str, ...] = OURS) -> str:
    stripped = copy.deepcopy(obj)
    for one in stripped["spec"]["routes"]:
        for service in one["services"]:
            if service["name"] in names and not service.get("mirror"):
                service.pop("weight", None)
    return json.dumps(stripped)


@BOUNDED
@given(users_proxies(), SPLITS)
def test_what_is_written_is_read_back_and_a_users_object_changes_in_nothing_but_two_weights(obj: dict[str, Any], split: Split) -> None:
    original = json.dumps(obj)
    after = contour.write(obj, CANARY, split)
    assert contour.read(after, CANARY) == split
    assert json.dumps(obj) == original
    assert without_weights(after) == without_weights(obj)


@BOUNDED
@given(users_proxies(), SPLITS)
def test_writing_twice_is_writing_once(obj: dict[str, Any], split: Split) -> None:
    once = contour.write(obj, CANARY, split)
    assert json.dumps(contour.write(once, CANARY, split)) == json.dumps(once)


ADOPTED = dataclasses.replace(CANARY, options=Options(route="adopted"))


@BOUNDED
@given(st.one_of(users_proxies(), users_proxies(primary="podinfo")), SPLITS, st.booleans())
def test_in_an_adopted_object_the_apex_may_stand_for_the_primary_and_nothing_is_ever_reconciled(obj: dict[str, Any], split: Split, labelled: bool) -> None:
    if labelled:
        obj["metadata"]["labels"] = {"progressive.delivery/canary": "podinfo"}
    after = contour.write(obj, ADOPTED, split)
    assert contour.read(after, ADOPTED) == split
    assert without_weights(after, ("podinfo", *OURS)) == without_weights(obj, ("podinfo", *OURS))
    assert not contour.owned(after, ADOPTED) and contour.differs(after, ADOPTED) == []


@pytest.mark.parametrize(("primary", "canary", "split"), [(900, 100, Split(90, 10)), (None, None, Split(50, 50)), (1, None, Split(100, 0))])
def test_a_spelling_that_means_the_same_is_left_alone(primary: int | None, canary: int | None, split: Split) -> None:
    obj = proxy(splits(primary, canary))
    assert contour.write(obj, CANARY, split) == obj


# What we made

def test_weak_spot_20_drift_is_put_right_without_touching_the_live_weights() -> None:
    obj = contour.desired(CANARY, Split(70, 30))
    route = obj["spec"]["routes"][0]
    route["conditions"] = [{"prefix": "/x"}]
    route["services"][0]["port"] = 1
    route["services"][1]["requestHeadersPolicy"]["set"][0]["value"] = "elsewhere"
    assert contour.differs(obj, CANARY) == [
        "spec.routes[0].conditions[0].prefix", "spec.routes[0].services[0].port", "spec.routes[0].services[1].requestHeadersPolicy.set[0].value"]
    assert contour.write(obj, CANARY, Split(70, 30)) == contour.desired(CANARY, Split(70, 30))


def test_weak_spot_22_what_others_added_survives() -> None:
    obj = contour.desired(CANARY, Split(70, 30))
    obj["metadata"]["labels"]["theirs"] = obj["metadata"]["annotations"]["theirs"] = "x"
    obj["spec"].update(virtualhost={"fqdn": "app.example.com"}, includes=[{"name": "other"}], ingressClassName="theirs")
    route = obj["spec"]["routes"][0]
    route.update(loadBalancerPolicy={"strategy": "Cookie"}, timeoutPolicy={"idle": "1m"})
    route["services"][0]["requestHeadersPolicy"] = {"set": [{"name": "x", "value": "y"}, *route["services"][0]["requestHeadersPolicy"]["set"]],
                                                    "remove": ["z"]}
    route["services"].insert(1, entry("shadow", 5, mirror=True))
    obj["spec"]["routes"].append({"services": [entry("other")]})
    assert contour.differs(obj, CANARY) == []
    after = contour.write(obj, CANARY, Split(60, 40))
    assert contour.read(after, CANARY) == Split(60, 40)
    assert without_weights(after) == without_weights(obj)


def test_a_part_that_the_document_no_longer_asks_for_goes() -> None:
    after = contour.write(contour.desired(WHOLE, Split(70, 30)), with_service(apex=WHOLE.service.apex), Split(70, 30))
    assert after == contour.desired(with_service(apex=WHOLE.service.apex), Split(70, 30))


@pytest.mark.parametrize("services", [
    [], [entry("podinfo-primary", 5)], [entry("podinfo-canary", 5), entry("other", 5)], [entry("podinfo-canary"), entry("shadow", mirror=True)],
    [entry("podinfo-primary", 5), entry("podinfo-canary", 5), entry("other", 5)],
])
def test_services_that_somebody_took_away_or_added_are_put_right(services: list[dict[str, Any]]) -> None:
    obj = contour.desired(CANARY, Split(70, 30))
    obj["spec"]["routes"][0]["services"] = services
    assert contour.read(obj, CANARY) is None
    assert contour.differs(obj, CANARY)
    after = contour.write(obj, CANARY, Split(100, 0))
    assert contour.read(after, CANARY) == Split(100, 0)
    assert [one["name"] for one in after["spec"]["routes"][0]["services"] if not one.get("mirror")] == list(OURS)
    assert contour.differs(after, CANARY) == []


@BOUNDED
@given(SPLITS, SPLITS)
def test_our_own_object_round_trips_too(first: Split, second: Split) -> None:
    obj = contour.desired(WHOLE, first)
    assert contour.read(obj, WHOLE) == first
    assert contour.read(contour.write(obj, WHOLE, second), WHOLE) == second
    assert contour.differs(obj, WHOLE) == []


# Accepted by whom

def report(current: str, status: str = "True", generation: int = 3, *messages: str) -> dict[str, Any]:
    return {"currentStatus": current, "description": "as described", "conditions": [
        {"type": "Valid", "status": status, "observedGeneration": generation, "errors": [{"type": "X", "message": message} for message in messages]}]}


@pytest.mark.parametrize(("weight", "status", "accepted", "why"), [
    (10, report("valid"), True, ""),
    (10, report("valid", generation=2), False, "Contour's report is for an older generation"),
    (10, None, False, "Contour has not reported on it yet"),
    (10, {"currentStatus": "NotReconciled", "description": "Waiting for controller"}, False, "Contour has not reported on it yet"),
    (10, report("invalid", "False", 3, "no such Service", "bad prefix"), False, "is invalid: no such Service; bad prefix"),
    (0, report("invalid", "False"), False, "is invalid: as described"),
    (10, report("valid", "False"), False, "is valid: as described"),
])
def test_an_object_is_accepted_when_contour_calls_its_present_generation_valid(weight: int, status: Any, accepted: bool, why: str) -> None:
    done, said = contour.accepted(proxy(splits(100 - weight, weight), status=status), CANARY)
    assert done is accepted
    assert said.startswith("HTTPProxy test/podinfo") if why else said == ""
    assert said.endswith(why)


def test_safety_26_an_orphan_is_accepted_as_long_as_it_gives_the_canary_nothing() -> None:
    orphaned = report("orphaned", "False", 3, "this HTTPProxy is not part of a delegation chain from a root HTTPProxy")
    assert contour.accepted(proxy(splits(100, 0), status=orphaned), CANARY) == (True, "")
    accepted, why = contour.accepted(proxy(splits(90, 10), status=orphaned), CANARY)
    assert not accepted
    assert why == "HTTPProxy test/podinfo is orphaned: this HTTPProxy is not part of a delegation chain from a root HTTPProxy"
    older = report("orphaned", "False", 2, "this HTTPProxy is not part of a delegation chain from a root HTTPProxy")
    assert not contour.accepted(proxy(splits(100, 0), status=older), CANARY)[0]


# A removal

def test_safety_29_a_proxy_of_ours_leads_to_the_apex_alone_and_back_to_a_split() -> None:
    ours = contour.desired(WHOLE, Split(100, 0))
    back = contour.release(ours, WHOLE)
    assert back["spec"]["routes"][0]["services"] == [backend("podinfo", 100)]
    services = {"services": []}
    assert [{**route, **services} for route in back["spec"]["routes"]] == [{**route, **services} for route in ours["spec"]["routes"]]
    assert contour.release(back, WHOLE) == back
    assert contour.read(back, WHOLE) is None
    assert contour.write(back, WHOLE, Split(100, 0)) == ours


def test_safety_29_the_apex_is_named_before_a_proxy_is_led_there() -> None:
    ours = contour.desired(WHOLE, Split(100, 0))
    named = contour.beside(ours, WHOLE)
    assert named["spec"]["routes"][0]["services"] == [*ours["spec"]["routes"][0]["services"], backend("podinfo", 0)]
    assert contour.beside(named, WHOLE) == named
    assert contour.release(named, WHOLE) == contour.release(ours, WHOLE)
    assert contour.write(named, WHOLE, Split(100, 0)) == ours
    for other in (contour.release(ours, WHOLE), proxy({"services": [entry("files")]}), proxy(splits(100, 0, entry("podinfo", 5)))):
        assert contour.beside(other, CANARY) == other


def test_safety_29_of_another_proxy_nothing_but_our_services_changes_and_no_mirror_names_what_goes_away() -> None:
    theirs = proxy({"services": [entry("files")]}, splits(100, 0, entry("shadow", mirror=True), entry("podinfo-canary", mirror=True), permitInsecure=True))
    back = contour.release(theirs, CANARY)
    wanted = copy.deepcopy(theirs)
    wanted["spec"]["routes"][1]["services"] = [backend("podinfo", 100), entry("shadow", mirror=True)]
    assert back == wanted
    assert contour.release(proxy({"services": [entry("files")]}), CANARY) == proxy({"services": [entry("files")]})


def test_safety_29_an_entry_of_the_users_own_for_the_apex_is_enough() -> None:
    theirs = proxy(splits(100, 0, entry("podinfo", 5)))
    assert contour.release(theirs, CANARY) == proxy({"services": [entry("podinfo", 5)]})


def test_safety_26_an_orphan_whose_canary_is_to_get_copies_is_not_accepted() -> None:
    copying = dataclasses.replace(CANARY, analysis=dataclasses.replace(CANARY.analysis, mirror=100))
    orphan = contour.desired(copying, Split(100, 0, mirror=100))
    orphan["metadata"]["generation"] = 3
    orphan["status"] = report("orphaned", "False", 3, "this HTTPProxy is not part of a delegation chain from a root HTTPProxy")
    assert contour.read(orphan, copying) == Split(100, 0, mirror=100)
    assert contour.accepted(orphan, copying)[0] is False


def test_safety_29_an_orphan_that_was_given_back_is_accepted() -> None:
    orphaned = report("orphaned", "False", 3, "this HTTPProxy is not part of a delegation chain from a root HTTPProxy")
    released = contour.release(proxy(splits(100, 0), status=orphaned), CANARY)
    assert contour.accepted(released, CANARY) == (True, "")
    assert contour.accepted(proxy({"services": [entry("files")]}, status=orphaned), CANARY)[0] is False
