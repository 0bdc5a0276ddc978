# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent for an order, and what becomes of it when somebody else writes first; the like against a real API server is in the integration targets."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, LostLock, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer, change
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import B, Objects, document, walked

CANARY = document()
ROUTE = routes.ref(CANARY)
TARGET = refs.deployment("test", "podinfo")
PRIMARY = refs.deployment("test", "podinfo-primary")


def weights(canary: int) -> TrafficOrder:
    return TrafficOrder(split=Split(100 - canary, canary))


@pytest.fixture
def kept(server: Any) -> Objects:
    """A walk at 10 percent, its objects written by epoch 3."""
    kept = walked(server, CANARY, 10, time.time())
    look.fence(server.api(), CANARY, 3)
    for place in (ROUTE, TARGET, refs.service("test", "podinfo")):
        kept.change(place, lambda live: live["metadata"]["annotations"].update({marks.CANARY: "podinfo"}))
    server.asked.clear()
    return kept


def weight(kept: Objects) -> int:
    split = gatewayapi.read(kept.get(ROUTE) or {}, CANARY)
    assert split
    return split.canary


def by_hand(kept: Objects, canary: int) -> None:
    kept.put(ROUTE, gatewayapi.write(kept.get(ROUTE) or {}, CANARY, Split(100 - canary, canary)))


def test_safety_01_a_raise_that_arrives_after_a_takeover_is_refused(server: Any, kept: Objects) -> None:
    kept.meanwhile = lambda: look.fence(server.api(), CANARY, 4)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        apply_traffic(server.api(), CANARY, weights(50), 3, wait=0)
    assert weight(kept) == 10


def test_safety_01_a_raise_that_arrives_after_an_abort_took_all_back_says_that_somebody_else_holds_the_canary(server: Any, kept: Objects) -> None:
    def aborts() -> None:
        look.fence(server.api(), CANARY, 4)
        by_hand(kept, 0)
    kept.meanwhile = aborts
    with pytest.raises(LostLock, match="was fenced by a later run"):
        apply_traffic(server.api(), CANARY, weights(50), 3, wait=0)
    assert weight(kept) == 0


def test_safety_01_a_scaling_that_arrives_after_a_takeover_is_refused(server: Any, kept: Objects) -> None:
    kept.meanwhile = lambda: look.fence(server.api(), CANARY, 4)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 3)
    assert (kept.get(TARGET) or {})["spec"]["replicas"] == 2


def test_safety_08_what_is_walked_gets_the_name_of_its_canary(server: Any, kept: Objects) -> None:
    kept.change(TARGET, lambda live: live["metadata"].pop("annotations"))
    change(Writer(server.api(), "podinfo", 3), TARGET, dict, claim=True)
    assert marks.annotations_of(kept.get(TARGET) or {}) == {marks.CANARY: "podinfo", marks.EPOCH: "3"}


def test_safety_08_of_two_canaries_that_claim_at_once_one_is_told(server: Any, kept: Objects) -> None:
    kept.change(TARGET, lambda live: live["metadata"].pop("annotations"))
    kept.meanwhile = lambda: kept.change(TARGET, lambda live: live["metadata"].update(annotations={marks.CANARY: "other"}))
    with pytest.raises(CanaryError, match="belongs to the canary other"):
        change(Writer(server.api(), "podinfo", 3), TARGET, dict, claim=True)
    assert marks.annotations_of(kept.get(TARGET) or {}) == {marks.CANARY: "other"}


def test_safety_14_a_hand_that_lowers_while_we_raise_wins(server: Any, kept: Objects) -> None:
    kept.meanwhile = lambda: by_hand(kept, 0)
    with pytest.raises(KubeError, match="was changed by somebody else while it was to be changed; nothing was done to it"):
        apply_traffic(server.api(), CANARY, weights(20), 3, wait=0)
    assert weight(kept) == 0


def test_safety_14_a_hand_that_lowered_since_the_raise_was_decided_wins(server: Any, kept: Objects) -> None:
    by_hand(kept, 0)
    done = apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(80, 20), raised_from=10), 3, wait=0)
    assert not done.accepted and done.why == "not raised to 20%: somebody lowered the canary from 10% to 0%"
    assert (kept.written, weight(kept)) == ([], 0)


