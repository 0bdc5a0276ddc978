# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary import permissions
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import ANY, Objects, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    HPA,
    SCALED_OBJECT,
    Alert,
    AlertProvider,
    Analysis,
    Autoscaler,
    Canary,
    Check,
    MetricProvider,
    Options,
    Service,
)

EXAMPLES = pathlib.Path(__file__).parents[5] / "examples" / "rbac"
PROVIDERS = {"gatewayapi": flagger.GATEWAYAPI, "contour": flagger.CONTOUR, "traefik": flagger.TRAEFIK, "kubernetes": flagger.KUBERNETES}
COPY = "podinfo-primary"                # of a PodDisruptionBudget podinfo
SCALED = {kind: Objects("podinfo", scaler=(kind, "podinfo")) for kind in (HPA, SCALED_OBJECT)}


BOTH = ("ConfigMap/podinfo", "Secret/podinfo")
NAMED_BY_CONTENT = ("configs/podinfo-configs", "remove-configs/podinfo-remove-configs")


def canary(*checks: Check, provider: str = flagger.GATEWAYAPI, kind: str = "Deployment") -> Canary:
    return Canary(name="podinfo", namespace="test", provider=provider, target="podinfo", target_kind=kind,
                  service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1, checks=checks))


def roles() -> dict[str, tuple[Rule, ...]]:
    """What each Role of the examples should grant, by file and name."""
    found = {}
    for name, provider in PROVIDERS.items():
        objects = permissions.objects_of(canary(provider=provider))
        found[f"initialise-{name}/podinfo-initialise"] = permissions.create(objects) + permissions.budgets([COPY])[1:]
        found[f"walk-{name}/podinfo-walk"] = permissions.walk(objects) + permissions.EVENTS + permissions.TROUBLES + permissions.budgets([COPY], [COPY])
    of_scalers = {kind: permissions.scaler(objects) + permissions.create_scaler(objects) for kind, objects in SCALED.items()}
    without = permissions.removal(SCALED[HPA])[:2]
    daemonset = permissions.objects_of(canary(kind="DaemonSet"))
    return {
        **found,
        "walk-daemonset/podinfo-walk-daemonset": permissions.of_target(daemonset),
        "initialise-daemonset/podinfo-initialise-daemonset": _of_daemonsets(permissions.create(daemonset)),
        "remove-daemonset/podinfo-remove-daemonset": _of_daemonsets(permissions.removal(daemonset)),
        "remove/podinfo-remove": permissions.removal(permissions.objects_of(canary()), [COPY]) + tuple(
            rule for objects in SCALED.values() for rule in permissions.removal(objects) if rule not in without),
        "configs/podinfo-configs": permissions.tracked(BOTH, BOTH) + permissions.present_copies(BOTH),
        "take-over/podinfo-take-over": permissions.taken_over(["ConfigMap/podinfo-primary", "Secret/podinfo-primary"]),
        "remove-configs/podinfo-remove-configs": permissions.old_copies(["ConfigMap/podinfo-primary-0123456789", "Secret/podinfo-primary-0123456789"]),
        "autoscaler/podinfo-autoscaler": of_scalers[HPA],
        "scaled-object/podinfo-scaled-object": of_scalers[SCALED_OBJECT],
        "watchdog/canary-watchdog": permissions.WATCHDOG,
        "canary-object/podinfo-canary-object": permissions.canary_object("podinfo"),
        "revert-on-deletion/podinfo-revert-on-deletion": permissions.finalizer("podinfo"),
        "metric-templates/podinfo-metric-templates": permissions.templates(["error-rate"]),
        "secrets/podinfo-secrets": permissions.secrets(["prometheus"]),
        "alert-providers/podinfo-alert-providers": permissions.alert_providers(["on-call"]) + permissions.secrets(["on-call"]),
        "preflight/canary-preflight": permissions.LOOKS,
        "gateways/canary-gateways": permissions.gateways(["public"]),
    }


def _of_daemonsets(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.resource == "daemonsets")


def shipped() -> dict[str, list[Rule]]:
    found = {}
    for path in EXAMPLES.glob("*.yml"):
        role = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert role["kind"] == "Role", f"{path.name} holds a {role['kind']}"
        found[f"{path.stem}/{role['metadata']['name']}"] = [
            Rule(group, resource, tuple(rule["verbs"]), tuple(rule.get("resourceNames", ())))
            for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]]
    return found


def singly(rules: Iterable[Rule]) -> list[tuple[str, str, str, str]]:
    return sorted((rule.group, rule.resource, verb, name) for rule in rules for verb in rule.verbs for name in rule.names or ("",))


