# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases among autoscalers. Those of Kubernetes itself scale pods that request CPU; of others they keep to their bounds, which is what a walk changes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import cluster
import pytest
from harness import Receiver, Release, wait_for

HELD = "progressive.delivery/held-minimum"
REPLICAS = 3                            # of the app when it is walked first; its autoscaler may go down to 2
NAMED = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}


def _of_cpu(percent: int) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


def _autoscaler(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "podinfo", "labels": {"team": "web"}},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 2, "maxReplicas": 5,
                     "metrics": [_of_cpu(80)], **spec}}


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
    assert (_replicas(release, "podinfo"), _replicas(release, "podinfo-primary")) == (0, REPLICAS), "nobody measures pods by what they did not request"
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


# Under load: Kubernetes' own autoscaler, by what metrics-server reads of the kubelet

REQUESTED = "25m"                       # of a processor, by a pod; an autoscaler of 100 % gives each pod as much to do
WORK = "2ms"                            # that an answer takes; little, so that a machine that does much else has it to give
USERS = 50                              # requests per second, which keep about five pods busy
MORE = 80                               # with which also a primary that was sized in a rush is too small
MOST = 14
SLOW = 120.0                            # seconds, to be read twice, to be scaled and to get ready: on a machine that does much else as well


def _size(release: Release, name: str = "podinfo-primary") -> int:
    """Pods that answer."""
    return int(release.get("deployment", name)["status"].get("readyReplicas") or 0)


def _is_kept_from_shrinking(release: Release) -> bool:
    """Whether the autoscaler itself says that its minimum is all that keeps the primary as large as it is."""
    conditions = release.get("autoscaler", "podinfo-primary")["status"]["conditions"]
    return any((one["type"], one["status"], one["reason"]) == ("ScalingLimited", "True", "TooFewReplicas") for one in conditions)


def _busy(release: Release, name: str = "podinfo-primary") -> int:
    """Percent of what a pod requests, as the autoscaler has it from the metrics API."""
    measured = release.get("autoscaler", name)["status"].get("currentMetrics") or []
    return next((int(one["resource"]["current"].get("averageUtilization") or 0) for one in measured if one["type"] == "Resource"), 0)


class _Sizes:
    """How many replicas a Deployment was given, in order, by a real watch."""

    def __init__(self, release: Release, name: str) -> None:
        self._out = release.folder / f"sizes-{name}"
        with self._out.open("w") as out:
            process = subprocess.Popen(["kubectl", "-n", release.namespace, "get", "deployment", name, "--watch", "--no-headers",
                                        "-o", "custom-columns=:.spec.replicas"], stdout=out, stderr=subprocess.DEVNULL)
        release.on_cleanup.append(process.kill)

    @property
    def seen(self) -> list[int]:
        return [int(line) for line in self._out.read_text().splitlines() if line.strip()]


def _gate(release: Release) -> tuple[Receiver, list[dict[str, Any]]]:
    """Closed before the second weight, and again before the promotion, until its statuses are changed; and what the document says of it."""
    receiver = Receiver()
    receiver.statuses = {"promotion": 403}
    receiver.on_ask = lambda: release.weight() and receiver.statuses.setdefault("increase", 403)
    release.on_cleanup.append(receiver.shutdown)
    hooks = [{"name": key, "type": f"confirm-{kind}", "url": receiver.url, "metadata": {"type": key}}
             for key, kind in (("increase", "traffic-increase"), ("promotion", "promotion"))]
    return receiver, hooks


