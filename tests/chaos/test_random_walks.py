# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever may happen to a canary, in an order that a seed gives: what must never be is never seen, and in the end a release goes out as ever.

The pure core is walked so by tests/unit/plugins/module_utils/canary/test_machine_properties.py; here all parts are real.
"""

from __future__ import annotations

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


class Walks:
    """One sequence of events."""

    def __init__(self, one: Stand, seed: int) -> None:
        self.one, self.dice = one, random.Random(seed)
        self.release: Release = one.ready(PROMOTION)
        self.watch = self.release.watch_route()
        self.versions: list[tuple[float, str]] = [(0.0, "1")]       # since when the target has which version
        self.analysed = {"1"}
        self.left_by_hand = False       # the route is as somebody left it, and nobody has looked since

    # -- what may happen --

    def tick(self) -> None:
        self._ended(self.one.start(direct=True, canary_mode="tick").wait(90))

    def killed_walk(self) -> None:
        walk = self.one.start(direct=True)
        time.sleep(self.dice.uniform(0.5, 4.0))
        walk.kill()

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

    def route_by_hand(self) -> None:
        canary = self.dice.choice([0, 10, 70])
        rules = self.release.get("httproute", "podinfo").get("spec", {}).get("rules", [])
        if rules and len(rules[0]["backendRefs"]) == 2:
            self.release.set_weight(canary)
            self.left_by_hand = True

    def something_is_deleted(self) -> None:
        what = self.dice.choice(["httproute/podinfo", "service/podinfo-canary", "service/podinfo-primary", "configmap/podinfo-canary"])
        self.release.kubectl("delete", what, "--ignore-not-found")

    def primary_shrinks(self) -> None:
        self.release.kubectl("scale", "deployment/podinfo-primary", "--replicas=1")

    # -- what must hold --

    def check(self) -> None:
        """Raises AssertionError with what must not be."""
        self._learn()
        primary = self._version("podinfo-primary")
        assert primary in self.analysed, f"the primary runs {primary}, and only {self.analysed} were analysed"
        self.release.record()                       # is readable, where there is one
        deadline = time.monotonic() + TOLERATED
        while not self.left_by_hand and (problem := self._routed_wrongly()):
            assert time.monotonic() < deadline, problem
            time.sleep(0.3)

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
        self.left_by_hand = False
        assert "Traceback" not in walk.output, walk.output[-3000:]
        assert walk.result["outcome"], walk.output[-3000:]

    def heal(self) -> None:
        """Everybody lets go, and a new version goes out."""
        self.one.good, self.one.hooks.status = True, 200
        self.one.start("resume", direct=True).wait(90)
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
          Walks.set_back, Walks.gate, Walks.metrics, Walks.order, Walks.order, Walks.route_by_hand, Walks.something_is_deleted, Walks.primary_shrinks]


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
