# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Check, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import Seen, judge
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings

CANARY = Canary(
    name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=80, target_port="http"), analysis=Analysis(interval=10, threshold=1))
LABELS = {"app": "podinfo", "tier": "web"}
OURS = {"labels": {"progressive.delivery/canary": "podinfo"}}
FLAGGERS = {"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}]}


def obj(kind: str, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "apps/v1" if kind == "Deployment" else "v1", "metadata": {"name": name, "namespace": "test", **metadata}, "spec": spec}


def deployment(name: str = "podinfo", app: str = "podinfo", pods: Any = None, matches: Any = None, metadata: Any = None, **spec: Any) -> dict[str, Any]:
    pods = {"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}], **(pods or {})}
    matches = {"app": app} if matches is None else matches
    template = {"metadata": {"labels": {**LABELS, "app": app}}, "spec": pods}
    return obj("Deployment", name, {"selector": {"matchLabels": matches}, "template": template, **spec}, **(metadata or {}))


def service(name: str, selector: Any, kind: str = "ClusterIP", **metadata: Any) -> dict[str, Any]:
    return obj("Service", name, {"selector": selector, "type": kind, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}, **metadata)


def route(name: str = "podinfo", backend: str = "podinfo-primary", **metadata: Any) -> dict[str, Any]:
    return obj("HTTPRoute", name, {"rules": [{"backendRefs": [{"name": backend}]}]}, **metadata)


def found(canary: Canary = CANARY, **seen: Any) -> Findings:
    findings = Findings()
    if "services" in seen:
        seen["services"] = {item["metadata"]["name"]: item for item in seen["services"]}
    judge(canary, Seen(**{"target": deployment(), **seen}), findings)
    return findings


def refusals(**seen: Any) -> list[str]:
    return [str(problem) for problem in found(**seen).problems]


def warnings(**seen: Any) -> list[str]:
    findings = found(**seen)
    assert not findings.problems
    return findings.warnings


# The target

DAEMONSET = dataclasses.replace(CANARY, target_kind="DaemonSet")
SPARED = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def daemonset(nodes: int = 1, strategy: Any = None, **more: Any) -> dict[str, Any]:
    made = deployment(**more)
    return {**made, "kind": "DaemonSet", "status": {"desiredNumberScheduled": nodes}, "spec": {**made["spec"], "updateStrategy": strategy or SPARED}}


@pytest.mark.parametrize(("target", "words"), [
    (None, "spec.targetRef.name: there is no DaemonSet 'podinfo' in namespace test (accepted: the name of a DaemonSet that exists there)"),
    (daemonset(strategy={"type": "OnDelete"}), "DaemonSet test/podinfo: has the updateStrategy OnDelete"),
    (daemonset(pods={"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080, "hostPort": 80}]}]}),
     "DaemonSet test/podinfo: takes the port 80 of each node"),
    (daemonset(pods={"hostNetwork": True}), "DaemonSet test/podinfo: takes the port 8080 of each node"),
])
def test_a_daemonset_whose_primary_could_not_run_beside_it_is_refused(target: Any, words: str) -> None:
    told = refusals(canary=DAEMONSET, target=target)
    assert [text[:len(words)] for text in told] == [words]


@pytest.mark.parametrize(("target", "warned"), [
    (daemonset(), False), (daemonset(nodes=3, strategy={"type": "RollingUpdate"}), False), (daemonset(strategy={"type": "RollingUpdate"}), True),
    (daemonset(nodes=3, strategy={"rollingUpdate": {"maxUnavailable": 3}}), True),
    (daemonset(nodes=3, strategy={"rollingUpdate": {"maxUnavailable": "100%"}}), True),
])
def test_safety_16_a_daemonset_without_a_pod_to_spare_is_warned_of(target: Any, warned: bool) -> None:
    told = found(canary=DAEMONSET, target=target)
    assert not told.problems and bool([text for text in told.warnings if "has no pod to spare" in text]) == warned


def weighted(**analysis: Any) -> Canary:
    return dataclasses.replace(CANARY, analysis=Analysis(interval=10, threshold=1, **{"max_weight": 50, "step_weight": 50, **analysis}))


ALL_AT_ONCE = deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": "25%"}})
RECREATED = deployment(strategy={"type": "Recreate"})


@pytest.mark.parametrize(("canary", "target", "warned"), [
    (weighted(), deployment(), False), (weighted(), deployment(strategy={"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}), False),
    (weighted(), RECREATED, True), (weighted(), ALL_AT_ONCE, True),
    (weighted(), deployment(replicas=2, strategy={"rollingUpdate": {"maxUnavailable": 2}}), True),
    (weighted(), deployment(replicas=0, strategy={"rollingUpdate": {"maxUnavailable": 2}}), False),
    (weighted(max_weight=100), RECREATED, False), (weighted(iterations=3), RECREATED, False),
    (weighted(iterations=3, match=({"headers": {"x-canary": {"exact": "yes"}}},)), RECREATED, True),
    (dataclasses.replace(weighted(iterations=3), provider="kubernetes"), RECREATED, True),
    (dataclasses.replace(weighted(max_weight=100), skip_analysis=True), RECREATED, True),
])
def test_safety_16_a_deployment_without_a_pod_left_while_it_rolls_is_warned_of_where_users_are_on_the_primary_then(
        canary: Canary, target: Any, warned: bool) -> None:
    told = found(canary=canary, target=target)
    assert not told.problems and bool([text for text in told.warnings if "nobody answers behind podinfo-primary" in text]) == warned


def test_safety_23_a_tool_that_keeps_the_node_selector_of_a_daemonset_would_let_it_run() -> None:
    kept = [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {}}}}}}]
    told = refusals(canary=DAEMONSET, target=daemonset(metadata={"managedFields": kept}))
    assert len(told) == 1 and "spec.template.spec.nodeSelector" in told[0]
    kept = [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}}]
    assert refusals(canary=DAEMONSET, target=daemonset(metadata={"managedFields": kept})) == []