# It takes a machine to itself: beside others it starves them, and they it.
@pytest.mark.wide
def test_safety_15_an_autoscaler_under_load_scales_out_in_mid_walk_and_never_takes_away_what_a_rollback_would_need(release: Release) -> None:
    cluster.needs_api("metrics.k8s.io/v1beta1", "a metrics API")
    release.cpu, release.unready_after = REQUESTED, 5     # probes that a busy machine answers late are no outage
    release.start_app(VERSION="1", WORK=WORK)
    release.apply(_autoscaler(maxReplicas=MOST, metrics=[_of_cpu(100)]))
    release.allow("podinfo-autoscaler")
    gate, hooks = _gate(release)
    release.initialise(spec__autoscalerRef=NAMED, webhooks=hooks, stepWeights=[20, 70], stepWeight=None, maxWeight=None)
    assert (_replicas(release, "podinfo-primary"), _is_held(release)) == (2, False)

    users = release.load(USERS)
    wait_for("load scales the primary out", lambda: _size(release) > 3, SLOW)
    release.set_template("lab.local/testapp:2", VERSION="2", WORK=WORK)
    walk = release.walk()
    wait_for("the canary has traffic", lambda: release.weight() == 20, SLOW)
    held, sizes = _minimum(release), _Sizes(release, "podinfo-primary")
    assert held > 2 and _is_held(release), "as many as it had when the walk began"
    more = release.load(MORE)
    wait_for("more load scales it out further", lambda: _size(release) > held, SLOW)
    assert _busy(release) > 0
    further = more.stop()

    gate.statuses["increase"] = 200
    wait_for("most users have the canary", lambda: release.weight() == 70, SLOW)
    wait_for("the primary has less to do than it is large", lambda: _is_kept_from_shrinking(release) and _replicas(release, "podinfo-primary") == held, SLOW)
    wait_for("the canary is as large as its share asks", lambda: _size(release, "podinfo") >= 3 and 0 < _busy(release, "podinfo") <= 120, SLOW)
    gate.statuses["promotion"] = 200
    wait_for("all users are on the promoted primary", lambda: release.live_weight() == 0 and release.images()["podinfo-primary"] == "lab.local/testapp:2", SLOW)
    assert _is_held(release) and min(sizes.seen) == held and max(sizes.seen) > held, sizes.seen
    walk.wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert (_minimum(release), _is_held(release), _replicas(release, "podinfo")) == (2, False, 0)

    counted = users.stop()
    assert release.lost(counted) == release.lost(further) == []
    assert counted["sent"] >= 0.95 * USERS * (counted["ended"] - counted["started"])
    assert counted["versions"]["2"]["ok"] > 0 < counted["versions"]["1"]["ok"]
    wait_for("without users it may shrink", lambda: _replicas(release, "podinfo-primary") < held, SLOW)


# KEDA's objects, by its own CRD; nobody obeys them

SCALED_OBJECT = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}
PAUSED = "autoscaling.keda.sh/paused-replicas"
ASKED = 'sum(rate(http_requests_total{app="podinfo"}[30s]))'
WAITED = 'histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{app="podinfo-primary"}[30s])) by (le))'


def _scaled_object() -> dict[str, Any]:
    def trigger(name: str, query: str) -> dict[str, Any]:
        return {"type": "prometheus", "name": name, "metadata": {"serverAddress": os.environ["PROMETHEUS_URL"], "threshold": "50", "query": query}}

    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "podinfo", "labels": {"team": "web"}},
            "spec": {"scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 2, "maxReplicaCount": 5, "pollingInterval": 5,
                     "triggers": [trigger("requests", ASKED), trigger("latency", 'max(latency{service="podinfo-canary"})')]}}


def _is_paused(release: Release, name: str = "podinfo") -> bool:
    """Whether KEDA is told to keep it at nobody."""
    return release.get("scaledobject", name)["metadata"].get("annotations", {}).get(PAUSED) == "0"


def test_weak_spot_30_a_scaled_object_is_copied_without_its_pause_which_ends_before_the_canary_grows(release: Release) -> None:
    cluster.needs_api("keda.sh/v1alpha1", "KEDA's CRD")
    release.image = "lab.local/podinfo:A"
    release.start_app()
    release.apply(_scaled_object())
    release.allow("podinfo-scaled-object")
    before = release.get("scaledobject", "podinfo")["spec"]
    reference = {**SCALED_OBJECT, "primaryScalerQueries": {"latency": WAITED}, "primaryScalerReplicas": {"minReplicas": 2, "maxReplicas": 9}}
    release.initialise(spec__autoscalerRef=reference, maxWeight=40, stepWeight=40)
    copied = release.get("scaledobject", "podinfo-primary")
    assert copied["spec"]["scaleTargetRef"]["name"] == "podinfo-primary" and copied["metadata"]["labels"]["team"] == "web"
    assert (copied["spec"]["minReplicaCount"], copied["spec"]["maxReplicaCount"], copied["spec"]["pollingInterval"]) == (2, 9, 5)
    assert [one["metadata"]["query"] for one in copied["spec"]["triggers"]] == [ASKED.replace("podinfo", "podinfo-primary"), WAITED]
    assert _is_paused(release) and not _is_paused(release, "podinfo-primary")

    # As KEDA would have done it by then.
    release.kubectl("scale", "deployment", "podinfo-primary", "--replicas=3")
    release.kubectl("rollout", "status", "deployment/podinfo-primary")
    release.kubectl("delete", "scaledobject", "podinfo-primary")
    load = release.load()
    release.set_template("lab.local/podinfo:B", PODINFO_UI_MESSAGE="B")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 40)
    assert not _is_paused(release) and release.get("scaledobject", "podinfo")["spec"] == before
    again = release.get("scaledobject", "podinfo-primary")
    assert (again["spec"]["minReplicaCount"], again["spec"]["triggers"]) == (3, copied["spec"]["triggers"]), "made again, and held"
    assert not _is_paused(release, "podinfo-primary")
    walk.wait(400)
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert _is_paused(release) and _replicas(release, "podinfo") == 0
    assert release.get("scaledobject", "podinfo-primary")["spec"] == copied["spec"], "as it was made first"
    assert release.lost(load.stop()) == []
