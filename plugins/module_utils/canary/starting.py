# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From nothing to Initialized, and the idle phases: no release is under way."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.going_down import go_down, release_minimum
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, TrafficOrder, WorkloadOrder, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import hashed, short
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_ROLLOUT
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import ACT, CLOCK, KUBERNETES, PERSON, Decision, Turn


_PUT_RIGHT = "route put right"


def initialise(turn: Turn) -> Decision:
    """One step of SAFETY 28 a call; the original is not touched before the primary serves everything.

    A lost record takes the same way (SAFETY 5): what is there already is kept, the revision that the primary says it runs
    is the promoted one, and a canary that still has weight loses it before anything else happens to it.
    """
    if not turn.record.phase:
        turn.enter(states.INITIALIZING)
        # Now or never: the projection of this phase takes the place of what Flagger wrote (SAFETY 25).
        turn.set(started_at=turn.now, last_applied=turn.seen.target.revision if turn.seen.rejected and turn.seen.target else "")
    seen, late = turn.seen, turn.now - turn.record.started_at
    if seen.halted:
        return turn.next_interval(PERSON, f"suspended {turn.suspended_by()} before the initialisation")
    if seen.target is None:
        return turn.wait(KUBERNETES, turn.target_gone)
    if seen.primary is None and seen.target.lacks:
        return turn.done("held", f"the pods of {turn.canary.primary} would not start: {seen.target.lacks}; {turn.canary.target} serves as before")
    if seen.primary is None:
        replicas = max(1, seen.target.replicas)
        return _step(turn, turn.kind.making(turn.canary.primary, replicas), lowers=False, workload=WorkloadOrder(create_primary=replicas))
    service = turn.canary.service
    if turn.canary.splits and turn.live is not None and turn.live.reaches_canary and _as_available_as_target(turn):
        return _all_to_primary(turn)
    scaled = _scaler(turn)
    if scaled:
        return scaled
    leads_elsewhere = service.primary_name in seen.services and service.primary_name not in seen.missing
    # Users may be led to it, as where the record is lost and the document has another target: it goes on leading to the former primary until then.
    if (service.primary_name in seen.services or service.canary_name in seen.services) and (seen.primary.ready or not leads_elsewhere):
        return _step(turn, f"create the Services {service.primary_name} and {service.canary_name}", lowers=False, traffic=TrafficOrder(services=True))
    if not _as_available_as_target(turn):
        if _serves_nobody_and_is_outdated(turn, leads_elsewhere):
            order = {"replicaset": seen.target.replicaset, "uid": seen.target.replicaset_uid, "revision": seen.target.revision,
                     **({"configs": seen.target.configs} if seen.target.configs else {})}
            return _step(turn, f"{turn.canary.primary} never got ready: give it the template that {turn.canary.target} serves with", lowers=False,
                         workload=WorkloadOrder(promote=order))
        why = seen.primary.why or f"{seen.primary.endpoints} of its pods are ready endpoints"
        if seen.primary.stuck or late > turn.canary.progress_deadline:
            return turn.done("held", f"{turn.canary.primary} did not become ready: {why}; {turn.canary.target} serves as before")
        return turn.wait(KUBERNETES, f"{turn.canary.primary} is not ready: {why}")
    if seen.route is None or turn.live is None or turn.live.reaches_canary or seen.route.flaggers:
        return _all_to_primary(turn)
    if not seen.route.accepted:
        put_right = _put_right(turn, seen.route.drift)
        if put_right:
            return put_right
        if late > turn.canary.options.max_time_to_accept + turn.canary.analysis.interval:
            return turn.done("held", f"the gateway's controller has not accepted the route: {seen.route.why}; {turn.canary.target} serves as before")
        return turn.wait(KUBERNETES, f"the route is not accepted yet: {seen.route.why}")
    if service.name in seen.services:
        return _step(turn, f"point Service {service.name} at the primary", lowers=False, traffic=TrafficOrder(apex=True))
    if not seen.apex_on_primary:
        return turn.wait(KUBERNETES, f"Service {service.name} still holds pods of {turn.canary.target}")
    if not seen.primary.promoted and seen.primary.replicaset:
        adopted = {"replicaset": seen.primary.replicaset, "revision": _promoted(turn)}
        return _step(turn, f"adopt {turn.canary.primary} with the template that it has", lowers=False, workload=WorkloadOrder(restore=adopted))
    return _initialised(turn)


