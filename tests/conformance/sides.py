# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same document walked by Flagger and by us: two namespaces, the same app, the same answers, the same hands."""

from __future__ import annotations

import copy
import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from answers import Hooks, Metrics
from documents import FAILED, SUCCEEDED, Document
from harness import ROLES_OF, Release, Walk, wait_for
from labkit.faultcontrol import FaultProxy
from objects import events, everything
from watching import ExtrasWatch, StatusWatch

QUICK = {"canary_min_interval": 1, "canary_settle": 0.5, "canary_drain": 1, "canary_file": None}
LONGEST = 900.0             # seconds that a side may take for one step; Flagger's ticks are ten seconds apart, whatever the document says
NOTHING = 35.0              # seconds in which Flagger ticks thrice
QUIET = 3.0                 # seconds without another call, after which a side has said everything
PATIENT = 300               # progressDeadlineSeconds, on a busy machine
PROBES = 10                 # in a row that may go unanswered, on a busy machine, before a pod counts as unready
ANALYSED = ("Progressing", "WaitingPromotion")
GROUP = "flagger.app/v1beta1"
TEMPLATE = "scripted{{metric=\"errors\", namespace=\"{open} namespace {close}\", target=\"{open} target {close}\", side=\"{open} variables.side {close}\"}}"


Status = Mapping[str, Any]


