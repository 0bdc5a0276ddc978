# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary that the real Flagger walks is left to it, and taken over where it is suspended for Flagger, which goes on running (SAFETY 25)."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from harness import WALKER, Release, wait_for
from routing import PROXY, Routing

CANARY: dict[str, Any] = {"interval": "10s", "threshold": 1, "maxWeight": 40, "stepWeight": 20}
LONGEST = 120.0             # seconds that Flagger may take for anything here

pytestmark = pytest.mark.wide


@pytest.fixture
def routing() -> Routing:
    return PROXY


@pytest.fixture
def flaggers(release: Release) -> Release:
    """A canary that Flagger has initialised."""
    _need_flagger()
    release.start_app(VERSION="1")
    _initialised_by_flagger(release)
    return release


def _need_flagger() -> None:
    if not os.environ.get("FLAGGER"):
        pytest.skip("FLAGGER names no program of Flagger's controller; make bench ARGS='--only flagger' builds one in the lab's cache")


def _initialised_by_flagger(release: Release, **changes: Any) -> None:
    release.start_flagger(f"-metrics-server={os.environ['PROMETHEUS_URL']}", "-mesh-provider=contour")
    release.apply(release.document(**CANARY, **changes))
    wait_for("Flagger has initialised it", lambda: _phase(release) == "Initialized", LONGEST)


def _status(release: Release) -> dict[str, Any]:
    return release.get("canary", "podinfo").get("status") or {}


def _phase(release: Release) -> str:
    return str(_status(release).get("phase", ""))


def _suspend_for_flagger(release: Release) -> None:
    release.kubectl("annotate", "canary", "podinfo", "progressive.delivery/suspend-means=flagger")
    release.kubectl("patch", "canary", "podinfo", "--type=merge", "-p", json.dumps({"spec": {"suspend": True}}))


def test_safety_25_a_live_flagger_is_refused_before_the_first_write_and_one_that_is_suspended_is_not(flaggers: Release) -> None:
    began, status, primary = time.time(), _status(flaggers), flaggers.get("deployment", "podinfo-primary")["metadata"]["uid"]
    refused = flaggers.walk(canary_file=None).wait()
    assert refused.rc == 2 and "Flagger walks Deployment podinfo by it" in refused.output, refused.output[-4000:]
    assert "progressive.delivery/suspend-means: flagger" in refused.output
    assert (flaggers.writes(began), _status(flaggers)) == ([], status), f"{WALKER} wrote"
    _suspend_for_flagger(flaggers)
    watch, load = flaggers.watch_route(), flaggers.load(50)
    taken = flaggers.walk(canary_file=None).wait()
    assert (taken.rc, flaggers.phase()) == (0, "Initialized"), taken.output[-4000:]
    assert watch.canary_weights() == [0], "what Flagger had promoted is not walked again"
    flaggers.set_template("lab.local/testapp:2", VERSION="2")
    promoted = flaggers.walk(canary_file=None).wait()
    assert (promoted.rc, promoted.result["outcome"]) == (0, "promoted"), promoted.output[-4000:]
    assert watch.stop() == [0, 20, 40, 0]
    live = flaggers.get("deployment", "podinfo-primary")["metadata"]
    assert (live["uid"], live.get("ownerReferences", [])) == (primary, []) and _phase(flaggers) == "Succeeded"
    assert flaggers.images()["podinfo-primary"] == "lab.local/testapp:2"
    assert flaggers.lost(load.stop()) == []


def test_safety_25_a_walk_that_flagger_left_in_the_middle_begins_again_at_0(flaggers: Release) -> None:
    load = flaggers.load(50)
    flaggers.set_template("lab.local/testapp:2", VERSION="2")
    wait_for("Flagger gives it traffic", lambda: _status(flaggers).get("canaryWeight") == 20, LONGEST)
    _suspend_for_flagger(flaggers)
    watch = flaggers.watch_route()
    wait_for("the watch has begun", lambda: watch.seen)
    left_at = watch.canary_weights()[0]
    walk = flaggers.walk(canary_file=None).wait()
    walk = flaggers.walk(canary_file=None).wait() if flaggers.phase() == "Initialized" else walk
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert left_at > 0 and watch.stop() == [left_at, 0, 20, 40, 0]
    assert flaggers.images()["podinfo-primary"] == "lab.local/testapp:2"
    assert flaggers.lost(load.stop()) == []


