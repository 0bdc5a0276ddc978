# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real server makes of our objects, and what one look costs."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Metadata
from ansible_collections.progressive.delivery.plugins.module_utils.kube import documents, events, look, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Permission
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload, promote_present
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi

WHOLE: dict[str, Any] = {
    "timeout": "15s", "backend_timeout": "2s",
    "match": ({"uri": {"prefix": "/api"}, "method": {"exact": "GET"}, "headers": {"x-user": {"regex": "in.*"}, "a": {"exact": "b"}},
               "queryParams": {"q": {"exact": "1"}}}, {"uri": {"exact": "/v1"}}, {"headers": {"x": {"exact": "y"}}}),
    "headers": {"request": {"set": {"x-b": "2", "x-a": "1"}, "add": {"x-c": "3"}, "remove": ["x-e", "x-d"]}, "response": {"set": {"x-f": "4"}}},
    "mirror": ({"backendRef": {"name": "shadow", "port": 80}},),
    "cors_policy": {"allowOrigins": [{"exact": "https://a.example.com"}], "allowMethods": ["GET"], "maxAge": "1h", "allowCredentials": True},
    "apex": Metadata({"team": "blue"}, {"note": "hello"}),
}


def with_service(canary: Any, **changes: Any) -> Any:
    return dataclasses.replace(canary, service=dataclasses.replace(canary.service, **changes))


@pytest.mark.parametrize("changes", [
    {}, WHOLE, {"rewrite": {"uri": "/", "authority": "inner.example.com"}},
    {"rewrite": {"uri": "/", "type": "ReplacePrefixMatch"}, "match": ({"uri": {"prefix": "/x"}},)},
])
def test_what_a_document_can_say_is_accepted_by_the_real_crd_and_read_back_without_drift(others: Any, canary: Any, changes: dict[str, Any]) -> None:
    canary = with_service(canary, **changes)
    assert gatewayapi.refuse(canary) == []
    others.create(routes.ref(canary), gatewayapi.desired(canary, Split(90, 10)))
    live = others.get(routes.ref(canary))
    assert gatewayapi.differs(live, canary) == []
    assert gatewayapi.read(live, canary) == Split(90, 10)


AFFINITY = Affinity("stays", 600, "rests", domain="example.com", path="/", same_site="Lax", http_only=True, secure=True)
SPLITS = (Split(100, 0, 100), Split(100, 0, 30), Split(70, 30, cookie="stays=abcdefghij", primary_cookie="rests=klmnopqrst"),
          Split(100, 0, previous_cookie="stays=abcdefghij"))


@pytest.mark.parametrize("changes", [{}, WHOLE])
@pytest.mark.parametrize("split", SPLITS)
def test_copies_and_cookies_are_accepted_by_the_real_crd_and_read_back_without_drift(
        ours: Any, others: Any, canary: Any, answering: None, split: Split, changes: dict[str, Any]) -> None:
    # No controller reports on it: Traefik, which the lab's Gateway is, would be refused for its copies.
    canary = with_service(canary, **{**changes, "gateway_refs": ({"name": "nowhere"},)})
    canary = dataclasses.replace(canary, analysis=dataclasses.replace(canary.analysis, mirror=split.mirror, affinity=None if split.mirror else AFFINITY))
    assert gatewayapi.refuse(canary) == []
    others.create(routes.ref(canary), gatewayapi.desired(canary, Split(100, 0)))
    apply_traffic(ours, canary, TrafficOrder(split=split), 3, wait=0)
    live = others.get(routes.ref(canary))
    assert gatewayapi.differs(live, canary) == []
    assert gatewayapi.read(live, canary) == split
    assert not apply_traffic(ours, canary, TrafficOrder(split=split), 3, wait=0).changed
    apply_traffic(ours, canary, TrafficOrder(split=Split(100, 0)), 3, wait=0)
    assert gatewayapi.differs(others.get(routes.ref(canary)), canary) == []
    assert gatewayapi.read(others.get(routes.ref(canary)), canary) == Split(100, 0)


