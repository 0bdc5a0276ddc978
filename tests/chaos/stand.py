# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release with a fault proxy before the API server, metrics that say what the test wants, and a receiver of webhooks."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import instant_prometheus
import sameness
from harness import Receiver, Release, Walk
from labkit.faultcontrol import FaultProxy

WRITES = "POST|PATCH|PUT|DELETE"
NO_REVIEW = r"^(?!.*(accessreviews|rulesreviews))"      # what asks for permissions writes nothing
HOOKS = ("confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout")
# Whoever has allowed it once is not asked again in the same release: these may do something by being asked.
ASKED_ONCE = ("confirm-rollout", "pre-rollout", "post-rollout")
QUICK = {"canary_min_interval": 0.5, "canary_settle": 0.3, "canary_drain": 1}
MOST_TICKS = 60
SLICES = 4                  # parts of a list of points; each walks in a namespace of its own
ATTEMPTS = 3                # of a walk to come to a point: one that renews its claim less often, or meets no conflict, has fewer writes
MOST_NEVER = 0.25           # share of points to which none came, as where nobody had to be waited for
RATE = 40                   # requests a second; whoever loses one of a good release fails the test
PATIENCE = 150.0            # seconds that any playbook here may take, on a busy machine


@dataclass(frozen=True)
class Scenario:
    """One way through a canary's life, that can be walked again and again; ``outcome`` and ``rc`` are those of a walk that goes to the end."""

    name: str
    document: Mapping[str, Any]
    outcome: str
    rc: int = 0
    good: bool = True               # the metrics of the canary
    playbook: str = "canary"
    anew: bool = False              # each time on an app that was never walked

    def __str__(self) -> str:
        return self.name


STEPS = {"interval": "500ms", "maxWeight": 40, "stepWeight": 20, "threshold": 2}
PROMOTION = Scenario("promotion", STEPS, "promoted")
INITIALISE = Scenario("initialise", STEPS, "promoted", anew=True)
ROLLBACK = Scenario("rollback", STEPS, "rolled_back", rc=2, good=False)
REMOVE = Scenario("remove", STEPS, "removed", playbook="remove", anew=True)
SCENARIOS = (
    PROMOTION,
    ROLLBACK,
    Scenario("blue-green", {"interval": "500ms", "iterations": 2, "threshold": 2, "maxWeight": None, "stepWeight": None}, "promoted"),
    Scenario("stepwise-promotion", {**STEPS, "maxWeight": 20, "stepWeightPromotion": 50}, "promoted"),
    INITIALISE,
    REMOVE,
)


@dataclass
class Undisturbed:
    """What a walk does when nothing is done to it."""

    writes: list[str]               # "PATCH /apis/..." in their order
    weights: list[int]
    hooks: Counter[str]             # and alerts
    end: dict[str, Any]             # sameness.end


def at_each(points: Sequence[tuple[str, Callable[[], list[str] | None]]], tried: Callable[[], None]) -> list[str]:
    """What is wrong at the points: of each its name, and what tries it and says what is wrong, or None when its walk ended without having come to it."""
    wrong: list[str] = []
    never: list[str] = []
    for what, attempt in points:
        for _attempt in range(ATTEMPTS):
            problems = attempt()
            if problems is not None:
                wrong += [f"{what}: {problem}" for problem in problems]
                tried()
                break
        else:
            never.append(what)
    return wrong if len(never) <= max(1, MOST_NEVER * len(points)) else [*wrong, f"no walk came to these: {never}"]


