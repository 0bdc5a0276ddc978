# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue/green releases, behind the gateway and over Services alone: users meet the revision all at once, or never."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

import cluster
from harness import PORT, RATE, Load, Receiver, Release, Walk, wait_for
from routing import CONTOUR, PROXY

STEPS = {"stepWeight": None, "maxWeight": None}
SERVICES_ALONE = {"spec__provider": "kubernetes", "spec__service": {"port": 80, "targetPort": PORT}}

mirrored = pytest.mark.parametrize("routing", [PROXY, pytest.param(CONTOUR, marks=pytest.mark.wide)], ids=str)
"""Those that can copy requests: Traefik cannot."""


def _address(release: Release, service: str) -> str:
    return f"http://{release.get('service', service)['spec']['clusterIP']}:80/"


def _load_on(release: Release, service: str) -> Load:
    """Requests to a Service's cluster address, through kube-proxy."""
    return release.load(RATE, "--url", _address(release, service), "--host", service)


def _hooks(release: Release) -> list[dict[str, str]]:
    """A pre-rollout hook that starts load on the canary, since no user makes any."""
    cluster.load_generator(["--url"])       # skips here what could not be skipped in the receiver's thread
    receiver = Receiver(on_ask=lambda: _load_on(release, "podinfo-canary"))
    release.on_cleanup.append(receiver.shutdown)
    return [{"name": "load", "type": "pre-rollout", "url": receiver.url, "timeout": "10s"}]


def _killed_in_iteration(release: Release, number: int) -> Walk:
    """A walk that is killed in an iteration, and the one after it to its end."""
    first = release.walk()
    wait_for(f"iteration {number}", lambda: release.record()["status"].get("iterations") == number)
    first.kill()
    return release.walk().wait()


def _without_routes(release: Release) -> None:
    """The walker may not even read a route."""
    for role in yaml.safe_load(release.kubectl("get", "roles", "-o", "yaml"))["items"]:
        rules = [rule for rule in role["rules"] if "gateway.networking.k8s.io" not in rule["apiGroups"]]
        release.kubectl("patch", "role", role["metadata"]["name"], "--type=merge", "-p", json.dumps({"rules": rules}))


def test_safety_12_a_good_release_gets_no_traffic_in_its_iterations_then_all_of_it(release: Release) -> None:
    release.image = "lab.local/podinfo:A"
    release.start_app()
    release.initialise(iterations=3, webhooks=_hooks(release), **STEPS)
    watch, users = release.watch_route(), release.load()
    release.set_template("lab.local/podinfo:B", PODINFO_UI_MESSAGE="B")
    walk = _killed_in_iteration(release, 2)
    counted, weights = users.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 100, 0]
    assert counted["failed"] == 0, counted["failures"]
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert release.images()["podinfo-primary"] == "lab.local/podinfo:B"
    assert walk.lines("iteration 3/3") and (release.phase(), release.record()["status"]["iterations"]) == ("Succeeded", 0)


def test_a_bad_release_is_rolled_back_without_a_user_having_seen_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(iterations=4, webhooks=_hooks(release), **STEPS)
    watch, users = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.2")
    walk = _killed_in_iteration(release, 1)
    counted = users.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "request-success-rate" in walk.result["why"], walk.result["why"]
    assert watch.stop() == [0]
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"


def _answered(release: Release, label: str) -> int:
    """How many requests, copies or not, reached the pods with this ``app`` label so far."""
    return sum(tally["total"] for tally in release.tallies(label))


@mirrored
def test_a_good_release_gets_copies_of_all_requests_in_its_iterations_then_the_requests(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise(iterations=3, mirror=True, **STEPS)
    watch, users = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk(canary_metrics_from="app")
    wait_for("iteration 2", lambda: release.record()["status"].get("iterations") == 2)
    assert release.record()["walk"]["mirror"] == 100 and release.weight() == 0
    before, early = _answered(release, "podinfo"), release.load(10)
    time.sleep(2)
    assert list(early.stop()["versions"]) == ["1"], "what the canary answers to copies reaches nobody"
    assert _answered(release, "podinfo") - before >= 1.5 * RATE, "the canary gets a copy of each request"
    walk.wait()
    counted, weights = users.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 100, 0] and walk.lines("mirror 100% iteration 2/3") and walk.lines("iteration 3/3")
    assert release.lost(counted) == []
    assert "irror" not in json.dumps(release.get(release.routing.resource, "podinfo")["spec"])