def test_the_gateways_controller_accepts_the_route(ours: Any, canary: Any, target: refs.Ref) -> None:
    traffic = apply_traffic(ours, canary, TrafficOrder(services=True, split=Split(100, 0)), 1)
    assert (traffic.accepted, traffic.why) == (True, "")
    seen = look.read_route(ours, canary)
    assert (seen.split, seen.accepted, seen.owned, seen.drift) == (Split(100, 0), True, True, ())


def test_a_route_that_nobody_takes_over_is_waited_for_no_longer_than_asked(ours: Any, canary: Any, target: refs.Ref) -> None:
    idle = with_service(canary, gateway_refs=({"name": "nowhere"},))
    started = time.monotonic()
    traffic = apply_traffic(ours, idle, TrafficOrder(services=True, split=Split(100, 0), apex=True), 1, wait=0.5)
    assert time.monotonic() - started < 5
    assert not traffic.accepted
    assert f"Gateway {canary.namespace}/nowhere: " in traffic.why
    assert ours.get(refs.service(canary.namespace, "podinfo")) is None


def test_a_wait_can_be_left_and_taken_up_again(ours: Any, canary: Any, target: refs.Ref) -> None:
    idle = with_service(canary, gateway_refs=({"name": "nowhere"},))
    asked: list[str] = []

    def leave(why: str) -> bool:
        asked.append(why)
        return True

    traffic = apply_traffic(ours, idle, TrafficOrder(split=Split(100, 0)), 1, wait=60, leave=leave)
    assert traffic.waits
    assert asked and "nowhere" in asked[0]


