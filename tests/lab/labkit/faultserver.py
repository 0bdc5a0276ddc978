# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP proxy that does to requests what the rules say, and the small server that rules are given to."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from labkit import processes
from labkit.faults import Counted, Rule, RuleBook, RuleError

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
UPSTREAM_SECONDS = 60.0
STREAM_SECONDS = 3600.0
CHUNK = 65536


class Journal:
    """One JSON line for each request: t (Unix seconds), n, method, path, status, ms, and the rule that struck it with what was done."""

    def __init__(self, path: Path, with_bodies: bool) -> None:
        self._file = open(path, "a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []
        self.with_bodies = with_bodies

    def note(self, entry: dict[str, Any]) -> None:
        """Add an entry."""
        with self._lock:
            entry["n"] = len(self._entries)
            self._entries.append(entry)
            self._file.write(json.dumps(entry) + "\n")

    def since(self, number: int) -> list[dict[str, Any]]:
        """The entries from that number on."""
        with self._lock:
            return self._entries[number:]


class Cut(Exception):
    """The connection to the sender is to be cut."""


class Server(ThreadingHTTPServer):
    """A server with a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders go away as they like; that is no news."""


class ProxyServer(Server):
    """The proxy: where to forward to, and by which rules."""

    def __init__(self, address: tuple[str, int], upstream: str, authority: Path | None, book: RuleBook, journal: Journal) -> None:
        super().__init__(address, ProxyHandler)
        parts = urllib.parse.urlsplit(upstream)
        self.tls = ssl.create_default_context(cafile=str(authority) if authority else None) if parts.scheme == "https" else None
        self.upstream_host, self.upstream_port = parts.hostname or "", parts.port or (443 if self.tls else 80)
        self.book, self.journal = book, journal

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        """A new connection to the server behind."""
        if self.tls:
            return http.client.HTTPSConnection(self.upstream_host, self.upstream_port, timeout=seconds, context=self.tls)
        return http.client.HTTPConnection(self.upstream_host, self.upstream_port, timeout=seconds)


class ProxyHandler(BaseHTTPRequestHandler):
    """One connection of a sender, with one kept connection to the server behind."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: ProxyServer
    _upstream: http.client.HTTPConnection | None = None

    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """The journal has it all."""

    def _handle(self) -> None:
        begun = time.time()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        struck = self.server.book.strike(self.command, self.path, body)
        entry: dict[str, Any] = {"t": round(begun, 6), "method": self.command, "path": self.path, "status": 0}
        if struck:
            entry["rule"], entry["action"] = struck.rule.name, struck.rule.action
        if self.server.journal.with_bodies and body:
            entry["body"] = body.decode("utf-8", "replace")
        try:
            self._serve(struck, body, entry)
        except Cut:
            self._cut()
        except (OSError, http.client.HTTPException) as error:
            entry["error"] = f"{type(error).__name__}: {error}"
            self._cut()
        finally:
            entry["ms"] = round((time.time() - begun) * 1000, 3)
            self.server.journal.note(entry)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle

    def _serve(self, struck: Counted | None, body: bytes, entry: dict[str, Any]) -> None:
        if self.headers.get("Transfer-Encoding") or self.headers.get("Upgrade"):
            entry["status"] = 501
            self._reply(501, [], b'{"message": "the proxy takes neither chunked requests nor upgrades"}')
            return
        rule = struck.rule if struck else None
        if struck and rule:
            self._before(struck, rule, entry)
            if rule.action == "answer":
                return
        if self._is_stream():
            self._stream(entry, rule)
            return
        response, answer = self._forward(rule.edited(body) if rule else body)
        entry["status"] = response.status
        self._after(rule)
        self._reply(response.status, response.getheaders(), answer, cut=bool(rule and rule.action == "cut_inside"))
        if rule and rule.action == "close":
            self.close_connection = True

    def _before(self, struck: Counted, rule: Rule, entry: dict[str, Any]) -> None:
        """What a rule does before a request is forwarded."""
        if rule.action == "cut_before":
            raise Cut
        if rule.action == "kill_before":
            _kill(rule)
            raise Cut
        if rule.action == "delay":
            time.sleep(rule.seconds)
        if rule.action == "hold":
            if rule.abandon:
                self._cut()
            self.server.book.hold(struck)
        if rule.action == "answer":
            entry["status"] = rule.status
            document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": rule.status, "message": rule.message or f"injected by {rule.name}"}
            self._reply(rule.status, [("Content-Type", "application/json"), *rule.headers.items()], json.dumps(document).encode())

    def _after(self, rule: Rule | None) -> None:
        """What a rule does once a request has been answered by the server behind."""
        if rule and rule.action == "kill_after":
            _kill(rule)
        if rule and rule.action in ("cut_after", "kill_after"):
            raise Cut

    def _is_stream(self) -> bool:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        return any(query.get(name, [""])[0] in ("1", "true", "True") for name in ("watch", "follow"))

    def _send(self, connection: http.client.HTTPConnection, body: bytes) -> http.client.HTTPResponse:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, str(len(body)) if name.lower() == "content-length" else value)
        connection.endheaders(body or None)
        return connection.getresponse()

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        """Send the request on and read the whole answer.

        A kept connection that the server has closed meanwhile is replaced before sending; after it, nothing is ever sent twice.
        """
        connection = self._upstream
        if connection is None or connection.sock is None or select.select([connection.sock], [], [], 0)[0]:
            if connection:
                connection.close()
            connection = self._upstream = self.server.connect(UPSTREAM_SECONDS)
        response = self._send(connection, body)
        return response, response.read()

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:len(body) // 2] if cut else body)
        self.wfile.flush()
        if cut:
            raise Cut

    def _stream(self, entry: dict[str, Any], rule: Rule | None) -> None:
        """Pass a watch on, each piece as it comes, until either side ends it."""
        connection = self.server.connect(STREAM_SECONDS)
        try:
            response = self._send(connection, b"")
            entry["status"] = response.status
            self._after(rule)
            over = threading.Event()
            threading.Thread(target=self._end_when_sender_goes, args=(connection.sock, over), daemon=True).start()
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP | {"content-length"}:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            while piece := response.read1(CHUNK):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            over.set()
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        finally:
            connection.close()

    def _end_when_sender_goes(self, upstream: socket.socket, over: threading.Event) -> None:
        """A sender says nothing during a watch: when its socket has something to read, it is its end."""
        while not over.is_set():
            try:
                if select.select([self.connection], [], [], 0.5)[0]:
                    upstream.shutdown(socket.SHUT_RDWR)
                    return
            except (OSError, ValueError):
                return

    def _cut(self) -> None:
        """Close the sender's connection by a reset, as a lost network would."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the sender was quicker

    def finish(self) -> None:
        """Close both connections."""
        if self._upstream:
            self._upstream.close()
        try:
            super().finish()
        except OSError:
            pass  # it was cut


def _kill(rule: Rule) -> None:
    try:
        if rule.root:
            processes.kill_all(rule.root)
        elif rule.group:
            os.killpg(rule.group, signal.SIGKILL)
        else:
            os.kill(rule.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself, which is the same to whoever waits for it


class ControlServer(Server):
    """Where rules are given to the proxy."""

    def __init__(self, address: tuple[str, int], book: RuleBook, journal: Journal) -> None:
        super().__init__(address, ControlHandler)
        self.book, self.journal = book, journal


class ControlHandler(BaseHTTPRequestHandler):
    """JSON in, JSON out: see README.md."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: ControlServer

    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """Nobody wants to read it."""

    def _handle(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._answer(200, self._do(f"{self.command} {parts.path}", query, body))
        except (RuleError, TypeError, ValueError) as error:
            self._answer(400, {"error": str(error)})
        except LookupError:
            self._answer(404, {"error": f"{self.command} {parts.path} is none of: GET, POST, DELETE /rules; POST /release; GET /wait; GET /log"})

    do_GET = do_POST = do_DELETE = _handle

    def _do(self, request: str, query: dict[str, str], body: bytes) -> Any:
        book = self.server.book
        if request == "GET /rules":
            return book.describe()
        if request == "POST /rules":
            return {"name": book.add(json.loads(body))}
        if request == "DELETE /rules":
            return {"released": book.clear()}
        if request == "POST /release":
            return {"released": book.release(query.get("name"))}
        if request == "GET /wait":
            return {"struck": book.await_strike(query.get("name", ""), float(query.get("seconds", "30")))}
        if request == "GET /log":
            return self.server.journal.since(int(query.get("since", "0")))
        raise LookupError(request)

    def _answer(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
