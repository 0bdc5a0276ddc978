# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ConfigMaps and Secrets of a target: which of them are tracked, what they mean, and what the primary reads in their place."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, inventory, marks, primary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of

SELECTOR = Selector("app", "podinfo")
PODS: dict[str, Any] = {
    "containers": [{
        "name": "app", "envFrom": [{"configMapRef": {"name": "env"}}, {"secretRef": {"name": "env", "optional": True}}],
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "a"}}}, {"name": "B", "value": "b"},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "c", "optional": True}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}],
    "initContainers": [{"name": "init", "envFrom": [{"secretRef": {"name": "init"}}], "env": [
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "c"}}}]}],
    "volumes": [
        {"name": "v", "configMap": {"name": "files", "items": [{"key": "a", "path": "a"}]}}, {"name": "w", "secret": {"secretName": "tls", "optional": True}},
        {"name": "x", "emptyDir": {}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "piece"}}, {"serviceAccountToken": {"path": "t"}},
                                                {"configMap": {"name": "kube-root-ca.crt"}}, {"downwardAPI": {"items": []}}]}}],
    "imagePullSecrets": [{"name": "registry"}],
}
NAMED = {"ConfigMap/env": True, "ConfigMap/files": True, "ConfigMap/one": True, "ConfigMap/part": True, "Secret/env": False, "Secret/init": True,
         "Secret/key": True, "Secret/piece": True, "Secret/tls": False}