def test_safety_14_a_raise_that_was_done_already_is_done(server: Any, kept: Objects) -> None:
    by_hand(kept, 20)
    apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(80, 20), raised_from=10), 3, wait=0)
    assert weight(kept) == 20


def test_safety_14_what_has_nothing_to_do_with_the_order_is_no_reason_to_give_up(server: Any, kept: Objects) -> None:
    kept.meanwhile = lambda: kept.change(ROUTE, lambda live: live["metadata"]["annotations"].update(somebody="else"))
    apply_traffic(server.api(), CANARY, weights(20), 3, wait=0)
    assert weight(kept) == 20


def test_safety_16_nothing_is_routed_to_a_service_without_endpoints(server: Any, kept: Objects) -> None:
    kept.change(refs.endpoint_slice("test", "podinfo-canary"), lambda live: live.update(endpoints=[]))
    done = apply_traffic(server.api(), CANARY, weights(20), 3, wait=0)
    assert not done.accepted and "has no ready endpoints" in done.why
    assert (kept.written, weight(kept)) == ([], 10)


def test_safety_16_no_copies_are_sent_to_a_service_without_endpoints(server: Any, kept: Objects) -> None:
    by_hand(kept, 0)
    kept.change(refs.endpoint_slice("test", "podinfo-canary"), lambda live: live.update(endpoints=[]))
    done = apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(100, 0, 40)), 3, wait=0)
    assert done.why == "not raised to 0%, and copies of 40%: Service test/podinfo-canary has no ready endpoints"
    assert (kept.written, gatewayapi.read(kept.get(ROUTE) or {}, CANARY)) == ([], Split(100, 0))


def test_safety_14_a_hand_that_stopped_the_copies_since_the_raise_was_decided_wins(server: Any, kept: Objects) -> None:
    by_hand(kept, 0)
    done = apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(80, 20), raised_from=0, mirrored_from=100), 3, wait=0)
    assert not done.accepted and done.why == "not raised to 20%: somebody lowered the copies of requests from 100% to 0%"
    assert (kept.written, weight(kept)) == ([], 0)


def test_safety_16_copies_that_traefik_would_answer_500_to_are_not_begun_in_mid_walk_either(server: Any, kept: Objects) -> None:
    mirroring = dataclasses.replace(CANARY, analysis=dataclasses.replace(CANARY.analysis, mirror=100))
    by_hand(kept, 0)
    kept.change(ROUTE, lambda live: live["status"]["parents"][0].update(controllerName="traefik.io/gateway-controller"))
    with pytest.raises(SpecError, match="answers 500 to everybody"):
        apply_traffic(server.api(), mirroring, TrafficOrder(split=Split(100, 0, 100)), 3, wait=0)
    assert (kept.written, gatewayapi.read(kept.get(ROUTE) or {}, mirroring)) == ([], Split(100, 0))
    apply_traffic(server.api(), mirroring, weights(0), 3, wait=0)


def test_safety_29_a_route_with_copies_that_traefik_serves_leads_to_the_apex_by_one_order(server: Any, kept: Objects) -> None:
    copying = dataclasses.replace(CANARY, service=dataclasses.replace(CANARY.service, mirror=({"backendRef": {"name": "shadow", "port": 80}},)))

    def with_copies(live: dict[str, Any]) -> None:
        live.update(gatewayapi.write(live, copying, Split(100, 0)))
        live["status"]["parents"][0].update(controllerName="traefik.io/gateway-controller")

    kept.change(ROUTE, with_copies)
    assert "shadow" in str(kept.get(ROUTE))
    done = apply_traffic(server.api(), copying, TrafficOrder(route_back=True), 3, wait=0)
    assert done.accepted, done.why
    assert [entry["name"] for entry in (kept.get(ROUTE) or {})["spec"]["rules"][0]["backendRefs"]] == ["podinfo"]


