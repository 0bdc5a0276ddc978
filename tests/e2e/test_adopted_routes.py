# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks on a route of the user's own, which is compared byte by byte with what the user wrote, in every state that it ever had."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from harness import PORT, Load, Release, wait_for

OURS = ("progressive.delivery/canary", "progressive.delivery/epoch")
THEIRS = {"labels": {"team": "blue"}, "annotations": {"example.com/owner": "team-blue", "example.com/note": "do not touch"}}
GATEWAYS = json.loads(os.environ.get("LAB_GATEWAYS", "{}"))


def backend(service: str, share: int, **more: Any) -> dict[str, Any]:
    return {"name": service, "port": 80, "weight": share, **more}


def http_route(release: Release, primary: str, weight: int = 100, canary: int = 0) -> dict[str, Any]:
    """Three rules, filters, more backends in other rules, other people's labels and annotations; the second rule is walked on."""
    namespace, name = (os.environ.get("LAB_GATEWAY") or GATEWAYS["traefik"]["gateway"]).split("/")
    header = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-rule", "value": "main"}]}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "public", "namespace": release.namespace, **THEIRS},
        "spec": {
            "parentRefs": [{"name": name, "namespace": namespace}], "hostnames": [release.host],
            "rules": [
                {"name": "static", "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
                 "backendRefs": [backend("podinfo", 3), backend("podinfo-primary", 7), backend("podinfo-canary", 0)]},
                {"name": "main", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [header],
                 "timeouts": {"request": "10s"}, "backendRefs": [backend("podinfo-canary", canary), backend(primary, weight)]},
                {"name": "testers", "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "x-tester", "value": "yes"}]}],
                 "backendRefs": [backend("podinfo-primary", 1), backend("podinfo-canary", 0)]},
            ],
        },
    }


def http_proxy(release: Release, primary: str, weight: int = 100, canary: int = 0) -> dict[str, Any]:
    """The like for Contour, with a mirror beside the two that split."""
    header = {"set": [{"name": "x-rule", "value": "main"}]}
    return {
        "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "public", "namespace": release.namespace, **THEIRS},
        "spec": {
            "virtualhost": {"fqdn": release.host},
            "routes": [
                {"conditions": [{"prefix": "/static"}],
                 "services": [backend("podinfo", 3), backend("podinfo-primary", 7), backend("podinfo-canary", 0)]},
                {"conditions": [{"prefix": "/"}], "responseHeadersPolicy": header, "timeoutPolicy": {"response": "10s"},
                 "services": [backend("podinfo-canary", canary), backend(primary, weight), backend("podinfo-primary", 1, mirror=True)]},
                {"conditions": [{"prefix": "/"}, {"header": {"name": "x-tester", "exact": "yes"}}],
                 "services": [backend("podinfo-primary", 1), backend("podinfo", 0)]},
            ],
        },
    }


@dataclass(frozen=True)
class Own:
    """A kind of route that users have."""

    provider: str
    resource: str
    make: Callable[..., dict[str, Any]]
    rules: str
    backends: str
    variables: dict[str, str]
    gateway: str

    def __str__(self) -> str:
        return self.provider.partition(":")[0]

    def get(self, release: Release) -> dict[str, Any]:
        return release.get(self.resource, "public")

    def walked(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The two entries of the walked rule, the canary's first."""
        return body["spec"][self.rules][1][self.backends][:2]

    def all_but_ours(self, live: dict[str, Any]) -> str:
        """As written, without the two weights of the walked rule and our annotations, in the server's own order of keys."""
        body = as_written(live)
        for key in OURS:
            body["metadata"]["annotations"].pop(key, None)
        for entry in self.walked(body):
            entry.pop("weight")
        return json.dumps(body)

    def weights(self, states: list[dict[str, Any]]) -> list[int]:
        """The canary's weights in the walked rule, each once in a row."""
        weights = [self.walked(state)[0]["weight"] for state in states]
        return [weight for index, weight in enumerate(weights) if index == 0 or weight != weights[index - 1]]

    def load(self, release: Release) -> Load:
        return release.load(100, *(["--url", f"{GATEWAYS[self.gateway]['url']}/"] if self.gateway in GATEWAYS else []))

    def document(self, release: Release, **changes: Any) -> None:
        release.write_document(spec__provider=self.provider, **changes)


ADOPTED = {"canary_route": "adopted", "canary_route_name": "public"}
ROUTE = Own("gatewayapi:v1", "httproute", http_route, "rules", "backendRefs", {**ADOPTED, "canary_route_rule": "main"}, "traefik")
PROXY = Own("contour", "httpproxy", http_proxy, "routes", "services", ADOPTED, "contour")


@pytest.fixture(params=[ROUTE, PROXY], ids=str)
def own(request: pytest.FixtureRequest) -> Own:
    if request.param is PROXY and "contour" not in GATEWAYS:
        pytest.skip("the lab was started without Contour")
    return request.param


def begin(release: Release, own: Own, primary: str = "podinfo-primary") -> dict[str, Any]:
    """An app as users have it before the first walk, with an apex and a route of theirs; the route as the server holds it."""
    release.start_app(VERSION="1")
    release.let_walk(own.provider, "public")
    release.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo", "namespace": release.namespace},
                   "spec": {"selector": {"app": "podinfo"}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]}})
    release.apply(own.make(release, primary))
    return own.get(release)


