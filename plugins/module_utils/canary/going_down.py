# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that ends a walk: rollback, abort, promotion and its failure, finalising."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states, stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Scaler, Split, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Ending
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, POST_ROLLOUT
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import next_promotion
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import ACT, CLOCK, KUBERNETES, PERSON, Decision, Turn

ALL_TO_PRIMARY = "Routing all traffic to primary"      # told once, on whichever way

# Seconds after all traffic came back for which an autoscaler is not believed: it measures every 15 s, what metrics of a minute tell it.
BELIEVED_AFTER = 60.0

_PARKED = "parked"          # the target, and KEDA knows it


def go_down(turn: Turn) -> Decision:
    """Traffic first, confirmed; drained; then the workload; then the phase (SAFETY 9, 11)."""
    ending = turn.record.ending
    if turn.weight > 0 and stages.primary_shrank(turn.record, turn.seen):
        return hold_capacity(turn)
    if turn.reaches_canary:
        return turn.lower(f"{ending.outcome.replace('_', ' ')}: all traffic to the primary, {ending.why}")
    if turn.now < turn.record.drain_until:
        return turn.wait(CLOCK, f"the canary drains, {ending.why}", due=turn.record.drain_until)
    return _park(turn, f", {ending.why}") or resume_target(turn) or release_minimum(turn) or _ended(turn, ending)


def _park(turn: Turn, after: str) -> Decision | None:
    """The target rests; None where it does. Whoever scaled it to 0 by hand did not tell KEDA, which a walk let scale it: once, it is told."""
    target, by_keda = turn.seen.target, bool(turn.canary.autoscaler and turn.canary.autoscaler.pauses)
    untold = by_keda and _PARKED not in turn.record.announced
    if target is None or target.replicas == 0 and not untold:
        return None
    if untold:
        turn.set(announced=turn.record.announced + (_PARKED,))
    return turn.scale(0, after=after)


def hold_capacity(turn: Turn) -> Decision:
    """Who takes the traffic back must be able to carry it (SAFETY 15); nobody waits for the new pods, since what goes down goes down now."""
    if turn.seen.scaler is not None:
        return _hold_scaler(turn, turn.seen.scaler)
    wanted, primary = turn.record.primary_replicas, turn.seen.primary
    turn.warn(f"{turn.canary.primary}.{turn.canary.namespace} was scaled to {primary.replicas} in mid-walk, back to {wanted}", once=stages.PRIMARY_SHRANK)
    return turn.act(f"{turn.canary.primary} was scaled to {primary.replicas} in mid-walk: back to the {wanted} that it began with", lowers=False,
                    workload=WorkloadOrder(scale_primary=wanted))


def _hold_scaler(turn: Turn, scaler: Scaler) -> Decision:
    """The same where an autoscaler scales the primary: its replicas are never set, its minimum is."""
    wanted, name = min(turn.record.scaler_minimum, scaler.maximum), turn.canary.autoscaler.primary
    turn.warn(f"{name}.{turn.canary.namespace} had the minimum {scaler.minimum} in mid-walk, back to {wanted}", once=stages.PRIMARY_SHRANK)
    return turn.act(f"{name} has the minimum {scaler.minimum} in mid-walk: back to {wanted}, as many as {turn.canary.primary} began with", lowers=False,
                    workload=WorkloadOrder(scaler=wanted))


def release_minimum(turn: Turn) -> Decision | None:
    """The primary's autoscaler is free again, once it can have seen all the traffic; None where it is not held."""
    scaler = turn.seen.scaler
    if scaler is None or not scaler.held:
        turn.set(scaler_minimum=0)
        return None
    name, believed = turn.canary.autoscaler.primary, turn.record.confirmed_at + BELIEVED_AFTER
    if turn.now < believed:
        return turn.wait(CLOCK, f"{name} keeps its minimum until it has seen all the traffic", due=believed)
    return turn.act(f"give {name} the minimum back that it had", lowers=True, workload=WorkloadOrder(scaler=0))


