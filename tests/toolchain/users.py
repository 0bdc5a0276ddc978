# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open-loop requests where there is no lab with its load generator: the same main options, the same account of what became of them.

Request n is sent n/rate seconds after the start, whether earlier ones were answered or not. Every status but 200 is a failure. SIGTERM ends it with a result.
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import http.client
import json
import pathlib
import signal
import sys
import threading
import time
import typing
import urllib.parse

TIMEOUT = 5.0
WORKERS = 64
GREETING = "greetings from podinfo v"       # what podinfo says when nobody gave it another message


class Account:
    """What became of the requests, by second and by the version that answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: dict[int, dict[str, typing.Any]] = {}
        self.failures: list[dict[str, typing.Any]] = []
        self.statuses: collections.Counter[str] = collections.Counter()

    def sent(self) -> None:
        with self._lock:
            self._second(int(time.time()))["sent"] += 1

    def answered(self, status: str, version: str) -> None:
        key = "ok" if status == "200" else "failed"
        with self._lock:
            self.statuses[status] += 1
            second = self._second(int(time.time()))
            second[key] += 1
            second["versions"].setdefault(version, {"ok": 0, "failed": 0})[key] += 1
            if key == "failed" and len(self.failures) < 20:
                self.failures.append({"t": time.time(), "status": status, "version": version})

    def over(self, now: int) -> list[dict[str, typing.Any]]:
        """The seconds that nothing is added to any more, but for late answers."""
        with self._lock:
            return [dict(second) for t, second in sorted(self.seconds.items()) if t < now]

    def _second(self, t: int) -> dict[str, typing.Any]:
        return self.seconds.setdefault(t, {"t": t, "sent": 0, "ok": 0, "failed": 0, "versions": {}})


class User:
    """Sends requests over one kept connection for each worker."""

    def __init__(self, url: str, host: str, account: Account) -> None:
        self._parts, self._host, self._account, self._local = urllib.parse.urlsplit(url), host, account, threading.local()

    def ask(self) -> None:
        # A kept connection that the gateway closed meanwhile is no failed request: any client opens another one.
        for fresh in (False, True):
            try:
                self._account.answered(*self._answer(fresh))
                return
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                kept, self._local.connection = getattr(self._local, "connection", None), None
                if fresh or kept is None:
                    break
            except (OSError, http.client.HTTPException):
                self._local.connection = None
                break
        self._account.answered("error", "")

    def _answer(self, fresh: bool) -> tuple[str, str]:
        connection = getattr(self._local, "connection", None)
        if connection is None or fresh:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            connection = self._local.connection = kind(self._parts.netloc, timeout=TIMEOUT)
        connection.request("GET", self._parts.path or "/", headers={"Host": self._host, "User-Agent": "progressive-delivery"})
        answer = connection.getresponse()
        return str(answer.status), version_of(answer.read(), answer.getheader("X-Version"))


def version_of(body: bytes, header: str | None) -> str:
    if header:
        return header
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("message", "")).removeprefix(GREETING) if isinstance(said, dict) and "version" in said else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Open-loop requests.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--duration", default="900s", help="seconds as 900s, or minutes as 30m")
    parser.add_argument("--out", required=True)
    parser.add_argument("--live")
    options = parser.parse_args()
    ends = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *unused: ends.set())
    account, began = Account(), time.time()
    user = User(options.url, options.host, account)
    seconds = float(options.duration.rstrip("sm")) * (60 if options.duration.endswith("m") else 1)
    start, number, told = time.monotonic(), 0, 0
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers, open(options.live or "/dev/null", "a", encoding="utf-8") as live:
        while not ends.is_set() and number / options.rate < seconds:
            ends.wait(max(0.0, start + number / options.rate - time.monotonic()))
            account.sent()
            workers.submit(user.ask)
            number += 1
            finished = account.over(int(time.time()))
            for second in finished[told:]:
                live.write(json.dumps(second) + "\n")
                live.flush()
            told = len(finished)
    pathlib.Path(options.out).write_text(json.dumps(result(account, options, began)), encoding="utf-8")
    return 0


def result(account: Account, options: argparse.Namespace, began: float) -> dict[str, typing.Any]:
    timeline = account.over(sys.maxsize)
    versions: dict[str, dict[str, int]] = {}
    for second in timeline:
        for version, counted in second["versions"].items():
            whole = versions.setdefault(version, {"ok": 0, "failed": 0})
            whole["ok"] += counted["ok"]
            whole["failed"] += counted["failed"]
    whole_of = {key: sum(second[key] for second in timeline) for key in ("sent", "ok", "failed")}
    return {"url": options.url, "rate": options.rate, "started": began, "ended": time.time(), **whole_of, "statuses": dict(account.statuses),
            "versions": versions, "timeline": timeline, "failures": account.failures}


if __name__ == "__main__":
    sys.exit(main())
