# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes between a walk and its end: other releases, kills, schedules, a second walker."""

from __future__ import annotations

import random
import time

from harness import Release, wait_for
from routing import on_every_gateway


@on_every_gateway
def test_a_second_release_in_mid_walk_starts_the_analysis_again(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20)
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("the first release has traffic", lambda: release.weight() == 20)
    release.set_template("lab.local/testapp:3", VERSION="3")
    walk.wait()
    weights = watch.stop()
    assert walk.result["outcome"] == "superseded" and walk.rc == 2, walk.output[-4000:]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:3"
    assert weights[-4:] == [0, 20, 40, 0] and weights.count(0) == 3, weights
    assert release.lost(load.stop()) == []


@on_every_gateway
def test_weak_spot_06_a_target_set_back_in_mid_walk_ends_it_without_promoting(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20)
    before, load = release.primary_template(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    release.set_template("lab.local/testapp:1", VERSION="1")
    walk.wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "superseded"), walk.output[-4000:]
    assert release.primary_template() == before
    assert (release.phase(), release.weight()) == ("Succeeded", 0)
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.lost(load.stop()) == []


@on_every_gateway
def test_a_walk_killed_three_times_ends_like_an_undisturbed_one(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=30, stepWeight=10)
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    seed = time.time_ns()
    print(f"seed of the moments: {seed}")
    moments = random.Random(seed)
    for _kill in range(3):
        walk = release.walk()
        time.sleep(moments.uniform(2.0, 9.0))
        walk.kill()
    last = release.walk().wait()
    weights = watch.stop()
    assert last.rc == 0 and last.result["outcome"] in ("promoted", "unchanged"), last.output[-4000:]
    assert release.phase() == "Succeeded"
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"
    assert set(weights) <= {0, 10, 20, 30}, weights
    climbed = [weight for index, weight in enumerate(weights) if index == 0 or weight != weights[index - 1]]
    assert climbed == [0, 10, 20, 30, 0], climbed
    assert release.lost(load.stop()) == []


def test_safety_03_a_second_walker_says_who_holds_it_and_touches_nothing(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    first = release.walk(canary_manual_gates=["confirm-rollout"])
    wait_for("the first waits", lambda: release.phase() == "Waiting")
    before = release.get("deployment", "podinfo")["metadata"]["resourceVersion"]
    second = release.walk().wait()
    assert (second.rc, second.result["outcome"]) == (2, "lost_lock"), second.output[-4000:]
    assert "is held by" in second.result["why"] and "since" in second.result["why"]
    assert release.get("deployment", "podinfo")["metadata"]["resourceVersion"] == before
    assert first.process.poll() is None, "the first walker goes on"
    assert release.playbook("approve").wait().rc == 0
    assert first.wait().rc == 0, first.output[-4000:]
    assert release.lost(load.stop()) == []


def test_tick_mode_every_second_ticks_only_when_due(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=10, interval="40s")
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    outcomes = []
    deadline = time.monotonic() + 300
    while release.phase() != "Succeeded" and time.monotonic() < deadline:
        tick = release.walk(canary_mode="tick").wait()
        assert tick.rc == 0, tick.output[-4000:]
        outcomes.append(tick.result["outcome"])
    weights = watch.stop()
    assert release.phase() == "Succeeded", outcomes
    assert weights == [0, 10, 20, 0]
    times = {canary: when for when, _primary, canary in watch.seen if canary}
    # A watch tells late, and not always equally late.
    assert times[20] - times[10] > 40 - 0.2, "each raise has a full interval of evidence"
    assert "not_due" in outcomes and outcomes[-1] == "promoted"
    assert release.lost(load.stop()) == []
