# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several unit tests share: a foreign HTTP server on the loopback, which stands in for a Prometheus or a gate and misbehaves as
asked; a way to run a verb; a frozen document."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about what else the machine does, and nothing about the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

Behaviour = Callable[[BaseHTTPRequestHandler, threading.Event], None]


def pytest_configure(config: pytest.Config) -> None:
    # ansible-test knows nothing of pyproject.toml, where plain pytest finds it.
    config.addinivalue_line("markers", "exhaustive: every combination of something")


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Foreign:
    """``behave`` takes what the next requests get, the last one for all that follow; ``seen`` is what came."""

    url: str
    port: int
    seen: list[Seen] = field(default_factory=list)
    script: list[Behaviour] = field(default_factory=list)

    def behave(self, *behaviours: Behaviour) -> None:
        self.script[:] = behaviours

    def prometheus(self, result: Any, kind: str = "vector", **more: Any) -> None:
        """Answer as Prometheus does, with this result."""
        self.behave(reply(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more})))


def reply(status: int, body: str = "", **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
        content = body.encode()
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
    return behave


def hang(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Take the request and never answer."""
    over.wait(30)


def trickle(start: bytes) -> Behaviour:
    """After ``start``, one byte every 20 ms, for ever."""
    def behave(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
        handler.wfile.write(start)
        while not over.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()
    return behave


def cut(start: bytes) -> Behaviour:
    """Close the connection after ``start``."""
    def behave(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
        handler.wfile.write(start)
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
    return behave


@pytest.fixture
def behaviour() -> Any:
    """The ways to answer, for tests that cannot import this file."""
    class Ways:
        reply = staticmethod(reply)
        hang = staticmethod(hang)
        trickle = staticmethod(trickle)
        cut = staticmethod(cut)
    return Ways


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        # One write for an answer: two would meet delayed acknowledgements.
        wbufsize = 65536
        disable_nagle_algorithm = True

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            server.seen.append(Seen(self.command, self.path, dict(self.headers), self.rfile.read(length).decode()))
            step = server.script.pop(0) if len(server.script) > 1 else server.script[0]
            try:
                step(self, over)
                self.wfile.flush()
            except OSError:
                pass

        do_GET = do_POST = _any

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    httpd = Server(("127.0.0.1", 0), Handler)
    server = Foreign(f"http://127.0.0.1:{httpd.server_port}", httpd.server_port, script=[reply(200)])
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    over.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def closed_port() -> int:
    """A port on the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def run_verb() -> Any:
    """Runs a verb as both ways do after the options are validated: with defaults filled in, and what it refuses as a result."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

    def run(verb: Verb, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        checked = ArgumentSpecValidator(verb.argument_spec, **verb.constraints).validate(options)
        if checked.error_messages:
            return {"failed": True, "msg": checked.error_messages[0]}
        return verb.run(Call(checked.validated_parameters, check_mode=check_mode))

    return run


@pytest.fixture
def frozen() -> Any:
    """A frozen document with these metrics and webhooks."""
    def freeze(metrics: list[dict[str, Any]] | None = None, webhooks: list[dict[str, Any]] | None = None, **options: Any) -> dict[str, Any]:
        return {
            "canary": {
                "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "namespace": "test"},
                "spec": {
                    "provider": "gatewayapi:v1",
                    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
                    "service": {"port": 9898, "gatewayRefs": [{"name": "gateway", "namespace": "gateway-system"}]},
                    "analysis": {"interval": "10s", "threshold": 5, "stepWeight": 10, "maxWeight": 50, "metrics": metrics or [],
                                 "webhooks": webhooks or []},
                },
            },
            "templates": [], "options": options, "source": "spec",
        }
    return freeze