def repair_scaler(turn: Turn) -> Decision:
    """Without it the primary keeps the replicas that it has, whatever comes."""
    kept, name = turn.record.scaler_minimum, turn.canary.autoscaler.primary
    turn.warn(f"{name}.{turn.canary.namespace}, which scales {turn.canary.primary}, was missing", once=stages.SCALER_GONE)
    return turn.act(f"{name} is gone: make it again", lowers=False, workload=WorkloadOrder(scaler=kept))


def resume_target(turn: Turn) -> Decision | None:
    """Without weight, an edit of the target harms nobody and belongs to the next walk (SAFETY 22); None where it is not paused by us."""
    if not turn.record.paused or turn.seen.target is None or not turn.seen.target.paused:
        turn.set(paused=False)
        return None
    return turn.act(f"resume {turn.canary.target}: it has no traffic any more", lowers=True, workload=WorkloadOrder(pause_target=False))


def renew_pods(turn: Turn) -> Decision:
    """Pods that were started with another content go, drained, before the present one is analysed: then it is what new pods read (SAFETY 17)."""
    target = turn.seen.target
    if turn.now < turn.record.drain_until:
        return turn.wait(CLOCK, f"{turn.canary.target} drains: its pods were started with other ConfigMaps or Secrets", due=turn.record.drain_until)
    if target.replicas > 0:
        return turn.scale(0, f"scale {turn.canary.target} to 0: its pods were started with other ConfigMaps or Secrets")
    return turn.wait(KUBERNETES, f"pods of {turn.canary.target} that were started with other ConfigMaps or Secrets have to go")


def _ended(turn: Turn, ending: Ending) -> Decision:
    pinned = turn.record.pinned.revision if turn.record.pinned else ""
    if ending.outcome == "superseded":
        turn.enter(states.SUCCEEDED)
        turn.set(last_applied=turn.record.last_promoted)
        turn.tell(f"Analysis ended for {turn.target_label}: {ending.why}")
    else:
        turn.enter(states.FAILED)
        turn.set(last_applied=pinned)
        turn.warn(f"Canary failed! Scaling down {turn.label}")
    _finish(turn, ending.outcome, ending.why, pinned)
    return turn.wait(ACT, f"{ending.outcome.replace('_', ' ')}: {ending.why}")


def _finish(turn: Turn, outcome: str, why: str, revision: str) -> None:
    turn.set(ending=None, restoring=None, canary_weight=0, mirror=0, iterations=0, due=0.0, due_why="", ready_since=0.0, hold_since=0.0, settled=True,
             post_rollout=bool(turn.canary.analysis.of_type(POST_ROLLOUT)),
             outcome=outcome, outcome_why=why, outcome_revision=revision, outcome_at=turn.now)
    turn.forget_promotion()


def promote(turn: Turn, why: str) -> Decision:
    """Copy exactly the analysed ReplicaSet's template to the primary (SAFETY 17)."""
    pinned, primary = turn.record.pinned, turn.seen.primary
    if _is_gone(turn):
        turn.end("rolled_back", f"{turn.kind.HISTORY} {pinned.replicaset or 'of the analysed revision'} is gone, so what was analysed cannot be promoted")
        return go_down(turn)
    if turn.record.phase != states.PROMOTING:
        turn.enter(states.PROMOTING)
        turn.set(previous={"replicaset": primary.replicaset, "revision": primary.promoted}, due=0.0, due_why="", hold_since=0.0)
        turn.tell(f"Copying {turn.target_label} template spec to {turn.canary.primary}.{turn.canary.namespace}")
    order = {"replicaset": pinned.replicaset, "uid": pinned.replicaset_uid, "revision": pinned.revision,
             **({"configs": pinned.configs} if pinned.configs else {})}
    return turn.act(f"{why}: promote {pinned.replicaset}", lowers=False, workload=WorkloadOrder(promote=order))


def confirm_promotion(turn: Turn, why: str) -> Decision:
    """Promote, if the gate is open."""
    is_open, closed = turn.gate(CONFIRM_PROMOTION)
    if not is_open:
        turn.enter(states.WAITING_PROMOTION)
        turn.halt_for(CONFIRM_PROMOTION, closed)
        return turn.next_interval(PERSON, closed, gate=CONFIRM_PROMOTION)
    return promote(turn, why)