@mirrored
def test_a_bad_release_that_gets_copies_is_rolled_back_without_a_user_having_seen_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(iterations=4, mirror=True, **STEPS)
    watch, users = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.2")
    walk = release.walk(canary_metrics_from="app").wait()
    counted = users.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "request-success-rate" in walk.result["why"], walk.result["why"]
    assert watch.stop() == [0]
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert "irror" not in json.dumps(release.get(release.routing.resource, "podinfo")["spec"])


def _refused_before_a_release(release: Release, field: str) -> None:
    users = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    refused = release.walk().wait()
    assert refused.rc == 2 and field in refused.output and "500" in refused.output, refused.output[-4000:]
    counted = users.stop()
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted


def test_safety_16_traefik_which_answers_500_to_a_route_that_copies_is_refused_before_a_release(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(iterations=3, mirror=True, **STEPS)
    _refused_before_a_release(release, "spec.analysis.mirror")


def test_safety_16_copies_of_a_document_are_left_out_where_traefik_serves_and_refused_before_a_release(release: Release) -> None:
    """The walker may not look at the Gateway, so that only the route's status tells who serves it."""
    release.start_app(VERSION="1")
    service = {**release.document()["spec"]["service"], "mirror": [{"backendRef": {"name": "podinfo-primary", "port": 80}}]}
    release.write_document(iterations=3, spec__service=service, **STEPS)
    first = release.walk(canary_max_time_to_accept=3).wait()
    assert (first.rc, release.phase()) == (0, "Initialized"), first.output[-4000:]
    assert "irror" not in json.dumps(release.get(release.routing.resource, "podinfo")["spec"])
    _refused_before_a_release(release, "spec.service.mirror")


def test_a_good_release_over_services_alone_loses_no_request_and_needs_no_route(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    _without_routes(release)
    release.initialise(iterations=2, webhooks=_hooks(release), **STEPS, **SERVICES_ALONE)
    users = _load_on(release, "podinfo")
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = _killed_in_iteration(release, 2)
    wait_for("users are served by the new revision alone", lambda: release.get("deployment", "podinfo-primary")["status"]["updatedReplicas"] == 2)
    counted = users.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert counted["failed"] == 0, counted["failures"]
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert sorted(counted["versions"]) == ["1", "2"], counted["versions"]
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}
    assert (release.phase(), release.get("deployment", "podinfo")["spec"]["replicas"]) == ("Succeeded", 0)
    assert release.get("service", "podinfo")["spec"]["selector"] == {"app": "podinfo-primary"}
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), again.output[-3000:]


def test_a_bad_release_over_services_alone_is_rolled_back_without_a_user_having_seen_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(iterations=4, webhooks=_hooks(release), **STEPS, **SERVICES_ALONE)
    users = _load_on(release, "podinfo")
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.2")
    walk = _killed_in_iteration(release, 1)
    counted = users.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "request-success-rate" in walk.result["why"], walk.result["why"]
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"


def test_safety_14_an_apex_pointed_at_the_canary_by_hand_is_pointed_back_before_its_pods_go(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise(iterations=2, metrics=[], **STEPS, **SERVICES_ALONE)
    users = _load_on(release, "podinfo")
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk()
    wait_for("iteration 1", lambda: release.record()["status"].get("iterations") == 1)
    selector: dict[str, Any] = {"spec": {"selector": {"app": "podinfo"}}}
    release.kubectl("patch", "service", "podinfo", "--type=merge", "-p", json.dumps(selector))
    wait_for("it is pointed back", lambda: release.get("service", "podinfo")["spec"]["selector"] == {"app": "podinfo-primary"})
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 2
    assert walk.wait().rc == 0, walk.output[-4000:]
    assert walk.lines("was 100, not the confirmed 0") or walk.lines("above the confirmed 0%"), walk.output[-4000:]
    assert users.stop()["failed"] == 0
