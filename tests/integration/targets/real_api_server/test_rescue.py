# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An observation without a readable record (SAFETY 5, 6, 16), and what Flagger owned (SAFETY 7)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import LostLock, RecordError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, Split, TrafficOrder, WorkloadOrder, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, record as store, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import apply_traffic
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi

WHOLE = dumps(Record("podinfo", "anywhere", phase="Progressing"))
PARTS = json.loads(WHOLE)
RECORDS = {"truncated": WHOLE[:40], "newer": json.dumps({**PARTS, "schema": 99}), "foreign": "mine", "copied": WHOLE,
           "with a key of somebody's": json.dumps({**PARTS, "walk": {**PARTS["walk"], "mine": 1}})}
SAYS = {"truncated": "the record is damaged", "newer": "the record has schema 99", "foreign": "is not a record of this collection",
        "copied": "holds the record of anywhere/podinfo", "with a key of somebody's": "the record is damaged", "": "there is no record"}
WAYS_OUT = {**dict.fromkeys(RECORDS, "an abort takes traffic back all the same; keep a copy of it, delete it, and run again"),
            "foreign": "rename or delete it, or give the canary another name"}


def walker(api: Any, canary: Any, **how: Any) -> Round:
    return Round(api, canary, Holder("run-1"), lambda text: None, lambda record, told: None, **how)


@pytest.fixture
def place(others: Any, canary: Any, target: refs.Ref) -> refs.Ref:
    """A route at 30 percent that a walk of epoch 7 wrote, and an Endpoint behind the canary's Service only."""
    others.create(routes.ref(canary), gatewayapi.desired(canary, Split(70, 30)))
    look.fence(others, canary, 7)
    return routes.ref(canary)


@pytest.fixture
def primary_answers(others: Any, canary: Any) -> None:
    others.create(refs.endpoint_slice(canary.namespace), {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "podinfo-primary-ours", "labels": {"kubernetes.io/service-name": "podinfo-primary"}},
        "endpoints": [{"addresses": ["192.0.2.2"], "conditions": {"ready": True}}], "ports": [{"port": 9898}]})


def with_record(others: Any, canary: Any, kind: str) -> dict[str, Any] | None:
    ref = store.record_ref(canary.namespace, "podinfo")
    if not kind:
        return None
    labels = {} if kind == "foreign" else {store.LABEL: "podinfo"}
    return others.create(ref, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ref.name, "labels": labels}, "data": {"record": RECORDS[kind]}})


@pytest.mark.parametrize("kind", [*RECORDS, ""])
def test_safety_06_an_abort_without_a_readable_record_orders_traffic_alone_and_says_the_way_out(
        ours: Any, others: Any, line: Any, canary: Any, place: refs.Ref, primary_answers: None, kind: str) -> None:
    before = with_record(others, canary, kind)
    tick = walker(ours, canary, abort=True).run()
    assert (tick["outcome"], tick["open"]["workload"], tick["epoch"]) == ("", None, 8)
    apply_traffic(ours, canary, load(TrafficOrder, tick["open"]["traffic"]), tick["epoch"])
    assert gatewayapi.read(others.get(place), canary) == Split(100, 0)
    tick = walker(ours, canary, abort=True).run()
    assert tick["outcome"] == "held"
    assert tick["why"].startswith(SAYS[kind]) or SAYS[kind] in tick["why"].split(";")[0]
    assert "all traffic is routed to the primary (100/0)" in tick["why"] and "To go on, " in tick["why"]
    assert others.get(store.record_ref(canary.namespace, "podinfo")) == before
    assert {method for method, unused in line.written} == {"PATCH"}


@pytest.mark.parametrize("kind", RECORDS)
def test_safety_06_whoever_is_no_abort_is_refused_with_the_way_out_and_writes_nothing(
        ours: Any, others: Any, line: Any, canary: Any, place: refs.Ref, primary_answers: None, kind: str) -> None:
    with_record(others, canary, kind)
    with pytest.raises(RecordError) as refused:
        walker(ours, canary, take_over=True).run()
    assert SAYS[kind] in str(refused.value) and WAYS_OUT[kind] in str(refused.value)
    assert line.written == []


def test_safety_06_what_others_keep_beside_a_record_stays(ours: Any, others: Any, canary: Any, place: refs.Ref) -> None:
    ref, note = store.record_ref(canary.namespace, "podinfo"), {"notes": "mine", "document": "{"}
    others.create(ref, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ref.name, "labels": {store.LABEL: "podinfo", "team": "shop"}},
                        "data": {"record": dumps(Record("podinfo", canary.namespace, phase="Progressing")), **note}})
    stored = store.read(ours, canary.namespace, "podinfo")
    store.write(ours, stored, dataclasses.replace(stored.record, phase="Failed"))
    live = others.get(ref)
    assert json.loads(live["data"]["record"])["status"]["phase"] == "Failed"
    assert ({key: live["data"][key] for key in note}, live["metadata"]["labels"]["team"]) == (note, "shop")