@dataclass
class Stand:
    """Everything around one release."""

    label: str
    folder: Path
    good: bool | None = True        # what the metrics say of the canary; None = nothing
    version: int = 1
    hook_types: tuple[str, ...] = HOOKS
    metrics_url: str = ""           # what the document says, as does hooks_url
    hooks_url: str = ""
    proxy: FaultProxy | None = None
    closing: list[Callable[[], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.metrics_url = instant_prometheus.start(self._measured)
        self.hooks = Receiver()
        self.hooks.statuses["rollback"] = 403           # it would be the order to roll back
        self.hooks_url = self.hooks.url
        self.closing.append(self.hooks.shutdown)
        self.release: Release | None = None

    def _measured(self, query: str) -> str | None:
        if self.good or query == "vector(1)":
            return instant_prometheus.healthy(query)
        return "0" if self.good is False else None

    def put_between(self, folder: Path) -> tuple[FaultProxy, FaultProxy]:
        """Proxies before the metrics and before the receiver of webhooks, for all apps from now on."""
        metrics, hooks = FaultProxy(self.metrics_url, folder / "metrics"), FaultProxy(self.hooks_url.rstrip("/"), folder / "hooks", ["--bodies"])
        self.closing += [metrics.stop, hooks.stop]
        self.metrics_url, self.hooks_url = metrics.url, f"{hooks.url}/"
        return metrics, hooks

    # -- the app --

    def app(self, scenario: Scenario) -> Release:
        """An app in a namespace of its own, never walked before, whose walks go through the proxy."""
        self.drop()
        folder = self.folder / uuid.uuid4().hex[:5]
        folder.mkdir()
        self.version = 1
        # A probe that a busy machine answers late is no outage.
        self.release = one = Release(f"chaos-{self.label}-{folder.name}", folder, unready_after=5, rich=True)
        one.start_app(VERSION="1")
        for role in ("podinfo-configs", "podinfo-remove", "podinfo-remove-configs"):
            one.allow(role)
        hooks = [{"name": hook_type, "type": hook_type, "url": self.hooks_url, "timeout": "1s", "metadata": {"type": hook_type}}
                 for hook_type in self.hook_types]
        alerts = [{"name": "all", "providerRef": {"name": "receiver"}}]
        one.write_document(**{**scenario.document, "webhooks": hooks, "alerts": alerts, "spec__metricsServer": self.metrics_url})
        self.proxy = FaultProxy(one.kubeconfig, folder / "proxy")
        return one

    def drop(self) -> None:
        if self.proxy is not None:
            self.proxy.clear()
            self.proxy.stop()
            self.proxy = None
        if self.release is not None:
            self.release.cleanup()
            self.release = None

    def close(self) -> None:
        self.drop()
        for action in self.closing:
            action()

    def ready(self, scenario: Scenario) -> Release:
        """An app that the scenario may begin on."""
        if self.release is None or scenario.anew:
            one = self.app(scenario)
            if scenario != INITIALISE:
                self.finish(self.start(direct=True), 0, "promoted")
        assert self.release is not None
        return self.release

    def begin(self, scenario: Scenario) -> None:
        """Bring about what is walked."""
        self.good = True
        if not scenario.anew:
            self.version += 1
            assert self.release is not None
            self.release.set_template("lab.local/testapp:2", VERSION=str(self.version))
            self.good = scenario.good

    # -- walking --

    def start(self, playbook: str = "canary", direct: bool = False, **variables: Any) -> Walk:
        """Start a playbook; ``direct`` goes past the proxy."""
        assert self.release is not None
        through = {} if direct else {"KUBECONFIG": str(self.proxy.kubeconfig)}
        document = {"canary_file": str(self.release.folder / "canary.yml")} if playbook != "canary" else {}
        receiver = {"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": "receiver"},
                    "spec": {"type": "webhook", "address": f"{self.hooks_url}alert"}}
        return self.release.playbook(playbook, environment=through, **{**QUICK, "canary_alert_providers": [receiver], **document, **variables})

    def finish(self, walk: Walk, rc: int, *outcomes: str) -> Walk:
        walk.wait(PATIENCE)
        assert walk.rc == rc and walk.result["outcome"] in outcomes, walk.output[-4000:]
        return walk

    def tick_to_the_end(self, scenario: Scenario) -> None:
        """What a schedule would do, its pauses left out."""
        assert self.release is not None
        for _tick in range(MOST_TICKS):
            walk = self.start(scenario.playbook, direct=True, canary_mode="tick").wait(PATIENCE)
            assert "Traceback" not in walk.output, walk.output[-4000:]
            if walk.result["outcome"] not in ("waiting", "not_due"):
                break
        assert walk.result["outcome"] in (scenario.outcome, "unchanged"), walk.output[-4000:]

    def go_on(self, scenario: Scenario, by_ticks: bool) -> None:
        """Run again to the end, however it began."""
        if by_ticks and scenario.playbook == "canary":
            self.tick_to_the_end(scenario)
        else:
            # Killed after the last write: nothing is left to do, and a removed canary stays removed.
            walk = self.start(scenario.playbook, direct=True).wait(PATIENCE)
            assert walk.result["outcome"] in (scenario.outcome, "unchanged"), walk.output[-4000:]
            assert walk.rc in (scenario.rc, 0), walk.output[-4000:]

    def undisturbed(self, scenario: Scenario) -> Undisturbed:
        release = self.ready(scenario)
        self.begin(scenario)
        asked, since, watch = len(self.hooks.asked), len(self.proxy.log()), release.watch_route()
        self.finish(self.start(scenario.playbook), scenario.rc, scenario.outcome)
        weights = watch.stop()
        writes = [f"{entry['method']} {entry['path']}" for entry in self.written_since(since)]
        return Undisturbed(writes, weights, self.asked_since(asked), self.end())

    def written_since(self, before: int) -> list[dict[str, Any]]:
        """The writes of the proxy's log, in the order of ending."""
        return [entry for entry in self.proxy.log(before) if re.fullmatch(WRITES, entry["method"]) and re.search(NO_REVIEW, entry["path"])]

    def asked_since(self, before: int) -> Counter[str]:
        """How often each type of hook was asked, and how often each alert came."""
        return Counter(body.get("metadata", {}).get("type") or f"the alert '{body['message']}'" for body in self.hooks.asked[before:])

    def end(self) -> dict[str, Any]:
        assert self.release is not None
        return sameness.end(self.release)