def as_written(live: dict[str, Any]) -> dict[str, Any]:
    """An object without what the server keeps its own books with."""
    body = {key: value for key, value in copy.deepcopy(live).items() if key != "status"}
    for key in ("resourceVersion", "generation", "managedFields"):
        body["metadata"].pop(key, None)
    return body


class States(threading.Thread):
    """Every state that the route ever had, by a real watch."""

    def __init__(self, release: Release, own: Own) -> None:
        super().__init__(daemon=True)
        self.seen: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            ["kubectl", "-n", release.namespace, "get", own.resource, "public", "--watch", "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        release.on_cleanup.append(self.process.kill)
        self.start()
        wait_for("the watch shows the route", lambda: self.seen)

    def run(self) -> None:
        text = ""
        for line in self.process.stdout:
            text += line
            if line.rstrip() == "}":
                self.seen.append(json.loads(text))
                text = ""

    def stop(self, last: str) -> list[dict[str, Any]]:
        wait_for("the watch has seen the last state", lambda: self.seen[-1]["metadata"]["resourceVersion"] == last)
        self.process.terminate()
        self.process.wait(10)
        return self.seen


@pytest.mark.parametrize("primary", ["podinfo-primary", "podinfo"])
def test_safety_01_a_walk_on_the_users_route_killed_in_the_middle_changes_two_weights_and_leaves_nothing(release: Release, own: Own, primary: str) -> None:
    before = begin(release, own, primary)
    states = States(release, own)
    own.document(release, maxWeight=30, stepWeight=10, metrics=None)
    first = release.walk(**own.variables).wait()
    assert first.rc == 0 and release.phase() == "Initialized", first.output[-4000:]
    assert as_written(own.get(release)) == as_written(before)

    load = own.load(release)
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(**own.variables)
    wait_for("it has traffic", lambda: release.weight() == 20)
    walk.kill()
    held = own.get(release)["metadata"]["annotations"]
    assert held["progressive.delivery/canary"] == "podinfo" and int(held["progressive.delivery/epoch"].partition(".")[0]) > 0
    last = release.walk(**own.variables).wait()
    assert (last.rc, last.result["outcome"]) == (0, "promoted"), last.output[-4000:]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"

    after = own.get(release)
    seen = states.stop(after["metadata"]["resourceVersion"])
    assert json.dumps(as_written(after)) == json.dumps(as_written(before))
    assert {own.all_but_ours(state) for state in seen} == {own.all_but_ours(before)}
    assert own.weights(seen) == [0, 10, 20, 30, 0]
    assert release.lost(load.stop()) == []


def test_a_run_that_finds_what_a_killed_one_left_in_the_users_route_takes_it_away(release: Release, own: Own) -> None:
    before = begin(release, own)
    own.document(release, maxWeight=20, stepWeight=20, metrics=None)
    assert release.walk(**own.variables).wait().rc == 0
    release.kubectl("annotate", own.resource, "public", "progressive.delivery/canary=podinfo", "progressive.delivery/epoch=1")
    again = release.walk(**own.variables).wait()
    assert (again.rc, again.result["outcome"]) == (0, "unchanged"), again.output[-4000:]
    assert as_written(own.get(release)) == as_written(before)
    began = time.time()
    assert release.walk(**own.variables).wait().result["outcome"] == "unchanged"
    assert release.writes(began) == []


def test_an_abort_on_the_users_route_leaves_nothing_in_it(release: Release, own: Own) -> None:
    before = begin(release, own)
    own.document(release, maxWeight=40, stepWeight=20, metrics=None)
    assert release.walk(**own.variables).wait().rc == 0
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(**own.variables)
    wait_for("it has traffic", lambda: release.weight() == 20)
    aborted = release.playbook("abort").wait()
    walk.wait()
    assert release.phase() == "Failed", aborted.output[-4000:]
    assert as_written(own.get(release)) == as_written(before)


@pytest.mark.parametrize(("route", "words"), [
    (None, "canary_route: adopted needs HTTP"),
    ((100, 5), "gives podinfo-canary 5 % before a release has begun"),
])
def test_a_route_that_does_not_fit_is_refused_before_the_first_write(release: Release, own: Own, route: tuple[int, int] | None, words: str) -> None:
    release.start_app(VERSION="1")
    release.let_walk(own.provider, "public")
    if route:
        release.apply(own.make(release, "podinfo-primary", *route))
    own.document(release, metrics=None)
    began = time.time()
    walk = release.walk(**own.variables).wait()
    assert walk.rc == 2 and words in walk.output, walk.output[-4000:]
    assert "weight: 100}, {name: podinfo-canary, port: 80, weight: 0}]" in walk.output
    assert release.writes(began) == []
