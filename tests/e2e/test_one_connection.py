# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that sends all it has over one kept connection notices no release: nothing of what it asks is lost, and it meets the new version."""

from __future__ import annotations

from typing import Any

from harness import PORT, Release, Walk
from routing import on_every_gateway

PATIENT = 50                # requests a second, one after another


def _is_promoted(walk: Walk) -> None:
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]


def _ends_on_the_new_version(release: Release, counted: dict[str, Any]) -> None:
    assert release.lost(counted) == []
    assert counted["sent"] >= 0.95 * PATIENT * (counted["ended"] - counted["started"])
    met = [second["versions"] for second in counted["timeline"] if second["versions"]]
    assert "1" in met[0] and list(met[-1]) == ["2"], (met[0], met[-1])


@on_every_gateway
def test_a_client_that_keeps_its_connection_to_the_gateway_is_never_cut_off(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20)
    client = release.load(PATIENT, "--one-connection")
    release.set_template("lab.local/testapp:2", VERSION="2")
    _is_promoted(release.walk().wait())
    counted = client.stop()
    _ends_on_the_new_version(release, counted)
    # A client in Go asks once more by itself where a kept connection was closed: only that none was opened anew shows that none was.
    assert counted["connections"] == 1


def test_a_client_that_keeps_its_connection_to_a_pod_is_led_to_the_new_version(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(spec__provider="kubernetes", spec__service={"port": 80, "targetPort": PORT}, iterations=2, stepWeight=None, maxWeight=None, metrics=[])
    address = release.get("service", "podinfo")["spec"]["clusterIP"]
    client = release.load(PATIENT, "--one-connection", "--url", f"http://{address}:80/", "--host", "podinfo")
    release.set_template("lab.local/testapp:2", VERSION="2")
    _is_promoted(release.walk().wait())
    _ends_on_the_new_version(release, client.stop())
