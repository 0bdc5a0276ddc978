# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why pods do not become ready, in the words of the scheduler and the kubelet: what a person would look for next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt

Object = Mapping[str, Any]


def of_pods(pods: Iterable[Object], owners: Collection[str]) -> str:
    """What most of the pods lack that are not ready and belong to one of ``owners`` (uids); empty where nothing is known.

    Terms of https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
    """
    theirs = [pod for pod in pods if _counts(pod) and marks.controller_of(pod).get("uid") in owners]
    lacks = Counter(filter(None, map(_lack, theirs)))
    if not lacks:
        return ""
    text, count = max(lacks.items(), key=lambda one: (one[1], one[0]))
    return f"{text} ({count} of {len(theirs)} pods)" if len(theirs) > 1 else text


def _counts(pod: Object) -> bool:
    """Whether it may become ready at all: those that were evicted, or go, may stay for days."""
    return not pod["metadata"].get("deletionTimestamp") and (pod.get("status") or {}).get("phase") not in ("Failed", "Succeeded")


def _lack(pod: Object) -> str:
    """What is in the way of one pod, without what differs from pod to pod; empty when it is ready."""
    status, name = pod.get("status") or {}, str(pod["metadata"].get("name"))
    conditions = {one.get("type"): one for one in status.get("conditions") or []}
    if (conditions.get("Ready") or {}).get("status") == "True":
        return ""
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return excerpt(f"not scheduled: {scheduled.get('message') or scheduled.get('reason')}")
    for one in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        if text := _of_container(one):
            return excerpt(f"container {one.get('name')} {text}".replace(name, "POD"))
    return ""


def _of_container(status: Object) -> str:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting is not None:
        # What a container died of says more than that its next start is put off.
        return f"waits: {waiting.get('reason')}" + (f", it ended with {_end(last)}" if last else _said(waiting))
    if ended is not None:
        return "" if ended.get("exitCode") == 0 else f"ended with {_end(ended)}"
    if status.get("ready"):
        return ""
    return "runs and is not ready" + (f", it was restarted after {_end(last)}" if last else "")


def _end(ended: Object) -> str:
    return f"exit code {ended.get('exitCode')} ({ended.get('reason')})"


def _said(waiting: Object) -> str:
    return f": {waiting['message']}" if waiting.get("message") else ""
