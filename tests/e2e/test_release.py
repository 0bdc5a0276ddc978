# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release goes out, or is caught."""

from __future__ import annotations

import re
import subprocess
import time
from itertools import pairwise

import pytest
import yaml

from harness import RATE, Receiver, Release, wait_for
from routing import on_each_api, on_every_gateway


@on_each_api
def test_a_good_release_climbs_by_its_steps_and_is_promoted(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise()
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk().wait()
    counted, weights = load.stop(), watch.stop()
    assert walk.rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "promoted"
    assert (walk.told()[-1], "promoted" in walk.told()) == ("promoted: analysis completed", False), "the end is told once"
    assert all(text != before for before, text in pairwise(walk.told())), walk.told()
    assert weights == [0, 10, 20, 30, 40, 50, 0]
    assert release.lost(counted) == []
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.phase() == "Succeeded"
    began = time.time()
    again = release.walk().wait()
    assert again.rc == 0 and again.recap["changed"] == 0, again.output[-3000:]
    assert again.result["outcome"] == "unchanged"
    assert release.requests(began), "the audit log knows the walker"
    assert release.writes(began) == []


def test_the_first_release_of_a_canary_that_was_never_walked_waits_for_its_primary_and_is_analysed(release: Release) -> None:
    release.start_app(VERSION="1")
    release.write_document(interval="1s", maxWeight=40, stepWeight=20, metrics=[])
    planned = release.playbook("canary", "--check", "--diff", canary_release={"images": {"app": "lab.local/testapp:2"}}).wait()
    assert re.findall(r"in +\d+ s +Progressing +(\d+)%", planned.output)[-1] == "40", planned.output[-4000:]
    began = time.time()
    walk = release.walk(canary_release={"images": {"app": "lab.local/testapp:2"}}).wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert [line for line in walk.told() if "initialised" in line] and "canary to 40%" in " ".join(walk.told()), walk.output[-4000:]
    assert release.images() == {"podinfo": "lab.local/testapp:2", "podinfo-primary": "lab.local/testapp:2"}
    assert release.phase() == "Succeeded"
    done = [entry for entry in release.requests(began) if entry["verb"] in ("create", "patch") and "dryRun" not in entry["requestURI"]]
    of_target = [index for index, entry in enumerate(done) if entry["objectRef"]["resource"] == "deployments" and entry["objectRef"].get("name") == "podinfo"
                 and not entry["objectRef"].get("subresource")]
    apex = next(index for index, entry in enumerate(done) if entry["objectRef"]["resource"] == "services" and entry["objectRef"].get("name") == "podinfo")
    assert of_target[0] < apex < of_target[1], "claimed; users have the primary; and only then the new version"


def _analysed_template(release: Release) -> dict:
    """Containers of the newest ReplicaSet of the target, which is the analysed one."""
    sets = yaml.safe_load(release.kubectl("get", "replicasets", "-l", "app=podinfo", "-o", "yaml"))["items"]
    newest = max(sets, key=lambda item: int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))
    return newest["spec"]["template"]["spec"]


def test_safety_17_a_canary_object_shows_success_and_kubectl_wait_returns_only_then(release: Release) -> None:
    release.image = "lab.local/podinfo:A"
    release.start_app()
    release.apply(release.document(maxWeight=20, stepWeight=20))
    first = release.walk(canary_file=None).wait()
    assert first.rc == 0, first.output[-4000:]
    release.kubectl("wait", "canary/podinfo", "--for=condition=promoted", "--timeout=1s")
    load = release.load()
    release.set_template("lab.local/podinfo:B", PODINFO_UI_MESSAGE="B")
    walk = release.walk(canary_file=None)
    wait_for("it progresses", lambda: release.get("canary", "podinfo")["status"]["phase"] == "Progressing")
    waiting = subprocess.Popen(["kubectl", "-n", release.namespace, "wait", "canary/podinfo", "--for=condition=promoted", "--timeout=120s"])
    wait_for("it has traffic", lambda: release.get("canary", "podinfo")["status"]["canaryWeight"] == 20)
    assert waiting.poll() is None, "kubectl wait must not return during Progressing"
    assert walk.wait().rc == 0, walk.output[-4000:]
    assert waiting.wait(30) == 0
    status = release.get("canary", "podinfo")["status"]
    assert (status["phase"], status["canaryWeight"]) == ("Succeeded", 0)
    assert release.primary_template()["spec"]["containers"] == _analysed_template(release)["containers"]
    assert load.stop()["failed"] == 0


