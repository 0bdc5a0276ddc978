# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built-in checks on the gateway's own metrics, with an app that has none."""

from __future__ import annotations

import pytest
import yaml

from harness import Release
from routing import on_every_gateway

ANNOTATION = "progressive.delivery/metrics-from"
FAULTS = {"5xx": ({"ERROR_SHARE": "0.2"}, "request-success-rate", "< 99%"), "delay": ({"DELAY": "600ms"}, "request-duration", "> 500ms")}


@on_every_gateway
def test_a_good_release_is_promoted_by_what_the_gateway_measures(release: Release) -> None:
    release.scraped = False
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_metrics_from=release.routing.metrics).wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert release.lost(load.stop()) == []


@on_every_gateway
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_release_is_rolled_back_by_what_the_gateway_measures(release: Release, fault: str) -> None:
    environment, check, limit = FAULTS[fault]
    release.scraped = False
    release.start_app(VERSION="1")
    release.initialise()
    document = release.document()
    document["metadata"]["annotations"] = {ANNOTATION: release.routing.metrics}
    (release.folder / "canary.yml").write_text(yaml.safe_dump(document))
    release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", **environment)
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert check in walk.result["why"] and limit in walk.result["why"], walk.result["why"]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
