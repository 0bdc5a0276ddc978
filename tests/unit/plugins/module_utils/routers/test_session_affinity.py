# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Session affinity: who shows a cookie stays on the side that they met first, by rules of their own in the canary's HTTPRoute."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import cookies
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi, refuse, router_for
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, SPLITS
from hypothesis import given
from hypothesis import strategies as st

PRIMARY, CANARY = "podinfo-primary", "podinfo-canary"
BOTH = Affinity("stays", 600, "rests", path="/", http_only=True)
STAYS, RESTS, FORMER = "stays=abcdefghij", "rests=klmnopqrst", "stays=zyxwvutsrq"
WALKING = Split(90, 10, cookie=STAYS, primary_cookie=RESTS)
OVER = Split(100, 0, previous_cookie=STAYS)


def document(provider: str = "gatewayapi:v1", affinity: Affinity | None = BOTH, **service: Any) -> Canary:
    parents = ({"name": "public", "namespace": "ingress"},) if provider == "gatewayapi:v1" else ()
    return Canary(
        name="podinfo", namespace="test", provider=provider, target="podinfo", target_kind="Deployment",
        service=Service(name="podinfo", port=9898, gateway_refs=parents, **service),
        analysis=Analysis(interval=10, threshold=1, step_weight=10, affinity=affinity))


def rules(obj: Mapping[str, Any]) -> list[tuple[str, dict[str, tuple[int, str]]]]:
    """Of each rule the cookie that it asks for, and by Service the weight and what is set."""
    def cookie(rule: Mapping[str, Any]) -> str:
        return next((cookies.of_pattern(header["value"]) for header in rule["matches"][0].get("headers", []) if header["name"] == "Cookie"), "")

    def given_by(entry: Mapping[str, Any]) -> str:
        return next((header["value"] for one in entry.get("filters", []) for header in one["responseHeaderModifier"]["add"]), "")
    return [(cookie(rule), {entry["name"]: (entry["weight"], given_by(entry)) for entry in rule["backendRefs"]}) for rule in obj["spec"]["rules"]]


def test_during_a_walk_both_sides_set_their_cookie_and_who_shows_one_stays() -> None:
    assert rules(gatewayapi.desired(document(), WALKING)) == [
        ("", {PRIMARY: (90, f"{RESTS}; Max-Age=10; HttpOnly; Path=/"), CANARY: (10, f"{STAYS}; Max-Age=600; HttpOnly; Path=/")}),
        (STAYS, {CANARY: (100, "")}),
        (RESTS, {PRIMARY: (100, "")}),
    ]


def test_afterwards_who_shows_the_cookie_is_served_by_the_primary_and_told_to_forget_it() -> None:
    """By the domain and path that it was set with, without which a browser keeps it."""
    assert rules(gatewayapi.write(gatewayapi.desired(document(), WALKING), document(), OVER)) == [
        ("", {PRIMARY: (100, ""), CANARY: (0, "")}),
        (STAYS, {PRIMARY: (100, f"{STAYS}; Max-Age=-1; HttpOnly; Path=/")}),
    ]


def test_without_a_primary_cookie_only_the_canary_keeps_its_users() -> None:
    made = rules(gatewayapi.desired(document(affinity=Affinity("stays")), Split(90, 10, cookie=STAYS)))
    assert made == [("", {PRIMARY: (90, ""), CANARY: (10, f"{STAYS}; Max-Age=86400")}), (STAYS, {CANARY: (100, "")})]


