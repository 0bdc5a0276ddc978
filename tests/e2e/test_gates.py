# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates that wait for a webhook or a person, and hooks that roll back."""

from __future__ import annotations

import json
import urllib.request

import pytest

import cluster
from harness import Receiver, Release, wait_for
from routing import ROUTINGS, TRAEFIK, on_every_gateway


def _loadtester(path: str, release: Release) -> None:
    """Open or close a gate of the load tester for this canary."""
    body = json.dumps({"name": release.name, "namespace": release.namespace}).encode()
    request = urllib.request.Request(f"{cluster.load_tester()}{path}", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 202


def _hook(hook_type: str, path: str) -> dict:
    return {"name": f"{hook_type} hook", "type": hook_type, "url": f"{cluster.load_tester()}{path}"}


@on_every_gateway
def test_closed_gates_wait_and_open_gates_go_on(release: Release) -> None:
    hooks = [_hook("confirm-rollout", "/gate/check"), _hook("confirm-promotion", "/gate/check")]
    release.start_app(VERSION="1")
    release.initialise(webhooks=hooks, maxWeight=20, stepWeight=20)
    _loadtester("/gate/close", release)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("confirm-rollout holds", lambda: release.phase() == "Waiting")
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    _loadtester("/gate/open", release)
    wait_for("the canary has traffic", lambda: release.weight() == 20)
    _loadtester("/gate/close", release)
    wait_for("confirm-promotion holds", lambda: release.phase() == "WaitingPromotion")
    assert release.weight() == 20, "the weight stays while the promotion waits"
    _loadtester("/gate/open", release)
    assert walk.wait().rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "promoted"
    assert release.lost(load.stop()) == []


def test_a_person_approves_without_any_webhook_server(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    gates = ["confirm-rollout", "confirm-promotion"]
    walk = release.walk(canary_manual_gates=gates)
    for phase in ("Waiting", "WaitingPromotion"):
        wait_for(f"{phase} for a person", lambda phase=phase: release.phase() == phase)
        approved = release.playbook("approve", canary_reason="ticket 4711", awx_user_name="alice").wait()
        assert approved.rc == 0, approved.output
    assert walk.wait().rc == 0, walk.output[-4000:]
    assert [(entry["order"], entry["said"]) for entry in release.record()["walk"]["obeyed"]] == [
        (f"approve {gate}", "alice (AWX): ticket 4711") for gate in gates]
    assert all(walk.lines(f"approve {gate} (") for gate in gates), walk.output[-4000:]
    assert release.lost(load.stop()) == []


@pytest.mark.parametrize("by_hook", [False, True])
def test_a_walk_may_end_at_a_closed_gate_and_go_on_in_the_next_job(release: Release, by_hook: bool) -> None:
    release.start_app(VERSION="1")
    gate = Receiver()
    release.on_cleanup.append(gate.shutdown)
    gate.status = 403
    # Shorter than a tick takes, so that the next tick is due whenever one has found the gate closed.
    hooks = [{"name": "ticket", "type": "confirm-rollout", "url": gate.url}] if by_hook else []
    release.initialise(maxWeight=20, stepWeight=20, interval="200ms", webhooks=hooks)
    release.set_template("lab.local/testapp:2", VERSION="2")
    quickly = {"canary_manual_gates": [] if by_hook else ["confirm-rollout"], "canary_on_wait": "end", "canary_min_interval": 0.2}
    # What somebody said of another revision lies there, and opens nothing.
    release.kubectl("annotate", "configmap/podinfo-canary", 'progressive.delivery/approve.confirm-rollout={"revision": "ffffffff", "by": "somebody"}')
    first = release.walk(**quickly).wait()
    assert (first.rc, first.result["outcome"]) == (0, "waiting"), first.output[-3000:]
    gate.status = 200
    assert by_hook or release.playbook("approve").wait().rc == 0
    load = release.load()
    second = release.walk(**quickly).wait()
    assert (second.rc, second.result["outcome"]) == (0, "promoted"), second.output[-3000:]
    assert release.lost(load.stop()) == []


@on_every_gateway
@pytest.mark.parametrize("phase", ["Progressing", "WaitingPromotion"])
def test_a_person_aborts_in_mid_walk(release: Release, phase: str) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_manual_gates=["confirm-promotion"])
    wait_for(f"{phase} with traffic", lambda: release.phase() == phase and release.weight() == 20)
    aborted = release.playbook("abort", canary_reason="wrong release").wait()
    assert aborted.rc == 0, aborted.output[-4000:]
    walk.wait()
    assert walk.rc == 2 and walk.result["outcome"] in ("aborted", "lost_lock")
    assert (release.phase(), release.weight()) == ("Failed", 0)
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
    assert release.lost(load.stop()) == []


def test_safety_30_an_abort_that_comes_when_users_have_the_new_version_says_so_and_fails(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_drain=15)
    wait_for("all users have it", lambda: release.phase() == "Finalising", 90)
    aborted = release.playbook("abort", canary_reason="too bad").wait()
    walk.wait()
    assert aborted.rc == 2 and "the abort came too late: all users have revision" in aborted.result["why"], aborted.output[-4000:]
    assert (release.phase(), release.images()["podinfo-primary"]) == ("Succeeded", "lab.local/testapp:2")
    assert release.lost(load.stop()) == []


@pytest.mark.parametrize(
    ("when", "routing"), [("before traffic", TRAEFIK), ("waiting", TRAEFIK), *(("with traffic", routing) for routing in ROUTINGS)], ids=str)
def test_a_rollback_hook_is_obeyed(release: Release, when: str) -> None:
    gates = [_hook("confirm-rollout", "/gate/halt")] if when == "waiting" else []
    release.start_app(VERSION="1")
    release.initialise(webhooks=[_hook("rollback", "/rollback/check"), *gates], maxWeight=20, stepWeight=20)
    load = release.load()
    if when == "before traffic":
        _loadtester("/rollback/open", release)
    release.set_template("lab.local/testapp:2", VERSION="2", **({"READY_AFTER": "5s"} if when == "before traffic" else {}))
    walk = release.walk()
    if when == "with traffic":
        wait_for("the canary has traffic", lambda: release.weight() == 20)
        _loadtester("/rollback/open", release)
    if when == "waiting":
        wait_for("confirm-rollout holds", lambda: release.phase() == "Waiting")
        _loadtester("/rollback/open", release)
    walk.wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert release.phase() == "Failed"
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"
    assert release.lost(load.stop()) == []
