# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Autoscalers and their copies as the API server keeps them: a HorizontalPodAutoscaler, and a ScaledObject by KEDA's own CRD.

Nobody scales anything here: the target has no pods, and there is no KEDA.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import autoscalers as pure, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Scaler, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import KEEP_PRIMARY, Record, Removal
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer

QUERY = 'sum(rate(http_requests_total{app="podinfo"}[30s]))'
SPECS: dict[str, dict[str, Any]] = {
    HPA: {"minReplicas": 2, "maxReplicas": 8, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
          "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 99}}},
                      {"type": "External", "external": {"metric": {"name": "rps", "selector": {"matchLabels": {"app": "podinfo"}}},
                                                        "target": {"type": "AverageValue", "averageValue": "100"}}}]},
    SCALED_OBJECT: {"minReplicaCount": 2, "maxReplicaCount": 8, "triggers": [
        {"type": "prometheus", "name": "requests", "metadata": {"serverAddress": "http://p:9090", "threshold": "5", "query": QUERY}}]},
}


class WithoutKeda:
    """The line to the API server, which is asked for another group wherever KEDA's is meant, and so answers as one that KEDA was never installed in."""

    def __init__(self, carrier: Any) -> None:
        self._carrier = carrier
        self.host, self.verified, self.stream = carrier.host, carrier.verified, carrier.stream

    def send(self, method: str, path: str, *how: Any) -> Any:
        return self._carrier.send(method, path.replace("/keda.sh/", "/nowhere.keda.sh/"), *how)


@pytest.fixture(params=[HPA, SCALED_OBJECT])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scaled(canary: Canary, kind: str) -> Canary:
    return dataclasses.replace(canary, autoscaler=Autoscaler(kind, "podinfo"))


@pytest.fixture
def original(others: Any, scaled: Canary, target: refs.Ref) -> refs.Ref:
    """The user's own, with a label and an annotation by which tools would adopt a copy."""
    place = autoscalers.target_ref(scaled, scaled.autoscaler)
    others.create(place, {
        "apiVersion": place.api_version, "kind": place.kind,
        "metadata": {"name": "podinfo", "namespace": scaled.namespace, "labels": {"team": "web", "app.kubernetes.io/managed-by": "Helm"},
                     "annotations": {"meta.helm.sh/release-name": "podinfo"}},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, **SPECS[place.kind]}})
    return place


@pytest.fixture
def copied(ours: Any, scaled: Canary, original: refs.Ref) -> refs.Ref:
    ordered(ours, scaled, scaler=0)
    return original.named("podinfo-primary")


def ordered(api: Any, canary: Canary, epoch: int = 3, check_mode: bool = False, **order: Any) -> dict[str, Any]:
    return apply_workload(api, canary, WorkloadOrder(**order), epoch, check_mode).result()


def bounds(api: Any, place: refs.Ref) -> tuple[int, int]:
    return pure.bounds(api.get(place))


def test_safety_16_where_the_kind_is_not_served_nothing_fails_that_takes_traffic_back(line: Any, canary: Canary, target: refs.Ref) -> None:
    scaled, ours = dataclasses.replace(canary, autoscaler=Autoscaler(SCALED_OBJECT, "podinfo")), Api(WithoutKeda(line))
    with pytest.raises(KubeError) as refused:
        ours.get(refs.scaled_object(canary.namespace, "podinfo"))
    assert refused.value.reason == UNKNOWN_KIND
    seen = look.look(ours, scaled)
    assert (seen.scaler, seen.scaler_to_copy) == (None, False)
    look.fence(ours, scaled, 4)
    assert not ordered(ours, scaled, epoch=4, scale_target=0)["changed"]


