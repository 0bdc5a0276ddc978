# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removal: the way in, walked backwards (SAFETY 29). The original serves again before anything of ours goes.

Each step is decided by looking, so it may be left at any point and gone on with by another run. Nothing here asks a gate or a metric.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.going_down import BELIEVED_AFTER, resume_target, take_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.inventory import SERVICE, entry, joined
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    MISSING,
    ORIGINAL,
    OURS,
    Observation,
    Orders,
    Remains,
    TrafficOrder,
    WorkloadOrder,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import KEEP_PRIMARY, Record, Removal, order_key
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import ACT, CLOCK, KUBERNETES, Decision, Turn


DELETED = "its Canary object was deleted"
_LONGEST_LIST = 400                     # characters of what a step says that it takes away
_SCALED_UP = "scaled up"    # the target, to take over
_TOLD = "terminated"        # that nothing is left
_KEPT_LARGE = "kept large"  # by the minimum of its autoscaler


def remove(turn: Turn) -> Decision:
    """One step; in mid-walk the traffic is taken back first, as an abort does it."""
    record, orders = turn.record, turn.seen.orders
    if orders.remove:
        turn.obey("remove", orders.remove)
    if record.removing is None:
        wanted = orders if orders.remove else dataclasses.replace(orders, remove=DELETED)
        turn.set(removing=begun(wanted, turn.now), due=0.0, due_why="", closed_gate="")
        turn.tell(f"Terminating canary {turn.label}: {turn.record.removing.why}")
    elif orders.remove and turn.record.removing.keep != (orders.keep or KEEP_PRIMARY):
        # Who says it again may have thought again of whose template is kept: it is asked for before anything is given back.
        turn.set(removing=dataclasses.replace(turn.record.removing, keep=orders.keep or KEEP_PRIMARY))
    if record.phase not in ("", states.INITIALIZING, *states.IDLE, states.TERMINATING, states.TERMINATED):
        return take_back(turn, "aborted", turn.record.removing.why)
    # Without a route, a weight is the apex leading elsewhere than to the primary: where a removal leads it.
    if turn.reaches_canary and turn.canary.splits and not _only_target_answers(turn):
        return turn.lower(f"{turn.record.removing.why}: all traffic to the primary")
    turn.enter(states.TERMINATING)
    if turn.seen.remains is None:
        return turn.wait(ACT, f"{turn.record.removing.why}: what is left of the canary is looked for")
    return _step(turn, turn.seen.remains)


def begun(orders: Orders, now: float) -> Removal:
    return Removal(f"removed {states.by_a_person(orders.remove)}", now, orders.keep or KEEP_PRIMARY)


def removed(turn: Turn) -> Decision:
    """What is removed stays removed, until somebody begins anew on purpose."""
    _forget_orders(turn)
    outcome, why = turn.outcome_of_run()
    return turn.done(outcome or "unchanged", why or removed_why(turn.record))


def removed_why(record: Record) -> str:
    return (f"the canary was removed at {states.rfc3339(record.outcome_at)} ({record.outcome_why}); "
            "to begin anew, walk it (canary_mode: walk) with its document")


def in_the_way(canary: Canary, needed: Collection[str]) -> str:
    """Why nothing can be taken away while a route of the user's own leads to the primary; empty when none does."""
    service = canary.service
    if entry(SERVICE, service.primary_name) not in needed:
        return ""
    return (f"canary_route: the adopted route {canary.namespace}/{service.route_name} names the Service {service.primary_name}, which a removal deletes; name "
            f"{service.name} in its place, which leads to {canary.primary} until then and to {canary.target} afterwards, and remove again")


