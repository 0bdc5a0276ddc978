# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One observation of a run: claim, read back, tell, wait until something is due (DESIGN 4, step 1)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import walker
from ansible_collections.progressive.delivery.plugins.module_utils.canary import absence, inventory, record as states, stage as stages, takeover, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary import words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError, LostLock, RecordError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import Asks, ReadBack, asks, every, is_due, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, Orders, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, Told, flagger_status
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rescue import rescue
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import checksum
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import CLOCK, DONE, KUBERNETES, PERSON, Decision
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs, documents, events, look, record as store, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import FORBIDDEN
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.services import has_endpoints
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer

SLOWEST_CHECK = 10.0        # seconds that one check may take: two queries of five
POLL = 0.4                  # seconds between looks while Kubernetes works
RENEW = 10.0                # most seconds between two renewals of a waiting holder's lease
TICK_GRACE = 15.0           # seconds that tick mode may wait for a near due, or for Kubernetes (SAFETY 12)
STALE_MARGIN = 15.0         # seconds beyond the lease that tick mode wants, since it cannot watch a renewal stand still
CLAIM_TRIES = 10            # a takeover races with a living holder's writes
SLACK = 5.0                 # seconds by which a tick may begin after its due under the lease of the wait before it
ENDS = ("promoted", "rolled_back", "aborted", "superseded", "unchanged", "removed")   # how a walk ends, of the outcomes of a run
REPEAT = 30.0               # seconds after which a wait says again what it waits for


