# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of ConfigMaps and Secrets as the real server keeps them, and what it does with a deletion that comes late."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs as kept, look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer

CERTIFICATE = base64.b64encode(b"sesame-4711").decode()
CONFIGS: dict[str, dict[str, Any]] = {
    "ConfigMap/text": {"data": {"message": "one", "empty": ""}}, "ConfigMap/binary": {"binaryData": {"a": CERTIFICATE}}, "ConfigMap/hollow": {},
    "ConfigMap/fixed": {"data": {"a": "b"}, "immutable": True},
    "Secret/opaque": {"data": {"token": CERTIFICATE}}, "Secret/pair": {"type": "kubernetes.io/tls", "data": {"tls.crt": CERTIFICATE, "tls.key": CERTIFICATE}},
}


@pytest.fixture
def reading(others: Any, target: refs.Ref, canary: Any) -> refs.Ref:
    """The target, whose pods read all of CONFIGS."""
    for entry, body in CONFIGS.items():
        place = kept.place_of(canary.namespace, entry)
        others.create(place, {"apiVersion": "v1", "kind": place.kind, "metadata": {"name": place.name}, **body})
    sources = [{"configMapRef" if entry.startswith("ConfigMap") else "secretRef": {"name": entry.partition("/")[2]}} for entry in CONFIGS]
    others.patch(target, {"spec": {"template": {"spec": {"containers": [
        {"name": "podinfo", "image": "lab.local/podinfo:A", "imagePullPolicy": "Never", "envFrom": sources}]}}}})
    return target