def test_safety_25_what_flagger_rejected_stays_rejected_until_there_is_another(flaggers: Release) -> None:
    load = flaggers.load(50)
    flaggers.set_template("lab.local/testapp:bad", VERSION="2")
    wait_for("Flagger has rolled it back", lambda: _phase(flaggers) == "Failed", LONGEST)
    _suspend_for_flagger(flaggers)
    watch = flaggers.watch_route()
    walk = flaggers.walk(canary_file=None).wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "says that this template failed before" in walk.result["why"] and flaggers.images()["podinfo-primary"] == "lab.local/testapp:1"
    assert watch.canary_weights() == [0]
    flaggers.set_template("lab.local/testapp:3", VERSION="3")
    walk = flaggers.walk(canary_file=None).wait()
    assert (walk.rc, walk.result["outcome"], watch.stop()) == (0, "promoted", [0, 20, 40, 0]), walk.output[-4000:]
    load.stop()


NAMED = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
OWNED = (("configmap", "podinfo-primary"), ("secret", "podinfo-primary"), ("autoscaler", "podinfo-primary"), ("deployment", "podinfo-primary"))


def _configured(release: Release) -> None:
    """podinfo with all of its settings in a ConfigMap and a Secret, and with an autoscaler."""
    release.start_app(VERSION="0")
    metadata = {"name": "podinfo", "namespace": release.namespace}
    release.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"VERSION": "1", "ON_TERM": "drain"}},
                  {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"TOKEN": "sesame-4711"}},
                  {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": {
                      "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 2, "maxReplicas": 3}})
    deployment = release.deployment()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["env"], container["envFrom"] = [], [{"configMapRef": {"name": "podinfo"}}, {"secretRef": {"name": "podinfo"}}]
    release.apply(deployment)
    release.kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")


def _owners(release: Release) -> dict[str, list[str]]:
    return {kind: [owner["kind"] for owner in release.get(kind, name)["metadata"].get("ownerReferences", [])] for kind, name in OWNED}


def test_safety_25_what_a_primary_of_flaggers_needs_stays_when_its_canary_object_is_deleted(release: Release) -> None:
    _need_flagger()
    _configured(release)
    _initialised_by_flagger(release, spec__autoscalerRef=NAMED)
    wait_for("Flagger has made the primary's autoscaler", lambda: release.get("autoscaler", "podinfo-primary"), LONGEST)
    assert _owners(release) == {kind: ["Canary"] for kind, _name in OWNED}
    _suspend_for_flagger(release)
    for role in ("podinfo-configs", "podinfo-autoscaler"):
        release.allow(role)
    began = time.time()
    refused = release.walk(canary_file=None).wait()
    assert refused.rc == 2 and "may not patch configmaps" in refused.output and release.writes(began) == [], refused.output[-4000:]
    release.allow("podinfo-take-over")
    watch = release.watch_route()
    taken = release.walk(canary_file=None).wait(400)
    assert (taken.rc, release.phase()) == (0, "Initialized"), taken.output[-4000:]
    assert _owners(release) == {kind: [] for kind, _name in OWNED}

    uid = release.get("canary", "podinfo")["metadata"]["uid"]
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": uid}
    release.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bait", "namespace": release.namespace, "ownerReferences": [owner]}})
    release.kubectl("delete", "canary", "podinfo")
    wait_for("the garbage collector has been here", lambda: release.get("configmap", "bait") == {}, LONGEST)
    release.kubectl("delete", "pods", "-l", "app=podinfo-primary")
    release.kubectl("rollout", "status", "deployment/podinfo-primary", "--timeout=60s")
    assert watch.canary_weights() == [0], "what Flagger had promoted is not walked again"

    load, settings = release.load(50), {"VERSION": "2", "ON_TERM": "drain"}
    release.kubectl("patch", "configmap", "podinfo", "--type=merge", "-p", json.dumps({"data": settings}))
    promoted = release.walk(canary_file=None).wait(400)
    assert (promoted.rc, promoted.result["outcome"]) == (0, "promoted"), promoted.output[-4000:]
    assert watch.stop() == [0, 20, 40, 0] and release.lost(load.stop()) == []
    first, second = release.primary_template()["spec"]["containers"][0]["envFrom"]
    assert first["configMapRef"]["name"].startswith("podinfo-primary-") and second["secretRef"]["name"].startswith("podinfo-primary-")
    assert release.get("configmap", "podinfo-primary")["data"]["VERSION"] == "1", "for whoever goes back to what Flagger had promoted"