@pytest.mark.parametrize("role", roles())
def test_a_role_of_the_examples_grants_exactly_what_is_asked_for(role: str) -> None:
    assert singly(shipped()[role]) == singly(roles()[role])


def test_there_is_no_other_role() -> None:
    assert shipped().keys() == roles().keys()


def test_only_a_removal_may_delete_and_nobody_may_do_everything() -> None:
    granted = [entry for name, rules in shipped().items() if not name.startswith("remove") for entry in singly(rules)]
    assert not [entry for entry in granted if "*" in entry or entry[2] in ("delete", "deletecollection", "escalate", "bind", "impersonate", "update")]


def test_the_examples_name_every_object_whose_name_is_known() -> None:
    unnamed = {(resource, verb) for role, rules in shipped().items() if role not in NAMED_BY_CONTENT
               for _group, resource, verb, name in singly(rules) if not name}
    assert {(resource, verb) for resource, verb in unnamed if verb not in ("create", "list")} == {("replicasets", "get"), ("controllerrevisions", "get")}


def test_a_walk_over_services_alone_needs_nothing_of_a_gateway() -> None:
    objects = permissions.objects_of(canary(provider=flagger.KUBERNETES))
    assert {rule.group for rule in permissions.walk(objects) + permissions.create(objects)} == {"", "apps", "discovery.k8s.io", "policy"}


@pytest.mark.parametrize("kind", SCALED)
def test_a_walk_reads_the_users_autoscaler_by_its_name_and_changes_of_it_what_it_has_to(kind: str) -> None:
    objects = permissions.objects_of(dataclasses.replace(canary(), autoscaler=Autoscaler(kind, "so")))
    may = [entry for entry in singly(permissions.walk(objects)) if entry[3] == "so"]
    assert [verb for _group, _resource, verb, _name in may] == (["get"] if kind == HPA else ["get", "patch"])
    assert [entry[2:] for entry in singly(permissions.removal(objects)) if entry[3].startswith("so")] == (
        [("delete", "so-primary"), ("patch", "so")] if kind == HPA else [("delete", "so-primary")])


def test_what_a_daemonset_needs_differs_from_what_a_deployment_does_by_the_rules_of_its_kind_alone() -> None:
    """So that the examples have one file for it, beside those of every provider."""
    of_deployment, of_daemonset = (permissions.objects_of(canary(kind=kind)) for kind in ("Deployment", "DaemonSet"))
    for rules in (permissions.walk, permissions.create, permissions.removal):
        apart = [{rule for rule in rules(objects) if rule not in permissions.of_target(objects) and rule.resource not in ("deployments", "daemonsets")}
                 for objects in (of_deployment, of_daemonset)]
        assert apart[0] == apart[1]
    assert permissions.objects_in("podinfo", {"spec": {"targetRef": {"kind": "DaemonSet", "name": "podinfo"}}}, {}) == of_daemonset


def test_a_service_target_needs_nothing_of_workloads() -> None:
    objects = permissions.objects_of(canary(kind="Service"))
    for rules in (permissions.walk(objects), permissions.create(objects), permissions.removal(objects)):
        assert not [rule for rule in rules if rule.group == "apps"]
    assert Rule("", "services", ("delete",), ("podinfo-primary", "podinfo-canary")) in permissions.removal(objects)


def test_a_document_from_a_file_needs_nothing_of_flagger() -> None:
    assert not [rule for rule in permissions.needed(canary(), is_object=False)["test"] if rule.group == "flagger.app"]


def test_a_canary_object_that_reverts_gets_a_finalizer_and_a_document_from_a_file_does_not() -> None:
    reverting = dataclasses.replace(canary(), revert_on_deletion=True)
    patched = {is_object: [rule for rule in permissions.needed(reverting, is_object=is_object)["test"] if rule.resource == "canaries" and "patch" in rule.verbs]
               for is_object in (True, False)}
    assert patched == {True: [Rule("flagger.app", "canaries", ("patch",), ("podinfo",))], False: []}
    assert not [rule for rule in permissions.needed(canary(), is_object=True)["test"] if rule.resource == "canaries" and "patch" in rule.verbs]


def test_a_walk_that_finds_everything_creates_nothing() -> None:
    assert not [rule for rule in permissions.needed(canary(), is_object=True)["test"] if "create" in rule.verbs]


