# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import canonical, checksum, meaning, revision_of, short
from hypothesis import given, settings
from hypothesis import strategies as st

# As a person writes it.
WRITTEN: dict[str, Any] = {
    "metadata": {"labels": {"app": "podinfo"}, "annotations": {"prometheus.io/scrape": "true"}},
    "spec": {
        "serviceAccountName": "podinfo",
        "containers": [{
            "name": "podinfo",
            "image": "ghcr.io/stefanprodan/podinfo:6.0.0",
            "command": ["./podinfo", ""],
            "ports": [{"name": "http", "containerPort": 9898}, {"name": "grpc", "containerPort": 9999}],
            "env": [{"name": "HOST", "value": "0.0.0.0"}, {"name": "ADDRESS", "value": "$(HOST):9898"},
                    {"name": "EMPTY", "value": ""}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "livenessProbe": {"httpGet": {"port": 9898, "path": "/healthz"}},
            "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
            "securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/config"}],
        }],
        "volumes": [{"name": "data"}, {"name": "config", "configMap": {"name": "podinfo"}}],
        "tolerations": [{"key": "spot", "operator": "Exists"}, {"key": "zone", "value": "a"}],
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
    },
}
# As the API server gives the same template back.
DEFAULTED: dict[str, Any] = {
    "metadata": {"creationTimestamp": None, "labels": {"app": "podinfo"}, "annotations": {"prometheus.io/scrape": "true"}},
    "spec": {
        "serviceAccountName": "podinfo",
        "serviceAccount": "podinfo",
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "containers": [{
            "name": "podinfo",
            "image": "ghcr.io/stefanprodan/podinfo:6.0.0",
            "imagePullPolicy": "IfNotPresent",
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "command": ["./podinfo", ""],
            "ports": [{"name": "http", "containerPort": 9898, "protocol": "TCP"},
                      {"name": "grpc", "containerPort": 9999, "protocol": "TCP"}],
            "env": [{"name": "HOST", "value": "0.0.0.0"}, {"name": "ADDRESS", "value": "$(HOST):9898"}, {"name": "EMPTY"},
                    {"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
            "livenessProbe": {
                "httpGet": {"port": 9898, "path": "/healthz", "scheme": "HTTP"},
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
            },
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
            "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"], "drop": ["ALL"]}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/config"}],
        }],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "configMap": {"name": "podinfo", "defaultMode": 420}}],
        "tolerations": [{"key": "spot", "operator": "Exists"}, {"key": "zone", "value": "a"}],
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
    },
}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": spec}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "app", "image": "app:1", **fields}])


def test_safety_19_what_the_api_server_fills_in_is_not_a_new_revision() -> None:
    assert meaning(WRITTEN) == meaning(DEFAULTED)
    assert revision_of(WRITTEN) == revision_of(DEFAULTED)


@pytest.mark.parametrize("path", [
    ("spec", "volumes"), ("spec", "tolerations"), ("spec", "imagePullSecrets"), ("spec", "containers", 0, "ports"),
    ("spec", "containers", 0, "volumeMounts"), ("spec", "containers", 0, "securityContext", "capabilities", "add"),
])
def test_safety_19_the_order_of_a_set_is_not_a_new_revision(path: tuple[Any, ...]) -> None:
    reordered = copy.deepcopy(WRITTEN)
    place: Any = reordered
    for step in path:
        place = place[step]
    place.reverse()
    assert reordered != WRITTEN
    assert revision_of(reordered) == revision_of(WRITTEN)


def test_the_order_of_env_is_a_new_revision_because_later_entries_use_earlier_ones() -> None:
    reordered = copy.deepcopy(WRITTEN)
    reordered["spec"]["containers"][0]["env"].reverse()
    assert revision_of(reordered) != revision_of(WRITTEN)


def test_the_order_of_arguments_is_a_new_revision() -> None:
    assert revision_of(container(args=["a", "b"])) != revision_of(container(args=["b", "a"]))


