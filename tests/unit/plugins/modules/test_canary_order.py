# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb canary_order: which order is written for what a person says."""

from __future__ import annotations

import functools
import json
import time
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Pinned, Record, dumps, order_key
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_ROLLOUT, CONFIRM_TRAFFIC_INCREASE, GATES
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import LABEL
from ansible_collections.progressive.delivery.plugins.module_utils.walker import person
from ansible_collections.progressive.delivery.plugins.modules.canary_order import VERB

REVISION = "6d1f4c00" * 8


@pytest.fixture
def approve(order: Any) -> Any:
    """The result of an approval, in check mode, of a canary with this record."""
    return functools.partial(order, "approve")


@pytest.fixture
def order(run_verb: Any, foreign: Any, behaviour: Any) -> Any:
    """The result of any order, likewise."""
    def ask(word: str, phase: str, closed_gate: str = "", **options: Any) -> dict[str, Any]:
        record = Record("podinfo", "test", phase=phase, closed_gate=closed_gate, pinned=Pinned(REVISION), run="6d1f4c00-1", last_transition=time.time())
        metadata = {"name": "podinfo-canary", "namespace": "test", "resourceVersion": "1", "labels": {LABEL: "podinfo"}}
        body = {"metadata": metadata, "data": {"record": dumps(record)}}
        foreign.behave(behaviour.reply(200, json.dumps(body), **{"Content-Type": "application/json"}))
        where = {"host": foreign.url, "api_key": "sesame-4711"}
        result: dict[str, Any] = run_verb(VERB, check_mode=True, name="podinfo", namespace="test", order=word, **where, **options)
        return result
    return ask


@pytest.mark.parametrize(("phase", "gate"), [
    (states.WAITING, CONFIRM_ROLLOUT), (states.PROGRESSING, CONFIRM_TRAFFIC_INCREASE), (states.WAITING_PROMOTION, CONFIRM_PROMOTION),
    (states.PROGRESSING, CONFIRM_PROMOTION), (states.WAITING_PROMOTION, CONFIRM_TRAFFIC_INCREASE)])
def test_an_approval_opens_the_gate_that_is_closed(approve: Any, phase: str, gate: str) -> None:
    assert list(approve(phase, gate)["order"]) == [order_key("approve", gate)]


@pytest.mark.parametrize(("phase", "gate"), [(states.WAITING, CONFIRM_ROLLOUT), (states.WAITING_PROMOTION, CONFIRM_PROMOTION)])
def test_a_gate_that_is_being_asked_again_is_still_the_one_that_is_waited_at(approve: Any, phase: str, gate: str) -> None:
    assert list(approve(phase)["order"]) == [order_key("approve", gate)]


@pytest.mark.parametrize("phase", [states.PROGRESSING, states.PROMOTING, states.SUCCEEDED])
def test_safety_04_a_second_approval_opens_no_gate_that_nobody_waits_at_yet(approve: Any, phase: str) -> None:
    """Two clicks on one gate are one approval: the next raise is another one."""
    result = approve(phase)
    assert result["failed"]
    assert f"is {phase}: it waits at no gate; say which gate to open in advance" in result["msg"]


@pytest.mark.parametrize("gate", GATES)
def test_whoever_names_a_gate_may_open_it_in_advance(approve: Any, gate: str) -> None:
    assert list(approve(states.PROGRESSING, gate=gate)["order"]) == [order_key("approve", gate)]


WORDS = ["approve", "abort", "suspend", "resume", "promote", "remove"]


@pytest.mark.parametrize("keep", [states.KEEP_PRIMARY, states.KEEP_TARGET])
@pytest.mark.parametrize("word", WORDS)
def test_safety_30_an_order_says_who_and_why(order: Any, word: str, keep: str) -> None:
    result = order(word, states.PROGRESSING, CONFIRM_TRAFFIC_INCREASE, by="alice\n@ci-7", reason="change 4711", keep=keep)
    (text,) = result["order"].values()
    said = json.loads(text)["by"] if text.startswith("{") else text
    assert said == "alice @ci-7: change 4711"
    assert f"{word} (alice @ci-7: change 4711)" in result["lines"][0]


def test_safety_30_an_order_without_a_name_is_of_whoever_runs_the_process(order: Any) -> None:
    (text,) = order("abort", states.PROGRESSING)["order"].values()
    assert text == person()


def test_safety_30_who_gave_an_order_is_kept_where_a_long_reason_is_cut(order: Any) -> None:
    (text,) = order("abort", states.PROGRESSING, by="a" * 500, reason="r" * 5000)["order"].values()
    assert text.startswith("a" * 97 + "...: rrr") and len(text) == states.LONGEST_ORDER
