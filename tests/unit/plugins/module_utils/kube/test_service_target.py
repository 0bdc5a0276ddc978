# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target: whole walks over objects as an API server keeps them, with the two controllers that follow them imagined."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states, removing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, Observation, Orders, Outcome, Split, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import KUBERNETES, SERVICE, Canary, Check
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import Objects, document

PODS = {version: frozenset(f"{version}-{letter}" for letter in "xy") for version in ("v1", "v2", "v3")}
CHECK = Check(0, "errors", False, 10.0, None, 1.0, "up")
WEIGHTED = dataclasses.replace(document(analysis={"step_weight": 25, "checks": (CHECK,)}), target_kind=SERVICE, progress_deadline=60.0)
ALONE = dataclasses.replace(
    document(analysis={"step_weight": 0, "max_weight": 0, "iterations": 2, "checks": (CHECK,)}), target_kind=SERVICE, provider=KUBERNETES,
    service=dataclasses.replace(document().service, hosts=(), gateway_refs=()))
NAMES = ("podinfo", "podinfo-primary", "podinfo-canary")


def at(name: str) -> refs.Ref:
    return refs.service("test", name)


class Cluster:
    """The user's Service and pods, who follows what is written, and a walk over them that looks as often as it acts."""

    def __init__(self, server: Any, canary: Canary) -> None:
        self.api, self.canary, self.kept, self.verdict = server.api(), canary, Objects(server), PASS
        self.ready, self.record, self.now = set(PODS), Record("podinfo", "test", identity=canary.identity), 0.0
        self.seen: list[tuple[str, str, str]] = []          # whom the three Services led to, each time that it changed
        self.weights: list[int] = []
        self.kept.put(at("podinfo"), {"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "selector": {"version": "v1"},
                                               "ports": [{"name": "http", "port": 9898, "protocol": "TCP", "targetPort": 9898}]}})

    def point(self, version: str) -> None:
        """What a user does to release."""
        self.kept.change(at("podinfo"), lambda live: live["spec"].update(selector={"version": version}))

    def leads(self, name: str) -> str:
        live = self.kept.get(at(name))
        return live["spec"]["selector"]["version"] if live else ""

    def follow(self) -> None:
        """The controllers of slices and of the gateway."""
        for name in NAMES:
            version = self.leads(name)
            self.kept.put(refs.endpoint_slice("test", name), {
                "metadata": {"labels": {"kubernetes.io/service-name": name}},
                "endpoints": [{"targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": version in self.ready}} for pod in PODS.get(version, ())]})
        route = self.kept.get(routes.ref(self.canary)) if self.canary.splits else None
        if route:
            parents = [{"parentRef": parent, "conditions": [{"type": kind, "status": "True", "observedGeneration": 1} for kind in ("Accepted", "ResolvedRefs")]}
                       for parent in route["spec"]["parentRefs"]]
            if route.get("status") != {"parents": parents}:
                self.kept.change(routes.ref(self.canary), lambda live: (live["metadata"].update(generation=1), live.update(status={"parents": parents})))
            split = gatewayapi.read(route, self.canary)
            if split and self.weights[-1:] != [split.canary]:
                self.weights.append(split.canary)
        led = tuple(self.leads(name) for name in NAMES)
        if self.seen[-1:] != [led]:
            self.seen.append(led)

    def look(self, **changes: Any) -> Observation:
        self.follow()
        return dataclasses.replace(look.look(self.api, self.canary, self.record), now=self.now, latest=self.now, **changes)

    def step(self, **changes: Any) -> str:
        """One look and what follows from it; how the walk ended, empty while it goes on."""
        seen = self.look(**changes)
        back = read_back(self.canary, self.record, seen)
        self.record, traffic, workload, outcome = back.record, back.traffic, back.workload, ""
        if not (traffic or workload):
            decision = decide(self.canary, self.record, seen, [], [Outcome(0, "errors", self.verdict, why="errors")])
            self.record, traffic, workload, outcome = decision.record, decision.traffic, decision.workload, decision.outcome
            self.why = decision.why
        if traffic:
            apply_traffic(self.api, self.canary, traffic, 1, wait=0)
        if workload:
            apply_workload(self.api, self.canary, workload, 1)
        self.now = max(self.now + 1, min(self.record.due, self.now + 15))
        return outcome

    def walk(self, most: int = 150, **changes: Any) -> str:
        self.record = dataclasses.replace(self.record, holder=Holder("us", since=self.now))
        for _step in range(most):
            outcome = self.step(**changes)
            changes = {}            # an order is obeyed once
            if outcome:
                return outcome
        raise AssertionError(f"no end: {self.record.phase} {self.why}")

    def until(self, what: Any, most: int = 100) -> None:
        for _step in range(most):
            self.step()
            if what():
                return
        raise AssertionError(f"it never came to that: {self.record.phase} {self.why}")