def test_safety_16_an_abort_without_a_record_leaves_traffic_where_somebody_answers(
        ours: Any, others: Any, canary: Any, place: refs.Ref, answering: None) -> None:
    with_record(others, canary, "truncated")
    tick = walker(ours, canary, abort=True).run()
    assert tick["outcome"] == "held" and "Service podinfo-primary has no ready endpoint" in tick["why"]
    assert gatewayapi.read(others.get(place), canary) == Split(70, 30)


def test_safety_01_whoever_walked_by_the_lost_record_is_refused_after_the_abort(
        ours: Any, others: Any, line: Any, canary: Any, place: refs.Ref, primary_answers: None, answering: None) -> None:
    line.holding = True
    with pytest.raises(Exception, match="no answer"):
        apply_traffic(ours, canary, TrafficOrder(split=Split(50, 50)), 7, wait=0)
    line.meanwhile, held = None, line.held
    tick = walker(others, canary, abort=True).run()
    apply_traffic(others, canary, load(TrafficOrder, tick["open"]["traffic"]), tick["epoch"])
    assert held and set(line.release()) == {409}
    with pytest.raises(LostLock):
        apply_traffic(ours, canary, TrafficOrder(split=Split(50, 50)), 7, wait=0)
    assert gatewayapi.read(others.get(place), canary) == Split(100, 0)


def test_safety_05_a_record_that_is_made_anew_begins_after_the_epochs_that_the_objects_know(
        ours: Any, canary: Any, place: refs.Ref) -> None:
    tick = walker(ours, canary, mode="tick").run()
    assert tick["epoch"] == 8
    assert store.read(ours, canary.namespace, "podinfo").record.epoch == 8
    assert apply_traffic(ours, canary, TrafficOrder(split=Split(100, 0)), tick["epoch"], wait=0).changed


@pytest.fixture
def canary_object(others: Any, canary: Any) -> dict[str, Any]:
    return others.create(refs.canary(canary.namespace), {
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo"}, "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 9898},
            "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 10}}})


@pytest.mark.parametrize(("phase", "rejected"), [("Failed", True), ("Progressing", False)])
def test_safety_25_the_phase_that_flagger_wrote_is_remembered_by_the_first_decision(
        ours: Any, line: Any, canary: Any, place: refs.Ref, canary_object: dict[str, Any], phase: str, rejected: bool) -> None:
    status = {"phase": phase, "canaryWeight": 0, "failedChecks": 2, "iterations": 0, "lastAppliedSpec": "5d8fbcd5c", "lastPromotedSpec": "7b6f4d9c8"}
    answer = line.send("PATCH", f"{refs.canary(canary.namespace, 'podinfo').path}/status", {"fieldManager": "flagger"},
                       json.dumps({"status": status}).encode(), "application/merge-patch+json", 10.0)
    assert answer.status == 200
    canary = dataclasses.replace(canary, source="object")
    tick = walker(ours, canary, mode="tick").run()
    seen = load(Observation, tick["seen"])
    first = decide(canary, Record("podinfo", canary.namespace), seen)
    assert (seen.rejected, first.record.last_applied) == (rejected, seen.target.revision if rejected else "")


def test_safety_07_what_flagger_owned_is_owned_by_nobody_after_the_takeover(
        ours: Any, others: Any, canary: Any, target: refs.Ref, canary_object: dict[str, Any]) -> None:
    apply_workload(ours, canary, WorkloadOrder(create_primary=0), 1)
    apply_traffic(ours, canary, TrafficOrder(services=True, split=Split(100, 0), apex=True), 1)
    flaggers = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": canary_object["metadata"]["uid"],
                "controller": True, "blockOwnerDeletion": True}
    primary = refs.deployment(canary.namespace, "podinfo-primary")
    owned = [primary, routes.ref(canary), *(refs.service(canary.namespace, name) for name in ("podinfo", "podinfo-primary", "podinfo-canary"))]
    for ref in owned:
        others.patch(ref, {"metadata": {"ownerReferences": [flaggers], "labels": {marks.CANARY: None}}})
    before, seen = others.get(primary), look.look(ours, canary)
    assert (set(seen.services), seen.route.flaggers) == ({"podinfo", "podinfo-primary", "podinfo-canary"}, True)
    for event in others.watch(refs.replica_set(canary.namespace), 30):
        found = event["object"]
        if found["metadata"]["ownerReferences"][0]["name"] == "podinfo-primary":
            break
    apply_traffic(ours, canary, TrafficOrder(services=True, split=Split(100, 0), apex=True), 1)
    apply_workload(ours, canary, WorkloadOrder(restore={"replicaset": found["metadata"]["name"], "revision": "r" * 64}), 1)
    assert [ref.name for ref in owned if others.get(ref)["metadata"].get("ownerReferences")] == []
    assert [ref.name for ref in owned if not marks.is_ours(others.get(ref), "podinfo")] == ["podinfo"], "all but the apex, which stays when we are removed"
    assert others.get(primary)["spec"] == before["spec"], "the primary's pods are not rolled by it"
    assert others.get(primary)["metadata"]["annotations"]["progressive.delivery/promoted"] == "r" * 64
    assert look.look(ours, canary).services == ()
