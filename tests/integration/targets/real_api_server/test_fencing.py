# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written late, twice, or beside somebody else (SAFETY 1, 8, 14, 17)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, LostLock
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi

ANNOTATE = {"metadata": {"annotations": {"somebody": "else"}}}


def weights(canary: int) -> TrafficOrder:
    return TrafficOrder(split=Split(100 - canary, canary))


@pytest.fixture
def place(canary: Any) -> refs.Ref:
    return routes.ref(canary)


@pytest.fixture
def at(others: Any, canary: Any, answering: None, place: refs.Ref) -> Any:
    """Begins with a route at this weight, of epoch 3."""
    def begin(weight: int) -> None:
        others.create(place, gatewayapi.desired(canary, Split(100 - weight, weight)))
        look.fence(others, canary, 3)
    return begin


@pytest.fixture
def live(others: Any, canary: Any, place: refs.Ref) -> Any:
    """What the route says now."""
    def read() -> Split | None:
        found = others.get(place)
        return gatewayapi.read(found, canary) if found else None
    return read


def by_hand(others: Any, canary: Any, place: refs.Ref, weight: int) -> Any:
    def act() -> None:
        found = others.get(place)
        others.replace(place, gatewayapi.write(found, canary, Split(100 - weight, weight)))
    return act


# Writes that hang

def test_safety_01_a_raise_that_hung_is_refused_after_a_takeover(ours: Any, others: Any, line: Any, canary: Any, at: Any, live: Any) -> None:
    at(0)
    line.holding = True
    with pytest.raises(KubeError) as caught:
        apply_traffic(ours, canary, weights(50), 3, wait=0)
    assert caught.value.ambiguous
    look.fence(others, canary, 4)
    assert set(line.release()) == {409}
    assert live() == Split(100, 0)


def test_safety_01_a_raise_that_hung_is_refused_although_the_order_after_it_changes_nothing(
        ours: Any, others: Any, line: Any, canary: Any, at: Any, live: Any) -> None:
    at(0)
    line.holding = True
    with pytest.raises(KubeError):
        apply_traffic(ours, canary, weights(50), 3, wait=0)
    look.fence(others, canary, 3)
    assert not apply_traffic(others, canary, weights(0), 3, wait=0).changed
    assert set(line.release()) == {409}
    assert live() == Split(100, 0)


