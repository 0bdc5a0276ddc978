# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a check of the document to its outcome."""

from __future__ import annotations

import dataclasses
import json
import threading
import urllib.parse
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils import third_party
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, UNKNOWN
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Check, MetricProvider, Service
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.evaluate import evaluate, evaluate_all, looks_back, window_of


def canary(address: str = "", provider: str = "gatewayapi:v1") -> Canary:
    return Canary(name="pod", namespace="test", provider=provider, target="podinfo", target_kind="Deployment",
                  service=Service(name="podinfo-svc", port=80), analysis=Analysis(interval=10.0, threshold=5), metrics_server=address)


def check(index: int = 0, name: str = "error-rate", **more: Any) -> Check:
    fields: dict[str, Any] = {"builtin": False, "interval": 60.0, "minimum": None, "maximum": 10.0, "query": "up", **more}
    return Check(index=index, name=name, **fields)


def builtin_check(name: str, minimum: float | None = None, maximum: float | None = None) -> Check:
    return check(name=name, builtin=True, query="", minimum=minimum, maximum=maximum)


def value(number: str) -> list[dict[str, Any]]:
    return [{"metric": {}, "value": [1, number]}]


def asked(foreign: Any) -> list[str]:
    return [urllib.parse.parse_qs(urllib.parse.urlsplit(seen.path).query)["query"][0] for seen in foreign.seen]


def test_every_function_of_the_template_has_its_value(foreign: Any) -> None:
    foreign.prometheus(value("1"))
    query = "{{ name }} {{ namespace }} {{ target }} {{ service }} {{ ingress }} {{ route }} {{ interval }} {{ variables.code }}"
    evaluate(canary(foreign.url), check(query=query, variables={"code": "5.."}), window=42.9)
    assert asked(foreign) == ["pod test podinfo podinfo-svc podinfo podinfo 42s 5.."]


def test_a_success_rate_is_percent(foreign: Any) -> None:
    foreign.prometheus(value("80"))
    outcome = evaluate(canary(foreign.url), builtin_check("request-success-rate", minimum=99.0), window=60)
    assert (outcome.outcome, outcome.value, outcome.unit, outcome.window) == (FAIL, 80.0, "%", 60.0)
    assert outcome.why == "request-success-rate 80.00% < 99%"


def test_a_duration_is_milliseconds_of_the_seconds_asked(foreign: Any) -> None:
    foreign.prometheus(value("0.6123"))
    outcome = evaluate(canary(foreign.url), builtin_check("request-duration", maximum=500.0), window=60)
    assert (outcome.outcome, outcome.unit, outcome.why) == (FAIL, "ms", "request-duration 612ms > 500ms")
    assert outcome.value == pytest.approx(612.3)


def test_who_was_named_to_have_the_metrics_is_asked_for_in_his_unit(foreign: Any) -> None:
    foreign.prometheus(value("600"))
    by_envoy = dataclasses.replace(canary(foreign.url), metrics_from="envoy")
    outcome = evaluate(by_envoy, builtin_check("request-duration", maximum=500.0), window=60)
    assert (outcome.outcome, outcome.why) == (FAIL, "request-duration 600ms > 500ms")
    assert 'envoy_cluster_name=~"test_podinfo-svc-canary_[0-9]+"' in asked(foreign)[0]


def test_nothing_but_failures_is_a_rate_of_zero_not_no_data(foreign: Any, behaviour: Any) -> None:
    answer = {"status": "success", "data": {"resultType": "vector", "result": []}}
    traffic = {"status": "success", "data": {"resultType": "vector", "result": value("3.5")}}
    foreign.behave(behaviour.reply(200, json.dumps(answer)), behaviour.reply(200, json.dumps(traffic)))
    outcome = evaluate(canary(foreign.url), builtin_check("request-success-rate", minimum=99.0), window=60)
    assert (outcome.outcome, outcome.value, len(foreign.seen)) == (FAIL, 0.0, 2)


def test_weak_spot_39_no_traffic_stays_no_data(foreign: Any) -> None:
    foreign.prometheus([])
    outcome = evaluate(canary(foreign.url), builtin_check("request-success-rate", minimum=99.0), window=60)
    assert outcome.outcome == UNKNOWN
    assert outcome.why.startswith("no_data: ")


def test_weak_spot_43_a_template_named_like_a_builtin_is_asked_alone(foreign: Any) -> None:
    foreign.prometheus(value("1"))
    outcome = evaluate(canary(foreign.url), check(name="request-success-rate", query="mine", maximum=5.0), window=60)
    assert asked(foreign) == ["mine"]
    assert (outcome.outcome, outcome.unit) == (PASS, "")


@pytest.mark.parametrize(("query", "words"), [
    ("rate(x[{{ interval }]", "unclosed"),
    ("{{ .Namespace }}", ".Namespace"),
    ("{{ variables.missing }}", "templateVariables has no"),
])
def test_weak_spot_44_a_query_that_cannot_be_rendered_is_not_asked(foreign: Any, query: str, words: str) -> None:
    outcome = evaluate(canary(foreign.url), check(query=query), window=60)
    assert outcome.outcome == UNKNOWN
    assert outcome.why.startswith("query_error: error-rate: ")
    assert words in outcome.why
    assert not foreign.seen


