# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The primary is the broken side: a promotion that never gets ready, and a primary that does not come back from it (SAFETY 16, weak spots 4, 5).

A namespace has a quota, as many have. What the canary could still get is not there for the primary any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness import Load, Receiver, Release, RouteWatch, wait_for

DEADLINE = 20               # seconds; the document's own, in which pods get ready on a busy machine too
ALL = {"maxWeight": 100, "stepWeight": 100}     # all users are on the canary while the primary rolls
HALF = {"maxWeight": 50, "stepWeight": 50}
NOBODY_MEANWHILE = {"type": "Recreate"}         # its former pods go before new ones come: nobody answers for the primary while it is broken
OLD, NEW, NEXT = (f"lab.local/testapp:{tag}" for tag in "123")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.shutdown()


def _begun(release: Release, receiver: Receiver, strategy: dict[str, Any] | None = None, **analysis: Any) -> None:
    """Initialised, with an alert to the receiver for whatever is an error."""
    release.cpu, release.unready_after = "10m", 3
    release.start_app(VERSION="1")
    if strategy:
        release.kubectl("patch", "deployment", "podinfo", "--type=json", "-p", json.dumps([{"op": "replace", "path": "/spec/strategy", "value": strategy}]))
    release.apply({"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": "on-call"},
                   "spec": {"type": "slack", "address": receiver.url}})
    alerts = [{"name": "bad", "severity": "error", "providerRef": {"name": "on-call"}}]
    release.initialise(spec__progressDeadlineSeconds=DEADLINE, interval="4s", metrics=[], alerts=alerts, **analysis)


def _quota(release: Release, **hard: str) -> None:
    release.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": release.namespace}, "spec": {"hard": hard}})
    wait_for("the quota counts", lambda: json.loads(release.kubectl("get", "resourcequota", "team", "-o", "json")).get("status", {}).get("hard") == hard)


def _alerts(receiver: Receiver) -> list[str]:
    return [one["attachments"][0]["text"] for one in receiver.asked]


def _events(release: Release) -> str:
    return release.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")


def _ready(release: Release, name: str) -> int:
    return release.get("deployment", name).get("status", {}).get("readyReplicas") or 0


def _nobody_noticed(release: Release, load: Load) -> dict[str, Any]:
    counted = load.stop()
    assert release.lost(counted) == []
    return counted["versions"]


@pytest.mark.parametrize(("strategy", "analysis", "weights"), [(None, HALF, [0, 50, 0]), (NOBODY_MEANWHILE, ALL, [0, 100, 0])], ids=["rolling", "recreated"])
def test_safety_16_a_promotion_that_never_gets_ready_is_taken_back_and_removal_serves_users(
        release: Release, receiver: Receiver, strategy: dict[str, Any] | None, analysis: dict[str, Any], weights: list[int]) -> None:
    _begun(release, receiver, strategy, **analysis)
    before = release.primary_template()
    watch, load = release.watch_route(), release.load()
    release.cpu = "50m"
    _quota(release, **{"requests.cpu": "130m"})     # two canaries, and two primaries of the old version
    release.set_template(NEW, VERSION="2")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"], walk.result["phase"], walk.result["weight"]) == (2, "rolled_back", "Failed", 0), walk.output[-4000:]
    assert walk.result["why"].startswith("promotion failed, primary not ready: ") and "exceeded quota: team" in walk.result["why"], walk.result["why"]
    assert watch.stop() == weights
    assert release.primary_template() == before and _ready(release, "podinfo-primary") == 2
    record = release.record()
    assert (record["walk"]["outcome"], record["walk"]["outcome_why"]) == ("rolled_back", walk.result["why"])
    assert record["status"]["lastPromotedSpec"] != record["status"]["lastAppliedSpec"]
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert "Promotion of podinfo" in _events(release)
    assert [text.partition(":")[0] for text in _alerts(receiver)] == ["Promotion failed, primary not ready", "Rolling back"], _alerts(receiver)
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"]) == (2, "rolled_back"), again.output[-4000:]
    release.allow("podinfo-remove")
    removed = release.playbook("remove", canary_drain=2).wait()
    assert (removed.rc, removed.result["outcome"]) == (0, "removed"), removed.output[-4000:]
    assert _nobody_noticed(release, load).keys() == {"1", "2"}
    assert (release.get("deployment", "podinfo-primary"), _ready(release, "podinfo")) == ({}, 2)


