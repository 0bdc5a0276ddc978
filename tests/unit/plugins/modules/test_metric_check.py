# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb metric_check, alone and in the role's way."""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.exchange import basic
from ansible_collections.progressive.delivery.plugins.modules import metric_check
from ansible_collections.progressive.delivery.plugins.modules.metric_check import VERB


def value(number: str) -> list[dict[str, Any]]:
    return [{"metric": {}, "value": [1, number]}]


def queries(foreign: Any) -> list[str]:
    return [urllib.parse.parse_qs(urllib.parse.urlsplit(seen.path).query)["query"][0] for seen in foreign.seen]


@pytest.mark.parametrize(("number", "outcome", "passed"), [("9", "pass", True), ("11", "fail", False), ("NaN", "unknown", False)])
def test_alone_one_query_is_compared_with_its_range(run_verb: Any, foreign: Any, number: str, outcome: str, passed: bool) -> None:
    foreign.prometheus(value(number))
    result = run_verb(VERB, address=foreign.url, query="sum(x)", name="error-rate", min=1, max=10)
    assert (result["outcome"], result["passed"], result["changed"]) == (outcome, passed, False)
    assert "failed" not in result
    assert [entry["name"] for entry in result["outcomes"]] == ["error-rate"]


def test_alone_several_metrics_share_the_address(run_verb: Any, foreign: Any) -> None:
    foreign.prometheus(value("5"))
    metrics = [{"name": "one", "query": "a", "max": 10}, {"name": "two", "query": "b[{{ interval }}]", "max": 1, "interval": "30s"}]
    result = run_verb(VERB, address=foreign.url, metrics=metrics)
    assert [(entry["index"], entry["name"], entry["outcome"]) for entry in result["outcomes"]] == [(0, "one", "pass"), (1, "two", "fail")]
    assert sorted(queries(foreign)) == ["a", "b[30s]"]


def test_alone_the_lines_say_what_was_found(run_verb: Any, foreign: Any) -> None:
    foreign.prometheus(value("11"))
    assert run_verb(VERB, address=foreign.url, query="x", max=10)["lines"] == ["metric 11 (<= 10) FAIL"]


@pytest.mark.parametrize(("fail_when", "number", "failed"), [
    (["never"], "11", False), (["fail"], "11", True), (["fail"], "NaN", False), (["unknown"], "NaN", True), (["fail", "unknown"], "9", False),
])
def test_ansible_24_it_fails_only_when_told_to_and_tells_all_the_same(
        run_verb: Any, foreign: Any, fail_when: list[str], number: str, failed: bool) -> None:
    foreign.prometheus(value(number))
    result = run_verb(VERB, address=foreign.url, query="x", name="error-rate", max=10, fail_when=fail_when)
    assert result.get("failed", False) is failed
    assert len(result["outcomes"]) == 1
    assert ("error-rate" in result.get("msg", "")) is (number != "9")


@pytest.mark.parametrize(("options", "sent"), [
    ({"token": "sesame"}, "Bearer sesame"),
    ({"url_username": "u", "url_password": "p"}, basic("u", "p")),
    ({}, None),
])
def test_credentials_of_the_options_are_sent(run_verb: Any, foreign: Any, options: dict[str, str], sent: str | None) -> None:
    foreign.prometheus(value("1"))
    run_verb(VERB, address=foreign.url, query="x", headers={"X-Scope-OrgID": 7}, **options)
    assert foreign.seen[0].headers.get("Authorization") == sent
    assert foreign.seen[0].headers["X-Scope-OrgID"] == "7"


@pytest.mark.parametrize(("options", "words"), [
    ({}, "one of the following is required: document, query, metrics"),
    ({"query": "x"}, "missing parameter(s) required by 'query': address"),
    ({"query": "x", "metrics": [], "address": "http://p"}, "mutually exclusive"),
    ({"query": "x", "address": "http://p", "checks": [0]}, "missing parameter(s) required by 'checks': document"),
    ({"query": "x", "address": "localhost:9090"}, "address: 'localhost:9090' has no scheme"),
    ({"query": "x", "address": "http://u:s3cret@"}, "has no valid host"),
    ({"query": "x", "address": "http://p", "interval": "5 minutes"}, "interval: '5 minutes' is not a duration"),
    ({"query": "x", "address": "http://p", "secret_name": "s"}, "are required together"),
    ({"query": "x", "address": "http://p", "fail_when": ["always"]}, "value of fail_when must be one or more of"),
])
def test_wrong_options_are_refused_in_words(run_verb: Any, options: dict[str, Any], words: str) -> None:
    result = run_verb(VERB, **options)
    assert result["failed"]
    assert words in result["msg"]
    assert "s3cret" not in result["msg"]


def test_the_timeout_bounds_a_query(run_verb: Any, foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.hang)
    result = run_verb(VERB, address=foreign.url, query="x", timeout=0.2)
    assert result["outcomes"][0]["why"].endswith("no whole answer within 0.2 s")