def _scaler(turn: Turn) -> Decision | None:
    """Who scales the primary from now on: as large as the target at least, until it has the traffic that it is to be measured by (SAFETY 15, 28)."""
    seen, scaler = turn.seen, turn.canary.autoscaler
    if scaler is None or (seen.scaler is not None and seen.scaler.ours):
        return None
    if seen.scaler is None and not seen.scaler_to_copy:
        return turn.done("held", f"there is no {scaler.called} of which {scaler.primary} could be made; {turn.canary.target} serves as before")
    serves_all = turn.live is not None and not turn.live.reaches_canary and seen.apex_on_primary
    least = 0 if serves_all else max(1, seen.target.replicas, seen.primary.replicas)
    turn.set(scaler_minimum=least)
    return _step(turn, f"create {scaler.primary} as {scaler.called} is" if seen.scaler is None else f"take {scaler.primary} over", lowers=False,
                 workload=WorkloadOrder(scaler=least))


def _all_to_primary(turn: Turn) -> Decision:
    what = "route all traffic to the primary" if turn.canary.splits else f"point Service {turn.canary.service.name} at the primary"
    return _step(turn, what, lowers=True, traffic=TrafficOrder(split=turn.all_to_primary()))


def _put_right(turn: Turn, drift: tuple[str, ...]) -> Decision | None:
    """An edit of the document, or what the router leaves out since nobody would be served by it, may be all that it takes to be accepted.

    Once for each edit and for what differs by it: who else writes the route back is not fought in every tick.
    """
    document = f"{_PUT_RIGHT} {short(hashed([dump(turn.canary.service), dump(turn.canary.analysis.match), dump(turn.canary.analysis.affinity)]))}"
    note = f"{document} {short(hashed(drift))}"
    if not drift or note in turn.record.announced:
        return None
    # Notes of former documents go, since it may become again what it was.
    turn.set(announced=(*(one for one in turn.record.announced if not one.startswith(_PUT_RIGHT) or one.startswith(document)), note))
    return _all_to_primary(turn)


def _promoted(turn: Turn) -> str:
    """The revision that the primary runs: by our own note, else the target's where both mean the same, else one that no target has (SAFETY 25)."""
    primary, target = turn.seen.primary, turn.seen.target
    return primary.promoted or (target.revision if turn.seen.same_as_primary else primary.revision)


def _step(turn: Turn, why: str, lowers: bool, **order: Any) -> Decision:
    """One order of the initialisation; its deadlines count from here, since a run may have been away between two steps."""
    turn.set(started_at=turn.now)
    return turn.act(why, lowers=lowers, **order)


def _as_available_as_target(turn: Turn) -> bool:
    primary, target = turn.seen.primary, turn.seen.target
    return primary.ready and primary.endpoints >= max(1, min(target.available, primary.wanted))


def _serves_nobody_and_is_outdated(turn: Turn, leads_elsewhere: bool) -> bool:
    """The first release was broken and the target was mended since: the primary, made from the broken one, would never get ready.

    Who answers behind a Service that leads to a former primary is that one's pods. It may as well differ by its port alone, and lead to this one's.
    """
    primary, target, seen = turn.seen.primary, turn.seen.target, turn.seen
    serves_nobody = primary.endpoints == 0 or (leads_elsewhere and primary.available == 0)
    return (serves_nobody and not seen.apex_on_primary and not seen.same_as_primary and primary.promoted != target.revision
            and target.ready and bool(target.replicaset))


def _initialised(turn: Turn) -> Decision:
    revision, target = _promoted(turn), turn.seen.target
    rejected = turn.record.last_applied == target.revision and not turn.seen.same_as_primary
    turn.enter(states.FAILED if rejected else states.INITIALIZED)
    turn.set(last_applied=target.revision if rejected else revision, last_promoted=revision, canary_weight=0, mirror=0, failed_checks=0, pinned=None,
             settled=False, outcome="rolled_back" if rejected else "promoted",
             outcome_why="the status of the Canary object says that this template failed before" if rejected else "initialised: the primary serves",
             outcome_revision=target.revision if rejected else revision, outcome_at=turn.now,
             drain_until=max(turn.record.drain_until, turn.seen.after(turn.canary.options.drain)))
    turn.tell(f"Initialization done! {turn.label}", alert=f"New {turn.canary.target_kind} detected, initialization completed.")
    return turn.wait(CLOCK, "initialised; the target drains", due=turn.record.drain_until)


