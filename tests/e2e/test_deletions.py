# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody deletes what a walk rests on, at each of its weights, and it is run again: the record, the primary, the Canary object."""

from __future__ import annotations

import json
import time
from typing import Any

from harness import Release, Walk, wait_for

WEIGHTS = (0, 20, 40)
ANALYSIS: dict[str, Any] = {"maxWeight": 40, "stepWeight": 20, "interval": "8s"}     # time enough to delete something
SETTLE = 5                  # seconds, the same at weight 0
PROBES = 3                  # that have to fail in a row: here it is the walks that may lose nothing, not a machine that is busy for a second


def _reaches(release: Release, weight: int) -> None:
    """A walk comes to this weight; at 0 its pods start, or settle."""
    wait_for(f"it progresses at {weight}%", lambda: (release.phase(), release.live_weight()) == ("Progressing", weight), 90)


def _is_promoted(release: Release, walk: Walk) -> None:
    walk.wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}


def _runs_what_was_promoted(release: Release) -> None:
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1", "the primary runs what nobody analysed"


def _notices(release: Release, walk: Walk) -> None:
    """Whoever reads before he writes begins again with a record of his own, and is killed; whoever writes first ends in words."""
    wait_for("the walk notices", lambda: walk.process.poll() is not None or release.get("configmap", "podinfo-canary"))
    walk.kill()
    if "PLAY RECAP" in walk.output:
        assert (walk.rc, walk.result["outcome"]) == (2, "lost_lock"), walk.output[-4000:]
        assert "podinfo was deleted while it was walked: run again" in walk.result["why"]


def test_safety_05_a_record_that_is_deleted_at_any_weight_takes_traffic_back_and_the_analysis_begins_again(release: Release) -> None:
    release.unready_after = PROBES
    release.start_app(VERSION="1")
    release.initialise(**ANALYSIS)
    release.allow("podinfo-initialise")
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    for weight in WEIGHTS:
        walk = release.walk(canary_settle=SETTLE)
        _reaches(release, weight)
        release.kubectl("delete", "configmap", "podinfo-canary")
        _notices(release, walk)
        _runs_what_was_promoted(release)
    _is_promoted(release, release.walk())
    assert watch.stop() == [0, 20, 0, 20, 40, 0, 20, 40, 0]
    assert release.lost(load.stop()) == []


def test_safety_07_a_canary_object_that_is_deleted_at_any_weight_changes_nothing_for_the_walk(release: Release) -> None:
    release.unready_after = PROBES
    release.start_app(VERSION="1")
    document = release.document(**ANALYSIS)
    release.apply(document)
    first = release.walk(canary_file=None).wait()
    assert first.rc == 0 and release.phase() == "Initialized", first.output[-4000:]
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    for weight in WEIGHTS:
        release.apply(document)
        walk = release.walk(canary_file=None, canary_settle=SETTLE)
        _reaches(release, weight)
        release.kubectl("delete", "canary", "podinfo")
        walk.kill()
    _is_promoted(release, release.walk(canary_file=None))
    assert release.get("canary", "podinfo") == {}
    assert watch.stop() == [0, 20, 40, 0]
    assert release.lost(load.stop()) == []


def _backup(release: Release) -> dict[str, Any]:
    """The primary as somebody who keeps backups would apply it again."""
    live = release.get("deployment", "podinfo-primary")
    kept = {key: live["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": live["spec"]}


def test_safety_16_a_primary_that_is_deleted_at_any_weight_is_told_and_the_walk_goes_on_when_it_is_back(release: Release) -> None:
    release.unready_after = PROBES
    release.start_app(VERSION="1")
    release.initialise(**ANALYSIS)
    release.allow("podinfo-initialise")         # it could make one
    watch, load, away = release.watch_route(), release.load(), []
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_settle=SETTLE)
    for weight in WEIGHTS:
        _reaches(release, weight)
        backup, began = _backup(release), time.time()
        release.kubectl("delete", "deployment", "podinfo-primary")
        told = "podinfo-primary does not exist: users have nobody there; apply it again, or delete the ConfigMap"
        wait_for("it is told", lambda: told in walk.output)
        walk.kill()
        walk = release.walk(canary_settle=SETTLE)
        wait_for("it is told again", lambda: told in walk.output)
        assert release.get("deployment", "podinfo-primary") == {}, "not of a template that was not analysed"
        assert release.live_weight() == weight
        release.apply(backup)
        release.kubectl("rollout", "status", "deployment/podinfo-primary", "--timeout=60s")
        _runs_what_was_promoted(release)
        away.append((began - 1, time.time() + 2))
    _is_promoted(release, walk)
    assert watch.stop() == [0, 20, 40, 0]
    elsewhere = [second for second in load.stop()["timeline"] if second["failed"] and not any(begin <= second["t"] <= end for begin, end in away)]
    assert elsewhere == [], json.dumps(elsewhere)