METRICS = [
    {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
    {"name": "error-rate", "query": "mine[{{ interval }}]", "thresholdRange": {"max": 10}, "interval": "30s"},
]


def test_a_document_is_checked_by_index(run_verb: Any, foreign: Any, frozen: Any) -> None:
    foreign.prometheus(value("5"))
    result = run_verb(VERB, document=frozen(METRICS, metrics_server=foreign.url), checks=[1], window=12.5)
    assert [(entry["index"], entry["name"], entry["window"]) for entry in result["outcomes"]] == [(1, "error-rate", 12.5)]
    assert queries(foreign) == ["mine[12s]"]
    assert "lines" not in result


@pytest.mark.parametrize("options", [{}, {"window": 0}])
def test_without_a_window_every_check_looks_back_over_its_interval(run_verb: Any, foreign: Any, frozen: Any, options: dict[str, Any]) -> None:
    foreign.prometheus(value("100"))
    result = run_verb(VERB, document=frozen(METRICS, metrics_server=foreign.url), **options)
    assert [entry["window"] for entry in result["outcomes"]] == [60.0, 30.0]


def test_ansible_11_no_checks_are_no_outcomes_and_passed(run_verb: Any, frozen: Any) -> None:
    result = run_verb(VERB, document=frozen(METRICS, metrics_server="http://127.0.0.1:1"), checks=[])
    assert result == {"changed": False, "outcomes": [], "passed": True, "outcome": "pass"}


def test_a_check_that_is_not_in_the_document_is_refused(run_verb: Any, frozen: Any) -> None:
    result = run_verb(VERB, document=frozen(METRICS, metrics_server="http://p"), checks=[7])
    assert result["msg"] == "checks: there is no metric 7 (the document has 2, counted from 0)"


@pytest.mark.parametrize(("policy", "passed"), [("pass", True), ("hold", False), ("fail", False)])
def test_weak_spot_39_no_data_counts_as_passed_only_where_the_policy_says_so(
        run_verb: Any, foreign: Any, frozen: Any, policy: str, passed: bool) -> None:
    foreign.prometheus([])
    result = run_verb(VERB, document=frozen(METRICS, metrics_server=foreign.url, on_no_data=policy))
    assert (result["passed"], result["outcome"]) == (passed, "unknown")


@pytest.mark.parametrize(("policy", "passed"), [("pass", True), ("hold", False), ("fail", False)])
def test_a_query_error_counts_as_passed_only_where_the_policy_says_so(
        run_verb: Any, foreign: Any, behaviour: Any, frozen: Any, policy: str, passed: bool) -> None:
    foreign.behave(behaviour.reply(400, "no such thing"))
    result = run_verb(VERB, document=frozen(METRICS, metrics_server=foreign.url, on_query_error=policy))
    assert (result["passed"], result["outcome"]) == (passed, "unknown")


def test_in_check_mode_the_queries_are_asked(run_verb: Any, foreign: Any) -> None:
    foreign.prometheus(value("1"))
    assert run_verb(VERB, check_mode=True, address=foreign.url, query="x")["passed"]
    assert len(foreign.seen) == 1


class TestSecrets:
    """A Secret is read from the API server, for which a foreign server stands in here."""

    @staticmethod
    def ask(run_verb: Any, foreign: Any, behaviour: Any, answer: Any) -> dict[str, Any]:
        foreign.behave(answer, behaviour.reply(200, json.dumps({
            "status": "success", "data": {"resultType": "vector", "result": value("1")}})))
        return run_verb(VERB, address=foreign.url, query="x", secret_name="prom", secret_namespace="mon", host=foreign.url, api_key="k")

    def test_its_token_is_sent(self, run_verb: Any, foreign: Any, behaviour: Any) -> None:
        secret = {"kind": "Secret", "data": {"token": base64.b64encode(b"sesame\n").decode(), "else": "!"}}
        assert self.ask(run_verb, foreign, behaviour, behaviour.reply(200, json.dumps(secret)))["passed"]
        assert foreign.seen[0].path.startswith("/api/v1/namespaces/mon/secrets/prom")
        assert foreign.seen[1].headers["Authorization"] == "Bearer sesame"

    @pytest.mark.parametrize(("status", "body", "words"), [
        (404, {"kind": "Status", "reason": "NotFound"}, "there is no Secret mon/prom"),
        (403, {"kind": "Status", "reason": "Forbidden", "message": "no"}, "no permission to get"),
        (200, {"kind": "Secret", "data": {"token": base64.b64encode(b"\xff").decode()}}, "holds what is no text"),
        (200, {"kind": "Secret", "data": {"username": "dQ==", "other": "dQ=="}}, "has neither the key token nor username and password"),
    ])
    def test_without_it_nothing_is_asked(
            self, run_verb: Any, foreign: Any, behaviour: Any, status: int, body: dict[str, Any], words: str) -> None:
        result = self.ask(run_verb, foreign, behaviour, behaviour.reply(status, json.dumps(body)))
        assert result["outcome"] == "unknown"
        assert words in result["outcomes"][0]["why"]
        assert len(foreign.seen) == 1


def test_ansible_08_without_a_secret_no_client_is_made(run_verb: Any, foreign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", "/nowhere")
    foreign.prometheus(value("1"))
    assert run_verb(VERB, address=foreign.url, query="x")["passed"]


def test_ansible_12_no_result_key_hides_a_method_or_a_state() -> None:
    forbidden = {"failed", "skipped", "results", "items", "keys", "values", "get", "update", "copy", "count"}
    result = metric_check._result([], metric_check.Options(), [])
    assert not forbidden & set(result)