def test_a_cluster_that_drops_the_share_of_copies_is_told_and_copies_nothing(server: Any, kept: Objects) -> None:
    """The CRDs of the Gateway API before 1.3."""
    def prune(obj: dict[str, Any]) -> None:
        for one in [entry for rule in obj.get("spec", {}).get("rules", []) for entry in rule.get("filters", [])]:
            one["requestMirror"].pop("percent", None)

    by_hand(kept, 0)
    kept.prune = prune
    with pytest.raises(CanaryError, match="all would be copied in place of 40%"):
        apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(100, 0, 40)), 3, wait=0)
    assert gatewayapi.read(kept.get(ROUTE) or {}, CANARY) == Split(100, 0)
    apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(100, 0, 100)), 3, wait=0)
    assert gatewayapi.read(kept.get(ROUTE) or {}, CANARY) == Split(100, 0, 100)


def test_safety_07_a_route_of_flaggers_with_rules_for_cookies_is_freed_and_taken_back_by_one_order(server: Any, kept: Objects) -> None:
    keeping = dataclasses.replace(CANARY, analysis=dataclasses.replace(CANARY.analysis, affinity=Affinity("stays")))

    def as_flagger_left_it(live: dict[str, Any]) -> None:
        everybody = live["spec"]["rules"][0]
        header = {"name": "Cookie", "type": "RegularExpression", "value": ".*stays.*abcdefghij.*"}
        backends = [{**entry, "weight": weight} for entry, weight in zip(everybody["backendRefs"], (0, 100), strict=True)]
        live["spec"]["rules"].insert(0, {**everybody, "matches": [{**everybody["matches"][0], "headers": [header]}], "backendRefs": backends})
        live["metadata"].update(labels={}, ownerReferences=[{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "u"}])

    kept.change(ROUTE, as_flagger_left_it)
    assert gatewayapi.read(kept.get(ROUTE) or {}, keeping) is None
    apply_traffic(server.api(), keeping, TrafficOrder(split=Split(100, 0, previous_cookie="stays=abcdefghij")), 3, wait=0)
    route = kept.get(ROUTE)
    assert route and gatewayapi.read(route, keeping) == Split(100, 0, previous_cookie="stays=abcdefghij")
    assert not route["metadata"].get("ownerReferences")


def test_what_a_task_tells_of_a_split_is_two_weights_and_what_else_there_is(server: Any, kept: Objects) -> None:
    by_hand(kept, 0)
    told = apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(100, 0, 40)), 3, wait=0).result()
    assert (told["before"], told["after"]) == ({"primary": 100, "canary": 0}, {"primary": 100, "canary": 0, "mirror": 40})
    told = apply_traffic(server.api(), CANARY, TrafficOrder(split=Split(80, 20), mirrored_from=40), 3, wait=0).result()
    assert (told["before"], told["after"]) == ({"primary": 100, "canary": 0, "mirror": 40}, {"primary": 80, "canary": 20})


def test_safety_16_users_are_not_given_back_to_a_target_that_does_not_answer(server: Any, kept: Objects) -> None:
    apex = refs.service("test", "podinfo")
    before = kept.get(apex)
    kept.change(refs.endpoint_slice("test", "podinfo-canary"), lambda live: live.update(endpoints=[]))
    done = apply_traffic(server.api(), CANARY, TrafficOrder(apex_back=True), 3, wait=0)
    assert not done.accepted and "has no ready endpoints" in done.why
    assert (kept.written, kept.get(apex)) == ([], before)


def test_safety_29_a_route_names_the_apex_before_it_leads_there(server: Any, kept: Objects) -> None:
    begun, done = time.monotonic(), apply_traffic(server.api(), CANARY, TrafficOrder(route_back=True), 3)
    assert done.accepted and time.monotonic() - begun >= routes.PROXY_LEARNS
    written = [[(entry["name"], entry["weight"]) for step in json.loads(one.body) if step["path"] == "/spec/rules/0/backendRefs" for entry in step["value"]]
               for one in server.asked if one.method == "PATCH"]
    assert written == [[("podinfo-primary", 90), ("podinfo-canary", 10), ("podinfo", 0)], [("podinfo", 100)]]
    route = kept.get(ROUTE)
    assert route and [(entry["name"], entry["weight"]) for entry in route["spec"]["rules"][0]["backendRefs"]] == [("podinfo", 100)]
    assert not apply_traffic(server.api(), CANARY, TrafficOrder(route_back=True), 3).changed