def until(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited 20 s in vain until {what}"
        time.sleep(0.1)
    return found


def seen(api: Any, canary: Any) -> Any:
    return look.look(api, canary, Record("podinfo", canary.namespace, phase="Progressing"))


def promote(api: Any, canary: Any) -> Any:
    """What the target has now, once its controller has made a ReplicaSet of it."""
    target = until("there is a ReplicaSet of it", lambda: (now := seen(api, canary).target).replicaset and now)
    order = {"replicaset": target.replicaset, "uid": target.replicaset_uid, "revision": target.revision, "configs": target.configs}
    return apply_workload(api, canary, WorkloadOrder(promote=order), 1)


def copies_of(api: Any, canary: Any) -> dict[str, Any]:
    """By what they are copies of."""
    pods = api.get(refs.deployment(canary.namespace, "podinfo-primary"))["spec"]["template"]["spec"]
    made = [api.get(kept.place_of(canary.namespace, entry)) for entry in configs.references(pods)]
    return {f"{one['kind']}/{one['metadata']['annotations'][configs.COPY_OF]}": one for one in made}


def test_safety_18_the_server_keeps_copies_of_every_kind_and_lets_nobody_change_what_they_hold(ours: Any, others: Any, canary: Any, reading: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    made = copies_of(others, canary)
    assert made.keys() == CONFIGS.keys()
    for entry, one in made.items():
        assert configs.digest_of(entry, one) == configs.digest_of(entry, others.get(kept.place_of(canary.namespace, entry)))
        with pytest.raises(KubeError) as refused:
            others.patch(kept.place_of(canary.namespace, f"{one['kind']}/{one['metadata']['name']}"), {"data": {"a": "eA=="}})
        assert refused.value.status == 422
    now = seen(ours, canary)
    assert (now.same_as_primary, now.same_template, now.changed_configs, now.target.lacks) == (True, True, "", "")


def test_safety_18_a_promotion_switches_to_another_copy_and_a_second_one_changes_nothing(
        ours: Any, others: Any, line: Any, canary: Any, reading: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    before = copies_of(others, canary)
    others.patch(kept.place_of(canary.namespace, "ConfigMap/text"), {"data": {"message": "two"}})
    assert seen(ours, canary).changed_configs == "ConfigMap text"
    assert promote(ours, canary).result()["changed"]
    after = copies_of(others, canary)
    assert {entry for entry in after if after[entry]["metadata"]["uid"] != before[entry]["metadata"]["uid"]} == {"ConfigMap/text"}
    assert after["ConfigMap/text"]["data"]["message"] == "two"
    assert others.get(kept.place_of(canary.namespace, f"ConfigMap/{before['ConfigMap/text']['metadata']['name']}")), "the former one stays"
    line.sent.clear()
    assert not promote(ours, canary).result()["changed"]
    assert {method for method, _name in line.written} <= {"POST"}, "it asks whether copies are there by making them"
    assert copies_of(others, canary) == after


def test_safety_17_a_content_that_is_not_the_analysed_one_is_not_promoted(ours: Any, others: Any, line: Any, canary: Any, reading: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    target = until("there is a ReplicaSet of it", lambda: (now := seen(ours, canary).target).replicaset and now)
    order = {"replicaset": target.replicaset, "uid": target.replicaset_uid, "revision": target.revision, "configs": target.configs}
    others.patch(kept.place_of(canary.namespace, "Secret/opaque"), {"data": {"token": "eA=="}})
    line.sent.clear()
    assert not apply_workload(ours, canary, WorkloadOrder(promote=order), 1).result()["changed"]
    assert line.written == []


def test_safety_01_a_deletion_of_a_copy_that_hung_is_refused_once_the_copy_is_needed_again(
        ours: Any, others: Any, line: Any, canary: Any, reading: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    former = copies_of(others, canary)["ConfigMap/text"]["metadata"]["name"]
    text = kept.place_of(canary.namespace, "ConfigMap/text")
    others.patch(text, {"data": {"message": "two"}})
    promote(ours, canary)
    for one in others.list(refs.replica_set(canary.namespace), label_selector="app=podinfo-primary")["items"]:
        others.delete(refs.replica_set(canary.namespace, one["metadata"]["name"]))
    entry = f"ConfigMap/{former}"
    until("no ReplicaSet names it", lambda: entry not in kept.named_by_ours(others, canary, None))
    line.holding = True
    with pytest.raises(KubeError):
        kept.tidied(Writer(ours, canary.name, 1), canary, [entry])
    line.holding = False
    others.patch(text, {"data": {"message": "one"}})
    promote(ours, canary)
    assert copies_of(others, canary)["ConfigMap/text"]["metadata"]["name"] == former
    assert set(line.release()) == {409}
    assert others.get(kept.place_of(canary.namespace, entry))


def test_safety_18_old_copies_go_when_no_replicaset_names_them(ours: Any, others: Any, canary: Any, reading: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    former = f"ConfigMap/{copies_of(others, canary)['ConfigMap/text']['metadata']['name']}"
    until("the primary has a ReplicaSet", lambda: others.list(refs.replica_set(canary.namespace), label_selector="app=podinfo-primary")["items"])
    others.patch(kept.place_of(canary.namespace, "ConfigMap/text"), {"data": {"message": "two"}})
    promote(ours, canary)
    present = tuple(f"{one['kind']}/{one['metadata']['name']}" for one in copies_of(others, canary).values())
    writer = Writer(ours, canary.name, 1)
    assert kept.tidied(writer, canary, (former, *present)) == (), "the primary could be taken back to it"
    for one in others.list(refs.replica_set(canary.namespace), label_selector="app=podinfo-primary")["items"]:
        if former in configs.copies_in(one["spec"]["template"]["spec"]):
            others.delete(refs.replica_set(canary.namespace, one["metadata"]["name"]))
    until("no ReplicaSet names it", lambda: former not in kept.named_by_ours(others, canary, None))
    assert kept.tidied(writer, canary, (former, *present)) == (former,)
    assert others.get(kept.place_of(canary.namespace, former)) is None and copies_of(others, canary)


def test_safety_18_an_object_of_a_persons_own_under_the_name_of_a_copy_is_refused(ours: Any, others: Any, canary: Any, reading: refs.Ref) -> None:
    target = others.get(reading)
    name = kept.of_target(others, canary, target).names["ConfigMap/text"]
    others.create(refs.config_map(canary.namespace), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"message": "evil"}})
    with pytest.raises(CanaryError, match="is no copy that was made for the canary podinfo"):
        apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    assert others.get(refs.deployment(canary.namespace, "podinfo-primary")) is None


def test_a_look_costs_one_request_more_for_each(ours: Any, others: Any, canary: Any, target: refs.Ref, request: pytest.FixtureRequest) -> None:
    def cost() -> int:
        before = ours.requests
        look.look(ours, canary)
        return ours.requests - before
    without = cost()
    request.getfixturevalue("reading")
    assert cost() == without + len(CONFIGS)
