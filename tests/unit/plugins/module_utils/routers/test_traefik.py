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
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import problems
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Metadata, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for, traefik
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.routers.strategies import BOUNDED, FOREIGN, SPLITS
from hypothesis import given
from hypothesis import strategies as st

CANARY = Canary(
    name="podinfo", namespace="test", provider="traefik", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=9898), analysis=Analysis(interval=10, threshold=1))
ADOPTED = dataclasses.replace(CANARY, options=Options(route="adopted"))
OURS = ("podinfo-primary", "podinfo-canary")


def with_service(**changes: Any) -> Canary:
    return dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, **changes))


def entry(name: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 9898, **({} if weight is None else {"weight": weight}), **more}


def service(*entries: Mapping[str, Any], weighted: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """A TraefikService as a user writes it."""
    return {"apiVersion": "traefik.io/v1alpha1", "kind": "TraefikService",
            "metadata": {"name": "podinfo", "namespace": "test", "generation": 3, "resourceVersion": "7", **metadata},
            "spec": {"weighted": {**(weighted or {}), "services": list(entries)}}}


def users(primary: int | None = 100, canary: int | None = 0, of: str = "podinfo-primary") -> dict[str, Any]:
    return service(entry(of, primary), entry("podinfo-canary", canary))


# What a document gives

def test_the_router_is_found_by_flaggers_name() -> None:
    assert router_for(CANARY) is traefik
    assert traefik.ref(CANARY) == {"group": "traefik.io", "version": "v1alpha1", "plural": "traefikservices", "kind": "TraefikService", "name": "podinfo"}


@pytest.mark.parametrize(("split", "entries"), [
    (Split(90, 10), [("podinfo-primary", 90), ("podinfo-canary", 10)]),
    (Split(0, 100), [("podinfo-primary", 0), ("podinfo-canary", 100)]),
    (Split(100, 0), [("podinfo-primary", 100)]),
])
def test_the_object_is_what_flagger_makes_and_names_no_canary_that_gets_nothing(split: Split, entries: list[tuple[str, int]]) -> None:
    obj = traefik.desired(CANARY, split)
    assert obj["spec"] == {"weighted": {"services": [{"name": name, "namespace": "test", "port": 9898, "weight": weight} for name, weight in entries]}}
    assert traefik.read(obj, CANARY) == split
    assert traefik.owned(obj, CANARY) and traefik.differs(obj, CANARY) == []


def test_metadata_of_the_apex_reaches_the_object() -> None:
    obj = traefik.desired(with_service(apex=Metadata(labels={"team": "a"}, annotations={"note": "b"})), Split(100, 0))
    assert (obj["metadata"]["labels"]["team"], obj["metadata"]["annotations"]["note"]) == ("a", "b")


@pytest.mark.parametrize(("changes", "words"), [
    ({"hosts": ("app.example.com",)}, "spec.service.hosts: a TraefikService cannot say it"),
    ({"timeout": "5s"}, "spec.service.timeout: a TraefikService cannot say it"),
    ({"match": ({"uri": {"prefix": "/"}},)}, "spec.service.match: a TraefikService cannot say it"),
    ({"route_rule": "main"}, "canary_route_rule: a TraefikService has one list"),
])
def test_what_a_traefikservice_cannot_do_is_refused_by_name(changes: Mapping[str, Any], words: str) -> None:
    (problem,) = traefik.refuse(with_service(**changes))
    assert problem.startswith(words)


def test_an_object_of_the_users_own_would_name_a_canary_without_endpoints_and_is_refused() -> None:
    (problem,) = traefik.refuse(ADOPTED)
    assert problem.startswith("canary_route: adopted")


def test_envoy_has_no_metrics_of_a_traefikservice() -> None:
    document = {
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {"provider": "traefik", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 80},
                 "metricsServer": "http://prometheus:9090",
                 "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10,
                              "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]}},
    }
    assert problems(document, templates=[], options=Options()) == []
    (problem,) = problems(document, templates=[], options=Options(metrics_from="envoy"))
    assert "accepted: app, traefik" in str(problem)


# What is read

@pytest.mark.parametrize(("primary", "canary", "split"), [
    (90, 10, Split(90, 10)), (9, 1, Split(90, 10)), (None, None, Split(50, 50)), (100, 0, Split(100, 0)), (0, 0, None), (3, None, Split(75, 25)),
])
def test_weights_are_proportions_and_one_left_out_is_1(primary: int | None, canary: int | None, split: Split | None) -> None:
    assert traefik.read(users(primary, canary), CANARY) == split


@pytest.mark.parametrize("obj", [
    service(entry("podinfo-primary", 100)),         # a user's, in which the canary has no place
    service(entry("podinfo-primary", 90), entry("podinfo-canary", 10), entry("other", 1)),
    service(entry("podinfo-primary", 90), entry("podinfo-canary", 10, kind="TraefikService")),
    {"kind": "TraefikService", "metadata": {"name": "podinfo", "namespace": "test"}, "spec": {"mirroring": {"name": "podinfo-primary"}}},
])
def test_an_object_that_does_not_split_between_our_two_is_said_to_be_so_with_what_it_needs(obj: dict[str, Any]) -> None:
    assert traefik.read(obj, CANARY) is None
    assert "podinfo-canary, port: 9898, weight: 0" in traefik.mismatch(obj, CANARY)
    assert traefik.write(obj, CANARY, Split(50, 50)) == obj


# What is written: property, byte for byte

WEIGHTS = st.one_of(st.none(), st.integers(min_value=0, max_value=100000))


@st.composite
def users_services(draw: Any, primary: str = "podinfo-primary") -> dict[str, Any]:
    entries = [entry(name, draw(WEIGHTS), **draw(st.dictionaries(st.sampled_from(["sticky", "passHostHeader", "x"]), FOREIGN)))
               for name in (primary, "podinfo-canary")]
    if draw(st.booleans()):
        entries.reverse()
    return service(*entries, weighted=draw(st.dictionaries(st.sampled_from(["sticky", "x"]), FOREIGN)),
                   annotations=draw(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)))


