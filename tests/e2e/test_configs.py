# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ConfigMaps and Secrets that pods read are released like an image."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from harness import Release, wait_for

NAME = "podinfo"            # of both: the name that the Roles of the examples have for them
LOUD = ("-vvv", "--diff")
STEPS = {"maxWeight": 40, "stepWeight": 20}


def configure(release: Release, token: str, **settings: str) -> None:
    """What the app's pods read when they start, as a person applies it."""
    release.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": release.namespace}, "data": settings},
                  {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "namespace": release.namespace}, "stringData": {"TOKEN": token}})


def begun(release: Release, token: str, **settings: str) -> None:
    """The app reads all of its settings from a ConfigMap and a Secret, and is initialised."""
    release.start_app(VERSION="0")
    configure(release, token, **settings)
    deployment = release.deployment()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["env"], container["envFrom"] = [], [{"configMapRef": {"name": NAME}}, {"secretRef": {"name": NAME}}]
    release.apply(deployment)
    release.kubectl("rollout", "status", f"deployment/{release.name}", "--timeout=60s")
    release.allow("podinfo-configs")
    release.initialise(**STEPS)


def referred(release: Release) -> dict[str, str]:
    """What the primary's pods read, by kind."""
    sources = release.primary_template()["spec"]["containers"][0]["envFrom"]
    return {"configmap": sources[0]["configMapRef"]["name"], "secret": sources[1]["secretRef"]["name"]}


def held(release: Release, kind: str, name: str) -> dict[str, str]:
    data = release.get(kind, name).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()} if kind == "secret" else data


def copies(release: Release) -> dict[str, tuple[str, str]]:
    """Uid and resourceVersion of each copy that there is, by kind and name."""
    found = json.loads(release.kubectl("get", "configmaps,secrets", "-l", "progressive.delivery/canary=podinfo", "-o", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": (one["metadata"]["uid"], one["metadata"]["resourceVersion"])
            for one in found if "-primary-" in one["metadata"]["name"]}


def left_behind(release: Release) -> str:
    """Whatever a run left: its output, and objects that tell about it."""
    told = release.kubectl("get", "events,deployments,replicasets", "-o", "json") + release.kubectl("get", "configmap", "podinfo-canary", "-o", "json")
    return told + "".join(path.read_text(errors="replace") for path in release.folder.glob("*.log"))


def test_safety_18_a_changed_configmap_and_secret_are_analysed_and_promoted_with_copies(release: Release) -> None:
    begun(release, "sesame-first-4711", VERSION="1", ON_TERM="drain")
    first = referred(release)
    assert first["configmap"].startswith("podinfo-primary-") and first["secret"].startswith("podinfo-primary-")
    assert held(release, "configmap", first["configmap"])["VERSION"] == "1"
    watch, load = release.watch_route(), release.load()
    configure(release, "sesame-second-4712", VERSION="2", ON_TERM="drain")
    planned = release.playbook("canary", "--check", *LOUD).wait()
    assert planned.rc == 0 and "ConfigMap podinfo, Secret podinfo changed" in planned.output, planned.output[-4000:]
    walk = release.playbook("canary", *LOUD).wait()
    counted, weights = load.stop(), watch.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert weights == [0, 20, 40, 0]
    assert release.lost(counted) == [] and sorted(counted["versions"]) == ["1", "2"], counted
    second = referred(release)
    assert all(second[kind] != first[kind] for kind in first)
    assert held(release, "configmap", second["configmap"])["VERSION"] == "2"
    assert held(release, "secret", second["secret"]) == {"TOKEN": "sesame-second-4712"}
    assert held(release, "configmap", first["configmap"])["VERSION"] == "1", "a ReplicaSet of the primary still refers to it"
    status = release.record()["status"]
    assert sorted(status["trackedConfigs"]) == ["configmap/podinfo", "secret/podinfo"]
    assert held(release, "secret", NAME) == {"TOKEN": "sesame-second-4712"} and release.phase() == "Succeeded"
    told = left_behind(release)
    for token in ("sesame-first-4711", "sesame-second-4712"):
        assert token not in told and base64.b64encode(token.encode()).decode() not in told
    began = time.time()
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), again.output[-4000:]
    assert release.requests(began) and release.writes(began) == []


def test_safety_18_a_bad_configmap_is_rolled_back_the_primarys_copy_untouched_and_removal_takes_it_away(release: Release) -> None:
    begun(release, "sesame-4711", VERSION="1", ON_TERM="drain")
    before, template = copies(release), release.primary_template()
    assert len(before) == 2
    load = release.load()
    configure(release, "sesame-4711", VERSION="2", ON_TERM="drain", ERROR_SHARE="0.5")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    assert "request-success-rate" in walk.result["why"], walk.result["why"]
    assert copies(release) == before and release.primary_template() == template
    counted = load.stop()
    assert {version: one["failed"] for version, one in counted["versions"].items() if one["failed"]}.keys() <= {"2"}, counted["versions"]
    rejected = release.walk().wait()
    assert (rejected.rc, rejected.result["outcome"]) == (2, "rolled_back"), rejected.output[-4000:]
    release.allow("podinfo-remove")
    without = release.playbook("remove", canary_drain=2).wait()
    assert without.rc == 2 and "may not delete" in without.output and copies(release) == before, without.output[-4000:]
    release.allow("podinfo-remove-configs")
    never = release.playbook("remove", canary_drain=2).wait()
    assert never.result["outcome"] == "held" and "ConfigMap podinfo changed" in never.result["why"], never.output[-4000:]
    assert copies(release) == before and release.get("deployment", "podinfo-primary") != {}
    configure(release, "sesame-4711", VERSION="1", ON_TERM="drain")
    removed = release.playbook("remove", canary_drain=2).wait()
    assert (removed.rc, removed.result["outcome"]) == (0, "removed"), removed.output[-4000:]
    assert copies(release) == {} and held(release, "configmap", NAME)["VERSION"] == "1"


def test_safety_17_a_configmap_that_changes_in_mid_walk_is_analysed_by_pods_that_read_it(release: Release) -> None:
    begun(release, "sesame-4711", VERSION="1", ON_TERM="drain")
    watch, load = release.watch_route(), release.load()
    configure(release, "sesame-4711", VERSION="2", ON_TERM="drain")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    configure(release, "sesame-4711", VERSION="3", ON_TERM="drain")
    walk.wait()
    assert (walk.rc, walk.result["outcome"], release.phase()) == (2, "superseded", "Succeeded"), walk.output[-4000:]
    weights, counted = watch.stop(), load.stop()
    assert weights[-4:] == [0, 20, 40, 0] and weights[:2] == [0, 20], weights
    assert sorted(counted["versions"]) == ["1", "2", "3"] and release.lost(counted) == [], counted
    assert held(release, "configmap", referred(release)["configmap"])["VERSION"] == "3"
    pods: list[dict[str, Any]] = json.loads(release.kubectl("get", "pods", "-l", "app=podinfo-primary", "-o", "json"))["items"]
    assert pods and release.get("deployment", "podinfo")["spec"]["replicas"] == 0
