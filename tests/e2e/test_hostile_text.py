# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of others that is meant to be executed, templated or obeyed by a terminal, wherever it is shown: it is shown, and nothing else happens."""

from __future__ import annotations

import json
import re
import threading
import unicodedata
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import Receiver, Release, Walk, wait_for
from labkit.faultcontrol import FaultProxy

QUICK = {"canary_min_interval": 0.5, "canary_settle": 0.3, "canary_drain": 1}
MARK = "HARMLESS"           # begins the text: who shows it says this
FORGED = "fatal: [forged]"
VERBOSE = ("-v", "--diff")


class Hostile:
    """One text for everywhere. It would make a file if it were templated or executed."""

    def __init__(self, folder: Path) -> None:
        self.made = folder / "executed"
        self.text = (f"{MARK} {{{{ lookup('pipe', 'touch {self.made}') }}}}{{% if true %}}$(touch {self.made}){{% endif %}}"
                     f"<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\n{FORGED}: owned\n")


class Prometheus(ThreadingHTTPServer):
    """Answers what ``mood`` says, all but the question whether it is there."""

    def __init__(self, hostile: Hostile) -> None:
        self.hostile, self.mood = hostile, "good"
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, query: str) -> tuple[int, dict[str, Any]]:
        text = self.hostile.text
        if self.mood == "error" and query != "vector(1)":
            return 422, {"status": "error", "errorType": "execution", "error": text}
        several = self.mood == "labels" and query != "vector(1)"
        series = [{"metric": {"pod": text, text: str(number)}, "value": [0, text if several else "1"]} for number in range(2 if several else 1)]
        return 200, {"status": "success", "warnings": [text], "data": {"resultType": "vector", "result": series}}


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["query"][0]
        status, document = self.server.answer(query)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output for what matters."""


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return Hostile(tmp_path)


@pytest.fixture
def prometheus(hostile: Hostile) -> Iterator[Prometheus]:
    server = Prometheus(hostile)
    yield server
    server.shutdown()


@pytest.fixture
def gate(hostile: Hostile) -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.says = lambda request: hostile.text.encode()
    yield receiver
    receiver.shutdown()


def _shown(walk: Walk, rc: int, *words: str) -> str:
    """The output of a walk that ended so, and showed the text."""
    walk.wait()
    assert walk.rc == rc and MARK in walk.output and all(word in walk.output for word in words), walk.output[-4000:]
    return walk.output


def _obeyed(text: str) -> set[str]:
    """What a terminal would obey in it; lines, and tabs before them, are Ansible's own."""
    return {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\n\t"}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for part in item for text in _strings(part))
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


def _annotate(release: Release, kind: str, name: str, annotations: dict[str, str | None]) -> None:
    release.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"metadata": {"annotations": annotations}}))


def test_ansible_23_hostile_text_is_shown_and_neither_executed_nor_templated_nor_obeyed(
        release: Release, hostile: Hostile, prometheus: Prometheus, gate: Receiver) -> None:
    release.start_app(VERSION="1")
    hooks = [{"name": "gate", "type": "rollout", "url": gate.url, "timeout": "1s"}]
    metrics = [{"name": "errors", "query": "errors", "interval": "1s", "thresholdRange": {"max": 2}}]
    release.write_document(interval="1s", threshold=1, maxWeight=40, stepWeight=20, spec__metricsServer=prometheus.url, metrics=metrics, webhooks=hooks)
    _annotate(release, "deployment", "podinfo", {"progressive.delivery/canary": hostile.text, "example.com/note": hostile.text})
    shown = {"another's mark on the target": _shown(release.playbook("canary", *VERBOSE, **QUICK), 2, "belongs to the canary")}
    _annotate(release, "deployment", "podinfo", {"progressive.delivery/canary": None})
    first = release.playbook("canary", *VERBOSE, **QUICK).wait()
    assert first.rc == 0, first.output[-4000:]

    gate.status = 403
    release.set_template("lab.local/testapp:2", VERSION="2")
    shown["what a gate says"] = _shown(release.playbook("canary", *VERBOSE, **QUICK), 2, "rolled back")
    gate.status = 200
    for number, mood in enumerate(("error", "labels")):
        release.set_template("lab.local/testapp:2", VERSION=f"3-{number}")
        prometheus.mood = mood
        walk = release.playbook("canary", *VERBOSE, **QUICK, canary_on_query_error="fail", canary_on_no_data="fail").wait()
        assert walk.rc == 2 and "execution" in walk.output or mood == "labels", walk.output[-4000:]
        shown[f"a metric server: {mood}"] = walk.output
    assert MARK in shown["a metric server: error"]

    prometheus.mood = "good"
    release.set_template("lab.local/testapp:2", VERSION="4")
    with FaultProxy(release.kubeconfig, release.folder / "proxy") as proxy:
        proxy.rule("answer", method="PATCH", path="/httproutes/", status=400, message=f"admission webhook denied the request: {hostile.text}")
        refused = release.playbook("canary", *VERBOSE, environment={"KUBECONFIG": str(proxy.kubeconfig)}, **QUICK)
        shown["an admission webhook"] = _shown(refused, 2, "the API server refuses it (400): admission webhook denied the request")

    walk = release.playbook("canary", *VERBOSE, **{**QUICK, "canary_min_interval": 30})
    wait_for("it has traffic", lambda: release.weight() == 20)
    _annotate(release, "configmap", "podinfo-canary", {"progressive.delivery/abort": hostile.text})
    shown["a person's order"] = _shown(walk, 2, "aborted")
    told = release.playbook("status", *VERBOSE).wait()
    shown["the status of it"] = told.output
    assert MARK in told.output, told.output[-4000:]

    assert not hostile.made.exists(), "something was executed"
    places = {**shown, "the first walk": first.output}
    assert {place: _obeyed(text) for place, text in places.items() if _obeyed(text)} == {}
    assert [place for place, text in places.items() if re.search(rf"^\W*{re.escape(FORGED)}", text, re.MULTILINE)] == []
    recorded = list(_strings(release.record()))
    assert any(MARK in text for text in recorded) and not any(_obeyed(text) or re.search(r"[\n\t]", text) for text in recorded), recorded
    events = [item["message"] for item in json.loads(release.kubectl("get", "events", "-o", "json"))["items"]
              if item.get("reportingComponent") == "progressive-delivery"]
    assert any(MARK in text for text in events) and not any(_obeyed(text) or re.search(r"[\n\t]", text) for text in events), events
