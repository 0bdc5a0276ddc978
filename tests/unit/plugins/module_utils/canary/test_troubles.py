# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why pods do not become ready, by statuses such as kubelets write."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.troubles import of_pods

OURS = "uid-replicaset"
CRASHED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
BACK_OFF = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=app pod=podinfo-1_test(1b7c)"}


def pod(*containers: dict[str, Any], name: str = "podinfo-1", owner: str = OURS, conditions: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "ownerReferences": [{"kind": "ReplicaSet", "uid": owner, "controller": True}], **more.pop("metadata", {})},
        "status": {"containerStatuses": list(containers),
                   "conditions": [{"type": kind, **said} for kind, said in (conditions or {"Ready": {"status": "False"}}).items()], **more},
    }


def container(state: dict[str, Any], last: dict[str, Any] | None = None, name: str = "app", ready: bool = False) -> dict[str, Any]:
    return {"name": name, "ready": ready, "state": state, "lastState": last or {}}


RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
UNKNOWN_IMAGE = container({"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "podinfo:9"'}})


@pytest.mark.parametrize(("found", "why"), [
    (pod(UNKNOWN_IMAGE), 'container app waits: ImagePullBackOff: Back-off pulling image "podinfo:9"'),
    (pod(container({"waiting": BACK_OFF}, CRASHED)), "container app waits: CrashLoopBackOff, it ended with exit code 137 (OOMKilled)"),
    (pod(container({"waiting": {"reason": "ContainerCreating"}})), "container app waits: ContainerCreating"),
    (pod(container({"terminated": {"exitCode": 1, "reason": "Error"}})), "container app ended with exit code 1 (Error)"),
    (pod(container(RUNS)), "container app runs and is not ready"),
    (pod(container(RUNS, CRASHED)), "container app runs and is not ready, it was restarted after exit code 137 (OOMKilled)"),
    (pod(container(RUNS, name="proxy", ready=True), container(RUNS)), "container app runs and is not ready"),
    (pod(container({"waiting": {"reason": "PodInitializing"}}), initContainerStatuses=[
        container({"terminated": {"exitCode": 0, "reason": "Completed"}}, name="first"), container({"waiting": BACK_OFF}, CRASHED, name="second")]),
     "container second waits: CrashLoopBackOff, it ended with exit code 137 (OOMKilled)"),
    (pod(conditions={"PodScheduled": {"status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}}),
     "not scheduled: 0/1 nodes are available: 1 Insufficient cpu."),
    (pod(container({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "a\x1b[31m\nb" not found'}})),
     'container app waits: CreateContainerConfigError: secret "a b" not found'),
])
def test_what_keeps_a_pod(found: dict[str, Any], why: str) -> None:
    assert of_pods([found], {OURS}) == why


@pytest.mark.parametrize("found", [
    pod(container(RUNS, ready=True), conditions={"Ready": {"status": "True"}}),
    pod(UNKNOWN_IMAGE, owner="uid-of-another"),
    pod(UNKNOWN_IMAGE, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    pod(container({"terminated": {"exitCode": 137, "reason": "Error"}}), phase="Failed"),
    {"metadata": {"name": "bare"}, "status": {"containerStatuses": [UNKNOWN_IMAGE]}},
])
def test_pods_that_are_ready_or_go_or_are_not_of_this_revision_say_nothing(found: dict[str, Any]) -> None:
    assert of_pods([found], {OURS, ""}) == ""


def test_of_several_pods_the_most_frequent_trouble_is_told() -> None:
    ready = pod(container(RUNS, ready=True), conditions={"Ready": {"status": "True"}})
    waits = [container({"waiting": {"reason": "ErrImagePull", "message": f"pod podinfo-{number}: no such image"}}) for number in (1, 2)]
    pods = [pod(container(RUNS)), *(pod(one, name=f"podinfo-{number}") for number, one in enumerate(waits, 1)), ready]
    assert of_pods(pods, {OURS}) == "container app waits: ErrImagePull: pod POD: no such image (2 of 4 pods)"