@pytest.fixture(params=[WEIGHTED, ALONE], ids=["weighted", "alone"])
def cluster(server: Any, request: Any) -> Cluster:
    """Initialised: v1 is promoted."""
    made = Cluster(server, request.param)
    assert made.walk() == "promoted", made.why
    assert (made.record.phase, made.seen[-1]) == ("Initialized", ("v1", "v1", "v1"))
    return made


@pytest.fixture
def weighted(server: Any) -> Cluster:
    made = Cluster(server, WEIGHTED)
    assert made.walk() == "promoted", made.why
    return made


def test_safety_28_the_target_stays_as_its_user_made_it(cluster: Cluster) -> None:
    spec = cluster.kept.get(at("podinfo"))["spec"]
    assert spec["selector"] == {"version": "v1"} and spec["clusterIP"] == "10.0.0.1"
    assert cluster.kept.get(at("podinfo-primary"))["spec"].get("clusterIP") is None
    assert cluster.walk() == "unchanged"


def test_safety_17_a_good_release_is_promoted_by_what_the_canarys_service_selects(cluster: Cluster) -> None:
    cluster.point("v2")
    assert cluster.walk() == "promoted", cluster.why
    assert cluster.seen[-1] == ("v2", "v2", "v2") and cluster.record.phase == "Succeeded"
    primaries = [primary for _target, primary, _trial in cluster.seen if primary]
    assert primaries == sorted(primaries), "nobody was led back"
    assert cluster.weights == ([0, 25, 50, 0] if cluster.canary.splits else [])
    assert service.TRIAL not in cluster.kept.get(at("podinfo-canary"))["metadata"]["annotations"]
    assert cluster.walk() == "unchanged"


def test_a_bad_release_is_rolled_back_and_nobody_is_led_to_it_any_more(cluster: Cluster) -> None:
    cluster.point("v2")
    cluster.verdict = FAIL
    assert cluster.walk() == "rolled_back", cluster.why
    assert cluster.seen[-1] == ("v2", "v1", "v1") and cluster.record.phase == "Failed"
    assert cluster.weights[-1:] == ([0] if cluster.canary.splits else [])
    assert "v2" not in [primary for _target, primary, _trial in cluster.seen]
    cluster.point("v1")
    assert cluster.walk() == "unchanged"
    cluster.point("v2")
    cluster.verdict = PASS
    assert cluster.walk() == "promoted", "a later return is a new release"


def test_a_plan_says_what_a_walk_does(weighted: Cluster) -> None:
    weighted.point("v2")
    planned = plan(weighted.canary, weighted.record, weighted.look())
    assert planned[-1].phase == "Succeeded" and [step.weight for step in planned if step.phase == "Progressing"][-1] == 50
    said: list[str] = []
    while weighted.record.phase != "Succeeded":
        weighted.step()
        said.append(weighted.why)
    for order in ("lead podinfo-canary to what podinfo selects", "lead podinfo-canary to what podinfo-primary selects", "promote podinfo-canary"):
        assert any(order in text for text in said), order
        assert any(order in step.what for step in planned) or order.startswith("promote"), [step.what for step in planned]


def test_safety_16_nobody_is_led_to_pods_that_do_not_answer(weighted: Cluster) -> None:
    weighted.ready.discard("v2")
    weighted.point("v2")
    assert weighted.walk() == "rolled_back"
    assert weighted.weights == [0]
    assert "none of the pods that podinfo-canary selects is ready" in weighted.record.outcome_why


