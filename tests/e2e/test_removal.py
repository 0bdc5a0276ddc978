# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary goes away and its target serves by itself; walks that nobody came back to are looked after."""

from __future__ import annotations

import time

from harness import Release, Walk, wait_for
from routing import on_every_gateway

REMOVER = "podinfo-remove"
FAST = {"canary_drain": 2}


def begun(release: Release) -> None:
    """podinfo: it drains when it is told to stop, so that every failed request is ours."""
    release.image = "lab.local/podinfo:A"
    release.start_app()
    release.initialise(maxWeight=30, stepWeight=30)
    release.allow(REMOVER)


def removed(release: Release, walk: Walk) -> None:
    """Nothing of the canary is left but a small record, and users are with the target."""
    assert walk.rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "removed", walk.output[-4000:]
    assert release.phase() == "Terminated"
    for kind, name in (("deployment", "podinfo-primary"), ("service", "podinfo-primary"), ("service", "podinfo-canary")):
        assert release.get(kind, name) == {}, f"{kind} {name} is still there"
    apex = release.get("service", "podinfo")
    assert apex["spec"]["selector"] == {"app": "podinfo"}
    route = release.get(release.routing.resource, "podinfo")
    assert [name for name, weight in release.routing.weights(route).items() if name == "podinfo" or weight] == ["podinfo"], "it leads to the apex alone"
    assert release.get("deployment", "podinfo")["status"]["readyReplicas"] == release.replicas
    for thing in (apex, route, release.get("deployment", "podinfo")):
        ours = [key for key in thing["metadata"].get("annotations", {}) if key in ("progressive.delivery/canary", "progressive.delivery/epoch")]
        assert ours == [], f"{thing['kind']} still carries {ours}"


def images(release: Release) -> str:
    return release.get("deployment", "podinfo")["spec"]["template"]["spec"]["containers"][0]["image"]


def test_safety_29_removed_after_a_promotion_and_begun_anew_without_a_failed_request(release: Release) -> None:
    begun(release)
    load = release.load()
    release.set_template("lab.local/podinfo:B")
    assert release.walk().wait().rc == 0
    removed(release, release.playbook("remove", **FAST).wait())
    assert images(release) == "lab.local/podinfo:B"
    again = release.playbook("remove", **FAST).wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), again.output[-4000:]
    tick = release.walk(canary_mode="tick").wait()
    assert (tick.rc, tick.result["outcome"]) == (0, "unchanged") and "removed" in tick.result["why"], tick.output[-4000:]
    by_name = release.walk(canary_file=None).wait()
    assert by_name.result["outcome"] == "unchanged", by_name.output[-4000:]
    assert release.get("deployment", "podinfo-primary") == {}
    release.allow("podinfo-initialise")
    anew = release.walk().wait()
    assert anew.rc == 0 and release.phase() == "Initialized", anew.output[-4000:]
    (rule,) = release.get("httproute", "podinfo")["spec"]["rules"]
    assert [entry["name"] for entry in rule["backendRefs"]] == ["podinfo-primary", "podinfo-canary"]
    counted = load.stop()
    assert counted["failed"] == 0, counted["failures"]


def test_weak_spot_57_another_target_is_refused_and_the_canary_is_removed_by_what_was_walked(release: Release) -> None:
    begun(release)
    spec = release.document()["spec"]
    release.write_document(spec__targetRef={**spec["targetRef"], "name": "frontend"}, spec__service={**spec["service"], "name": "podinfo"})
    began = time.time()
    for mode in ("walk", "tick"):
        refused = release.walk(canary_mode=mode).wait()
        assert refused.rc == 2 and "spec.targetRef: names Deployment frontend, and by its record podinfo walks Deployment podinfo" in refused.output, (
            refused.output[-4000:])
    assert release.writes(began) == []
    removed(release, release.walk(canary_state="absent", **FAST).wait())


@on_every_gateway
def test_safety_29_removed_in_mid_walk_with_the_promoted_template(release: Release) -> None:
    begun(release)
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/podinfo:B")
    walk = release.walk(canary_manual_gates=["confirm-promotion"])
    wait_for("it has traffic", lambda: release.weight() == 30)
    plan = release.playbook("remove", "--check", "--diff", **FAST).wait()
    assert plan.rc == 0 and "point Service podinfo at podinfo again" in plan.output, plan.output[-4000:]
    assert release.weight() == 30, "a plan changes nothing"
    removed(release, release.playbook("remove", **FAST).wait())
    walk.wait()
    assert (walk.rc, walk.result["outcome"]) in ((2, "lost_lock"), (2, "removed")), walk.output[-4000:]
    assert images(release) == "lab.local/podinfo:A"
    assert watch.stop()[-2:] in ([30, 0], [0, 0])
    assert release.lost(load.stop()) == []