SERVICE = dataclasses.replace(CANARY, target_kind="Service", service=Service(name="podinfo", port=80))


@pytest.mark.parametrize(("target", "words"), [
    (None, "spec.targetRef.name: there is no Service 'podinfo' in namespace test (accepted: the name of a Service that exists there)"),
    (service("podinfo", None), "Service test/podinfo: selects no pods (ClusterIP without a selector)"),
    (service("podinfo", {"app": "v1"}, kind="ExternalName"), "Service test/podinfo: selects no pods (ExternalName without a selector)"),
    (obj("Service", "podinfo", {"selector": {"app": "v1"}, "ports": [{"port": 9898}]}),
     "spec.service.port: Service test/podinfo has no TCP port 80 (accepted: 9898)"),
    (service("podinfo", {"app": "v1"}, annotations={"progressive.delivery/canary": "other"}),
     "spec.targetRef.name: Service test/podinfo belongs to the canary other"),
])
def test_a_service_that_cannot_be_a_target_is_refused(target: Any, words: str) -> None:
    assert [text[:len(words)] for text in refusals(canary=SERVICE, target=target)] == [words]


def test_safety_07_services_of_the_names_that_a_service_target_needs_are_refused_where_they_are_somebody_elses() -> None:
    target = service("podinfo", {"app": "v1"})
    others = [target, service("podinfo-primary", {"app": "v1"}), service("podinfo-canary", {"app": "v1"}, **OURS)]
    assert [text.partition(" (")[0] for text in refusals(canary=SERVICE, target=target, services=others)] == [
        "spec.targetRef.name: Service test/podinfo-primary exists and was not made for the canary podinfo"]


