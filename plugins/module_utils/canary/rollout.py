# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Deployment is rolled out, read from its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt


@dataclass(frozen=True)
class Rollout:
    """``why`` says in words why it is not ready; ``stuck`` that the Deployment is past its own progress deadline."""

    ready: bool
    why: str = ""
    stuck: bool = False


def rollout(deployment: Mapping[str, Any], threshold: int = 100) -> Rollout:
    """Readiness at ``threshold`` percent of available pods. None of them, and zero replicas, are never ready (SAFETY 10)."""
    name = deployment["metadata"]["name"]
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas")
    wanted = 1 if wanted is None else int(wanted)
    if unobserved(deployment):
        return Rollout(False, f"waiting for rollout to finish: the latest spec of {name} is not observed yet")
    if wanted == 0:
        return Rollout(False, f"{name} is scaled to 0")
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or []}
    failure = conditions.get("ReplicaFailure") or {}        # no pod could be made: a quota, an admission webhook
    refused = f": {excerpt(str(failure.get('message')))}" if failure.get("status") == "True" and failure.get("message") else ""
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return Rollout(False, f'deployment "{name}" exceeded its progress deadline{refused}', stuck=True)
    updated, total, available = (int(status.get(key) or 0) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        paused = " (it is paused)" if deployment["spec"].get("paused") else ""
        return Rollout(False, f"waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated{paused}{refused}")
    if total > updated:
        return Rollout(False, f"waiting for rollout to finish: {total - updated} old replicas are pending termination")
    if available < max(1, updated * threshold // 100):
        return Rollout(False, f"waiting for rollout to finish: {available} of {updated} (readyThreshold {threshold}%) updated replicas are available")
    return Rollout(True)


def unobserved(live: Mapping[str, Any]) -> bool:
    """Whether its controller has yet to see the latest spec, so that the status is about an earlier one."""
    return int(live["metadata"].get("generation") or 0) > int((live.get("status") or {}).get("observedGeneration") or 0)
