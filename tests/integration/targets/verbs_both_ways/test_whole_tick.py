# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first tick of a walk, verb by verb as in the role, in process in one namespace and as modules in its twin."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

WAYS = ("in_process", "module")
STEPS = ("preflight", "observe", "gates", "checks", "decide", "traffic", "workload", "order", "info")

# What differs between any two namespaces and moments.
DIFFERENT = frozenset(("uid", "replicaset_uid", "resource_version", "holder", "run", "now", "latest", "held_by"))


def spec(gate: str, prometheus: str) -> dict[str, Any]:
    return {
        "provider": "gatewayapi:v1",
        "metricsServer": prometheus,
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        "service": {"port": 80, "gatewayRefs": [{"name": "nobody"}]},
        "analysis": {
            "interval": "10s", "threshold": 2, "maxWeight": 50, "stepWeight": 10,
            "webhooks": [{"name": "gate", "type": "confirm-rollout", "url": f"{gate}/open"}],
            "metrics": [{"name": "up", "query": "up", "interval": "30s", "thresholdRange": {"min": 1}}],
        },
    }


def tick(way: str, namespace: str, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of one tick; every step's register is its name and the way."""
    def task(step: str, verb: str, **options: Any) -> dict[str, Any]:
        return {
            "name": f"{step} / {way}", f"progressive.delivery.{verb}": options, "register": f"{step}_{way}",
            "vars": {"progressive_delivery_in_process": way == "in_process"}}

    def of(step: str, path: str) -> str:
        return "{{ " + f"{step}_{way}.{path}" + " }}"

    frozen = {"document": of("preflight", "document")}
    claimed = {**frozen, "holder": of("preflight", "holder")}
    answered = {"answers": of("gates", "answers"), "outcomes": of("checks", "outcomes")}
    ordered = {**frozen, "epoch": of("observe", "tick.epoch")}
    return [
        task("preflight", "canary_preflight", canary_name="app", canary_namespace=namespace, spec=document, deep=False),
        task("observe", "canary_observe", **claimed, mode="tick"),
        task("gates", "webhook_gate", **frozen, hooks=[0]),
        task("checks", "metric_check", **frozen, checks=[0]),
        task("decide", "canary_decide", **claimed, **answered, tick=of("observe", "tick")),
        task("traffic", "traffic_weight", **ordered, order={"services": True}),
        task("workload", "primary_workload", **ordered, order={"create_primary": 0}),
        task("order", "canary_order", name="app", namespace=namespace, order="suspend", reason="the test is over"),
        task("info", "canary_info", name="app", namespace=namespace),
    ]


@pytest.fixture(scope="module")
def ticked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Both ticks in one play, and the namespace of each."""
    document = spec(request.getfixturevalue("gate"), request.getfixturevalue("prometheus"))
    namespaces = {way: request.getfixturevalue("make_namespace")() for way in WAYS}
    defaults = {"group/progressive.delivery.canary": {"kubeconfig": request.getfixturevalue("kubeconfig")}}
    stage = request.getfixturevalue("stage_in")(tmp_path_factory.mktemp("ticked"))
    tasks = [task for way in WAYS for task in tick(way, namespaces[way], document)]
    return stage.play(*tasks, play={"module_defaults": defaults}), namespaces


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_a_tick_is_the_same_in_process_and_as_a_module(ticked: Any, step: str) -> None:
    played, namespaces = ticked
    ran = {way: played[f"{step} / {way}"] for way in WAYS}
    assert {way: ran[way].way for way in WAYS} == {way: way for way in WAYS}
    assert {way: ran[way].status for way in WAYS} == dict.fromkeys(WAYS, "ok"), played.output
    said = {way: json.loads(timeless(json.dumps(ran[way].said).replace(namespaces[way], "namespace"))) for way in WAYS}
    assert lasting(said["in_process"]) == lasting(said["module"])


def timeless(text: str) -> str:
    """Without times, and without whose run it was: a module does not see the process of the playbook."""
    text = re.sub(r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d", "then", text)
    return re.sub(r"held by run [0-9a-f]{8} on [^\s,\"]+(, process \d+)?", "held by the run", text)


def lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in DIFFERENT}
    return [lasting(item) for item in value] if isinstance(value, list) else value
