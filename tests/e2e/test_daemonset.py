# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DaemonSet as the target, on the one node of the lab: on its nodes while it is analysed, and off them otherwise."""

from __future__ import annotations

import pytest

from harness import RATE, Release, wait_for

PARKED = {"flagger.app/scale-to-zero": "true"}


@pytest.fixture
def daemonset(release: Release) -> Release:
    release.kind = "DaemonSet"
    return release


def _selector(release: Release, name: str = "podinfo") -> dict[str, str] | None:
    return release.get("daemonset", name)["spec"]["template"]["spec"].get("nodeSelector")


def _pods(release: Release, label: str = "podinfo") -> int:
    return len(release.kubectl("get", "pods", "-l", f"app={label}", "-o", "name").split())


def test_safety_17_19_a_good_release_of_a_daemonset_is_promoted_and_nobody_loses_a_request(daemonset: Release) -> None:
    release = daemonset
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise()
    assert (_selector(release), _selector(release, "podinfo-primary")) == (PARKED, None)
    wait_for("the target has left its node", lambda: _pods(release) == 0)
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), "parking is no new revision"
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk().wait()
    counted, weights = load.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 10, 20, 30, 40, 50, 0]
    assert release.lost(counted) == []
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}
    assert (release.phase(), _selector(release), _selector(release, "podinfo-primary")) == ("Succeeded", PARKED, None)
    assert _pods(release, "podinfo-primary") == 1


def test_a_bad_release_of_a_daemonset_is_rolled_back_and_taken_off_its_nodes(daemonset: Release) -> None:
    release = daemonset
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise()
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.5", ON_TERM="drain")
    walk = release.walk().wait()
    counted, weights = load.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert weights[:2] == [0, 10] and weights[-1] == 0, weights
    assert {one["version"] for one in counted["failures"]} == {"2"}, counted["failures"][:3]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
    assert _selector(release) == PARKED
    wait_for("the target has left its node", lambda: _pods(release) == 0)
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"]) == (2, "rolled_back"), "what was rejected is not tried again"


def test_safety_29_a_daemonset_is_removed_and_serves_by_itself_as_its_author_wrote_it(daemonset: Release) -> None:
    release = daemonset
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise()
    for role in ("podinfo-remove", "podinfo-remove-daemonset"):
        release.allow(role)
    load = release.load()
    walk = release.playbook("remove", canary_drain=2).wait()
    counted = load.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "removed"), walk.output[-4000:]
    assert release.lost(counted) == []
    assert release.get("daemonset", "podinfo-primary") == {} and _selector(release) is None
    assert release.get("daemonset", "podinfo")["status"]["numberAvailable"] == 1
    assert release.get("service", "podinfo")["spec"]["selector"] == {"app": "podinfo"}
