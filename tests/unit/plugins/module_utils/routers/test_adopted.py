# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, permissions, removing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse, parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import removal
from ansible_collections.progressive.delivery.plugins.module_utils.routers import adopted, gatewayapi, gatewayapi_around, router_for
from hypothesis import given
from hypothesis import strategies as st

GATEWAYAPI = Canary(
    name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=80, route="public"), analysis=Analysis(interval=10, threshold=1), options=Options(route="adopted"))
CONTOUR = dataclasses.replace(GATEWAYAPI, provider="contour")
KINDS = {"gatewayapi:v1": ("HTTPRoute", "rules", "backendRefs"), "contour": ("HTTPProxy", "routes", "services")}
BOTH = pytest.mark.parametrize("canary", [GATEWAYAPI, CONTOUR], ids=["gatewayapi", "contour"])


def backends(primary: int = 100, canary: int = 0, of: str = "podinfo-primary") -> list[dict[str, Any]]:
    return [{"name": of, "port": 80, "weight": primary}, {"name": "podinfo-canary", "port": 80, "weight": canary}]


def route(canary: Canary, *rules: Any, **metadata: Any) -> dict[str, Any]:
    kind, outer, inner = KINDS[canary.provider]
    return {"kind": kind, "metadata": {"name": "public", "namespace": "test", **metadata},
            "spec": {"parentRefs": [{"name": "gateway"}], outer: [{inner: rule} if isinstance(rule, list) else rule for rule in rules]}}


def objection(canary: Canary, obj: Any, services: Any = ("podinfo",)) -> str:
    return str(adopted.objection(canary, obj, services) or "")


@BOTH
@pytest.mark.parametrize("of", ["podinfo-primary", "podinfo"])
def test_a_route_that_splits_with_nothing_for_the_canary_is_fine(canary: Canary, of: str) -> None:
    assert objection(canary, route(canary, [{"name": "other", "port": 1}], backends(of=of))) == ""


@BOTH
def test_a_route_that_is_not_there_is_refused_with_what_to_write(canary: Canary) -> None:
    kind, unused, inner = KINDS[canary.provider]
    words = objection(canary, None)
    assert words.startswith(f"canary_route: adopted needs {kind} test/public, which does not exist")
    assert f"{inner}: [{{name: podinfo-primary, port: 80, weight: 100}}, {{name: podinfo-canary, port: 80, weight: 0}}]" in words


@BOTH
@pytest.mark.parametrize(("rules", "words"), [
    ([], "between the Services podinfo-primary and podinfo-canary"),
    ([[{"name": "podinfo", "port": 80}]], "must be exactly [{name: podinfo-primary, port: 80, weight: 100}, {name: podinfo-canary, port: 80, weight: 0}]"),
    ([[*backends(), {"name": "other", "port": 1}]], "must be exactly"),
    ([[{"name": "podinfo", "port": 80}, {"name": "podinfo-primary", "port": 80}]], "must be exactly"),
    ([backends(), backends(of="podinfo")], "split between podinfo-primary and podinfo-canary"),
    ([backends(95, 5)], "gives podinfo-canary 5 % before a release has begun"),
])
def test_a_route_that_does_not_fit_is_ambiguous_or_gives_the_canary_something_is_refused(canary: Canary, rules: list[Any], words: str) -> None:
    refused = objection(canary, route(canary, *rules))
    assert refused.startswith("canary_route: ") and f"{KINDS[canary.provider][0]} test/public" in refused
    assert words in refused


@BOTH
def test_a_route_that_we_made_is_no_route_of_the_users(canary: Canary) -> None:
    ours = router_for(canary).desired(dataclasses.replace(canary, options=Options()), Split(100, 0))
    assert "was made for this canary" in objection(canary, ours)


