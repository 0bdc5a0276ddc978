# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A/B releases: those who match meet the revision in its iterations, all others when it is promoted."""

from __future__ import annotations

import time

import pytest

from harness import Release, wait_for
from routing import CONTOUR, PROXY, TRAEFIK

A_B = {"iterations": 3, "stepWeight": None, "maxWeight": None, "match": [{"headers": {"x-canary": {"exact": "insider"}}}]}
INSIDER = ("--header", "x-canary: insider")

by_header = pytest.mark.parametrize("routing", [TRAEFIK, PROXY, pytest.param(CONTOUR, marks=pytest.mark.wide)], ids=str)


@by_header
def test_those_who_match_meet_a_good_release_in_its_iterations_and_all_others_after_its_promotion(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise(**A_B)
    watch, others, insiders = release.watch_route(), release.load(), release.load(30, *INSIDER)
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk()
    wait_for("the second iteration", lambda: release.record()["status"].get("iterations") == 2)
    of_others, of_insiders = release.load(), release.load(30, *INSIDER)
    time.sleep(2)
    assert (list(of_others.stop()["versions"]), list(of_insiders.stop()["versions"])) == (["1"], ["2"])
    assert release.record()["status"]["phase"] == "Progressing", "all this was before the promotion"
    walk.wait()
    counted, matched, weights = others.stop(), insiders.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 100, 0] and walk.lines("iteration 3/3")
    assert release.lost(counted) == [] and release.lost(matched) == []
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"


@by_header
def test_a_bad_release_is_taken_from_those_who_match_and_no_one_else_has_seen_it(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(**A_B)
    others, insiders = release.load(), release.load(30, *INSIDER)
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.5")
    walk = release.walk().wait()
    counted, matched = others.stop(), insiders.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert counted["failed"] == 0 and list(counted["versions"]) == ["1"], counted
    assert matched["versions"]["2"]["failed"] > 0, matched["versions"]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
