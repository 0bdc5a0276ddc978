# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DaemonSet as the target: what is sent to the API server, and what one look makes of its objects."""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, parking, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs as kept_configs, look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import A, B, Objects, document

CANARY = dataclasses.replace(document(), target_kind="DaemonSet")
TARGET, PRIMARY = refs.daemon_set("test", "podinfo"), refs.daemon_set("test", "podinfo-primary")
COUNTED = {"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}


def daemonset(template: Any, name: str = "podinfo", **status: int) -> dict[str, Any]:
    return {"metadata": {"generation": 1}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}, "status": {**COUNTED, **status}}


def kept(name: str, owner: str, number: int, template: Any) -> dict[str, Any]:
    labels = template["metadata"]["labels"]
    return {"metadata": {"labels": labels, "ownerReferences": [{"controller": True, "kind": "DaemonSet", "name": owner, "uid": f"uid-{owner}"}]},
            "revision": number, "data": {"spec": {"template": {"$patch": "replace", **template}}}}


@pytest.fixture
def objects(server: Any) -> Objects:
    """Revision B on its nodes, whose ControllerRevisions are those of A, of B while it was parked, and of B."""
    there = Objects(server)
    there.put(TARGET, daemonset(B))
    for number, template in enumerate((A, parking.parked(B), B), 1):
        there.put(refs.controller_revision("test", f"podinfo-{number}"), kept(f"podinfo-{number}", "podinfo", number, template))
    for service, pods in (("podinfo-canary", ("podinfo-x",)), ("podinfo-primary", ("podinfo-primary-y",)), ("podinfo", ("podinfo-primary-y",))):
        there.put(refs.endpoint_slice("test", service), {
            "metadata": {"labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": True}} for pod in pods]})
    return there


def sent(server: Any) -> list[Any]:
    return [json.loads(one.body) for one in server.asked if one.method == "PATCH"]


def test_safety_22_a_daemonset_is_parked_by_one_key_of_its_node_selector_and_let_back(server: Any, objects: Objects) -> None:
    work = apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 3)
    paths = [step["path"] for step in sent(server)[0]]
    assert paths[0] == "/metadata/resourceVersion" and "/spec/template/spec/nodeSelector" in paths
    assert [path for path in paths if path.startswith("/spec")] == ["/spec/template/spec/nodeSelector"]
    assert (work.result()["before"]["replicas"], work.result()["after"]["replicas"]) == (1, 0)
    assert work.result()["before"]["revision"] == work.result()["after"]["revision"]
    assert not apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 3).result()["changed"]
    apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=1), 3)
    assert objects.get(TARGET)["spec"]["template"] == B


def test_safety_14_an_edit_that_comes_while_it_is_parked_is_kept(server: Any, objects: Objects) -> None:
    objects.meanwhile = lambda: objects.change(TARGET, lambda live: live["spec"].update(template=A))
    apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 3)
    assert objects.get(TARGET)["spec"]["template"] == parking.parked(A)


def test_safety_01_a_parking_that_hung_is_refused_after_a_takeover(server: Any, objects: Objects) -> None:
    apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 3)
    apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=1), 4)
    late = sent(server)[0]
    assert late[0]["value"] != objects.get(TARGET)["metadata"]["resourceVersion"], "the API server answers it with 409"


def test_safety_22_it_cannot_be_paused(server: Any, objects: Objects) -> None:
    with pytest.raises(CanaryError, match="DaemonSet test/podinfo cannot be paused: only a Deployment can"):
        apply_workload(server.api(), CANARY, WorkloadOrder(pause_target=True), 3)
    assert objects.written == []


def test_safety_17_28_the_primary_is_a_daemonset_and_gets_exactly_what_was_analysed(server: Any, objects: Objects) -> None:
    objects.put(TARGET, daemonset(parking.parked(A)))
    apply_workload(server.api(), CANARY, WorkloadOrder(create_primary=1), 3)
    made = objects.get(PRIMARY)
    assert not parking.is_parked(made["spec"]["template"]) and made["spec"]["template"]["spec"]["containers"] == A["spec"]["containers"]
    seen = look.look(server.api(), CANARY)
    assert seen.same_as_primary and seen.target.replicas == 0
    objects.put(TARGET, daemonset(parking.parked(A)))          # somebody edits it meanwhile
    order = {"replicaset": "podinfo-3", "uid": "uid-podinfo-3", "revision": revision_of(B)}
    work = apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 3)
    assert work.after["spec"]["template"]["spec"] == B["spec"]
    assert not apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 3).result()["changed"]