def test_safety_16_a_daemonset_whose_promotion_never_gets_ready_gets_its_template_back(release: Release, receiver: Receiver) -> None:
    release.kind = "DaemonSet"
    _begun(release, receiver, **HALF)
    before = release.primary_template()
    watch, load = release.watch_route(), release.load()
    release.cpu = "50m"
    _quota(release, **{"requests.cpu": "100m"})     # on one node: a canary, and a primary of the old version
    release.set_template(NEW, VERSION="2")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"], walk.result["phase"], walk.result["weight"]) == (2, "rolled_back", "Failed", 0), walk.output[-4000:]
    assert walk.result["why"].startswith("promotion failed, primary not ready: "), walk.result["why"]
    assert watch.stop() == [0, 50, 0]
    assert release.primary_template() == before
    assert release.get("daemonset", "podinfo-primary")["status"]["numberAvailable"] == 1
    assert _nobody_noticed(release, load).keys() == {"1", "2"}


def _left_on_the_canary(release: Release, receiver: Receiver) -> tuple[RouteWatch, Load]:
    """Promoted, and neither the new template nor the restored one got any pod: all users are on the canary."""
    _begun(release, receiver, NOBODY_MEANWHILE, **ALL)
    watch, load = release.watch_route(), release.load()
    release.set_template(NEW, VERSION="2")
    walk = release.walk()
    wait_for("the canary has its pods", lambda: _ready(release, "podinfo") == 2)
    _quota(release, pods="2")                       # as many as it has; who runs already goes on running
    walk.wait()
    assert (walk.rc, walk.result["outcome"], walk.result["weight"]) == (2, "held", 100), walk.output[-4000:]
    assert "the restored primary is not ready" in walk.result["why"] and walk.result["why"].endswith("the canary goes on serving"), walk.result["why"]
    assert "exceeded quota: team" in walk.result["why"], walk.result["why"]
    return watch, load


def _still_on_the_canary(release: Release, watch: RouteWatch) -> None:
    assert watch.canary_weights() == [0, 100]
    assert (_ready(release, "podinfo-primary"), _ready(release, "podinfo")) == (0, 2)


def _let_the_primary_start(release: Release, pods: int, ready: int) -> None:
    _quota(release, pods=str(pods))
    # Its controller tries again by itself, less and less often; any change of its object makes it try at once.
    release.kubectl("annotate", "--overwrite", "replicasets", "-l", "app=podinfo-primary", f"example.com/tried-with={pods}")
    wait_for("the primary starts", lambda: _ready(release, "podinfo-primary") == ready)


def test_safety_16_safety_30_a_primary_that_does_not_come_back_leaves_users_on_the_canary_and_no_order_takes_them_away(
        release: Release, receiver: Receiver) -> None:
    watch, load = _left_on_the_canary(release, receiver)
    why = release.walk().wait().result["why"]
    record, target = release.record(), release.get("deployment", "podinfo")
    assert (record["status"]["phase"], record["status"]["canaryWeight"]) == ("Promoting", 100)
    assert record["walk"]["restoring"]["why"] in why
    assert target["spec"].get("paused"), "an edit of what serves waits"
    assert release.images()["podinfo-primary"] == OLD
    assert "podinfo-primary did not become ready after it was restored" in _events(release)
    assert [text.partition(":")[0] for text in _alerts(receiver)] == [
        "Promotion failed, primary not ready", "podinfo-primary did not become ready after it was restored"], _alerts(receiver)
    aborted = release.playbook("abort").wait()
    assert (aborted.rc, aborted.result["outcome"]) == (2, "held") and aborted.result["why"].endswith("the canary goes on serving"), aborted.output[-4000:]
    release.allow("podinfo-remove")
    kept = release.playbook("remove", canary_drain=2).wait()
    assert (kept.rc, kept.result["outcome"]) == (2, "held") and kept.result["why"].endswith("the canary goes on serving"), kept.output[-4000:]
    _still_on_the_canary(release, watch)
    _let_the_primary_start(release, pods=6, ready=2)
    removed = release.playbook("remove", canary_drain=2).wait()
    assert (removed.rc, removed.result["outcome"]) == (0, "removed"), removed.output[-4000:]
    assert _nobody_noticed(release, load).keys() == {"1", "2"}
    target = release.get("deployment", "podinfo")
    assert (target["spec"]["template"]["spec"]["containers"][0]["image"], target["status"]["readyReplicas"]) == (OLD, 2)