def _step(turn: Turn, remains: Remains) -> Decision:
    refused = in_the_way(turn.canary, remains.needed)
    if refused:
        return turn.done("held", refused)
    turn.set(inventory=joined(turn.record.inventory, remains.objects))
    wanted = _template_to_restore(turn) if turn.kind.IS_APEX else ""
    if wanted:
        return turn.act(f"give {turn.canary.target} back what was promoted", lowers=True, workload=WorkloadOrder(template_back={"revision": wanted}))
    if turn.kind.IS_APEX and remains.route == OURS and turn.seen.same_as_primary and turn.seen.primary and not turn.seen.primary.ready:
        return _patient(turn, turn.canary.progress_deadline, f"{turn.canary.primary} is not ready: {turn.seen.primary.why}")
    if remains.apex == OURS or (remains.apex == MISSING and remains.route == OURS) or _nobody_serves(turn, remains):
        return _target_takes_over(turn)
    if remains.apex_has_primary or (not remains.apex_ready and (remains.route == OURS or _could_answer(turn, remains))):
        why = f"Service {turn.canary.service.name} still holds pods of {turn.canary.primary}, or nobody who is ready"
        return _patient(turn, turn.canary.progress_deadline, why)
    if remains.route == OURS:
        turn.set(unready_since=turn.now)
        return turn.act(f"lead the route to Service {turn.canary.service.name}", lowers=True, traffic=TrafficOrder(route_back=True))
    route = turn.seen.route
    if route and route.owned and not route.accepted and remains.objects:
        limit = turn.canary.options.max_time_to_accept + turn.canary.analysis.interval
        return _patient(turn, limit, f"the route is not accepted yet: {route.why}")
    if turn.record.unready_since:
        # Users have just been seen to be elsewhere; what the primary was asked before that, it answers.
        turn.set(unready_since=0.0, drain_until=turn.seen.after(turn.canary.options.drain))
    if remains.objects and turn.now < turn.record.drain_until:
        return turn.wait(CLOCK, f"{turn.canary.primary} drains", due=turn.record.drain_until)
    believed = turn.record.drain_until - turn.canary.options.drain + BELIEVED_AFTER
    if remains.scaler and remains.scaler.held and turn.now < believed:
        return turn.wait(CLOCK, f"{turn.canary.autoscaler.called} keeps its minimum until it has seen all users", due=believed)
    resumed = resume_target(turn)
    if resumed:
        return resumed
    if remains.objects or remains.held:
        what = f"take away {excerpt(', '.join(remains.objects), _LONGEST_LIST)}" if remains.objects else f"let {turn.canary.target} go"
        return turn.act(what, lowers=True, workload=WorkloadOrder(dispose=remains.objects))
    return _terminated(turn, remains)


def _target_takes_over(turn: Turn) -> Decision:
    """Template, replicas, readiness, then the users; the primary serves until each is seen done."""
    seen, service, target = turn.seen, turn.canary.service, turn.seen.target
    if target is None:
        return turn.done("held", f"{turn.target_gone}, so nobody could take over from {turn.canary.primary}, which serves on; "
                         "apply it again, then remove")
    wanted = _template_to_restore(turn)
    if wanted and seen.same_template:
        return turn.done("held", f"{seen.changed_configs} changed since {turn.canary.primary}, which serves on, got a copy: what {target.name} would serve "
                         "with was never promoted; put back what the copy says and remove again, or remove with canary_keep: target")
    if wanted:
        return turn.act(f"give {target.name} the promoted template back", lowers=True, workload=WorkloadOrder(template_back={"revision": wanted}))
    resumed = resume_target(turn)
    if resumed:
        return resumed
    if service.canary_name in seen.services:
        return turn.act(f"create the Service {service.canary_name}, to see who is ready", lowers=True, traffic=TrafficOrder(services=True))
    replicas = max(1, seen.primary.replicas if seen.primary else turn.record.primary_replicas)
    kept = _keep_large(turn, replicas)
    if kept:
        return kept
    if _has_to_be_scaled(turn, replicas):
        turn.set(announced=turn.record.announced + (_SCALED_UP,))
        return turn.act(turn.kind.scaling(target.name, replicas), lowers=True, workload=WorkloadOrder(scale_target=replicas))
    serving = min(seen.primary.endpoints if seen.primary else 1, target.wanted)
    if not target.ready or target.endpoints < max(1, serving):
        return _patient(turn, turn.canary.progress_deadline, f"{target.name} is not ready: {target.why or f'{target.endpoints} of its pods answer'}",
                        stuck=target.stuck)
    turn.set(unready_since=turn.now)
    return turn.act(f"point Service {service.name} at {target.name} again", lowers=True, traffic=TrafficOrder(apex_back=True))


def _keep_large(turn: Turn, replicas: int) -> Decision | None:
    """The target's autoscaler would shrink it until users come, and they come all at once (SAFETY 15). Once: who undoes it means it."""
    scaler = turn.seen.remains.scaler if turn.seen.remains else None
    if scaler is None or scaler.minimum >= min(replicas, scaler.maximum) or _KEPT_LARGE in turn.record.announced:
        return None
    turn.set(announced=turn.record.announced + (_KEPT_LARGE,))
    wanted, name = min(replicas, scaler.maximum), turn.canary.autoscaler.called
    return turn.act(f"keep {turn.canary.target} at {wanted} replicas at least, by {name}", lowers=True, workload=WorkloadOrder(target_scaler=wanted))


def is_kept(minimum: int, seen: Observation) -> bool:
    """Whether the target's autoscaler goes no lower; one that is gone does nothing at all."""
    scaler = seen.remains.scaler if seen.remains else None
    return scaler is None or scaler.minimum >= min(minimum, scaler.maximum)


def _has_to_be_scaled(turn: Turn, replicas: int) -> bool:
    """An autoscaler of the target may shrink it again, since nobody uses it yet: scaled up once, it is believed."""
    remains, small = turn.seen.remains, turn.seen.target.replicas < replicas
    if turn.canary.autoscaler is None:
        return small
    return turn.seen.target.replicas == 0 or bool(remains and remains.paused) or (small and _SCALED_UP not in turn.record.announced)


