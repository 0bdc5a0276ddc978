# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every verb, in process and as a module: the same result and the same error (DESIGN 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

# Case -> verb, options, how the task ends. {kubeconfig}, {prometheus} and {gate} stand for the lab's and the servers of conftest.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a check in its range": ("metric_check", {"address": "{prometheus}", "query": "up", "min": 1}, "ok"),
    "a check out of its range": ("metric_check", {"address": "{prometheus}", "query": "up", "max": 1, "fail_when": ["fail"]}, "failed"),
    "a metric server that is not there": ("metric_check", {"address": "http://127.0.0.1:9", "query": "up"}, "ok"),
    "an address that is no URL": ("metric_check", {"address": "prometheus", "query": "up"}, "failed"),
    "options that exclude each other": ("metric_check", {"address": "{prometheus}", "query": "up", "metrics": []}, "failed"),
    "options that need each other": ("metric_check", {"address": "{prometheus}", "query": "up", "url_username": "me"}, "failed"),
    "an open gate": ("webhook_gate", {"url": "{gate}/open", "type": "confirm-rollout"}, "ok"),
    "a closed gate": ("webhook_gate", {"url": "{gate}/closed"}, "ok"),
    "a closed gate that stops": ("webhook_gate", {"url": "{gate}/closed", "fail_when": ["refused"]}, "failed"),
    "a choice that there is not": ("webhook_gate", {"url": "{gate}/open", "type": "confirm"}, "failed"),
    "an option that there is not": ("webhook_gate", {"url": "{gate}/open", "uri": "x"}, "failed"),
    "a gate in check mode": ("webhook_gate", {"url": "{gate}/open", "check_mode": True}, "ok"),
    "a canary that was never walked": ("canary_info", {"name": "nobody", "namespace": "default", "kubeconfig": "{kubeconfig}"}, "ok"),
    "a kubeconfig that is not there": (
        "canary_info", {"name": "nobody", "namespace": "default", "kubeconfig": "/nowhere/config"}, "failed"),
    "an API server that is not there": (
        "canary_info", {"name": "nobody", "namespace": "default", "host": "http://127.0.0.1:9", "api_key": "sesame-4711"}, "failed"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """All cases, both ways, in one play."""
    stands_for = {name: request.getfixturevalue(name) for name in ("kubeconfig", "prometheus", "gate")}
    tasks = [task(case, way, stands_for) for case in CASES for way in ("in_process", "module")]
    stage = request.getfixturevalue("stage_in")(tmp_path_factory.mktemp("both"))
    return stage.play(*tasks)


def task(case: str, way: str, stands_for: Mapping[str, str]) -> dict[str, Any]:
    verb, options, _status = CASES[case]
    options = {key: _filled(value, stands_for) for key, value in options.items()}
    keywords = {key: options.pop(key) for key in ("check_mode",) if key in options}
    return {
        "name": f"{case} / {way}", f"progressive.delivery.{verb}": options, **keywords,
        "vars": {"progressive_delivery_in_process": way == "in_process"}}


def _filled(value: Any, stands_for: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    for name, text in stands_for.items():
        value = value.replace("{" + name + "}", text)
    return value


@pytest.mark.parametrize("case", CASES)
def test_a_verb_says_the_same_whichever_way_it_runs(both: Any, case: str) -> None:
    in_process, module = both[f"{case} / in_process"], both[f"{case} / module"]
    assert (in_process.way, module.way) == ("in_process", "module")
    assert (in_process.status, module.status) == (CASES[case][2], CASES[case][2]), both.output
    assert in_process.said == module.said


@pytest.mark.parametrize("case", CASES)
def test_ansible_12_no_result_has_a_key_that_ansible_or_jinja_would_misread(both: Any, case: str) -> None:
    misread = {"skipped", "results", "items", "keys", "values", "get", "update", "copy", "count", "path", "dest"}
    assert not misread & both[f"{case} / in_process"].said.keys()


def test_every_verb_is_in_the_table(verbs: set[str]) -> None:
    assert {verb for verb, _options, _status in CASES.values()} == verbs
