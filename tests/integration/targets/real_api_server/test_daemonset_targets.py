# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DaemonSet as the target against the real server and its controller: parking, ControllerRevisions, and what one look makes of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import parking
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload

NOWHERE = {"there-is": "no-such-node"}


def until(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def walked(canary: Any) -> Any:
    return dataclasses.replace(canary, target_kind=DAEMONSET)


@pytest.fixture
def place(others: Any, namespace: str) -> refs.Ref:
    """A DaemonSet without pods: what the server does with writes needs none. Its node selector is its author's."""
    ref = refs.daemon_set(namespace, "podinfo")
    template = {"metadata": {"labels": {"app": "podinfo"}}, "spec": {
        "nodeSelector": NOWHERE, "containers": [{"name": "podinfo", "image": "lab.local/podinfo:A", "imagePullPolicy": "Never"}]}}
    others.create(ref, {"apiVersion": "apps/v1", "kind": DAEMONSET, "metadata": {"name": "podinfo", "namespace": namespace},
                        "spec": {"selector": {"matchLabels": {"app": "podinfo"}}, "template": template}})
    return ref


def selector(api: Any, ref: refs.Ref) -> Any:
    return api.get(ref)["spec"]["template"]["spec"].get("nodeSelector")


def test_safety_19_22_parking_is_one_key_and_the_same_revision_and_comes_off_again(ours: Any, others: Any, line: Any, walked: Any, place: refs.Ref) -> None:
    before = look.target_revision(ours, walked)
    assert apply_workload(ours, walked, WorkloadOrder(scale_target=0), 1).result()["changed"]
    assert selector(others, place) == {**NOWHERE, parking.KEY: "true"} and look.target_revision(ours, walked) == before
    line.sent.clear()
    assert not apply_workload(ours, walked, WorkloadOrder(scale_target=0), 1).result()["changed"]
    assert line.written == []
    assert apply_workload(ours, walked, WorkloadOrder(scale_target=1), 1).result()["changed"]
    assert selector(others, place) == NOWHERE and look.target_revision(ours, walked) == before


def test_parking_leaves_nothing_where_the_author_has_no_selector(ours: Any, others: Any, walked: Any, place: refs.Ref) -> None:
    apply_workload(ours, walked, WorkloadOrder(scale_target=0), 1)
    others.patch(place, {"spec": {"template": {"spec": {"nodeSelector": {"there-is": None}}}}})
    assert selector(others, place) == {parking.KEY: "true"}
    apply_workload(ours, walked, WorkloadOrder(scale_target=1), 1)
    assert selector(others, place) is None


def test_safety_01_a_parking_that_hung_is_refused_after_a_takeover(ours: Any, others: Any, line: Any, walked: Any, place: refs.Ref) -> None:
    apply_workload(others, walked, WorkloadOrder(scale_target=1), 3)
    line.holding = True
    with pytest.raises(KubeError):
        apply_workload(ours, walked, WorkloadOrder(scale_target=0), 3)
    look.fence(others, walked, 4)
    assert set(line.release()) == {409}
    assert selector(others, place) == NOWHERE


def test_safety_17_a_look_finds_the_controller_revision_of_the_present_template_as_it_is_parked(ours: Any, walked: Any, place: refs.Ref) -> None:
    first = until("the controller has kept the template", lambda: look.look(ours, walked).target.replicaset)
    apply_workload(ours, walked, WorkloadOrder(scale_target=0), 1)
    parked = until("and the parked one", lambda: {look.look(ours, walked).target.replicaset} - {first})
    seen = look.look(ours, walked)
    assert set(seen.replicasets) == {first, *parked}
    assert (seen.target.replicas, seen.target.ready, seen.target.nodes, seen.target.running) == (0, False, 0, 0)
    until("its status is that of the latest spec", lambda: "parked" in look.look(ours, walked).target.why)
    apply_workload(ours, walked, WorkloadOrder(scale_target=1), 1)
    until("the first one is the present one again", lambda: look.look(ours, walked).target.replicaset == first)


def test_safety_17_what_a_controller_revision_keeps_is_promoted_and_restored(ours: Any, others: Any, walked: Any, place: refs.Ref) -> None:
    apply_workload(ours, walked, WorkloadOrder(scale_target=0), 1)
    apply_workload(ours, walked, WorkloadOrder(create_primary=1), 1)
    primary = place.named("podinfo-primary")
    assert selector(others, primary) == NOWHERE and "replicas" not in others.get(primary)["spec"]
    seen = until("its template is kept", lambda: (found := look.look(ours, walked)).primary.replicaset and found)
    assert seen.same_as_primary and seen.primary.promoted == seen.target.revision
    before = {"replicaset": seen.primary.replicaset, "revision": seen.primary.promoted}
    others.patch(place, {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}})
    wanted = look.target_revision(ours, walked)
    assert wanted != seen.target.revision
    target = until("the new template is kept", lambda: (found := look.look(ours, walked).target).replicaset and found)
    order = {"replicaset": target.replicaset, "uid": target.replicaset_uid, "revision": wanted}
    assert apply_workload(ours, walked, WorkloadOrder(promote=order), 1).result()["changed"]
    assert not apply_workload(ours, walked, WorkloadOrder(promote=order), 1).result()["changed"]
    assert look.look(ours, walked).same_as_primary and not parking.is_parked(others.get(primary)["spec"]["template"])
    apply_workload(ours, walked, WorkloadOrder(restore=before), 1)
    live = others.get(primary)
    assert live["metadata"]["annotations"]["progressive.delivery/promoted"] == before["revision"]
    assert "release" not in live["spec"]["template"]["metadata"].get("annotations", {})
    apply_workload(ours, walked, WorkloadOrder(template_back={"revision": before["revision"]}), 1)
    assert revision_of(others.get(place)["spec"]["template"]) == before["revision"] and parking.is_parked(others.get(place)["spec"]["template"])


def test_pods_of_another_daemonset_under_the_same_label_are_refused_before_the_first_write(ours: Any, others: Any, walked: Any, place: refs.Ref) -> None:
    twin = others.get(place)
    others.create(place, {**twin, "metadata": {"name": "twin", "namespace": walked.namespace}})

    def refused() -> str:
        try:
            look.look(ours, walked)
        except Exception as error:      # the sentence is what is looked at
            return str(error)
        return ""
    assert f"DaemonSet {walked.namespace}/twin has pods with the label app=podinfo too" in until("its template is kept", refused)
