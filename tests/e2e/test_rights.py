# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole walks under the Roles of the examples, held against the API server's audit log: nothing is refused, and no right is there that nobody uses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness import Release, wait_for
from routing import PROXY, SERVICE, TRAEFIK, Routing

QUICK = {"canary_min_interval": 1, "canary_settle": 1, "canary_drain": 1}
# What somebody without a right to it is told about, or looks at less for.
OPTIONAL = {"gateways", "namespaces"}
# Needed where pods do not become ready, as in test_release.py.
IN_TROUBLE = {("list", "pods")}


def _granted(release: Release, file: str, role: str) -> set[tuple[str, str]]:
    """Verb and resource of every rule of a Role in the examples."""
    found, = [one for one in release.roles(file) if one["metadata"]["name"] == role]
    return {(verb, resource) for rule in found["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def _used(release: Release, since: float) -> set[tuple[str, str]]:
    return {(entry["verb"], _resource(entry)) for entry in release.requests(since) if entry["responseStatus"]["code"] < 400}


def _refused(release: Release, since: float) -> set[str]:
    return {_resource(entry) for entry in release.requests(since) if entry["responseStatus"]["code"] == 403}


def _resource(entry: dict[str, Any]) -> str:
    about = entry["objectRef"]
    return "/".join(filter(None, (about["resource"], about.get("subresource"))))


def _budget(release: Release, most: int) -> dict[str, Any]:
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "podinfo", "namespace": release.namespace},
            "spec": {"maxUnavailable": most, "selector": {"matchLabels": {"app": "podinfo"}}}}


@pytest.mark.parametrize(("routing", "provider"), [(TRAEFIK, "gatewayapi"), (PROXY, "contour"), (SERVICE, "traefik"), (TRAEFIK, "kubernetes")],
                         ids=lambda value: value if isinstance(value, str) else "")
def test_a_walk_needs_all_of_its_roles_and_nothing_else(release: Release, routing: Routing, provider: str) -> None:
    steps: dict[str, Any] = {"interval": "2s", "maxWeight": 40, "stepWeight": 20, "metrics": []}
    if provider == "kubernetes":
        steps = {"interval": "2s", "iterations": 2, "maxWeight": None, "stepWeight": None, "metrics": [], "spec__provider": "kubernetes",
                 "spec__service": {"port": 80, "targetPort": 9898}}
    release.start_app(VERSION="1")
    if provider == "kubernetes":
        release.let_walk("kubernetes")
    apex = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo"}, "spec": {"selector": {"app": "podinfo"}, "ports": [{"port": 80}]}}
    release.apply(_budget(release, 1), apex)
    began = time.time()
    release.initialise(**steps)
    assert _granted(release, provider, "podinfo-initialise") - _used(release, began) == set()

    release.apply(_budget(release, 2))
    release.set_template("lab.local/testapp:2", VERSION="2")
    walked = time.time()
    first = release.walk(**QUICK)
    wait_for("it is analysed", lambda: release.phase() == "Progressing" and release.record()["walk"]["due"] > 0)
    first.kill()                        # whoever takes over fences what the one before may still write
    walk = release.walk(**QUICK).wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert _granted(release, provider, "podinfo-walk") - _used(release, walked) <= IN_TROUBLE
    assert _refused(release, began) <= OPTIONAL
    assert {verb for verb, _resource_ in _used(release, walked)} & {"update", "delete", "deletecollection"} == set()


def test_a_walk_of_a_daemonset_needs_all_of_the_roles_of_its_kind_and_nothing_of_deployments(release: Release) -> None:
    release.kind = "DaemonSet"
    release.start_app(VERSION="1")
    began = time.time()
    release.initialise(interval="2s", maxWeight=40, stepWeight=20, metrics=[])
    assert _granted(release, "daemonset", "podinfo-initialise-daemonset") - _used(release, began) == set()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walked = time.time()
    walk = release.walk(**QUICK).wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert _granted(release, "daemonset", "podinfo-walk-daemonset") - _used(release, walked) == set()
    assert _refused(release, began) <= OPTIONAL
    assert not {resource for _verb, resource in _used(release, began)} & {"deployments", "deployments/scale", "replicasets"}