def _template_to_restore(turn: Turn) -> str:
    """The promoted revision, where the target has another template and nobody asked to keep that one; else empty."""
    seen = turn.seen
    wanted = (seen.primary.promoted if seen.primary else "") or turn.record.last_promoted
    # What the primary reads itself and not a copy is the same for both.
    same = seen.same_as_primary or (seen.same_template and not seen.changed_configs)
    differs = not same and seen.target is not None and wanted not in (seen.target.revision, seen.target.template)
    return wanted if turn.record.removing.keep == KEEP_PRIMARY and differs else ""


def _only_target_answers(turn: Turn) -> bool:
    """Nobody could take the traffic back, and who has it is who it goes to in the end."""
    primary, target = turn.seen.primary, turn.seen.target
    return (primary is None or primary.endpoints == 0) and target is not None and target.ready and target.endpoints > 0


def _patient(turn: Turn, seconds: float, why: str, stuck: bool = False) -> Decision:
    """Wait, but not for ever: whoever serves goes on, and the next run waits anew."""
    if not turn.record.unready_since:
        turn.set(unready_since=turn.now)
    holder = turn.record.holder
    if stuck or turn.now - max(turn.record.unready_since, holder.since if holder else turn.now) > seconds:
        return turn.done("held", f"{why}; whoever served before goes on serving, run it again to go on with the removal")
    return turn.wait(KUBERNETES, why)


def _could_answer(turn: Turn, remains: Remains) -> bool:
    """The target's pods answer, so that the apex will too as soon as its slices follow; until then, who served before is kept."""
    return remains.apex == ORIGINAL and bool(remains.objects) and turn.seen.target is not None and turn.seen.target.endpoints > 0


def _nobody_serves(turn: Turn, remains: Remains) -> bool:
    """Somebody else gave the apex back, to a target that does not answer: it is brought up before the primary goes."""
    primary = entry(turn.canary.target_kind, turn.canary.primary)
    alone = turn.seen.target is not None and turn.seen.target.endpoints == 0
    return remains.apex == ORIGINAL and not remains.apex_ready and primary in remains.objects and alone and not turn.kind.IS_APEX


def _terminated(turn: Turn, remains: Remains) -> Decision:
    """A small record stays: that it was removed, and what a late request might still make (SAFETY 1). Whoever is to hear of it is told before."""
    why = turn.record.removing.why
    last = f"{why}: {turn.canary.target} serves by itself"
    if _TOLD not in turn.record.announced:
        turn.tell(f"Terminated canary {turn.label}", once=_TOLD)
        if remains.needed:
            turn.warn(f"{', '.join(remains.needed)} stays, since the adopted route {turn.canary.service.route_name} names it; "
                      "take it out of the route and remove again")
        return turn.wait(ACT, last)
    turn.enter(states.TERMINATED)
    _forget_orders(turn)
    record = turn.record
    turn.record = Record(
        record.name, record.namespace, record.identity, record.phase, last_applied=record.last_applied, last_promoted=record.last_promoted,
        last_transition=record.last_transition, condition_since=record.condition_since, epoch=record.epoch, holder=record.holder, untold=record.untold,
        inventory=record.inventory, obeyed=record.obeyed, target_uid=record.target_uid, outcome="removed", outcome_why=why,
        outcome_revision=record.last_promoted, outcome_at=turn.now)
    return turn.wait(ACT, last)


def _forget_orders(turn: Turn) -> None:
    """Whatever people said of a canary that is gone means nothing to one that comes later."""
    orders = turn.seen.orders
    said = [order_key(word) for word in states.ORDER_WORDS if getattr(orders, word)]
    said += [order_key("approve", approval["gate"]) for approval in orders.approvals]
    turn.obeyed.extend(key for key in said if key not in turn.obeyed)


# Reading back

def traffic_is_back(order: TrafficOrder, seen: Observation) -> bool:
    remains = seen.remains
    if remains is None:
        return False
    if order.apex_back and remains.apex != ORIGINAL:
        return False
    return not order.route_back or (remains.route != OURS and (seen.route is None or seen.route.accepted))


def nobody_answers(order: TrafficOrder, seen: Observation) -> str:
    """Why users may not be sent to the target now, after all (SAFETY 16); empty when they may."""
    remains = seen.remains
    if order.route_back and remains and remains.route != OURS:
        return "the route is written, its acceptance is waited for"
    if order.route_back:
        return "" if remains and remains.apex == ORIGINAL and remains.apex_ready else "nobody is ready behind the apex"
    ready = seen.target is not None and seen.target.ready and seen.target.endpoints > 0
    return "" if ready else "the target is not ready any more"


def too_early(order: WorkloadOrder, seen: Observation) -> str:
    """Why what we made may not go now; empty when it may, and for every other order."""
    if order.dispose is None:
        return ""
    remains = seen.remains
    if remains is None or OURS in (remains.apex, remains.route) or remains.apex_has_primary:
        return "users are on the primary"
    if set(remains.objects) - set(order.dispose):
        return "more is left than was known"
    return ""