def test_a_copy_is_made_once_and_says_the_same_of_the_primary(ours: Any, others: Any, scaled: Canary, original: refs.Ref, line: Any) -> None:
    before = others.get(original)
    assert ordered(ours, scaled, check_mode=True, scaler=4)["changed"] and others.get(original.named("podinfo-primary")) is None
    assert ordered(ours, scaled, scaler=4)["changed"]
    line.sent.clear()
    assert not ordered(ours, scaled, check_mode=True, scaler=4)["changed"] and not ordered(ours, scaled, scaler=4)["changed"]
    assert line.written == []
    live = others.get(original.named("podinfo-primary"))
    assert live["spec"]["scaleTargetRef"]["name"] == "podinfo-primary" and pure.bounds(live) == (4, 8)
    assert live["metadata"]["labels"] == {"team": "web", marks.CANARY: "podinfo"}
    assert "ownerReferences" not in live["metadata"] and "meta.helm.sh/release-name" not in live["metadata"]["annotations"]
    assert "podinfo-primary" in str(live["spec"].get("metrics") or live["spec"]["triggers"])
    after = others.get(original)
    assert (after["spec"], after["metadata"]["annotations"]) == (before["spec"], before["metadata"]["annotations"]), "the user's own is only read"


def test_safety_15_a_minimum_goes_up_and_back_and_nothing_else_changes(ours: Any, others: Any, scaled: Canary, copied: refs.Ref) -> None:
    before = others.get(copied)["spec"]
    ordered(ours, scaled, scaler=6)
    assert look.look(ours, scaled).scaler == Scaler(6, 8, held=True)
    ordered(ours, scaled, scaler=0)
    assert others.get(copied)["spec"] == before
    assert look.look(ours, scaled).scaler == Scaler(2, 8)


def test_weak_spot_32_a_copy_follows_its_original_and_a_second_time_changes_nothing(
        ours: Any, others: Any, scaled: Canary, copied: refs.Ref, original: refs.Ref, target: refs.Ref, line: Any) -> None:
    """Also after the API server filled in what was left out."""
    ordered(ours, scaled, scaler=6)
    most = "maxReplicas" if original.kind == HPA else "maxReplicaCount"
    others.patch(original, {"metadata": {"labels": {"tier": "front"}}, "spec": {most: 12}})
    others.patch(copied, {"metadata": {"labels": {"theirs": "stays"}}, "spec": {most: 7}})
    writer = Writer(ours, "podinfo", 3)
    (first,) = autoscalers.follow(writer, scaled, others.get(target))
    assert first.changed and bounds(others, copied) == (6, 12), "held as before"
    assert others.get(copied)["metadata"]["labels"] == {"team": "web", "tier": "front", "theirs": "stays", marks.CANARY: "podinfo"}
    line.sent.clear()
    (second,) = autoscalers.follow(writer, scaled, others.get(target))
    assert not second.changed and line.written == []
    others.delete(original)
    assert autoscalers.follow(writer, scaled, others.get(target)) == []


