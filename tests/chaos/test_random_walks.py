# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever may happen to a canary, in an order that a seed gives: what must never be is never seen, and in the end a release goes out as ever.

The pure core is walked so by tests/unit/plugins/module_utils/canary/test_machine_properties.py; here all parts are real.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import pytest
from harness import Release, Walk
from stand import PROMOTION, Stand

TOP = 40                    # the last weight of a promotion: who was there was analysed
ACTIONS = 10
SEEDS, BOUNDED = 24, 2      # how many are walked with --full, and without
TOLERATED = 3.0             # seconds that something may stand as others left it, until the next look
SEEN = 2.0                  # seconds after which a halt is seen by whoever walks
WEIGHTS = {0, 20, TOP}      # of the document
BY_HAND = (0, 10, 70)       # weights that people set


class Walks:
    """One sequence of events."""

    def __init__(self, one: Stand, seed: int) -> None:
        self.one, self.dice = one, random.Random(seed)
        self.release: Release = one.ready(PROMOTION)
        self.watch = self.release.watch_route()
        self.versions: list[tuple[float, str]] = [(0.0, "1")]       # since when the target has which version
        self.analysed = {"1"}
        self.left_by_hand = False       # the route or the primary is as somebody left it, and nobody has looked since
        self.made_anew = False          # both the primary and the record were gone
        self.suspended: list[tuple[float, float]] = []              # from when to when

    # -- what may happen --

    def tick(self) -> None:
        self._ended(self.one.start(direct=True, canary_mode="tick").wait(90))

    def killed_walk(self) -> None:
        walk = self.one.start(direct=True)
        time.sleep(self.dice.uniform(0.5, 4.0))
        self.dice.choice([walk.kill, walk.kill_all])()

    def short_walk(self) -> None:
        self._ended(self.one.start(direct=True, canary_on_wait="end").wait(90))

    def time_passes(self) -> None:
        time.sleep(self.dice.uniform(0.5, 3.0))

    def new_revision(self) -> None:
        self.one.version += 1
        self._set(str(self.one.version))

    def set_back(self) -> None:
        self._set(self._version("podinfo-primary"))

    def _set(self, version: str) -> None:
        self._learn()
        self.release.set_template("lab.local/testapp:2" if version != "1" else "lab.local/testapp:1", VERSION=version)
        self.versions.append((time.time(), version))

    def gate(self) -> None:
        self.one.hooks.status = self.dice.choice([200, 403])

    def metrics(self) -> None:
        self.one.good = self.dice.choice([True, True, False, None])

    def order(self) -> None:
        order = self.dice.choice(["abort", "approve", "suspend", "resume"])
        walk = self.one.start(order, direct=True).wait(90)
        assert "Traceback" not in walk.output, walk.output[-3000:]
        if order == "suspend" and walk.rc == 0:
            self.suspended.append((walk.started + SEEN, float("inf")))
        if order == "resume":
            self._resumed(walk.started)

    def route_by_hand(self) -> None:
        canary = self.dice.choice(BY_HAND)
        rules = self.release.get("httproute", "podinfo").get("spec", {}).get("rules", [])
        if rules and len(rules[0]["backendRefs"]) == 2:
            self.release.set_weight(canary)
            self.left_by_hand = True

    def something_is_deleted(self) -> None:
        what = self.dice.choice(["httproute/podinfo", "service/podinfo", "service/podinfo-canary", "service/podinfo-primary", "configmap/podinfo-canary",
                                 "deployment/podinfo-primary"])
        self.release.kubectl("delete", what, "--ignore-not-found")
        self.left_by_hand = self.left_by_hand or what.startswith("deployment")
        if what.startswith("configmap"):
            self._resumed(time.time())              # nobody remembers that it was suspended

    def primary_shrinks(self) -> None:
        self.release.kubectl("scale", "deployment/podinfo-primary", "--replicas=1")

    def _resumed(self, when: float) -> None:
        self.suspended = [(since, min(until, when)) for since, until in self.suspended]

    def primary_is_edited(self) -> None:
        """What people put there themselves needs no analysis."""
        if self.release.get("deployment", "podinfo-primary"):
            version = str(1000 + len(self.analysed))
            self.analysed.add(version)
            self.release.kubectl("set", "env", "deployment/podinfo-primary", f"VERSION={version}")

    def service_is_edited(self) -> None:
        service = self.dice.choice(["podinfo-canary", "podinfo-primary"])
        if self.release.get("service", service):
            self.release.kubectl("patch", "service", service, "--type=merge", "-p", '{"spec": {"selector": {"app": "nobody"}}}')

    def record_is_damaged(self) -> None:
        """Nobody walks by it, and nothing is written, until somebody has mended it."""
        body = self.release.get("configmap", "podinfo-canary")
        if not body:
            return
        record, seen = body["data"]["record"], len(self.watch.seen)
        self._write_record(record[:len(record) // 2])
        walk = self.one.start(direct=True, canary_mode="tick").wait(90)
        assert walk.rc and "record" in walk.output and "Traceback" not in walk.output, walk.output[-3000:]
        assert self.release.get("configmap", "podinfo-canary")["data"]["record"] == record[:len(record) // 2] and len(self.watch.seen) == seen
        self._write_record(record)

    def _write_record(self, text: str) -> None:
        self.release.kubectl("patch", "configmap", "podinfo-canary", "--type=merge", "-p", json.dumps({"data": {"record": text}}))

    # -- what must hold --

    def check(self) -> None:
        """Raises AssertionError with what must not be."""
        self._learn()
        if not self.release.get("deployment", "podinfo-primary"):
            self.made_anew = self.made_anew or not self.release.get("configmap", "podinfo-canary")
        else:
            primary = self._version("podinfo-primary")
            if self.made_anew:
                # Who deleted the primary and the record has them made anew by the template that the target has then.
                self.analysed.add(primary)
                self.made_anew = False
            assert primary in self.analysed, f"the primary runs {primary}, and only {self.analysed} were analysed"
        self.release.record()                       # is readable, where there is one
        self._weights()
        deadline = time.monotonic() + TOLERATED
        while not self.left_by_hand and (problem := self._routed_wrongly()):
            assert time.monotonic() < deadline, problem
            time.sleep(0.3)

    def _weights(self) -> None:
        """Of all that the route ever was: whole, by the document, up step by step, and up never while the canary was suspended."""
        seen = list(self.watch.seen)
        assert all(primary + canary == 100 for _when, primary, canary in seen), seen
        assert all(canary in {*WEIGHTS, *BY_HAND} for _when, _primary, canary in seen), seen
        for (_before, _primary, lower), (when, _primary_then, higher) in zip(seen, seen[1:], strict=False):
            if higher > lower and higher in WEIGHTS and lower in WEIGHTS:
                assert higher - lower == 20, seen
                assert not any(since < when < until for since, until in self.suspended), (seen, self.suspended)

    def _routed_wrongly(self) -> str:
        rules = self.release.get("httproute", "podinfo").get("spec", {}).get("rules", [])
        weights = {ref["name"]: ref.get("weight", 1) for rule in rules for ref in rule["backendRefs"]}
        if len(weights) == 2 and sum(weights.values()) != 100:
            return f"the weights are {weights}"
        deployments = {"podinfo-canary": "podinfo", "podinfo-primary": "podinfo-primary"}
        for service, weight in weights.items():
            ready = self.release.get("deployment", deployments.get(service, service)).get("status", {}).get("readyReplicas", 0)
            if weight and not ready:
                return f"{service} has {weight}% and no ready pod"
        return ""

    def _learn(self) -> None:
        """Which versions had the last weight while they were the target's: these were analysed."""
        ends = [since for since, _version in self.versions[1:]] + [float("inf")]
        for (since, version), end in zip(self.versions, ends, strict=True):
            if any(since <= when < end and canary == TOP for when, _primary, canary in list(self.watch.seen)):
                self.analysed.add(version)

    def _version(self, deployment: str) -> str:
        environment = self.release.get("deployment", deployment)["spec"]["template"]["spec"]["containers"][0]["env"]
        return next(one["value"] for one in environment if one["name"] == "VERSION")

    def _ended(self, walk: Walk) -> None:
        self.left_by_hand = not self.release.get("deployment", "podinfo-primary").get("status", {}).get("readyReplicas", 0)
        assert "Traceback" not in walk.output, walk.output[-3000:]
        assert walk.result["outcome"], walk.output[-3000:]

    def heal(self) -> None:
        """Everybody lets go, and a new version goes out."""
        self.one.good, self.one.hooks.status = True, 200
        self._resumed(time.time())
        self.one.start("resume", direct=True).wait(90)
        if not self.release.get("deployment", "podinfo-primary"):
            walk = self.one.start(direct=True, canary_mode="tick").wait(90)
            assert "podinfo-primary does not exist" in walk.output or walk.result["outcome"] == "promoted", walk.output[-4000:]
            self.release.kubectl("delete", "configmap", "podinfo-canary", "--ignore-not-found")     # as it says
            self.made_anew = not self.release.get("deployment", "podinfo-primary")
            self.one.finish(self.one.start(direct=True), 0, "promoted")
            self.check()
        for _again in range(4):
            self.new_revision()
            walk = self.one.start(direct=True).wait(150)
            if walk.result["outcome"] == "promoted":
                break
            self.one.start("resume", direct=True).wait(90)
        assert walk.result["outcome"] == "promoted", walk.output[-4000:]
        self.check()
        assert (self._version("podinfo-primary"), self.release.weight(), self.release.phase()) == (str(self.one.version), 0, "Succeeded")
        assert self.release.get("deployment", "podinfo")["spec"]["replicas"] == 0
        assert self.release.get("deployment", "podinfo-primary")["status"]["readyReplicas"] >= 1


EVENTS = [Walks.tick, Walks.tick, Walks.killed_walk, Walks.killed_walk, Walks.short_walk, Walks.time_passes, Walks.new_revision, Walks.new_revision,
          Walks.set_back, Walks.gate, Walks.metrics, Walks.order, Walks.order, Walks.route_by_hand, Walks.something_is_deleted, Walks.primary_shrinks,
          Walks.primary_is_edited, Walks.service_is_edited, Walks.record_is_damaged]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(SEEDS if metafunc.config.getoption("--full") else BOUNDED))


def test_safety_00_whatever_happens_nothing_goes_out_that_was_not_analysed(stand: Callable[[str], Stand], seed: int, tried: Callable[[str], None]) -> None:
    walks = Walks(stand(f"random-{seed}"), seed)
    happened = []
    walks.new_revision()
    for _action in range(ACTIONS):
        event = walks.dice.choice(EVENTS)
        happened.append(event.__name__)
        try:
            event(walks)
            walks.check()
        except AssertionError as error:
            raise AssertionError(f"after {', '.join(happened)}: {error}") from None
    try:
        walks.heal()
    except AssertionError as error:
        raise AssertionError(f"after {', '.join(happened)}, healed: {error}") from None
    tried("random sequences")
