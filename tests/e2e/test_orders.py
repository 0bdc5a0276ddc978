# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people say to a walk from elsewhere: it is heard in a wait, and an abort goes on without a walker that hangs."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import time
from datetime import datetime

import pytest
from labkit.faultcontrol import FaultProxy

from harness import Receiver, Release, Walk, api, wait_for

LONG = "90s"            # an interval whose end no test here would see
AT_ONCE = 2.0           # seconds


def _waits(release: Release, **variables: object) -> Walk:
    """A walk that has its first traffic and waits for the rest of a long interval, or at a gate for as long."""
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20, interval=LONG, metrics=[])
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(**variables)
    gate = "canary_manual_gates" in variables
    wait_for("it waits", lambda: re.search(r"\| next in [5-9]\d s", walk.output) and (release.phase() == "Waiting" if gate else release.weight() == 20))
    return walk


def _text(release: Release, word: str) -> str:
    """What the annotation of an order says."""
    revision, run = release.record()["walk"]["pinned"]["revision"], release.record()["walk"]["run"]
    by_word = {"approve.confirm-rollout": json.dumps({"revision": revision, "run": run, "by": "who and why"}), "promote": revision}
    return by_word.get(word, "who and why")


@pytest.mark.parametrize(("word", "obeyed"), [
    ("abort", "aborted by a person: who and why"),
    ("suspend", "suspended by a person: who and why"),
    ("promote", "promoted by a person"),
    ("approve.confirm-rollout", " Progressing "),
])
def test_safety_04_an_order_is_heard_within_two_seconds_in_a_long_wait(release: Release, word: str, obeyed: str) -> None:
    walk = _waits(release, **({"canary_manual_gates": ["confirm-rollout"]} if word.startswith("approve") else {}))
    assert obeyed not in walk.output
    before = time.time()
    api("configmap").patch(name="podinfo-canary", namespace=release.namespace, content_type="application/merge-patch+json",
                           body={"metadata": {"annotations": {f"progressive.delivery/{word}": _text(release, word)}}})
    ordered = time.time()
    wait_for("it is obeyed", lambda: obeyed in walk.output, 30)
    # Whoever waits looks at the target now and then, and at the route when there is something to decide.
    heard = next(entry for entry in release.requests(before) if entry["objectRef"]["resource"] == "httproutes")
    assert datetime.fromisoformat(heard["requestReceivedTimestamp"]).timestamp() - ordered < AT_ONCE


def test_a_person_promotes_now_what_is_ready_without_further_steps(release: Release) -> None:
    walk = _waits(release)
    load = release.load()
    promoted = release.playbook("promote", canary_reason="the fix for the outage").wait()
    assert promoted.rc == 0, promoted.output[-4000:]
    assert walk.wait(80).rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "promoted"
    by = f"{getpass.getuser()}@{socket.gethostname()}: the fix for the outage"
    assert f"promoted by a person: {by}" in walk.output
    assert f"promote ({by})" in release.playbook("status").wait().output
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"
    assert release.lost(load.stop()) == []


@pytest.mark.parametrize("where", ["a write", "a wait", "a webhook", "a query"])
def test_safety_30_an_abort_takes_over_from_a_walker_that_hangs_and_what_hung_changes_nothing(release: Release, where: str) -> None:
    release.unready_after = 5           # a probe that a busy machine answers late is no outage
    release.start_app(VERSION="1")
    receiver = Receiver()
    release.on_cleanup.append(receiver.shutdown)
    behind = {"a webhook": receiver.url.rstrip("/"), "a query": os.environ["PROMETHEUS_URL"]}.get(where, release.kubeconfig)
    with FaultProxy(behind, release.folder / "proxy") as proxy:
        hook = {"name": "slow", "type": "rollout", "url": f"{proxy.url}/" if where == "a webhook" else receiver.url, "timeout": "60s"}
        metrics = proxy.url if where == "a query" else os.environ["PROMETHEUS_URL"]
        release.initialise(maxWeight=40, stepWeight=20, interval="4s", webhooks=[hook], spec__metricsServer=metrics)
        load = release.load()
        release.set_template("lab.local/testapp:2", VERSION="2")
        through = {"KUBECONFIG": str(proxy.kubeconfig)} if behind == release.kubeconfig else {}
        walk = release.playbook("canary", environment=through)
        wait_for("it has traffic", lambda: release.weight() == 20)
        what = {"a write": {"method": "PATCH", "path": "/httproutes/"}}.get(where, {})
        proxy.rule("hold", name="hangs", times=0, **what)
        assert proxy.wait("hangs", 30), "the walker was never held"

        aborted = release.playbook("abort", canary_reason="it hangs").wait(90)
        assert aborted.rc == 0, aborted.output[-4000:]
        after = (release.record(), release.get("httproute", "podinfo")["spec"], release.get("deployment", "podinfo")["spec"])
        assert (release.phase(), release.live_weight(), after[2]["replicas"]) == ("Failed", 0, 0)
        assert "it hangs" in release.record()["walk"]["outcome_why"]

        proxy.clear()
        walk.wait(90)
        assert walk.rc == 2 and walk.result["outcome"] in ("aborted", "lost_lock"), walk.output[-4000:]
        late = [entry["status"] for entry in proxy.log() if entry.get("rule") == "hangs" and entry["method"] == "PATCH"]
        assert where != "a write" or late and min(late) >= 400, late
        assert after == (release.record(), release.get("httproute", "podinfo")["spec"], release.get("deployment", "podinfo")["spec"])
    assert release.lost(load.stop()) == []
