# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import gitops
from ansible_collections.progressive.delivery.plugins.module_utils.canary.gitops import ARGO, HELM_RELEASE, KUSTOMIZE, Field

REPLICAS = {"f:spec": {"f:replicas": {}, "f:template": {}}}
TEMPLATE_ONLY = {"f:spec": {"f:template": {}}}


def field(manager: str = "", fields: Any = None, labels: Any = None, annotations: Any = None, kind: str = "Deployment", path: str = "replicas") -> Field:
    managed = [{"manager": manager, "operation": "Apply", "fieldsV1": fields or REPLICAS}] if manager else []
    obj = {"apiVersion": "apps/v1" if kind == "Deployment" else "v1", "kind": kind, "metadata": {
        "name": "podinfo", "namespace": "test", "labels": labels or {}, "annotations": annotations or {}, "managedFields": managed}}
    return Field(obj, ("spec", path))


def applied(spec: dict[str, Any]) -> str:
    return json.dumps({"kind": "Deployment", "spec": spec})


@pytest.mark.parametrize(
    ("one", "tool"),
    [
        (field("argocd-controller"), ARGO),
        (field("kustomize-controller"), KUSTOMIZE),
        (field("helm-controller"), HELM_RELEASE),
        (field("argocd-controller", TEMPLATE_ONLY), None),
        (field("kubectl-client-side-apply"), None),
        (field("progressive-delivery"), None),
        (field(), None),
        (field("kubectl-client-side-apply", annotations={"argocd.argoproj.io/tracking-id": "app:apps/Deployment:test/podinfo",
                                                         gitops.LAST_APPLIED: applied({"replicas": 2})}), ARGO),
        (field("kubectl-client-side-apply", labels={"argocd.argoproj.io/instance": "app"}, annotations={gitops.LAST_APPLIED: applied({})}), None),
        (field("kubectl", annotations={"argocd.argoproj.io/tracking-id": "app", gitops.LAST_APPLIED: "not json"}), None),
        (field("kustomize-controller", annotations={"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}), None),
        (field("kustomize-controller", annotations={"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}), None),
        (field("kustomize-controller", annotations={"kustomize.toolkit.fluxcd.io/ssa": "Merge"}), KUSTOMIZE),
        (field("helm-controller", annotations={"helm.toolkit.fluxcd.io/driftDetection": "disabled"}), None),
    ],
)
def test_safety_23_a_tool_that_will_put_a_field_back_is_known_by_its_marks(one: Field, tool: Any) -> None:
    assert gitops.reverter(one) is tool


def test_safety_23_the_remedy_is_ready_to_be_copied() -> None:
    service = field("argocd-controller", {"f:spec": {"f:selector": {}}}, kind="Service", path="selector")
    assert gitops.remedy(ARGO, [field("argocd-controller"), service]) == (
        "put into the Application: ignoreDifferences: [{group: apps, kind: Deployment, name: podinfo, jsonPointers: [/spec/replicas]}, "
        "{kind: Service, name: podinfo, jsonPointers: [/spec/selector]}] and syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}")
    assert gitops.remedy(KUSTOMIZE, [field("kustomize-controller"), service]) == (
        "in git, leave spec.replicas out of Deployment podinfo, and annotate Service podinfo with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent")
    assert gitops.remedy(HELM_RELEASE, [field("helm-controller")]) == (
        "put into the HelmRelease: driftDetection: {mode: enabled, ignore: [{paths: [/spec/replicas], target: {kind: Deployment, name: podinfo}}]}")


def test_the_fields_of_one_tool_are_told_together() -> None:
    one, other, third = field("argocd-controller"), field("helm-controller"), field("argocd-controller")
    assert gitops.by_tool([one, other, third, field()]) == {ARGO: [one, third], HELM_RELEASE: [other]}
