# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state machine: ``decide`` is the only place that thinks, and it is one pure call.

``read_back`` closes intents by looking, ``asks`` says which gates and checks a tick needs, ``glance`` tells cheaply
that there is nothing to do. All are functions over plain data; the time comes with the observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary import analysing, going_down, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary import removing, stage as stages, starting, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    Answer,
    Observation,
    Orders,
    Outcome,
    Split,
    TrafficOrder,
    WorkloadOrder,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Intent, Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    POST_ROLLOUT,
    PRE_ROLLOUT,
    ROLLBACK,
    ROLLOUT,
    Canary,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import CLOCK, KUBERNETES, PERSON, Decision, Turn


def _suspended(turn: Turn) -> Decision:
    turn.set(absent_since=0.0)
    by = turn.suspended_by()
    turn.tell(f"Skipping canary run of {turn.label} as it is suspended", once="suspended")
    return turn.next_interval(PERSON, f"suspended {by}")


def _no_target(turn: Turn) -> Decision:
    missing = turn.target_gone
    if turn.record.phase not in states.IDLE:
        turn.end("rolled_back", missing)
        return going_down.go_down(turn)
    if turn.reaches_canary:
        return going_down.stray_weight(turn)
    outcome, why = turn.outcome_of_run()
    return turn.done(outcome, why) if outcome else turn.wait(KUBERNETES, missing)


def _early(turn: Turn) -> Decision:
    record = turn.record
    if record.gathers and not record.confirmed_at:
        turn.set(confirmed_at=turn.seen.after(0))
    turn.set(unready_since=0.0)
    due = stages.evidence_due(turn.canary, turn.record) if record.gathers else record.due
    return turn.wait(PERSON if record.closed_gate else CLOCK, record.due_why or words.gathering(record), due=due)


_HANDLERS: dict[str, Callable[[Turn], Decision]] = {
    stages.REMOVE: removing.remove,
    stages.REMOVED: removing.removed,
    stages.ABANDONED: going_down.abandoned,
    stages.ABORT: going_down.abort,
    stages.STOPPED: going_down.stopped,
    stages.INITIALISE: starting.initialise,
    stages.ENDING: going_down.go_down,
    stages.RESTORING: going_down.restoring,
    stages.SUSPENDED: _suspended,
    stages.NO_TARGET: _no_target,
    stages.SERVICES_GONE: going_down.repair_services,
    stages.STRAY_WEIGHT: going_down.stray_weight,
    stages.LOWERED_BY_HAND: analysing.lowered_by_hand,
    stages.ROUTE_GONE: going_down.repair_route,
    stages.POST_ROLLOUT: starting.post_rollout,
    stages.SETTLE_TARGET: starting.settle_target,
    stages.UNCHANGED: starting.unchanged,
    stages.NEW_REVISION: starting.new_revision,
    stages.OLD_PODS: going_down.renew_pods,
    stages.REVERTED: analysing.reverted,
    stages.RESTARTED: analysing.restarted,
    stages.CANARY_GONE: analysing.canary_gone,
    stages.PRIMARY_SHRANK: going_down.hold_capacity,
    stages.SCALER_GONE: going_down.repair_scaler,
    stages.SCALED_AWAY: analysing.scaled_away,
    stages.UNREADY: analysing.unready,
    stages.PRIMARY_UNREADY: analysing.primary_unready,
    stages.PROMOTE_NOW: analysing.promote_now,
    stages.SETTLING: analysing.settling,
    stages.PAUSE_TARGET: analysing.pause_target,
    stages.HOLD_MINIMUM: analysing.hold_minimum,
    stages.CANARY_SHRANK: analysing.canary_shrank,
    stages.START: analysing.start,
    stages.EARLY: _early,
    stages.JUDGE: analysing.judge,
    stages.PROMOTING: going_down.promoting,
    stages.FINALISING: going_down.finalising,
}


