# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rollout import Rollout, rollout


def deployment(replicas: int | None = 4, generation: int = 2, observed: int = 2, updated: int = 4, total: int = 4, available: int = 4,
               **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "podinfo", "generation": generation},
        "spec": {**({} if replicas is None else {"replicas": replicas}), **more.pop("spec", {})},
        "status": {"observedGeneration": observed, "updatedReplicas": updated, "replicas": total, "availableReplicas": available, **more},
    }


STUCK = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


@pytest.mark.parametrize(("found", "why"), [
    (deployment(generation=3), "waiting for rollout to finish: the latest spec of podinfo is not observed yet"),
    (deployment(generation=3, **STUCK), "waiting for rollout to finish: the latest spec of podinfo is not observed yet"),
    (deployment(updated=3), "waiting for rollout to finish: 3 out of 4 new replicas have been updated"),
    (deployment(updated=0, spec={"paused": True}), "waiting for rollout to finish: 0 out of 4 new replicas have been updated (it is paused)"),
    (deployment(total=6), "waiting for rollout to finish: 2 old replicas are pending termination"),
    (deployment(available=3), "waiting for rollout to finish: 3 of 4 (readyThreshold 100%) updated replicas are available"),
    ({"metadata": {"name": "podinfo", "generation": 1}, "spec": {}}, "waiting for rollout to finish: the latest spec of podinfo is not observed yet"),
])
def test_a_rollout_under_way_says_what_it_waits_for(found: dict[str, Any], why: str) -> None:
    assert rollout(found) == Rollout(False, why, stuck=False)


def test_a_finished_rollout_is_ready() -> None:
    assert rollout(deployment()) == Rollout(True)
    assert rollout(deployment(replicas=None, updated=1, total=1, available=1)) == Rollout(True)


def test_past_its_own_deadline_it_is_stuck() -> None:
    assert rollout(deployment(available=0, **STUCK)) == Rollout(False, 'deployment "podinfo" exceeded its progress deadline', stuck=True)


@pytest.mark.parametrize(("found", "why"), [
    (deployment(updated=3), "waiting for rollout to finish: 3 out of 4 new replicas have been updated"),
    (deployment(available=0, **STUCK), 'deployment "podinfo" exceeded its progress deadline'),
])
def test_pods_that_are_refused_are_told(found: dict[str, Any], why: str) -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "pods \"podinfo-1\" is forbidden:\nexceeded quota: small"}
    found["status"]["conditions"] = [*found["status"].get("conditions", []), refused]
    assert rollout(found).why == f'{why}: pods "podinfo-1" is forbidden: exceeded quota: small'


def test_safety_10_a_latest_spec_that_was_not_observed_yet_is_not_ready() -> None:
    assert not rollout(deployment(generation=3, observed=2)).ready


def test_safety_10_zero_replicas_are_not_ready() -> None:
    assert rollout(deployment(replicas=0, updated=0, total=0, available=0)) == Rollout(False, "podinfo is scaled to 0")


@pytest.mark.parametrize(("threshold", "available", "ready"), [
    (50, 2, True), (50, 1, False), (60, 2, True), (100, 3, False), (1, 0, False), (0, 0, False), (0, 1, True)])
def test_safety_10_the_threshold_is_of_the_updated_pods_and_none_is_never_enough(threshold: int, available: int, ready: bool) -> None:
    assert rollout(deployment(available=available), threshold).ready is ready