class Side:
    """One side of a comparison; ``walk`` is what differs."""

    name = ""
    walks_itself = False

    def __init__(self, document: Document, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.document = document
        self.metrics, self.hooks = Metrics(document), Hooks(document)
        self.release = Release(f"{self.name}-{document.name[:40]}-{uuid.uuid4().hex[:4]}", folder, replicas=1, kind=document.kind, routing=document.routing,
                               scraped=False, unready_after=PROBES, patience=PATIENT)
        self.release.on_cleanup.append(self.hooks.shutdown)

    def seen(self) -> dict[str, Any]:
        """Everything that is compared, as plain data. Raises AssertionError where it does not come to an end."""
        try:
            return self._seen()
        finally:
            self.release.cleanup()

    def _seen(self) -> dict[str, Any]:
        one = self.release
        self.document.starts(one, self.walks_itself)
        statuses = StatusWatch(one)
        one.on_cleanup.append(statuses.stop)
        one.apply(*(copy.deepcopy(dict(obj)) for obj in self.document.objects), *self._providers(), self._canary())
        self.begin()
        self._comes_to("initialised", statuses, lambda status: status["phase"] == "Initialized")
        self.finish()
        self._until_quiet()
        initialised = everything(one)
        weights = one.watch_route() if self._routed else None
        extras = ExtrasWatch(one) if self._routed else None
        self.metrics.judged = lambda: statuses.statuses[-1]["phase"] in ANALYSED
        since = 0
        for act in self.document.acts:
            self._comes_to(str(act), statuses, act.reached)
            if act.phase in (SUCCEEDED, FAILED):
                self.finish()
                self._until_quiet()
            since = len(statuses.statuses)
            self.hooks.answer(act.answers)
            act.does(one)
            if act.anew:
                self.stop()
            self.walk()
        if self.document.nothing or self.document.stalls and not self.walks_itself:
            time.sleep(NOTHING)
        else:
            self._comes_to("its end", statuses, lambda status: status["phase"] in self.document.ends and len(statuses.statuses) > since)
        self.finish()
        self._until_quiet()
        return {
            "statuses": statuses.statuses, "conditions": statuses.conditions, "weights": weights.stop() if weights else [],
            "extras": extras.stop() if extras else [],
            "calls": self.hooks.asked, "events": events(one), "initialised": initialised, "ended": everything(one), "namespace": one.namespace,
        }

    def _comes_to(self, what: str, watch: StatusWatch, reached: Callable[[Status], bool]) -> None:
        """Wait until the status says so; a walk that ended before that has its last word a moment later."""
        def there() -> bool:
            return bool(watch.statuses) and reached(watch.statuses[-1])
        wait_for(f"{self.name} comes to {what}", lambda: there() or self.over(), LONGEST)
        if not there():
            wait_for(f"{self.name} comes to {what}, having ended with {watch.statuses[-1:]}", there, QUIET)

    @property
    def _routed(self) -> bool:
        return self.provider != "kubernetes"

    @property
    def provider(self) -> str:
        return str(self.document.changes.get("spec__provider", self.document.routing.provider))

    def _canary(self) -> dict[str, Any]:
        changes = {key: value for key, value in self.document.changes.items() if key not in ("service", "webhooks")}
        webhooks = [{"name": "events", "type": "event", "timeout": "5s"}, *self.document.changes.get("webhooks", ())]
        changes["webhooks"] = [{"url": self.hooks.url, **one, "metadata": {"hook": one["name"]}} for one in webhooks]
        changes["alerts"] = [{"name": "people", "severity": "info", "providerRef": {"name": "on-call"}}]
        body = self.release.document(**{"interval": "2s", "spec__metricsServer": self.metrics.url, "spec__progressDeadlineSeconds": PATIENT, **changes})
        body["spec"]["service"].update(self.document.changes.get("service", {}))
        return body

    def _providers(self) -> list[dict[str, Any]]:
        query = TEMPLATE.format(open="{{", close="}}")
        return [
            {"apiVersion": GROUP, "kind": "AlertProvider", "metadata": {"name": "on-call"},
             "spec": {"type": "slack", "channel": "people", "username": "flagger", "address": self.hooks.url}},
            {"apiVersion": GROUP, "kind": "MetricTemplate", "metadata": {"name": "error-rate"},
             "spec": {"provider": {"type": "prometheus", "address": self.metrics.url}, "query": query}},
        ]

    def _until_quiet(self) -> None:
        """What follows a phase, such as hooks, comes after the status that tells of it."""
        number, since = len(self.hooks.asked), time.monotonic()
        while time.monotonic() - since < QUIET:
            if len(self.hooks.asked) != number:
                number, since = len(self.hooks.asked), time.monotonic()
            time.sleep(0.2)

    # -- what differs --

    def begin(self) -> None:
        """Initialise it."""

    def walk(self) -> None:
        """Somebody changed the target."""

    def over(self) -> bool:
        """Whether nobody walks any more."""
        return False

    def finish(self) -> None:
        """Wait for the end of what was begun."""

    def stop(self) -> None:
        """End what still runs, as somebody who begins anew does."""


class Theirs(Side):
    """Flagger, which walks whatever it sees."""

    name = "theirs"

    def begin(self) -> None:
        self.release.start_flagger(
            f"-metrics-server={self.metrics.url}", f"-mesh-provider={self.provider}", "-control-loop-interval=1s", kubeconfig=self._helped())

    def _helped(self) -> str:
        """The kubeconfig of a proxy that leaves out what the document says; empty where nothing is to be left out."""
        if self.document.helped is None:
            return ""
        path, find, put = self.document.helped
        proxy = FaultProxy(Path(os.environ["KUBECONFIG"]), self.release.folder)
        self.release.on_cleanup.append(proxy.stop)
        proxy.rule("edit", method="POST|PUT", path=path, find=find, put=put, times=0)
        return str(proxy.kubeconfig)


class Ours(Side):
    """Our role, run once to initialise and again whenever somebody changed the target and nobody walks."""

    name = "ours"
    walks_itself = True
    _walk: Walk | None = None

    def begin(self) -> None:
        roles = [role for file in self.document.rights for role in self.release.roles(file)]
        service = self.document.changes.get("service", {}).get("name")
        if service:         # the examples have one name for all
            roles += dataclasses.replace(self.release, name=service).roles(ROLES_OF[self.provider])
        if roles:
            self.release.apply(*roles)
        for role in roles:
            self.release.allow(role["metadata"]["name"])
        self.walk()

    def walk(self) -> None:
        if self._walk is None or self._walk.process.poll() is not None:
            self._walk = self.release.walk(**{**QUICK, **self.document.variables})

    def over(self) -> bool:
        return self._walk is not None and self._walk.process.poll() is not None

    def stop(self) -> None:
        if self._walk is not None and not self.over():
            self._walk.kill()

    def finish(self) -> None:
        if self._walk is not None:
            assert "Traceback" not in self._walk.wait(LONGEST).output, self._walk.output[-4000:]

    def _seen(self) -> dict[str, Any]:
        try:
            return super()._seen()
        except AssertionError as error:
            output = self._walk.output[-3000:] if self._walk else ""
            raise AssertionError(f"{error}\n{output}") from None
