# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is wrong: one clear sentence that names the field and what is accepted, before anything is written, and never a traceback."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

# Rows of the table that the unit tests go by: one for each kind of rule, as a file beside the user.
ROWS = (
    "unknown_field", "provider_of_flagger", "provider_unknown", "target_missing", "target_without_name", "target_of_unknown_kind",
    "target_with_a_name_too_long_for_primary", "target_in_another_namespace", "service_missing", "port_too_high", "port_as_a_name", "gateways_missing",
    "host_with_a_port", "backend_timeout_longer", "interval_in_words_that_the_crd_takes", "interval_in_words", "interval_zero", "threshold_in_words",
    "threshold_negative", "steps_missing", "step_negative", "step_above_100", "weak_spot_16_step_weights_fall", "step_weights_beside_step_weight",
    "iterations_beside_step_weight", "max_weight_above_100", "progress_deadline_with_a_unit", "metric_that_is_nothing", "metric_with_two_queries",
    "range_in_words", "range_upside_down", "metrics_server_missing", "query_of_a_rendered_class", "query_with_an_unknown_function", "variable_missing",
    "template_without_query", "template_of_an_unknown_type", "webhook_url_without_scheme", "webhook_of_unknown_type", "webhook_timeout",
    "suspend_is_a_number",
)

NOWHERE = "http://127.0.0.1:9"      # the port of discard, where nobody listens

# Ways to be wrong that are none of the document alone: id -> changes of the document, variables, the field, what is accepted.
# HERE is the namespace.
DOCUMENTS: Mapping[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "mode_misspelt": ({}, {"canary_mode": "walkk"}, "canary_mode", "walk, tick"),
    "on_wait_misspelt": ({}, {"canary_on_wait": "leave"}, "canary_on_wait", "wait, end"),
    "a_switch_that_is_no_truth_value": ({}, {"canary_take_over": "perhaps"}, "canary_take_over", "neither true nor false (accepted: true, false, or nothing"),
    "own_gates_that_do_not_exist": ({}, {"canary_gate_tasks": "absent.yml"}, "canary_gate_tasks", "absent.yml does not exist (accepted: a file"),
    "own_checks_that_do_not_exist": ({}, {"canary_check_tasks": "/absent.yml"}, "canary_check_tasks", "/absent.yml does not exist (accepted: a file"),
    "min_interval_in_letters": ({}, {"canary_min_interval": "abc"}, "canary_min_interval", "a number of seconds"),
    "drain_negative": ({}, {"canary_drain": -1}, "canary_drain", "a number of seconds"),
    "settle_in_words": ({}, {"canary_settle": "a while"}, "canary_settle", "a number of seconds"),
    "lease_zero": ({}, {"canary_lease": 0}, "canary_lease", "above 0"),
    "manual_gate_unknown": ({}, {"canary_manual_gates": ["confirm-lunch"]}, "canary_manual_gates", "confirm-promotion"),
    "name_of_another_document": ({}, {"canary_name": "other"}, "canary_name", "only one of the two"),
    "name_in_capitals": ({}, {"canary_file": "", "canary_name": "PodInfo"}, "canary_name", "lower-case"),
    "neither_name_nor_document": ({}, {"canary_file": "", "canary_namespace": "HERE"}, "canary_name", "lower-case"),
    "no_namespace": ({}, {"canary_file": "", "canary_name": "podinfo"}, "canary_namespace", "lower-case"),
    "canary_that_does_not_exist": ({}, {"canary_file": "", "canary_name": "absent", "canary_namespace": "HERE"}, "canary_name", "canary_file or canary_spec"),
    "namespace_that_does_not_exist": (
        {"metadata.namespace": "bad-input-absent"}, {}, "canary_namespace", "a namespace that exists"),
    "two_documents": ({}, {"canary_spec": {"provider": "gatewayapi:v1"}}, "canary_file", "only one of the two"),
    "spec_with_a_rendered_object": (
        {}, {"canary_file": "", "canary_name": "podinfo", "canary_namespace": "HERE", "canary_spec": "RENDERED"},
        "spec.analysis.metrics[0].query", "!unsafe"),
    "target_that_does_not_exist": ({"spec.targetRef.name": "absent"}, {}, "spec.targetRef.name", "the name of a Deployment that exists"),
    "target_without_selector_label": (
        {"spec.targetRef.name": "unlabelled"}, {}, "Deployment HERE/unlabelled: spec.selector.matchLabels", "app, name, app.kubernetes.io/name"),
    "target_port_that_no_container_has": ({"spec.service.targetPort": "grpc"}, {}, "spec.service.targetPort", "http"),
    "gateway_that_does_not_exist": (
        {"spec.service.gatewayRefs": [{"name": "absent", "namespace": "HERE"}]}, {}, "spec.service.gatewayRefs[0].name", "a Gateway that exists"),
    "gateway_that_takes_no_such_host": (
        {"spec.service.gatewayRefs": [{"name": "narrow", "namespace": "HERE"}]}, {}, "spec.service.hosts", "*.example.org"),
    "prometheus_on_a_closed_port": ({"spec.metricsServer": NOWHERE}, {}, "spec.metricsServer", "a prometheus that answers"),
    "template_that_does_not_exist": (
        {"spec.analysis.metrics": [{"name": "a", "templateRef": {"name": "absent"}, "thresholdRange": {"max": 1}}]}, {},
        "spec.analysis.metrics[0].templateRef", "a MetricTemplate that exists"),
}

