# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record as text, as a Canary's status, and people's orders beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import RecordError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    Observation,
    Orders,
    Route,
    Split,
    TrafficOrder,
    Workload,
    WorkloadOrder,
    dump,
    load,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import (
    PHASES,
    SCHEMA,
    Ending,
    Holder,
    Intent,
    Pinned,
    Record,
    Told,
    condition_status,
    dumps,
    flagger_status,
    loads,
    order_key,
    orders_of,
    rfc3339,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, GATES
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line
from hypothesis import given, settings
from hypothesis import strategies as st

texts = st.text(max_size=12).map(one_line)
times = st.floats(0, 4e9, allow_nan=False)
numbers = st.integers(0, 100)
strings = st.dictionaries(texts, texts, max_size=3)
splits = st.builds(lambda weight, mirror, cookie: Split(100 - weight, weight, mirror, cookie, cookie, cookie), numbers, numbers, texts)
traffic = st.builds(TrafficOrder, split=st.none() | splits, services=st.booleans(), apex=st.booleans())
workload = st.builds(WorkloadOrder, create_primary=st.none() | numbers, scale_target=st.none() | numbers, promote=st.none() | strings,
                     restore=st.none() | strings)
intents = st.builds(Intent, at=times, revision=texts, lowers=st.booleans(), traffic=st.none() | traffic, workload=st.none() | workload)
endings = st.builds(Ending, outcome=texts, why=texts, at=times)
evidence = st.fixed_dictionaries({"at": times, "checks": st.lists(st.fixed_dictionaries({"name": texts, "value": st.none() | times}), max_size=2)})
tuples = st.lists(texts, max_size=3).map(tuple)
records = st.builds(
    Record, name=texts, namespace=texts, identity=strings, phase=st.sampled_from(("", *PHASES)), canary_weight=numbers, mirror=numbers,
    cookie=texts, primary_cookie=texts, previous_cookie=texts, failed_checks=numbers,
    iterations=st.integers(-1, 9), last_applied=texts, last_promoted=texts, last_transition=times, condition_since=times, epoch=numbers,
    holder=st.none() | st.builds(Holder, run=texts, host=texts, pid=numbers, since=times, renewed=times, until=times),
    run=texts, pinned=st.none() | st.builds(Pinned, revision=texts, replicaset=texts, replicaset_uid=texts), previous=strings,
    intent=st.none() | intents, ending=st.none() | endings, restoring=st.none() | endings, confirmed_at=times, due=times, due_why=texts, drain_until=times,
    pre_rollout_done=st.booleans(), settled=st.booleans(), announced=tuples, untold=st.lists(st.builds(Told, message=texts, kind=texts), max_size=2).map(tuple),
    post_rollout=st.booleans(), outcome=texts, inventory=tuples, evidence=st.lists(evidence, max_size=2).map(tuple), closed_gate=texts, report=texts)
workloads = st.builds(
    Workload, name=texts, uid=texts, resource_version=texts, replicas=numbers, running=numbers, available=numbers, ready=st.booleans(), why=texts,
    stuck=st.booleans(), revision=texts, replicaset=texts, replicaset_uid=texts, endpoints=numbers, promoted=texts)
observations = st.builds(
    Observation, now=times, target=st.none() | workloads, primary=st.none() | workloads, same_as_primary=st.booleans(), services=tuples,
    apex_on_primary=st.booleans(), route=st.none() | st.builds(Route, split=st.none() | splits, accepted=st.booleans(), why=texts),
    orders=st.builds(Orders, halt=texts, abort=texts, approvals=st.lists(strings, max_size=2).map(tuple)), suspended=st.booleans(), replicasets=tuples)

QUICK = settings(max_examples=60, deadline=None)


@given(records)
@QUICK
def test_a_record_is_the_same_after_its_way_through_text(record: Record) -> None:
    assert loads(dumps(record)) == record
    assert dumps(loads(dumps(record))) == dumps(record)


def test_ansible_23_what_others_said_is_kept_without_what_terminals_obey() -> None:
    hostile = "no\x1b[2J\x1b]0;owned\x07\r\nfatal: [forged]\x9b31m"
    record = Record("podinfo", "test", phase="Failed", outcome_why=hostile, due_why=hostile, untold=(Told(hostile, "Warning"),),
                    evidence=({"at": 1.0, "checks": [{"name": hostile, "value": None}]},))
    kept = loads(dumps(record))
    assert {kept.outcome_why, kept.due_why, kept.untold[0].message, kept.evidence[0]["checks"][0]["name"]} == {"no fatal: [forged]31m"}


def test_ansible_23_the_text_of_an_order_is_one_bounded_line() -> None:
    orders = orders_of({order_key("abort"): "bad\x1b[2J\nnews " + "x" * 5000, order_key("approve", CONFIRM_PROMOTION): "9f86\r\n\x07"})
    assert orders.abort.startswith("bad news x") and len(orders.abort) == 1000
    assert orders.approvals == ({"gate": CONFIRM_PROMOTION, "revision": "9f86"},)


@given(observations)
@QUICK
def test_an_observation_is_the_same_after_its_way_through_json(seen: Observation) -> None:
    assert load(Observation, json.loads(json.dumps(dump(seen), allow_nan=False))) == seen


def stored(**walk: Any) -> str:
    body = json.loads(dumps(Record("podinfo", "test", phase=states.PROGRESSING)))
    for key, value in walk.items():
        place = body["status"] if key in body["status"] else body["walk"]
        place[key] = value
    return json.dumps(body)


@pytest.mark.parametrize("text", [
    "", "{", "null", "[]", "7", '"record"', "{}", '{"schema": null}', '{"schema": "x"}', '{"schema": 1}', '{"schema": 1e999}', '{"schema": 1, "walk": 3}',
    '{"schema": 1, "walk": {}, "status": {}}', '{"schema": 1, "walk": {"name": "a"}, "status": {"phase": ""}}', "[" * 100_000,
    stored(unknown_field=1), stored(phase="Unheard"), stored(phase=7), stored(holder={"nobody": 1}), stored(intent=[]), stored(due="soon"),
    stored(announced=5), stored(pinned={}),
])
def test_safety_06_a_damaged_record_is_refused_in_words(text: str) -> None:
    with pytest.raises(RecordError, match="the record is damaged"):
        loads(text)


def test_safety_06_a_newer_schema_is_refused_in_words() -> None:
    with pytest.raises(RecordError, match=f"schema {SCHEMA + 1}, this version knows {SCHEMA}"):
        loads(json.dumps({"schema": SCHEMA + 1}))


@given(st.recursive(st.none() | st.booleans() | st.floats() | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(("schema", "walk", "status", "phase", "name", "namespace", "holder", "intent")), inner, max_size=4), max_leaves=12))
@QUICK
def test_safety_06_any_other_json_is_refused_as_a_record_error_and_nothing_else(body: Any) -> None:
    try:
        loads(json.dumps(body))
    except RecordError as error:
        assert str(error)


