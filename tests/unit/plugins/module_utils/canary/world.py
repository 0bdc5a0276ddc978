# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of plain data that obeys orders with delays, and a run that drives the machine over it as the role does.

Everything crosses as JSON text, as it does between Ansible tasks: observations, answers, outcomes, orders and the record.
Time is simulated: nothing here sleeps. Weights are the canary's percent, times are seconds.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import absence, inventory
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary import stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary import words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import Asks, asks, decide, is_due, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    ALLOWED,
    FAIL,
    MISSING,
    ORIGINAL,
    OURS,
    PASS,
    REFUSED,
    UNKNOWN,
    Answer,
    Observation,
    Orders,
    Outcome,
    Remains,
    Route,
    Scaler,
    Split,
    TrafficOrder,
    Workload,
    WorkloadOrder,
    dump,
    load,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import PREFIX, Holder, Record, Told, dumps, loads, order_key, orders_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ROLLBACK, Analysis, Canary, Check, Hook, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import CLOCK, DONE, KUBERNETES, PERSON, Decision

BEGIN = 1_000_000.0
STARTING = 1.0              # seconds; no playbook reaches its first task in less
TICK_COSTS = 0.25           # seconds of a round of the role
POLLS = (1.0,) * 10 + (5.0,)   # a long wait looks less often here, to be cheap
LOOKS_EVERY = 10.0          # a waiting walker looks at the target's revision so often
NEVER = float("inf")


def revision(letter: str) -> str:
    """A whole revision hash by one letter: ``revision("b")``."""
    return letter * 64


A, B, C, D = (revision(letter) for letter in "abcd")
X, Y = (revision(letter) for letter in "xy")    # what ConfigMaps and Secrets say


def combined(template: str, configs: str) -> str:
    """The revision of a template whose pods read these; without any, that of the template."""
    return template[:32] + configs[:32] if configs else template


def template_of(wanted: str) -> str:
    return wanted[0] * 64


def configs_of(wanted: str) -> str:
    return "" if wanted == template_of(wanted) else wanted[-1] * 64


def hook(index: int, kind: str, **more: Any) -> Hook:
    return Hook(index, kind, f"{kind}-{index}", f"http://gate/{index}", **more)


def check(index: int = 0, name: str = "request-success-rate", interval: float = 10.0, **more: Any) -> Check:
    return Check(index, name, True, interval, 99.0, None, **more)


def canary(*, hooks: tuple[Hook, ...] = (), checks: tuple[Check, ...] = (check(),), options: Options = Options(), analysis: dict[str, Any] | None = None,
           provider: str = "gatewayapi:v1", **more: Any) -> Canary:
    """podinfo.test: 10, 20 ... 50 percent, one check, three failed checks roll back, every ten seconds."""
    shape: dict[str, Any] = {"interval": 10.0, "threshold": 3, "max_weight": 50, "step_weight": 10}
    shape.update(analysis or {})
    return Canary("podinfo", "test", provider, "podinfo", "Deployment", Service("podinfo", 9898),
                  Analysis(checks=checks, hooks=hooks, **shape), options, **more)


