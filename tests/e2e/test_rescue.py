# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that cannot be read, and what an abort does without one (SAFETY 5, 6)."""

from __future__ import annotations

import json
from typing import Any

from harness import Release, wait_for

RECORD = "podinfo-canary"


def _left_at_30(release: Release) -> None:
    """A walk at 30 percent that nobody walks any more."""
    release.start_app(VERSION="1")
    release.initialise(maxWeight=60, stepWeight=30)
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("the canary has traffic", lambda: release.weight() == 30)
    walk.kill()


def _write(release: Release, **data: str) -> dict[str, Any]:
    release.kubectl("patch", "configmap", RECORD, "--type=merge", "-p", json.dumps({"data": data}))
    return release.get("configmap", RECORD)


def test_safety_06_an_abort_takes_traffic_back_from_a_damaged_record_and_deleting_it_is_the_way_out(release: Release) -> None:
    _left_at_30(release)
    load = release.load()
    text = release.get("configmap", RECORD)["data"]["record"]
    damaged = _write(release, record=text[:len(text) // 2])
    refused = release.playbook("canary").wait()
    assert refused.rc == 2 and "the record is damaged" in refused.output, refused.output[-3000:]
    assert release.live_weight() == 30
    aborted = release.playbook("abort").wait()
    assert (aborted.rc, aborted.result["outcome"]) == (2, "held"), aborted.output[-4000:]
    assert "the record is damaged" in aborted.result["why"] and "all traffic is routed to the primary (100/0)." in aborted.result["why"]
    assert release.live_weight() == 0
    assert release.get("configmap", RECORD) == damaged
    assert release.get("deployment", "podinfo")["status"]["readyReplicas"] == 2, "the canary's pods are left alone"
    release.kubectl("delete", "configmap", RECORD)
    release.allow("podinfo-initialise")
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"]) == (0, "promoted"), again.output[-4000:]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"
    result = load.stop()
    assert result["failed"] == 0, result


def test_safety_06_an_abort_takes_traffic_back_whatever_is_wrong_with_the_record(release: Release) -> None:
    _left_at_30(release)
    whole = release.get("configmap", RECORD)["data"]
    newer = json.dumps({**json.loads(whole["record"]), "schema": 99})

    def aborts(says: str, **variables: Any) -> None:
        before = release.get("configmap", RECORD)
        aborted = release.playbook("abort", **variables).wait()
        assert aborted.rc == 2 and says in aborted.result["why"], aborted.output[-4000:]
        assert release.live_weight() == 0
        assert release.get("configmap", RECORD) == before
        assert release.get("deployment", "podinfo")["status"]["readyReplicas"] == 2

    _write(release, record=newer)
    aborts("the record has schema 99")
    release.set_weight(30)
    _write(release, record="{", document="[")
    nobody_knows = release.playbook("abort").wait()
    assert nobody_knows.rc == 2 and "or its document as canary_file or canary_spec" in nobody_knows.output, nobody_knows.output[-3000:]
    assert release.live_weight() == 30
    aborts("the record is damaged", canary_file=str(release.folder / "canary.yml"))
    release.set_weight(30)
    release.kubectl("label", "configmap", RECORD, "progressive.delivery/canary-")
    aborts("is not a record of this collection", canary_spec=release.document(maxWeight=60, stepWeight=30))
    release.set_weight(30)
    release.kubectl("delete", "configmap", RECORD)
    aborts("there is no record of a walk", canary_file=str(release.folder / "canary.yml"))


def test_safety_16_an_abort_without_a_record_leaves_traffic_where_somebody_answers(release: Release) -> None:
    _left_at_30(release)
    _write(release, record="{")
    release.kubectl("scale", "deployment", "podinfo-primary", "--replicas=0")
    release.kubectl("wait", "--for=delete", "pod", "-l", "app=podinfo-primary", "--timeout=50s")
    aborted = release.playbook("abort").wait()
    assert aborted.rc == 2 and "Service podinfo-primary has no ready endpoint" in aborted.result["why"], aborted.output[-4000:]
    assert release.live_weight() == 30


def test_safety_16_a_deleted_primary_is_told_and_comes_back_by_the_way_out(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise()
    release.kubectl("delete", "deployment", "podinfo-primary")
    told = release.walk().wait()
    assert (told.rc, told.result["outcome"]) == (2, "held") and "podinfo-primary does not exist" in told.result["why"], told.output[-4000:]
    assert "or delete the ConfigMap" in told.result["why"]
    release.kubectl("delete", "configmap", RECORD)
    release.allow("podinfo-initialise")
    again = release.walk().wait()
    assert again.rc == 0 and release.phase() == "Initialized", again.output[-4000:]
    assert release.get("deployment", "podinfo-primary")["status"]["readyReplicas"] >= 1
