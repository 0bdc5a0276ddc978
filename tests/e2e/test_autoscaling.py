# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases among HorizontalPodAutoscalers that Kubernetes itself obeys. Without metrics they keep to their bounds, which is what a walk changes."""

from __future__ import annotations

import json
import time
from typing import Any

from harness import Release, wait_for

HELD = "progressive.delivery/held-minimum"
REPLICAS = 3                            # of the app when it is walked first; its autoscaler may go down to 2
NAMED = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}


def _autoscaler(**spec: Any) -> dict[str, Any]:
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "podinfo", "labels": {"team": "web"}},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 2, "maxReplicas": 5,
                     "metrics": [cpu], **spec}}


def _begun(release: Release, **changes: Any) -> None:
    """podinfo drains when it is told to stop, so that every failed request is ours."""
    release.image, release.replicas = "lab.local/podinfo:A", REPLICAS
    release.start_app()
    release.apply(_autoscaler())
    release.allow("podinfo-autoscaler")
    release.initialise(spec__autoscalerRef=NAMED, **changes)


def _minimum(release: Release, name: str = "podinfo-primary") -> int:
    return int(release.get("autoscaler", name)["spec"]["minReplicas"])


def _is_held(release: Release, name: str = "podinfo-primary") -> bool:
    return HELD in release.get("autoscaler", name)["metadata"].get("annotations", {})


def _replicas(release: Release, name: str) -> int:
    return int(release.get("deployment", name)["spec"]["replicas"])


def test_safety_15_a_release_with_an_autoscaler_from_the_first_walk_to_the_removal(release: Release) -> None:
    began = time.time()
    _begun(release, maxWeight=40, stepWeight=20)
    copied = release.get("autoscaler", "podinfo-primary")
    assert copied["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    assert (copied["spec"]["minReplicas"], copied["spec"]["maxReplicas"], copied["metadata"]["labels"]["team"]) == (2, 5, "web")
    assert not _is_held(release) and "ownerReferences" not in copied["metadata"]
    assert (_replicas(release, "podinfo"), _replicas(release, "podinfo-primary")) == (0, REPLICAS), "without metrics nobody shrinks it"
    original = release.get("autoscaler", "podinfo")
    assert not [key for key in original["metadata"].get("annotations", {}) if key.startswith("progressive.delivery/")]

    release.kubectl("patch", "hpa", "podinfo", "--type=merge", "-p", json.dumps({"metadata": {"labels": {"tier": "front"}}, "spec": {"maxReplicas": 6}}))
    load = release.load()
    release.set_template("lab.local/podinfo:B", PODINFO_UI_MESSAGE="B")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    assert (_minimum(release), _is_held(release), _replicas(release, "podinfo")) == (REPLICAS, True, REPLICAS)
    assert release.get("autoscaler", "podinfo-primary")["spec"]["maxReplicas"] == 5, "a change of the original waits for the promotion"
    release.kubectl("patch", "hpa", "podinfo-primary", "--type=merge", "-p", json.dumps({"spec": {"minReplicas": 2}}))
    wait_for("the minimum is held again", lambda: _minimum(release) == REPLICAS)
    walk.wait(400)
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    copied = release.get("autoscaler", "podinfo-primary")
    assert (copied["spec"]["maxReplicas"], copied["metadata"]["labels"]["tier"]) == (6, "front"), "the promotion brought it up to date"
    assert not _is_held(release) and _minimum(release) == 2
    assert (_replicas(release, "podinfo"), _replicas(release, "podinfo-primary")) == (0, REPLICAS)
    about = [entry["objectRef"] for entry in release.requests(began)]
    scaled = [one for one in about if one.get("subresource") == "scale" and one["name"] == "podinfo-primary"]
    assert scaled == [], "the primary's replicas are its autoscaler's"
    used = {entry["verb"] for entry in release.requests(began) if entry["objectRef"]["resource"] == "horizontalpodautoscalers"}
    assert used - {"list"} == {"get", "patch", "create"}

    release.allow("podinfo-remove")
    removal = release.playbook("remove", canary_drain=2).wait(400)
    assert (removal.rc, removal.result["outcome"]) == (0, "removed"), removal.output[-4000:]
    assert release.get("autoscaler", "podinfo-primary") == {} and release.get("deployment", "podinfo-primary") == {}
    left = release.get("autoscaler", "podinfo")
    assert (left["spec"]["minReplicas"], left["spec"]["maxReplicas"]) == (2, 6)
    ours = [key for key in left["metadata"].get("annotations", {}) if key.startswith("progressive.delivery/")]
    assert ours in ([], ["progressive.delivery/released"])
    assert release.get("deployment", "podinfo")["status"]["readyReplicas"] == REPLICAS
    counted = load.stop()
    assert release.lost(counted) == []


def test_safety_15_an_abort_finds_a_primary_that_was_not_shrunk_and_lets_its_autoscaler_go(release: Release) -> None:
    _begun(release, maxWeight=50, stepWeight=50)
    load = release.load()
    release.set_template("lab.local/podinfo:B", PODINFO_UI_MESSAGE="B")
    walk = release.walk(canary_manual_gates=["confirm-promotion"])
    wait_for("it has traffic", lambda: release.weight() == 50)
    # As a shrunken load would have it: what the autoscaler may do without a walk, it may not do now.
    assert _minimum(release) == REPLICAS
    ordered = time.time()
    abort = release.playbook("abort")
    wait_for("the traffic is back", lambda: release.live_weight() == 0, 20)
    assert time.time() - ordered < 20 and _is_held(release), "the minimum stays for as long as the autoscaler may not have seen the traffic"
    assert abort.wait(400).rc == 0, abort.output[-4000:]
    walk.wait()
    assert release.phase() == "Failed"
    assert (_minimum(release), _is_held(release)) == (2, False)
    assert (_replicas(release, "podinfo"), _replicas(release, "podinfo-primary")) == (0, REPLICAS)
    assert release.lost(load.stop()) == []


def test_an_autoscaler_that_does_not_fit_is_refused_before_the_first_write(release: Release) -> None:
    release.start_app()
    release.allow("podinfo-autoscaler")
    release.apply(_autoscaler(), {**_autoscaler(), "metadata": {"name": "second"}})
    release.write_document(spec__autoscalerRef={**NAMED, "primaryScalerReplicas": {"minReplicas": 7}})
    began = time.time()
    walk = release.walk().wait()
    assert walk.rc == 2, walk.output[-4000:]
    assert "spec.autoscalerRef.primaryScalerReplicas.minReplicas: 7 does not fit" in walk.output
    assert "second: scales podinfo, as HorizontalPodAutoscaler podinfo does" in walk.output
    assert release.writes(began) == []