def test_templates_and_their_secrets_are_read_where_they_are_by_name() -> None:
    check = Check(0, "errors", False, 60, None, 1, "up", provider=MetricProvider(address="http://p", secret="s", namespace="metrics"))
    needed = permissions.needed(canary(check), is_object=True, from_cluster=[("metrics", "errors"), ("metrics", "delays")])
    assert needed["metrics"] == (Rule("flagger.app", "metrictemplates", ("get",), ("delays", "errors")), Rule("", "secrets", ("get",), ("s",)))
    assert set(permissions.canary_object("podinfo")) <= set(needed["test"])


def test_alert_providers_and_their_secrets_are_read_where_they_are_by_name() -> None:
    alerts = (Alert(0, "a", provider=AlertProvider("slack", secret="s", namespace="ops", name="chat")), Alert(1, "b", provider=AlertProvider("gchat")))
    document = dataclasses.replace(canary(), analysis=Analysis(interval=10, threshold=1, alerts=alerts))
    needed = permissions.needed(document, is_object=False, providers_from_cluster=[("ops", "chat")])
    assert needed["ops"] == (Rule("flagger.app", "alertproviders", ("get",), ("chat",)), Rule("", "secrets", ("get",), ("s",)))
    assert needed.keys() == {"test", "ops"}


def test_safety_18_a_walk_reads_configurations_by_name_and_deletes_none() -> None:
    read = Rule("", "secrets", ("get",), ("a", "b"))
    assert permissions.tracked(["Secret/a", "Secret/b"], ["Secret/a"]) == (read, Rule("", "secrets", ("create",)))
    assert permissions.tracked(["Secret/a", "Secret/b"], ["ConfigMap/c"]) == (read,), "of what is only looked at nobody makes copies"
    assert permissions.tracked([], []) == permissions.old_copies([]) == permissions.present_copies([]) == ()
    assert permissions.present_copies(["Secret/a", "Secret/b"]) == (Rule("", "secrets", ("get",)),), "a copy that is there already is looked at"
    assert permissions.old_copies(["ConfigMap/a", "ConfigMap/b"]) == (Rule("", "configmaps", ("get", "delete")),)


def test_a_copy_of_a_budget_that_is_not_there_yet_has_to_be_made() -> None:
    changed = Rule("policy", "poddisruptionbudgets", ("get", "patch"), ("a-primary", "b-primary"))
    assert permissions.budgets(["a-primary", "b-primary"], ["a-primary"]) == (changed, Rule("policy", "poddisruptionbudgets", ("create",)))
    assert permissions.budgets(["a-primary", "b-primary"], ["a-primary", "b-primary", "c"]) == (changed,)
    assert permissions.budgets([]) == ()


@pytest.mark.parametrize("options", [{}, {"route": "adopted"}, {"route": "adopted", "route_name": "public"}])
@pytest.mark.parametrize("service", [{}, {"name": "shop"}])
def test_a_document_that_nobody_has_parsed_names_the_same_objects(options: dict[str, str], service: dict[str, str]) -> None:
    named = {"kind": "ScaledObject", "name": "so"} if service else None
    document = {"spec": {"provider": "contour", "targetRef": {"name": "app"}, "service": service, "autoscalerRef": named}}
    parsed = dataclasses.replace(
        canary(provider="contour"), target="app", service=Service(name=service.get("name", "app"), port=80, route=options.get("route_name", "")),
        autoscaler=Autoscaler("ScaledObject", "so") if service else None, options=Options(route=options.get("route", "owned")))
    assert permissions.objects_in("podinfo", document, options) == permissions.objects_of(parsed)


@pytest.mark.parametrize("document", [None, {}, {"spec": []}, {"spec": {"targetRef": "app"}}])
def test_of_a_document_that_cannot_be_read_only_the_record_has_a_name(document: dict[str, object] | None) -> None:
    objects = permissions.objects_in("podinfo", document, {})
    assert objects == Objects("podinfo")
    assert {name for rule in permissions.walk(objects) for name in rule.names} == {"podinfo-canary", ANY}


def test_what_is_missing_is_said_by_verb_resource_and_object() -> None:
    missing = [Rule("", "services", ("create",)), Rule("apps", "deployments/scale", ("patch",), ("podinfo", "podinfo-primary")),
               Rule("", "configmaps", ("get", "watch"), ("podinfo-canary",)), Rule("gateway.networking.k8s.io", "httproutes", ("patch",), (ANY,))]
    assert permissions.sentence("test", missing).split("; ") == [
        "may not create services in test",
        "may not patch deployments/scale in test (apps: podinfo, podinfo-primary)",
        "may not get, watch configmaps in test (podinfo-canary)",
        "may not patch httproutes in test (gateway.networking.k8s.io)",
    ]