def _is_gone(turn: Turn) -> bool:
    """The analysed ReplicaSet was deleted, or another one has its name."""
    pinned, target = turn.record.pinned, turn.seen.target
    replaced = target and target.replicaset == pinned.replicaset and target.replicaset_uid != pinned.replicaset_uid
    return not pinned.replicaset or pinned.replicaset not in turn.seen.replicasets or bool(replaced)


def promoting(turn: Turn) -> Decision:
    """The primary rolls to the analysed revision; when it is ready, traffic returns to it."""
    primary, pinned = turn.seen.primary, turn.record.pinned
    requested = turn.rollback_requested()
    if requested:
        turn.set(restoring=Ending("rolled_back", requested, turn.now, asked=True))
        return restoring(turn)
    if primary is None:
        turn.warn(f"Promotion of {turn.target_label} failed, {turn.canary.primary} does not exist", once="no-primary",
                  alert=f"Promotion failed, {turn.canary.primary} does not exist")
        return turn.wait_asking(f"{turn.canary.primary} does not exist; {_who_serves(turn)}")
    if primary.promoted != pinned.revision:
        return _not_promoted(turn)
    if stages.primary_shrank(turn.record, turn.seen):
        return hold_capacity(turn)
    unfit = _unfit(turn)
    if unfit:
        turn.tell(ALL_TO_PRIMARY, once="all-to-primary")
        return turn.lower(f"{unfit}: all traffic to the primary")
    unready = _primary_unready(turn)
    if unready:
        return unready
    if turn.reaches_canary:
        return _return_traffic(turn)
    turn.enter(states.FINALISING)
    turn.set(iterations=0)
    return finalising(turn)


def _not_promoted(turn: Turn) -> Decision:
    """The order was void (SAFETY 13), or somebody undid it: what was judged then may be wrong by now, so it is judged again."""
    turn.enter(states.PROGRESSING)
    turn.set(previous={}, confirmed_at=0.0, due=0.0, due_why="")
    return turn.wait(ACT, "the promotion was not carried out in time: the analysis goes on")


def _unfit(turn: Turn) -> str:
    """Why the canary is not to keep its weight, where it has some and the primary could take it; "" where it may."""
    target = turn.seen.target
    if turn.weight == 0 or turn.seen.primary.endpoints == 0:
        return ""
    if target is None or target.revision != turn.record.pinned.revision:
        # While it is paused an edit starts no pods, and who serves is who was analysed (SAFETY 22).
        waits = target is not None and target.paused and target.serving == turn.record.pinned.replicaset != ""
        return "" if waits else "the canary no longer runs the analysed revision"
    return "" if target.endpoints else f"{turn.canary.target} has no ready endpoint any more"


def _primary_unready(turn: Turn) -> Decision | None:
    """The wait for the promoted primary, or its end; None when it is ready."""
    primary = turn.seen.primary
    if primary.ready and primary.endpoints > 0:
        turn.set(unready_since=0.0)
        return None
    if not turn.record.unready_since:
        turn.set(unready_since=turn.now)
    why = primary.why or "it has no ready endpoint"
    if primary.stuck or turn.now - turn.record.unready_since > turn.canary.progress_deadline:
        turn.warn(f"Promotion of {turn.target_label} failed, primary not ready: {why}", alert=f"Promotion failed, primary not ready: {why}")
        turn.set(restoring=Ending("rolled_back", f"promotion failed, primary not ready: {why}", turn.now))
        return restoring(turn)
    return turn.wait_asking(f"{turn.canary.primary} rolls out: {why}")


def _return_traffic(turn: Turn) -> Decision:
    if not turn.canary.analysis.step_weight_promotion:
        turn.tell(ALL_TO_PRIMARY, once="all-to-primary")
        return turn.lower("the primary runs the new revision: all traffic to it")
    if turn.now < turn.record.due:
        return turn.wait(CLOCK, "traffic returns to the primary step by step", due=turn.record.due)
    weight = next_promotion(turn.canary.analysis, turn.weight)
    turn.tell(f"Advance {turn.label} primary weight {100 - weight}", once=f"primary-{100 - weight}")
    return turn.lower(f"primary to {100 - weight}%", canary=weight)