def decide(canary: Canary, record: Record, seen: Observation, answers: Sequence[Answer] = (), outcomes: Sequence[Outcome] = ()) -> Decision:
    """The next record, its intent and the orders, from everything that was seen, answered and measured."""
    turn = Turn(canary, record, seen, answers, outcomes)
    where = stages.stage(canary, record, seen)
    if seen.orders.resume and where != stages.LOWERED_BY_HAND:
        turn.obey("resume", seen.orders.resume)
    return _HANDLERS[where](turn)


@dataclass(frozen=True)
class Asks:
    """What a tick has to ask, by index into the document."""

    before: tuple[int, ...] = ()
    checks: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.before or self.checks or self.after)


def asks(canary: Canary, record: Record, seen: Observation) -> Asks:
    """The gates and checks whose answers ``decide`` will need at this stage; nothing before the tick is due."""
    where = stages.stage(canary, record, seen)
    if where == stages.POST_ROLLOUT:
        return Asks(before=_indexes(canary, POST_ROLLOUT))
    if where == stages.JUDGE:
        return Asks(_indexes(canary, ROLLBACK, ROLLOUT), tuple(check.index for check in canary.analysis.checks),
                    _indexes(canary, *_gates_ahead(canary, record)))
    ready = seen.primary is not None and seen.primary.ready and seen.primary.endpoints > 0 and not (seen.target and seen.target.lacks)
    # An approval opens a gate at once; where pods are waited for, it waits with them.
    opened = where == stages.START or where == stages.NEW_REVISION and ready
    if seen.now < record.due and not (opened and stages.approved(record, seen.orders, record.closed_gate)):
        return Asks()
    if where == stages.NEW_REVISION:
        return Asks(before=(_indexes(canary, CONFIRM_ROLLOUT) if ready else ()) + (_indexes(canary, ROLLBACK) if record.phase == states.WAITING else ()))
    if where == stages.START:
        return Asks(_indexes(canary, ROLLBACK) + (() if record.pre_rollout_done else _indexes(canary, PRE_ROLLOUT)),
                    after=() if canary.analysis.counts_without_users else _indexes(canary, CONFIRM_TRAFFIC_INCREASE))
    if where in (stages.UNREADY, stages.PRIMARY_UNREADY, stages.PROMOTING, stages.LOWERED_BY_HAND):
        return Asks(before=_indexes(canary, ROLLBACK))
    return Asks()


def _gates_ahead(canary: Canary, record: Record) -> tuple[str, ...]:
    """The gates of the step that follows when all checks pass."""
    if canary.analysis.iterations:
        return analysing.strategy(canary).gates_ahead(canary, record)
    return analysing.gates_ahead(canary, record)


def every(canary: Canary) -> Asks:
    """The most that a tick of the analysis may ask."""
    return Asks(_indexes(canary, ROLLBACK, ROLLOUT, PRE_ROLLOUT), tuple(check.index for check in canary.analysis.checks),
                _indexes(canary, CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE))


def _indexes(canary: Canary, *hook_types: str) -> tuple[int, ...]:
    return tuple(hook.index for hook_type in hook_types for hook in canary.analysis.of_type(hook_type))


@dataclass(frozen=True)
class ReadBack:
    """What looking at the cluster said about the open intent."""

    record: Record
    traffic: TrafficOrder | None = None     # still open: to be done (again) now
    workload: WorkloadOrder | None = None
    note: str = ""


def read_back(canary: Canary, record: Record, seen: Observation) -> ReadBack:
    """Close the open intent if the cluster shows it done, void it if it is too old to be right, else hand its orders out again."""
    intent = record.intent
    if intent is None:
        return ReadBack(record)
    traffic = None if _traffic_done(canary, intent.traffic, seen) else intent.traffic
    workload = None if _workload_done(canary, intent.workload, seen) else intent.workload
    if traffic is None and workload is None:
        return ReadBack(_closed(canary, record, intent, seen))
    why = _void(canary, record, intent, seen)
    if why:
        return ReadBack(_voided(canary, record, intent, seen), note=f"voided: {why}")
    return ReadBack(record, traffic, workload)


