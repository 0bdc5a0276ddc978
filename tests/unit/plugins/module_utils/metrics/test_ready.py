# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Check, MetricProvider, Service
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import ready

NOBODY = "http://127.0.0.1:9"
ONE: list[Any] = [{"metric": {}, "value": [0, "1"]}]


def canary(*checks: Check, server: str = NOBODY, skip_analysis: bool = False) -> Canary:
    return Canary(name="podinfo", namespace="test", provider="gatewayapi:v1", target="podinfo", target_kind="Deployment", metrics_server=server,
                  service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1, checks=checks), skip_analysis=skip_analysis)


def builtin(index: int = 0) -> Check:
    return Check(index, "request-success-rate", True, 60, 99, None)


def query(index: int = 0, **provider: Any) -> Check:
    return Check(index, "errors", False, 60, None, 1, "errors", provider=MetricProvider(**provider))


def document(*metrics: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"analysis": {"metrics": list(metrics)}, **spec}}


TEMPLATED = {"name": "errors", "templateRef": {"name": "errors", "namespace": "metrics"}}


@pytest.mark.parametrize(
    ("checked", "written", "field"),
    [
        (canary(builtin()), document({"name": "request-success-rate"}), "canary_metrics_server"),
        (canary(builtin()), document({"name": "request-success-rate"}, metricsServer=NOBODY), "spec.metricsServer"),
        (canary(query(address=NOBODY, namespace="metrics")), document(TEMPLATED), "MetricTemplate metrics/errors spec.provider.address"),
        (canary(query(address=NOBODY, namespace="test")), document({"templateRef": {"name": "errors"}}), "MetricTemplate test/errors spec.provider.address"),
    ],
)
def test_a_server_that_does_not_answer_is_refused_by_the_field_of_its_address(checked: Canary, written: Any, field: str) -> None:
    (refused,), told = ready.objections(checked, written, {})
    assert str(refused).startswith(f"{field}: no Prometheus answers at {NOBODY}: ")
    assert "connection refused" in str(refused)
    assert not told


def test_one_server_is_asked_once(foreign: Any) -> None:
    foreign.prometheus(ONE)
    assert ready.objections(canary(builtin(), builtin(1), server=foreign.url), document({}, {}), {}) == ([], [])
    assert len(foreign.seen) == 1


def test_a_canary_that_skips_its_analysis_asks_nobody() -> None:
    assert ready.objections(canary(builtin(), skip_analysis=True), document({}), {}) == ([], [])


def test_a_secret_that_cannot_be_read_is_refused_by_the_field_that_names_it() -> None:
    checked = canary(query(address=NOBODY, secret="key", namespace="metrics"))
    assert ready.secrets_of(checked) == [("metrics", "key")]
    (refused,), _told = ready.objections(checked, document(TEMPLATED), {("metrics", "key"): CanaryError("there is no Secret metrics/key")})
    assert str(refused).startswith("MetricTemplate metrics/errors spec.provider.secretRef.name: there is no Secret metrics/key")


TWO: list[Any] = [{"metric": {"a": "1"}, "value": [0, "1"]}, {"metric": {"a": "2"}, "value": [0, "1"]}]


def test_a_query_that_gives_no_single_number_is_refused_by_its_field(foreign: Any) -> None:
    foreign.prometheus(ONE)
    online = foreign.script[0]
    foreign.prometheus(TWO)
    foreign.behave(online, foreign.script[0])
    (refused,), _told = ready.objections(canary(query(), server=foreign.url), document({"name": "errors", "query": "errors"}), {})
    assert str(refused).startswith("spec.analysis.metrics[0].query: ")
    assert "query returned 2 series; aggregate it to one" in str(refused)


def test_a_query_without_data_is_no_reason_to_refuse_since_the_canary_has_no_traffic_yet(foreign: Any) -> None:
    foreign.prometheus(ONE)
    online = foreign.script[0]
    foreign.prometheus([])
    foreign.behave(online, foreign.script[0])
    assert ready.objections(canary(query(), server=foreign.url), document({"name": "errors"}), {}) == ([], [])
