# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One bounded HTTP exchange, against servers that misbehave."""

from __future__ import annotations

import gzip
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import WITHHELD
from ansible_collections.progressive.delivery.plugins.module_utils.exchange import Reply, Request, basic, credentials, exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


def get(url: str, **more: Any) -> Reply:
    return exchange(Request("GET", url, **more))


def test_an_answer_comes_with_status_and_body(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(418, "tea"))
    assert get(foreign.url) == Reply(418, b"tea")


def test_method_headers_and_body_are_sent(foreign: Any) -> None:
    exchange(Request("POST", foreign.url + "/x?y=1", headers={"X-Tenant": "a"}, body=b"{}"))
    seen = foreign.seen[0]
    assert (seen.method, seen.path, seen.body, seen.headers["X-Tenant"]) == ("POST", "/x?y=1", "{}", "a")


def test_a_body_is_read_up_to_its_limit(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(200, "x" * 100_000))
    reply = get(foreign.url, limit=10)
    assert (reply.body, reply.cut) == (b"x" * 10, True)


def test_a_body_that_swells_is_read_up_to_its_limit_too(foreign: Any, behaviour: Any) -> None:
    small = gzip.compress(b"x" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(small)}\r\n\r\n"
    foreign.behave(behaviour.cut(head.encode() + small))
    reply = get(foreign.url, limit=10)
    assert (reply.body, reply.cut) == (b"x" * 10, True)


@pytest.mark.parametrize("flood", [b"X-Flood: 1\r\n" * 100_000, b"X-Flood: " + b"1" * 1_000_000])
def test_headers_without_end_are_given_up(foreign: Any, behaviour: Any, flood: bytes) -> None:
    foreign.behave(behaviour.cut(b"HTTP/1.1 200 OK\r\n" + flood))
    reply = get(foreign.url)
    assert reply.status == 0 and reply.failure.startswith(f"{foreign.url}: ") and "1111" not in reply.failure


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect_to_another_host(foreign: Any, behaviour: Any, closed_port: int, status: int) -> None:
    foreign.behave(behaviour.reply(status, Location=f"http://127.0.0.1:{closed_port}/"))
    reply = exchange(Request("POST", foreign.url.replace("//", "//user:s3cret@"), headers={"X-Key": "s3cret"}, body=b"{}"))
    assert (reply.status, reply.location, reply.failure, len(foreign.seen)) == (status, f"http://127.0.0.1:{closed_port}/", "", 1)


def test_a_redirect_is_not_followed(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(302, Location="http://user:secret@elsewhere/x?token=abc"))
    reply = get(foreign.url)
    assert (reply.status, reply.location, len(foreign.seen)) == (302, "http://elsewhere/x?token=***", 1)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD])
def test_a_server_that_trickles_cannot_stretch_the_deadline(foreign: Any, behaviour: Any, start: bytes) -> None:
    foreign.behave(behaviour.trickle(start))
    begun = time.monotonic()
    reply = get(foreign.url, timeout=0.3)
    assert time.monotonic() - begun < 10
    assert reply == Reply(failure=f"{foreign.url}: no whole answer within 0.3 s", again=True)


def test_a_server_that_hangs_is_given_up(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.hang)
    assert get(foreign.url, timeout=0.2).failure == f"{foreign.url}: no whole answer within 0.2 s"


@pytest.mark.parametrize(("start", "words"), [
    (b"", "the server closed the connection without an answer"),
    (HEAD + b"half", "the answer broke off or cannot be read"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "the answer broke off or cannot be read"),
    (b"\x00\x01 this is no HTTP\r\n\r\n", "the connection was cut"),
])
def test_a_connection_that_is_cut_may_be_tried_again(foreign: Any, behaviour: Any, start: bytes, words: str) -> None:
    foreign.behave(behaviour.cut(start))
    assert get(foreign.url) == Reply(failure=f"{foreign.url}: {words}", again=True)


def test_a_refused_connection_is_said_in_words(closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    assert get(url) == Reply(failure=f"{url}: connection refused", again=True)


def test_a_name_that_nobody_knows_is_said_in_words() -> None:
    assert get("http://nowhere.invalid/x", timeout=20) == Reply(
        failure="http://nowhere.invalid/x: the name cannot be resolved", again=True)


@pytest.mark.parametrize("url", ["", "localhost:9090", "/path", "ftp://x/y", "http://", "http://[::1", "http://x:port/"])
def test_what_is_no_url_is_said_once_and_not_tried_again(url: str) -> None:
    reply = get(url)
    assert "this is not a usable URL" in reply.failure
    assert not reply.again


def test_a_header_that_http_does_not_allow_is_not_shown(foreign: Any) -> None:
    for value in ("to\nken", "t\N{SNOWMAN}ken"):
        reply = get(foreign.url, headers={"Authorization": f"Bearer {value}"})
        assert "character that HTTP does not allow" in reply.failure
        assert "ken" not in reply.failure.removeprefix(foreign.url)


def test_userinfo_becomes_a_header_and_never_words(foreign: Any, closed_port: int) -> None:
    get(foreign.url.replace("//", "//ad%40min:s3cr%3At@"))
    assert foreign.seen[0].headers["Authorization"] == basic("ad@min", "s3cr:t")
    failure = get(f"http://admin:s3cret@127.0.0.1:{closed_port}/?key=hidden").failure
    assert "s3cret" not in failure and "admin" not in failure and "hidden" not in failure


def test_a_netrc_file_is_not_read(foreign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    get(foreign.url)
    assert "Authorization" not in foreign.seen[0].headers


def test_credentials_lists_everything_in_a_url_that_is_secret() -> None:
    assert credentials("https://u:p%21w@h/x?token=abc") == ("u:p%21w", "p!w", basic("u", "p!w").removeprefix("Basic "), "abc")
    assert credentials("http://h/x") == ()
    assert credentials("http://[::1") == ()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test")
    both = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", both, "-out", both.with_name("cert.pem")],
                   check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + both.with_name("cert.pem").read_bytes())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[str]:
    """A server with a certificate that nobody trusts."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Quiet(HTTPServer):
        def handle_error(self, *args: Any) -> None:
            """A client that hangs up during the handshake is what is tested."""

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_certificate_that_is_not_trusted_is_final(secure: str) -> None:
    reply = get(secure)
    assert reply.failure.startswith(f"{secure}: TLS: the certificate is not trusted (self")
    assert not reply.again


@pytest.mark.filterwarnings("error")
def test_a_certificate_is_not_looked_at_when_nobody_wants_it(secure: str) -> None:
    assert get(secure, verify=False).status == 204


def test_plain_http_at_a_tls_address_is_said_in_words(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.cut(b""))
    assert "TLS" in get(foreign.url.replace("http:", "https:")).failure


@pytest.mark.parametrize("request_", [
    Request("GET", f"http://{WITHHELD}@127.0.0.1:1/"), Request("GET", f"http://127.0.0.1:1/?token={WITHHELD}"),
    Request("GET", "http://127.0.0.1:1/", headers={"X-Key": WITHHELD}),
])
def test_nobody_is_asked_without_the_credentials_that_a_record_does_not_keep(request_: Request) -> None:
    reply = exchange(request_)
    assert "not asked, since no record keeps the credentials of a document" in reply.failure and WITHHELD not in reply.failure.replace("token=***", "")
    assert (reply.status, reply.again) == (0, False)