def _closed(canary: Canary, record: Record, intent: Intent, seen: Observation) -> Record:
    split = intent.traffic.split if intent.traffic else None
    if split is None:
        return dataclasses.replace(record, intent=None)
    due = seen.after(canary.analysis.interval) if split.reaches_canary else 0.0
    # Not only what had a confirmed weight: nobody orders 0 where there was nothing to take away.
    drain_until = record.drain_until if split.reaches_canary else seen.after(canary.options.drain)
    return dataclasses.replace(
        record, intent=None, canary_weight=split.canary, mirror=split.mirror, cookie=split.cookie, primary_cookie=split.primary_cookie,
        previous_cookie=split.previous_cookie or record.previous_cookie, confirmed_at=seen.after(0), due=due, due_why="", drain_until=drain_until)


def _voided(canary: Canary, record: Record, intent: Intent, seen: Observation) -> Record:
    """What the order did before it was void is done: weight that it took away is drained, whenever that was (SAFETY 11)."""
    lowered = intent.traffic.split if intent.lowers and intent.traffic else None
    live = _live(seen)
    took_away = lowered is not None and not lowered.reaches_canary and live is not None and not live.reaches_canary
    drain_until = max(record.drain_until, seen.after(canary.options.drain)) if took_away else record.drain_until
    return dataclasses.replace(record, intent=None, drain_until=drain_until)


def _traffic_done(canary: Canary, order: TrafficOrder | None, seen: Observation) -> bool:
    if order is None:
        return True
    if order.services and {canary.service.primary_name, canary.service.canary_name} & set(seen.services):
        return False
    if order.apex and canary.service.name in seen.services:
        return False
    if (order.apex_back or order.route_back) and not removing.traffic_is_back(order, seen):
        return False
    return order.split is None or bool(seen.route and seen.route.split == order.split and seen.route.accepted)


def _workload_done(canary: Canary, order: WorkloadOrder | None, seen: Observation) -> bool:
    if order is None:
        return True
    if order.create_primary is not None:
        return seen.primary is not None
    if order.scale_target is not None:
        return seen.target is None or _is_scaled(canary, seen, order.scale_target)
    if order.scaler is not None:
        return _scaler_done(order.scaler, seen)
    if order.target_scaler is not None:
        return removing.is_kept(order.target_scaler, seen)
    if order.template_back is not None:
        known = (seen.target.revision, seen.target.template) if seen.target else ()
        return seen.target is None or seen.same_as_primary or seen.same_template or order.template_back["revision"] in known
    if order.dispose is not None:
        return seen.remains is not None and not seen.remains.objects and not seen.remains.held
    if order.scale_primary is not None:
        return seen.primary is None or seen.primary.replicas >= order.scale_primary
    if order.pause_target is not None:
        return seen.target is None or seen.target.paused == order.pause_target
    wanted = order.promote or order.restore
    return seen.primary is not None and seen.primary.promoted == wanted["revision"]


def _is_scaled(canary: Canary, seen: Observation, replicas: int) -> bool:
    """An autoscaler may have gone further meanwhile, and what it does with a target that takes over is its own; KEDA's pause would take it back to 0."""
    if replicas and seen.remains and seen.remains.paused:
        return False
    enough = replicas if seen.remains is None else 1
    own_way = canary.autoscaler is not None and replicas > 0 and seen.target.replicas >= enough
    return own_way or seen.target.replicas == replicas


def _scaler_done(minimum: int, seen: Observation) -> bool:
    if seen.scaler is None:
        return not seen.scaler_to_copy
    if not seen.scaler.ours:
        return False
    return seen.scaler.minimum >= min(minimum, seen.scaler.maximum) if minimum else not seen.scaler.held