def test_weak_spot_44_a_query_always_has_an_interval(foreign: Any) -> None:
    foreign.prometheus(value("1"))
    evaluate(canary(foreign.url), check(query="rate(x[{{ interval }}])"), window=0.2)
    assert asked(foreign) == ["rate(x[1s])"]


def test_without_any_address_the_outcome_says_what_to_set() -> None:
    outcome = evaluate(canary(""), check(), window=60)
    assert "set spec.metricsServer or canary_metrics_server" in outcome.why


def test_a_provider_that_is_not_supported_is_named() -> None:
    outcome = evaluate(canary("http://p"), check(provider=MetricProvider(type="datadog")), window=60)
    assert "provider type datadog is not supported; accepted: prometheus" in outcome.why


def test_a_provider_without_builtin_checks_is_named() -> None:
    outcome = evaluate(canary("http://p", provider="nomad"), builtin_check("request-duration"), window=60)
    assert "there are no built-in checks for nomad" in outcome.why


def test_the_checks_own_provider_comes_before_the_documents_server(foreign: Any) -> None:
    foreign.prometheus(value("1"))
    outcome = evaluate(canary("http://127.0.0.1:1"), check(provider=MetricProvider(address=foreign.url)), window=60)
    assert outcome.outcome == PASS


def test_a_warning_of_prometheus_reaches_the_outcome(foreign: Any) -> None:
    foreign.prometheus(value("11"), warnings=["partial answer"])
    assert evaluate(canary(foreign.url), check(), window=60).why == "error-rate 11 > 10; prometheus warns: partial answer"


def test_each_check_gets_the_secret_it_names(foreign: Any) -> None:
    foreign.prometheus(value("1"))
    checks = [check(provider=MetricProvider(address=foreign.url, secret="prom", namespace="mon")), check(1)]
    evaluate_all(canary(foreign.url), checks, secrets={("mon", "prom"): {"token": "abc"}})
    assert {seen.headers.get("Authorization") for seen in foreign.seen} == {"Bearer abc", None}


@pytest.mark.parametrize(("secrets", "words"), [
    ({}, "the Secret mon/prom was not read"),
    ({("mon", "prom"): CanaryError("no permission to get Secret mon/prom (403)")}, "no permission to get Secret mon/prom (403)"),
])
def test_a_secret_that_cannot_be_read_is_said_and_nothing_is_asked_without_it(foreign: Any, secrets: Any, words: str) -> None:
    outcome, = evaluate_all(canary(foreign.url), [check(provider=MetricProvider(secret="prom", namespace="mon"))], secrets=secrets)
    assert (outcome.outcome, outcome.why) == (UNKNOWN, f"query_error: error-rate: {words}")
    assert not foreign.seen


def test_weak_spot_47_checks_are_asked_at_the_same_time_and_told_in_order(foreign: Any) -> None:
    together = threading.Barrier(4, timeout=10)

    def behave(handler: Any, over: threading.Event) -> None:
        together.wait()
        number = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)["query"][0]
        body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, number]}}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    foreign.behave(behave)
    outcomes = evaluate_all(canary(foreign.url), [check(index, query=str(20 - index)) for index in range(4)])
    assert [(outcome.index, outcome.value) for outcome in outcomes] == [(0, 20.0), (1, 19.0), (2, 18.0), (3, 17.0)]


def test_a_failing_check_does_not_hide_the_others(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(500, "boom"))
    assert len(evaluate_all(canary(foreign.url), [check(0), check(1)])) == 2


def test_ansible_03_a_missing_library_is_not_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party, "requests", None)
    with pytest.raises(MissingLibrary):
        evaluate_all(canary("http://127.0.0.1:1"), [check(0), check(1)])


def test_no_checks_are_no_outcomes() -> None:
    assert evaluate_all(canary(), []) == ()


@pytest.mark.parametrize(("confirmed_for", "window"), [(None, 60.0), (15.0, 15.0), (600.0, 60.0), (0.0, 1.0), (-5.0, 1.0)])
def test_safety_12_evidence_never_reaches_back_before_the_weight(confirmed_for: float | None, window: float) -> None:
    assert window_of(check(), confirmed_for) == window


@pytest.mark.parametrize(("query", "seconds"), [
    ("rate(x[{{ interval }}])", 15.0),
    ("rate(x[5m])", 300.0),
    ("rate(x[{{ interval }}]) / rate(x[5m])", 300.0),
    ("rate(x[5s]) / rate(x[{{ interval }}])", 15.0),
    ("up", 15.0),
])
def test_safety_12_the_outcome_says_how_far_it_really_looked_back(query: str, seconds: float) -> None:
    assert looks_back(query, 15.0) == seconds