def test_safety_16_nothing_is_routed_to_a_service_without_endpoints(ours: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    apply_traffic(ours, canary, TrafficOrder(services=True, split=Split(100, 0)), 1, wait=0)
    line.sent.clear()
    traffic = apply_traffic(ours, canary, TrafficOrder(split=Split(90, 10)), 1, wait=0)
    assert (traffic.changed, traffic.accepted, traffic.after) == (False, False, Split(100, 0))
    assert traffic.why == f"not raised to 10%: Service {canary.namespace}/podinfo-canary has no ready endpoints"
    assert line.written == []


# One look

def test_a_look_costs_eight_requests_before_the_walk_and_five_in_it(ours: Any, canary: Any, target: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    apply_traffic(ours, canary, TrafficOrder(services=True, split=Split(100, 0), apex=True), 1)
    costs = []
    for record in (None, Record("podinfo", canary.namespace, phase="Progressing")):
        for event in ours.watch(refs.endpoint_slice(canary.namespace), 30):
            if event["object"]["metadata"]["labels"]["kubernetes.io/service-name"] == "podinfo-canary":
                break
        before = ours.requests
        seen = look.look(ours, canary, record)
        costs.append(ours.requests - before)
    assert costs[0] == 8
    # Without pods nobody answers at the apex and behind -primary, each of which is worth one request to see why.
    assert costs[1] <= 7
    assert seen.services == ()
    assert seen.same_as_primary
    assert (seen.target.replicas, seen.target.ready, seen.target.endpoints) == (0, False, 0)
    assert seen.route.split == Split(100, 0)
    assert seen.primary.promoted == seen.target.revision


def test_a_target_that_is_gone_does_not_hide_the_rest(ours: Any, others: Any, canary: Any, target: refs.Ref) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    others.delete(target)
    seen = look.look(ours, canary)
    assert seen.target is None
    assert seen.primary is not None
    assert (seen.same_as_primary, seen.apex_on_primary, seen.replicasets) == (False, False, ())


def test_pods_of_another_deployment_under_the_same_label_are_refused_before_the_first_write(
        ours: Any, others: Any, canary: Any, target: refs.Ref) -> None:
    twin = others.get(target)
    others.create(target, {**twin, "metadata": {"name": "twin", "namespace": canary.namespace}})
    for event in others.watch(refs.replica_set(canary.namespace), 30):
        if event["object"]["metadata"]["ownerReferences"][0]["name"] == "twin":
            break
    with pytest.raises(CanaryError, match=f"Deployment {canary.namespace}/twin has pods with the label app=podinfo too"):
        look.look(ours, canary)
    assert look.look(ours, canary, Record("podinfo", canary.namespace, phase="Progressing")).target is not None


# What is told in the cluster

def test_events_are_told_about_the_object_in_flaggers_words(ours: Any, others: Any, canary: Any, target: refs.Ref) -> None:
    uid = others.get(target)["metadata"]["uid"]
    involved = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": canary.namespace, "name": "podinfo", "uid": uid}
    assert events.emit(ours, involved, [Told("Advance podinfo canary weight 10"), Told("Halt " + "x" * 2000, "Warning")]) == []
    found = [one for one in others.list(refs.event(canary.namespace))["items"] if one["reason"] == "Synced"]
    assert [(one["type"], one["message"][:40], one["source"]["component"]) for one in sorted(found, key=lambda one: one["type"])] == [
        ("Normal", "Advance podinfo canary weight 10", "progressive-delivery"), ("Warning", "Halt " + "x" * 35, "progressive-delivery")]


def test_an_event_that_is_refused_is_said_and_holds_nothing_up(ours: Any) -> None:
    problem, = events.emit(ours, {"namespace": "nowhere", "name": "podinfo", "kind": "Deployment"}, [Told("hello")])
    assert "nowhere" in problem


def test_safety_21_a_budget_of_the_target_covers_the_primary_from_its_making_on_and_after_a_promotion(
        ours: Any, others: Any, line: Any, canary: Any, target: refs.Ref) -> None:
    place = refs.pod_disruption_budget(canary.namespace)
    others.create(place, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "calm"},
                          "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo"}}}})
    apply_workload(ours, canary, WorkloadOrder(create_primary=1), 1)
    copied = others.get(place.named("calm-primary"))
    assert (copied["spec"]["minAvailable"], copied["spec"]["selector"]) == (1, {"matchLabels": {"app": "podinfo-primary"}})
    others.patch(place.named("calm"), {"spec": {"minAvailable": 2}})
    promote_present(Writer(ours, canary.name, 1), canary)
    assert others.get(place.named("calm-primary"))["spec"]["minAvailable"] == 2
    line.sent.clear()
    promote_present(Writer(ours, canary.name, 1), canary)
    assert line.written == []


