# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One observation of a run, over a cluster of plain data: what an abort's own run does when somebody else has obeyed the order."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, dumps, loads
from ansible_collections.progressive.delivery.plugins.module_utils.kube import events, look, record as store, rounds, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import A, B, Deployment, World, canary, released


class Cluster:
    """A record in a ConfigMap, and what a world shows beside it; nothing waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: World, record: Record, orders: Orders = Orders()) -> None:
        self.world, self.text, self.orders, self.version = world, dumps(record), orders, 1
        self.lines: list[str] = []
        monkeypatch.setattr(store, "read", lambda api, namespace, name: self._stored())
        monkeypatch.setattr(store, "write", self._write)
        monkeypatch.setattr(look, "look", lambda api, canary, record: dataclasses.replace(world.look(), now=world.now))
        monkeypatch.setattr(look, "read_route", lambda api, canary: world.look().route)
        for place, name in ((look, "fence"), (routes, "hold"), (events, "emit")):
            monkeypatch.setattr(place, name, lambda *unused: None)
        monkeypatch.setattr(rounds.time, "sleep", lambda seconds: pytest.fail("it waits"))

    def now(self) -> float:
        return self.world.now

    def run(self, run: str, **how: Any) -> dict[str, Any]:
        """One call of canary_observe by this run."""
        return Round(self, canary(), Holder(run), self.lines.append, lambda record, told: None, **how).run()

    @property
    def record(self) -> Record:
        return loads(self.text)

    def _stored(self) -> Stored:
        return Stored("test", "podinfo", self.record, self.orders, str(self.version))

    def _write(self, api: Any, stored: Stored, record: Record, *, obeyed: Any = (), document: Any = None) -> Stored:
        assert stored.resource_version == str(self.version)
        self.text, self.version = dumps(record), self.version + 1
        if obeyed:
            self.orders = Orders()
        return self._stored()


def at_rest(world: World, **fields: Any) -> Record:
    return dataclasses.replace(world.record, holder=None, **fields)


@pytest.mark.parametrize("phase", [states.SUCCEEDED, states.FAILED])
def test_safety_30_an_abort_whose_order_the_walker_obeyed_does_not_walk_what_was_aborted(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    """The walker waited for the primary, obeyed and ended; the abort's own run comes after it, and is no run of a release."""
    world = released()
    cluster = Cluster(monkeypatch, world, at_rest(world, phase=phase, aborted_in="the-walker"))
    tick = cluster.run("the-abort", abort=True, take_over=True)
    assert (tick["due"], tick["outcome"]) == (False, "aborted")
    assert f"revision {B[:8]} was not walked" in tick["why"]
    assert cluster.record.holder is None and cluster.record.last_promoted == A


def test_safety_30_nor_does_it_initialise_what_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(canary(), target=Deployment("podinfo", A, 2))
    stopped = Record("podinfo", "test", phase=states.INITIALIZING, identity=canary().identity, aborted_in="the-walker")
    cluster = Cluster(monkeypatch, world, stopped)
    tick = cluster.run("the-abort", abort=True, take_over=True)
    assert (tick["due"], tick["outcome"], tick["open"]) == (False, "aborted", {})


def test_whoever_is_no_abort_walks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = released()
    cluster = Cluster(monkeypatch, world, at_rest(world, aborted_in="the-walker"))
    tick = cluster.run("another-release")
    assert (tick["due"], tick["outcome"]) == (True, "")
