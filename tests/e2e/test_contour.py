# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks by an HTTPProxy, under load through Contour's Envoy."""

from __future__ import annotations

import json
import os
import time

import pytest

from harness import PORT, Release, wait_for

CONTOUR = json.loads(os.environ.get("LAB_GATEWAYS", "{}")).get("contour")
PROXIES = "httpproxy"

pytestmark = pytest.mark.skipif(not CONTOUR, reason="the lab was started without Contour")


def status_of(release: Release, name: str) -> str:
    return release.get(PROXIES, name).get("status", {}).get("currentStatus", "")


def test_safety_26_an_httpproxy_that_nothing_includes_is_initialised_and_walked_only_when_a_root_includes_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.let_walk("contour")
    release.initialise(spec__provider="contour", spec__service={"port": 80, "targetPort": PORT, "timeout": "15s"}, maxWeight=20, stepWeight=10)
    assert status_of(release, "podinfo") == "orphaned"

    release.set_template("lab.local/testapp:2", VERSION="2")
    began = time.time()
    refused = release.walk().wait()
    assert refused.rc == 2 and "HTTPProxy" in refused.output and "is orphaned" in refused.output, refused.output[-4000:]
    assert release.writes(began) == []

    release.apply({"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "root", "namespace": release.namespace},
                   "spec": {"virtualhost": {"fqdn": release.host}, "includes": [{"name": "podinfo", "conditions": [{"prefix": "/"}]}]}})
    wait_for("it is included", lambda: status_of(release, "podinfo") == status_of(release, "root") == "valid")
    load = release.load(100, "--url", f"{CONTOUR['url']}/")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert len(walk.lines("canary to 10%")) == 1 and len(walk.lines("canary to 20%")) == 1, walk.output[-4000:]
    route, = release.get(PROXIES, "podinfo")["spec"]["routes"]
    assert [(one["name"], one["weight"]) for one in route["services"]] == [("podinfo-primary", 100), ("podinfo-canary", 0)]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"
    assert release.lost(load.stop()) == []