def template(pods: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": copy.deepcopy(PODS if pods is None else pods)}


def read(**changes: Any) -> Configs:
    """All of NAMED, each with a content of its own; of ``ConfigMap_env`` and the like another one."""
    found = {entry: {"metadata": {}, "data": {"a": entry}} for entry in NAMED}
    found.update({entry.replace("_", "/", 1): obj for entry, obj in changes.items()})
    return configs.gathered("podinfo", NAMED, found)


def test_every_place_of_a_pods_spec_is_looked_at_and_needed_where_one_reference_needs_it() -> None:
    assert configs.references(PODS) == NAMED
    assert configs.references({}) == {}


@pytest.mark.parametrize(("entry", "obj", "tracked"), [
    ("ConfigMap/a", {}, True), ("Secret/a", {}, True), ("Secret/a", {"type": "Opaque"}, True), ("Secret/a", {"type": "kubernetes.io/tls"}, True),
    ("Secret/a", {"type": "kubernetes.io/basic-auth"}, True), ("Secret/a", {"type": "kubernetes.io/ssh-auth"}, True),
    ("Secret/a", {"type": "kubernetes.io/service-account-token"}, False), ("Secret/a", {"type": "kubernetes.io/dockerconfigjson"}, False),
    ("ConfigMap/a", {"metadata": {"annotations": {"flagger.app/config-tracking": "disabled"}}}, False),
    ("Secret/a", {"metadata": {"annotations": {"flagger.app/config-tracking": "disable"}}}, False),
    ("ConfigMap/a", {"metadata": {"annotations": {"flagger.app/config-tracking": "enabled"}}}, True),
])
def test_what_is_tracked_is_what_flagger_tracks(entry: str, obj: dict[str, Any], tracked: bool) -> None:
    assert configs.is_tracked(entry, obj) is tracked


# What they mean

MEANT = {"metadata": {"name": "env"}, "data": {"a": "1", "b": "2"}}


@pytest.mark.parametrize("same", [
    {"data": {"b": "2", "a": "1"}}, {**MEANT, "metadata": {"name": "env", "labels": {"x": "y"}, "resourceVersion": "9"}}, {**MEANT, "immutable": True},
    {**MEANT, "binaryData": {}}, {**MEANT, "kind": "ConfigMap", "apiVersion": "v1"},
])
def test_safety_19_what_does_not_change_the_content_is_the_same_revision(same: dict[str, Any]) -> None:
    assert configs.digest_of("ConfigMap/env", same) == configs.digest_of("ConfigMap/env", MEANT)
    assert revision_of(template(), read(ConfigMap_env=same).digests) == revision_of(template(), read(ConfigMap_env=MEANT).digests)


@pytest.mark.parametrize("other", [{"data": {"a": "1"}}, {"data": {"a": "1", "b": "3"}}, {**MEANT, "binaryData": {"c": "eA=="}}, {"binaryData": MEANT["data"]}])
def test_safety_18_weak_spot_34_another_content_is_another_revision_whatever_it_is_made_of(other: dict[str, Any]) -> None:
    assert configs.digest_of("ConfigMap/env", other) != configs.digest_of("ConfigMap/env", MEANT)
    assert revision_of(template(), read(ConfigMap_env=other).digests) != revision_of(template(), read(ConfigMap_env=MEANT).digests)


def test_a_target_without_any_has_the_revision_that_it_had_before_they_were_tracked() -> None:
    assert revision_of(template({}), NONE.digests) == revision_of(template({}))
    assert NONE.digest == ""


def test_an_optional_one_belongs_to_the_revision_as_soon_as_it_is_there() -> None:
    there = read()
    without = configs.gathered("podinfo", NAMED, {entry: obj for entry, obj in there.objects.items() if entry != "Secret/tls"})
    assert without.lacks == "" and without.digest != there.digest


def test_what_is_missing_and_what_may_not_be_read_is_said() -> None:
    found = configs.gathered("podinfo", NAMED, {}, ["Secret/key"])
    assert found.lacks == ("ConfigMap env, ConfigMap files, ConfigMap one, ConfigMap part, Secret init and 1 more do not exist; "
                           "no permission to get Secret key")
    assert configs.gathered("podinfo", {"Secret/a": True}, {}).lacks == "Secret a does not exist"


# The primary

def test_safety_18_the_primary_refers_to_copies_and_to_nothing_else_of_the_target() -> None:
    source, made = template(), primary.primary_template(template(), SELECTOR, read())
    names = read().names
    assert set(configs.references(made["spec"])) == {f"{entry.partition('/')[0]}/{name}" for entry, name in names.items()}
    assert configs.references(made["spec"]).keys().isdisjoint(NAMED)
    assert made["spec"]["imagePullSecrets"] == PODS["imagePullSecrets"]
    assert made["spec"]["volumes"][3]["projected"]["sources"][3] == {"configMap": {"name": "kube-root-ca.crt"}}
    assert source == template(), "the source stays"


def test_safety_18_one_content_is_one_name_and_another_is_another() -> None:
    names, others = read().names, read(ConfigMap_env=MEANT).names
    assert read().names == names
    assert {entry for entry in names if names[entry] != others[entry]} == {"ConfigMap/env"}
    assert names["ConfigMap/env"].startswith("env-primary-") and configs.is_copy_name(names["ConfigMap/env"])


def test_the_longest_name_has_a_copy_of_a_name_that_fits() -> None:
    name = "a" * 253
    copied = configs.copy_name("podinfo", name, "0123456789abcdef")
    assert len(copied) == 253
    assert configs.originals({"volumes": [{"configMap": {"name": copied}}]}, [f"ConfigMap/{name}"]) == {f"ConfigMap/{copied}": name}


def test_safety_18_two_canaries_that_share_a_configuration_have_a_copy_each() -> None:
    shared = {"ConfigMap/shared": MEANT}
    ours, theirs = (configs.gathered(canary, {"ConfigMap/shared": True}, shared) for canary in ("podinfo", "frontend"))
    assert ours.digests == theirs.digests and ours.names != theirs.names


def test_safety_18_a_copy_is_the_same_content_that_nobody_can_change_and_that_nobody_adopts() -> None:
    source = {"metadata": {"name": "key", "labels": {"app.kubernetes.io/instance": "x"}, "ownerReferences": [{}]}, "type": "kubernetes.io/tls",
              "data": {"tls.key": "eA=="}, "immutable": False}
    made = configs.copy_of("Secret/key", source, configs.digest_of("Secret/key", source), "podinfo", "test", {"team": "blue"})
    assert (made["kind"], made["type"], made["data"], made["immutable"]) == ("Secret", "kubernetes.io/tls", {"tls.key": "eA=="}, True)
    assert configs.digest_of("Secret/key", made) == configs.digest_of("Secret/key", source)
    assert made["metadata"]["labels"] == {"team": "blue", marks.CANARY: "podinfo"} and "ownerReferences" not in made["metadata"]
    assert made["metadata"]["annotations"][configs.COPY_OF] == "key"


def test_weak_spot_34_binary_data_is_copied() -> None:
    source = {"metadata": {"name": "files"}, "binaryData": {"a": "eA=="}}
    assert configs.copy_of("ConfigMap/files", source, "0" * 16, "podinfo", "test", {})["binaryData"] == {"a": "eA=="}


def test_safety_19_a_primary_with_copies_of_the_same_content_means_the_same() -> None:
    live = primary.primary_template(template(), SELECTOR, read())
    assert primary.difference(template(), live, SELECTOR, read()) == primary.Difference(template=False)


def test_safety_18_what_changed_is_told_from_what_the_template_says() -> None:
    live = primary.primary_template(template(), SELECTOR, read())
    now = read(ConfigMap_env=MEANT)
    assert primary.difference(template(), live, SELECTOR, now) == primary.Difference(template=False, configs=("ConfigMap/env",))
    other = template()
    other["spec"]["containers"][0]["image"] = "podinfo:2"
    assert primary.difference(other, live, SELECTOR, now) == primary.Difference(template=True, configs=("ConfigMap/env",))


def test_safety_19_a_primary_that_reads_the_targets_own_is_told_apart_and_differs_in_nothing() -> None:
    live = primary.primary_template(template(), SELECTOR)
    found = primary.difference(template(), live, SELECTOR, read())
    assert (found.template, found.configs, set(found.shared)) == (False, (), set(NAMED))


def test_safety_29_the_targets_template_comes_back_with_the_names_that_it_had() -> None:
    live = primary.primary_template(template(), SELECTOR, read())
    assert primary.target_template(live, template(), SELECTOR, configs.originals(live["spec"], NAMED)) == template()


def replicaset(pods: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": "podinfo-1", "namespace": "test", "uid": "rs-uid", "ownerReferences": [{"controller": True, "uid": "d"}]},
            "spec": {"template": template(pods)}}


def test_safety_17_with_another_content_than_was_analysed_nothing_is_promoted() -> None:
    owner = {"kind": "Deployment", "metadata": {"name": "podinfo", "namespace": "test", "uid": "d"}}
    order = {"replicaset": "podinfo-1", "uid": "rs-uid", "revision": revision_of(template(), read().digests)}
    assert primary.pinned_template(replicaset(), owner, order, read=read()) == template()
    with pytest.raises(CanaryError, match="does not hold the revision that was analysed"):
        primary.pinned_template(replicaset(), owner, order, read=read(ConfigMap_env=MEANT))


# The record

def test_safety_18_the_record_says_what_is_tracked_in_flaggers_words_and_which_copies_are_made_of_it() -> None:
    tracked = configs.flaggers(read().digests)
    assert set(tracked) == {entry.replace("ConfigMap", "configmap").replace("Secret", "secret") for entry in NAMED}
    assert all(len(digest) == 16 for digest in tracked.values())
    assert set(configs.copies_of("podinfo", tracked)) == {f"{entry.partition('/')[0]}/{name}" for entry, name in read().names.items()}


def test_safety_18_nothing_that_they_say_can_be_seen() -> None:
    said = read(Secret_key={"data": {"a": "c2VzYW1lLTQ3MTE="}})
    assert "c2VzYW1l" not in repr(said)


def test_ansible_10_however_many_copies_there_are_few_travel_at_once() -> None:
    many = tuple(f"ConfigMap/{'a' * 200}-primary-{number:010x}" for number in range(400))
    assert sum(map(len, inventory.at_once(many))) <= inventory.AT_ONCE
    assert inventory.at_once(["ConfigMap/" + "a" * 5000]) and inventory.at_once(()) == ()
