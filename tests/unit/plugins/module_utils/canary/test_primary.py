# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import primary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Options, Service

CANARY = Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
                service=Service(name="podinfo", port=9898), analysis=Analysis(interval=10, threshold=1))
SELECTOR = Selector("app", "podinfo")


def template(image: str = "podinfo:1", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "labels": {"app": "podinfo", "tier": "web", "app.kubernetes.io/instance": "shop", "kustomize.toolkit.fluxcd.io/name": "apps"},
            "annotations": {"prometheus.io/scrape": "true", "argocd.argoproj.io/tracking-id": "x", "helm.toolkit.fluxcd.io/x": "y"},
        },
        "spec": {"containers": [{"name": "podinfo", "image": image}], **spec},
    }


def target(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "podinfo", "namespace": "test", "uid": "target-uid", "resourceVersion": "1",
            "labels": {"app": "podinfo", "team/owner": "blue", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "team/pager": "4711", "deployment.kubernetes.io/revision": "3", "meta.helm.sh/release-name": "shop",
                "kubectl.kubernetes.io/last-applied-configuration": "{}", "argocd.argoproj.io/sync-wave": "1",
                "kustomize.toolkit.fluxcd.io/reconcile": "enabled", "progressive.delivery/epoch": "3"},
        },
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "podinfo", "tier": "web"}}, "strategy": {"type": "RollingUpdate"},
                 "progressDeadlineSeconds": 60, "revisionHistoryLimit": 5, "minReadySeconds": 2, "template": template(), **spec},
    }


def replicaset(name: str = "podinfo-1", uid: str = "rs-uid", owner: str = "target-uid", image: str = "podinfo:2") -> dict[str, Any]:
    made = template(image)
    made["metadata"]["labels"]["pod-template-hash"] = "1"
    return {"metadata": {"name": name, "namespace": "test", "uid": uid, "ownerReferences": [{"uid": owner, "controller": True}]},
            "spec": {"template": made}}


def test_the_primary_is_the_target_under_another_label() -> None:
    made = primary.new_primary(target(), CANARY, 2)
    assert made == {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "podinfo-primary", "namespace": "test",
            "labels": {"app": "podinfo-primary", "progressive.delivery/canary": "podinfo"},
            "annotations": {"progressive.delivery/promoted": revision_of(template())},
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "podinfo-primary"}},
            "strategy": {"type": "RollingUpdate"}, "progressDeadlineSeconds": 60, "revisionHistoryLimit": 5, "minReadySeconds": 2,
            "template": {
                "metadata": {
                    "labels": {"app": "podinfo-primary", "tier": "web", "app.kubernetes.io/instance": "shop"},
                    "annotations": {"prometheus.io/scrape": "true"},
                },
                "spec": {"containers": [{"name": "podinfo", "image": "podinfo:1"}]},
            },
        },
    }


def test_safety_07_nothing_that_serves_users_has_an_owner() -> None:
    assert "ownerReferences" not in primary.new_primary(target(), CANARY, 1)["metadata"]


@pytest.mark.parametrize(("prefixes", "labels", "annotations"), [
    ((), set(), set()),
    (("team/",), {"team/owner"}, {"team/pager"}),
    (("*",), {"team/owner"}, {"team/pager"}),
    (("argocd", "meta.helm.sh", "app.kubernetes.io", "progressive", "deployment.kubernetes.io", "kustomize", "kubectl"), set(), set()),
])
def test_safety_20_what_makes_other_tools_adopt_a_copy_is_left_out(prefixes: tuple[str, ...], labels: set[str], annotations: set[str]) -> None:
    canary = dataclasses.replace(CANARY, options=Options(label_prefixes=prefixes))
    made = primary.new_primary(target(), canary, 1)["metadata"]
    assert set(made["labels"]) == {"app", "progressive.delivery/canary", *labels}
    assert made["labels"]["app"] == "podinfo-primary"
    assert set(made["annotations"]) == {"progressive.delivery/promoted", *annotations}