def test_missing_fields_of_a_record_take_their_defaults() -> None:
    body = json.loads(dumps(Record("podinfo", "test")))
    del body["walk"]["closed_gate"], body["walk"]["evidence"]
    assert loads(json.dumps(body)) == Record("podinfo", "test")


@pytest.mark.parametrize(("phase", "status"), [
    (states.INITIALIZING, "Unknown"), (states.INITIALIZED, "True"), (states.WAITING, "Unknown"), (states.PROGRESSING, "Unknown"),
    (states.WAITING_PROMOTION, "Unknown"), (states.PROMOTING, "Unknown"), (states.FINALISING, "Unknown"), (states.SUCCEEDED, "True"), (states.FAILED, "False")])
def test_the_condition_of_a_phase(phase: str, status: str) -> None:
    condition = flagger_status(Record("podinfo", "test", phase=phase, last_transition=7.0))["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Promoted", status, phase) and condition["message"]
    assert condition_status(phase) == status


def test_a_status_has_the_names_of_flagger() -> None:
    record = Record("podinfo", "test", phase=states.PROGRESSING, canary_weight=20, failed_checks=1, last_applied="b", last_promoted="a",
                    last_transition=1_700_000_000.0, condition_since=1_600_000_000.0)
    status = flagger_status(record)
    assert {key: status[key] for key in ("phase", "canaryWeight", "failedChecks", "iterations", "lastAppliedSpec", "lastPromotedSpec")} == {
        "phase": "Progressing", "canaryWeight": 20, "failedChecks": 1, "iterations": 0, "lastAppliedSpec": "b", "lastPromotedSpec": "a"}
    assert status["lastTransitionTime"] == "2023-11-14T22:13:20Z"
    assert status["conditions"][0]["lastTransitionTime"] == "2020-09-13T12:26:40Z"


def test_a_record_without_a_phase_has_no_condition() -> None:
    assert "conditions" not in flagger_status(Record("podinfo", "test"))
    assert rfc3339(0.0) == ""


def test_orders_are_read_from_annotations() -> None:
    orders = orders_of({"progressive.delivery/abort": "budget", "progressive.delivery/suspend": "", "another/halt": "x"})
    assert orders == Orders(abort="budget", suspend="yes")


@pytest.mark.parametrize(("text", "expected"), [
    ('{"revision": "abcdefgh", "run": "r", "by": "me"}', {"revision": "abcdefgh", "run": "r", "by": "me"}),
    ("abcdefgh", {"revision": "abcdefgh"}), ("{broken", {}), ('{"revision": 12345678}', {"revision": "12345678"})])
def test_an_approval_is_json_or_a_bare_revision(text: str, expected: dict[str, str]) -> None:
    orders = orders_of({order_key("approve", CONFIRM_PROMOTION): text})
    assert orders.approvals == ({"gate": CONFIRM_PROMOTION, **expected},)


@pytest.mark.parametrize(("text", "revision", "by"), [
    (r'{"revision": "abcdefgh", "by": "me: for\nus"}', "abcdefgh", "me: for us"), ("abcdefgh", "abcdefgh", ""), ("", "yes", ""), ("{broken", "{broken", "")])
def test_an_order_to_promote_is_json_or_a_bare_revision(text: str, revision: str, by: str) -> None:
    orders = orders_of({order_key("promote"): text})
    assert (orders.promote, orders.promote_by) == (revision, by)


def test_safety_29_a_long_reason_of_a_removal_does_not_change_whose_template_is_kept() -> None:
    orders = orders_of({order_key("remove"): states.removal_text("me: " + "x" * 5000, states.KEEP_TARGET)})
    assert orders.keep == states.KEEP_TARGET and len(orders.remove) == 1000


def test_orders_that_are_nested_without_end_say_nothing() -> None:
    deep = '{"revision": ' + "[" * 100_000
    assert orders_of({order_key("approve", CONFIRM_PROMOTION): deep}).approvals == ({"gate": CONFIRM_PROMOTION},)
    assert orders_of({order_key("remove"): deep}).keep == states.KEEP_PRIMARY


@given(st.dictionaries(st.sampled_from([order_key(word) for word in states.ORDER_WORDS] + [order_key("approve", gate) for gate in GATES]), texts))
@QUICK
def test_orders_of_any_annotations_can_be_read(annotations: dict[str, str]) -> None:
    assert (orders_of(annotations) == Orders()) is (not annotations)
