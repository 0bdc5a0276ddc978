# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every verb, in process and as a module: the same result and the same error (DESIGN 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

ROUTE = {"name": "app", "namespace": "<namespace>", "primary": "app-primary", "canary": "app-canary", "wait": False}
WORKLOAD = {"target": "app", "namespace": "<namespace>"}
FROZEN = {"document": "{{ frozen.document }}", "holder": "{{ frozen.holder }}"}
SPEC = {
    "provider": "gatewayapi:v1",
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
    "service": {"port": 80, "gatewayRefs": [{"name": "nobody"}]},
    "analysis": {"interval": "10s", "threshold": 2, "maxWeight": 50, "stepWeight": 10},
}
PREFLIGHT = {"canary_name": "app", "canary_namespace": "<namespace>", "spec": SPEC, "deep": False}

# Case -> verb, options, how the task ends. <kubeconfig>, <namespace>, <prometheus> and <gate> stand for the fixtures of these names.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a check in its range": ("metric_check", {"address": "<prometheus>", "query": "up", "min": 1}, "ok"),
    "a check out of its range": ("metric_check", {"address": "<prometheus>", "query": "up", "max": 1, "fail_when": ["fail"]}, "failed"),
    "a metric server that is not there": ("metric_check", {"address": "http://127.0.0.1:9", "query": "up"}, "ok"),
    "an address that is no URL": ("metric_check", {"address": "prometheus", "query": "up"}, "failed"),
    "options that exclude each other": ("metric_check", {"address": "<prometheus>", "query": "up", "metrics": []}, "failed"),
    "options that need each other": ("metric_check", {"address": "<prometheus>", "query": "up", "url_username": "me"}, "failed"),
    "an open gate": ("webhook_gate", {"url": "<gate>/open", "type": "confirm-rollout"}, "ok"),
    "a closed gate": ("webhook_gate", {"url": "<gate>/closed"}, "ok"),
    "a closed gate that stops": ("webhook_gate", {"url": "<gate>/closed", "fail_when": ["refused"]}, "failed"),
    "a choice that there is not": ("webhook_gate", {"url": "<gate>/open", "type": "confirm"}, "failed"),
    "an option that there is not": ("webhook_gate", {"url": "<gate>/open", "uri": "x"}, "failed"),
    "a gate in check mode": ("webhook_gate", {"url": "<gate>/open", "check_mode": True}, "ok"),
    "a canary that was never walked": ("canary_info", {"name": "nobody", "namespace": "default", "kubeconfig": "<kubeconfig>"}, "ok"),
    "a kubeconfig that is not there": (
        "canary_info", {"name": "nobody", "namespace": "default", "kubeconfig": "/nowhere/config"}, "failed"),
    "a document that is right": ("canary_preflight", PREFLIGHT, "ok"),
    "a document that is wrong": ("canary_preflight", {**PREFLIGHT, "spec": {**SPEC, "provider": "nginx"}}, "failed"),
    "a plan": ("canary_preflight", {**PREFLIGHT, "check_mode": True, "diff": True}, "ok"),
    "a look in check mode": ("canary_observe", {**FROZEN, "check_mode": True}, "skipped"),
    "a document that is not frozen": ("canary_observe", {"document": {"spec": SPEC}, "holder": {}}, "failed"),
    "a decision without a record": ("canary_decide", {**FROZEN, "tick": {"epoch": 1}}, "failed"),
    "an order for a canary that is not there": ("canary_order", {"name": "nobody", "namespace": "<namespace>", "order": "abort"}, "failed"),
    "weights that would change": ("traffic_weight", {**ROUTE, "weight": 0, "check_mode": True, "diff": True}, "ok"),
    "weights as they are": ("traffic_weight", {**ROUTE, "weight": 20}, "ok"),
    "a weight that is none": ("traffic_weight", {**ROUTE, "weight": 101}, "failed"),
    "a route that is not there": ("traffic_weight", {**ROUTE, "name": "nobody", "weight": 20}, "failed"),
    "a primary that would be made": ("primary_workload", {**WORKLOAD, "check_mode": True, "diff": True}, "ok"),
    "a scale as it is": ("primary_workload", {**WORKLOAD, "state": "scaled", "replicas": 0}, "ok"),
    "a release that would be": ("canary_release", {**WORKLOAD, "images": {"app": "app:2"}, "check_mode": True, "diff": True}, "ok"),
    "a release as it is": ("canary_release", {**WORKLOAD, "images": {"app": "app:1"}}, "ok"),
    "a release of a container that there is not": ("canary_release", {**WORKLOAD, "images": {"ap": "app:2"}}, "failed"),
    "a plan of what would be released": (
        "canary_preflight", {**PREFLIGHT, "release": {"images": {"app": "app:2"}}, "check_mode": True, "diff": True}, "ok"),
    "a state without what it needs": ("primary_workload", {**WORKLOAD, "state": "scaled"}, "failed"),
    "an API server that is not there": (
        "canary_info", {"name": "nobody", "namespace": "default", "host": "http://127.0.0.1:9", "api_key": "sesame-4711"}, "failed"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """All cases, both ways, in one play."""
    stands_for = {name: request.getfixturevalue(name) for name in ("kubeconfig", "namespace", "prometheus", "gate")}
    freeze = {"name": "freeze", "progressive.delivery.canary_preflight": _filled(PREFLIGHT, stands_for), "register": "frozen"}
    tasks = [task(case, way, stands_for) for case in CASES for way in ("in_process", "module")]
    stage = request.getfixturevalue("stage_in")(tmp_path_factory.mktemp("both"))
    defaults = {"group/progressive.delivery.canary": {"kubeconfig": stands_for["kubeconfig"]}}
    return stage.play(freeze, *tasks, play={"module_defaults": defaults})


def task(case: str, way: str, stands_for: Mapping[str, str]) -> dict[str, Any]:
    verb, options, _status = CASES[case]
    options = _filled(options, stands_for)
    keywords = {key: options.pop(key) for key in ("check_mode", "diff") if key in options}
    return {
        "name": f"{case} / {way}", f"progressive.delivery.{verb}": options, **keywords,
        "vars": {"progressive_delivery_in_process": way == "in_process"}}


def _filled(value: Any, stands_for: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, stands_for) for key, item in value.items()}
    if isinstance(value, str):
        for name, text in stands_for.items():
            value = value.replace(f"<{name}>", text)
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