@pytest.mark.parametrize(("image", "policy"), [
    ("app:1", "IfNotPresent"), ("app", "Always"), ("app:latest", "Always"), ("registry:5000/app", "Always"),
    ("registry:5000/app:1", "IfNotPresent"), ("app@sha256:0f1e", "IfNotPresent"), ("app:latest@sha256:0f1e", "Always"),
    ("app:1@sha256:0f1e", "IfNotPresent"),
])
def test_only_the_default_pull_policy_of_an_image_says_nothing(image: str, policy: str) -> None:
    other = {"Always": "IfNotPresent", "IfNotPresent": "Always"}[policy]
    plain = revision_of(container(image=image))
    assert revision_of(container(image=image, imagePullPolicy=policy)) == plain
    assert revision_of(container(image=image, imagePullPolicy=other)) != plain


@pytest.mark.parametrize(("written", "stored"), [
    ("1000m", "1"), ("0.5", "500m"), (1, "1"), (0.1, "100m"), ("1024Mi", "1Gi"), ("1e3", "1k"), ("0", "0m"),
])
def test_equal_amounts_are_one_revision_however_they_are_spelled(written: Any, stored: str) -> None:
    assert revision_of(container(resources={"limits": {"x": written}})) == revision_of(container(resources={"limits": {"x": stored}}))


@pytest.mark.parametrize(("one", "other"), [("1", "1m"), ("1Gi", "1G"), ("1", "2"), ("nonsense", "1"), ("1e999999999", "1")])
def test_different_amounts_are_different_revisions(one: str, other: str) -> None:
    assert revision_of(container(resources={"limits": {"x": one}})) != revision_of(container(resources={"limits": {"x": other}}))