def test_safety_09_17_what_the_user_points_at_in_mid_walk_gets_no_weight_before_it_was_analysed(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.record.canary_weight == 25)
    weighted.point("v3")
    assert weighted.walk() == "promoted", weighted.why
    assert weighted.weights == [0, 25, 0, 25, 50, 0]
    trials = [trial for _target, _primary, trial in weighted.seen if trial]
    assert trials[-1] == "v3" and weighted.leads("podinfo-primary") == "v3"
    moved = [index for index, led in enumerate(weighted.seen) if led[2] == "v3"][0]
    assert weighted.seen[moved][1] == "v1", "it was led to v3 while nobody was led to it"


def test_a_target_that_is_set_back_ends_the_walk(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.record.canary_weight == 25)
    weighted.point("v1")
    assert weighted.walk() == "superseded"
    assert weighted.seen[-1] == ("v1", "v1", "v1") and weighted.weights[-1] == 0


def test_safety_17_a_canary_service_that_somebody_pointed_elsewhere_is_rolled_back(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.record.canary_weight == 25)
    weighted.kept.change(at("podinfo-canary"), lambda live: live["spec"].update(selector={"version": "v3"}))
    assert weighted.walk() == "rolled_back"
    assert weighted.leads("podinfo-primary") == "v1" and weighted.weights[-1] == 0


def test_weak_spot_30_a_canary_service_that_is_gone_comes_back_leading_to_what_was_promoted(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.record.canary_weight == 25)
    weighted.point("v3")
    weighted.kept.drop(at("podinfo-canary"))
    weighted.step()
    assert weighted.leads("podinfo-canary") == "v1"


def test_weak_spot_30_a_primary_that_is_gone_is_not_made_of_what_the_target_selects_by_now(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.kept.drop(at("podinfo-primary"))
    for _step in range(5):
        weighted.step()
    assert weighted.kept.get(at("podinfo-primary")) is None
    assert "podinfo-primary does not exist" in weighted.why


def test_safety_27_a_primary_whose_slices_do_not_follow_yet_is_not_ready(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.leads("podinfo-primary") == "v2")
    stale = look.look(weighted.api, weighted.canary, weighted.record).primary
    assert stale and not stale.ready and stale.why == "the endpoints of podinfo-primary follow its selector"
    assert weighted.look().primary.ready


def test_safety_16_a_promotion_is_taken_back_from_what_the_primary_remembers(weighted: Cluster) -> None:
    before = weighted.look().primary
    assert before and before.replicaset == "podinfo-primary"
    weighted.point("v2")
    weighted.until(lambda: weighted.leads("podinfo-primary") == "v2")
    restore = WorkloadOrder(restore={"replicaset": before.replicaset, "revision": before.promoted})
    assert apply_workload(weighted.api, weighted.canary, restore, 1).result()["changed"]
    assert weighted.leads("podinfo-primary") == "v1"
    assert not apply_workload(weighted.api, weighted.canary, restore, 1).result()["changed"]
    with pytest.raises(CanaryError, match="does not remember the revision abc, so it cannot be restored"):
        apply_workload(weighted.api, weighted.canary, WorkloadOrder(restore={"replicaset": "podinfo-primary", "revision": "abc"}), 1)


@pytest.mark.parametrize(("changes", "words"), [
    ({"uid": "another"}, "its uid differs"), ({"revision": "another"}, "does not lead to the revision that was analysed"), ({"replicaset": "gone"}, "is gone"),
])
def test_safety_17_only_the_very_service_that_was_analysed_is_promoted(weighted: Cluster, changes: dict[str, str], words: str) -> None:
    weighted.point("v2")
    weighted.until(lambda: weighted.record.canary_weight == 25)
    pinned = weighted.record.pinned
    assert pinned and (pinned.replicaset, pinned.revision) == ("podinfo-canary", weighted.look().target.revision)
    order = {"replicaset": pinned.replicaset, "uid": pinned.replicaset_uid, "revision": pinned.revision}
    with pytest.raises(CanaryError, match=words):
        apply_workload(weighted.api, weighted.canary, WorkloadOrder(promote={**order, **changes}), 1)
    work = apply_workload(weighted.api, weighted.canary, WorkloadOrder(promote=order), 1)
    assert work.result()["changed"] and not apply_workload(weighted.api, weighted.canary, WorkloadOrder(promote=order), 1).result()["changed"]


def test_safety_07_08_services_of_others_are_left_alone(server: Any) -> None:
    made = Cluster(server, WEIGHTED)
    made.kept.put(at("podinfo-primary"), {"spec": {"selector": {"version": "v9"}, "ports": [{"port": 9898}]}})
    with pytest.raises(CanaryError, match="Service test/podinfo-primary exists and was not made for the canary podinfo"):
        apply_workload(made.api, made.canary, WorkloadOrder(create_primary=1), 1)
    made.kept.change(at("podinfo"), lambda live: live["metadata"].setdefault("annotations", {}).update({"progressive.delivery/canary": "other"}))
    with pytest.raises(CanaryError, match="belongs to the canary other"):
        made.look()


def test_flaggers_own_services_are_gone_on_with_and_freed(server: Any) -> None:
    made = Cluster(server, WEIGHTED)
    owned = {"metadata": {"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1", "controller": True}]}}
    for name in NAMES[1:]:
        made.kept.put(at(name), {**owned, "spec": made.kept.get(at("podinfo"))["spec"]})
    assert made.walk() == "promoted", made.why
    assert not [name for name in NAMES[1:] if made.kept.get(at(name))["metadata"].get("ownerReferences")]
    assert made.kept.get(at("podinfo-primary"))["metadata"]["annotations"]["progressive.delivery/promoted"] == made.record.last_promoted