def finalising(turn: Turn) -> Decision:
    """All traffic is on the new primary: drain the canary, scale it down, done."""
    target, pinned = turn.seen.target, turn.record.pinned
    if turn.reaches_canary:
        return turn.lower("all traffic to the primary")
    unready = _primary_unready(turn) if turn.seen.primary else None
    if unready:
        return unready
    if turn.now < turn.record.drain_until:
        return turn.wait(CLOCK, "all traffic is on the primary; the canary drains", due=turn.record.drain_until)
    parks = _park(turn, ": the primary serves the new revision") if target and target.revision == pinned.revision else None
    held = parks or resume_target(turn) or release_minimum(turn)
    if held:
        return held
    turn.enter(states.SUCCEEDED)
    turn.set(last_applied=pinned.revision, last_promoted=pinned.revision)
    skipped, ordered = turn.canary.skip_analysis, turn.ordered_promotion()
    turn.tell(f"Promotion completed! Canary analysis was skipped for {turn.target_label}" if skipped
              else f"Promotion completed! Scaling down {turn.target_label}",
              alert=f"{ordered.capitalize()}, promotion finished." if ordered else
                    f"Canary analysis {'was skipped' if skipped else 'completed successfully'}, promotion finished.")
    _finish(turn, "promoted", ordered or ("analysis was skipped" if skipped else "analysis completed"), pinned.revision)
    return turn.wait(ACT, "promoted")


def restoring(turn: Turn) -> Decision:
    """A promotion is taken back: the primary gets its previous template, and when it is ready the walk goes down (SAFETY 16, 30)."""
    why, previous, primary = turn.record.restoring, turn.record.previous, turn.seen.primary
    if primary is None or not previous.get("replicaset"):
        unrestored = f"{turn.canary.primary} cannot be restored: its previous {turn.kind.HISTORY} is not known"
        turn.warn(unrestored, once="not-restored", alert=unrestored)
        return turn.done("held", f"{why.why}; the previous template of {turn.canary.primary} is not known, {_who_serves(turn)}")
    unfit = _unfit(turn)
    if unfit:
        return turn.lower(f"{unfit}: all traffic to the primary")
    if primary.promoted != previous["revision"]:
        return turn.act(f"restore {turn.canary.primary}: {why.why}", lowers=True, workload=WorkloadOrder(restore=dict(previous)))
    if not primary.ready or primary.endpoints == 0:
        if primary.stuck or turn.now - why.at > 2 * turn.canary.progress_deadline:
            stuck = f"{turn.canary.primary} did not become ready after it was restored: {primary.why}"
            turn.warn(stuck, once="restore-stuck", alert=stuck)
            if turn.weight and turn.seen.target and turn.kind.PAUSES and not turn.seen.target.paused:
                turn.set(paused=True)
                return turn.act(f"pause {turn.canary.target}: it is what serves", lowers=True, workload=WorkloadOrder(pause_target=True))
            return turn.done("held", f"{why.why}; the restored primary is not ready ({primary.why}), {_who_serves(turn)}")
        return turn.wait(KUBERNETES, f"{turn.canary.primary} is being restored: {primary.why}")
    turn.set(restoring=None)
    if why.asked:
        turn.end_as_asked(why.why)
    else:
        turn.end(why.outcome, why.why)
    return go_down(turn)


def _who_serves(turn: Turn) -> str:
    return "the canary goes on serving" if turn.weight else "only its former pods serve, as far as they are there"


def abort(turn: Turn) -> Decision:
    """A person's abort, phase by phase (SAFETY 30). It works while suspended and needs no metrics."""
    record, text = turn.record, turn.seen.orders.abort
    why = f"aborted {states.by_a_person(text)}"
    turn.obey("abort", text)
    turn.set(aborted_in=record.holder.run if record.holder else "")
    if record.ending:
        return go_down(turn)
    if record.restoring:
        return restoring(turn)
    if record.phase in ("", states.INITIALIZING):
        turn.set(outcome="aborted", outcome_why=why, outcome_at=turn.now)
        return turn.done("aborted", f"{why}; {turn.canary.target} serves as before")
    if record.phase in states.IDLE:
        return turn.done("unchanged", f"{record.phase}: nothing to abort")
    return take_back(turn, "aborted", why)