@pytest.fixture
def canary_object(others: Any, canary: Any) -> dict[str, Any]:
    return others.create(refs.canary(canary.namespace), {
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": canary.namespace},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 9898},
                 "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10, "metrics": [{"name": "x", "templateRef": {"name": "latency"}}]}}})


def test_the_status_is_projected_once_and_only_when_it_says_something_new(
        ours: Any, others: Any, line: Any, canary: Any, canary_object: dict[str, Any]) -> None:
    status = {"phase": "Progressing", "canaryWeight": 10, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "x", "lastPromotedSpec": "",
              "conditions": [{"type": "Promoted", "status": "Unknown", "reason": "Progressing", "message": "m",
                              "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z"}]}
    line.meanwhile = lambda: others.patch(refs.canary(canary.namespace, "podinfo"), {"metadata": {"annotations": {"somebody": "else"}}})
    once = documents.project_status(ours, canary_object, status)
    assert once["status"]["canaryWeight"] == 10
    line.sent.clear()
    assert documents.project_status(ours, once, status) == once
    assert line.sent == []
    others.delete(refs.canary(canary.namespace, "podinfo"))
    assert documents.project_status(ours, once, {**status, "canaryWeight": 20}) == once


def test_safety_29_a_canary_object_waits_by_flaggers_finalizer_until_it_is_let_go(
        ours: Any, others: Any, line: Any, canary: Any, canary_object: dict[str, Any]) -> None:
    place = refs.canary(canary.namespace, "podinfo")
    others.patch(place, {"metadata": {"finalizers": ["example.com/theirs"]}})
    kept = documents.keep_until_reverted(ours, canary_object)          # read before somebody else's finalizer
    assert kept["metadata"]["finalizers"] == ["example.com/theirs", "finalizer.flagger.app"]
    line.sent.clear()
    assert documents.keep_until_reverted(ours, kept) == kept and line.sent == []
    assert not documents.is_deleted(kept)
    others.delete(place)
    waiting = others.get(place)
    assert documents.is_deleted(waiting)
    assert documents.let_go(ours, waiting)["metadata"]["finalizers"] == ["example.com/theirs"]
    assert not documents.is_deleted(others.get(place)), "what others wait for is no order to us"
    others.patch(place, {"metadata": {"finalizers": []}})
    assert others.get(place) is None
    assert documents.let_go(ours, waiting) == waiting


def test_templates_are_read_once_each_and_a_missing_one_is_named(ours: Any, others: Any, canary: Any, canary_object: dict[str, Any]) -> None:
    with pytest.raises(CanaryError, match=rf"spec.analysis.metrics\[0\].templateRef: MetricTemplate {canary.namespace}/latency does not exist"):
        documents.read_templates(ours, canary_object)
    others.create(refs.metric_template(canary.namespace), {
        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "latency", "namespace": canary.namespace},
        "spec": {"provider": {"type": "prometheus", "address": "http://prometheus"}, "query": "1"}})
    found, = documents.read_templates(ours, canary_object)
    assert found["spec"]["query"] == "1"
    assert documents.read_canary(ours, canary.namespace, "podinfo")["metadata"]["uid"] == canary_object["metadata"]["uid"]
    assert documents.read_canary(ours, canary.namespace, "nobody") is None


# Who may

def test_what_is_not_allowed_is_told_in_one_request(connect: Any, others: Any, canary: Any) -> None:
    role = refs.Ref("rbac.authorization.k8s.io", "v1", "roles", canary.namespace, "reader", "Role")
    binding = dataclasses.replace(role, resource="rolebindings", kind="RoleBinding")
    others.create(role, {"apiVersion": role.api_version, "kind": "Role", "metadata": {"name": "reader"},
                         "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]})
    others.create(binding, {"apiVersion": role.api_version, "kind": "RoleBinding", "metadata": {"name": "reader"},
                            "roleRef": {"apiGroup": role.group, "kind": "Role", "name": "reader"},
                            "subjects": [{"kind": "User", "name": "jane", "apiGroup": role.group}]})
    may, may_not = Permission("get", "apps", "deployments"), Permission("patch", "apps", "deployments/scale", "podinfo")
    # The server's authorizer hears of a new Role by a watch of its own.
    deadline = time.monotonic() + 10
    while may in connect(impersonate_user="jane").access(canary.namespace, [may]) and time.monotonic() < deadline:
        pass
    jane = connect(impersonate_user="jane")
    assert jane.access(canary.namespace, [may, may_not]) == [may_not]
    assert jane.requests == 1
    assert others.access(canary.namespace, [may, may_not]) == []
    with pytest.raises(KubeError, match=f"no permission to delete Deployment {canary.namespace}/podinfo") as caught:
        jane.delete(refs.deployment(canary.namespace, "podinfo"))
    assert caught.value.status == 403


def test_safety_27_the_clock_is_the_servers(ours: Any) -> None:
    # The lab's server runs on this machine; its Date has whole seconds.
    assert -2.5 < ours.now() - time.time() < 1


def test_an_untrusted_certificate_is_told_with_its_remedy(connect: Any, tmp_path: Any) -> None:
    api = connect(host=connect().host.replace("127.0.0.1", "127.0.0.2"), validate_certs=True)
    with pytest.raises(KubeError) as caught:
        api.get(refs.config_map("default", "x"))
    assert "cannot be reached" in str(caught.value) or "no trusted TLS connection" in str(caught.value)