def test_safety_07_what_flagger_made_is_taken_over_and_freed(ours: Any, others: Any, scaled: Canary, original: refs.Ref) -> None:
    place = original.named("podinfo-primary")
    flaggers = others.create(refs.canary(scaled.namespace), {
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo"}, "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 9898},
            "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10}}})
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": flaggers["metadata"]["uid"], "controller": True}
    others.create(place, {
        "apiVersion": place.api_version, "kind": place.kind, "metadata": {"name": place.name, "namespace": scaled.namespace},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo-primary"}, **SPECS[place.kind]}})
    assert look.look(ours, scaled).scaler is None
    with pytest.raises(CanaryError, match="was not made for the canary podinfo"):
        ordered(ours, scaled, scaler=0)
    others.patch(place, {"metadata": {"ownerReferences": [owner]}})
    seen = look.look(ours, scaled).scaler
    assert seen and not seen.ours
    ordered(ours, scaled, scaler=0)
    live = others.get(place)
    assert marks.is_ours(live, "podinfo") and not live["metadata"].get("ownerReferences")


@pytest.mark.parametrize("order", [{"scaler": 6}, {"target_scaler": 6}])
def test_safety_01_a_minimum_that_hung_is_refused_after_a_takeover(
        ours: Any, others: Any, line: Any, scaled: Canary, copied: refs.Ref, original: refs.Ref, order: dict[str, int]) -> None:
    if "target_scaler" in order and original.kind == HPA:
        pytest.skip("the user's own HorizontalPodAutoscaler is not fenced: only a removal writes it, and its end takes every word of ours off")
    line.holding = True
    with pytest.raises(KubeError, match="no answer"):
        ordered(ours, scaled, **order)
    look.fence(others, scaled, 4)
    assert line.held and set(line.release()) == {409}
    assert bounds(others, copied) == bounds(others, original) == (2, 8)


def test_safety_01_a_pause_that_hung_is_refused_after_a_takeover(ours: Any, others: Any, line: Any, canary: Canary, target: refs.Ref) -> None:
    scaled = dataclasses.replace(canary, autoscaler=Autoscaler(SCALED_OBJECT, "podinfo"))
    place = refs.scaled_object(canary.namespace, "podinfo")
    others.create(place, {"apiVersion": place.api_version, "kind": place.kind, "metadata": {"name": "podinfo", "namespace": canary.namespace},
                          "spec": {"scaleTargetRef": {"name": "podinfo"}, **SPECS[SCALED_OBJECT]}})
    line.holding = True
    with pytest.raises(KubeError, match="no answer"):
        ordered(ours, scaled, scale_target=0)
    look.fence(others, scaled, 4)
    assert line.held and set(line.release()) == {409}
    assert not pure.is_paused(others.get(place))


def test_a_scaled_object_is_paused_when_the_target_rests_and_resumed_before_it_grows(
        ours: Any, others: Any, line: Any, canary: Canary, target: refs.Ref) -> None:
    scaled = dataclasses.replace(canary, autoscaler=Autoscaler(SCALED_OBJECT, "podinfo"))
    place = refs.scaled_object(canary.namespace, "podinfo")
    spec = {"scaleTargetRef": {"name": "podinfo"}, **SPECS[SCALED_OBJECT]}
    others.create(place, {"apiVersion": place.api_version, "kind": place.kind, "metadata": {"name": "podinfo", "namespace": canary.namespace}, "spec": spec})
    assert ordered(ours, scaled, scale_target=0)["changed"] and pure.is_paused(others.get(place))
    assert not ordered(ours, scaled, scale_target=0)["changed"]
    line.sent.clear()
    ordered(ours, scaled, scale_target=1)
    assert [path for method, path in line.sent if method == "PATCH"][0] == place.path, "KEDA first"
    assert not pure.is_paused(others.get(place)) and others.get(target)["spec"]["replicas"] == 1
    assert others.get(place)["spec"] == spec
    ordered(ours, scaled, scale_target=0)


def test_safety_29_a_removal_takes_the_copy_away_and_leaves_the_users_own_as_it_was(
        ours: Any, others: Any, scaled: Canary, copied: refs.Ref, original: refs.Ref) -> None:
    before = others.get(original)["spec"]
    ordered(ours, scaled, scale_target=0)
    ordered(ours, scaled, target_scaler=6)
    removing = Record("podinfo", scaled.namespace, phase="Terminating", removing=Removal("", 0.0, KEEP_PRIMARY))
    seen = look.look(ours, scaled, removing).remains
    assert seen and seen.scaler == Scaler(6, 8, held=True) and f"{original.kind}/podinfo-primary" in seen.objects
    ordered(ours, scaled, dispose=(f"{original.kind}/podinfo-primary",))
    live = others.get(original)
    assert others.get(copied) is None and live["spec"] == before
    ours_on_it = [key for key in live["metadata"]["annotations"] if key.startswith((marks.PREFIX, "autoscaling.keda.sh"))]
    assert ours_on_it == [marks.RELEASED]