def test_weak_spot_33_labels_and_annotations_follow_the_target_with_each_promotion_and_others_stay() -> None:
    canary = dataclasses.replace(CANARY, options=Options(label_prefixes=("team/",)))
    live = primary.new_primary(target(), canary, 1)
    live["metadata"]["labels"]["theirs"] = live["metadata"]["annotations"]["theirs"] = "x"
    changed = target()
    changed["metadata"]["labels"] = {"app": "podinfo", "team/cost": "7"}
    made = primary.promoted(live, changed, template("podinfo:2"), canary, "new")
    assert made["metadata"]["labels"] == {
        "app": "podinfo-primary", "progressive.delivery/canary": "podinfo", "theirs": "x", "team/cost": "7"}
    assert made["metadata"]["annotations"] == {"team/pager": "4711", "theirs": "x", "progressive.delivery/promoted": "new"}


@pytest.mark.parametrize(("labels", "found"), [
    ({"app": "a", "name": "b"}, Selector("app", "a")), ({"name": "b"}, Selector("name", "b")),
    ({"app.kubernetes.io/name": "c", "x": "y"}, Selector("app.kubernetes.io/name", "c")),
])
def test_the_first_label_of_the_list_that_the_selector_requires_tells_the_two_apart(labels: dict[str, str], found: Selector) -> None:
    assert primary.selector_of(target(selector={"matchLabels": labels}), Options().selector_labels) == found


def test_a_target_without_such_a_label_is_refused_in_words() -> None:
    with pytest.raises(SpecError, match=r"Deployment test/podinfo: spec.selector.matchLabels: must contain one of app, name, .* \(it has tier"):
        primary.selector_of(target(selector={"matchLabels": {"tier": "web"}}), Options().selector_labels)


def test_a_label_too_long_for_its_suffix_is_refused_in_words() -> None:
    with pytest.raises(SpecError, match="'a{60}' is too long: the primary's is 8 characters longer, and a label holds 63"):
        primary.selector_of(target(selector={"matchLabels": {"app": "a" * 60}}), Options().selector_labels)


def test_the_selector_is_found_again_in_the_primary_alone() -> None:
    assert primary.selector_of_primary(primary.new_primary(target(), CANARY, 1)) == SELECTOR
    assert primary.selector_of_primary(target()) is None


def terms(value: str, key: str = "app") -> dict[str, Any]:
    return {"matchLabels": {key: value}, "matchExpressions": [{"key": key, "operator": "In", "values": ["other", value]}]}


