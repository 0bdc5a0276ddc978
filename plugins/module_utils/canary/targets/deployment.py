# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Deployment: pods by number, its former templates in ReplicaSets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import endpoints, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rollout import Rollout, rollout as rolled_out
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DEPLOYMENT

KIND = DEPLOYMENT
API_VERSION = "apps/v1"
HISTORY = "ReplicaSet"
BESIDE = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")
PAUSES = True
IS_APEX = False

_REVISION = "deployment.kubernetes.io/revision"


def template(live: Mapping[str, Any]) -> Mapping[str, Any]:
    return live["spec"]["template"]


def replicas(live: Mapping[str, Any]) -> int:
    wanted = live["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def nodes(live: Mapping[str, Any]) -> int:
    return 0


def running(live: Mapping[str, Any]) -> int:
    return int((live.get("status") or {}).get("replicas") or 0)


def available(live: Mapping[str, Any]) -> int:
    return int((live.get("status") or {}).get("availableReplicas") or 0)


def numbered(replicas: int) -> dict[str, Any]:
    return {"replicas": replicas}


def rollout(live: Mapping[str, Any], threshold: int = 100) -> Rollout:
    return rolled_out(live, threshold)


def kept(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return entry["spec"]["template"]


def newest_first(live: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    number = marks.annotations_of(live).get(_REVISION)
    return sorted(history, key=lambda item: marks.annotations_of(item).get(_REVISION) != number)


def answering(live: Mapping[str, Any], pods: frozenset[str], entry: str) -> int:
    return len(endpoints.of_replicaset(pods, entry))


def scaling(name: str, replicas: int) -> str:
    return f"scale {name} to {replicas}"


def making(name: str, replicas: int) -> str:
    return f"create {name} with {replicas} replicas"
