# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One query, one number: what Prometheus and its impostors may answer."""

from __future__ import annotations

import json
import math
import urllib.parse
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import MetricProvider
from ansible_collections.progressive.delivery.plugins.module_utils.exchange import basic
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import PROVIDERS, prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import ask, online
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sample import Sample


def at(address: str, **more: Any) -> MetricProvider:
    return MetricProvider(address=address, **more)


def series(*values: str) -> list[dict[str, Any]]:
    return [{"metric": {"pod": str(number)}, "value": [1700000000.1, value]} for number, value in enumerate(values)]


@pytest.mark.parametrize(("result", "kind", "sample"), [
    (series("99.5"), "vector", Sample(99.5, 1)),
    ([1700000000, "3"], "scalar", Sample(3.0, 1)),
    (series(), "vector", Sample(None, 0)),
    (series("NaN"), "vector", Sample(None, 1)),
    (series("+Inf"), "vector", Sample(math.inf, 1)),
    (series("-Inf"), "vector", Sample(-math.inf, 1)),
    (series("1", "2", "3"), "vector", Sample(None, 3)),
    ([1700000000, "NaN"], "scalar", Sample(None, 1)),
])
def test_what_a_query_gives(foreign: Any, result: Any, kind: str, sample: Sample) -> None:
    foreign.prometheus(result, kind)
    assert ask("up", at(foreign.url)) == sample


@pytest.mark.parametrize(("result", "kind", "words"), [
    ([{"metric": {}, "values": [[1, "2"]]}], "matrix", "a range of values, not one"),
    ([1, "text"], "string", "answered with a string, which is not a number"),
    ([{"metric": {}, "histogram": [1, {}]}], "vector", "a value that is not a number"),
    ([{"metric": {}, "value": [1, "many"]}], "vector", "a value that is not a number"),
    (["x"], "vector", "a value that is not a number"),
    ([], "scalar", "a value that is not a number"),
    (None, "vector", "which is not a number"),
])
def test_what_is_no_number_is_an_error_in_words(foreign: Any, result: Any, kind: str, words: str) -> None:
    foreign.prometheus(result, kind)
    sample = ask("up", at(foreign.url))
    assert sample.value is None
    assert sample.error.startswith(foreign.url)
    assert words in sample.error


@pytest.mark.parametrize(("status", "body", "words"), [
    (400, json.dumps({"status": "error", "errorType": "bad_data", "error": 'parse error: unexpected "]"\n at 3'}),
     'answered 400: bad_data: parse error: unexpected "]" at 3'),
    (422, json.dumps({"status": "error", "errorType": "execution", "error": "too many"}), "answered 422: execution: too many"),
    (503, json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}), "answered 503: timeout: query timed out"),
    (200, json.dumps({"status": "error", "errorType": "internal", "error": "odd"}), "answered 200: internal: odd"),
    (401, "Unauthorized\n", "answered 401: Unauthorized"),
    (502, "", "answered 502: without a reason"),
    (404, "[]", "answered 404: []"),
    (200, "<html>Please log in</html>", "answered 200, but not as Prometheus does: <html>Please log in</html>"),
    (200, "[]", "answered 200, but not as Prometheus does: []"),
    (200, "", "answered 200, but not as Prometheus does: nothing"),
    (200, json.dumps({"status": "success"}), "answered without data"),
])
def test_an_answer_that_is_none_says_why(foreign: Any, behaviour: Any, status: int, body: str, words: str) -> None:
    foreign.behave(behaviour.reply(status, body))
    assert ask("up", at(foreign.url)) == Sample(error=f"{foreign.url} {words}")


def test_an_answer_that_is_nested_without_end_is_none(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(200, '{"status": "success", "data": ' + "[" * 100_000))
    assert "answered 200, but not as Prometheus does: {" in ask("up", at(foreign.url)).error


def test_a_redirect_is_not_followed_but_named(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(301, Location="https://prometheus.example/graph"))
    assert "answered 301, a redirect to https://prometheus.example/graph, which is not followed" in ask("up", at(foreign.url)).error


