# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a canary stands: the one classification that both asking and deciding rest on."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary import absence, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import hard_window

REMOVE = "remove"                       # a person's order, or one that is being obeyed
REMOVED = "removed"
ABANDONED = "abandoned"                 # nobody came back in time, and the document's options say that it is rolled back then
ABORT = "abort"
STOPPED = "stopped"                     # this run obeyed an abort
INITIALISE = "initialise"
ENDING = "ending"
RESTORING = "restoring"
SUSPENDED = "suspended"
NO_TARGET = "no target"
SERVICES_GONE = "services gone"         # -primary or -canary: without them nobody is seen to answer
STRAY_WEIGHT = "stray weight"           # the live object gives the canary more than was confirmed, of the traffic or of copies
LOWERED_BY_HAND = "lowered by hand"
ROUTE_GONE = "route gone"
POST_ROLLOUT = "post rollout"
SETTLE_TARGET = "settle target"
UNCHANGED = "unchanged"
NEW_REVISION = "new revision"
OLD_PODS = "old pods"                   # started with other ConfigMaps or Secrets than the new revision has
REVERTED = "reverted"
RESTARTED = "restarted"
CANARY_GONE = "canary gone"             # it has weight and no ready endpoint
PRIMARY_SHRANK = "primary shrank"       # below the size that it had when the walk began
SCALER_GONE = "scaler gone"             # the copy of the autoscaler, while its original is there
SCALED_AWAY = "scaled away"
UNREADY = "unready"
PRIMARY_UNREADY = "primary unready"
PROMOTE_NOW = "promote now"
SETTLING = "settling"
PAUSE_TARGET = "pause target"
HOLD_MINIMUM = "hold minimum"           # the primary's autoscaler must not take away what the traffic will need when it comes back
CANARY_SHRANK = "canary shrank"         # in iterations without users, who meet it all at once now
START = "start"
EARLY = "early"
JUDGE = "judge"
PROMOTING = "promoting"
FINALISING = "finalising"

SHORTEST_REVISION = 8                   # characters by which people may name one


def stage(canary: Canary, record: Record, seen: Observation) -> str:
    """The stage of a canary; people's abort and what is already going down come before everything else."""
    if record.phase == states.TERMINATED:
        return REMOVE if seen.orders.remove else REMOVED
    if record.removing or seen.orders.remove or seen.deleted:
        return _removing(record)
    if _services_gone(canary, record, seen):
        return SERVICES_GONE
    if seen.orders.abort:
        return ABORT
    if record.post_rollout and record.phase in states.IDLE:
        return POST_ROLLOUT
    if record.aborted_in and record.holder and record.holder.run == record.aborted_in and record.phase in ("", states.INITIALIZING, *states.IDLE):
        return STOPPED
    if record.phase in ("", states.INITIALIZING):
        return INITIALISE
    if record.ending:
        return ENDING
    if record.restoring:
        return RESTORING
    if seen.halted:
        return SUSPENDED
    if record.absent_since and record.phase in absence.PHASES:
        return ABANDONED
    if record.phase == states.PROMOTING:
        return PROMOTING
    if record.phase == states.FINALISING:
        return FINALISING
    if seen.target is None:
        return NO_TARGET
    if record.phase in states.ANALYSING:
        return _analysing(canary, record, seen)
    return _idle(canary, record, seen)


def lost_services(canary: Canary, seen: Observation) -> tuple[str, ...]:
    """Of the two Services that traffic goes through, those that are missing, or lead elsewhere since somebody edited them."""
    return tuple(name for name in (canary.service.primary_name, canary.service.canary_name) if name in seen.services)


def _services_gone(canary: Canary, record: Record, seen: Observation) -> bool:
    """Whether Services that we made have to be made again. A canary that is suspended is left as it is, unless somebody aborts."""
    held = seen.halted and not seen.orders.abort
    return bool(lost_services(canary, seen)) and record.phase not in ("", states.INITIALIZING) and not held


def _removing(record: Record) -> str:
    """What is going down already goes down first, as ever, and its hooks are told."""
    if record.ending or record.restoring:
        return ENDING if record.ending else RESTORING
    return POST_ROLLOUT if record.post_rollout and record.phase in states.IDLE else REMOVE


def _idle(canary: Canary, record: Record, seen: Observation) -> str:
    if seen.route and seen.route.split and seen.route.split.reaches_canary:
        return STRAY_WEIGHT
    if seen.route is None and seen.primary and seen.primary.endpoints:
        return ROUTE_GONE
    if _scaler_gone(canary, record, seen):
        return SCALER_GONE
    if record.phase in (states.INITIALIZED, states.FAILED) and not record.settled:
        return SETTLE_TARGET
    revision = seen.target.revision
    if revision == record.last_promoted or seen.same_as_primary:
        return UNCHANGED
    if revision == record.last_applied and record.phase != states.WAITING:
        return UNCHANGED
    # While nobody answers for the primary, whoever has pods may be all that users have.
    served = seen.primary is not None and seen.primary.ready and seen.primary.endpoints > 0
    return OLD_PODS if served and has_old_pods(record, seen) else NEW_REVISION


def has_old_pods(record: Record, seen: Observation) -> bool:
    """Whether the target's pods may have been started with the content that ConfigMaps or Secrets had before: variables stay as they were then (SAFETY 17)."""
    known = record.pinned.configs if record.pinned else ""
    return seen.target is not None and seen.target.running > 0 and seen.target.configs != known