@BOTH
def test_a_route_that_names_the_apex_needs_one_since_the_walk_makes_it_after_the_route_is_accepted(canary: Canary) -> None:
    beside = route(canary, [{"name": "podinfo", "port": 80}, {"name": "other", "port": 80}], backends())
    for obj in (route(canary, backends(of="podinfo")), beside):
        assert "names the Service podinfo, which does not exist" in objection(canary, obj, services=())
        assert objection(canary, obj) == ""
    assert objection(canary, route(canary, backends()), services=()) == ""


def test_one_of_several_rules_is_chosen_by_name() -> None:
    main = dataclasses.replace(GATEWAYAPI, service=dataclasses.replace(GATEWAYAPI.service, route_rule="main"))
    both = route(main, {"name": "testers", "backendRefs": backends()}, {"name": "main", "backendRefs": backends()})
    assert objection(main, both) == ""
    assert "the rule named main does not split" in objection(main, route(main, {"name": "testers", "backendRefs": backends()}))


FOREIGN = st.recursive(st.one_of(st.integers(), st.text(max_size=4)), lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5)
SPLITS = st.integers(min_value=0, max_value=100).map(lambda canary: Split(100 - canary, canary))


@given(st.sampled_from(["podinfo", "podinfo-primary"]), SPLITS, FOREIGN, st.booleans())
def test_a_route_of_the_users_changes_in_two_weights_and_nothing_else(of: str, split: Split, foreign: Any, labelled: bool) -> None:
    labels = {"progressive.delivery/canary": "podinfo"} if labelled else {"team": "blue"}
    obj = route(GATEWAYAPI, [{"name": "podinfo-canary", "port": 80, "namespace": "other", "weight": 7}],
                {"name": "main", "filters": [foreign], "x": foreign, "backendRefs": backends(3, 1, of)}, labels=labels)
    before = json.dumps(obj)
    after = gatewayapi.write(obj, GATEWAYAPI, split)
    assert gatewayapi.read(after, GATEWAYAPI) == split
    assert json.dumps(obj) == before
    assert gatewayapi.differs(after, GATEWAYAPI) == [] and not gatewayapi.owned(after, GATEWAYAPI)
    stripped = [copy.deepcopy(one) for one in (obj, after)]
    for one in stripped:
        for entry in one["spec"]["rules"][1]["backendRefs"]:
            del entry["weight"]
    assert json.dumps(stripped[0]) == json.dumps(stripped[1])


def test_the_annotations_of_a_walk_go_and_all_others_stay() -> None:
    plain = route(GATEWAYAPI, backends(), annotations={"theirs": "x", "progressive.delivery/note": "theirs too"})
    held = marks.stamped(plain, "podinfo", 4)
    assert marks.are_on(held) and not marks.are_on(plain)
    assert marks.taken_off(held) == plain


# What a walk on one needs of the document, and may do

DOCUMENT = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": "test"}, "spec": {
    "provider": "gatewayapi:v1", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 80},
    "skipAnalysis": True, "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10}}}


def with_options(service: Any = None, **options: Any) -> Canary:
    document = {**DOCUMENT, "spec": {**DOCUMENT["spec"], "service": {"port": 80, **(service or {})}}}
    return parse(document, options=parse_options(options))


def test_the_document_needs_no_gateway_and_what_it_says_of_a_route_does_not_count_aloud() -> None:
    canary = with_options({"hosts": ["app.example.com"], "gatewayRefs": [{"name": "g"}]}, route="adopted", route_name="public", route_rule="main")
    assert (canary.service.route_name, canary.service.route_rule) == ("public", "main")
    assert [warning for warning in canary.warnings if "does not count" in warning] == [
        f"spec.service.{field} does not count: the route is yours (canary_route: adopted)" for field in ("gatewayRefs", "hosts")]
    assert gatewayapi.refuse(canary) == [] and gatewayapi_around.parents(canary) == []


def test_the_route_has_the_name_of_the_apex_unless_another_is_given() -> None:
    assert with_options(route="adopted").service.route_name == "podinfo"


def test_safety_08_the_adopted_route_is_part_of_what_may_not_change_in_a_walk() -> None:
    assert with_options(route="adopted", route_name="public", route_rule="main").identity["route"] == "public/main"
    assert "route" not in with_options({"gatewayRefs": [{"name": "g"}]}).identity