def test_safety_10_17_a_look_pins_the_controller_revision_that_runs(server: Any, objects: Objects) -> None:
    seen = look.look(server.api(), CANARY)
    assert (seen.target.replicas, seen.target.nodes, seen.target.ready, seen.target.endpoints) == (1, 1, True, 1)
    assert (seen.target.revision, seen.target.replicaset, seen.target.replicaset_uid) == (revision_of(B), "podinfo-3", "uid-podinfo-3")
    assert seen.replicasets == ("podinfo-1", "podinfo-2", "podinfo-3") and seen.primary is None
    objects.put(TARGET, daemonset(B, updatedNumberScheduled=0))
    assert look.look(server.api(), CANARY).target.endpoints == 0, "the pod that answers is of another template"


def test_safety_18_the_primary_of_a_daemonset_reads_copies_and_they_stay_while_a_controller_revision_names_them(server: Any, objects: Objects) -> None:
    reading = copy.deepcopy(B)
    reading["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "app"}}]
    objects.put(refs.config_map("test", "app"), {"data": {"message": "one"}})
    objects.put(TARGET, daemonset(reading))
    objects.put(refs.controller_revision("test", "podinfo-4"), kept("podinfo-4", "podinfo", 4, reading))
    apply_workload(server.api(), CANARY, WorkloadOrder(create_primary=1), 3)
    seen = look.look(server.api(), CANARY)
    assert seen.same_as_primary and seen.target.replicaset == "podinfo-4"
    first, = configs.copies_in(objects.get(PRIMARY)["spec"]["template"]["spec"])
    objects.change(refs.config_map("test", "app"), lambda live: live["data"].update(message="two"))
    seen = look.look(server.api(), CANARY)
    assert not seen.same_as_primary and seen.same_template
    order = {"replicaset": "podinfo-4", "uid": "uid-podinfo-4", "revision": seen.target.revision, "configs": seen.target.configs}
    apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 3)
    second, = configs.copies_in(objects.get(PRIMARY)["spec"]["template"]["spec"])
    assert first != second and look.look(server.api(), CANARY).same_as_primary
    former = copy.deepcopy(objects.get(PRIMARY)["spec"]["template"])
    former["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"] = first.partition("/")[2]
    objects.put(refs.controller_revision("test", "podinfo-primary-1"), kept("podinfo-primary-1", "podinfo-primary", 1, former))
    writer = Writer(server.api(), CANARY.name, 3)
    assert kept_configs.tidied(writer, CANARY, (first, second)) == ()
    objects.drop(refs.controller_revision("test", "podinfo-primary-1"))
    assert kept_configs.tidied(writer, CANARY, (first, second)) == (first,)


def test_safety_29_a_removal_gives_the_promoted_template_back_and_leaves_it_where_it_is(server: Any, objects: Objects) -> None:
    objects.put(TARGET, daemonset(parking.parked(B)))
    apply_workload(server.api(), CANARY, WorkloadOrder(template_back={"revision": revision_of(A)}), 3)
    assert objects.get(TARGET)["spec"]["template"] == parking.parked(A)


def test_pods_of_another_daemonset_with_the_same_label_are_refused(server: Any, objects: Objects) -> None:
    objects.put(refs.controller_revision("test", "other-1"), kept("other-1", "other", 1, A))
    with pytest.raises(CanaryError, match="DaemonSet test/other has pods with the label app=podinfo too"):
        look.look(server.api(), CANARY)


def test_pods_that_keep_a_walk_waiting_for_longer_than_usual_are_asked_why(server: Any, objects: Objects) -> None:
    def seen(since: float) -> str:
        return look.look(server.api(), CANARY, Record("podinfo", "test", phase=states.PROGRESSING, unready_since=since)).target.why

    waits = {"name": "app", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    objects.put(TARGET, daemonset(B, numberAvailable=0))
    objects.put(refs.pod("test", "podinfo-x"), {
        "metadata": {"labels": {"app": "podinfo"}, "ownerReferences": [{"controller": True, "kind": "DaemonSet", "name": "podinfo", "uid": "uid-podinfo"}]},
        "status": {"containerStatuses": [waits]}})
    unready = "waiting for rollout to finish: 0 of 1 (readyThreshold 100%) updated pods are available"
    assert seen(time.time()) == unready and not [one for one in server.asked if one.path.endswith("/pods")]
    assert seen(time.time() - 60) == f"{unready}: container app waits: ErrImagePull: no such image"
    objects.forbids = lambda method, path: path.endswith("/pods")
    assert seen(time.time() - 60) == unready