def test_pods_of_the_primary_keep_apart_from_each_other_and_not_from_the_canarys() -> None:
    made = primary.primary_template(template(
        topologySpreadConstraints=[{"labelSelector": terms("podinfo")}, {"topologyKey": "zone"}, {"labelSelector": terms("podinfo", key="name")}],
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": terms("podinfo")}, {"labelSelector": terms("database")}],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"labelSelector": terms("podinfo")}}],
            },
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": terms("podinfo")}]},
        }), SELECTOR)["spec"]
    ours = {"matchLabels": {"app": "podinfo-primary"},
            "matchExpressions": [{"key": "app", "operator": "In", "values": ["other", "podinfo-primary"]}]}
    assert made["topologySpreadConstraints"] == [{"labelSelector": ours}, {"topologyKey": "zone"}, {"labelSelector": terms("podinfo", key="name")}]
    apart = made["affinity"]["podAntiAffinity"]
    assert apart["requiredDuringSchedulingIgnoredDuringExecution"] == [{"labelSelector": ours}, {"labelSelector": terms("database")}]
    assert apart["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"] == ours
    assert made["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] == [{"labelSelector": terms("podinfo")}]


def test_safety_17_making_the_template_twice_makes_the_same_and_changes_no_input() -> None:
    source = template()
    before = copy.deepcopy(source)
    assert primary.primary_template(source, SELECTOR) == primary.primary_template(source, SELECTOR)
    assert source == before


def test_safety_19_the_primary_means_what_its_target_means_whatever_the_server_filled_in() -> None:
    live = primary.primary_template(template(), SELECTOR)
    live["spec"].update(restartPolicy="Always", dnsPolicy="ClusterFirst", securityContext={})
    live["metadata"]["annotations"]["flagger-id"] = "4711"
    assert primary.difference(template(), live, SELECTOR) == primary.Difference(template=False)
    assert primary.difference(template("podinfo:2"), live, SELECTOR).template


# Promotion

ORDER = {"replicaset": "podinfo-1", "uid": "rs-uid", "revision": revision_of(template("podinfo:2"))}


def promoted(live: dict[str, Any]) -> dict[str, Any]:
    pinned = primary.pinned_template(replicaset(), target(), ORDER)
    return primary.promoted(live, target(), pinned, CANARY, ORDER["revision"])


def test_safety_17_the_primary_gets_exactly_the_analysed_template_and_keeps_its_replicas() -> None:
    live = primary.new_primary(target(), CANARY, 7)
    live["spec"]["template"]["spec"]["hostNetwork"] = True
    made = promoted(live)
    assert made["spec"]["template"] == primary.primary_template(template("podinfo:2"), SELECTOR)
    assert made["spec"]["replicas"] == 7
    assert made["metadata"]["annotations"]["progressive.delivery/promoted"] == ORDER["revision"]


def test_safety_05_the_primary_says_itself_what_was_promoted_to_it() -> None:
    made = primary.new_primary(target(), CANARY, 1)
    assert made["metadata"]["annotations"]["progressive.delivery/promoted"] == revision_of(target()["spec"]["template"])
    assert promoted(made)["metadata"]["annotations"]["progressive.delivery/promoted"] == ORDER["revision"]


def test_safety_17_a_promotion_that_was_done_already_changes_nothing() -> None:
    once = promoted(primary.new_primary(target(), CANARY, 1))
    once["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    assert promoted(once) == once


def test_what_the_target_no_longer_says_about_rollouts_goes_from_the_primary() -> None:
    live = primary.new_primary(target(), CANARY, 1)
    bare = target()
    del bare["spec"]["minReadySeconds"]
    bare["spec"]["progressDeadlineSeconds"] = 90
    made = primary.promoted(live, bare, template("podinfo:2"), CANARY, "new")
    assert "minReadySeconds" not in made["spec"]
    assert made["spec"]["progressDeadlineSeconds"] == 90


@pytest.mark.parametrize(("found", "order", "words"), [
    (None, ORDER, "ReplicaSet test/podinfo-1 is gone"),
    (replicaset(owner="another"), ORDER, "does not belong to Deployment test/podinfo"),
    (replicaset(uid="later"), ORDER, "its uid differs"),
    (replicaset(image="podinfo:3"), ORDER, "does not hold the revision that was analysed"),
])
def test_safety_17_only_the_very_replicaset_that_was_analysed_is_promoted(found: dict[str, Any] | None, order: dict[str, str], words: str) -> None:
    with pytest.raises(CanaryError, match=words):
        primary.pinned_template(found, target(), order)


def test_safety_16_restoring_puts_back_what_a_replicaset_of_the_primary_kept() -> None:
    live = primary.new_primary(target(), CANARY, 2)
    live["metadata"]["uid"] = "primary-uid"
    kept = replicaset("podinfo-primary-1", owner="primary-uid")
    kept["spec"]["template"] = primary.primary_template(template(), SELECTOR)
    kept["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "9"
    order = {"replicaset": "podinfo-primary-1", "revision": "before"}
    now = promoted(live)
    made = primary.restored(now, primary.pinned_template(kept, now, order, kind="restored"), "before")
    assert made["spec"]["template"] == live["spec"]["template"]
    assert made["metadata"]["annotations"]["progressive.delivery/promoted"] == "before"
    with pytest.raises(CanaryError, match="gone, so what was analysed can no longer be restored"):
        primary.pinned_template(None, now, order, kind="restored")


def test_safety_29_the_targets_template_comes_back_out_of_the_primarys() -> None:
    apart = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "podinfo"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "other"]}]}}]}}}
    before = template(**apart)
    assert primary.target_template(primary.primary_template(before, SELECTOR), template("podinfo:9"), SELECTOR, {}) == before