@pytest.mark.parametrize(("one", "other"), [
    # An empty selector takes all pods, an absent one none.
    (pod(topologySpreadConstraints=[{"topologyKey": "zone", "labelSelector": {}}]),
     pod(topologySpreadConstraints=[{"topologyKey": "zone"}])),
    (pod(volumes=[{"name": "a", "downwardAPI": {}}]), pod(volumes=[{"name": "a"}])),
    (pod(automountServiceAccountToken=False), pod()),
    (pod(enableServiceLinks=False), pod()),
    (pod(terminationGracePeriodSeconds=0), pod()),
    (pod(nodeSelector={"gpu": ""}), pod()),
    (pod(hostNetwork=True), pod()),
    (container(args=[""]), container()),
    (container(env=[{"name": "A", "value": "1"}]), container(env=[{"name": "A", "value": "2"}])),
    (container(livenessProbe={"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 30}),
     container(livenessProbe={"tcpSocket": {"port": 1}})),
    (container(readinessProbe={"httpGet": {"port": 1}}), container(livenessProbe={"httpGet": {"port": 1}})),
    (container(ports=[{"containerPort": 1, "protocol": "UDP"}]), container(ports=[{"containerPort": 1}])),
    (container(livenessProbe={"httpGet": {"port": "8080"}}), container(livenessProbe={"httpGet": {"port": 8080}})),
])
def test_what_starts_other_pods_is_another_revision(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert revision_of(one) != revision_of(other)


@pytest.mark.parametrize(("one", "other"), [
    (pod(hostNetwork=False, securityContext={}), pod()),
    (pod(affinity={"podAffinity": {}}), pod()),
    (pod(serviceAccount="robot"), pod(serviceAccountName="robot")),
    (pod(serviceAccountName="default"), pod()),
    (container(stdin=False, tty=False, resources={}), container()),
    (container(livenessProbe={"httpGet": {"port": 1}}), container(livenessProbe={"httpGet": {"port": 1, "path": "/"}})),
    (container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": False}}}]),
     container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])),
])
def test_what_starts_the_same_pods_is_the_same_revision(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert revision_of(one) == revision_of(other)


def with_metadata(**metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "spec": WRITTEN["spec"]}


def test_a_restart_by_kubectl_is_a_new_revision_as_in_flagger() -> None:
    restarted = with_metadata(annotations={"kubectl.kubernetes.io/restartedAt": "2026-10-01T00:00:00Z"})
    assert revision_of(restarted) != revision_of(with_metadata())


@pytest.mark.parametrize("stamped", [
    with_metadata(labels={"pod-template-hash": "5d8f"}),
    with_metadata(annotations={"progressive.delivery/promoted": "abc"}),
    with_metadata(annotations={"flagger-id": "f3c0"}),
    with_metadata(creationTimestamp=None, labels={}, annotations=None),
])
def test_what_controllers_stamp_on_a_template_is_not_a_new_revision(stamped: dict[str, Any]) -> None:
    assert revision_of(stamped) == revision_of(with_metadata())


def test_weak_spot_35_a_revision_does_not_change_with_the_version_of_the_collection() -> None:
    # A new value here starts a run on every canary in the world (or needs SAFETY 19 to stop it): never change it lightly.
    assert revision_of(WRITTEN) == "63a1f884d2346aea5cbe9a893178809cc4303f52aae8134ebf67dba26b29ddc8"


def test_a_template_that_says_nothing_has_a_revision() -> None:
    assert revision_of({}) == revision_of({"metadata": None, "spec": {"containers": []}})


def test_a_short_revision_begins_the_long_one() -> None:
    revision = revision_of(WRITTEN)
    assert len(revision) == 64
    assert revision.startswith(short(revision))


def test_the_checksum_follows_the_revision_and_the_configs_and_nothing_else() -> None:
    first = checksum({"configmap/a": "1", "secret/b": "2"}, "abc")
    assert first == checksum({"secret/b": "2", "configmap/a": "1"}, "abc")
    assert first != checksum({"configmap/a": "1", "secret/b": "3"}, "abc")
    assert first != checksum({"configmap/a": "1", "secret/b": "2"}, "abd")


def test_canonical_json_has_sorted_keys_and_no_white_space() -> None:
    assert canonical({"b": [1, {"d": None, "c": True}], "a": "x"}) == '{"a":"x","b":[1,{"c":true,"d":null}]}'


def test_canonical_json_refuses_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))
field_names = st.sampled_from([
    *WRITTEN["spec"], *WRITTEN["spec"]["containers"][0], "protocol", "labels", "optional", "labelSelector", "limits", "x"])
objects = st.dictionaries(field_names, st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "TCP", "1", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names, inner, max_size=3)), max_size=5)


@given(values)
def test_canonical_json_loses_nothing(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@settings(max_examples=50)
@given(objects)
def test_the_meaning_of_a_meaning_is_itself(spec: dict[str, Any]) -> None:
    once = meaning({"spec": spec})
    assert meaning(once) == once


@given(
    st.permutations(WRITTEN["spec"]["volumes"]), st.permutations(WRITTEN["spec"]["containers"][0]["ports"]),
    st.permutations(list(WRITTEN["spec"])))
def test_no_order_of_sets_and_keys_changes_the_revision(volumes: list[Any], ports: list[Any], keys: list[str]) -> None:
    spec = {key: WRITTEN["spec"][key] for key in keys}
    spec["volumes"] = volumes
    spec["containers"] = [{**spec["containers"][0], "ports": ports}]
    assert revision_of({"metadata": WRITTEN["metadata"], "spec": spec}) == revision_of(WRITTEN)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [path]


@given(st.sampled_from(leaves(WRITTEN)), st.text().map("~".__add__))
def test_changing_any_value_that_a_person_wrote_is_a_new_revision(path: tuple[Any, ...], text: str) -> None:
    changed = copy.deepcopy(WRITTEN)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    assert revision_of(changed) != revision_of(WRITTEN)