@pytest.mark.parametrize("options", [{"route_name": "public"}, {"route_rule": "main"}, {"route_name": "public", "route": "owned"}])
def test_the_name_of_a_route_or_rule_means_nothing_where_none_is_adopted(options: dict[str, str]) -> None:
    with pytest.raises(SpecError, match="means something with canary_route: adopted only"):
        parse_options(options)


def test_a_walk_on_one_is_never_allowed_to_make_a_route() -> None:
    def verbs(canary: Canary) -> set[str]:
        objects = permissions.objects_of(canary)
        return {verb for rule in permissions.walk(objects) + permissions.create(objects) if rule.resource == "httproutes" for verb in rule.verbs}

    assert verbs(GATEWAYAPI) == {"get", "patch", "watch"}
    assert verbs(dataclasses.replace(GATEWAYAPI, options=Options())) == {"create", "get", "patch", "watch"}


# Who would win over it

def other(created: str, *rules: Any) -> dict[str, Any]:
    return {"kind": "HTTPRoute", "metadata": {"name": "other", "namespace": "test", "creationTimestamp": created},
            "spec": {"parentRefs": [{"name": "gateway"}], "rules": list(rules)}}


def test_safety_26_an_older_route_for_the_same_requests_as_the_walked_rule_is_refused() -> None:
    api, rest = {"matches": [{"path": {"value": "/api"}}]}, {"matches": [{"path": {"value": "/"}}]}
    mine = route(GATEWAYAPI, {**api, "backendRefs": [{"name": "else", "port": 1}]}, {**rest, "backendRefs": backends()}, creationTimestamp="2026-02")
    assert gatewayapi_around.rivals(GATEWAYAPI, mine, [mine, other("2026-01", api)]) == []
    assert gatewayapi_around.rivals(GATEWAYAPI, mine, [mine, other("2026-03", rest)]) == []
    (rival,) = gatewayapi_around.rivals(GATEWAYAPI, mine, [mine, other("2026-01", rest)])
    assert "HTTPRoute test/other is older and matches the same requests (any host)" in str(rival)


@BOTH
@pytest.mark.parametrize("of", ["podinfo-primary", "podinfo"])
def test_safety_29_given_back_an_adopted_route_keeps_its_two_entries_with_nothing_for_the_canary(canary: Canary, of: str) -> None:
    router, at_rest = router_for(canary), route(canary, [{"name": "other", "port": 1}], backends(of=of))
    assert router.release(route(canary, [{"name": "other", "port": 1}], backends(70, 30, of)), canary) == at_rest
    assert router.release(at_rest, canary) == at_rest


@BOTH
@pytest.mark.parametrize("rules", [[backends()], [[{"name": "podinfo-primary", "port": 80}], backends(of="podinfo")]])
def test_safety_29_what_an_adopted_route_names_is_needed_and_the_primary_is_in_the_way_of_a_removal(canary: Canary, rules: Any) -> None:
    needed = removal.needed_by(route(canary, *rules), canary)
    assert needed == ("Service/podinfo-primary", "Service/podinfo-canary")
    words = removing.in_the_way(canary, needed)
    assert words.startswith("canary_route: the adopted route test/public names the Service podinfo-primary, which a removal deletes; name podinfo in its place")


@BOTH
def test_safety_29_an_adopted_route_that_names_the_apex_is_not_in_the_way(canary: Canary) -> None:
    needed = removal.needed_by(route(canary, backends(of="podinfo")), canary)
    assert needed == ("Service/podinfo-canary",) and removing.in_the_way(canary, needed) == ""
    assert removal.needed_by(None, canary) == ()


def test_safety_29_a_route_that_we_made_is_rewritten_so_that_it_needs_nothing() -> None:
    ours = dataclasses.replace(GATEWAYAPI, options=Options())
    assert removal.needed_by(gatewayapi.desired(ours, Split(100, 0)), ours) == ()