@on_every_gateway
def test_an_app_that_exits_at_once_loses_requests_only_in_its_own_restart(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="exit")
    release.initialise(maxWeight=20, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="exit")
    walk = release.walk()
    wait_for("the primary restarts", lambda: release.phase() == "Promoting")
    began = time.time()
    wait_for("the primary has restarted", lambda: release.phase() == "Finalising")
    ended = time.time()
    assert walk.wait().rc == 0, walk.output[-4000:]
    # Whoever was sent to a pod that is gone may wait for its whole time limit: what counts is when the request was sent.
    outside = [failure for failure in load.stop()["failures"] if not began - 1 <= failure["t"] - failure["ms"] / 1000 <= ended + 1]
    assert outside == []


FAULTS = {"5xx": ({"ERROR_SHARE": "0.2"}, "request-success-rate", "99%"), "delay": ({"DELAY": "600ms"}, "request-duration", "500ms")}


@on_each_api
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_release_is_rolled_back(release: Release, fault: str) -> None:
    environment, check, limit = FAULTS[fault]
    release.start_app(VERSION="1")
    release.initialise()
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", **environment)
    walk = release.walk(canary_drain=5)
    wait_for("it has traffic", lambda: release.weight() == 10)
    wait_for("traffic goes back", lambda: watch.canary_weights()[-1] == 0 and 0 in watch.accepted, 120)
    wait_for("a late request would have come", lambda: time.time() > watch.accepted[0] + 2.5)
    assert release.get("deployment", "podinfo")["status"]["availableReplicas"] == 2, "the canary lives until it has drained"
    assert release.last_request("podinfo") <= watch.accepted[0] + 1, "no new request to the canary later than 1 s after the accepted write"
    walk.wait()
    load.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert check in walk.result["why"] and limit in walk.result["why"], walk.result["why"]
    assert [text for text in walk.told() if text.startswith("rolled back: failed checks")] == [f"rolled back: {walk.result['why']}"], "the end is told once"
    assert (release.phase(), release.weight()) == ("Failed", 0)
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"


@on_every_gateway
def test_a_release_that_never_becomes_ready_is_never_seen_by_users(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(spec__progressDeadlineSeconds=8)
    watch, load = release.watch_route(), release.load()
    release.set_template("lab.local/testapp:2", VERSION="2", READY="false")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "progress deadline" in walk.result["why"] and "container app runs and is not ready" in walk.result["why"], walk.result["why"]
    assert watch.stop() == [0]
    counted = load.stop()
    assert release.lost(counted) == [] and list(counted["versions"]) == ["1"]


def test_an_image_that_there_is_not_is_told(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(spec__progressDeadlineSeconds=8)
    release.set_template("lab.local/testapp:never", VERSION="2")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "lab.local/testapp:never" in walk.result["why"] and "(2 of 2 pods)" in walk.result["why"], walk.result["why"]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:1"


def test_ansible_22_check_mode_prints_the_plan_writes_nothing_and_calls_no_hook(release: Release) -> None:
    release.start_app(VERSION="1")
    receiver = Receiver()
    release.on_cleanup.append(receiver.shutdown)
    hooks = [{"name": hook_type, "type": hook_type, "url": receiver.url} for hook_type in ("confirm-rollout", "rollout", "event")]
    release.write_document(webhooks=hooks)
    began = time.time()
    planned = release.playbook("canary", "--check", "--diff").wait()
    assert planned.rc == 0, planned.output[-4000:]
    assert re.search(r"^\+in .* create podinfo-primary with 2 replicas$", planned.output, re.MULTILINE) and "scale podinfo to 0" in planned.output
    assert release.requests(began) and release.writes(began) == [] and receiver.asked == []
    release.initialise(webhooks=hooks)
    release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 10)
    walk.kill()
    began, asked = time.time(), len(receiver.asked)
    assert {body["metadata"]["eventType"] for body in receiver.asked if "metadata" in body} <= {"Normal", "Warning"}
    planned = release.playbook("canary", "--check", "--diff").wait()
    assert planned.rc == 0, planned.output[-4000:]
    for weight in ("20%", "30%", "40%", "50%"):
        assert f"canary to {weight}" in planned.output
    assert release.requests(began) and release.writes(began) == [] and len(receiver.asked) == asked