def _void(canary: Canary, record: Record, intent: Intent, seen: Observation) -> str:
    """Why an open intent may no longer be carried out; empty when it may (SAFETY 13)."""
    if intent.lowers:
        return _void_lowering(record, intent, seen)
    if seen.orders.halt or seen.orders.suspend or seen.orders.abort or seen.orders.remove or seen.deleted or seen.suspended:
        return "a person said halt"
    if intent.revision and (seen.target is None or seen.target.revision != intent.revision):
        return "the target has another revision now"
    age = seen.now - intent.at
    if age > max(canary.analysis.interval, canary.options.max_time_to_accept if record.phase == states.INITIALIZING else 0):
        return f"it is {int(age)} s old"
    return _void_raising(record, intent, seen)


def _void_lowering(record: Record, intent: Intent, seen: Observation) -> str:
    live = _live(seen)
    if intent.workload:
        reached = live is not None and live.reaches_canary
        return "the canary has traffic again" if intent.workload.scale_target == 0 and reached else removing.too_early(intent.workload, seen)
    if intent.traffic and (intent.traffic.apex_back or intent.traffic.route_back):
        return removing.nobody_answers(intent.traffic, seen)
    wanted = intent.traffic.split if intent.traffic else None
    unaccepted = wanted and seen.route and seen.route.split == wanted and not seen.route.accepted
    if record.phase == states.INITIALIZING and unaccepted:
        return "the route is written, its acceptance is waited for"
    if seen.primary is None or seen.primary.endpoints == 0:
        return "the primary has no ready endpoint"
    if wanted and wanted.canary > (live.canary if live else 0):
        return "somebody lowered the canary further, or took the route away"   # SAFETY 14
    return ""


def _void_raising(record: Record, intent: Intent, seen: Observation) -> str:
    """What held when it was decided has to hold when it is done (SAFETY 10, 14, 16)."""
    raised = intent.traffic.split if intent.traffic else None
    live = _live(seen)
    if raised and (live is None or live.canary not in (record.canary_weight, raised.canary)):
        return "somebody changed the weight"
    if raised and live and (live.canary, live.mirror) not in ((record.canary_weight, record.mirror), (raised.canary, raised.mirror)):
        return "somebody changed how many requests are copied"
    sides = [seen.primary] if raised or (intent.traffic and intent.traffic.apex) else []
    sides += [seen.target, seen.primary] if raised or (intent.workload and intent.workload.promote) else []
    if any(side is None or not side.ready or side.endpoints == 0 for side in sides):
        return "canary and primary are not both ready any more"
    return ""


def _live(seen: Observation) -> Split | None:
    """What the live object says; None where there is none."""
    return seen.route.split if seen.route else None


def is_due(canary: Canary, record: Record, seen: Observation) -> tuple[bool, Decision]:
    """Whether a tick has something to ask, to order or to record now; and what deciding without answers would say."""
    decision = decide(canary, record, seen)
    if asks(canary, record, seen):
        return True, decision
    changed = dataclasses.replace(decision.record, due=record.due, due_why=record.due_why) != record
    return bool(decision.traffic or decision.workload or decision.obeyed or changed), decision


UNCHANGED = "unchanged"
NOT_DUE = "not_due"


def glance(record: Record, revision: str, orders: Orders, now: float, grace: float = 0.0) -> str:
    """Cheap look for a run that may have nothing to do: "unchanged", "not_due", or "" when a real look is needed."""
    if record.intent or record.ending or record.restoring or record.removing or record.untold or record.post_rollout or orders != Orders():
        return ""
    if record.phase in states.IDLE and (record.settled or record.phase == states.SUCCEEDED):
        rejected_forgotten = revision == record.last_promoted and record.last_applied != record.last_promoted
        return UNCHANGED if revision in (record.last_promoted, record.last_applied) and not rejected_forgotten else ""
    if record.phase in states.ANALYSING and record.pinned and revision == record.pinned.revision and record.gathers and now + grace < record.due:
        return NOT_DUE
    return ""
