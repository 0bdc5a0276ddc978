# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of an autoscaler, its minimum, and KEDA's pause, as objects."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import autoscalers, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.autoscalers import HELD
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Analysis, Autoscaler, Canary, Service

SELECTOR = Selector("app", "podinfo")
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 99}}}
QUERY = 'sum(rate(http_requests_total{app="podinfo", service="podinfo-canary"}[30s]))'


def canary(kind: str = HPA, **more: Any) -> Canary:
    return Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
                  service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1), autoscaler=Autoscaler(kind, "podinfo", **more))


def hpa(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "autoscaling/v2", "kind": HPA, "metadata": {"name": "podinfo", "namespace": "test"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 2, "maxReplicas": 8,
                     "metrics": [CPU], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}, **spec}}


def scaled_object(metadata: Any = None, **spec: Any) -> dict[str, Any]:
    trigger = {"type": "prometheus", "name": "requests", "metadata": {"serverAddress": "http://p:9090", "threshold": "5", "query": QUERY},
               "authenticationRef": {"name": "keda"}}
    return {"apiVersion": "keda.sh/v1alpha1", "kind": SCALED_OBJECT, "metadata": {"name": "podinfo", "namespace": "test", **(metadata or {})},
            "spec": {"scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 2, "maxReplicaCount": 8, "pollingInterval": 10, "triggers": [trigger], **spec}}


def made(original: dict[str, Any], **more: Any) -> dict[str, Any]:
    before = copy.deepcopy(original)
    copied = autoscalers.copy_of(original, canary(original["kind"], **more), SELECTOR)
    assert original == before, "the original is only read"
    return copied


# The copy

def test_the_copy_of_a_horizontal_pod_autoscaler_differs_in_whom_it_scales() -> None:
    copied = made(hpa())
    assert (copied["metadata"]["name"], copied["apiVersion"]) == ("podinfo-primary", "autoscaling/v2")
    assert copied["spec"] == {**hpa()["spec"], "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo-primary"}}
    assert marks.is_ours(copied, "podinfo") and "ownerReferences" not in copied["metadata"]


@pytest.mark.parametrize(("original", "fields"), [(hpa(), ("minReplicas", "maxReplicas")), (scaled_object(), ("minReplicaCount", "maxReplicaCount"))])
def test_the_document_gives_the_primary_bounds_of_its_own(original: dict[str, Any], fields: tuple[str, str]) -> None:
    assert [made(original, min_replicas=3, max_replicas=20)["spec"][field] for field in fields] == [3, 20]
    assert [made(original, min_replicas=3)["spec"][field] for field in fields] == [3, 8]
    assert [made(original, max_replicas=20)["spec"][field] for field in fields] == [2, 20]


def test_safety_16_a_primary_is_never_scaled_to_nobody() -> None:
    for original in (hpa(minReplicas=0), hpa(minReplicas=None)):
        assert made(original)["spec"]["minReplicas"] == 1
    copied = made(scaled_object(minReplicaCount=0, idleReplicaCount=0))["spec"]
    assert copied["minReplicaCount"] == 1 and "idleReplicaCount" not in copied


@pytest.mark.parametrize("kind", [HPA, SCALED_OBJECT])
def test_safety_20_the_copy_carries_what_people_wrote_and_nothing_by_which_tools_adopt_it(kind: str) -> None:
    original = hpa() if kind == HPA else scaled_object()
    original["metadata"] |= {
        "labels": {"team": "web", "argocd.argoproj.io/instance": "x", "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"scaledobject.keda.sh/transfer-hpa-ownership": "true", "meta.helm.sh/release-name": "x", marks.EPOCH: "7",
                        "kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    metadata = made(original)["metadata"]
    assert metadata["labels"] == {"team": "web", marks.CANARY: "podinfo"}
    kept = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"} if kind == SCALED_OBJECT else {}
    assert metadata["annotations"] == {**kept, **marks.TOOLKIT, marks.CANARY: "podinfo"}


def test_weak_spot_30_the_copy_of_a_paused_scaled_object_is_not_paused() -> None:
    original = scaled_object({"annotations": {"autoscaling.keda.sh/paused-replicas": "0", "autoscaling.keda.sh/paused": "true"}})
    assert not [key for key in made(original)["metadata"]["annotations"] if "paused" in key]


def test_weak_spot_32_metrics_that_select_the_targets_pods_select_the_primarys() -> None:
    external = {"type": "External", "external": {"metric": {"name": "queue", "selector": {"matchLabels": {"app": "podinfo", "queue": "mail"}}}, "target": {}}}
    named = {"type": "External", "external": {"metric": {"name": "rps", "selector": {
        "matchLabels": {"deployment": "podinfo-canary"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "x"]}]}}, "target": {}}}
    of_object = {"type": "Object", "object": {"metric": {"name": "rps"}, "describedObject": {"kind": "Deployment", "name": "podinfo"}, "target": {}}}
    of_service = {"type": "Object", "object": {"metric": {"name": "rps"}, "describedObject": {"kind": "Service", "name": "podinfo-canary"}, "target": {}}}
    of_apex = {"type": "Object", "object": {"metric": {"name": "rps"}, "describedObject": {"kind": "Service", "name": "podinfo"}, "target": {}}}
    metrics = made(hpa(metrics=[external, named, of_object, of_service, of_apex, CPU]))["spec"]["metrics"]
    assert metrics[0]["external"]["metric"]["selector"]["matchLabels"] == {"app": "podinfo-primary", "queue": "mail"}
    assert metrics[1]["external"]["metric"]["selector"] == {
        "matchLabels": {"deployment": "podinfo-primary"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo-primary", "x"]}]}
    assert [metric["object"]["describedObject"]["name"] for metric in metrics[2:5]] == ["podinfo-primary", "podinfo-primary", "podinfo"]
    assert metrics[5] == CPU


def test_the_copy_of_a_scaled_object_asks_for_the_primary_and_keeps_the_rest_of_its_triggers() -> None:
    spec = made(scaled_object(advanced={"horizontalPodAutoscalerConfig": {"name": "podinfo-hpa"}}))["spec"]
    assert spec["scaleTargetRef"] == {"name": "podinfo-primary"}
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "podinfo-hpa-primary"
    (trigger,) = spec["triggers"]
    assert trigger["metadata"] == {"serverAddress": "http://p:9090", "threshold": "5",
                                   "query": 'sum(rate(http_requests_total{app="podinfo-primary", service="podinfo-primary"}[30s]))'}
    assert trigger["authenticationRef"] == {"name": "keda"}


def test_a_trigger_gets_the_query_that_the_document_gives_it_by_name() -> None:
    unnamed = {"type": "prometheus", "metadata": {"query": QUERY}}
    original = scaled_object()
    original["spec"]["triggers"].append(unnamed)
    spec = made(original, queries={"requests": "sum(mine)"})["spec"]
    assert [trigger["metadata"]["query"] for trigger in spec["triggers"]] == ["sum(mine)", autoscalers.of_primary(QUERY, "podinfo")]
    assert spec["triggers"][0]["metadata"]["threshold"] == "5"


@pytest.mark.parametrize(("query", "wanted"), [
    ('up{app="podinfo"}', 'up{app="podinfo-primary"}'),
    ("up{app='podinfo-canary'}", "up{app='podinfo-primary'}"),
    ('up{pod=~"podinfo-[0-9a-z]+-[0-9a-z]+"}', 'up{pod=~"podinfo-primary-[0-9a-z]+-[0-9a-z]+"}'),
    ('up{app="podinfo-primary"}', 'up{app="podinfo-primary"}'),
    ('up{app="my-podinfo", other="podinfo2"}', 'up{app="my-podinfo", other="podinfo2"}'),
    ('podinfo_requests{podinfo="podinfo"}', 'podinfo_requests{podinfo="podinfo-primary"}'),
    ("stats.podinfo.requests", "stats.podinfo-primary.requests"),
    ('up{app="podinfo-canary-2"}', 'up{app="podinfo-primary-2"}'),
])
def test_a_query_about_the_target_becomes_one_about_the_primary(query: str, wanted: str) -> None:
    assert autoscalers.of_primary(query, "podinfo") == wanted
    assert autoscalers.of_primary(wanted, "podinfo") == wanted, "a second time changes nothing"


# Following the original

def test_weak_spot_32_a_copy_follows_its_original_labels_included_and_keeps_what_others_wrote() -> None:
    live = made(hpa())
    live["metadata"] |= {"resourceVersion": "7", "labels": {**live["metadata"]["labels"], "theirs": "stays"}}
    changed = hpa(maxReplicas=12)
    changed["metadata"]["labels"] = {"team": "web"}
    after = autoscalers.reconciled(live, made(changed), canary())
    assert after["spec"]["maxReplicas"] == 12 and after["metadata"]["resourceVersion"] == "7"
    assert after["metadata"]["labels"] == {"team": "web", "theirs": "stays", marks.CANARY: "podinfo"}
    assert autoscalers.reconciled(after, made(changed), canary()) == after, "a second time changes nothing"


def test_an_edited_copy_is_put_right() -> None:
    edited = made(hpa())
    edited["spec"] |= {"maxReplicas": 3, "metrics": []}
    assert autoscalers.reconciled(edited, made(hpa()), canary())["spec"] == made(hpa())["spec"]


def test_safety_07_a_copy_that_flagger_made_is_freed_from_its_canary() -> None:
    live = made(hpa())
    live["metadata"] |= {"labels": {}, "ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}]}
    assert autoscalers.seen(live, canary()) and not autoscalers.seen(live, canary()).ours
    after = autoscalers.reconciled(live, made(hpa()), canary())
    assert "ownerReferences" not in after["metadata"] and marks.is_ours(after, "podinfo")


def test_somebody_elses_of_that_name_is_left_alone() -> None:
    theirs = made(hpa())
    theirs["metadata"]["labels"] = {}
    assert autoscalers.seen(theirs, canary()) is None
    with pytest.raises(CanaryError, match="was not made for the canary podinfo"):
        autoscalers.reconciled(theirs, made(hpa()), canary())


# The minimum

@pytest.mark.parametrize("original", [hpa(), scaled_object()], ids=[HPA, SCALED_OBJECT])
def test_safety_15_a_minimum_is_held_and_given_back(original: dict[str, Any]) -> None:
    held = autoscalers.held(original, 5)
    assert autoscalers.bounds(held) == (5, 8) and autoscalers.told(held).held
    assert autoscalers.let_go(held) == {**original, "metadata": {**original["metadata"], "annotations": {}}}
    assert autoscalers.held(held, 5) == held, "a second time changes nothing"


def test_safety_15_a_minimum_is_held_no_higher_than_the_maximum() -> None:
    assert autoscalers.bounds(autoscalers.held(hpa(), 50)) == (8, 8)
    assert autoscalers.held(hpa(), 2) == hpa(), "nothing is to be held"


def test_safety_15_what_is_held_higher_is_noted_as_it_was_before() -> None:
    higher = autoscalers.held(autoscalers.held(hpa(), 5), 7)
    assert marks.annotations_of(higher)[HELD] == "2 7"
    assert autoscalers.bounds(autoscalers.let_go(higher)) == (2, 8)


def test_safety_14_a_minimum_that_somebody_has_set_since_stays() -> None:
    held = autoscalers.held(hpa(), 5)
    held["spec"]["minReplicas"] = 6
    after = autoscalers.let_go(held)
    assert autoscalers.bounds(after) == (6, 8) and HELD not in marks.annotations_of(after)


def test_safety_15_a_copy_that_follows_its_original_is_held_as_before() -> None:
    live = autoscalers.held(made(hpa()), 5)
    after = autoscalers.reconciled(live, made(hpa(minReplicas=3, maxReplicas=4)), canary())
    assert autoscalers.bounds(after) == (4, 4)
    assert autoscalers.bounds(autoscalers.let_go(after)) == (3, 4)


@pytest.mark.parametrize("note", ["", "two", "2", "-1 5", "2 5 9"])
def test_a_note_that_cannot_be_read_changes_no_minimum(note: str) -> None:
    odd = marks.with_annotations(hpa(), {HELD: note})
    assert autoscalers.let_go(odd) == {**hpa(), "metadata": {**hpa()["metadata"], "annotations": {}}}


# KEDA's pause

def test_safety_14_only_our_pause_is_taken_off() -> None:
    paused = autoscalers.paused(scaled_object())
    assert autoscalers.is_paused(paused) and autoscalers.bounds(paused) == (2, 8)
    assert not autoscalers.is_paused(autoscalers.resumed(paused))
    by_somebody = scaled_object({"annotations": {"autoscaling.keda.sh/paused-replicas": "3"}})
    assert autoscalers.resumed(by_somebody) == by_somebody
