# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a DaemonSet says, what its primary is made of, and how the machine walks a target that has no number of replicas."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import document, parking, primary, releasing, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, Affinity, Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import daemonset
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import A, B, Run, World, canary, fresh, released, until

CANARY = Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind=DAEMONSET,
                service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1))


def template(image: str = "podinfo:2", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": {"containers": [{"name": "podinfo", "image": image}], **spec}}


def live(made: dict[str, Any] | None = None, generation: int = 1, **status: int) -> dict[str, Any]:
    counted = {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
    return {"kind": DAEMONSET, "metadata": {"name": "podinfo", "namespace": "test", "uid": "target-uid", "generation": generation},
            "spec": {"selector": {"matchLabels": {"app": "podinfo"}}, "template": made or template(), "updateStrategy": {"type": "RollingUpdate"},
                     "minReadySeconds": 5},
            "status": {**counted, **status}}


def kept(made: dict[str, Any], name: str = "podinfo-1", number: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "test", "uid": f"uid-{name}", "ownerReferences": [{"uid": "target-uid", "controller": True}]},
            "revision": number, "data": {"spec": {"template": {"$patch": "replace", **made}}}}


@pytest.mark.parametrize(("obj", "ready", "why"), [
    (live(), True, ""),
    (live(generation=2), False, "not observed yet"),
    (live(parking.parked(template())), False, "podinfo is parked, no node runs it"),
    (live(desiredNumberScheduled=0, currentNumberScheduled=0, updatedNumberScheduled=0, numberAvailable=0), False, "no node that podinfo is to run on"),
    (live(updatedNumberScheduled=2), False, "2 out of 3 new pods have been updated"),
    (live(numberAvailable=2), False, "2 of 3 (readyThreshold 100%) updated pods are available"),
    (live(desiredNumberScheduled=1, currentNumberScheduled=1, updatedNumberScheduled=1, numberAvailable=0), False, "0 of 1"),
])
def test_safety_10_a_daemonset_is_ready_when_its_controller_counts_a_new_pod_on_every_node(obj: dict[str, Any], ready: bool, why: str) -> None:
    found = daemonset.rollout(obj)
    assert found.ready == ready and why in found.why and not found.stuck


def test_safety_10_no_threshold_makes_a_daemonset_without_an_available_pod_ready() -> None:
    assert daemonset.rollout(live(numberAvailable=2), threshold=66).ready
    assert not daemonset.rollout(live(numberAvailable=0), threshold=1).ready


def test_one_that_is_updated_by_hand_says_so() -> None:
    obj = live(updatedNumberScheduled=0)
    obj["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert "its updateStrategy is OnDelete" in daemonset.rollout(obj).why


def test_safety_10_pods_that_may_be_of_another_template_do_not_count_as_the_canarys() -> None:
    pods = frozenset(("podinfo-a", "podinfo-b", "podinfo-c"))
    assert daemonset.answering(live(), pods, "podinfo-1") == 3
    assert daemonset.answering(live(updatedNumberScheduled=1), pods, "podinfo-1") == 1
    assert daemonset.answering(live(updatedNumberScheduled=1, numberMisscheduled=1), pods, "podinfo-1") == 0
    assert daemonset.answering(live(), pods, "") == 0


# Parking

@pytest.mark.parametrize("made", [template(), template(nodeSelector={"disk": "ssd"})])
def test_safety_19_a_parked_template_is_the_same_revision(made: dict[str, Any]) -> None:
    assert revision_of(parking.parked(made)) == revision_of(made)
    assert parking.unparked(parking.parked(made)) == made and parking.unparked(made) == made


def test_safety_19_the_authors_own_node_selector_counts() -> None:
    assert revision_of(template(nodeSelector={"disk": "ssd"})) != revision_of(template())
    assert revision_of(parking.parked(template(nodeSelector={"disk": "ssd"}))) != revision_of(parking.parked(template()))


def test_a_parked_daemonset_has_no_replicas_and_one_that_runs_has_one() -> None:
    assert (daemonset.replicas(live()), daemonset.replicas(live(parking.parked(template())))) == (1, 0)


def test_weak_spot_30_a_primary_made_of_a_parked_target_runs_on_its_nodes() -> None:
    made = primary.new_primary(live(parking.parked(template(nodeSelector={"disk": "ssd"}))), CANARY, 1)
    assert (made["kind"], made["apiVersion"], "replicas" in made["spec"]) == (DAEMONSET, "apps/v1", False)
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert (made["spec"]["updateStrategy"], made["spec"]["minReadySeconds"]) == ({"type": "RollingUpdate"}, 5)
    assert made["metadata"]["annotations"]["progressive.delivery/promoted"] == revision_of(template(nodeSelector={"disk": "ssd"}))


# What is promoted

def order(entry: dict[str, Any]) -> dict[str, str]:
    return {"replicaset": entry["metadata"]["name"], "uid": entry["metadata"]["uid"], "revision": revision_of(daemonset.kept(entry))}


def test_safety_17_the_very_controller_revision_that_was_analysed_is_promoted_and_never_parked() -> None:
    entry = kept(parking.parked(template("podinfo:3")))
    pinned = primary.pinned_template(entry, live(), order(entry))
    assert pinned == template("podinfo:3")
    now = primary.promoted(primary.new_primary(live(), CANARY, 1), live(), pinned, CANARY, order(entry)["revision"])
    assert now["spec"]["template"]["spec"] == template("podinfo:3")["spec"]
    assert primary.promoted(now, live(), pinned, CANARY, order(entry)["revision"]) == now


def test_safety_17_another_controller_revision_of_that_name_is_not_promoted() -> None:
    entry = kept(template("podinfo:3"))
    for found, words in ((None, "ControllerRevision test/podinfo-1 is gone"), (kept(template("podinfo:4")), "does not hold the revision"),
                         ({**entry, "metadata": {**entry["metadata"], "uid": "later"}}, "its uid differs")):
        with pytest.raises(CanaryError, match=words):
            primary.pinned_template(found, live(), order(entry))


def test_safety_17_of_two_controller_revisions_of_one_template_the_running_one_is_pinned() -> None:
    """Parking a template makes its controller keep it a second time."""
    running, parked, old = kept(template(), "podinfo-1", 1), kept(parking.parked(template()), "podinfo-2", 3), kept(template("podinfo:1"), "podinfo-0", 2)
    assert daemonset.newest_first(live(), [parked, old, running])[0] is old, "the newest that is not parked"
    assert [item["metadata"]["name"] for item in daemonset.newest_first(live(parking.parked(template())), [running, parked])] == ["podinfo-2", "podinfo-1"]


# The document

DOCUMENT: dict[str, Any] = {
    "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": "test"},
    "spec": {"provider": "kubernetes", "targetRef": {"apiVersion": "apps/v1", "kind": DAEMONSET, "name": "podinfo"}, "service": {"port": 80},
             "analysis": {"interval": "10s", "threshold": 2, "iterations": 2}},
}


def test_a_document_may_name_a_daemonset() -> None:
    parsed = document.parse(DOCUMENT)
    assert (parsed.target_kind, parsed.identity["target"]) == (DAEMONSET, "DaemonSet/podinfo")


@pytest.mark.parametrize("version", ["v1", "core/v1"])
def test_a_document_may_name_a_service_of_kubernetes(version: str) -> None:
    changed = copy.deepcopy(DOCUMENT)
    changed["spec"]["targetRef"].update(apiVersion=version, kind="Service")
    changed["spec"]["service"].update(portDiscovery=True, targetPort=80)
    parsed = document.parse(changed)
    assert (parsed.target_kind, parsed.identity["target"]) == ("Service", "Service/podinfo")
    assert [text for text in parsed.warnings if "says targetPort, portDiscovery, which means nothing where the target is a Service" in text]


def test_safety_28_a_daemonset_that_serves_gets_a_primary_before_its_first_release() -> None:
    """Its status counts in words of its own: by those of a Deployment it would serve nobody, and the new version would roll to all users at once."""
    assert releasing.after_initialising(None, live())
    assert not releasing.after_initialising(None, live(numberAvailable=0))


def test_a_service_has_no_pod_template_to_release() -> None:
    with pytest.raises(SpecError, match="canary_release: .* the target is a Service, which has none"):
        releasing.refuse_kind("Service", "canary_release")
    releasing.refuse_kind("DaemonSet", "canary_release")


def test_safety_22_a_daemonset_that_is_to_be_paused_is_refused() -> None:
    told = document.problems(DOCUMENT, options=Options(pause_target=True))
    assert [str(problem) for problem in told] == [
        "canary_pause_target: a DaemonSet cannot be paused (accepted: false, or a target of kind Deployment)"]


# The machine, over a world whose target runs or does not

def walked(**more: Any) -> Canary:
    return dataclasses.replace(canary(**more), target_kind=DAEMONSET)


def on_nodes(document: Canary | None = None) -> World:
    """A release to walk, of a workload without a number."""
    world = released(document or walked())
    world.primary.replicas = 1
    return world


def test_a_daemonset_is_walked_as_a_deployment_is() -> None:
    world = on_nodes()
    assert Run(world).walk().outcome == "promoted"
    rules.hold(world)
    rules.at_rest(world)
    assert (world.primary.revision, world.target.replicas) == (B, 0)
    scaled = [one.workload.scale_target for one in world.done if one.workload and one.workload.scale_target is not None]
    assert set(scaled) == {0, 1}, "it is on its nodes or on none"
    assert any("take podinfo off its nodes: the primary serves the new revision" in decision.why for _at, _where, decision in world.decisions)


TRAFFIC = pytest.mark.parametrize("analysis", [
    {"step_weight": 25, "mirror": 100}, {"iterations": 2, "step_weight": 0, "max_weight": 100, "mirror": 100},
    {"step_weight": 25, "affinity": Affinity("stays", primary_cookie_name="rests")},
], ids=["copies, then weights", "copies, then all", "cookies"])


@TRAFFIC
@pytest.mark.parametrize("end", ["promoted", "aborted", "superseded", "removed"])
def test_safety_11_a_daemonset_leaves_its_nodes_when_copies_and_cookies_have_ended_and_drained(analysis: dict[str, Any], end: str) -> None:
    world = on_nodes(walked(analysis=analysis))
    until(world, lambda now: now.record.reaches_canary and now.record.intent is None)
    assert world.split.reaches_canary
    if end == "superseded":
        world.release(A)
    elif end != "promoted":
        world.order({"aborted": "abort", "removed": "remove"}[end])
    world.done.clear()
    assert Run(world).walk().outcome == end
    stopped = next(one.at for one in world.done if one.traffic and one.traffic.split and not one.traffic.split.reaches_canary)
    gone = [one.at for one in world.done if one.workload and one.workload.scale_target == 0]
    assert all(at - stopped >= world.canary.options.drain for at in gone) and (gone or end == "removed")
    rules.hold(world)


def test_weak_spot_10_a_daemonset_that_never_gets_ready_is_rolled_back_at_the_documents_deadline() -> None:
    """Its controller knows none; Flagger counts from its own last write."""
    world = on_nodes(walked(progress_deadline=60.0))
    world.target.sick.add(B)
    world.target.gives_up = 10.0 ** 9
    began = world.now
    assert Run(world).walk().outcome == "rolled_back"
    assert 60 <= world.now - began < 200
    assert world.target.replicas == 0 and world.primary.revision == A


def test_safety_16_a_daemonset_that_has_to_go_on_serving_is_not_ordered_to_pause() -> None:
    world = on_nodes()
    until(world, lambda now: now.record.phase == "Promoting" and now.primary.revision == B)
    world.primary.sick.update((A, B))
    Run(world, patience=3000).walk()
    assert not [one for one in world.done if one.workload and one.workload.pause_target is not None]
    assert world.target.replicas == 1, "who serves goes on"


def test_safety_28_a_primary_on_fewer_nodes_than_the_target_answers_on_does_not_take_over() -> None:
    world: World = fresh(walked())
    until(world, lambda now: now.primary is not None and now.canary.service.canary_name in now.services and now.record.intent is None)
    seen = world.look()
    target = dataclasses.replace(seen.target, replicas=1, nodes=3, available=3)
    for answering, words in ((2, "podinfo-primary is not ready: 2 of its pods are ready endpoints"), (3, "route all traffic to the primary")):
        primary_now = dataclasses.replace(seen.primary, ready=True, why="", replicas=1, nodes=3, endpoints=answering)
        assert decide(world.canary, world.record, dataclasses.replace(seen, target=target, primary=primary_now)).why == words
    assert dataclasses.replace(target, replicas=0).wanted == 0


def test_every_kind_says_how_it_is_made_and_moved() -> None:
    for kind in targets.TARGETS.values():
        assert kind.scaling("podinfo", 0) != kind.scaling("podinfo", 1)
        assert "podinfo-primary" in kind.making("podinfo-primary", 2)
    assert targets.of({}) is targets.deployment
