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
    if not os.environ.get("FLAGGER"):
        pytest.skip("FLAGGER names no program of Flagger's controller; make bench ARGS='--only flagger' builds one in the lab's cache")
    release.start_app(VERSION="1")
    release.start_flagger(f"-metrics-server={os.environ['PROMETHEUS_URL']}", "-mesh-provider=contour")
    release.apply(release.document(**CANARY))
    wait_for("Flagger has initialised it", lambda: _phase(release) == "Initialized", LONGEST)
    return release


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