def test_who_stays_is_asked_for_all_that_the_service_asks_for_as_well() -> None:
    canary = document(match=({"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"exact": "t"}}}, {"uri": {"exact": "/"}}), timeout="15s")
    everybody, staying, resting = gatewayapi.desired(canary, WALKING)["spec"]["rules"]
    for rule in (staying, resting):
        assert [{**match, "headers": [header for header in match["headers"] if header["name"] != "Cookie"]} for match in rule["matches"]] \
            == [{"headers": [], **match} for match in everybody["matches"]]
        assert all(match["headers"][-1]["name"] == "Cookie" for match in rule["matches"]) and rule["timeouts"] == {"request": "15s"}


CASES = st.sampled_from([WALKING, OVER, Split(100, 0), Split(0, 100, cookie=STAYS, primary_cookie=RESTS), Split(70, 30, cookie=STAYS),
                         Split(100, 0, previous_cookie=FORMER), Split(100, 0, mirror=40, previous_cookie=FORMER)])


@BOUNDED
@given(CASES, CASES, st.sampled_from([(), ({"uri": {"prefix": "/api"}}, {"headers": {"a": {"regex": "b"}}})]))
def test_what_is_written_is_read_and_written_twice_it_is_the_same(first: Split, second: Split, match: Any) -> None:
    canary = document(match=match)
    obj = gatewayapi.desired(canary, first)
    assert gatewayapi.read(obj, canary) == first and gatewayapi.differs(obj, canary) == []
    after = gatewayapi.write(obj, canary, second)
    assert gatewayapi.read(after, canary) == second and gatewayapi.differs(after, canary) == []
    assert gatewayapi.write(after, canary, second) == after == gatewayapi.desired(canary, second)
    assert gatewayapi.write(after, canary, first) == obj


def test_what_users_add_to_the_rule_for_everybody_holds_for_who_stays_too() -> None:
    """Such as a filter that asks who they are; a name is the rule's alone."""
    canary = document()
    obj = gatewayapi.desired(canary, WALKING)
    theirs = {"type": "ExtensionRef", "extensionRef": {"group": "a", "kind": "Auth", "name": "c"}}
    extra = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x", "value": "y"}]}}
    obj["spec"]["rules"][0].update(filters=[theirs], name="main")
    obj["spec"]["rules"][0]["backendRefs"][0]["filters"].insert(0, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": []}})
    obj["spec"]["rules"].append({"backendRefs": [{"name": "other", "port": 1}]})
    after = gatewayapi.write(obj, canary, Split(70, 30, cookie=STAYS, primary_cookie=RESTS))
    assert [rule.get("filters") for rule in after["spec"]["rules"]] == [[theirs], [theirs], [theirs], None]
    assert [rule.get("name") for rule in after["spec"]["rules"]] == ["main", None, None, None]
    assert after["spec"]["rules"][0]["backendRefs"][0]["filters"][0]["type"] == "RequestHeaderModifier"
    obj["spec"]["rules"][0]["backendRefs"][0]["filters"] = [extra]
    kept = gatewayapi.write(obj, canary, OVER)
    assert kept["spec"]["rules"][0]["backendRefs"][0]["filters"] == [extra], "their own header stays when the cookie goes"


def test_weak_spot_27_whatever_somebody_did_to_the_rules_of_those_who_stay_is_drift_and_put_right() -> None:
    canary = document()
    obj = gatewayapi.desired(canary, WALKING)
    for harm in (lambda rules: rules[1]["backendRefs"].append({"name": "other", "port": 1}), lambda rules: rules[1].update(timeouts={"request": "1s"}),
                 lambda rules: rules[0]["backendRefs"][1].pop("filters")):
        harmed = copy.deepcopy(obj)
        harm(harmed["spec"]["rules"])
        assert gatewayapi.differs(harmed, canary)
        assert gatewayapi.write(harmed, canary, WALKING) == obj


def test_a_document_may_begin_to_keep_users_and_stop_it_between_releases() -> None:
    plain, keeping = document(affinity=None), document()
    obj = gatewayapi.desired(plain, Split(100, 0))
    assert gatewayapi.write(obj, keeping, WALKING)["spec"] == gatewayapi.desired(keeping, WALKING)["spec"]
    assert gatewayapi.write(gatewayapi.desired(keeping, OVER), plain, Split(100, 0)) == obj


def test_a_walk_of_flaggers_that_kept_users_is_read_as_one_and_taken_back() -> None:
    canary = document()
    obj = gatewayapi.desired(canary, Split(90, 10))
    everybody = obj["spec"]["rules"][0]
    for service, weight, pattern in ((PRIMARY, 100, ".*rests.*klmnopqrst.*"), (CANARY, 100, ".*stays.*abcdefghij.*")):
        header = {"name": "Cookie", "type": "RegularExpression", "value": pattern}
        backends = [{**entry, "weight": weight if entry["name"] == service else 0} for entry in everybody["backendRefs"]]
        obj["spec"]["rules"].insert(0, {"matches": [{**everybody["matches"][0], "headers": [header]}], "backendRefs": backends})
    assert gatewayapi.read(obj, canary) == WALKING
    assert gatewayapi.write(obj, canary, OVER) == gatewayapi.desired(canary, OVER)


def test_safety_29_a_removal_leaves_one_rule_for_everybody_and_no_cookie() -> None:
    canary = document()
    released = gatewayapi.release(gatewayapi.desired(document(affinity=None), Split(100, 0)), document(affinity=None))["spec"]
    for split in (OVER, WALKING):
        assert gatewayapi.release(gatewayapi.desired(canary, split), canary)["spec"] == released
        assert gatewayapi.release(gatewayapi.beside(gatewayapi.desired(canary, split), canary), canary)["spec"] == released


# Cookies

def test_weak_spot_27_the_cookies_of_an_analysis_are_the_same_whoever_makes_them_and_however_often() -> None:
    canary = document()
    one = cookies.of_canary(canary, "aaaaaaaa-1")
    assert re.fullmatch("stays=[A-Za-z]{10}", one) and one == cookies.of_canary(canary, "aaaaaaaa-1") != cookies.of_canary(canary, "aaaaaaaa-2")
    assert one != cookies.of_canary(dataclasses.replace(canary, namespace="other"), "aaaaaaaa-1")
    assert cookies.of_canary(document(affinity=None), "a") == cookies.of_primary(document(affinity=Affinity("stays")), "a", 10) == ""


def test_weak_spot_27_who_stays_with_the_primary_is_drawn_anew_with_each_step() -> None:
    canary = document()
    made = {cookies.of_primary(canary, "aaaaaaaa-1", weight) for weight in (10, 20, 30)}
    assert len(made) == 3 and all(re.fullmatch("rests=[A-Za-z]{10}", one) for one in made)


@pytest.mark.parametrize(("shown", "found"), [
    ("stays=abcdefghij", True), ("a=b; stays=abcdefghij", True), ("a=b;stays=abcdefghij; c=d", True), ("stays=abcdefghij; stays=x", True),
    ("xstays=abcdefghij", False), ("stays=abcdefghijk", False), ("stays=x; a=abcdefghij", False), ("a=stays=abcdefghij", False), ("", False),
])
def test_only_who_shows_this_cookie_matches(shown: str, found: bool) -> None:
    """Envoy wants the whole header to match, Traefik any part of it."""
    pattern = cookies.pattern(STAYS)
    assert bool(re.fullmatch(pattern, shown)) == bool(re.search(pattern, shown)) == found


@BOUNDED
@given(st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True))
def test_a_pattern_tells_its_cookie_whatever_its_name_is(name: str) -> None:
    pattern = cookies.pattern(f"{name}=abcdefghij")
    assert cookies.of_pattern(pattern) == f"{name}=abcdefghij"
    assert re.fullmatch(pattern, f"a=b; {name}=abcdefghij")
    assert re.fullmatch(r"[!-~]+([\t ]?[!-~]+)*", pattern), "what the API takes as the value of a header"


@pytest.mark.parametrize("other", ["", "stays=abcdefghij", "beta.*", ".*", "^(.*; ?)?stays=short(;.*)?$"])
def test_an_expression_of_somebody_elses_is_no_cookie_of_ours(other: str) -> None:
    assert cookies.of_pattern(other) == ""


def test_attributes_come_in_flaggers_order() -> None:
    affinity = Affinity("stays", 60, domain="example.com", path="/app", same_site="Lax", http_only=True, partitioned=True, secure=True)
    assert cookies.header(affinity, STAYS, 60) == f"{STAYS}; Max-Age=60; Domain=example.com; HttpOnly; Partitioned; Path=/app; SameSite=Lax; Secure"


# Refusals

@pytest.mark.parametrize(("canary", "words"), [
    (document("contour"), "spec.analysis.sessionAffinity: nobody's cookies are set by a canary's HTTPProxy"),
    (document("traefik"), "spec.analysis.sessionAffinity: nobody's cookies are set by a canary's TraefikService"),
    (document("kubernetes"), "spec.analysis.sessionAffinity: the provider kubernetes has no route"),
    *((dataclasses.replace(document(provider), options=Options(route="adopted")), "spec.analysis.sessionAffinity: with canary_route: adopted")
      for provider in ("gatewayapi:v1", "contour")),
    (document(match=({"headers": {"COOKIE": {"regex": "a"}}},)), "spec.service.match[0].headers.COOKIE: sessionAffinity asks for that header too"),
    (document(match=({"uri": {"prefix": "/"}},) * 43), "spec.service.match: has 43 entries"),
])
def test_whoever_cannot_keep_users_says_so_by_name(canary: Canary, words: str) -> None:
    problem, = refuse(canary)
    assert problem.startswith(words)


@BOUNDED
@given(SPLITS)
def test_without_cookies_in_the_document_a_route_knows_none(split: Split) -> None:
    canary = document(affinity=None)
    obj = router_for(canary).desired(canary, dataclasses.replace(split, cookie=STAYS))
    assert gatewayapi.read(obj, canary) == split