def test_weak_spot_05_safety_16_the_next_release_waits_for_the_primary_and_nobody_is_led_to_it_before(release: Release, receiver: Receiver) -> None:
    watch, load = _left_on_the_canary(release, receiver)
    release.set_template(NEXT, VERSION="3")
    held = release.walk().wait()
    assert (held.rc, held.result["outcome"]) == (2, "held") and held.result["why"].endswith("the canary goes on serving"), held.output[-4000:]
    _still_on_the_canary(release, watch)
    _let_the_primary_start(release, pods=3, ready=1)
    half = release.walk().wait()
    assert (half.rc, half.result["outcome"]) == (2, "held"), half.output[-4000:]
    assert watch.canary_weights() == [0, 100], "one pod of two is not the size that users need"
    _let_the_primary_start(release, pods=8, ready=2)
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert watch.stop() == [0, 100, 0, 100, 0]
    assert release.images() == {"podinfo": NEXT, "podinfo-primary": NEXT} and "paused" not in release.get("deployment", "podinfo")["spec"]
    assert _nobody_noticed(release, load).keys() == {"1", "2", "3"}


def test_weak_spot_05_safety_16_a_revert_after_a_failed_promotion_waits_for_the_primary(release: Release, receiver: Receiver) -> None:
    watch, load = _left_on_the_canary(release, receiver)
    release.cpu = "10m"
    release.set_template(OLD, VERSION="1")
    held = release.walk().wait()
    assert (held.rc, held.result["outcome"]) == (2, "held"), held.output[-4000:]
    _still_on_the_canary(release, watch)
    _let_the_primary_start(release, pods=6, ready=2)
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert watch.stop() == [0, 100, 0]
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"]) == (0, "unchanged"), again.output[-4000:]
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0 and release.images()["podinfo-primary"] == OLD
    assert _nobody_noticed(release, load).keys() == {"1", "2"}


def test_weak_spot_04_safety_16_an_abort_leads_nobody_to_a_primary_that_does_not_answer(release: Release, receiver: Receiver) -> None:
    _begun(release, receiver, **ALL)
    watch, load = release.watch_route(), release.load()
    release.set_template(NEW, VERSION="2")
    walk = release.walk(canary_manual_gates=["confirm-promotion"])
    wait_for("all users are on the canary", lambda: release.phase() == "WaitingPromotion" and release.weight() == 100)
    _quota(release, pods="2")
    release.kubectl("delete", "pods", "-l", "app=podinfo-primary", "--wait=false")
    wait_for("nobody answers for the primary", lambda: _ready(release, "podinfo-primary") == 0)
    receiver.asked.clear()
    abort = release.playbook("abort")
    wait_for("somebody is told", lambda: "Traffic cannot go back to the primary, it has no ready endpoint" in _alerts(receiver))
    _still_on_the_canary(release, watch)
    _let_the_primary_start(release, pods=6, ready=2)
    assert (abort.wait().rc, abort.result["outcome"]) == (0, "aborted"), abort.output[-4000:]
    assert walk.wait().rc == 2, walk.output[-4000:]
    assert watch.stop() == [0, 100, 0]
    assert _nobody_noticed(release, load).keys() == {"1", "2"}