def _analysing(canary: Canary, record: Record, seen: Observation) -> str:
    target = seen.target
    if target.revision == record.last_promoted or seen.same_as_primary:
        return REVERTED
    if record.pinned is None or target.revision != record.pinned.revision:
        return RESTARTED
    if seen.route is None or seen.route.split is None:
        return ROUTE_GONE
    split = seen.route.split
    # Copies that the document does not ask for any more are as many too many.
    if split.canary > record.canary_weight or split.mirror > min(record.mirror, canary.analysis.mirror):
        return STRAY_WEIGHT
    if (split.canary > 0 or split.cookie) and target.endpoints == 0:
        return CANARY_GONE
    if split.canary < record.canary_weight or split.mirror < record.mirror:
        return LOWERED_BY_HAND
    if primary_shrank(record, seen):
        return PRIMARY_SHRANK
    if _scaler_gone(canary, record, seen):
        return SCALER_GONE
    if target.replicas == 0:
        return SCALED_AWAY
    if not target.ready or target.endpoints == 0:
        return UNREADY
    if seen.primary is None or not seen.primary.ready or seen.primary.endpoints == 0:
        return PRIMARY_UNREADY
    if promoted_now(record, seen.orders):
        return PROMOTE_NOW
    waited = approved(record, seen.orders, record.closed_gate)
    if record.canary_weight == 0:
        if not record.ready_since or seen.now < record.ready_since + canary.options.settle:
            return SETTLING
        if canary.options.pause_target and canary.splits and not canary.skip_analysis and not target.paused:
            return PAUSE_TARGET
        if seen.scaler is not None and canary.splits and not canary.skip_analysis and not record.scaler_minimum:
            return HOLD_MINIMUM
        if not canary.skip_analysis and not record.mirror and not (canary.analysis.counts_without_users and record.iterations):
            return START if waited or seen.now >= record.due else EARLY
    if canary.skip_analysis:
        return PROMOTE_NOW
    if not record.confirmed_at:
        return EARLY
    if seen.now < (_evidence_complete(canary, record) if waited else evidence_due(canary, record)):
        return EARLY
    return CANARY_SHRANK if _canary_shrank(canary, record, seen) else JUDGE


def primary_shrank(record: Record, seen: Observation) -> bool:
    """Whether the primary is smaller than at the start of the walk (SAFETY 15). Put back once: who shrinks it again means it (SAFETY 14).

    Where an autoscaler scales it, its replicas are the autoscaler's, and what counts is whether that may go below.
    """
    if PRIMARY_SHRANK in record.announced:
        return False
    if seen.scaler is not None:
        return seen.scaler.minimum < min(record.scaler_minimum, seen.scaler.maximum)
    return seen.primary is not None and seen.primary.replicas < record.primary_replicas


def minimum_to_hold(record: Record, seen: Observation) -> int:
    """As many replicas as the primary had when the walk began, as far as its autoscaler may give them."""
    return max(1, min(record.primary_replicas, seen.scaler.maximum)) if seen.scaler else 0


def _scaler_gone(canary: Canary, record: Record, seen: Observation) -> bool:
    """Made again once; whoever deletes it again means it. Where its original is gone as well, there is nothing to make it from."""
    return canary.autoscaler is not None and seen.scaler is None and seen.scaler_to_copy and SCALER_GONE not in record.announced


def _canary_shrank(canary: Canary, record: Record, seen: Observation) -> bool:
    """Whether an autoscaler made the canary smaller than the primary while nobody used it, and after this tick all users may: put back once."""
    last = canary.analysis.counts_without_users and record.iterations >= canary.analysis.iterations and not record.canary_weight
    smaller = seen.target is not None and seen.primary is not None and seen.target.replicas < seen.primary.replicas
    return canary.autoscaler is not None and canary.splits and last and smaller and CANARY_SHRANK not in record.announced


def promoted_now(record: Record, orders: Orders) -> bool:
    """Whether a person ordered to promote this revision now (in this run, where the order names one; SAFETY 4)."""
    return _meant(record, orders.promote, orders.promote_run)


def approved(record: Record, orders: Orders, gate: str) -> Mapping[str, str]:
    """The approval by which a person opened this gate, for this revision (and run, where it names one; SAFETY 4); empty where nobody did."""
    return next((order for order in orders.approvals if order["gate"] == gate and _meant(record, order.get("revision", ""), order.get("run", ""))), {})


def _meant(record: Record, revision: str, run: str) -> bool:
    """Whether who names this revision, by its beginning at least, and a run or none, means what is walked."""
    pinned = record.pinned.revision if record.pinned else ""
    return len(revision) >= SHORTEST_REVISION and pinned.startswith(revision) and run in ("", record.run)


def evidence_due(canary: Canary, record: Record) -> float:
    """When the present weight has an interval of evidence of its own, and every hard-written window fits (SAFETY 12)."""
    return max(record.due, _evidence_complete(canary, record))


def _evidence_complete(canary: Canary, record: Record) -> float:
    windows = [hard_window(check.query) or 0.0 for check in canary.analysis.checks]
    return record.confirmed_at + max([canary.analysis.interval, *windows])


def confirmed_for(record: Record, now: float) -> float:
    """Seconds for which the present weight, or iteration, stands: no query looks back further (SAFETY 12). 0 where none is confirmed."""
    return max(1.0, now - record.confirmed_at) if record.confirmed_at else 0.0
