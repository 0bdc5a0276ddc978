# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One turn of the state machine: the record as it evolves while a decision is made, and the words for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import cookies, inventory, record as states, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    ALLOWED,
    NO_ANSWER,
    REFUSED,
    Answer,
    Observation,
    Outcome,
    Split,
    TrafficOrder,
    WorkloadOrder,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Ending, Intent, Pinned, Record, Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt, one_line
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    ERROR,
    INFO,
    ROLLBACK,
    WARN,
    Canary,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.stage import approved, promoted_now
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import Target

# What a decision waits for: a walker polls, sleeps until the due, or ends.
ACT = "act"                 # nothing: do the orders, then look at once
KUBERNETES = "kubernetes"   # pods, slices, a route's acceptance
CLOCK = "clock"             # evidence, drain, settle
PERSON = "person"           # a closed gate, suspend, halt: asked again at the due
DONE = "done"

# What a closed gate keeps, in Flagger's words.
_KEPT_BY = {CONFIRM_ROLLOUT: "", CONFIRM_TRAFFIC_INCREASE: "traffic increase", CONFIRM_PROMOTION: "promotion"}

# How severe it is that a walk goes down, by its outcome: what people did themselves is no error.
_SEVERITY = {"rolled_back": ERROR, "aborted": WARN, "superseded": INFO}


@dataclass(frozen=True)
class Decision:
    """What the brain says: the next record with its intent, the orders to carry out now, and what to wait for."""

    record: Record
    waits: str
    why: str
    traffic: TrafficOrder | None = None
    workload: WorkloadOrder | None = None
    outcome: str = ""
    obeyed: tuple[str, ...] = ()        # annotations of people's orders that are done with

    @property
    def due(self) -> float:
        return self.record.due