def test_an_answer_without_end_is_not_read_to_it(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(200, "x" * (prometheus.LIMIT + 1)))
    assert "answered more than 1024 KiB: the query selects too much" in ask("up", at(foreign.url)).error


def test_a_server_that_does_not_answer_is_named_once(foreign: Any, behaviour: Any, closed_port: int) -> None:
    foreign.behave(behaviour.hang)
    assert ask("up", at(foreign.url), timeout=0.2).error.count(foreign.url) == 1
    assert ask("up", at(f"http://127.0.0.1:{closed_port}")).error.endswith("connection refused")


def test_warnings_come_along(foreign: Any) -> None:
    foreign.prometheus(series("1"), warnings=["partial\nanswer"])
    assert ask("up", at(foreign.url)) == Sample(1.0, 1, warnings=("partial answer",))


def test_the_query_is_one_line_below_the_address(foreign: Any) -> None:
    foreign.prometheus(series("1"))
    ask("sum(\n  up\n)", at(foreign.url + "/prefix/?dedup=true"))
    parts = urllib.parse.urlsplit(foreign.seen[0].path)
    assert (parts.path, urllib.parse.parse_qs(parts.query)) == ("/prefix/api/v1/query", {"dedup": ["true"], "query": ["sum( up )"]})


@pytest.mark.parametrize(("secret", "sent"), [
    ({"token": "abc"}, "Bearer abc"),
    ({"token": "abc\n"}, "Bearer abc"),
    ({"username": "u", "password": "p"}, basic("u", "p")),
    ({"token": "abc", "username": "u", "password": "p"}, "Bearer abc"),
    ({"other": "x"}, None),
    ({}, None),
    (None, None),
])
def test_credentials_of_the_secret_are_sent(foreign: Any, secret: dict[str, str] | None, sent: str | None) -> None:
    foreign.prometheus(series("1"))
    ask("up", at(foreign.url), secret)
    assert foreign.seen[0].headers.get("Authorization") == sent


def test_headers_of_the_provider_are_sent(foreign: Any) -> None:
    foreign.prometheus(series("1"))
    ask("up", at(foreign.url, headers={"X-Scope-OrgID": ("a", "b")}))
    assert foreign.seen[0].headers["X-Scope-OrgID"] == "a, b"


def test_no_credential_reaches_an_error(foreign: Any, behaviour: Any) -> None:
    echo = f"denied: token s3cr3t-token, user admin:{'s3cr3t-word'}, {basic('admin', 's3cr3t-word')}"
    foreign.behave(behaviour.reply(403, echo))
    address = foreign.url.replace("//", "//admin:s3cr3t-word@")
    error = ask("up", at(address), {"token": "s3cr3t-token"}).error
    assert "answered 403" in error
    assert "s3cr3t" not in error and basic("admin", "s3cr3t-word").removeprefix("Basic ") not in error


def test_online_is_silent_about_a_prometheus_that_answers(foreign: Any) -> None:
    foreign.prometheus(series("1"))
    assert online(at(foreign.url)) is None
    assert "query=vector%281%29" in foreign.seen[0].path


@pytest.mark.parametrize(("field", "words"), [("spec.metricsServer", "spec.metricsServer: no Prometheus answers at http://127.0.0.1:")])
def test_an_unreachable_prometheus_is_one_sentence_with_field_and_address(closed_port: int, field: str, words: str) -> None:
    sentence = online(at(f"http://u:secret@127.0.0.1:{closed_port}"), field=field) or ""
    assert sentence.startswith(words)
    assert sentence.endswith("connection refused")
    assert "secret" not in sentence


def test_something_else_at_the_address_is_not_online(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(200, "hello"))
    assert "not as Prometheus does: hello" in (online(at(foreign.url)) or "")
    foreign.prometheus(series("2"))
    assert "does not answer vector(1) with 1" in (online(at(foreign.url)) or "")


def test_an_empty_address_is_said_so() -> None:
    assert "no Prometheus answers at an empty address" in (online(at("")) or "")


def test_the_table_of_providers_knows_prometheus() -> None:
    assert dict(PROVIDERS) == {"prometheus": prometheus}