def test_safety_23_whoever_keeps_the_selector_of_a_service_target_is_no_hand_on_a_walk() -> None:
    kept = [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:selector": {}}}}]
    assert found(canary=SERVICE, target=service("podinfo", {"app": "v1"}, managedFields=kept)) == Findings()


def test_of_a_service_target_without_a_route_users_have_to_know_whom_to_call() -> None:
    alone = dataclasses.replace(SERVICE, provider="kubernetes")
    told = found(canary=alone, target=service("podinfo", {"app": "v1"})).warnings
    assert len(told) == 1 and "users of podinfo have to call podinfo-primary" in told[0]


def test_a_target_with_nothing_around_it_is_fine() -> None:
    assert found() == Findings()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "spec.targetRef.name: there is no Deployment 'podinfo' in namespace test (accepted: "),
        (deployment(matches={"tier": "web"}),
         "Deployment test/podinfo: spec.selector.matchLabels: must contain one of app, name, app.kubernetes.io/name (it has tier"),
        (deployment(app="a" * 56), f"Deployment test/podinfo: label app: '{'a' * 56}' is too long"),
        (deployment(pods={"containers": [{"name": "app", "ports": [{"name": "web", "containerPort": 1}, {"containerPort": 2}]}]}),
         "spec.service.targetPort: no container of Deployment test/podinfo has a port named 'http' (accepted: web, or a number)"),
        (deployment(pods={"containers": [{"name": "app"}]}),
         "spec.service.targetPort: no container of Deployment test/podinfo has a port named 'http' (accepted: a number, since its ports have no names)"),
        (deployment(metadata={"annotations": {"progressive.delivery/canary": "other"}}),
         "spec.targetRef.name: Deployment test/podinfo belongs to the canary other"),
    ],
)
def test_a_target_that_cannot_be_walked_is_refused(target: Any, words: str) -> None:
    refused = refusals(target=target)
    assert len(refused) == 1
    assert refused[0].startswith(words)


def test_a_port_by_number_needs_no_name() -> None:
    by_number = dataclasses.replace(CANARY, service=Service(name="podinfo", port=80, target_port=8080))
    assert not found(by_number, target=deployment(pods={"containers": [{"name": "app"}]})).problems


def test_another_selector_label_can_be_chosen() -> None:
    chosen = dataclasses.replace(CANARY, options=Options(selector_labels=("tier",)))
    assert not found(chosen, target=deployment(matches={"tier": "web"})).problems


# What its pods read

PODS = {
    "containers": [{"name": "app", "ports": [{"name": "http"}], "envFrom": [{"configMapRef": {"name": "env"}}],
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "a"}}}, {"name": "B", "value": "b"}]}],
    "volumes": [{"name": "v", "configMap": {"name": "files", "optional": True}}],
}


def read(**objects: Any) -> Configs:
    """What there is of PODS, by its name."""
    kinds = {"env": "ConfigMap", "key": "Secret", "files": "ConfigMap"}
    return configs.gathered("podinfo", configs.references(PODS), {f"{kinds[name]}/{name}": {"metadata": {}, **obj} for name, obj in objects.items()})


def test_configurations_that_are_tracked_are_nothing_to_warn_of() -> None:
    assert warnings(target=deployment(pods=PODS), configs=read(env={"data": {"a": "b"}}, key={"data": {"a": "eA=="}})) == []


def test_a_configuration_that_does_not_exist_is_refused_by_name_unless_it_is_optional() -> None:
    assert refusals(target=deployment(pods=PODS), configs=read(env={})) == [
        "Deployment test/podinfo: refers to Secret key, which does not exist in namespace test: no pod of it would start "
        "(accepted: one that exists, or a reference that says optional: true)"]


def test_weak_spot_34_what_is_left_out_of_tracking_is_told_since_the_primary_shares_it() -> None:
    off = {"metadata": {"annotations": {"flagger.app/config-tracking": "disabled"}}}
    (told,) = warnings(target=deployment(pods=PODS), configs=read(env=off, key={"type": "kubernetes.io/dockerconfigjson"}))
    assert told.startswith("Deployment test/podinfo uses ConfigMap env, Secret key, which are not tracked (")
    without = dataclasses.replace(CANARY, options=Options(config_tracking=False))
    (told,) = found(without, target=deployment(pods=PODS)).warnings
    assert told.startswith("Deployment test/podinfo uses ConfigMap env, ConfigMap files, Secret key, which are not tracked (canary_config_tracking is false)")


