# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider kubernetes against the real server: the apex Service in place of a route."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import KUBERNETES
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload

ALL_TO_PRIMARY = TrafficOrder(split=Split(100, 0))


@pytest.fixture
def over_services(canary: Any, target: refs.Ref, ours: Any) -> Any:
    """A canary whose primary and Services are there, all but the apex."""
    found = dataclasses.replace(canary, provider=KUBERNETES, service=dataclasses.replace(canary.service, gateway_refs=(), hosts=()))
    apply_workload(ours, found, WorkloadOrder(create_primary=0), 1)
    apply_traffic(ours, found, TrafficOrder(services=True), 1)
    return found


def split_of(api: Any, canary: Any, wanted: Split | None) -> Split | None:
    """What a look in mid-walk says, once slices have followed or 20 s have passed."""
    deadline = time.monotonic() + 20
    while True:
        route = look.look(api, canary, Record("podinfo", canary.namespace, phase="Progressing")).route
        found = route.split if route else None
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_the_apex_is_made_by_the_order_that_would_make_a_route_and_no_route_is_ever_asked_for(ours: Any, line: Any, over_services: Any) -> None:
    assert look.look(ours, over_services).route is None
    traffic = apply_traffic(ours, over_services, ALL_TO_PRIMARY, 1)
    assert (traffic.changed, traffic.accepted, traffic.after) == (True, True, Split(100, 0))
    assert split_of(ours, over_services, Split(100, 0)) == Split(100, 0)
    assert not apply_traffic(ours, over_services, ALL_TO_PRIMARY, 1).changed
    look.fence(ours, over_services, 2)
    assert not [path for _method, path in line.sent if "gateway.networking.k8s.io" in path]


def test_safety_14_an_apex_that_selects_the_target_reads_as_all_traffic_on_the_canary_and_is_put_back(ours: Any, others: Any, over_services: Any) -> None:
    apply_traffic(ours, over_services, ALL_TO_PRIMARY, 1)
    assert split_of(ours, over_services, Split(100, 0)) == Split(100, 0)
    apex = refs.service(over_services.namespace, "podinfo")
    others.patch(apex, {"spec": {"selector": {"app": "podinfo"}}})
    assert split_of(ours, over_services, Split(0, 100)) == Split(0, 100)
    assert apply_traffic(ours, over_services, ALL_TO_PRIMARY, 1).changed
    assert others.get(apex)["spec"]["selector"] == {"app": "podinfo-primary"}
    assert split_of(ours, over_services, Split(100, 0)) == Split(100, 0)


def test_an_apex_that_was_deleted_reads_as_a_route_that_is_gone(ours: Any, others: Any, over_services: Any) -> None:
    apply_traffic(ours, over_services, ALL_TO_PRIMARY, 1)
    assert split_of(ours, over_services, Split(100, 0)) == Split(100, 0)
    others.delete(refs.service(over_services.namespace, "podinfo"))
    assert split_of(ours, over_services, None) is None


def test_an_order_for_weight_on_the_canary_is_an_error(ours: Any, over_services: Any) -> None:
    with pytest.raises(CanaryError, match="has no weights"):
        apply_traffic(ours, over_services, TrafficOrder(split=Split(90, 10)), 1)
