# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release goes out, or is caught."""

from __future__ import annotations

from harness import RATE, Release, wait_for


def test_a_good_release_climbs_by_its_steps_and_is_promoted(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise()
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk().wait()
    counted, weights = load.stop(), watch.stop()
    assert walk.rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "promoted"
    assert weights == [0, 10, 20, 30, 40, 50, 0]
    assert counted["failed"] == 0, counted["failures"]
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.phase() == "Succeeded"
    again = release.walk().wait()
    assert again.rc == 0 and again.recap["changed"] == 0, again.output[-3000:]
    assert again.result["outcome"] == "unchanged"


def test_a_release_with_errors_is_rolled_back(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise()
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.2")
    walk = release.walk().wait()
    load.stop()
    assert walk.rc == 2, walk.output[-4000:]
    assert walk.result["outcome"] == "rolled_back"
    assert "request-success-rate" in walk.result["why"] and "99%" in walk.result["why"]
    assert release.phase() == "Failed"
    wait_for("the canary is at 0", lambda: release.get("deployment", "podinfo")["spec"]["replicas"] == 0)
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