def test_safety_17_a_replicaset_that_is_gone_is_not_promoted(server: Any, kept: Objects) -> None:
    before = kept.get(PRIMARY)
    order = {"replicaset": "podinfo-0", "uid": "uid-podinfo-0", "revision": revision_of(B)}
    with pytest.raises(CanaryError, match="podinfo-0 is gone"):
        apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 3)
    assert kept.get(PRIMARY) == before


def test_safety_21_a_promotion_brings_the_copies_of_budgets_up_to_date(server: Any, kept: Objects) -> None:
    kept.put(refs.pod_disruption_budget("test", "podinfo"), {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo"}}}})
    order = {"replicaset": "podinfo-1", "uid": "uid-podinfo-1", "revision": revision_of(B)}
    apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 3)
    made = kept.get(refs.pod_disruption_budget("test", "podinfo-primary"))
    assert made and made["spec"] == {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo-primary"}}}


def test_safety_21_the_copies_of_budgets_are_there_before_the_primary_is(server: Any, kept: Objects) -> None:
    kept.put(refs.pod_disruption_budget("test", "podinfo"), {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo"}}}})
    kept.drop(PRIMARY)
    apply_workload(server.api(), CANARY, WorkloadOrder(create_primary=2), 3)
    made = [one.path.rpartition("/")[2] for one in server.asked if one.method == "POST"]
    assert made == ["poddisruptionbudgets", "deployments"], "who is killed in between makes no other one: the order counts as carried out by the primary"


def test_safety_22_replicas_are_changed_through_the_scale_subresource_alone(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, WorkloadOrder(scale_target=0), 4)
    assert (kept.get(TARGET) or {})["spec"]["replicas"] == 0
    assert kept.written[-1] == ("PATCH", "scale")
    steps = [step for one in server.asked if one.method == "PATCH" and one.path == TARGET.path for step in json.loads(one.body)]
    assert steps and all(step["path"].startswith("/metadata/") for step in steps)


def test_safety_29_what_is_taken_away_is_deleted_as_it_was_read(server: Any, kept: Objects) -> None:
    place = refs.service("test", "podinfo-canary")
    kept.meanwhile = lambda: kept.change(place, lambda live: live["metadata"].update(labels={}))
    apply_workload(server.api(), CANARY, WorkloadOrder(dispose=("Service/podinfo-canary",)), 3)
    assert kept.get(place), "it is somebody else's by now"


def test_safety_24_of_a_route_the_weights_and_our_annotation_are_changed_under_our_name(server: Any, kept: Objects) -> None:
    kept.change(ROUTE, lambda live: live["spec"]["rules"][0].update(timeouts={"request": "7s"}))
    apply_traffic(server.api(), CANARY, weights(20), 4, wait=0)
    asked, = (one for one in server.asked if one.method in ("PATCH", "PUT", "POST"))
    assert (asked.method, asked.all_of("content-type"), asked.query) == (
        "PATCH", ["application/json-patch+json"], {"fieldManager": "progressive-delivery"})
    assert [step["path"] for step in json.loads(asked.body)] == [
        "/metadata/resourceVersion", "/metadata/annotations/progressive.delivery~1epoch",
        "/spec/rules/0/backendRefs/0/weight", "/spec/rules/0/backendRefs/1/weight"]


def test_safety_24_no_write_is_an_apply_and_none_is_forced(server: Any, kept: Objects) -> None:
    api = server.api()
    apply_workload(api, CANARY, WorkloadOrder(create_primary=2), 4)
    apply_traffic(api, CANARY, TrafficOrder(services=True, split=Split(80, 20), apex=True), 4, wait=0)
    apply_workload(api, CANARY, WorkloadOrder(scale_target=0), 4)
    writes = [one for one in server.asked if one.method in ("PATCH", "PUT", "POST", "DELETE")]
    assert writes
    for one in writes:
        assert one.query == {"fieldManager": "progressive-delivery"}, one.path
        assert one.all_of("content-type") in (["application/json-patch+json"], ["application/merge-patch+json"], ["application/json"]), one.path