@dataclass
class Round:
    """What one call of canary_observe does, from the first read to what is due or how the run ends."""

    api: Api
    canary: Canary
    holder: Holder
    say: Callable[[str], None]
    announce: Callable[[Record, Sequence[Told]], None]      # event hooks
    mode: str = "walk"
    on_wait: str = "wait"
    take_over: bool = False
    asked: str = ""                     # the revision that this run was started for
    anew: bool = False                  # begin again where the canary was removed
    abort: bool = False                 # traffic is taken back also without a readable record
    impatient: Callable[[str], bool] = lambda why: False    # whether this call has to return now instead of waiting on (ANSIBLE 7)
    document: dict[str, Any] | None = None
    # state of the call
    stored: store.Stored = field(init=False)
    record: Record = field(init=False)
    canary_object: dict[str, Any] | None = field(init=False, default=None)
    began: float = field(init=False, default_factory=time.monotonic)
    _said: tuple[str, float] = field(init=False, default=("", 0.0))
    changed: bool = field(init=False, default=False)
    _unkept: bool = field(init=False, default=False)

    # -- the whole --

    def run(self) -> dict[str, Any]:
        """The mapping ``tick``; ``tick.outcome`` is set when the run is over."""
        try:
            self._read()
        except RecordError as error:
            if not self.abort:
                raise
            return self._rescue(str(error).removesuffix(store.WAY_OUT))
        if self.abort and not self.stored.exists:
            return self._rescue("")
        self._stop_if_held()
        if self.abort:
            self._begin_nothing()
        decided = self._is_ours() and bool(self.record.report)      # told below, so it is the tick before this observation that made it
        while True:
            quiet = self._confirmed_by_route()
            seen = None if quiet else self._look()
            if seen is not None:
                back = read_back(self.canary, self.record, seen)
                self.record = back.record
                if back.traffic or back.workload:
                    return self._open(seen, back)
                due, decision = is_due(self.canary, self.record, seen)
            else:
                due, decision = False, Decision(self.record, CLOCK, self.record.due_why or words.gathering(self.record))
            ends = self._outcome(decision) if decision.waits == DONE else None
            self._tell(decision.due, last=": ".join(ends) if ends and not due else "")
            if decided and self._leaves_at_the_gate(decision):
                return self._end("waiting", self.record.due_why or decision.why)
            if due and not (self._ticked() and self._judges(seen)):
                return self._due(seen, decision)
            if ends:
                return self._end(*ends)
            over = self._over(decision, decided)
            if over:
                return self._end(over, decision.why)
            if self.impatient(decision.why):
                self._save()
                return {"again": True}
            self._wait(decision)

    # -- reading --

    def _read(self) -> None:
        self.stored = store.read(self.api, self.canary.namespace, self.canary.name)
        self._adopt()
        if self.canary.source == "object":
            self.canary_object = documents.read_canary(self.api, self.canary.namespace, self.canary.name)

    def _adopt(self) -> None:
        """Take the stored record as the present one; what a document may not change in a walk is held against it (SAFETY 8)."""
        if self.stored.record is None:
            self.record = Record(self.canary.name, self.canary.namespace, identity=self.canary.identity)
            return
        self.record = self.stored.record
        if self._is_ours():
            store.agree(self.api, self.record)
        if self.record.phase == states.TERMINATED and self.anew:
            self.record = Record(self.canary.name, self.canary.namespace, identity=self.canary.identity, epoch=self.record.epoch, holder=self.record.holder)
        if not self._is_ours():
            self.record = absence.noted(self.canary, self.record, self.api.now())
        refused = states.another_target(self.record, self.canary.identity)
        if refused:
            raise refused
        if self.record.phase in (*states.IDLE, states.TERMINATED) or self.record.identity == self.canary.identity:
            self.record = dataclasses.replace(self.record, identity=self.canary.identity)
            return
        for key in {**self.record.identity, **self.canary.identity}:
            value = self.record.identity.get(key)
            if self.canary.identity.get(key) != value:
                raise SpecError(f"{key} of the document",
                                f"changed from {value} to {self.canary.identity.get(key)} while {self.canary.name} is {self.record.phase}",
                                "it is frozen until the walk has ended: set it back, or abort first")

    def _orders(self) -> Orders:
        return self.stored.orders

    def _look(self) -> Observation:
        seen, noted = look.look_whole(self.api, self.canary, self.record)
        # Of a canary that is removed nothing is tracked any more, whoever looks once more.
        if noted.tracked is not None and noted.tracked != self.record.tracked and self.record.phase != states.TERMINATED:
            self.record = dataclasses.replace(self.record, tracked=noted.tracked)
        if not set(noted.taken_over) <= set(self.record.inventory):
            self.record = dataclasses.replace(self.record, inventory=inventory.joined(self.record.inventory, noted.taken_over))
        if seen.target and seen.target.uid != self.record.target_uid:
            self.record = dataclasses.replace(self.record, target_uid=seen.target.uid)
        if self.canary.revert_on_deletion and self.canary_object:
            # Whoever waits in here has to hear of its deletion too.
            self.canary_object = documents.readable_canary(self.api, self.canary.namespace, self.canary.name) or self.canary_object
        suspended = bool(self.canary_object and takeover.is_suspended(self.canary_object)) if self.canary.source == "object" else self.canary.suspend
        rejected = bool(self.canary_object and seen.target and takeover.rejects(self.canary_object, seen.target.revision))
        return dataclasses.replace(seen, orders=self._orders(), suspended=suspended, rejected=rejected,
                                   deleted=documents.is_deleted(self.canary_object))

    def _confirmed_by_route(self) -> bool:
        """The common case after a raise, by one read: the route says what was ordered, and evidence is gathered from now on."""
        intent = self.record.intent
        if intent is None or intent.workload or not intent.traffic or not intent.traffic.split or intent.traffic.services or intent.traffic.apex:
            return False
        if self.record.phase not in states.ANALYSING or not intent.traffic.split.reaches_canary or self._orders() != Orders():
            return False
        if documents.is_deleted(self.canary_object):
            return False
        route = look.read_route(self.api, self.canary)
        if route is None or route.split != intent.traffic.split or not route.accepted:
            return False
        seen = Observation(self.api.now(), None, None, False, (), True, route, latest=self.api.now_at_latest())
        self.record = read_back(self.canary, self.record, seen).record
        return True

    def _rescue(self, problem: str) -> dict[str, Any]:
        """An abort without a record: fence off whoever walked, then one order for traffic until it is seen done (SAFETY 1, 6, 16)."""
        self.record = Record(self.canary.name, self.canary.namespace)
        route, epoch = look.route_now(self.api, self.canary), 0
        if route and route.split:
            epoch = look.newest_epoch(self.api, self.canary) + 1
            look.fence(self.api, self.canary, epoch)
            self.changed = True
            route = look.route_now(self.api, self.canary)
        rescued = rescue(self.canary, problem, route, has_endpoints(self.api, self.canary.namespace, self.canary.service.primary_name))
        if route and route.split:
            self.record = dataclasses.replace(self.record, canary_weight=route.split.canary, mirror=route.split.mirror, epoch=epoch)
        if rescued.traffic is None:
            return self._end("held", rescued.why)
        self.say(words.line(self.record, self.api.now(), rescued.why))
        return self._tick(Observation(self.api.now(), None, None, False, (), False, route), Asks(),
                          open={"traffic": dump(rescued.traffic), "workload": None})

    # -- the lock --

    def _is_ours(self) -> bool:
        return store.is_ours(self.record, self.holder.run)

    def _stop_if_held(self) -> None:
        """Somebody alive holds it: say so at once and touch nothing. Somebody dead: take over, and fence (SAFETY 1, 3)."""
        other = self.record.holder
        if other is None or self._is_ours():
            return
        if not self.take_over and not walker.is_gone(other):
            now = self.api.now()
            margin = STALE_MARGIN if self.mode == "tick" else 0.0
            if now < other.until + margin or (self.mode != "tick" and not self._stands_still()):
                raise LostLock(store.held_by(self.record))
        self._claim()

    def _begin_nothing(self) -> None:
        """An abort's own run takes back what is under way, and walks nothing: the order itself may have been obeyed by whoever walked until now (SAFETY 30)."""
        if self.record.aborted_in == self.holder.run:
            return
        self._claim()
        self._store(dataclasses.replace(self.record, aborted_in=self.holder.run))

    def _stands_still(self) -> bool:
        """Whether nobody renews the record for a whole lease time on our own clock."""
        known, until = self.stored.record, time.monotonic() + self.canary.options.lease
        self.say(f"{store.held_by(self.record)}; its lease is over, watching {int(self.canary.options.lease)} s whether it is renewed")
        while time.monotonic() < until:
            for event in self.api.watch(store.record_ref(self.canary.namespace, self.canary.name), min(RENEW, until - time.monotonic()),
                                        resource_version=self.stored.resource_version):
                if event.get("type") in ("MODIFIED", "DELETED"):
                    self._read()
                    if self.stored.record != known:
                        return self.record.holder is None
                    break               # a person's order stands beside the record: no sign of the holder's life
        return True

    def _claim(self) -> None:
        """Become the holder. With an intent open, whatever the old holder still has in flight is fenced off first."""
        if self._is_ours():
            return
        taken_over = self.record.holder is not None
        if not self.stored.exists:
            # A lost record: later writes would be refused for the epochs that the objects still know.
            self.record = dataclasses.replace(self.record, epoch=look.newest_epoch(self.api, self.canary))
            taken_over = self.record.epoch > 0
        for left in reversed(range(CLAIM_TRIES)):
            try:
                self._store(store.claimed(self.record, self.holder, self.api.now(), self.canary.options.lease, self.api.clock()))
                break
            except LostLock:
                # A living holder wrote between our read and our write. Only an abort may go on then.
                if not self.take_over or not left:
                    raise
                self._read()
        if taken_over or self.record.intent:
            look.fence(self.api, self.canary, self.record.epoch)
        else:
            routes.hold(self.api, self.canary, self.record.epoch)

    def _store(self, record: Record, obeyed: Sequence[str] = ()) -> None:
        if walker.is_orphan(self.holder):
            raise LostLock(f"the playbook that walked {self.canary.name} has ended")
        document = self.document if self.document is not None and self.document != self.stored.document else None
        self.stored = store.write(self.api, self.stored, record, obeyed=obeyed, document=document)
        self.record = self.stored.record
        self.changed = True

    def _save(self, until: float = 0.0) -> None:
        """Write what changed since the last read, or renew a lease that has grown old; else write nothing."""
        self._claim()
        held = self.record.holder
        old = held is None or self.api.now() - held.renewed > self._renew_after() or until > held.until
        if self.record != self.stored.record or old:
            self._store(store.held(self.record, self.holder, self.api.now(), self.canary.options.lease, until, self.api.clock()))

    # -- results --

    def _tick(self, seen: Observation, wanted: Asks, **more: Any) -> dict[str, Any]:
        return {
            "due": True, "outcome": "", "phase": self.record.phase, "weight": self.record.canary_weight, "epoch": self.record.epoch,
            "asks": {"before": list(wanted.before), "checks": list(wanted.checks), "after": list(wanted.after)},
            "window": stages.confirmed_for(self.record, seen.now),
            # Of what was taken up last, so that all that a gate is asked before the next is taken up carries the same one.
            "checksum": checksum(self.record.tracked, self.record.last_applied),
            "seen": dump(seen), "open": {}, **more,
        }

    def _open(self, seen: Observation, back: ReadBack) -> dict[str, Any]:
        """An intent is still open: its orders are carried out (again), and nothing is asked."""
        self._save(until=self.api.now() + self.canary.options.lease + self.canary.options.max_time_to_accept if back.traffic else 0.0)
        return self._tick(seen, Asks(), open={"traffic": dump(back.traffic), "workload": dump(back.workload)})

    def _due(self, seen: Observation, decision: Decision) -> dict[str, Any]:
        wanted = asks(self.canary, self.record, seen)
        self._save(until=self._leased_until(self.api.now(), wanted))
        return self._tick(seen, wanted)

    def _leased_until(self, due: float, wanted: Asks) -> float:
        """The end of a lease that covers what is asked from ``due`` on, since nobody renews meanwhile; 0 where the usual one does."""
        hooks = {hook.index: hook for hook in self.canary.analysis.hooks}
        slow = sum(hooks[index].longest for index in wanted.before + wanted.after) + SLOWEST_CHECK * len(wanted.checks)
        return due + slow + self.canary.options.lease if slow > self.canary.options.lease / 2 else 0.0

    def _leaves_at_the_gate(self, decision: Decision) -> bool:
        """Whether the tick before found a gate closed and nothing else is to be done: where a tick takes longer than the interval, the next is always due."""
        # An approval of another revision, or of another gate, lies there for good.
        orders = dataclasses.replace(self._orders(), approvals=())
        obeys = orders != Orders() or stages.approved(self.record, self._orders(), self.record.closed_gate)
        return bool(self.on_wait == "end" and self.record.closed_gate and not obeys and not decision.traffic and not decision.workload)

    def _judges(self, seen: Observation | None) -> bool:
        return seen is not None and stages.stage(self.canary, self.record, seen) == stages.JUDGE

    def _ticked(self) -> bool:
        return self.mode == "tick" and self.record.judged_by == self.holder.run

    def _outcome(self, decision: Decision) -> tuple[str, str]:
        """How the run ends, in the words of ANSIBLE 20."""
        outcome, why = decision.outcome, decision.why
        record = self.record
        if outcome == "unchanged" and self.mode == "walk" and record.phase == states.FAILED and record.outcome in ("rolled_back", "aborted"):
            return record.outcome, words.rejected(record)
        if outcome == "promoted" and self.abort:
            return outcome, f"the abort came too late: all users have revision {record.outcome_revision[:8]}; release the version before it to go back"
        if outcome == "promoted" and self.asked and record.outcome_revision not in ("", self.asked):
            return "superseded", f"revision {record.outcome_revision[:8]} was promoted instead of {self.asked[:8]}: the target changed during the walk"
        return outcome, why

    def _over(self, decision: Decision, decided: bool) -> str:
        """The outcome of a run that does not wait for what comes next; empty when it does.

        A gate that a hook opens may be open by now: a run that has not asked it yet waits until that is due.
        """
        unasked = not decided and self.canary.analysis.of_type(self.record.closed_gate)
        if decision.waits == PERSON and (self.mode == "tick" or (self.on_wait == "end" and not unasked)):
            return "waiting"
        if self.mode != "tick":
            return ""
        spent = time.monotonic() - self.began
        if decision.waits == KUBERNETES and spent > TICK_GRACE:
            return "waiting"
        if decision.waits == CLOCK and (self._ticked() or decision.due - self.api.now() > TICK_GRACE - min(spent, TICK_GRACE)):
            return "waiting" if self._is_ours() else "not_due"
        return ""

    def _end(self, outcome: str, why: str) -> dict[str, Any]:
        """Release the claim and say how it ended."""
        now = self.api.now()
        self._let_go(outcome)
        if self._is_ours():
            self._tidy(outcome)
            self._store(store.released(self.record))
            self._project()
        if self.canary_object and self.record.phase == states.TERMINATED:
            documents.let_go(self.api, self.canary_object)
        comes_back = outcome in ("waiting", "not_due")
        self.say(words.line(self.record, now, f"{outcome.replace('_', ' ')}: {why}", self.record.due if comes_back else 0.0))
        return {
            "due": False, "outcome": outcome, "why": why, "phase": self.record.phase, "weight": self.record.canary_weight, "epoch": self.record.epoch,
            "revision": self.record.outcome_revision, "failed_checks": self.record.failed_checks, "next_due": self.record.due,
            "asks": {"before": [], "checks": [], "after": []}, "open": {}, "seen": {}, "window": 0.0, "checksum": "",
        }

    def _let_go(self, outcome: str) -> None:
        """A route of the user's own is theirs alone again when its walk is over, and not only this run."""
        over = self.record.phase in (*states.IDLE, states.TERMINATED) or outcome == "aborted"
        if not self.canary.adopted or not over or outcome not in ENDS:
            return
        route = look.read_route(self.api, self.canary)
        if route is not None and route.held:
            self._claim()
            self.changed = routes.let_go(self.api, self.canary, self.record.epoch) or self.changed

    def _tidy(self, outcome: str) -> None:
        """Copies of ConfigMaps and Secrets that nobody refers to any more go when a walk is over (SAFETY 18); a removal takes away all of them."""
        if self.record.phase not in states.IDLE or outcome not in ENDS:
            return
        try:
            gone = configs.tidied(Writer(self.api, self.canary.name, self.record.epoch), self.canary, self.record.inventory)
        except KubeError:
            return                          # how the walk ended is recorded next; the next one that ends tidies again
        if gone:
            self.record = dataclasses.replace(self.record, inventory=tuple(entry for entry in self.record.inventory if entry not in gone))

    # -- telling --

    def _tell(self, due: float, last: str) -> None:
        """Events, event hooks, the projection and the line for people: about what has been seen done; not what the last line (empty: none) says anyway."""
        if self.record.report:
            if not last.replace("_", " ").startswith(self.record.report):
                self.say(words.line(self.record, self.api.now(), self.record.report, max(due, self.record.due)))
            self._said = (self.record.report, time.monotonic())
            self.record = dataclasses.replace(self.record, report="")
        if self.record.untold:
            self._claim()
            untold = self.record.untold
            events.emit(self.api, self._involved(), untold)
            self.announce(self.record, untold)
            self.record = dataclasses.replace(self.record, untold=())
        if self.stored.record is not None and self.record.phase != "" and self._is_ours():
            self._project()

    def _involved(self) -> dict[str, str]:
        """What the Events are about: the Canary object where there is one, else the target."""
        if self.canary_object:
            return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": self.canary.name, "namespace": self.canary.namespace,
                    "uid": self.canary_object["metadata"]["uid"]}
        kind = targets.by_kind(self.canary.target_kind)
        return {"apiVersion": kind.API_VERSION, "kind": kind.KIND, "name": self.canary.target, "namespace": self.canary.namespace,
                "uid": self.record.target_uid}

    def _project(self) -> None:
        if self.canary_object:
            self.canary_object = documents.project_status(self.api, self.canary_object, flagger_status(self.record))
            if self.canary.revert_on_deletion and self.record.removing is None and self.record.phase != states.TERMINATED:
                self._keep_until_reverted(self.canary_object)

    def _keep_until_reverted(self, canary_object: dict[str, Any]) -> None:
        """No walk, and no way back, waits for the right to do that: the object goes at once then, and what was made stays."""
        try:
            self.canary_object = documents.keep_until_reverted(self.api, canary_object)
        except KubeError as error:
            if error.status != FORBIDDEN:
                raise
            if not self._unkept:
                self.say(words.line(self.record, self.api.now(), f"without a finalizer a deletion of the Canary object would not wait: {error}"))
            self._unkept = True

    # -- waiting --

    def _wait(self, decision: Decision) -> None:
        self._save(until=self._covering(decision))
        text, when = self._said
        if decision.waits != CLOCK and (text != decision.why or time.monotonic() - when > REPEAT):
            self._said = (decision.why, time.monotonic())
            self.say(words.line(self.record, self.api.now(), decision.why, decision.due if decision.waits == PERSON else 0.0))
        if decision.waits == KUBERNETES or decision.due <= self.api.now():
            time.sleep(POLL)
            self._refresh()
        else:
            self._watch_until(decision)

    def _covering(self, decision: Decision) -> float:
        """The end of a lease for the last part of a wait and for the tick after it, so that the tick need not write before it asks."""
        near = decision.waits == CLOCK and self.record.reaches_canary and decision.due - self.api.now() <= self._renew_after()
        return self._leased_until(decision.due + SLACK, every(self.canary)) if near else 0.0

    def _renew_after(self) -> float:
        """Seconds after which a waiting holder renews: well within a short lease too."""
        return min(RENEW, self.canary.options.lease / 3)

    def _refresh(self) -> None:
        """People's orders, read again; a walk that somebody else took over ends here."""
        self.stored = store.read(self.api, self.canary.namespace, self.canary.name)
        self._check_still_ours()

    def _check_still_ours(self) -> None:
        if self.stored.record is None:
            raise store.deleted(self.canary.namespace, self.canary.name)
        if not store.is_ours(self.stored.record, self.holder.run) or self.stored.record.epoch != self.record.epoch:
            raise LostLock(store.held_by(self.stored.record))
        self.record = self.stored.record

    def _watch_until(self, decision: Decision) -> None:
        """Sleep by watching the record, so that a halt is heard at once (SAFETY 4); look at the target now and then."""
        ref, due = store.record_ref(self.canary.namespace, self.canary.name), decision.due
        while (left := due - self.api.now()) > 0 and not self.impatient(decision.why):
            for event in self.api.watch(ref, min(left, self._renew_after()), resource_version=self.stored.resource_version):
                if event.get("type") == "DELETED":
                    raise store.deleted(self.canary.namespace, self.canary.name)
                if event.get("type") != "MODIFIED":
                    continue
                before = self.stored.orders
                self.stored = store.from_object(self.canary.namespace, self.canary.name, event["object"])
                self._check_still_ours()
                if self.stored.orders != before:
                    return
            pinned = self.record.pinned
            if due - self.api.now() > 0:
                self._save(until=self._covering(decision))
                if pinned and look.target_revision(self.api, self.canary) != pinned.revision:
                    return