@dataclass
class Turn:
    """The only mutable thing of the brain; it lives for one call of ``decide``."""

    canary: Canary
    record: Record
    seen: Observation
    answers: Sequence[Answer] = ()
    outcomes: Sequence[Outcome] = ()
    gates_asked: bool = False           # answers were gathered for this tick (dry looks have none)
    obeyed: list[str] = field(default_factory=list)

    @property
    def now(self) -> float:
        return self.seen.now

    @property
    def live(self) -> Split | None:
        """What the live object says; None where it says nothing."""
        return self.seen.route.split if self.seen.route else None

    @property
    def weight(self) -> int:
        """The canary's weight on the live object, the confirmed one where the object says nothing."""
        return self.live.canary if self.live else self.record.canary_weight

    @property
    def reaches_canary(self) -> bool:
        """Whether requests, or copies of them, get to the canary, as far as the live object or the record knows."""
        return bool(self.live and self.live.reaches_canary) or self.record.reaches_canary

    @property
    def label(self) -> str:
        return f"{self.canary.name}.{self.canary.namespace}"

    @property
    def primary_gone(self) -> str:
        """Of a primary that does not exist: what that means, and the way out. Made by itself again it would be of a template that nobody analysed."""
        return (f"{self.canary.primary} does not exist: users have nobody there; apply it again, or delete the ConfigMap {self.canary.namespace}/"
                f"{self.canary.name}-canary and run again, which makes both anew by the template that {self.canary.target} has then")

    @property
    def target_label(self) -> str:
        return f"{self.canary.target}.{self.canary.namespace}"

    @property
    def target_gone(self) -> str:
        return f"{self.canary.target_kind} {self.target_label} does not exist"

    @property
    def kind(self) -> Target:
        """What the target's kind makes different."""
        return targets.by_kind(self.canary.target_kind)

    # -- the record --

    def set(self, **changes: Any) -> None:
        self.record = dataclasses.replace(self.record, **changes)

    def enter(self, phase: str) -> None:
        """A phase begins; the condition keeps its time while its status stays the same."""
        if phase == self.record.phase:
            return
        changed = states.condition_status(phase) != states.condition_status(self.record.phase)
        self.set(phase=phase, last_transition=self.now, unready_since=0.0,
                 condition_since=self.now if changed or not self.record.condition_since else self.record.condition_since)

    def tell(self, message: str, kind: str = "Normal", once: str = "", alert: str = "", severity: str = INFO) -> None:
        """Say it by an Event, and by an alert where there is a text for one; ``once`` names what is said only one time in an analysis."""
        if once:
            if once in self.record.announced:
                return
            self.set(announced=self.record.announced + (once,))
        told = Told(one_line(message), kind, one_line(alert), severity) if alert else Told(one_line(message), kind)
        self.set(untold=self.record.untold + (told,))

    def warn(self, message: str, once: str = "", alert: str = "", severity: str = ERROR) -> None:
        self.tell(message, "Warning", once, alert, severity)

    def count_failure(self) -> bool:
        """One more failed check; True when the threshold is reached."""
        self.set(failed_checks=self.record.failed_checks + 1)
        return self.record.failed_checks >= self.canary.analysis.threshold

    def begin_analysis(self, phase: str, run: str) -> None:
        """A new revision is taken up: counters at zero, the revision pinned."""
        target = self.seen.target
        self.enter(phase)
        self.set(
            run=run, pinned=Pinned(target.revision, target.replicaset, target.replicaset_uid, target.configs),
            failed_checks=0, iterations=0, iterations_wanted=0,
            ready_since=0.0, unready_since=0.0, hold_since=0.0, pre_rollout_done=False, announced=(), ending=None, restoring=None,
            previous={}, started_at=self.now, due=0.0, due_why="", closed_gate="", evidence=(),
            primary_replicas=self.seen.primary.replicas if self.seen.primary else 0, scaler_minimum=0)
        if not promoted_now(self.record, self.seen.orders):
            self.forget_promotion()

    # -- people's orders --

    def obey(self, word: str, said: str, gate: str = "") -> None:
        """A person's order is done with: its annotation goes, and the record keeps who gave it and why (SAFETY 30)."""
        self.obeyed.append(states.order_key(word, gate))
        self.note(f"{word} {gate}".rstrip(), said)

    def note(self, order: str, said: str) -> None:
        """Keep who ordered what, and why."""
        entry = {"at": self.now, "order": order, "said": _kept(said)}
        self.set(obeyed=(*self.record.obeyed, entry)[-states.ORDERS_KEPT:])

    def forget_promotion(self) -> None:
        """An order to promote ends with the revision that it names: it is for nothing that comes later (SAFETY 4)."""
        key = states.order_key("promote")
        if self.seen.orders.promote and key not in self.obeyed:
            self.obeyed.append(key)

    def ordered_promotion(self) -> str:
        """Whose order promoted what is pinned, in words; "" where the analysis did."""
        said = [entry["said"] for entry in self.record.obeyed if entry["order"] == "promote" and entry["at"] >= self.record.started_at]
        return f"promoted {states.by_a_person(said[-1])}" if said else ""

    def suspended_by(self) -> str:
        """Who suspended it, in words; a person's order stands until somebody takes it back, and is kept once."""
        orders = self.seen.orders
        ordered, word = orders.suspend or orders.halt, "suspend" if orders.suspend else "halt"
        holds = [(entry["order"], entry["said"]) for entry in self.record.obeyed if entry["order"] in ("suspend", "halt", "resume")]
        if ordered and holds[-1:] != [(word, _kept(ordered))]:
            self.note(word, ordered)
        return "by spec.suspend" if self.seen.suspended else states.by_a_person(ordered)

    # -- decisions --

    def act(self, why: str, *, lowers: bool, traffic: TrafficOrder | None = None, workload: WorkloadOrder | None = None) -> Decision:
        """Order a change: recorded as an intent before anything is touched."""
        revision = self.record.pinned.revision if self.record.pinned else ""
        self.set(intent=Intent(self.now, revision, lowers, traffic, workload), closed_gate="",
                 inventory=inventory.joined(self.record.inventory, inventory.made_by(self.canary, self.seen, traffic, workload, self.record.tracked)))
        return Decision(self.record, ACT, why, traffic, workload, obeyed=tuple(self.obeyed))

    def lower(self, why: str, canary: int = 0) -> Decision:
        """Traffic down, and only traffic (SAFETY 9). The primary must be able to answer (SAFETY 16)."""
        primary = self.seen.primary
        if primary is None or primary.endpoints == 0:
            self.warn(f"Halt {self.label}: traffic cannot go back to the primary, it has no ready endpoint", once="no-primary",
                      alert="Traffic cannot go back to the primary, it has no ready endpoint")
            return self.wait(KUBERNETES, f"{why}; but the primary has no ready endpoint, so traffic stays where it is")
        canary = min(canary, self.live.canary if self.live else 0)      # a route that vanished comes back without weight
        return self.act(why, lowers=True, traffic=TrafficOrder(split=self._split(canary)))

    def raise_to(self, weight: int, why: str) -> Decision:
        """Users' requests to the canary; copies of them end with the same change, since nobody is to be served and copied at once."""
        return self.act(why, lowers=False, traffic=TrafficOrder(split=self._split(weight), raised_from=self.weight, mirrored_from=self.record.mirror))

    def mirror(self, why: str) -> Decision:
        """Copies of users' requests to the canary, as many as the document asks for; its answers reach nobody."""
        copied = dataclasses.replace(self._split(0), mirror=self.canary.analysis.mirror)
        return self.act(why, lowers=False, traffic=TrafficOrder(split=copied, raised_from=self.weight, mirrored_from=self.record.mirror))

    def all_to_primary(self) -> Split:
        """Nothing for the canary, neither by weight nor by copies nor by a cookie."""
        return self._split(0)

    def _split(self, weight: int) -> Split:
        """A weight without copies, with the cookies that belong to it: by the last ones users do not come back when it is 0."""
        if self.canary.analysis.affinity is None:
            return Split(100 - weight, weight)
        run = self.record.run
        if weight:
            return Split(100 - weight, weight, cookie=cookies.of_canary(self.canary, run), primary_cookie=cookies.of_primary(self.canary, run, weight))
        known = (self.live.cookie, self.live.previous_cookie) if self.live else ()
        return Split(100, 0, previous_cookie=next(filter(None, (*known, self.record.cookie, self.record.previous_cookie)), ""))

    def scale(self, replicas: int, before: str = "", after: str = "") -> Decision:
        """The target's replicas; what stands ``before`` and ``after`` the order's words says why."""
        why = f"{before}{self.kind.scaling(self.canary.target, replicas)}{after}"
        return self.act(why, lowers=replicas == 0, workload=WorkloadOrder(scale_target=replicas))

    def wait(self, what: str, why: str, due: float | None = None) -> Decision:
        if due is not None:
            self.set(due=due, due_why=why)
        return Decision(self.record, what, why, obeyed=tuple(self.obeyed))

    def wait_asking(self, why: str) -> Decision:
        """Kubernetes works, and rollback hooks are read meanwhile: once an interval, not with every look (WS 13)."""
        if self.now >= self.record.due and self.canary.analysis.of_type(ROLLBACK):
            self.set(due=self.seen.after(self.canary.analysis.interval))
        return self.wait(KUBERNETES, why)

    def next_interval(self, what: str, why: str, gate: str = "") -> Decision:
        """Look again one interval from now; ``gate`` is the one that keeps it."""
        self.set(closed_gate=gate)
        return self.wait(what, why, due=self.seen.after(self.canary.analysis.interval))

    def outcome_of_run(self) -> tuple[str, str]:
        """How a walk ended that this run walked, and why; two empty texts when none did."""
        record = self.record
        began = record.holder.since if record.holder else self.now
        return (record.outcome, record.outcome_why) if record.outcome and record.outcome_at >= began else ("", "")

    def done(self, outcome: str, why: str) -> Decision:
        self.set(due=0.0, due_why="")
        return Decision(self.record, DONE, why, outcome=outcome, obeyed=tuple(self.obeyed))

    def end(self, outcome: str, why: str, alert: str = "", severity: str = "") -> None:
        """Decide that the walk goes down; what follows is the same for every reason. The first reason stays."""
        if self.record.ending is None:
            self.set(ending=Ending(outcome, why, self.now), due=0.0, due_why="", hold_since=0.0, closed_gate="")
            self.warn(f"Rolling back {self.label} {why}", alert=alert or f"Rolling back: {why}", severity=severity or _SEVERITY[outcome])

    def end_as_asked(self, why: str) -> None:
        """A rollback hook wants it."""
        self.end("rolled_back", why, alert="Rolling back manual webhook invoked", severity=WARN)

    def end_at_threshold(self, why: str = "") -> None:
        reached = f"failed checks threshold reached {self.canary.analysis.threshold}"
        self.end("rolled_back", f"{reached}: {why}" if why else reached, alert=reached.capitalize())

    # -- gates and hooks --

    def halt_for(self, gate: str, why: str, once: str = "") -> None:
        """Say what waits at a closed gate, once (WS 11); without an alert where the hook that keeps it asks for none (muteAlert)."""
        allowed = [answer.index for answer in self.answers if answer.type == gate and answer.outcome == ALLOWED]
        closing = None if gate in self.canary.options.manual_gates else next(
            (hook for hook in self.canary.analysis.of_type(gate) if hook.index not in allowed), None)
        what = _KEPT_BY[gate]
        self.warn(f"Halt {self.label} advancement waiting for {f'{what} ' if what else ''}approval {why}", once=once or gate, severity=WARN,
                  alert="" if closing and closing.mute_alert else f"Canary {f'{what} ' if what else ''}is waiting for approval.")

    def gate(self, gate: str) -> tuple[bool, str]:
        """Whether a gate is open, and in words why not. A gate without hook and without a person's duty is open."""
        approval = approved(self.record, self.seen.orders, gate)
        if approval:
            self.obey("approve", approval.get("by", ""), gate)
            return True, "approved by a person"
        if gate in self.canary.options.manual_gates:
            return False, f"{gate} waits for a person: progressive.delivery.approve"
        hooks = self.canary.analysis.of_type(gate)
        missing = [hook.name for hook in hooks if not any(answer.index == hook.index for answer in self.answers)]
        for answer in self.answers:
            if answer.type == gate and answer.outcome != ALLOWED:
                said = "did not answer" if answer.outcome == NO_ANSWER else f"answered {answer.status}"
                return False, f"{gate} {answer.name} {said}" + (f": {answer.body}" if answer.body and answer.outcome == NO_ANSWER else "")
        if missing:
            return False, f"{gate} {missing[0]} was not asked"
        for hook in hooks:
            self.tell(f"{gate.capitalize()} check {hook.name} passed")
        return True, ""

    def hooks(self, hook_type: str) -> tuple[str, str]:
        """Rollout and pre-rollout hooks as one verdict: pass, fail or hold, and in words which one and why.

        The options say what a hook means that did not answer; one that was not asked is never a pass (ANSIBLE 13).
        """
        unknown = ""
        for answer in self.answers:
            if answer.type != hook_type or answer.outcome == ALLOWED:
                continue
            if answer.outcome == REFUSED:
                return "fail", f"{hook_type} check {answer.name} failed: {answer.body or answer.status}"
            unknown = unknown or f"no_answer: {hook_type} check {answer.name} did not answer: {answer.body}"
        missing = [hook.name for hook in self.canary.analysis.of_type(hook_type) if not any(a.index == hook.index for a in self.answers)]
        if not unknown and missing:
            unknown = f"no_answer: {hook_type} check {missing[0]} was not asked"
        policy = self.canary.options.on_no_answer if unknown else "pass"
        if policy == "pass" and not missing:
            return "pass", ""
        return ("fail" if policy == "fail" else "hold"), unknown

    def rollback_requested(self) -> str:
        """The rollback hook that signals a rollback, in words; empty when none does (WS 13: read in every phase)."""
        for answer in self.answers:
            if answer.type == "rollback" and answer.outcome == ALLOWED:
                return f"manual webhook {answer.name} invoked"
        return ""


def _kept(said: str) -> str:
    """What the record keeps of what a person said with an order."""
    return excerpt(states.who_and_why(said))
