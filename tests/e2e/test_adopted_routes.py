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
from typing import Any

import pytest

from harness import Release, wait_for

OURS = ("progressive.delivery/canary", "progressive.delivery/epoch")
ADOPTED = {"canary_route": "adopted", "canary_route_name": "public", "canary_route_rule": "main"}


def the_users_route(release: Release, primary: str, weight: int = 100, canary: int = 0) -> dict[str, Any]:
    """Three rules, filters of the rule and of a backend, more backends in other rules, other people's annotations."""
    namespace, name = os.environ["LAB_GATEWAY"].split("/")

    def header(value: str) -> dict[str, Any]:
        return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-rule", "value": value}]}}

    def backend(service: str, share: int | None = None, **more: Any) -> dict[str, Any]:
        return {"name": service, "port": 80, **({} if share is None else {"weight": share}), **more}

    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "public", "namespace": release.namespace, "labels": {"team": "blue"},
                     "annotations": {"example.com/owner": "team-blue", "example.com/note": "do not touch"}},
        "spec": {
            "parentRefs": [{"name": name, "namespace": namespace}], "hostnames": [release.host],
            "rules": [
                {"name": "static", "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
                 "backendRefs": [backend("podinfo", 3), backend("podinfo-primary", 7), backend("podinfo-canary", 0)]},
                {"name": "main", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [header("main")],
                 "timeouts": {"request": "10s"}, "backendRefs": [backend("podinfo-canary", canary), backend(primary, weight)]},
                {"name": "testers", "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "x-tester", "value": "yes"}]}],
                 "backendRefs": [backend("podinfo-primary", 1), backend("podinfo-canary", 0)]},
            ],
        },
    }


def as_written(live: dict[str, Any]) -> dict[str, Any]:
    """An object without what the server keeps its own books with."""
    body = {key: value for key, value in copy.deepcopy(live).items() if key != "status"}
    for key in ("resourceVersion", "generation", "managedFields"):
        body["metadata"].pop(key, None)
    return body


def all_but_ours(live: dict[str, Any]) -> str:
    """As written, without the two weights of the walked rule and our annotations, in the server's own order of keys."""
    body = as_written(live)
    for key in OURS:
        body["metadata"]["annotations"].pop(key, None)
    for entry in body["spec"]["rules"][1]["backendRefs"]:
        entry.pop("weight")
    return json.dumps(body)


class States(threading.Thread):
    """Every state that the route ever had, by a real watch."""

    def __init__(self, release: Release) -> None:
        super().__init__(daemon=True)
        self.seen: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            ["kubectl", "-n", release.namespace, "get", "httproutes.gateway.networking.k8s.io", "public", "--watch", "-o", "json"],
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


def climbed(states: list[dict[str, Any]]) -> list[int]:
    """The canary's weights in the walked rule, each once in a row."""
    weights = [state["spec"]["rules"][1]["backendRefs"][0]["weight"] for state in states]
    return [weight for index, weight in enumerate(weights) if index == 0 or weight != weights[index - 1]]


@pytest.mark.parametrize("primary", ["podinfo-primary", "podinfo"])
def test_safety_01_a_walk_on_the_users_route_killed_in_the_middle_changes_two_weights_and_leaves_nothing(release: Release, primary: str) -> None:
    release.start_app(VERSION="1")
    release.apply(the_users_route(release, primary))
    states = States(release)
    before = release.get("httproute", "public")
    release.write_document(maxWeight=30, stepWeight=10)
    first = release.walk(**ADOPTED).wait()
    assert first.rc == 0 and release.phase() == "Initialized", first.output[-4000:]
    assert as_written(release.get("httproute", "public")) == as_written(before)

    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(**ADOPTED)
    wait_for("it has traffic", lambda: release.weight() == 20)
    walk.kill()
    held = release.get("httproute", "public")["metadata"]["annotations"]
    assert held["progressive.delivery/canary"] == "podinfo" and int(held["progressive.delivery/epoch"].partition(".")[0]) > 0
    last = release.walk(**ADOPTED).wait()
    assert (last.rc, last.result["outcome"]) == (0, "promoted"), last.output[-4000:]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"

    after = release.get("httproute", "public")
    seen = states.stop(after["metadata"]["resourceVersion"])
    assert json.dumps(as_written(after)) == json.dumps(as_written(before))
    assert {all_but_ours(state) for state in seen} == {all_but_ours(before)}
    assert climbed(seen) == [0, 10, 20, 30, 0]
    assert load.stop()["failed"] == 0


def test_a_run_that_finds_what_a_killed_one_left_in_the_users_route_takes_it_away(release: Release) -> None:
    release.start_app(VERSION="1")
    release.apply(the_users_route(release, "podinfo-primary"))
    before = release.get("httproute", "public")
    release.write_document(maxWeight=20, stepWeight=20)
    assert release.walk(**ADOPTED).wait().rc == 0
    release.kubectl("annotate", "httproute", "public", "progressive.delivery/canary=podinfo", "progressive.delivery/epoch=1")
    again = release.walk(**ADOPTED).wait()
    assert (again.rc, again.result["outcome"]) == (0, "unchanged"), again.output[-4000:]
    assert as_written(release.get("httproute", "public")) == as_written(before)
    began = time.time()
    assert release.walk(**ADOPTED).wait().result["outcome"] == "unchanged"
    assert release.writes(began) == []


def test_an_abort_on_the_users_route_leaves_nothing_in_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.apply(the_users_route(release, "podinfo-primary"))
    before = release.get("httproute", "public")
    release.write_document(maxWeight=40, stepWeight=20)
    assert release.walk(**ADOPTED).wait().rc == 0
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(**ADOPTED)
    wait_for("it has traffic", lambda: release.weight() == 20)
    aborted = release.playbook("abort").wait()
    walk.wait()
    assert aborted.rc == 0 and release.phase() == "Failed", aborted.output[-4000:]
    assert as_written(release.get("httproute", "public")) == as_written(before)


@pytest.mark.parametrize(("route", "words"), [
    (None, "canary_route: adopted needs HTTPRoute"),
    ((100, 5), "gives podinfo-canary 5 % before a release has begun"),
])
def test_a_route_that_does_not_fit_is_refused_before_the_first_write(release: Release, route: tuple[int, int] | None, words: str) -> None:
    release.start_app(VERSION="1")
    if route:
        release.apply(the_users_route(release, "podinfo-primary", *route))
    release.write_document()
    began = time.time()
    walk = release.walk(**ADOPTED).wait()
    assert walk.rc == 2 and words in walk.output, walk.output[-4000:]
    assert "weight: 100}, {name: podinfo-canary, port: 80, weight: 0}]" in walk.output
    assert release.writes(began) == []
