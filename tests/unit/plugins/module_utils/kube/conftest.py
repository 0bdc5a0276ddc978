# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server on the loopback that answers as an API server, a proxy or a broken line would."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.kube import api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import make_api

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    body: str

    def all_of(self, header: str) -> list[str]:
        return [value for name, value in self.headers if name.lower() == header.lower()]


@dataclass
class Server:
    """``script`` is what the next requests get, the last one for all that follow; ``asked`` is what came."""

    url: str
    script: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def says(self, *answers: Answer) -> None:
        self.script[:] = answers

    def api(self, **params: Any) -> Any:
        return make_api({"host": self.url, "api_key": "sesame-4711", **params})

    @staticmethod
    def json(status: int, body: Any, **headers: str) -> Answer:
        return Server.text(status, json.dumps(body), **headers)

    @staticmethod
    def status(code: int, reason: str, message: str = "so it is", **headers: str) -> Answer:
        return Server.json(code, {"kind": "Status", "reason": reason, "message": message, "code": code}, **headers)

    @staticmethod
    def text(status: int, body: str, **headers: str) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response_only(status)
            if "Date" not in headers:
                handler.send_header("Date", handler.date_time_string())
            for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                if value:
                    handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body.encode())
        return answer

    @staticmethod
    def events(*events: Any, cut: bool = False) -> Answer:
        """A watch: chunk by chunk, then its end, or a cut line."""
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for event in events:
                line = json.dumps(event).encode() + b"\n"
                # Torn in the middle, as lines are by a network.
                for piece in (line[:7], line[7:]):
                    handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    handler.wfile.flush()
            if cut:
                Server.cut(handler)
            else:
                handler.wfile.write(b"0\r\n\r\n")
        return answer

    @staticmethod
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_BACKOFF", (0.01,) * 5)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536
        disable_nagle_algorithm = True

        def _any(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            served.asked.append(Asked(self.command, address.path, dict(parse_qsl(address.query)), self.headers.items(), body))
            step = served.script.pop(0) if len(served.script) > 1 else served.script[0]
            try:
                step(self)
                self.wfile.flush()
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A line that was cut on purpose is not worth a traceback."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    served = Server(f"http://127.0.0.1:{httpd.server_port}", script=[Server.json(200, {})])
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield served
    httpd.shutdown()
    httpd.server_close()