def test_safety_07_copies_that_flagger_made_are_told_since_deleting_a_canary_object_would_take_them_away() -> None:
    there = {"env": {"data": {"a": "b"}}, "key": {"data": {"a": "eA=="}}}
    pods = {**PODS, "containers": [{**PODS["containers"][0], "envFrom": [{"configMapRef": {"name": "env-primary"}}]}]}
    primary = deployment("podinfo-primary", app="podinfo-primary", pods=pods, metadata={**OURS, "annotations": {marks.PROMOTED: "a" * 64}})

    def told(seen: Any, *owners: str) -> list[str]:
        return warnings(target=deployment(pods=PODS), primary=seen, configs=read(**there), flaggers={"ConfigMap/env-primary": owners})
    (text,) = told(primary, "podinfo")
    assert text.startswith("Deployment test/podinfo-primary reads ConfigMap env-primary, which Flagger made and which a Canary object owns: do not delete")
    assert told(primary) == [], "what may not be looked at is only perhaps one"
    untaken = deployment("podinfo-primary", app="podinfo-primary", pods=pods, metadata=FLAGGERS)
    assert told(untaken, "podinfo") == [], "the takeover frees it"
    (text,) = told(untaken, "podinfo", "shop")
    assert "which Flagger made for shop too: it may rewrite them" in text


def test_more_than_can_be_tracked_is_refused_with_both_numbers() -> None:
    many = {f"ConfigMap/c{number}": True for number in range(configs.MOST + 1)}
    (refused,) = refusals(configs=configs.gathered("podinfo", many, {entry: {"metadata": {}} for entry in many}))
    assert refused.startswith(f"Deployment test/podinfo: refers to {configs.MOST + 1} ConfigMaps and Secrets, and no more than {configs.MOST} can be tracked")


def test_a_paused_target_is_told() -> None:
    assert warnings(target=deployment(paused=True)) == [
        "Deployment test/podinfo is paused: no new revision starts until somebody resumes it (kubectl rollout resume)"]


def test_safety_12_a_window_written_hard_into_a_query_is_told() -> None:
    checks = (Check(0, "errors", False, 60, None, 1, "rate(errors[5m])"), Check(1, "short", False, 60, None, 1, "rate(errors[10s])"),
              Check(2, "templated", False, 60, None, 1, "rate(errors[{{ interval }}])"))
    canary = dataclasses.replace(CANARY, analysis=Analysis(interval=10, threshold=1, checks=checks))
    (told,) = found(canary).warnings
    assert told.startswith("spec.analysis.metrics[0] 'errors' looks back 300 s whatever the weight")


# Objects of the names that a walk needs

@pytest.mark.parametrize("metadata", [OURS, FLAGGERS])
def test_what_we_or_flagger_made_for_this_canary_is_gone_on_with(metadata: Any) -> None:
    primary = deployment("podinfo-primary", "podinfo-primary", metadata=metadata)
    services = [service("podinfo", {"app": "podinfo-primary"}, **metadata), service("podinfo-primary", {"app": "podinfo-primary"}, **metadata),
                service("podinfo-canary", {"app": "podinfo"}, **metadata)]
    assert not refusals(primary=primary, services=services, route=route(**metadata))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"primary": deployment("podinfo-primary", "podinfo-primary")},
         "spec.targetRef.name: Deployment test/podinfo-primary exists and was not made for the canary podinfo"),
        ({"primary": deployment("podinfo-primary", "else", metadata=OURS)},
         "spec.targetRef.name: Deployment test/podinfo-primary exists and has the selector app=else, not app=podinfo-primary"),
        ({"route": route()}, "spec.service.name: HTTPRoute test/podinfo exists and was not made for the canary podinfo (accepted: "),
        ({"route": route(annotations={"progressive.delivery/canary": "other"})}, "spec.service.name: HTTPRoute test/podinfo belongs to the canary other"),
        ({"services": [service("podinfo-primary", {"app": "else"})]},
         "spec.service.name: Service test/podinfo-primary exists, was not made for the canary podinfo"),
        ({"services": [service("podinfo-canary", {"app": "else"})]},
         "spec.service.name: Service test/podinfo-canary exists, was not made for the canary podinfo"),
        ({"services": [service("podinfo", {"app": "else"})]}, "spec.service.name: Service test/podinfo selects app=else, which are not the pods of podinfo"),
        ({"services": [service("podinfo", {}, "ExternalName")]}, "spec.service.name: Service test/podinfo selects no pods"),
        ({"services": [service("podinfo", {"app": "podinfo"}, annotations={"progressive.delivery/canary": "other"})]},
         "spec.service.name: Service test/podinfo belongs to the canary other"),
    ],
)
def test_safety_08_what_is_somebody_elses_is_refused(seen: Any, words: str) -> None:
    refused = refusals(**seen)
    assert len(refused) == 1
    assert refused[0].startswith(words)