@dataclass
class Deployment:
    """Pods of one template. ``down``: none of them answers; ``limping``: some do, but it is not rolled out."""

    name: str
    revision: str
    replicas: int
    of_any_revision: bool = False       # pods of the template before count as endpoints while it rolls
    takes: float = 3.0                  # seconds until new pods are ready
    gives_up: float = 600.0             # its own progress deadline
    changed_at: float = BEGIN - 3600
    template_at: float = BEGIN - 3600
    had_pods: bool = True
    down: bool = False
    limping: bool = False
    sick: set[str] = field(default_factory=set)     # revisions that never get ready
    promoted: str = ""
    paused: bool = False
    held: bool = False                  # its template was edited while it was paused, and has no pods yet
    kept: str = ""                      # while it is held: the template of its pods
    history: dict[str, tuple[str, str]] = field(default_factory=dict)   # ReplicaSet: (uid, template)
    configs: str = ""                   # what its ConfigMaps and Secrets say; of a primary, whose copies are part of its template, nothing
    started_with: str = ""              # and said when its present pods were started
    lacks: str = ""                     # which of them are not there
    made_of: str = ""                   # its template

    def __post_init__(self) -> None:
        self.made_of = self.revision
        self.started_with = self.configs
        self.revision = combined(self.made_of, self.configs)
        self._remember()

    def _remember(self) -> None:
        name = f"{self.made_of[:6]}{self.made_of[-2:] if configs_of(self.made_of) else ''}"
        self.history.setdefault(f"{self.name}-{name}", (f"uid-{self.name}-{name}", self.made_of))

    def template(self, wanted: str, now: float) -> None:
        if wanted == self.made_of:
            return
        self.had_pods = self.endpoints(now) > 0
        self.kept = self.kept if self.held else self.made_of
        self.made_of, self.template_at, self.held = wanted, now, self.paused
        self.revision = combined(wanted, self.configs)
        if self.replicas:
            self.changed_at = now
            self.started_with = self.started_with if self.held else self.configs
        self._remember()

    def configure(self, wanted: str) -> None:
        """Its ConfigMaps and Secrets say something else: no pod is started for that."""
        self.configs = wanted
        self.revision = combined(self.made_of, wanted)

    def scale(self, replicas: int, now: float) -> None:
        if replicas > self.replicas:
            self.changed_at = now
            self.started_with = self.configs if self.replicas == 0 else self.started_with
            self.had_pods = self.had_pods and self.replicas > 0
        if replicas == 0:
            self.had_pods = False
        self.replicas = replicas

    def pause(self, paused: bool, now: float) -> None:
        self.paused = paused
        if self.held and not paused:
            self.held, self.changed_at = False, now
            self.started_with = self.configs

    def answers(self, now: float) -> bool:
        sick = {self.revision, self.made_of} & self.sick
        return self.replicas > 0 and not self.down and not self.held and not sick and now >= self.changed_at + self.takes

    def endpoints(self, now: float) -> int:
        if self.answers(now):
            return max(1, self.replicas // 2) if self.limping else self.replicas
        return self.replicas if self.of_any_revision and self.had_pods and not self.down else 0

    def available(self, now: float) -> int:
        """Pods of a template before count as well, which are all that a paused one has when it is edited."""
        return self.endpoints(now) or (self.replicas if self.held and self.had_pods and not self.down else 0)

    def see(self, now: float) -> Workload:
        ready = self.answers(now) and not self.limping and not self.lacks
        why = "" if ready else self.lacks or ("waiting for rollout to finish" if self.replicas else f"{self.name} is scaled to 0")
        name = next((key for key, (_uid, made_of) in self.history.items() if made_of == self.made_of), "") if now >= self.template_at + 0.5 else ""
        answering = self.endpoints(now)
        pods_of = self.kept if self.held else self.made_of
        serving = next((key for key, (_uid, made_of) in self.history.items() if made_of == pods_of), "") if self.available(now) else ""
        return Workload(
            name=self.name, uid=f"uid-{self.name}", resource_version=str(int(now * 10)), replicas=self.replicas, running=self.replicas,
            available=self.available(now), ready=ready, why=why, stuck=not ready and self.replicas > 0 and now > self.changed_at + self.gives_up,
            revision=self.revision, replicaset=name, replicaset_uid=self.history[name][0] if name else "",
            endpoints=answering, serving=serving, promoted=self.promoted, paused=self.paused, template=self.made_of, configs=self.configs, lacks=self.lacks)


@dataclass
class Scales:
    """An autoscaler that gives as many replicas as users needed a while ago, within its bounds."""

    minimum: int
    maximum: int
    before: int | None = None           # its minimum before a walk held it
    measures_late: float = 30.0
    acts_every: float = 15.0
    acted_at: float = field(default=-math.inf, compare=False)

    def is_at_work(self, now: float) -> bool:
        if now < self.acted_at + self.acts_every:
            return False
        self.acted_at = now
        return True

    def wants(self, needed: int) -> int:
        return max(self.minimum, min(self.maximum, needed))

    def hold(self, minimum: int) -> None:
        if minimum > self.minimum:
            self.before = self.minimum if self.before is None else self.before
            self.minimum = min(minimum, self.maximum)

    def let_go(self) -> None:
        self.minimum, self.before = self.minimum if self.before is None else self.before, None


@dataclass(frozen=True)
class Done:
    """An order that reached the cluster, with what it rested on."""

    at: float
    seen: Observation
    record: Record
    canary: Canary                      # the document as it was then
    traffic: TrafficOrder | None = None
    workload: WorkloadOrder | None = None
    again: bool = False                 # out of an open intent, not out of a decision just made

    @property
    def weight(self) -> int | None:
        return self.traffic.split.canary if self.traffic and self.traffic.split else None

    @property
    def live(self) -> int:
        return weight_of(self.seen)

    @property
    def copies(self) -> int | None:
        """Percent of the requests that it lets be copied."""
        return self.traffic.split.mirror if self.traffic and self.traffic.split else None

    @property
    def live_copies(self) -> int:
        return self.seen.route.split.mirror if self.seen.route and self.seen.route.split else 0


def weight_of(seen: Observation) -> int:
    return seen.route.split.canary if seen.route and seen.route.split else 0


@dataclass
class World:
    canary: Canary
    now: float = BEGIN
    tells_seconds: bool = False         # the server's clock says whole seconds, as a Date does
    lag: float = 0.0                    # by how much the present run is behind
    target: Deployment | None = None
    primary: Deployment | None = None
    deleted_primary: Deployment | None = None
    services: set[str] = field(default_factory=set)
    apex_since: float = NEVER
    apex_takes: float = 1.0             # until its slices hold only pods of the primary
    split: Split | None = None
    foreign_route: bool = False
    leads_back: bool = False            # the route leads to the apex alone
    apex_back_since: float = -NEVER
    drained_from: float = -NEVER        # since when nobody was sent to the primary
    held: bool = False                  # users' objects carry our name
    original: Scales | None = None      # of the target, where it has an autoscaler
    scaler: Scales | None = None        # its copy
    resting: bool = False               # KEDA was told that the target rests
    load: int = 0                       # replicas that all users together need
    shares: list[tuple[float, int]] = field(default_factory=list)       # percent of the users on the primary, with changes only
    overloaded: list[str] = field(default_factory=list)
    accepted_from: float = NEVER
    accepts_after: float = 0.5          # NEVER: the gateway's controller accepts nothing
    suspended: bool = False
    deleted: bool = False               # the Canary object
    flagger_failed: bool = False        # the Canary object's status, as Flagger left it; our first projection takes its place
    stored: str = ""                    # the record's text
    annotations: dict[str, str] = field(default_factory=dict)
    gates: dict[int, str] = field(default_factory=dict)      # by index of the hook: allowed, refused, no_answer
    measures: dict[int, tuple[str, str]] = field(default_factory=dict)     # by index of the check: outcome, why
    coming: list[tuple[float, Callable[[World], None]]] = field(default_factory=list)
    kill_at: set[int] = field(default_factory=set)           # crossings at which the process dies
    # what happened
    crossings: int = 0
    done: list[Done] = field(default_factory=list)
    decisions: list[tuple[float, str, Decision]] = field(default_factory=list)  # time, stage, decision
    writes: int = 0
    told: list[Told] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    asked: list[tuple[float, int]] = field(default_factory=list)
    measured: list[tuple[float, int]] = field(default_factory=list)
    weights: list[tuple[float, int]] = field(default_factory=list)     # as somebody saw the live object, with changes only
    passed: set[str] = field(default_factory=set)            # "revision@weight" that was judged and passed
    reached: list[tuple[float, bool]] = field(default_factory=list)    # whether anything of users' got to the canary, likewise
    copied: set[str] = field(default_factory=set)            # runs that were judged by as many copies as the document asks for, and passed
    iterated: list[tuple[float, str, int]] = field(default_factory=list)   # time, run, iteration: judged and passed, in A/B at 100%, else at 0%
    by_hand: set[int] = field(default_factory=set)           # weights that people put on the route
    copied_by_hand: float = math.inf                         # since when people set how many requests are copied
    promote_ordered: bool = False
    approved_at: list[float] = field(default_factory=list)
    first: set[str] = field(default_factory=set)             # revisions that a primary was made with
    edited: set[str] = field(default_factory=set)            # and that people put there
    harm: list[str] = field(default_factory=list)            # what users would have noticed
    patient_with: int = 3               # how often a hook may be asked again within half an interval: kills, orders and edits bring more steps

    # -- as it is --

    @property
    def record(self) -> Record:
        return _read(self.stored) if self.stored else Record(self.canary.name, self.canary.namespace, identity=self.canary.identity)

    @property
    def weight(self) -> int:
        return self.split.canary if self.split else 0

    def look(self) -> Observation:
        self._scale()
        names = {self.canary.service.primary_name, self.canary.service.canary_name, self.canary.service.name}
        route = None
        if self.leads_back:
            route = Route(None, self.now >= self.accepted_from, "" if self.now >= self.accepted_from else "not accepted yet")
        elif self.foreign_route:
            route = Route(None, True, "", False)
        elif not self.canary.splits:
            route = None if self.split is None else Route(self.split, True)
        elif self.split is not None:
            route = Route(self.split, self.now >= self.accepted_from, "" if self.now >= self.accepted_from else "not accepted yet")
        seen = Observation(
            now=self.clock, latest=self.clock_at_latest, target=self._reached(self.target, self.canary.service.canary_name),
            primary=self._reached(self.primary, self.canary.service.primary_name),
            same_as_primary=bool(self.target and self.primary and self.target.revision == self.primary.revision),
            services=tuple(sorted(names - self.services)), apex_on_primary=self.now >= self.apex_since + self.apex_takes, route=route,
            orders=self.orders(), suspended=self.suspended, deleted=self.deleted,
            rejected=self.flagger_failed and not self.stored, replicasets=tuple(self.target.history) if self.target else (),
            missing=tuple(sorted(names - self.services - {self.canary.service.name})), same_template=self._same_template(),
            changed_configs="ConfigMap app" if self.target and self.primary and configs_of(self.primary.revision) != self.target.configs else "",
            scaler=_told(self.scaler),
            scaler_to_copy=self.original is not None)
        self.saw(seen.route.split if seen.route else None)
        return seen

    def saw(self, split: Split | None) -> None:
        weight, reached = (split.canary, split.reaches_canary) if split else (0, False)
        if not self.weights or self.weights[-1][1] != weight:
            self.weights.append((self.now, weight))
        if not self.reached or self.reached[-1][1] != reached:
            self.reached.append((self.now, reached))

    def _same_template(self) -> bool:
        return bool(self.target and self.primary and template_of(self.target.revision) == template_of(self.primary.revision))

    def _scale(self) -> None:
        """Autoscalers at their work, and what users notice when there are too few pods for them."""
        share = 0 if self.split is None or self.now < self.apex_since + self.apex_takes else 100 - self.weight
        if not self.shares or self.shares[-1][1] != share:
            self.shares.append((self.now, share))
        if self.scaler and self.primary and self.primary.replicas and self.scaler.is_at_work(self.now):
            self._to(self.primary, self.scaler.wants(-(-self.load * self._share(self.scaler) // 100)))
        if self.original and self.target and self.resting:
            self._to(self.target, 0)
        elif self.original and self.target and self._scales_target() and self.original.is_at_work(self.now):
            self._to(self.target, self.original.wants(-(-self.load * (100 - self._share(self.original)) // 100)))
        for side, needed in ((self.primary, share), (self.target, 100 - share)):
            if side and side.replicas < min(self.load, self.load * needed // 100):
                self.overloaded.append(f"{self.now - BEGIN}: {side.name} has {side.replicas} replicas for {needed}% of the users")

    def _scales_target(self) -> bool:
        """KEDA begins at 0 too, unless it was told that the target rests."""
        return bool(self.target and self.target.replicas) or bool(self.canary.autoscaler and self.canary.autoscaler.pauses)

    def _share(self, scaler: Scales) -> int:
        return next((share for at, share in reversed(self.shares) if at <= self.now - scaler.measures_late), self.shares[0][1])

    def _to(self, side: Deployment, replicas: int) -> None:
        if side.replicas != replicas:
            side.scale(replicas, self.now)

    def _reached(self, side: Deployment | None, service: str) -> Workload | None:
        """As its Service shows it: without one nobody is an endpoint."""
        seen = side.see(self.now) if side else None
        return seen if seen is None or service in self.services else dataclasses.replace(seen, endpoints=0)

    def look_for(self, record: Record) -> Observation:
        """As kube/look.py: what is left is looked for only while the canary is removed."""
        return dataclasses.replace(self.look(), remains=self.remains(record)) if record.removing else self.look()

    def remains(self, record: Record) -> Remains:
        """The user's own apex is there from the beginning, and selects the target until it is ours."""
        service = self.canary.service
        there = {inventory.entry("Service", name) for name in self.services - {service.name}}
        there |= {inventory.entry("Deployment", self.canary.primary)} if self.primary else set()
        there |= {inventory.entry(self.canary.autoscaler.kind, self.canary.autoscaler.primary)} if self.scaler and self.canary.autoscaler else set()
        ours = service.name in self.services
        behind = self.primary if ours else self.target
        needed = (inventory.entry("Service", service.canary_name),) if self.canary.adopted and service.canary_name in self.services else ()
        return Remains(
            objects=tuple(item for item in inventory.to_dispose(self.canary, record.inventory) if item in there and item not in needed),
            apex=OURS if ours else ORIGINAL, apex_has_primary=self._apex_has_primary(), apex_ready=bool(behind and behind.endpoints(self.now)),
            route=ORIGINAL if self.leads_back else OURS if self._leads_to_primary() else ORIGINAL if self.canary.adopted else MISSING, held=self.held,
            needed=needed, paused=self.resting, scaler=_told(self.original))

    def _leads_to_primary(self) -> bool:
        """The route, whoever the apex leads to: the user's own names the apex in the primary's place."""
        return bool(self.split) and self.canary.splits and (not self.canary.adopted or self.weight > 0)

    def _apex_has_primary(self) -> bool:
        return self.canary.service.name in self.services or self.now < self.apex_back_since + self.apex_takes

    def orders(self) -> Orders:
        return orders_of(self.annotations)

    # -- as time goes by --

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.coming and self.coming[0][0] <= end:
            at, event = self.coming.pop(0)
            self.now = max(self.now, at)
            event(self)
        self.now = max(self.now, end)

    @property
    def clock(self) -> float:
        """What the present run knows of the time for sure."""
        return self.now - self.lag

    @property
    def clock_at_latest(self) -> float:
        return self.clock + (1.0 if self.lag else 0.0)

    def after(self, seconds: float, event: Callable[[World], None]) -> None:
        bisect.insort(self.coming, (self.now + seconds, event), key=lambda item: item[0])

    # -- as people change it --

    def release(self, wanted: str) -> None:
        assert self.target
        self.target.template(wanted, self.now)

    def configure(self, wanted: str) -> None:
        """Somebody edits a ConfigMap that the target's pods read, and the primary's would, if it were not for their copy."""
        if self.target:
            self.target.configure(wanted)

    @property
    def tracked(self) -> dict[str, str]:
        return {"configmap/app": self.target.configs} if self.target and self.target.configs else {}

    def order(self, word: str, text: str = "yes") -> None:
        self.annotations[order_key(word)] = text
        self.patient_with += 1
        self.promote_ordered = self.promote_ordered or word == "promote"

    def resume(self) -> None:
        self.annotations.pop(order_key("suspend"), None)
        self.annotations.pop(order_key("halt"), None)
        self.order("resume")

    def approve(self, gate: str, **said: str) -> None:
        record = self.record
        body = {"revision": record.pinned.revision if record.pinned else "", "run": record.run, "by": "somebody", **said}
        self.approved_at.append(self.now)
        self.patient_with += 1
        self.annotations[order_key("approve", gate)] = json.dumps(body)

    def set_weight(self, weight: int) -> None:
        """Somebody edits the route by hand, or the apex, which has all or nothing."""
        if not self.canary.splits:
            weight = 100 if weight else 0
        # Whoever edits two weights leaves all else as it is.
        self.split, self.leads_back = dataclasses.replace(self.split or Split(100, 0), primary=100 - weight, canary=weight), False
        self.accepted_from = self.now
        self.by_hand.add(weight)

    def set_copies(self, percent: int) -> None:
        """Somebody edits by hand how many requests are copied."""
        if self.split and self.canary.splits:
            self.split = dataclasses.replace(self.split, mirror=percent)
            self.copied_by_hand = min(self.copied_by_hand, self.now)
            self.accepted_from = self.now

    def lose_record(self) -> None:
        self.stored = ""
        self.annotations.clear()
        self.patient_with += 1          # what was asked is forgotten with it

    def lose_primary(self) -> None:
        self.deleted_primary, self.primary = self.primary, None

    def edit_primary(self, wanted: str) -> None:
        """By hand: the note of what was promoted to it stays."""
        if self.primary:
            self.primary.template(wanted, self.now)
            self.edited.add(wanted)

    def bring_primary_back(self) -> None:
        """Somebody applies again what was deleted; nothing where another is there by now."""
        if self.deleted_primary is not None and self.primary is None:
            self.primary = dataclasses.replace(self.deleted_primary, changed_at=self.now, had_pods=False)
        self.deleted_primary = None

    # -- as it obeys --

    def obey(self, traffic: TrafficOrder | None, workload: WorkloadOrder | None) -> None:
        if traffic:
            self._traffic(crossed(TrafficOrder, traffic))
        if workload:
            self._workload(crossed(WorkloadOrder, workload))

    def _traffic(self, order: TrafficOrder) -> None:
        service = self.canary.service
        if order.services:
            self.services |= {service.primary_name, service.canary_name}
        if order.apex:
            self.services.add(service.name)
            self.apex_since = self.now
        if order.apex_back:
            self._harmed(self.target is None or not self.target.endpoints(self.now), "the apex is given back to a target that does not answer")
            self.services.discard(service.name)
            self.apex_back_since, self.drained_from = self.now, self.now + self.apex_takes
            self.split = self.split if self.canary.splits else Split(0, 100)
        if order.route_back:
            self._harmed(self._apex_has_primary() or not self.target or not self.target.endpoints(self.now), "the route is led to an apex that is not ready")
            self.drained_from = self.now + self.accepts_after if self.split else self.drained_from
            self.split, self.leads_back, self.accepted_from = None, True, self.now + self.accepts_after
        if order.split is None:
            return
        if not self.canary.splits:
            self._traffic(TrafficOrder(apex=True))
            self.split = order.split
            return
        old = self.target is not None and self.target.started_with != self.target.configs
        self._harmed(old and order.split.canary > self.weight, "users meet pods with other settings than are analysed")
        if order.split != self.split or self.foreign_route:
            self.leads_back = False
            self.split, self.foreign_route, self.accepted_from = order.split, False, self.now + self.accepts_after
        wait = min(self.accepted_from - self.now, self.canary.options.max_time_to_accept)
        self.pass_time(max(0.0, wait))

    def _workload(self, order: WorkloadOrder) -> None:
        if order.create_primary is not None and self.primary is None:
            assert self.target
            self.primary = Deployment(self.canary.primary, self.target.revision, order.create_primary, of_any_revision=True, changed_at=self.now,
                                      template_at=self.now, had_pods=False, promoted=self.target.revision)
            self.first.add(self.target.revision)
            self.held = True
        elif order.template_back is not None and self.target:
            wanted = order.template_back["revision"]
            # As in kube/removal.py: a ReplicaSet knows a template alone; with configurations, it is made from the primary's.
            made = wanted if not configs_of(wanted) or not self.primary else self.primary.revision
            self.target.template(template_of(made), self.now)
        elif order.dispose is not None:
            self._dispose(order.dispose)
        elif order.scale_target is not None and self.target:
            self.resting = order.scale_target == 0 and bool(self.canary.autoscaler and self.canary.autoscaler.pauses)
            self.target.scale(order.scale_target, self.now)
        elif order.scaler is not None:
            self._scaler(order.scaler)
        elif order.target_scaler is not None and self.original:
            self.original.hold(order.target_scaler)
        elif order.scale_primary is not None and self.primary:
            self.primary.scale(order.scale_primary, self.now)
        elif order.pause_target is not None and self.target:
            self.target.pause(order.pause_target, self.now)
        elif order.promote is not None:
            self._retemplate(self.target, order.promote, order.promote["uid"])
        elif order.restore is not None:
            self._retemplate(self.primary, order.restore, None)

    def _scaler(self, minimum: int) -> None:
        if self.scaler is None:
            assert self.original, "there is nothing to make it from"
            self.scaler = dataclasses.replace(self.original)
        if minimum:
            self.scaler.hold(minimum)
        else:
            self.scaler.let_go()

    def _dispose(self, entries: tuple[str, ...]) -> None:
        self._harmed(self._leads_to_primary() or self._apex_has_primary(), "what serves users is deleted")
        self._harmed(bool(entries) and self.now < self.drained_from + self.canary.options.drain, "what served users is deleted before it drained")
        for entry in entries:
            kind, _slash, name = entry.partition("/")
            if kind == "Service":
                self.services.discard(name)
            elif kind == "Deployment" and self.primary and self.primary.name == name:
                self.primary = None
            elif self.canary.autoscaler and (kind, name) == (self.canary.autoscaler.kind, self.canary.autoscaler.primary):
                self.scaler = None
        self.held = False
        if self.original:
            self.original.let_go()

    def _harmed(self, harmed: bool, what: str) -> None:
        if harmed:
            self.harm.append(f"{self.now - BEGIN}: {what}")

    def _retemplate(self, source: Deployment | None, order: Any, uid: str | None) -> None:
        assert self.primary
        found = source.history.get(order["replicaset"]) if source else None
        analysed = order.get("configs", "")
        # As in kube/workloads.py: what is restored is the primary's own ReplicaSet, by name, whatever it holds.
        if found is None or (uid is not None and ((uid, template_of(order["revision"])) != found)):
            raise CanaryError(f"ReplicaSet {order['replicaset']} is gone")
        if uid is not None and source and source.configs != analysed:
            return
        self.primary.template(combined(found[1], analysed), self.now)
        self.primary.promoted = order["revision"]

    # -- as it answers --

    def ask(self, index: int) -> Answer:
        one = self.canary.analysis.hooks[index]
        outcome = self.gates.get(index, REFUSED if one.type == ROLLBACK else ALLOWED)
        self.asked.append((self.now, index))
        status, body = {ALLOWED: 200, REFUSED: 403}.get(outcome, 0), "" if outcome == ALLOWED else "no\nway"
        return crossed(Answer, Answer(index, one.name, one.type, outcome, status, body))

    def measure(self, index: int) -> Outcome:
        one = next(item for item in self.canary.analysis.checks if item.index == index)
        outcome, why = self.measures.get(index, (PASS, ""))
        self.measured.append((self.now, index))
        return crossed(Outcome, Outcome(index, one.name, outcome, None if outcome == UNKNOWN else 99.9, one.minimum, one.maximum,
                                        why or (f"{one.name} 12.00% < 99%" if outcome == FAIL else "")))


def _told(scaler: Scales | None) -> Scaler | None:
    return Scaler(scaler.minimum, scaler.maximum, scaler.before is not None) if scaler else None


@functools.lru_cache(maxsize=8)
def _read(text: str) -> Record:
    return loads(text)


def _in_one_line(value: Any) -> Any:
    """What others said is recorded without its line breaks."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _in_one_line(item) for key, item in value.items()}
    return [_in_one_line(item) for item in value] if isinstance(value, (list, tuple)) else value


def crossed(kind: type, value: Any) -> Any:
    """A dataclass after its way through JSON."""
    return load(kind, json.loads(json.dumps(dump(value), allow_nan=False)))


class Killed(Exception):
    """kill -9."""


@dataclass
class Run:
    """One ansible-playbook run of the role: rounds of observe, ask, check, decide and obey, until it ends or is killed."""

    world: World
    name: str = "run"
    mode: str = "walk"
    on_wait: str = "wait"
    anew: bool = False
    patience: float = 7200.0            # seconds after which somebody interrupts it
    rounds: int = 2000
    record: Record = field(init=False)
    holder: Holder = field(init=False)
    outcome: str = ""
    why: str = ""

    def walk(self) -> Run:
        world, end = self.world, self.world.now + self.patience
        if world.tells_seconds:
            world.pass_time(STARTING)
            world.lag = world.writes * 0.37 % 1.0
        self.holder = Holder(f"{self.name}-{world.writes}-{world.now}", since=world.clock)
        try:
            for _round in range(self.rounds):
                tick = self._observe(end)
                if tick is None:
                    return self
                self._crossing()
                self._act(crossed(Observation, tick[0]), *tick[1:])
                world.pass_time(TICK_COSTS)
            raise AssertionError(f"{self.rounds} rounds and no end: {world.decisions[-1]}")
        except Killed:
            self.outcome = "killed"
        except CanaryError as error:
            self.outcome, self.why = "error", str(error)
        return self

    # -- observe --

    def _observe(self, end: float) -> tuple[Observation, Asks, Any] | None:
        world, polls = self.world, iter(POLLS)
        self.record = self._found()
        if self.record.holder is not None and self.record.holder.run != self.holder.run:
            self._claim()
        while True:
            if world.now > end:
                return self._ended("interrupted", "")
            self.record = self.record if self._is_ours() else self._found()
            quiet = self._confirmed_by_route()
            if quiet:
                due, decision = False, Decision(self.record, CLOCK, self.record.due_why or "gathering evidence")
                seen = None
            else:
                seen = world.look_for(self.record)
                self.record = dataclasses.replace(self.record, tracked=world.tracked if world.target else self.record.tracked)
                back = read_back(world.canary, self.record, seen)
                self.record = back.record
                if back.traffic or back.workload:
                    self._save()
                    return seen, Asks(), back
                due, decision = is_due(world.canary, self.record, seen)
            self._tell(max(decision.due, self.record.due))
            judges = seen is not None and stages.stage(world.canary, self.record, seen) == stages.JUDGE
            if due and not (self.mode == "tick" and self.record.judged_by == self.holder.run and judges):
                assert seen is not None
                self._save()
                return seen, asks(world.canary, self.record, seen), None
            if decision.waits == DONE:
                return self._ended(decision.outcome, decision.why)
            over = self._over(decision)
            if over:
                return self._ended(over, decision.why)
            self._wait(decision, next(polls, POLLS[-1]))

    def _found(self) -> Record:
        """The record as a run finds it that may not have claimed it yet."""
        world, record = self.world, self.world.record
        if record.phase == states.TERMINATED and self.anew:
            record = Record(record.name, record.namespace, identity=record.identity, epoch=record.epoch, holder=record.holder)
        if record.holder is None or record.holder.run != self.holder.run:
            record = absence.noted(world.canary, record, world.clock)
        return record

    def _is_ours(self) -> bool:
        return self.record.holder is not None and self.record.holder.run == self.holder.run

    def _confirmed_by_route(self) -> bool:
        """As kube/rounds.py: after a raise one read of the route is enough."""
        world, intent = self.world, self.record.intent
        if intent is None or intent.workload or not intent.traffic or not intent.traffic.split or intent.traffic.services or intent.traffic.apex:
            return False
        if self.record.phase not in states.ANALYSING or not intent.traffic.split.reaches_canary or world.orders() != Orders():
            return False
        if world.foreign_route or world.split != intent.traffic.split or world.now < world.accepted_from:
            return False
        seen = Observation(world.clock, None, None, False, (), True, Route(world.split, True), latest=world.clock_at_latest)
        self.record = read_back(world.canary, self.record, seen).record
        world.saw(world.split)
        return True

    def _claim(self) -> None:
        if not self._is_ours():
            self._write(dataclasses.replace(self.record, holder=dataclasses.replace(self.holder, since=self.world.clock), epoch=self.record.epoch + 1))

    def _save(self) -> None:
        self._claim()
        if self.record != self.world.record or not self.world.stored:
            self._write(self.record)

    def _write(self, record: Record) -> None:
        self.world.stored = dumps(record)
        self.world.writes += 1
        assert _in_one_line(dump(self.world.record)) == _in_one_line(dump(record)), "the record changed on its way through text"
        self.record = self.world.record
        self._crossing()

    def _tell(self, due: float) -> None:
        if self.record.report:
            self.world.lines.append(words.line(self.record, self.world.now, self.record.report, due))
            self.record = dataclasses.replace(self.record, report="")
        if self.record.untold:
            self._claim()
            self.world.told += self.record.untold
            self.record = dataclasses.replace(self.record, untold=())

    def _over(self, decision: Decision) -> str:
        if decision.waits == PERSON and (self.on_wait == "end" or self.mode == "tick"):
            return "waiting"
        if self.mode != "tick":
            return ""
        if decision.waits == KUBERNETES and self.world.clock > self.holder.since + 15:
            return "waiting"
        if decision.waits == CLOCK and (self.record.judged_by == self.holder.run or decision.due - self.world.clock > 15):
            return "waiting" if self._is_ours() else "not_due"
        return ""

    def _wait(self, decision: Decision, poll: float) -> None:
        self._save()
        world = self.world
        world.lines.append(words.line(self.record, world.now, decision.why, decision.due))
        if decision.waits == KUBERNETES or decision.due <= world.clock:
            world.pass_time(poll)
        else:
            before = world.orders()
            while world.clock < decision.due and world.orders() == before:
                following = world.coming[0][0] if world.coming else NEVER
                world.pass_time(max(0.01, min(decision.due - world.clock, following - world.now, LOOKS_EVERY)))
                if self.record.pinned and world.target and world.target.revision != self.record.pinned.revision:
                    break
        self.record = world.record

    def _ended(self, outcome: str, why: str) -> None:
        self.outcome, self.why = outcome, why
        if self._is_ours():
            self._write(dataclasses.replace(self.record, holder=None))
        self.world.lines.append(words.line(self.record, self.world.now, f"{outcome}: {why}", self.record.due))

    # -- ask, decide, obey --

    def _act(self, seen: Observation, wanted: Asks, back: Any) -> None:
        world = self.world
        if back is not None:
            self._carry_out(seen, back.traffic, back.workload, again=True)
            return
        answers = [world.ask(index) for index in wanted.before]
        outcomes = [world.measure(index) for index in wanted.checks]
        if all(item.outcome == PASS for item in outcomes):
            answers += [world.ask(index) for index in wanted.after]
        stored = world.record
        seen = dataclasses.replace(seen, orders=world.orders())
        record = read_back(world.canary, stored, seen).record
        where = stages.stage(world.canary, record, seen)
        decision = decide(world.canary, record, seen, answers, outcomes)
        world.decisions.append((world.now, where, decision))
        if where == stages.JUDGE and record.pinned and all(item.outcome == PASS for item in outcomes):
            world.passed.add(f"{record.pinned.revision}@{record.canary_weight}")
            copied = record.mirror >= world.canary.analysis.mirror
            if record.mirror and copied:
                world.copied.add(record.run)
            if record.canary_weight == (100 if world.canary.analysis.match else 0) and copied:
                world.iterated.append((world.now, record.run, record.iterations))
        after = dataclasses.replace(decision.record, report=words.report(decision.why, answers, outcomes),
                                    judged_by=self.holder.run if where == stages.JUDGE else decision.record.judged_by)
        for key in decision.obeyed:
            world.annotations.pop(key, None)
        if after != stored or decision.obeyed:
            self._write(after)
        self._carry_out(seen, decision.traffic, decision.workload)

    def _carry_out(self, seen: Observation, traffic: TrafficOrder | None, workload: WorkloadOrder | None, again: bool = False) -> None:
        world = self.world
        for one in (TrafficOrder, WorkloadOrder):
            order = traffic if one is TrafficOrder else workload
            if order is None:
                continue
            world.done.append(Done(world.now, seen, world.record, world.canary, traffic if order is traffic else None,
                                   workload if order is workload else None, again))
            world.obey(world.done[-1].traffic, world.done[-1].workload)
            self._crossing()

    def _crossing(self) -> None:
        self.world.crossings += 1
        if self.world.crossings in self.world.kill_at:
            raise Killed


# -- worlds to begin with --

def fresh(document: Canary | None = None, **more: Any) -> World:
    """The target serves on its own, nobody ever walked it."""
    document = document or canary()
    scaled = {"original": Scales(2, 10), "load": 4} if document.autoscaler else {}
    return World(document, target=Deployment("podinfo", A, 2), **{**scaled, **more})


def released(document: Canary | None = None, wanted: str = B, **more: Any) -> World:
    """Revision A is promoted and serves, and somebody has just released another one."""
    world = fresh(document, **more)
    assert world.target
    world.target.scale(0, world.now)
    world.primary = Deployment(world.canary.primary, A, 2, of_any_revision=True, promoted=A)
    world.scaler = world.scaler or (dataclasses.replace(world.original) if world.original else None)
    world.resting = bool(world.canary.autoscaler and world.canary.autoscaler.pauses)
    world.first.add(A)
    world.held = True
    world.services = {world.canary.service.name, world.canary.service.primary_name, world.canary.service.canary_name}
    world.apex_since = world.now - 3600
    world.set_weight(0)
    world.stored = dumps(Record(world.canary.name, world.canary.namespace, identity=world.canary.identity, phase=states.SUCCEEDED, last_applied=A,
                                last_promoted=A, settled=True, last_transition=BEGIN - 3600, condition_since=BEGIN - 3600))
    world.release(wanted)
    return world


def until(world: World, when: Callable[[World], bool], **how: Any) -> Run:
    """Walk and kill the run at the first crossing at which ``when`` holds."""
    class Watched(Run):
        def _crossing(self) -> None:
            super()._crossing()
            if when(self.world):
                raise Killed
    run = Watched(world, **how).walk()
    assert run.outcome == "killed", f"it never came to that: {run.outcome} {run.why}"
    return run


def at_weight(weight: int, document: Canary | None = None, **more: Any) -> World:
    """Revision B under analysis at a confirmed weight, nobody walks."""
    world = released(document, **more)
    until(world, lambda now: now.record.canary_weight == weight and now.record.phase == states.PROGRESSING and now.record.intent is None)
    return world


def in_phase(phase: str, document: Canary | None = None, **more: Any) -> World:
    """Revision B (the first one, where nothing is initialised yet) in a phase, nobody walks."""
    world = fresh(document, **more) if phase in (states.INITIALIZING, states.INITIALIZED) else released(document, **more)
    until(world, lambda now: bool(now.stored) and now.record.phase == phase and now.record.intent is None)
    return world


def raises(world: World) -> list[int]:
    """The weights that were ordered upwards, in order, without repetition."""
    found: list[int] = []
    for one in world.done:
        if one.weight is not None and one.weight > one.live and (not found or found[-1] != one.weight):
            found.append(one.weight)
    return found


__all__ = ["A", "B", "BEGIN", "C", "D", "NEVER", "PREFIX", "X", "Y", "Deployment", "Done", "Run", "World", "at_weight", "canary", "check", "crossed", "fresh",
           "hook", "in_phase", "raises", "released", "revision", "until", "weight_of"]
