# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import given
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError

SPEC = {"provider": "gatewayapi:v1", "analysis": {"interval": "1m"}}
TEMPLATE = {"kind": "MetricTemplate", "metadata": {"name": "errors"}, "spec": {}}
PROVIDER = {"kind": "AlertProvider", "metadata": {"name": "chat"}, "spec": {}}


def canary(name: str = "podinfo", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": name, **metadata}, "spec": SPEC}


def test_only_a_spec_becomes_a_whole_document_of_the_name_that_is_asked_for() -> None:
    found = given.from_spec(SPEC, (), "podinfo", "test")
    assert found.document == canary(namespace="test")
    assert (found.name, found.namespace, found.source) == ("podinfo", "test", "spec")


def test_only_a_spec_with_canary_analysis_is_one_of_the_old_version() -> None:
    found = given.from_spec({"canaryAnalysis": {}}, (), "podinfo", "test")
    assert found.document is not None and found.document["apiVersion"] == "flagger.app/v1alpha3"


def test_a_whole_document_says_its_own_name_and_namespace() -> None:
    found = given.from_spec(canary(namespace="test"), (), "", "")
    assert (found.name, found.namespace) == ("podinfo", "test")


@pytest.mark.parametrize(
    ("document", "name", "namespace", "words"),
    [
        (canary(namespace="test"), "other", "", "canary_name: 'other' is not the metadata.name of the document, 'podinfo'"),
        (canary(namespace="test"), "", "prod", "canary_namespace: 'prod' is not the metadata.namespace of the document, 'test'"),
        (canary(), "", "", "canary_namespace: is missing, and no document says metadata.namespace (accepted: lower-case letters"),
        (SPEC, "", "test", "canary_name: is missing, and no document says metadata.name"),
        (SPEC, "Pod Info", "test", "canary_name: 'Pod Info' is not the name of a Kubernetes object"),
        (SPEC, "podinfo", "te/st", "canary_namespace: 'te/st' is not the name of a namespace"),
        ({**canary(), "metadata": {"name": 5}}, "", "test", "canary_name: '5' is not a text"),
        ({**canary(), "metadata": []}, "", "test", "metadata: is not a mapping"),
    ],
)
def test_an_identity_that_is_missing_or_said_twice_is_refused(document: Any, name: str, namespace: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        given.from_spec(document, (), name, namespace)
    assert str(refused.value).startswith(words)


def test_a_file_holds_the_canary_what_it_names_and_what_is_nothing_to_us() -> None:
    deployment = {"kind": "Deployment", "metadata": {"name": "podinfo"}}
    found = given.from_manifests([PROVIDER, deployment, canary(namespace="test"), TEMPLATE], (), "", "")
    assert found.source == "file"
    assert found.ignored == (deployment,)
    assert [item["metadata"] for item in found.templates] == [{"name": "errors", "namespace": "test"}]
    assert [item["metadata"] for item in found.alert_providers] == [{"name": "chat", "namespace": "test"}]


@pytest.mark.parametrize("make", [
    lambda **how: given.from_spec(SPEC, (), "podinfo", "test", **how), lambda **how: given.by_name("podinfo", "test", **how),
    lambda **how: given.from_manifests([canary(namespace="test")], (), "", "", **how)])
def test_alert_providers_of_a_variable_are_beside_the_canary_unless_they_say_where(make: Any) -> None:
    elsewhere = {"metadata": {"name": "pager", "namespace": "ops"}}
    assert [item["metadata"] for item in make(alert_providers=[PROVIDER, elsewhere]).alert_providers] == [
        {"name": "chat", "namespace": "test"}, {"name": "pager", "namespace": "ops"}]


def test_of_several_canaries_in_a_file_the_name_says_which() -> None:
    found = given.from_manifests([canary("a", namespace="test"), canary("b", namespace="test"), canary("b", namespace="prod")], (), "b", "prod")
    assert found.document == canary("b", namespace="prod")


def test_a_file_may_hold_only_the_spec() -> None:
    assert given.from_manifests([SPEC], (), "podinfo", "test").document == canary(namespace="test")


@pytest.mark.parametrize(
    ("manifests", "words"),
    [
        ([], "text: holds no document of kind Canary"),
        ([TEMPLATE], "text: holds no document of kind Canary"),
        ([canary("a"), canary("b")], "text: holds 2 Canary documents (a, b) (accepted: one Canary; of several, canary_name says which is meant)"),
    ],
)
def test_a_file_without_one_canary_that_is_meant_is_refused(manifests: Any, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        given.from_manifests(manifests, (), "", "test")
    assert str(refused.value).startswith(words)


def test_a_template_without_a_name_is_refused() -> None:
    with pytest.raises(SpecError, match="templates: a MetricTemplate has no metadata.name"):
        given.by_name("podinfo", "test", [{"kind": "MetricTemplate", "spec": {}}])
    with pytest.raises(SpecError, match="alert_providers: an AlertProvider has no metadata.name"):
        given.by_name("podinfo", "test", alert_providers=[{"spec": {}}])


def test_what_a_run_leaves_at_its_default_is_as_in_the_run_before() -> None:
    merged, kept = given.kept_options({"canary_drain": 10, "settle": "5"}, {"canary_drain": "30", "settle": 8, "manual_gates": ["confirm-promotion"]})
    assert kept == ("drain", "manual_gates")
    assert merged == {"drain": "30", "settle": "5", "manual_gates": ["confirm-promotion"]}


def test_options_that_mean_the_same_are_those_of_the_run_before() -> None:
    assert given.kept_options({"settle": 3}, {"drain": "30", "settle": "3s"}) == ({"drain": "30", "settle": "3s"}, ("drain",))
