# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import endpoints


def endpoint(pod: str, ready: bool | None = True) -> dict[str, Any]:
    return {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": pod}, "conditions": {} if ready is None else {"ready": ready}}


def part(service: str, *found: dict[str, Any], family: str = "IPv4") -> dict[str, Any]:
    return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "addressType": family, "endpoints": list(found) or None}


SLICES = [
    part("podinfo-canary", endpoint("podinfo-1-a"), endpoint("podinfo-1-b", ready=False), endpoint("podinfo-0-c", ready=None)),
    part("podinfo-canary", endpoint("podinfo-1-a"), family="IPv6"),
    part("podinfo-primary", endpoint("podinfo-primary-1-a")),
    part("podinfo"),
]


def test_safety_10_ready_pods_are_counted_once_over_all_slices_of_their_service() -> None:
    assert endpoints.ready_pods(SLICES, "podinfo-canary") == {"podinfo-1-a", "podinfo-0-c"}
    assert endpoints.all_pods(SLICES, "podinfo-canary") == {"podinfo-1-a", "podinfo-1-b", "podinfo-0-c"}
    assert endpoints.ready_pods(SLICES, "podinfo") == frozenset()


def test_pods_of_another_revision_are_told_apart() -> None:
    assert endpoints.of_replicaset(["podinfo-1-a", "podinfo-12-b", "podinfo-1"], "podinfo-1") == {"podinfo-1-a"}
    assert endpoints.of_replicaset(["podinfo-1-a"], "") == frozenset()
    long = "a" * 60
    assert endpoints.of_replicaset([f"{long[:58]}xk2vp"], long) == {f"{long[:58]}xk2vp"}


def test_a_service_without_pods_exists_all_the_same() -> None:
    assert endpoints.has_slices(SLICES, "podinfo")
    assert not endpoints.has_slices(SLICES, "other")


def test_an_address_that_is_no_pod_is_nobodys_pod() -> None:
    found = {"addresses": ["192.0.2.1"], "conditions": {"ready": True}}
    assert endpoints.ready_pods([part("podinfo", found)], "podinfo") == {"address 192.0.2.1"}
