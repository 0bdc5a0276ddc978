# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault proxy does to real requests what its rules say.

Run inside a lab: ``python3 tests/lab/lab.py exec -- python3 -m unittest discover -s tests/lab/selftest -t tests/lab``.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from labkit.faultcontrol import FaultProxy
from labkit.pki import token_of

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


class FaultProxyTest(unittest.TestCase):
    """Each test has a proxy and a ConfigMap of its own."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        admin = Path(os.environ["KUBECONFIG"])
        self.token = token_of(admin)
        self.proxy = FaultProxy(admin, Path(self.folder.name))
        self.addCleanup(self.proxy.stop)
        self.name = f"fault-{uuid.uuid4().hex[:8]}"
        self.path = f"{CONFIGMAPS}/{self.name}"
        self.assertEqual(self.ask("POST", CONFIGMAPS, {"metadata": {"name": self.name}, "data": {"v": "0"}})[0], 201)
        self.addCleanup(self.ask, "DELETE", self.path)

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        """A connection to the proxy."""
        parts = urllib.parse.urlsplit(self.proxy.url)
        trust = ssl.create_default_context(cafile=f"{os.environ['LAB_DIR']}/pki/ca.crt")
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=seconds, context=trust)

    def ask(self, method: str, path: str, document: Any = None, seconds: float = 10.0) -> tuple[int, Any]:
        """Status and JSON of one request through the proxy; errors of the connection rise."""
        connection = self.connect(seconds)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": MERGE if method == "PATCH" else "application/json"}
        try:
            connection.request(method, path, None if document is None else json.dumps(document), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def patch(self, value: str, version: str | None = None) -> tuple[int, Any]:
        """Set the ConfigMap's value, on condition of its version if one is given."""
        metadata = {"resourceVersion": version} if version else {}
        return self.ask("PATCH", self.path, {"metadata": metadata, "data": {"v": value}})

    def value(self) -> str:
        """The ConfigMap's value."""
        return str(self.ask("GET", self.path)[1]["data"]["v"])

    def test_a_request_without_a_rule_passes_and_is_logged(self) -> None:
        self.assertEqual(self.patch("1")[0], 200)
        self.assertEqual([(entry["method"], entry["path"], entry["status"]) for entry in self.proxy.log()][-1], ("PATCH", self.path, 200))

    def test_an_answer_is_given_to_the_nth_request_only_and_never_forwarded(self) -> None:
        self.proxy.rule("answer", method="PATCH", path=self.name, nth=2, status=409)
        self.assertEqual([self.patch(str(n))[0] for n in (1, 2, 3)], [200, 409, 200])
        self.proxy.rule("answer", method="PATCH", path=self.name, times=0, status=429, headers={"Retry-After": "1"})
        self.assertEqual([self.patch("9")[0] for _n in range(3)], [429] * 3)
        self.assertEqual(self.value(), "3")

    def test_a_cut_before_forwarding_changes_nothing(self) -> None:
        self.proxy.rule("cut_before", method="PATCH", path=self.name)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.patch("1")
        self.assertEqual(self.value(), "0")

    def test_a_cut_after_forwarding_has_changed_what_the_sender_does_not_know(self) -> None:
        self.proxy.rule("cut_after", method="PATCH", path=self.name)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.patch("1")
        self.assertEqual(self.value(), "1")

    def test_an_answer_may_be_cut_in_the_middle_and_a_connection_be_closed_after_it(self) -> None:
        self.proxy.rule("cut_inside", method="PATCH", path=self.name)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.patch("1")
        self.assertEqual(self.value(), "1")
        self.proxy.rule("close", method="GET", path=self.name)
        connection = self.connect(10)
        self.addCleanup(connection.close)
        connection.request("GET", self.path, headers={"Authorization": f"Bearer {self.token}"})
        response = connection.getresponse()
        self.assertEqual((response.status, json.loads(response.read())["data"]["v"]), (200, "1"))
        self.assertEqual(connection.sock.recv(1), b"")

    def test_a_held_request_arrives_late_and_is_refused_by_its_version(self) -> None:
        version = self.ask("GET", self.path)[1]["metadata"]["resourceVersion"]
        rule = self.proxy.rule("hold", method="PATCH", path=self.name)
        late: list[int] = []
        sender = threading.Thread(target=lambda: late.append(self.patch("late", version)[0]))
        sender.start()
        self.assertTrue(self.proxy.wait(rule))
        self.assertEqual(self.patch("meanwhile")[0], 200)
        self.assertEqual(late, [])
        self.assertEqual(self.proxy.release(rule), 1)
        sender.join(10)
        self.assertEqual((late, self.value()), ([409], "meanwhile"))

    def test_a_held_request_is_forwarded_though_its_sender_was_cut_off(self) -> None:
        rule = self.proxy.rule("hold", method="PATCH", path=self.name, abandon=True)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.patch("late")
        self.assertEqual(self.value(), "0")
        self.proxy.release(rule)
        self.await_value("late")

    def await_value(self, wanted: str) -> None:
        """Wait for the ConfigMap to have that value."""
        deadline = time.monotonic() + 10
        while self.value() != wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.value(), wanted)

    def test_a_delay_delays(self) -> None:
        self.proxy.rule("delay", method="GET", path=self.name, seconds=0.5)
        begun = time.monotonic()
        self.assertEqual(self.value(), "0")
        self.assertGreaterEqual(time.monotonic() - begun, 0.5)

    def test_a_process_is_killed_before_or_after_its_write(self) -> None:
        for action, value in (("kill_before", "0"), ("kill_after", "x")):
            with self.subTest(action), subprocess.Popen(["sleep", "60"]) as victim:
                self.proxy.rule(action, method="PATCH", path=self.name, pid=victim.pid)
                with self.assertRaises((ConnectionError, http.client.HTTPException)):
                    self.patch("x")
                self.assertEqual(victim.wait(5), -9)
                self.assertEqual(self.value(), value)
                self.proxy.clear()

    def test_whoever_leads_a_group_of_its_own_dies_with_its_root(self) -> None:
        for target, dies in (("group", False), ("root", True)):
            with self.subTest(target), subprocess.Popen(["bash", "-c", "setsid sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True,
                                                        start_new_session=True) as victim:
                worker = os.pidfd_open(int(victim.stdout.readline()))
                self.proxy.rule("kill_before", method="PATCH", path=self.name, **{target: victim.pid})
                with self.assertRaises((ConnectionError, http.client.HTTPException)):
                    self.patch("x")
                self.assertEqual(victim.wait(5), -9)
                self.assertEqual(bool(select.select([worker], [], [], 2.0)[0]), dies)
                if not dies:
                    signal.pidfd_send_signal(worker, signal.SIGKILL)
                os.close(worker)
                self.proxy.clear()

    def test_a_rule_can_look_into_the_body(self) -> None:
        self.proxy.rule("answer", method="PATCH", body='"v": "bad"', status=500, times=0)
        self.assertEqual([self.patch(value)[0] for value in ("good", "bad", "good")], [200, 500, 200])

    def test_a_body_is_edited_on_its_way(self) -> None:
        self.proxy.rule("edit", method="PATCH", path=self.name, find='"v": "([a-z]+)"', put=r'"v": "\1, and more"', times=0)
        self.assertEqual([self.patch(value)[1]["data"]["v"] for value in ("good", "better", "1")], ["good, and more", "better, and more", "1"])

    def test_a_watch_streams_each_event_as_it_happens(self) -> None:
        connection = self.connect(10)
        self.addCleanup(connection.close)
        connection.request("GET", f"{CONFIGMAPS}?watch=true&fieldSelector=metadata.name={self.name}", headers={"Authorization": f"Bearer {self.token}"})
        response = connection.getresponse()
        self.assertEqual(json.loads(response.readline())["type"], "ADDED")
        for value in ("1", "2", "3"):
            begun = time.monotonic()
            self.patch(value)
            self.assertEqual(json.loads(response.readline())["object"]["data"]["v"], value)
            self.assertLess(time.monotonic() - begun, 5.0)

    def test_kubectl_works_through_it(self) -> None:
        done = subprocess.run(["kubectl", "get", "configmap", self.name, "-o", "jsonpath={.data.v}"], capture_output=True, text=True, check=True,
                              env={**os.environ, "KUBECONFIG": str(self.proxy.kubeconfig)})
        self.assertEqual(done.stdout, "0")

    def test_a_rule_without_sense_is_refused_in_words(self) -> None:
        for action, settings in (("explode", {}), ("kill_before", {}), ("delay", {"sconds": 1}), ("delay", {"path": "("}), ("edit", {})):
            with self.subTest(action), self.assertRaises(urllib.error.HTTPError) as refusal:
                self.proxy.rule(action, **settings)
            self.assertEqual(refusal.exception.code, 400)
            refusal.exception.close()


class OtherServersTest(unittest.TestCase):
    """In front of the lab's Prometheus, which speaks HTTP and knows no kubeconfig."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.proxy = FaultProxy(os.environ["PROMETHEUS_URL"], Path(self.folder.name))
        self.addCleanup(self.proxy.stop)

    def ask(self, query: str, seconds: float = 10.0) -> tuple[int, str]:
        """Status and value of an instant query by a form, as a webhook would be sent; errors of the connection rise."""
        body = urllib.parse.urlencode({"query": query})
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.proxy.url).netloc, timeout=seconds)
        try:
            connection.request("POST", "/api/v1/query", body, {"Content-Type": "application/x-www-form-urlencoded"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            return response.status, answer["data"]["result"][0]["value"][1] if response.status == 200 else ""
        finally:
            connection.close()

    def test_requests_pass_are_logged_and_there_is_no_kubeconfig(self) -> None:
        self.assertEqual(self.ask("vector(7)"), (200, "7"))
        self.assertEqual([(entry["method"], entry["path"], entry["status"]) for entry in self.proxy.log()], [("POST", "/api/v1/query", 200)])
        self.assertEqual(list(Path(self.folder.name).glob("kubeconfig")), [])

    def test_every_fault_strikes_there_too(self) -> None:
        self.proxy.rule("answer", body="vector%281%29", status=503)
        self.assertEqual([self.ask("vector(1)")[0] for _n in range(2)], [503, 200])
        for action in ("cut_before", "cut_after", "cut_inside"):
            self.proxy.rule(action, name=action, body="vector%282%29")
            with self.subTest(action), self.assertRaises((ConnectionError, http.client.HTTPException)):
                self.ask("vector(2)")
            self.proxy.clear()
        reached = {entry["action"]: entry["status"] for entry in self.proxy.log() if entry.get("action", "").startswith("cut")}
        self.assertEqual(reached, {"cut_before": 0, "cut_after": 200, "cut_inside": 200})
        self.proxy.rule("hold", name="hangs", body="vector%283%29")
        with self.assertRaises(TimeoutError):
            self.ask("vector(3)", seconds=0.5)
        self.assertEqual(self.proxy.release("hangs"), 1)


if __name__ == "__main__":
    unittest.main()
