# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb canary_info: what it says of a canary to whoever asks."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import LABEL
from ansible_collections.progressive.delivery.plugins.modules.canary_info import VERB


@pytest.fixture
def line_of(run_verb: Any, foreign: Any, behaviour: Any) -> Any:
    """The line that people get of a record."""
    def line(**fields: Any) -> str:
        record = Record("podinfo", "test", **{"last_transition": time.time(), **fields})
        metadata = {"name": "podinfo-canary", "namespace": "test", "resourceVersion": "1", "labels": {LABEL: "podinfo"}}
        body = {"metadata": metadata, "data": {"record": dumps(record)}}
        foreign.behave(behaviour.reply(200, json.dumps(body), **{"Content-Type": "application/json"}))
        return "\n".join(run_verb(VERB, name="podinfo", namespace="test", host=foreign.url, api_key="sesame-4711")["lines"])
    return line


ROLLED_BACK = {"outcome": "rolled_back", "outcome_why": "request-success-rate 80% < 99%"}


@pytest.mark.parametrize("before", [ROLLED_BACK, {"outcome": "promoted", "outcome_why": "analysis completed"}, {}])
def test_how_the_release_before_ended_is_not_told_of_the_one_that_is_under_way(line_of: Any, before: dict[str, str]) -> None:
    said = line_of(phase=states.PROGRESSING, canary_weight=10, confirmed_at=time.time(), **before)
    assert "gathering evidence at 10%" in said
    assert "rolled back" not in said and "promoted" not in said


def test_copies_of_requests_are_told_as_evidence_is(line_of: Any) -> None:
    said = line_of(phase=states.PROGRESSING, mirror=40, confirmed_at=time.time())
    assert "mirror 40%" in said and "gathering evidence at 0%, and copies of 40%" in said


def test_a_walk_without_weight_is_under_way(line_of: Any) -> None:
    said = line_of(phase=states.PROMOTING, **ROLLED_BACK)
    assert "under way" in said and "rolled back" not in said


def test_what_is_waited_for_is_told(line_of: Any) -> None:
    assert "podinfo is ready, it settles" in line_of(phase=states.PROGRESSING, due_why="podinfo is ready, it settles", **ROLLED_BACK)


def test_how_the_last_release_ended_is_told_between_releases(line_of: Any) -> None:
    said = line_of(phase=states.FAILED, **ROLLED_BACK)
    assert "rolled back: request-success-rate 80% < 99%" in said
    assert "held by" not in said


def test_whether_a_run_holds_a_walk_is_told(line_of: Any) -> None:
    walking = {"phase": states.PROGRESSING, "canary_weight": 10}
    alive = Holder("6a1c8e20f0", host="elsewhere", pid=4711, until=time.time() + 30)
    assert line_of(**walking).endswith("| held by no run")
    assert "| held by run 6a1c8e20 on elsewhere, process 4711" in line_of(holder=alive, **walking)
    assert "| held by run 6a1c8e20, without a sign of life since" in line_of(holder=Holder("6a1c8e20f0", renewed=1.0, until=time.time() - 2), **walking)


def test_without_a_record_it_says_no_more_than_it_knows(run_verb: Any, foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(404, '{"kind": "Status", "reason": "NotFound", "code": 404}', **{"Content-Type": "application/json"}))
    result = run_verb(VERB, name="podinfo", namespace="test", host=foreign.url, api_key="sesame-4711")
    assert result["lines"] == ["test/podinfo: no record: it was never walked, or its record was deleted"] and not result["exists"]


def test_safety_30_the_last_order_of_a_person_is_told_with_who_and_why(line_of: Any) -> None:
    orders = ({"at": 1.0, "order": "suspend", "said": "bob@ci-7"}, {"at": 60.0, "order": "approve confirm-promotion", "said": "alice@ci-7: change 4711"})
    said = line_of(phase=states.PROMOTING, obeyed=orders)
    assert "last order of a person: 1970-01-01T00:01:00Z approve confirm-promotion (alice@ci-7: change 4711)" in said and "bob" not in said
