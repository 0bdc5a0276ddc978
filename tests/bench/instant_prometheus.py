# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Prometheus that answers every query at once, where the time of a real one is not to count; as a healthy canary would, unless told otherwise."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSED = "refused"         # as an answer: not of a query, but an error of the server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("query", [""])[0]
        value = self.server.value(query)
        result = [] if value is None else [{"metric": {}, "value": [0, value]}]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        if value == REFUSED:
            body = b"out of order"
        self.send_response(500 if value == REFUSED else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        pass


def healthy(query: str) -> str:
    """What a canary in good health measures."""
    if "histogram_quantile" in query:
        return "0.02"
    return "1" if query == "vector(1)" else "100"


class _Server(ThreadingHTTPServer):
    def __init__(self, value: Callable[[str], str | None]) -> None:
        self.value = value
        super().__init__(("127.0.0.1", 0), _Handler)


def start(value: Callable[[str], str | None] = healthy) -> str:
    """Its address; it serves until the process ends. ``value`` gives the answer to a query, None = no data."""
    server = _Server(value)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
