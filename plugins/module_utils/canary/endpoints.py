# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers behind a Service, read from its EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SERVICE_LABEL = "kubernetes.io/service-name"
_NAME_BASE = 58             # of a generated name, before its five random letters


def ready_pods(slices: Iterable[Mapping[str, Any]], service: str) -> frozenset[str]:
    """Pods that take requests through the Service now. A pod counts once, however many address families and ports it has."""
    return frozenset(_name(endpoint) for endpoint in _endpoints(slices, service) if _is_ready(endpoint))


def all_pods(slices: Iterable[Mapping[str, Any]], service: str) -> frozenset[str]:
    """Pods in the Service's slices, ready or not: a pod that is starting or going away belongs to it too."""
    return frozenset(_name(endpoint) for endpoint in _endpoints(slices, service))


def has_slices(slices: Iterable[Mapping[str, Any]], service: str) -> bool:
    """Whether the Service exists, as far as slices tell: one that selects pods has a slice even while it has no pod."""
    return any(_service(item) == service for item in slices)


def of_replicaset(pods: Iterable[str], replicaset: str) -> frozenset[str]:
    """Those pods that a ReplicaSet made, by the name that it gives them (cut by the API server where it is long)."""
    return frozenset(pod for pod in pods if replicaset and pod.startswith(f"{replicaset}-"[:_NAME_BASE]))


def _endpoints(slices: Iterable[Mapping[str, Any]], service: str) -> Iterator[Mapping[str, Any]]:
    for item in slices:
        if _service(item) == service:
            yield from item.get("endpoints") or []


def _service(item: Mapping[str, Any]) -> str:
    return ((item.get("metadata") or {}).get("labels") or {}).get(SERVICE_LABEL, "")


def _is_ready(endpoint: Mapping[str, Any]) -> bool:
    # Unknown counts as ready, as the API says of the field.
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _name(endpoint: Mapping[str, Any]) -> str:
    """The pod, or the address where somebody else than the endpoints' controller wrote it."""
    target = endpoint.get("targetRef") or {}
    return target["name"] if target.get("kind") == "Pod" else f"address {', '.join(endpoint.get('addresses') or [])}"
