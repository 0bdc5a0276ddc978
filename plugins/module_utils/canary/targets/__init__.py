# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be walked: one file per kind of target, a table here.

A target has one revision at a time, serves nobody between releases, and has a primary of its own kind beside it. What differs from kind to
kind is said here, over plain objects; ``kube/targets.py`` has where they are in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rollout import Rollout
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import daemonset, deployment, service


class Target(Protocol):
    """A kind of object that can be a target."""

    KIND: str
    API_VERSION: str
    HISTORY: str                        # the kind of the objects that keep what is promoted
    PAUSES: bool                        # an edit of its template can be kept from its pods
    IS_APEX: bool                       # users may call it, so that no other Service leads them to it or to its primary

    def template(self, live: Mapping[str, Any]) -> Mapping[str, Any]:
        """What its revision is the meaning of: its pod template, or what stands in the place of one."""

    def scaling(self, name: str, replicas: int) -> str:
        """The order for so many replicas, in words."""

    def making(self, name: str, replicas: int) -> str:
        """The order for a primary of so many replicas, in words."""


class Workload(Target, Protocol):
    """A target with pods of one template, which keeps its former templates in objects of their own."""

    BESIDE: tuple[str, ...]             # of its spec, beside the template: copied with each promotion

    def replicas(self, live: Mapping[str, Any]) -> int:
        """How many pods it is to have; of a kind that has no such number, 1 where it is to run and 0 where it is parked."""

    def nodes(self, live: Mapping[str, Any]) -> int:
        """How many pods it is to have where that is no number of its spec, as its controller has counted them; else 0."""

    def running(self, live: Mapping[str, Any]) -> int:
        """Pods that exist."""

    def available(self, live: Mapping[str, Any]) -> int:
        """Pods that are available."""

    def numbered(self, replicas: int) -> dict[str, Any]:
        """The part of its spec that says so many replicas."""

    def rollout(self, live: Mapping[str, Any], threshold: int = 100) -> Rollout:
        """Readiness at ``threshold`` percent of available pods. None of them, and zero replicas, are never ready (SAFETY 10)."""

    def kept(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """The pod template that an object of its history keeps."""

    def newest_first(self, live: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Its history, with the entry first that its controller made of the present template, as far as it has caught up."""

    def answering(self, live: Mapping[str, Any], pods: frozenset[str], entry: str) -> int:
        """How many of these ready ``pods`` are surely of the template that the history's ``entry`` keeps; an empty name has none."""


WORKLOADS: Mapping[str, Workload] = {
    deployment.KIND: deployment,
    daemonset.KIND: daemonset,
}
TARGETS: Mapping[str, Target] = {
    **WORKLOADS,
    service.KIND: service,
}


def by_kind(kind: str) -> Target:
    """By the word that documents use."""
    return TARGETS[kind]


def workload(kind: str) -> Workload:
    """The same, of one that has pods of its own."""
    return WORKLOADS[kind]


def of(live: Mapping[str, Any]) -> Workload:
    """By the object itself; entries of lists carry no kind, and of those only Deployments get here."""
    return WORKLOADS[live.get("kind") or deployment.KIND]


def revision(live: Mapping[str, Any], kind: str, configs: Mapping[str, str] | None = None) -> str:
    """The revision of a target of that kind, as it is now; ``configs`` are the digests of the ConfigMaps and Secrets that its pods read."""
    return revision_of(by_kind(kind).template(live), configs)
