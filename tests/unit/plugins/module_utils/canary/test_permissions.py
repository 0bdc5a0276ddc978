# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary import permissions
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Check, MetricProvider, Service

SHIPPED = pathlib.Path(__file__).parents[5] / "docs" / "rbac.yml"

ROLES = {
    "progressive-delivery": permissions.WALK + tuple(rule for rules in permissions.ROUTES.values() for rule in rules),
    "progressive-delivery-remove": permissions.REMOVAL,
    "progressive-delivery-watchdog": permissions.WATCHDOG,
    "progressive-delivery-canary-object": permissions.CANARY_OBJECT,
    "progressive-delivery-templates": permissions.TEMPLATE,
    "progressive-delivery-secrets": permissions.SECRET,
    "progressive-delivery-preflight": permissions.LOOKS,
    "progressive-delivery-gateways": permissions.GATEWAYS,
}


def canary(*checks: Check) -> Canary:
    return Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
                  service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1, checks=checks))


def shipped() -> dict[str, list[tuple[str, str, str]]]:
    """Of each Role its permissions, one verb on one resource each."""
    with open(SHIPPED, encoding="utf-8") as text:
        roles = [document for document in yaml.safe_load(text)["items"] if document["kind"] == "Role"]
    return {role["metadata"]["name"]: [(group, resource, verb) for rule in role["rules"] for group in rule["apiGroups"]
                                       for resource in rule["resources"] for verb in rule["verbs"]] for role in roles}


def singly(rules: tuple[Rule, ...]) -> list[tuple[str, str, str]]:
    return [(rule.group, rule.resource, verb) for rule in rules for verb in rule.verbs]


@pytest.mark.parametrize("role", ROLES)
def test_the_shipped_role_grants_exactly_what_preflight_asks_for(role: str) -> None:
    assert sorted(shipped()[role]) == sorted(singly(ROLES[role]))


def test_no_other_role_is_shipped() -> None:
    assert shipped().keys() == ROLES.keys()


def test_no_role_is_more_than_a_namespace_needs() -> None:
    granted = [entry for name, entries in shipped().items() if name != "progressive-delivery-remove" for entry in entries]
    assert not [entry for entry in granted if "*" in entry or entry[2] in ("delete", "deletecollection", "escalate", "bind", "impersonate")]


def test_a_walk_over_services_alone_needs_nothing_of_a_gateway() -> None:
    over_services = dataclasses.replace(canary(), provider="kubernetes")
    assert permissions.needed(over_services, is_object=False) == {"test": permissions.WALK}


def test_a_document_from_a_file_needs_nothing_of_flagger() -> None:
    assert not [rule for rule in permissions.needed(canary(), is_object=False)["test"] if rule.group == "flagger.app"]


def test_templates_and_their_secrets_are_read_where_they_are() -> None:
    check = Check(0, "errors", False, 60, None, 1, "up", provider=MetricProvider(address="http://p", secret="s", namespace="metrics"))
    needed = permissions.needed(canary(check), is_object=True, from_cluster=["metrics"])
    assert needed["metrics"] == permissions.TEMPLATE + permissions.SECRET
    assert set(permissions.CANARY_OBJECT) <= set(needed["test"])


def test_what_is_missing_is_said_as_it_is_granted() -> None:
    missing = [Rule("", "services", ("create", "patch")), Rule("apps", "deployments/scale", ("patch",))]
    assert permissions.sentence("test", missing) == "in namespace test: create, patch services; patch deployments.apps/scale"