@pytest.mark.parametrize("selector", [{"app": "podinfo"}, {"app": "podinfo", "tier": "web"}, {"app": "podinfo-primary"}])
def test_a_users_service_of_the_target_becomes_the_apex(selector: Any) -> None:
    assert not refusals(services=[service("podinfo", selector)])


# Bystanders

def budget(name: str, app: str, **metadata: Any) -> dict[str, Any]:
    return obj("PodDisruptionBudget", name, {"selector": {"matchLabels": {"app": app}}}, **metadata)


def test_safety_21_a_budget_is_worth_a_word_only_where_its_copy_has_no_place() -> None:
    ours, theirs = budget("pdb-primary", "podinfo-primary", **OURS), budget("pdb-primary", "elsewhere")
    assert not warnings(budgets=(budget("pdb", "podinfo"),))
    assert not warnings(budgets=(budget("pdb", "podinfo"), ours))
    assert not warnings(budgets=(budget("pdb", "podinfo"), budget("pdb-primary", "podinfo-primary")))
    assert warnings(budgets=(budget("pdb", "podinfo"), theirs)) == [
        "PodDisruptionBudget test/pdb covers the pods of podinfo, not those of podinfo-primary, which serve users from now on, and its copy cannot be "
        "called pdb-primary, which is somebody's: let that one select app: podinfo-primary"]


def test_safety_21_a_policy_that_would_leave_the_primary_cut_off_is_refused() -> None:
    lets_in = obj("NetworkPolicy", "web", {"podSelector": {"matchLabels": {"app": "podinfo"}}, "ingress": [{}]})
    denies = obj("NetworkPolicy", "deny", {"podSelector": {}})
    assert warnings(policies=(lets_in,)) == [
        "NetworkPolicy test/web holds for the pods of podinfo, not for those of podinfo-primary: make one that selects app: podinfo-primary"]
    assert refusals(policies=(lets_in, denies)) == [
        "NetworkPolicy test/web: lets requests in to the pods of podinfo, not to those of podinfo-primary, which would be cut off "
        "(let it, or one like it, select app: podinfo-primary as well)"]


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_safety_21_a_service_by_which_users_come_is_refused(kind: str) -> None:
    (refused,) = refusals(services=[service("public", {"app": "podinfo"}, kind)])
    assert refused.startswith(f"Service test/public: selects the pods of podinfo, which go to 0, and it is of type {kind}")


def test_safety_21_a_service_that_a_route_names_is_refused() -> None:
    (refused,) = refusals(services=[service("web", {"app": "podinfo"})], routes=(route("public", "web"),), routed=frozenset({"web"}))
    assert "a route sends requests to it" in refused


def test_safety_21_another_service_of_the_target_is_told() -> None:
    (told,) = warnings(services=[service("metrics", {"app": "podinfo"}), service("both", {"tier": "web"}), service("none", {})])
    assert told.startswith("Service test/metrics selects the pods of podinfo, which are the canary from now on")


# A route of the user's own