# A file that will not do: its content (None: there is none), what is said about it.
FILES: Mapping[str, tuple[bytes | None, str]] = {
    "file_that_does_not_exist": (None, "accepted: a file with the Canary document"),
    "file_that_is_empty": (b"", "accepted: one Canary"),
    "file_that_is_no_yaml": (b"kind: Canary\n  spec: [", "accepted: YAML with one Canary"),
    "file_that_is_a_list": (b"- 1\n", "accepted: YAML with one Canary"),
    "file_that_is_no_text": (b"\xff\xfe\x00kind", "accepted: a file with the Canary document"),
    "file_with_a_key_twice": (b"kind: Canary\nkind: Canary\n", "the key 'kind' is there twice"),
    "file_with_two_canaries": (b"kind: Canary\nmetadata: {name: a}\n---\nkind: Canary\nmetadata: {name: b}\n", "canary_name says which"),
    "file_that_a_vault_closed": (b"$ANSIBLE_VAULT;1.1;AES256\n3131\n", "vault secrets"),
}

# The API server: what the environment says of it, how the message begins, what it says to do.
CLUSTERS: Mapping[str, tuple[dict[str, str], str, str]] = {
    "kubeconfig_that_does_not_exist": ({"KUBECONFIG": "/nowhere/config"}, "kubeconfig: there is no file /nowhere/config", "K8S_AUTH_KUBECONFIG"),
    "api_server_on_a_closed_port": (
        {"K8S_AUTH_HOST": NOWHERE, "K8S_AUTH_API_KEY": "sesame-4711"}, "get ConfigMap ",
        f"the API server {NOWHERE} cannot be reached: Connection refused; check host"),
    "api_server_without_scheme": ({"K8S_AUTH_HOST": "127.0.0.1:6443", "K8S_AUTH_API_KEY": "sesame-4711"}, "host: ", "https://name:port"),
    "wrong_token": (
        {"K8S_AUTH_HOST": "SERVER", "K8S_AUTH_API_KEY": "sesame-4711", "K8S_AUTH_VERIFY_SSL": "false"}, "the API server SERVER does not accept the credentials",
        "check api_key"),
    "no_permission": ({"K8S_AUTH_IMPERSONATE_GROUPS": ""}, "no permission: may not ", "may not get, patch, watch configmaps in "),
}

NAMES = (*ROWS, *DOCUMENTS, *FILES, *CLUSTERS, "same_canary_from_two_hosts")
# Those that end before the API server has been asked anything, or where it does not know who asks.
UNASKED = {*CLUSTERS, *FILES, "mode_misspelt", "on_wait_misspelt", "a_switch_that_is_no_truth_value", "name_in_capitals", "neither_name_nor_document",
           "no_namespace", "name_of_another_document", "two_documents", "min_interval_in_letters",
           "own_gates_that_do_not_exist", "own_checks_that_do_not_exist"} - {"no_permission"}
# Said by Ansible itself, in its words.
ARGUMENTS = ("mode_misspelt", "on_wait_misspelt")