def settle_target(turn: Turn) -> Decision:
    """After initialisation the original goes to 0, drained, as an intent of its own (SAFETY 28)."""
    target = turn.seen.target
    if target.replicas == 0:
        released = release_minimum(turn)
        if released:
            return released
        turn.set(settled=True, due=0.0)
        return turn.wait(ACT, "initialised")
    if turn.now < turn.record.drain_until:
        return turn.wait(CLOCK, "initialised; the target drains", due=turn.record.drain_until)
    return turn.scale(0, after=": the primary serves")


def post_rollout(turn: Turn) -> Decision:
    """Report what the post-rollout hooks said. They are called at least once, and never decide anything."""
    for answer in turn.answers:
        if answer.type == "post-rollout":
            if answer.outcome == ALLOWED:
                turn.tell(f"Post-rollout check {answer.name} passed")
            else:
                turn.warn(f"Post-rollout hook {answer.name} failed {answer.body or answer.status}")
    turn.set(post_rollout=False)
    return turn.wait(ACT, "post-rollout hooks were called")


def unchanged(turn: Turn) -> Decision:
    """The target runs what is promoted, or what was already rejected: nothing to do."""
    record, target = turn.record, turn.seen.target
    if record.phase == states.WAITING:
        turn.end("superseded", "the target was set back while it waited for approval")
        return go_down(turn)
    if turn.seen.same_as_primary and target.revision != record.last_promoted:
        turn.set(last_applied=target.revision, last_promoted=target.revision)   # SAFETY 19: another hash, the same meaning
    elif target.revision == record.last_promoted and record.last_applied != record.last_promoted:
        turn.set(last_applied=record.last_promoted)     # a later return of the rejected revision is a new release
    if turn.seen.primary is None:
        return turn.done("held", turn.primary_gone)
    outcome, why = turn.outcome_of_run()
    return turn.done(outcome or "unchanged", why or f"{turn.record.phase}: nothing changed")


def new_revision(turn: Turn) -> Decision:
    """The target has a template that was neither promoted nor rejected: ask, then scale it up."""
    target, record, primary = turn.seen.target, turn.record, turn.seen.primary
    waits = record.phase == states.WAITING and record.pinned and record.pinned.revision == target.revision
    requested = turn.rollback_requested()
    if waits and requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    if primary is None or not primary.ready or primary.endpoints == 0:
        why = (primary.why or "it has no ready endpoint") if primary else "it does not exist"
        turn.warn(f"{turn.canary.primary}.{turn.canary.namespace} not ready: {why}", once=f"primary-{target.revision[:8]}")
        return turn.wait_asking(f"a new revision waits for {turn.canary.primary}: {why}" if primary else f"a new revision waits: {turn.primary_gone}")
    if target.lacks:
        turn.warn(f"{turn.target_label} not ready: {target.lacks}", once=f"lacks-{target.revision[:8]}")
        return turn.wait_asking(f"a new revision waits: {target.lacks}")
    if not waits:
        turn.begin_analysis(record.phase, f"{target.revision[:8]}-{int(turn.now)}")
    is_open, why = turn.gate(CONFIRM_ROLLOUT)
    if not is_open:
        turn.enter(states.WAITING)
        turn.halt_for(CONFIRM_ROLLOUT, why)
        return turn.next_interval(PERSON, why, gate=CONFIRM_ROLLOUT)
    turn.enter(states.PROGRESSING)
    turn.set(started_at=turn.now, due=0.0, due_why="", closed_gate="", last_applied=target.revision)
    turn.tell(f"New revision detected! Scaling up {turn.target_label}", alert="New revision detected, progressing canary analysis.")
    replicas = max(1, primary.replicas)
    what = f"new revision ({turn.seen.changed_configs} changed)" if turn.seen.same_template and turn.seen.changed_configs else "new revision"
    if target.replicas == 0:
        return turn.scale(replicas, f"{what}: ")
    return turn.wait(ACT, f"{what}: analysis begins")