def test_safety_01_a_scaling_that_hung_is_refused_after_a_takeover(ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    apply_workload(others, canary, WorkloadOrder(scale_target=1), 3)
    line.holding = True
    with pytest.raises(KubeError):
        apply_workload(ours, canary, WorkloadOrder(scale_target=0), 3)
    look.fence(others, canary, 4)
    assert set(line.release()) == {409}
    assert others.get(target)["spec"]["replicas"] == 1


def test_safety_01_a_route_that_is_made_late_is_refused_by_the_one_that_is_there(
        ours: Any, others: Any, line: Any, canary: Any, answering: None, live: Any) -> None:
    line.holding = True
    with pytest.raises(KubeError):
        apply_traffic(ours, canary, weights(0), 3, wait=0)
    apply_traffic(others, canary, weights(20), 4, wait=0)
    assert set(line.release()) == {409}
    assert live() == Split(80, 20)


def test_safety_01_who_comes_late_is_told_and_touches_nothing(ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref, at: Any, live: Any) -> None:
    at(30)
    look.fence(others, canary, 4)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        apply_traffic(ours, canary, weights(0), 3, wait=0)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        apply_workload(ours, canary, WorkloadOrder(scale_target=1), 3)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        look.fence(ours, canary, 3)
    assert (line.written, live()) == ([], Split(70, 30))


def test_safety_01_a_fence_moves_every_object_that_there_is(others: Any, canary: Any, target: refs.Ref, at: Any, place: refs.Ref) -> None:
    at(0)
    before = [others.get(one)["metadata"]["resourceVersion"] for one in (place, target)]
    look.fence(others, canary, 3)
    look.fence(others, canary, 3)
    after = [others.get(one) for one in (place, target)]
    assert [one["metadata"]["annotations"]["progressive.delivery/epoch"] for one in after] == ["3.2", "3.2"]
    assert not set(before) & {one["metadata"]["resourceVersion"] for one in after}


# Answers that get lost

@pytest.mark.parametrize("lost", [1, 2])
def test_safety_01_a_patch_whose_answer_was_lost_is_found_done(ours: Any, line: Any, canary: Any, at: Any, live: Any, place: refs.Ref, lost: int) -> None:
    at(0)
    generation = ours.get(place)["metadata"]["generation"]
    line.losing = lost
    traffic = apply_traffic(ours, canary, weights(10), 3, wait=0)
    assert (traffic.changed, traffic.before, traffic.after) == (True, Split(100, 0), Split(90, 10))
    assert ours.get(place)["metadata"]["generation"] == generation + 1
    assert live() == Split(90, 10)


def test_safety_01_a_primary_whose_making_was_not_answered_is_found_made(ours: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(scale_target=0), 3)
    line.meanwhile = lambda: setattr(line, "losing", 2)
    first = apply_workload(ours, canary, WorkloadOrder(create_primary=0), 3)
    assert first.result()["changed"]
    again = apply_workload(ours, canary, WorkloadOrder(create_primary=0), 3)
    assert not again.result()["changed"]


def test_safety_01_a_scaling_whose_answer_was_lost_is_found_done(ours: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    look.fence(ours, canary, 3)
    apply_workload(ours, canary, WorkloadOrder(scale_target=0), 3)
    line.losing = 1
    work = apply_workload(ours, canary, WorkloadOrder(scale_target=2), 3)
    assert work.result()["changed"]
    assert ours.get(target)["spec"]["replicas"] == 2


# Others who write at the same moment

def test_safety_14_what_has_nothing_to_do_with_the_order_is_no_reason_to_give_up(
        ours: Any, others: Any, line: Any, canary: Any, at: Any, live: Any, place: refs.Ref) -> None:
    at(0)
    line.meanwhile = lambda: others.patch(place, ANNOTATE)
    assert apply_traffic(ours, canary, weights(10), 3, wait=0).changed
    assert live() == Split(90, 10)
    assert ours.get(place)["metadata"]["annotations"]["somebody"] == "else"


def test_safety_14_a_hand_that_lowers_while_we_raise_wins(
        ours: Any, others: Any, line: Any, canary: Any, at: Any, live: Any, place: refs.Ref) -> None:
    at(20)
    line.meanwhile = by_hand(others, canary, place, 5)
    with pytest.raises(KubeError, match="was changed by somebody else while it was to be changed; nothing was done to it") as caught:
        apply_traffic(ours, canary, weights(30), 3, wait=0)
    assert caught.value.status == 409
    assert live() == Split(95, 5)


@pytest.mark.parametrize("hand", [50, 5])
def test_safety_14_lowering_is_right_whatever_somebody_does(
        ours: Any, others: Any, line: Any, canary: Any, at: Any, live: Any, place: refs.Ref, hand: int) -> None:
    at(20)
    line.meanwhile = by_hand(others, canary, place, hand)
    assert apply_traffic(ours, canary, weights(0), 3, wait=0).changed
    assert live() == Split(100, 0)


def test_safety_14_a_hand_that_scales_while_we_scale_wins(ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    look.fence(others, canary, 3)
    line.meanwhile = lambda: others.patch_scale(target, {"spec": {"replicas": 5}})
    with pytest.raises(KubeError, match="was scaled from 0 to 5 by somebody else while it was to be scaled to 2"):
        apply_workload(ours, canary, WorkloadOrder(scale_target=2), 3)
    assert others.get(target)["spec"]["replicas"] == 5


def test_safety_14_a_status_that_changes_while_we_scale_is_no_reason_to_give_up(
        ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    look.fence(others, canary, 3)
    line.meanwhile = lambda: others.patch(target, ANNOTATE)
    assert apply_workload(ours, canary, WorkloadOrder(scale_target=2), 3).result()["changed"]
    assert others.get(target)["spec"]["replicas"] == 2


@pytest.fixture
def promotion(others: Any, canary: Any, target: refs.Ref) -> dict[str, str]:
    """A primary, a new version of the target, and the order to promote its ReplicaSet."""
    apply_workload(others, canary, WorkloadOrder(create_primary=0), 3)
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "lab.local/podinfo:B"}]
    found = others.patch(target, image, "application/json-patch+json")
    revision = revision_of(found["spec"]["template"])
    for event in others.watch(refs.replica_set(canary.namespace), 30):
        made = event["object"]
        if revision_of(made["spec"]["template"]) == revision:
            return {"replicaset": made["metadata"]["name"], "uid": made["metadata"]["uid"], "revision": revision}
    raise AssertionError("the Deployment's controller made no ReplicaSet")


def test_safety_17_promoting_the_analysed_replicaset_twice_is_promoting_it_once(ours: Any, line: Any, canary: Any, promotion: dict[str, str]) -> None:
    first = apply_workload(ours, canary, WorkloadOrder(promote=promotion), 3).result()
    again = apply_workload(ours, canary, WorkloadOrder(promote=promotion), 3).result()
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["after"] == again["after"]
    assert (first["after"]["images"]["podinfo"], first["after"]["promoted"]) == ("lab.local/podinfo:B", promotion["revision"])
    assert set(line.written) == {("PATCH", "podinfo-primary")}


def test_safety_14_a_hand_on_the_primarys_template_while_we_promote_wins(
        ours: Any, others: Any, line: Any, canary: Any, promotion: dict[str, str]) -> None:
    primary = refs.deployment(canary.namespace, "podinfo-primary")
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "lab.local/podinfo:C"}]
    line.meanwhile = lambda: others.patch(primary, image, "application/json-patch+json")
    with pytest.raises(KubeError, match="was changed by somebody else"):
        apply_workload(ours, canary, WorkloadOrder(promote=promotion), 3)
    assert others.get(primary)["spec"]["template"]["spec"]["containers"][0]["image"] == "lab.local/podinfo:C"


