# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import budgets, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service

CANARY = Canary("podinfo", "test", "gatewayapi:v1", "podinfo", "Deployment", Service("podinfo", 80), Analysis(10, 1))
SELECTOR = Selector("app", "podinfo")
TARGET = {"spec": {"template": {"metadata": {"labels": {"app": "podinfo", "tier": "web"}}}}}


def budget(selector: Any, name: str = "pdb", **spec: Any) -> dict[str, Any]:
    return {"kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": "test", "annotations": {"argocd.argoproj.io/instance": "x"}},
            "spec": {"selector": selector, **spec}}


def test_safety_21_budgets_that_cover_only_the_target_are_copied() -> None:
    only_target = budget({"matchLabels": {"app": "podinfo"}})
    by_expression = budget({"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "other"]}]})
    both = budget({"matchLabels": {"tier": "web"}})
    everybody, others = budget({}), budget({"matchLabels": {"app": "other"}})
    assert budgets.to_copy([only_target, by_expression, both, everybody, others], TARGET, SELECTOR) == [only_target, by_expression]


def test_safety_21_a_copy_says_the_same_of_the_primarys_pods() -> None:
    copied = budgets.copy_of(budget({"matchLabels": {"app": "podinfo", "tier": "web"}}, minAvailable="50%", unhealthyPodEvictionPolicy="AlwaysAllow"),
                             CANARY, SELECTOR)
    assert copied["metadata"]["name"] == "pdb-primary"
    assert copied["spec"] == {"selector": {"matchLabels": {"app": "podinfo-primary", "tier": "web"}}, "minAvailable": "50%",
                              "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    by_expression = budget({"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "other"]}]}, maxUnavailable=1)
    assert budgets.copy_of(by_expression, CANARY, SELECTOR)["spec"] == {
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo-primary", "other"]}]}, "maxUnavailable": 1}


def test_safety_20_a_copy_carries_no_mark_of_other_tools_and_is_owned_by_nothing() -> None:
    original = budget({"matchLabels": {"app": "podinfo"}})
    original["metadata"] |= {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "ownerReferences": [{"kind": "HelmRelease", "name": "x"}]}
    metadata = budgets.copy_of(original, CANARY, SELECTOR)["metadata"]
    assert not [key for key in metadata["annotations"] if "argocd" in key]
    assert metadata["labels"] == {marks.CANARY: "podinfo"}
    assert "ownerReferences" not in metadata


def test_a_copy_follows_its_original_and_somebody_elses_is_left_alone() -> None:
    before = budgets.copy_of(budget({"matchLabels": {"app": "podinfo"}}, minAvailable=1), CANARY, SELECTOR)
    wanted = budgets.copy_of(budget({"matchLabels": {"app": "podinfo"}}, maxUnavailable=2), CANARY, SELECTOR)
    assert budgets.reconciled(before, wanted, CANARY)["spec"] == wanted["spec"]
    theirs = {**before, "metadata": {"name": "pdb-primary", "namespace": "test"}}
    assert budgets.reconciled(theirs, wanted, CANARY) == theirs