def test_safety_29_removed_after_a_failure_killed_once_and_run_again(release: Release) -> None:
    begun(release)
    load = release.load()
    release.set_template("lab.local/podinfo:B")
    walk = release.walk(canary_manual_gates=["confirm-promotion"])
    wait_for("it has traffic", lambda: release.weight() == 30)
    assert release.playbook("abort").wait().rc == 0
    walk.wait()
    assert release.phase() == "Failed"
    first = release.playbook("remove", **FAST)
    wait_for("the target comes up", lambda: release.get("deployment", "podinfo")["spec"]["replicas"] == release.replicas)
    first.kill()
    removed(release, release.playbook("remove", **FAST).wait())
    assert images(release) == "lab.local/podinfo:A"
    counted = load.stop()
    assert counted["failed"] == 0, counted["failures"]


def test_weak_spot_36_safety_29_a_deleted_canary_object_that_reverts_waits_for_the_watchdog_and_nobody_notices(release: Release) -> None:
    release.image = "lab.local/podinfo:A"
    release.start_app()
    for role in (REMOVER, "podinfo-revert-on-deletion", "canary-watchdog"):
        release.allow(role)
    release.apply(release.document(maxWeight=30, stepWeight=30, spec__revertOnDeletion=True))
    first = release.walk(canary_file=None).wait()
    assert first.rc == 0, first.output[-4000:]
    assert release.get("canary", "podinfo")["metadata"]["finalizers"] == ["finalizer.flagger.app"]
    load = release.load()
    release.kubectl("delete", "canary/podinfo", "--wait=false")
    plan = release.playbook("canary", "--check", "--diff", **FAST, canary_file=None).wait()
    assert plan.rc == 0 and "point Service podinfo at podinfo again" in plan.output, plan.output[-4000:]
    killed = release.playbook("watchdog", canary_name=None, **FAST)
    wait_for("the target comes up", lambda: release.get("deployment", "podinfo")["spec"]["replicas"] == release.replicas)
    killed.kill()
    assert release.get("canary", "podinfo")["metadata"]["deletionTimestamp"], "it waits until all is given back"
    deadline = time.monotonic() + 120
    while release.get("canary", "podinfo") and time.monotonic() < deadline:
        watchdog = release.playbook("watchdog", canary_name=None, **FAST).wait()
        assert watchdog.rc == 0, watchdog.output[-4000:]
    assert release.get("canary", "podinfo") == {}, watchdog.output[-4000:]
    assert release.phase() == "Terminated" and release.get("deployment", "podinfo-primary") == {}
    assert release.record()["walk"]["outcome_why"] == "removed by a person: its Canary object was deleted"
    counted = load.stop()
    assert counted["failed"] == 0, counted["failures"]


def test_safety_29_without_the_permission_to_delete_removal_is_refused_before_anything_changes(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise()
    began = time.time()
    walk = release.playbook("remove").wait()
    assert walk.rc == 2 and "may not delete services in" in walk.output, walk.output[-4000:]
    assert release.writes(began) == []


def test_safety_32_the_watchdog_rolls_back_what_was_left_alone_and_lets_the_rest_be(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=30, stepWeight=30)
    release.allow("canary-watchdog")
    other = Release(release.namespace, release.folder / "other", name="other", image=release.image)
    other.folder.mkdir()
    other.kubeconfig.write_text(release.kubeconfig.read_text())
    other.let_walk()
    other.apply(other.deployment(VERSION="1"))
    other.kubectl("rollout", "status", "deployment/other", "--timeout=60s")
    other.initialise(spec__service={**other.document()["spec"]["service"], "hosts": [f"other-{release.host}"]})
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_on_absence="rollback", canary_absence=6, canary_lease=5)
    wait_for("it gathers evidence with traffic", lambda: release.weight() == 30 and release.record()["walk"]["due"] > 0)
    walk.kill()
    quiet = other.record()
    # Before that a watchdog would do an ordinary tick, and somebody would have come back.
    wait_for("it is overdue", lambda: time.time() > release.record()["walk"]["due"] + 6 + 2)
    deadline = time.monotonic() + 120
    while release.phase() != "Failed" and time.monotonic() < deadline:
        watchdog = release.playbook("watchdog", canary_name=None).wait()
        assert watchdog.rc == 0, watchdog.output[-4000:]
    record = release.record()
    assert record["status"]["phase"] == "Failed" and record["walk"]["outcome"] == "rolled_back", watchdog.output[-4000:]
    assert "nobody came back" in record["walk"]["outcome_why"]
    assert other.record() == quiet
    assert "2 canaries" in watchdog.output
    assert load.stop()["failed"] == 0