def take_back(turn: Turn, outcome: str, why: str) -> Decision:
    """Out of the middle of a walk, by phase: what is nearly done is finished, a promotion is undone, all else goes down (SAFETY 30)."""
    record = turn.record
    if record.phase == states.FINALISING:
        return finalising(turn)
    if record.phase == states.PROMOTING and turn.seen.primary and turn.seen.primary.promoted == record.pinned.revision:
        turn.set(restoring=Ending(outcome, why, turn.now))
        return restoring(turn)
    turn.end(outcome, why)
    return go_down(turn)


def abandoned(turn: Turn) -> Decision:
    """Nobody came back to the walk in time, and the document's options say what then (SAFETY 32): traffic first, as in every rollback."""
    since = turn.record.absent_since
    turn.set(absent_since=0.0)
    return take_back(turn, "rolled_back", f"nobody came back to the walk since {states.rfc3339(since)} (canary_on_absence: rollback)")


def stopped(turn: Turn) -> Decision:
    """The run that took something back begins nothing new: what comes next is for the next run."""
    outcome, why = turn.outcome_of_run()
    record, target = turn.record, turn.seen.target
    if not outcome and target and not turn.seen.same_as_primary and target.revision not in (record.last_promoted, record.last_applied):
        return turn.done("aborted", f"aborted by a person: revision {target.revision[:8]} was not walked; run again to walk it")
    return turn.done(outcome or "unchanged", why or f"{record.phase}: nothing to abort")


def repair_services(turn: Turn) -> Decision:
    """A Service of ours was deleted or edited: it comes back, and moves nobody (SAFETY 16: behind it nobody can be seen to answer)."""
    lost = stages.lost_services(turn.canary, turn.seen)
    gone = all(name in turn.seen.missing for name in lost)
    names = " and ".join(lost)
    turn.warn(f"{names} of {turn.label} {'were missing' if gone else 'led elsewhere'}", once="services-gone")
    if turn.record.confirmed_at and turn.record.phase in states.ANALYSING:
        # What was gathered meanwhile says nothing of the canary (SAFETY 12).
        turn.set(confirmed_at=turn.seen.after(0), due=max(turn.record.due, turn.seen.after(turn.canary.analysis.interval)))
    what = f"{names} {'is gone: make it again' if gone else 'leads elsewhere: put it right'}"
    if turn.kind.IS_APEX and turn.live and turn.live.mirror and turn.seen.primary and turn.seen.primary.endpoints:
        # It comes back leading where the primary does, who would get users' requests twice, for as long as nobody walks.
        return turn.act(f"{what}, without copies of requests", lowers=True, traffic=TrafficOrder(services=True, split=turn.all_to_primary()))
    return turn.act(what, lowers=False, traffic=TrafficOrder(services=True))


def repair_route(turn: Turn) -> Decision:
    """The route vanished under a walk: it comes back with everything on the primary, and the walk climbs again."""
    turn.warn(f"The route of {turn.label} was missing or held other backends", once="route-gone")
    return turn.lower("the route is gone: make it again with all traffic to the primary")


def stray_weight(turn: Turn) -> Decision:
    """The live object gives the canary more than was confirmed, of the traffic or of copies: lower it back (SAFETY 14)."""
    answers = turn.seen.target is not None and turn.seen.target.endpoints > 0
    confirmed = turn.record.canary_weight if turn.record.phase in states.ANALYSING and answers else 0
    live, allowed = turn.live or Split(100, 0), min(turn.record.mirror, turn.canary.analysis.mirror)
    if live.canary <= confirmed and live.mirror > allowed:
        turn.warn(f"{turn.label} canary got copies of {live.mirror}% of the requests, not of {allowed}%", once=f"stray-mirror-{live.mirror}")
        return turn.lower(f"copies of {live.mirror}% of the requests to the canary are more than the {allowed}% that are wanted: stop them", canary=confirmed)
    if live.canary <= confirmed:
        return turn.lower("a cookie leads users to the canary, which has no weight: all traffic to the primary", canary=confirmed)
    turn.warn(f"{turn.label} canary weight was {turn.weight}, not the confirmed {confirmed}", once=f"stray-{turn.weight}")
    return turn.lower(f"the live canary weight {turn.weight}% is above the confirmed {confirmed}%: lower it back", canary=confirmed)
