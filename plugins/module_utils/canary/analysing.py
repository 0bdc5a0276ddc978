# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The analysis: readiness, gates, checks, and the way up, which may begin with copies of requests in place of a weight."""

from __future__ import annotations

from types import ModuleType

from ansible_collections.progressive.delivery.plugins.module_utils.canary import ab_testing, blue_green, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.going_down import (
    confirm_promotion,
    go_down,
    hold_capacity,
    promote,
    renew_pods,
    resume_target,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, UNKNOWN, Outcome, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import EVIDENCE_KEPT, Pinned, Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    PRE_ROLLOUT,
    ROLLOUT,
    Canary,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.stage import (
    CANARY_SHRANK,
    evidence_due,
    has_old_pods,
    minimum_to_hold,
    primary_shrank,
    promoted_now,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import at_top, next_weight
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import ACT, CLOCK, PERSON, Decision, Turn
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import policy_of

HOLD = "hold"
LONG_ABSENCE = 150.0        # seconds; SAFETY 12


def strategy(canary: Canary) -> ModuleType:
    """Who says what follows in an analysis that counts iterations: begin, advance and gates_ahead."""
    return ab_testing if canary.analysis.match else blue_green


def reverted(turn: Turn) -> Decision:
    """The target was set back to what is promoted: the walk ends, nothing is promoted (WS 6)."""
    turn.end("superseded", "the target was set back to the promoted revision")
    return go_down(turn)


def restarted(turn: Turn) -> Decision:
    """Another revision came: it starts from the beginning, and no traffic reaches it before that (SAFETY 9)."""
    if turn.weight > 0 and primary_shrank(turn.record, turn.seen):
        return hold_capacity(turn)
    if turn.reaches_canary:
        # The old revision stays pinned until then: what comes next begins at 0, whenever the primary can take the traffic.
        return turn.lower("a new revision arrived: all traffic to the primary, the analysis starts again")
    resumed = resume_target(turn)
    if resumed:
        return resumed
    if has_old_pods(turn.record, turn.seen):
        return renew_pods(turn)
    # Whoever let the last revision in did not let this one in (SAFETY 4); a webhook is not asked again, as in Flagger.
    by_hand = CONFIRM_ROLLOUT in turn.canary.options.manual_gates
    turn.begin_analysis(states.WAITING if by_hand else states.PROGRESSING, f"{turn.seen.target.revision[:8]}-{int(turn.now)}")
    turn.tell(f"New revision detected! Restarting analysis for {turn.target_label}")
    if not by_hand:
        turn.set(last_applied=turn.seen.target.revision)
    return turn.wait(ACT, "a new revision arrived: the analysis starts again")


def canary_gone(turn: Turn) -> Decision:
    """It has weight and nobody answers for it: users see errors now (SAFETY 16)."""
    why = turn.seen.target.why or "none of its pods is a ready endpoint"
    turn.end("rolled_back", f"{turn.canary.target} has no ready endpoint while it has {turn.weight}% of the traffic: {why}")
    return go_down(turn)


def scaled_away(turn: Turn) -> Decision:
    if turn.kind.IS_APEX and turn.live and turn.live.mirror:
        return turn.lower(f"{turn.canary.service.canary_name} was led elsewhere: no copies of requests until it is back")
    if turn.kind.IS_APEX and turn.now < turn.record.drain_until:
        # Its Service is led elsewhere at once, and whoever has not learned of the last weight yet would follow (SAFETY 11).
        return turn.wait(CLOCK, f"{turn.canary.service.canary_name} drains, before it leads elsewhere", due=turn.record.drain_until)
    replicas = max(1, turn.seen.primary.replicas if turn.seen.primary else 1)
    turn.set(ready_since=0.0, confirmed_at=0.0)     # what an iteration gathered was of pods that are gone
    return turn.scale(replicas, f"{turn.canary.target} has no replicas: ")


def unready(turn: Turn) -> Decision:
    """Pods are coming, or never will: the deadline decides (WS 9). Rollback hooks are read here too (WS 13)."""
    target, deadline = turn.seen.target, turn.canary.progress_deadline
    if not turn.record.unready_since:
        turn.set(unready_since=turn.now, ready_since=0.0)
    requested = turn.rollback_requested()
    if requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    why = target.why or "none of its pods is a ready endpoint"
    if target.stuck or turn.now - turn.record.unready_since > deadline:
        turn.end("rolled_back", f"{turn.canary.target} did not become ready within its progress deadline: {why}", alert=f"Progress deadline exceeded {why}")
        return go_down(turn)
    return turn.wait_asking(f"{turn.canary.target} is not ready: {why}")


def primary_unready(turn: Turn) -> Decision:
    requested = turn.rollback_requested()
    if requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    why = (turn.seen.primary.why or "it has no ready endpoint") if turn.seen.primary else "it does not exist"
    turn.warn(f"{turn.canary.primary}.{turn.canary.namespace} not ready: {why}", once="primary")
    return turn.wait_asking(f"{turn.canary.primary} is not ready: {why}" if turn.seen.primary else turn.primary_gone)


def settling(turn: Turn) -> Decision:
    """Ready pods get a moment before the first traffic (SAFETY 10); the ReplicaSet is pinned now that it exists."""
    target = turn.seen.target
    if not turn.record.ready_since:
        turn.set(ready_since=turn.seen.after(0), unready_since=0.0,
                 pinned=Pinned(target.revision, target.replicaset, target.replicaset_uid, target.configs))
    settled = turn.record.ready_since + turn.canary.options.settle
    # In an iteration, whatever was to be waited for is still waited for.
    due = max(settled, turn.record.due) if turn.record.gathers else settled
    return turn.wait(CLOCK, f"{turn.canary.target} is ready, it settles", due=due)


def pause_target(turn: Turn) -> Decision:
    """While nobody walks, an edit of the target must not roll to the users that it serves (SAFETY 22)."""
    turn.set(paused=True)
    return turn.act(f"pause {turn.canary.target} before it gets traffic", lowers=False, workload=WorkloadOrder(pause_target=True))


def hold_minimum(turn: Turn) -> Decision:
    """Less traffic makes an autoscaler shrink the primary, and a rollback brings all of it back at once (SAFETY 15, WS 31)."""
    wanted = minimum_to_hold(turn.record, turn.seen)
    turn.set(scaler_minimum=wanted)
    if turn.seen.scaler.minimum >= wanted:
        return turn.wait(ACT, f"{turn.canary.primary} has {turn.seen.scaler.minimum} replicas at least")
    return turn.act(f"hold {turn.canary.primary} at {wanted} replicas at least, as many as it has", lowers=False, workload=WorkloadOrder(scaler=wanted))


def canary_shrank(turn: Turn) -> Decision:
    """Pods first, users in a later decision (SAFETY 9). Nobody holds them there: with users, the autoscaler sees what it has to carry."""
    turn.set(announced=turn.record.announced + (CANARY_SHRANK,))
    replicas = turn.seen.primary.replicas
    return turn.scale(replicas, f"{turn.canary.target} was scaled to {turn.seen.target.replicas} while nobody used it: {replicas} before all users meet it")


def start(turn: Turn) -> Decision:
    """Pre-rollout hooks, once (WS 12), then the first weight: it rests on readiness alone (SAFETY 12)."""
    requested = turn.rollback_requested()
    if requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    if not turn.record.pre_rollout_done:
        verdict, why = turn.hooks(PRE_ROLLOUT)
        if verdict == FAIL:
            return _failed(turn, why)
        if verdict == HOLD:
            return _hold(turn, why)
        turn.set(pre_rollout_done=True, hold_since=0.0)
        turn.tell(f"Starting canary analysis for {turn.target_label}", once="starting")
        for hook in turn.canary.analysis.of_type(PRE_ROLLOUT):
            turn.tell(f"Pre-rollout check {hook.name} passed")
    if turn.now - max(turn.record.due, turn.record.ready_since) > _long_absence(turn):
        turn.set(ready_since=0.0)
        return settling(turn)
    if turn.canary.analysis.iterations:
        return strategy(turn.canary).begin(turn)
    turn.set(iterations=0, iterations_wanted=0)
    return _raise(turn, "ready")


def judge(turn: Turn) -> Decision:
    """The present weight has an interval of its own: what do the hooks and checks say of it?"""
    requested = turn.rollback_requested()
    if requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    if turn.record.failed_checks >= max(1, turn.canary.analysis.threshold):
        # The threshold of the document was lowered meanwhile.
        turn.end_at_threshold()
        return go_down(turn)
    late = turn.now - evidence_due(turn.canary, turn.record)
    _keep_evidence(turn)
    failed, unknown = _verdict(turn)
    if failed:
        return _failed(turn, failed)
    if unknown:
        return _hold(turn, unknown)
    turn.set(hold_since=0.0, unready_since=0.0)
    if late > _long_absence(turn):
        return turn.next_interval(CLOCK, f"nobody looked for {int(late)} s: this tick may only hold or lower")
    if turn.canary.analysis.iterations:
        return strategy(turn.canary).advance(turn)
    if at_top(turn.canary.analysis, turn.record.canary_weight):
        return _kept_from_all_users(turn) or confirm_promotion(turn, "all checks passed at the last weight")
    return _raise(turn, "all checks passed")


def gates_ahead(canary: Canary, record: Record) -> tuple[str, ...]:
    """The gates of the step that follows a weight. A promotion is the greatest increase of all; who waits for its approval has passed that gate."""
    if not at_top(canary.analysis, record.canary_weight):
        return (CONFIRM_TRAFFIC_INCREASE,)
    return (CONFIRM_PROMOTION,) if record.phase == states.WAITING_PROMOTION else (CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION)


def _long_absence(turn: Turn) -> float:
    return max(2 * turn.canary.analysis.interval, LONG_ABSENCE)


def _keep_evidence(turn: Turn) -> None:
    entry = {
        "at": turn.now, "weight": turn.record.canary_weight, "iteration": turn.record.iterations,
        **({"mirror": turn.record.mirror} if turn.record.mirror else {}),
        "checks": [{"name": o.name, "outcome": o.outcome, "value": o.value, "why": o.why} for o in turn.outcomes],
        "hooks": [{"name": a.name, "type": a.type, "outcome": a.outcome, "status": a.status} for a in turn.answers],
    }
    turn.set(evidence=(turn.record.evidence + (entry,))[-EVIDENCE_KEPT:])


def _verdict(turn: Turn) -> tuple[str, str]:
    """The first failure and the first thing that cannot be told, in words. What is missing is never a pass (ANSIBLE 13)."""
    failed, unknown = "", ""
    hook_verdict, why = turn.hooks(ROLLOUT)
    results = [(hook_verdict, why)]
    for check in turn.canary.analysis.checks:
        outcome = next((item for item in turn.outcomes if item.index == check.index), None)
        if outcome is None:
            unknown = unknown or f"check {check.name} was not run"
            continue
        results.append((outcome.outcome, _said(outcome)))
        if outcome.outcome == UNKNOWN and outcome.why.startswith("no_data") and turn.now - turn.record.confirmed_at < check.interval:
            results[-1] = (HOLD, f"{check.name}: no data yet, its first interval of {int(check.interval)} s is not over")
    results += [(item.outcome, _said(item)) for item in turn.outcomes if item.index < 0]
    results += [("fail" if item.outcome == "refused" else item.outcome, f"{item.name}: {item.body or item.status}")
                for item in turn.answers if item.index < 0 and item.outcome != "allowed"]
    for verdict, text in results:
        if verdict == FAIL:
            failed = failed or text
        elif verdict == HOLD:
            unknown = unknown or text
        elif verdict != PASS:
            said = policy_of(turn.canary.options, text)
            failed = failed or (text if said == FAIL else "")
            unknown = unknown or (text if said == HOLD else "")
    return failed, unknown


def _said(outcome: Outcome) -> str:
    return outcome.why or outcome.name


def _failed(turn: Turn, why: str) -> Decision:
    reached = turn.count_failure()
    count = f"{turn.record.failed_checks} of {turn.canary.analysis.threshold} failed checks"
    turn.warn(f"Halt {turn.label} advancement {why}")
    if reached:
        turn.end_at_threshold(why)
        return go_down(turn)
    return turn.next_interval(CLOCK, f"{why} ({count})")


def _hold(turn: Turn, why: str) -> Decision:
    """Cannot tell: wait; but not for ever with users on an unjudged canary."""
    if not turn.record.hold_since:
        turn.set(hold_since=turn.now)
    if turn.now - turn.record.hold_since > turn.canary.progress_deadline:
        return _failed(turn, f"{why}, for {int(turn.now - turn.record.hold_since)} s")
    return turn.next_interval(CLOCK, f"cannot tell: {why}")


def _kept_from_all_users(turn: Turn) -> Decision | None:
    """A promotion gives the revision to everybody: who keeps traffic from increasing keeps it from that too, as in Flagger."""
    return None if turn.record.phase == states.WAITING_PROMOTION else _kept(turn, "increase-promotion")


def _kept(turn: Turn, once: str) -> Decision | None:
    """The wait at the gate before more traffic; None where it is open."""
    is_open, closed = turn.gate(CONFIRM_TRAFFIC_INCREASE)
    if is_open:
        return None
    turn.halt_for(CONFIRM_TRAFFIC_INCREASE, closed, once=once)
    return turn.next_interval(PERSON, closed, gate=CONFIRM_TRAFFIC_INCREASE)


def _raise(turn: Turn, why: str) -> Decision:
    weight = next_weight(turn.canary.analysis, turn.record.canary_weight)
    copied = turn.canary.analysis.mirror
    mirrors = turn.record.canary_weight == 0 and turn.record.mirror < copied
    kept = _kept(turn, "increase-mirror" if mirrors else f"increase-{weight}")
    if kept:
        return kept
    if turn.record.phase == states.WAITING_PROMOTION:
        turn.enter(states.PROGRESSING)
    if mirrors:
        turn.tell(f"Advance {turn.label} canary mirror {copied}", once=f"advance-mirror-{copied}")
        return turn.mirror(f"{why}: copies of {copied}% of the requests to the canary")
    turn.tell(f"Advance {turn.label} canary weight {weight}", once=f"advance-{weight}")
    return turn.raise_to(weight, f"{why}: canary to {weight}%")


def promote_now(turn: Turn) -> Decision:
    """skipAnalysis, or a person's order: promote what is ready, and only that (SAFETY 16, 31)."""
    ordered = promoted_now(turn.record, turn.seen.orders)
    if ordered:
        turn.obey("promote", turn.seen.orders.promote_by)
    if not turn.record.pinned.replicaset:
        target = turn.seen.target
        turn.set(pinned=Pinned(target.revision, target.replicaset, target.replicaset_uid, target.configs))
    return promote(turn, f"promoted {states.by_a_person(turn.seen.orders.promote_by)}" if ordered else "analysis is skipped")


def lowered_by_hand(turn: Turn) -> Decision:
    """Somebody lowered the canary: their hand wins until they say resume (SAFETY 14), or a rollback hook takes away the rest (SAFETY 31)."""
    requested = turn.rollback_requested()
    if requested:
        turn.end_as_asked(requested)
        return go_down(turn)
    live = turn.weight
    if turn.seen.orders.resume:
        turn.obey("resume", turn.seen.orders.resume)
        drain_until = turn.record.drain_until if turn.live and turn.live.reaches_canary else turn.seen.after(turn.canary.options.drain)
        turn.set(canary_weight=live, mirror=turn.live.mirror if turn.live else 0, confirmed_at=turn.seen.after(0),
                 due=turn.seen.after(turn.canary.analysis.interval), drain_until=drain_until)
        return turn.wait(ACT, f"resumed at {live}%")
    turn.set(confirmed_at=0.0)          # put back by hand, the weight gathers its evidence anew
    if turn.live and live == turn.record.canary_weight:
        copied = turn.live.mirror
        turn.warn(f"{turn.label} canary gets copies of {copied}% of the requests since somebody's edit, waiting for resume", once=f"lowered-mirror-{copied}")
        return turn.next_interval(PERSON, f"somebody lowered the copies of requests to {copied}%: waiting for progressive.delivery.resume")
    turn.warn(f"{turn.label} canary weight was lowered to {live} by somebody, waiting for resume", once=f"lowered-{live}")
    return turn.next_interval(PERSON, f"somebody lowered the canary to {live}%: waiting for progressive.delivery.resume")
