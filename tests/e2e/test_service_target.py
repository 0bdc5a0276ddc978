# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target: two versions run already, and a release points the Service from one to the other."""

from __future__ import annotations

import json
from typing import Any

from harness import RATE, Release, wait_for


def _version(release: Release, number: str) -> dict[str, Any]:
    """A Deployment of the user's own, which nobody walks."""
    made = release.deployment(f"lab.local/testapp:{number}", VERSION=number, ON_TERM="drain")
    labels = {"app": release.name, "version": number}
    made["metadata"].update(name=f"{release.name}-v{number}", labels=labels)
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = labels
    return made


def _begun(release: Release) -> None:
    versions = [_version(release, number) for number in ("1", "2")]
    release.kind = "Service"
    release.kubectl("create", "namespace", release.namespace)
    release.make_walker()
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo"},
               "spec": {"selector": {"app": "podinfo", "version": "1"}, "ports": [{"name": "http", "port": 80, "targetPort": 9898}]}}
    release.apply(*versions, service)
    for one in versions:
        release.kubectl("rollout", "status", f"deployment/{one['metadata']['name']}", "--timeout=60s")
    target = {"apiVersion": "v1", "kind": "Service", "name": "podinfo"}
    release.initialise(spec__targetRef=target, spec__service={"port": 80, **release.routing.service(release.host)}, metrics=[], maxWeight=50, stepWeight=25)


def _selected(release: Release, name: str) -> str:
    return release.get("service", name)["spec"]["selector"]["version"]


def _point(release: Release, number: str) -> None:
    release.kubectl("patch", "service", "podinfo", "--type=merge", "-p", json.dumps({"spec": {"selector": {"version": number}}}))


def test_safety_17_a_release_by_a_selector_is_promoted_and_given_back_without_a_failed_request(release: Release) -> None:
    _begun(release)
    assert [_selected(release, name) for name in ("podinfo", "podinfo-primary", "podinfo-canary")] == ["1", "1", "1"]
    before = release.get("service", "podinfo")["spec"]
    watch, load = release.watch_route(), release.load()
    _point(release, "2")
    first = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 25)
    first.kill()
    walk = release.walk().wait()
    weights = watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 25, 50, 0]
    assert [_selected(release, name) for name in ("podinfo", "podinfo-primary", "podinfo-canary")] == ["2", "2", "2"]
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), again.output[-3000:]
    release.allow("podinfo-remove")
    removed = release.playbook("remove", canary_drain=2).wait()
    counted = load.stop()
    assert (removed.rc, removed.result["outcome"]) == (0, "removed"), removed.output[-4000:]
    assert release.lost(counted) == []
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert sorted(counted["versions"]) == ["1", "2"], counted["versions"]
    assert [release.get("service", name) for name in ("podinfo-primary", "podinfo-canary")] == [{}, {}]
    assert release.get("service", "podinfo")["spec"] == {**before, "selector": {"app": "podinfo", "version": "2"}}
    route = release.get(release.routing.resource, "podinfo")
    assert [name for name, weight in release.routing.weights(route).items() if name == "podinfo" or weight] == ["podinfo"]


def test_a_release_by_a_selector_that_leads_to_nobody_is_rolled_back_without_a_user_having_seen_it(release: Release) -> None:
    _begun(release)
    watch, load = release.watch_route(), release.load()
    _point(release, "3")
    walk = release.walk().wait()
    counted = load.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "none of the pods that podinfo-canary selects is ready" in walk.result["why"], walk.result["why"]
    assert watch.stop() == [0]
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted
    assert [_selected(release, name) for name in ("podinfo", "podinfo-primary", "podinfo-canary")] == ["3", "1", "1"]