def test_safety_17_a_replicaset_that_is_gone_is_not_promoted(ours: Any, others: Any, line: Any, canary: Any, promotion: dict[str, str]) -> None:
    others.delete(refs.replica_set(canary.namespace, promotion["replicaset"]))
    with pytest.raises(CanaryError, match="is gone, so what was analysed can no longer be promoted|its uid differs"):
        apply_workload(ours, canary, WorkloadOrder(promote=promotion), 3)
    assert line.written == []


# Two canaries

def test_safety_08_what_belongs_to_another_canary_is_not_touched(ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    others.patch(target, {"metadata": {"annotations": {"progressive.delivery/canary": "first"}}})
    with pytest.raises(CanaryError, match="podinfo belongs to the canary first"):
        look.look(ours, canary)
    for order in (WorkloadOrder(create_primary=1), WorkloadOrder(scale_target=1)):
        with pytest.raises(CanaryError, match="podinfo belongs to the canary first"):
            apply_workload(ours, canary, order, 3)
    assert line.written == []


def test_safety_08_of_two_canaries_that_claim_at_once_one_is_told(ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    line.meanwhile = lambda: others.patch(target, {"metadata": {"annotations": {"progressive.delivery/canary": "first"}}})
    with pytest.raises(CanaryError, match="podinfo belongs to the canary first"):
        apply_workload(ours, canary, WorkloadOrder(create_primary=1), 3)
    assert others.get(refs.deployment(canary.namespace, "podinfo-primary")) is None