ADOPTED = dataclasses.replace(CANARY, options=Options(route="adopted"))


def test_an_adopted_route_is_not_expected_to_be_ours() -> None:
    assert not found(ADOPTED, route=route()).problems


def test_safety_08_an_adopted_route_that_another_canary_walks_on_is_refused() -> None:
    (problem,) = found(ADOPTED, route=route(annotations={"progressive.delivery/canary": "other"})).problems
    assert str(problem).startswith("spec.service.name: HTTPRoute test/podinfo belongs to the canary other")


# Other hands

def managed(manager: str, *path: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in reversed(path):
        fields = {f"f:{part}": fields}
    return {"managedFields": [{"manager": manager, "fieldsV1": fields}]}


def test_safety_23_a_gitops_tool_on_fields_that_we_change_is_refused_with_the_remedy() -> None:
    target = deployment(metadata=managed("argocd-controller", "spec", "replicas"))
    apex = service("podinfo", {"app": "podinfo"}, **managed("argocd-controller", "spec", "selector"))
    (refused,) = refusals(target=target, services=[apex])
    assert refused.startswith("canary_gitops_ignored: Argo CD would put back spec.replicas of Deployment test/podinfo "
                              "and spec.selector of Service test/podinfo")
    assert "RespectIgnoreDifferences=true" in refused and "then set canary_gitops_ignored: true" in refused


def test_safety_23_somebody_may_say_that_the_tool_ignores_them() -> None:
    assert not refusals(target=deployment(metadata=managed("argocd-controller", "spec", "replicas")), gitops_ignored=True)


def test_safety_23_a_tool_on_other_fields_is_welcome() -> None:
    assert not refusals(target=deployment(metadata=managed("argocd-controller", "spec", "template")))


@pytest.mark.parametrize("splits", [("spec", "rules"), ("spec", "routes")])
def test_safety_23_a_gitops_tool_on_the_part_of_a_route_that_splits_is_refused(splits: tuple[str, str]) -> None:
    (refused,) = refusals(route=route(**OURS, **managed("argocd-controller", *splits)), splits=splits)
    assert refused.startswith(f"canary_gitops_ignored: Argo CD would put back {'.'.join(splits)} of HTTPRoute test/podinfo")
    assert not refusals(route=route(**OURS, **managed("argocd-controller", "spec", "hostnames")), splits=splits)


def test_a_helm_chart_is_told() -> None:
    (told,) = warnings(target=deployment(metadata=managed("helm", "spec", "replicas")))
    assert told.startswith("spec.replicas of Deployment test/podinfo is in a Helm chart: helm upgrade puts it back")


def flagger(name: str = "podinfo", target: str = "podinfo", suspend: bool = False) -> dict[str, Any]:
    return obj("Canary", name, {"suspend": suspend, "targetRef": {"kind": "Deployment", "name": target}},
               managedFields=[{"manager": "flagger", "subresource": "status", "time": "2026-01-01T00:00:00Z"}])


@pytest.mark.parametrize("name", ["podinfo", "another"])
def test_safety_25_a_live_flagger_on_the_same_target_is_refused(name: str) -> None:
    (refused,) = refusals(canaries=(flagger(name),))
    assert refused.startswith(f"Canary test/{name}: Flagger walks Deployment podinfo by it (it wrote the status last, at 2026-01-01T00:00:00Z)")
    assert "canary_flagger_is_gone: true" in refused


def test_safety_25_flagger_elsewhere_suspended_or_gone_is_no_reason_to_refuse() -> None:
    assert not refusals(canaries=(flagger("other", "other"),))
    assert not refusals(canaries=(flagger(),), flagger_is_gone=True)
    (told,) = warnings(canaries=(flagger(suspend=True),))
    assert told.startswith("Canary test/podinfo is suspended, and so is this walk")


def test_all_that_is_wrong_is_found_at_once() -> None:
    assert len(refusals(route=route(), primary=deployment("podinfo-primary", "else"), services=[service("podinfo-canary", {"app": "else"})],
                        canaries=(flagger(),))) == 4