def without_weights(obj: Mapping[str, Any]) -> str:
    stripped = copy.deepcopy(dict(obj))
    for one in stripped["spec"]["weighted"]["services"]:
        one.pop("weight", None)
    return json.dumps(stripped)


@BOUNDED
@given(users_services(), SPLITS)
def test_what_is_written_is_read_back_and_a_users_object_changes_in_nothing_but_two_weights(obj: dict[str, Any], split: Split) -> None:
    original = json.dumps(obj)
    after = traefik.write(obj, CANARY, split)
    assert traefik.read(after, CANARY) == split
    assert json.dumps(obj) == original
    assert without_weights(after) == without_weights(obj)
    assert json.dumps(traefik.write(after, CANARY, split)) == json.dumps(after)


@pytest.mark.parametrize(("primary", "canary", "split"), [(900, 100, Split(90, 10)), (None, None, Split(50, 50)), (1, 0, Split(100, 0))])
def test_a_spelling_that_means_the_same_is_left_alone(primary: int | None, canary: int | None, split: Split) -> None:
    obj = users(primary, canary)
    assert traefik.write(obj, CANARY, split) == obj


# What we made

@BOUNDED
@given(SPLITS, SPLITS)
def test_our_own_object_round_trips_too(first: Split, second: Split) -> None:
    obj = traefik.desired(CANARY, first)
    assert traefik.read(traefik.write(obj, CANARY, second), CANARY) == second


def test_weak_spot_20_21_drift_is_put_right_without_touching_the_live_weights() -> None:
    obj = traefik.desired(CANARY, Split(70, 30))
    obj["spec"]["weighted"]["services"][0]["port"] = 1
    obj["spec"]["weighted"]["services"].append(entry("stranger", 50))
    assert traefik.differs(obj, CANARY)
    assert traefik.write(obj, CANARY, Split(70, 30))["spec"] == traefik.desired(CANARY, Split(70, 30))["spec"]


def test_weak_spot_22_what_others_added_survives() -> None:
    obj = traefik.desired(CANARY, Split(70, 30))
    obj["metadata"]["annotations"]["theirs"] = "x"
    obj["spec"]["weighted"]["sticky"] = {"cookie": {"name": "lb"}}
    obj["spec"]["weighted"]["services"][0]["passHostHeader"] = False
    assert traefik.differs(obj, CANARY) == []
    after = traefik.write(obj, CANARY, Split(60, 40))
    assert after["metadata"]["annotations"]["theirs"] == "x"
    assert after["spec"]["weighted"]["sticky"] == {"cookie": {"name": "lb"}}
    assert after["spec"]["weighted"]["services"][0]["passHostHeader"] is False


def test_safety_29_one_of_ours_leads_to_the_apex_alone_and_back_to_a_split() -> None:
    released = traefik.release(traefik.desired(CANARY, Split(70, 30)), CANARY)
    assert released["spec"]["weighted"]["services"] == [{"name": "podinfo", "namespace": "test", "port": 9898, "weight": 100}]
    assert traefik.release(released, CANARY) == released
    assert traefik.read(traefik.write(released, CANARY, Split(100, 0)), CANARY) == Split(100, 0)
