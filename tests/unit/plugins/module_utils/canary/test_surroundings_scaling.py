# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Autoscalers around a canary: the one that its document names, and those that it does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Analysis, Autoscaler, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_surroundings import (
    CANARY,
    FLAGGERS,
    OURS,
    deployment,
    found,
    obj,
)

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
BY_KEDA = {"ownerReferences": [{"kind": SCALED_OBJECT, "name": "podinfo", "controller": True}]}


def naming(kind: str = HPA, **more: Any) -> Canary:
    return dataclasses.replace(CANARY, autoscaler=Autoscaler(kind, "podinfo", **more))


def hpa(name: str = "podinfo", target: Any = None, metadata: Any = None, **spec: Any) -> dict[str, Any]:
    return obj(HPA, name, {"scaleTargetRef": target or TARGET, "minReplicas": 2, "maxReplicas": 4, **spec}, **(metadata or {}))


def scaled_object(triggers: Any = (), metadata: Any = None, **spec: Any) -> dict[str, Any]:
    return obj(SCALED_OBJECT, "podinfo", {"scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 2, "triggers": list(triggers), **spec}, **(metadata or {}))


def refused(canary: Canary, **seen: Any) -> str:
    (problem,) = found(canary, **seen).problems
    return str(problem)


def told(canary: Canary, **seen: Any) -> list[str]:
    findings = found(canary, **seen)
    assert not findings.problems
    return findings.warnings


@pytest.mark.parametrize(("canary", "scaler"), [
    (naming(), hpa()), (naming(SCALED_OBJECT), scaled_object()), (naming(min_replicas=3, max_replicas=9), hpa()),
    (naming(SCALED_OBJECT, queries={"requests": "up"}), scaled_object([{"name": "requests", "metadata": {"query": "anything"}}])),
    (naming(SCALED_OBJECT), scaled_object(metadata={"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}})),
])
def test_an_autoscaler_that_scales_the_target_is_fine(canary: Canary, scaler: Any) -> None:
    assert told(canary, scaler=scaler, autoscalers=(scaler,) if scaler["kind"] == HPA else ()) == []


@pytest.mark.parametrize(("canary", "seen", "words"), [
    (naming(), {}, "spec.autoscalerRef.name: there is no HorizontalPodAutoscaler 'podinfo' in namespace test (accepted: "),
    (naming(SCALED_OBJECT), {"scaler_kind": False},
     "spec.autoscalerRef.kind: the API server does not know ScaledObject of keda.sh/v1alpha1 (install KEDA"),
    (naming(), {"scaler": hpa(target={**TARGET, "name": "other"})},
     "spec.autoscalerRef.name: HorizontalPodAutoscaler test/podinfo scales Deployment other, not Deployment podinfo"),
    (naming(), {"scaler": hpa(target={**TARGET, "kind": "StatefulSet"})},
     "spec.autoscalerRef.name: HorizontalPodAutoscaler test/podinfo scales StatefulSet podinfo, not Deployment podinfo"),
    (naming(), {"scaler": hpa(metadata=BY_KEDA)}, "spec.autoscalerRef.name: HorizontalPodAutoscaler test/podinfo is made by KEDA from ScaledObject podinfo"),
    (naming(SCALED_OBJECT), {"scaler": scaled_object(metadata={"annotations": {"progressive.delivery/canary": "other"}})},
     "spec.autoscalerRef.name: ScaledObject test/podinfo belongs to the canary other"),
    (naming(), {"scaler": hpa(), "primary_scaler": hpa("podinfo-primary")},
     "spec.autoscalerRef.name: HorizontalPodAutoscaler test/podinfo-primary exists and was not made for the canary podinfo"),
    (naming(min_replicas=5), {"scaler": hpa()},
     "spec.autoscalerRef.primaryScalerReplicas.minReplicas: 5 does not fit HorizontalPodAutoscaler test/podinfo, which has 2 to 4 replicas"),
    (naming(max_replicas=1), {"scaler": hpa()}, "spec.autoscalerRef.primaryScalerReplicas.maxReplicas: 1 does not fit"),
    (naming(), {"scaler": hpa(), "autoscalers": (hpa(), hpa("second"))},
     "HorizontalPodAutoscaler test/second: scales podinfo, as HorizontalPodAutoscaler podinfo does: two on one Deployment undo each other"),
    (naming(), {"scaler": hpa(), "autoscalers": (hpa("own", {**TARGET, "name": "podinfo-primary"}),)},
     "HorizontalPodAutoscaler test/own: scales podinfo-primary, as HorizontalPodAutoscaler podinfo-primary would"),
    (naming(SCALED_OBJECT), {"scaler": scaled_object(metadata={"annotations": {"autoscaling.keda.sh/paused-replicas": "3"}})},
     "spec.autoscalerRef.name: ScaledObject test/podinfo was paused by somebody (autoscaling.keda.sh/paused-replicas)"),
    (naming(SCALED_OBJECT), {"scaler": scaled_object(metadata={"annotations": {"autoscaling.keda.sh/paused": "true"}})},
     "spec.autoscalerRef.name: ScaledObject test/podinfo was paused by somebody (autoscaling.keda.sh/paused)"),
    (naming(SCALED_OBJECT, queries={"request": "up"}), {"scaler": scaled_object([{"name": "requests", "metadata": {"query": "up"}}])},
     "spec.autoscalerRef.primaryScalerQueries.request: ScaledObject test/podinfo has no trigger of this name (accepted: requests)"),
])
def test_an_autoscaler_that_will_not_do_is_refused(canary: Canary, seen: Any, words: str) -> None:
    assert refused(canary, **seen).startswith(words)


@pytest.mark.parametrize(("canary", "scaler", "words"), [
    (naming(), hpa(minReplicas=0), "HorizontalPodAutoscaler test/podinfo may scale podinfo to 0"),
    (naming(SCALED_OBJECT), scaled_object(minReplicaCount=None), "ScaledObject test/podinfo may scale podinfo to 0"),
    (naming(SCALED_OBJECT), scaled_object(idleReplicaCount=0), "ScaledObject test/podinfo has idleReplicaCount"),
])
def test_safety_16_an_autoscaler_that_takes_the_canary_to_nobody_is_refused(canary: Canary, scaler: Any, words: str) -> None:
    assert words in refused(canary, scaler=scaler)


def test_what_may_not_be_read_is_told_among_the_permissions_only() -> None:
    assert told(naming(), scaler_readable=False) == []


@pytest.mark.parametrize("metadata", [OURS, FLAGGERS])
def test_safety_25_a_copy_that_we_or_flagger_made_is_gone_on_with(metadata: Any) -> None:
    assert told(naming(), scaler=hpa(), primary_scaler=hpa("podinfo-primary", metadata=metadata)) == []


def test_fewer_replicas_than_serve_now_are_told() -> None:
    (warned,) = told(naming(max_replicas=3), scaler=hpa(), target=deployment(replicas=4))
    assert warned == "spec.autoscalerRef.primaryScalerReplicas.maxReplicas gives podinfo-primary 3 replicas at most, and 4 serve users now"


def test_safety_15_an_autoscaler_that_may_shrink_a_canary_without_users_is_told() -> None:
    iterations = dataclasses.replace(naming(), analysis=Analysis(interval=10, threshold=1, iterations=5))
    (warned,) = told(iterations, scaler=hpa(), target=deployment(replicas=4))
    assert "may shrink podinfo to 2 replicas while nobody uses it" in warned
    assert told(iterations, scaler=hpa(), target=deployment(replicas=2)) == []


def test_a_query_that_does_not_say_whom_it_is_about_is_told() -> None:
    about = scaled_object([{"metadata": {"query": 'sum(rate(requests{app="podinfo"}[1m]))'}}, {"type": "cpu", "metadata": {"value": "60"}}])
    assert told(naming(SCALED_OBJECT), scaler=about) == []
    (warned,) = told(naming(SCALED_OBJECT), scaler=scaled_object([{"metadata": {"query": "sum(rate(requests[1m]))"}}]))
    assert "the query of spec.triggers[0] says nothing of podinfo" in warned


def test_safety_15_an_autoscaler_of_the_target_that_nobody_names_is_told() -> None:
    scalers = (hpa("hpa"), hpa("other", {**TARGET, "name": "other"}), hpa("own", {**TARGET, "name": "podinfo-primary"}))
    (warned,) = told(CANARY, autoscalers=scalers)
    assert warned.startswith("HorizontalPodAutoscaler test/hpa scales podinfo, not podinfo-primary") and "spec.autoscalerRef" in warned


def test_what_keda_made_of_the_named_objects_is_not_another_autoscaler() -> None:
    of_primary = hpa("keda-hpa-podinfo-primary", {**TARGET, "name": "podinfo-primary"},
                     {"ownerReferences": [{"kind": SCALED_OBJECT, "name": "podinfo-primary", "controller": True}]})
    assert told(naming(SCALED_OBJECT), scaler=scaled_object(), autoscalers=(hpa("keda-hpa-podinfo", metadata=BY_KEDA), of_primary)) == []