@pytest.mark.parametrize("keep", ["primary", "target"])
def test_safety_29_a_removal_gives_the_target_what_was_promoted_and_takes_ours_away(cluster: Cluster, keep: str) -> None:
    cluster.point("v2")
    cluster.verdict = FAIL
    assert cluster.walk() == "rolled_back"
    assert cluster.walk(orders=Orders(remove="yes", keep=keep)) == "removed", cluster.why
    assert cluster.leads("podinfo") == ("v1" if keep == "primary" else "v2")
    assert [name for name in NAMES if cluster.kept.get(at(name))] == ["podinfo"]
    held = [key for key in cluster.kept.get(at("podinfo"))["metadata"]["annotations"] if key in ("progressive.delivery/canary", "progressive.delivery/epoch")]
    assert held == [] and cluster.record.phase == states.TERMINATED
    if cluster.canary.splits:
        route = cluster.kept.get(routes.ref(cluster.canary))
        assert [one["name"] for one in route["spec"]["rules"][0]["backendRefs"]] == ["podinfo"]


def test_safety_29_users_are_not_led_to_the_target_before_it_selects_what_was_promoted(weighted: Cluster) -> None:
    weighted.point("v2")
    weighted.verdict = FAIL
    assert weighted.walk() == "rolled_back"
    orders = Orders(remove="yes")
    while gatewayapi.read(weighted.kept.get(routes.ref(weighted.canary)), weighted.canary) == Split(100, 0):
        before = weighted.leads("podinfo")
        weighted.step(orders=orders)
        orders = Orders()
    assert before == "v1"
    assert removing.removed_why(weighted.record)


def test_the_fields_that_are_each_ones_own_stay(weighted: Cluster) -> None:
    weighted.kept.change(at("podinfo"), lambda live: live["spec"].update(type="NodePort", ports=[{**live["spec"]["ports"][0], "nodePort": 30001}]))
    assert weighted.walk() == "unchanged", "a node port is no new revision"
    wanted = {"spec": {"selector": {"version": "v7"}, "ports": [{"name": "http", "port": 9898, "targetPort": 1}]}}
    made = service.leading(weighted.kept.get(at("podinfo")), wanted)
    assert made["spec"]["ports"][0]["nodePort"] == 30001 and made["spec"]["clusterIP"] == "10.0.0.1"
    assert json.dumps(made["spec"]["selector"]) == '{"version": "v7"}'
