# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target against the real server: what it fills in, what stays, and whose endpoints follow."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SERVICE
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload


def until(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def walked(canary: Any) -> Any:
    return dataclasses.replace(canary, target_kind=SERVICE)


@pytest.fixture
def place(others: Any, namespace: str) -> refs.Ref:
    """The user's Service, of a type that has a port on each node."""
    ref = refs.service(namespace, "podinfo")
    others.create(ref, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo", "namespace": namespace},
                        "spec": {"type": "NodePort", "selector": {"version": "v1"}, "ports": [{"name": "http", "port": 9898}]}})
    return ref


@pytest.fixture
def begun(ours: Any, walked: Any, place: refs.Ref) -> Any:
    apply_workload(ours, walked, WorkloadOrder(create_primary=1), 1)
    apply_traffic(ours, walked, TrafficOrder(services=True, split=Split(100, 0)), 1)
    return walked


def leads(api: Any, canary: Any, name: str) -> Any:
    return api.get(refs.service(canary.namespace, name))["spec"]["selector"]


def point(api: Any, place: refs.Ref, version: str) -> None:
    api.patch(place, {"spec": {"selector": {"version": version}}})


def test_safety_17_28_the_copies_mean_what_the_target_does_and_have_addresses_of_their_own(
        ours: Any, others: Any, line: Any, begun: Any, place: refs.Ref) -> None:
    target = others.get(place)
    made = [others.get(place.named(name)) for name in ("podinfo-primary", "podinfo-canary")]
    assert {service.revision(one) for one in [target, *made]} == {service.revision(target)}
    assert [one["spec"]["type"] for one in made] == ["ClusterIP", "ClusterIP"]
    assert len({one["spec"]["clusterIP"] for one in [target, *made]}) == 3
    seen = look.look(ours, begun)
    assert seen.same_as_primary and seen.services == () and seen.primary.promoted == seen.target.revision
    line.sent.clear()
    assert not apply_workload(ours, begun, WorkloadOrder(create_primary=1), 1).result()["changed"]
    apply_traffic(ours, begun, TrafficOrder(services=True), 1)
    assert line.written == []


def test_safety_16_17_led_on_trial_promoted_restored_and_at_rest_each_once(ours: Any, others: Any, line: Any, begun: Any, place: refs.Ref) -> None:
    before = look.look(ours, begun).primary
    point(others, place, "v2")
    assert apply_workload(ours, begun, WorkloadOrder(scale_target=1), 1).result()["changed"]
    assert leads(others, begun, "podinfo-canary") == {"version": "v2"}
    target = look.look(ours, begun).target
    assert (target.replicas, target.ready, target.replicaset) == (1, False, "podinfo-canary")
    order = {"replicaset": target.replicaset, "uid": target.replicaset_uid, "revision": target.revision}
    point(others, place, "v3")
    assert apply_workload(ours, begun, WorkloadOrder(promote=order), 1).result()["changed"]
    assert leads(others, begun, "podinfo-primary") == {"version": "v2"}, "what was analysed, not what the target selects by now"
    line.sent.clear()
    assert not apply_workload(ours, begun, WorkloadOrder(promote=order), 1).result()["changed"]
    assert line.written == []
    assert apply_workload(ours, begun, WorkloadOrder(restore={"replicaset": before.replicaset, "revision": before.promoted}), 1).result()["changed"]
    assert leads(others, begun, "podinfo-primary") == {"version": "v1"}
    assert apply_workload(ours, begun, WorkloadOrder(scale_target=0), 1).result()["changed"]
    assert leads(others, begun, "podinfo-canary") == {"version": "v1"}
    assert apply_workload(ours, begun, WorkloadOrder(template_back={"revision": before.promoted}), 1).result()["changed"]
    assert others.get(place)["spec"]["selector"] == {"version": "v1"} and others.get(place)["spec"]["ports"][0]["nodePort"]


def test_safety_01_a_promotion_that_hung_is_refused_after_a_takeover(ours: Any, others: Any, line: Any, begun: Any, place: refs.Ref) -> None:
    point(others, place, "v2")
    apply_workload(others, begun, WorkloadOrder(scale_target=1), 3)
    target = look.look(others, begun).target
    line.holding = True
    with pytest.raises(KubeError):
        apply_workload(ours, begun, WorkloadOrder(
            promote={"replicaset": target.replicaset, "uid": target.replicaset_uid, "revision": target.revision}), 3)
    look.fence(others, begun, 4)
    assert set(line.release()) == {409}
    assert leads(others, begun, "podinfo-primary") == {"version": "v1"}


def test_safety_08_a_service_of_another_canary_is_refused(ours: Any, others: Any, walked: Any, place: refs.Ref) -> None:
    others.patch(place, {"metadata": {"annotations": {"progressive.delivery/canary": "other"}}})
    with pytest.raises(CanaryError, match="belongs to the canary other"):
        look.look(ours, walked)
    with pytest.raises(CanaryError, match="belongs to the canary other"):
        apply_workload(ours, walked, WorkloadOrder(create_primary=1), 1)


def test_safety_29_what_was_made_goes_and_the_target_stays(ours: Any, others: Any, begun: Any, place: refs.Ref) -> None:
    apply_workload(ours, begun, WorkloadOrder(dispose=("Service/podinfo-canary", "Service/podinfo-primary")), 2)
    until("both are gone", lambda: not any(others.get(place.named(name)) for name in ("podinfo-primary", "podinfo-canary")))
    left = others.get(place)["metadata"].get("annotations", {})
    assert not {"progressive.delivery/canary", "progressive.delivery/epoch"} & set(left)