@dataclass(frozen=True)
class Case:
    """Wrong input, how the one message about it begins, and what it says is accepted."""

    id: str
    variables: Mapping[str, Any]
    begins: str
    says: str
    environment: Mapping[str, str]
    files: Mapping[str, bytes]
    playbook: str = "progressive.delivery.canary"
    arguments: tuple[str, ...] = ()
    hosts: int = 1


FILE = "canary.yml"
TWO_HOSTS = ("-i", "one,two", "-e", "canary_hosts=all", "-e", "ansible_connection=local", "-e", "ansible_python_interpreter={{ ansible_playbook_python }}")


@pytest.fixture(scope="session")
def cases(table: types.ModuleType, namespace: str, lab: Mapping[str, str]) -> dict[str, Case]:
    """All of them, by name."""
    server = yaml.safe_load(open(lab["kubeconfig"], encoding="utf-8"))["clusters"][0]["cluster"]["server"]

    def here(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: here(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [here(item) for item in value]
        return value.replace("HERE", namespace).replace("SERVER", server) if isinstance(value, str) else value

    def good(changes: Mapping[str, Any]) -> dict[str, Any]:
        document = table.good()
        place, unused, name = lab["gateway"].partition("/")
        metric = document["spec"]["analysis"]["metrics"][0]
        ours = {"metadata.namespace": namespace, "spec.metricsServer": lab["prometheus_url"], "spec.service.gatewayRefs": [{"name": name, "namespace": place}],
                "spec.service.hosts": [f"{namespace}.example.com"], "spec.analysis.metrics": [metric], "spec.analysis.webhooks": []}
        for path, value in {**ours, **here(changes)}.items():
            table.change(document, path, value)
        return document

    def case(name: str, begins: str, says: str, content: bytes | None, variables: Mapping[str, Any] | None = None, **more: Any) -> Case:
        given = {"canary_file": FILE, **here(variables or {})}
        if given.get("canary_spec") == "RENDERED":
            spec = good({})["spec"]
            given["canary_spec"] = spec
            spec["analysis"]["metrics"][0] = {"name": "a", "query": 'up{ns="{{ namespace }}"}', "thresholdRange": {"max": 1}}
        files = {} if content is None else {FILE: content}
        return Case(name, given, here(begins), here(says), here(more.pop("environment", {})), files, **more)

    def text(*documents: Any) -> bytes:
        return yaml.safe_dump_all(documents, sort_keys=False).encode()

    rows = {row.id: row for row in table.BAD}
    made = [case(name, f"{rows[name].path}: ", rows[name].says, text(rows[name].document, rows[name].template)) for name in ROWS]
    made += [case(name, f"{field}: ", says, text(good(changes)), variables) for name, (changes, variables, field, says) in DOCUMENTS.items()]
    made += [case(name, "canary_file: ", says, content) for name, (content, says) in FILES.items()]
    made += [case(name, begins, says, text(good({})), environment=environment) for name, (environment, begins, says) in CLUSTERS.items()]
    made.append(case("same_canary_from_two_hosts", f"canary_name: {namespace}/podinfo is walked by 2 hosts of this play, one, two", "one host for each canary",
                     text(good({})), arguments=TWO_HOSTS, hosts=2))
    return {one.id: one for one in made}


@pytest.mark.parametrize("name", NAMES)
def test_wrong_input_ends_in_one_sentence_that_names_the_field_and_what_is_accepted(
        cases: Mapping[str, Case], ended: Callable[[Case], Any], name: str) -> None:
    case = cases[name]
    outcome = ended(case)
    assert outcome.code == 2, outcome.output
    assert len(outcome.messages) == case.hosts, outcome.output
    for message in outcome.messages:
        if name in ARGUMENTS:
            assert case.begins.rstrip(": ") in message, message
        else:
            assert message.startswith(case.begins), message
            assert "\n" not in message, message
        assert case.says in message, message
    for word in ("Traceback", "probably a bug", "MODULE FAILURE", "Unexpected", "sesame", "undefined"):
        assert word not in outcome.output, outcome.output


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNASKED])
def test_wrong_input_is_refused_before_the_first_write(
        cases: Mapping[str, Case], ended: Callable[[Case], Any], seen_in_audit_log: Callable[[Case], list[str]], name: str) -> None:
    ended(cases[name])
    assert seen_in_audit_log(cases[name]) == []
