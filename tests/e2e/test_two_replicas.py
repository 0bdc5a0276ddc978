# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway of two replicas, each of which hears of a weight by itself: Contour's Envoy twice, on one port, among which the kernel deals out connections."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness import Load, Release, wait_for
from routing import CONTOUR, PROXY

CLIENTS = 30                # with one connection each, at most
PATIENT = 10                # requests a second of each client
EACH = 3                    # clients that each replica has at least

pytestmark = pytest.mark.skipif("LAB_DIR" not in os.environ, reason="the other replica is made as the lab makes the one that it has")


@dataclass(frozen=True)
class Envoy:
    """One replica, by its admin socket; ``port`` is where users come in."""

    admin: Path
    port: int

    def says(self, path: str, method: str = "GET") -> str:
        connection = http.client.HTTPConnection("envoy", timeout=5)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(self.admin))
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def listens(self) -> bool:
        return self.admin.exists() and f":{self.port}\n" in self.says("/listeners")

    def leave(self, process: subprocess.Popen) -> None:
        """End it as a rollout of the gateway ends a replica: who has users in other tests behind the same port loses nothing by it."""
        try:
            for order in ("/drain_listeners", "/healthcheck/fail"):
                self.says(order, "POST")
            wait_for("its users have left", lambda: "downstream_cx_active: 0" in self.says("/stats?filter=^http[.]http-.*downstream_cx_active$"), 10)
        finally:
            process.kill()
            process.wait(10)

    def connected(self) -> int:
        """How many connections users have to it now."""
        return self._counts("downstream_cx_active")

    def answered(self) -> int:
        """How many requests of users it has answered well so far."""
        return self._counts("http[.].%2B[.]downstream_rq_2xx")

    def _counts(self, what: str) -> int:
        found = self.says(f"/stats?filter=^listener[.].%2B_{self.port}[.]{what}$").splitlines()
        assert len(found) == 1, found
        return int(found[0].rpartition(": ")[2])


def _replicas(release: Release) -> tuple[Envoy, Envoy]:
    """The lab's Envoy, and another one with the same configuration that lives as long as the test."""
    lab = Path(os.environ["LAB_DIR"])
    command = json.loads((lab / "pids" / "envoy.json").read_text())["argv"]
    bootstrap = Path(command[command.index("--config-path") + 1])
    port = urlsplit(release.routing.url).port
    first, second = Envoy(bootstrap.parent / "admin.sock", port), Envoy(release.folder / "admin.sock", port)
    own = release.folder / "envoy.json"
    own.write_text(bootstrap.read_text().replace(str(first.admin), str(second.admin)))
    for option, value in (("--config-path", str(own)), ("--service-node", "envoy-2"), ("--base-id", "72")):
        command[command.index(option) + 1] = value
    process = subprocess.Popen(command, cwd=release.folder, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    release.on_cleanup.append(lambda: second.leave(process))
    wait_for("the second replica serves", second.listens)
    return first, second


def _clients(release: Release, replicas: tuple[Envoy, Envoy]) -> list[Load]:
    """So many that both replicas have some of them."""
    loads: list[Load] = []

    def enough() -> bool:
        if all(replica.connected() >= EACH for replica in replicas):
            return True
        if len(loads) < CLIENTS:
            loads.append(release.load(PATIENT, "--one-connection"))
        return False

    wait_for("both replicas have users", enough)
    return loads


@pytest.mark.wide       # who looks at Envoy's own metrics meanwhile sees those of either replica
@pytest.mark.parametrize("routing", [CONTOUR, PROXY], ids=str)
def test_a_release_behind_two_replicas_of_a_gateway_loses_no_request(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20)
    replicas = _replicas(release)
    began, clients = [replica.answered() for replica in replicas], _clients(release, replicas)
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk().wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    served = [replica.answered() - before for replica, before in zip(replicas, began, strict=True)]
    counted = [client.stop() for client in clients]
    assert [failure for one in counted for failure in release.lost(one)] == []
    assert min(served) > sum(one["sent"] for one in counted) / 20, f"both serve: {served}"
    assert {version for one in counted for version in one["timeline"][-1]["versions"]} == {"2"}
    assert all(one["connections"] == 1 for one in counted), "nobody was cut off"
