# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request to a foreign server and its answer, with every bound that a tick needs.

The deadline holds for the whole exchange (name look-up, connection, headers and body: a server that trickles bytes
cannot stretch it), the body is read up to a limit, redirects are not followed, ``~/.netrc`` is not read. Failures come
back in words that hold no credential: userinfo of the URL becomes a header before anything is sent, and the texts of
the HTTP library, which quote whole URLs, are never passed on.
"""

from __future__ import annotations

import base64
import errno
import os
import queue
import socket
import ssl
import threading
import time
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import third_party
from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import WITHHELD

_CHUNK = 1024


@dataclass(frozen=True)
class Request:
    """What to send. ``limit`` is how many bytes of the answer's body are wanted, ``timeout`` the seconds for all of it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    verify: bool = True
    timeout: float = 10.0
    limit: int = 4096
    proxy: str = ""                     # URL of one, in place of that of the environment
    called: str = ""                    # how failures call it, where the path of its URL is a secret too


@dataclass(frozen=True)
class Reply:
    """The answer, or why there is none. ``again`` tells a failure that may pass from one that another attempt cannot mend."""

    status: int = 0                     # 0: no whole answer came
    body: bytes = b""
    cut: bool = False                   # the body is longer than the limit
    location: str = ""                  # where a redirect points, fit to be shown
    failure: str = ""
    again: bool = False

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def exchange(request: Request) -> Reply:
    """Send the request once. Never raises for what the network or the server does.

    Raises MissingLibrary without the requests library.
    """
    third_party.require("requests")
    if any(WITHHELD in value for value in (request.url, request.proxy, *request.headers.values())):
        return Reply(failure=f"{_place(request)}: not asked, since no record keeps the credentials of a document: run it with canary_file, canary_spec or its "
                             "Canary object")
    deadline = time.monotonic() + request.timeout
    # The library's own time-outs hold for one read, and for no look-up of a name: whatever still hangs at the deadline
    # is left behind in a thread that does not keep the process alive.
    result: queue.SimpleQueue[Reply | BaseException] = queue.SimpleQueue()
    threading.Thread(target=_into, args=(result, request, deadline), daemon=True, name="exchange").start()
    try:
        reply = result.get(timeout=request.timeout)
    except queue.Empty:
        return _late(request)
    if isinstance(reply, BaseException):
        raise reply from None
    return reply


def basic(username: str, password: str) -> str:
    """The value of an Authorization header for a user and password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def credentials(url: str) -> tuple[str, ...]:
    """What in a URL must not be shown: its userinfo, as written and as sent, and the values of its query."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ()
    userinfo = parts.netloc.rpartition("@")[0]
    queries = tuple(value for _key, value in urllib.parse.parse_qsl(parts.query))
    if not userinfo:
        return queries
    name, password = _userinfo(userinfo)
    return (userinfo, password, basic(name, password).partition(" ")[2], *queries)


def _into(result: queue.SimpleQueue[Reply | BaseException], request: Request, deadline: float) -> None:
    try:
        result.put(_send(request, deadline))
    except BaseException as error:  # pylint: disable=broad-except  # raised again by the waiting thread
        result.put(error)


def _send(request: Request, deadline: float) -> Reply:
    requests = third_party.requests
    try:
        url, headers = _prepared(request)
        if not request.verify:
            _expect_unverified()
        with requests.Session() as session, session.request(
                request.method, url, data=request.body, headers=headers, auth=_keep, verify=request.verify, stream=True,
                allow_redirects=False, timeout=request.timeout, proxies=dict.fromkeys(("http", "https"), request.proxy) if request.proxy else None) as response:
            body, cut = _read(response.iter_content(_CHUNK), request.limit, deadline)
            location = shown.url(response.headers.get("Location", ""))
            return Reply(response.status_code, body, cut, location)
    except TimeoutError:
        return _late(request)
    except requests.exceptions.Timeout as error:
        return _late(request, connecting=isinstance(error, requests.exceptions.ConnectTimeout))
    except (requests.exceptions.RequestException, ValueError) as error:
        return _failure(request, error)


def _expect_unverified() -> None:
    """Somebody decided so in the document: no warning for each request, in the middle of a playbook's output."""
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")


def _keep(prepared: Any) -> Any:
    """An authentication that leaves the headers as they are, which keeps requests from looking into ~/.netrc."""
    return prepared


def _prepared(request: Request) -> tuple[str, dict[str, str]]:
    """The URL without userinfo, and the headers with it."""
    parts = urllib.parse.urlsplit(request.url)
    userinfo, _at, place = parts.netloc.rpartition("@")
    # Compressed answers would make the limit a limit of something else.
    headers = {"User-Agent": "progressive.delivery", "Accept-Encoding": "identity", **request.headers}
    if userinfo and "Authorization" not in headers:
        headers["Authorization"] = basic(*_userinfo(userinfo))
    return urllib.parse.urlunsplit(parts._replace(netloc=place)), headers


def _userinfo(userinfo: str) -> tuple[str, str]:
    name, _colon, password = userinfo.partition(":")
    return urllib.parse.unquote(name), urllib.parse.unquote(password)


def _read(chunks: Iterator[bytes], limit: int, deadline: float) -> tuple[bytes, bool]:
    """At most ``limit`` bytes, and whether there were more. Raises TimeoutError past the deadline."""
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return body[:limit], True
        if time.monotonic() > deadline:
            raise TimeoutError
    return body, False


def _late(request: Request, connecting: bool = False) -> Reply:
    what = "no connection" if connecting else "no whole answer"
    return Reply(failure=f"{_place(request)}: {what} within {request.timeout:g} s", again=True)


def _failure(request: Request, error: Exception) -> Reply:
    exceptions = third_party.requests.exceptions
    words = next(filter(None, map(_words, _causes(error))), "")
    if isinstance(error, exceptions.SSLError):
        return Reply(failure=f"{_place(request)}: TLS: {words or 'the handshake failed'}")
    if isinstance(error, (exceptions.InvalidHeader, UnicodeError)):
        return Reply(failure=f"{_place(request)}: not sent, a header or credential holds a character that HTTP does not allow")
    if isinstance(error, ValueError):
        return Reply(failure=f"{_place(request)}: this is not a usable URL; expected is http://host:port/path or https://...")
    if isinstance(error, exceptions.ProxyError):
        proxy = shown.url(request.proxy) if request.proxy else "of the environment"
        return Reply(failure=f"{_place(request)}: the proxy {proxy} failed: {words or 'no connection to it'}", again=True)
    if isinstance(error, exceptions.ConnectionError):
        return Reply(failure=f"{_place(request)}: {words or 'the connection was cut'}", again=True)
    return Reply(failure=f"{_place(request)}: {words or 'the answer broke off or cannot be read'}", again=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what is inside of it: requests and urllib3 wrap in arguments, reasons and contexts."""
    pending, seen = [error], set()
    while pending:
        inner = pending.pop(0)
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        nested = (*inner.args, getattr(inner, "reason", None), inner.__cause__, inner.__context__)
        pending.extend(item for item in nested if isinstance(item, BaseException))


def _words(error: BaseException) -> str:
    """What the operating system or OpenSSL said, which never quotes a URL; nothing for the wrappers around it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "").lower().replace("_", " ")
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved"
    if type(error).__name__ == "RemoteDisconnected":
        return "the server closed the connection without an answer"
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno in errno.errorcode:
        return os.strerror(error.errno).lower()
    return ""


def _place(request: Request) -> str:
    return request.called or shown.url(request.url)
