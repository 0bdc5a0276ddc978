# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue/green: the canary is judged so many iterations long without a user's request, then users meet it all at once.

Each iteration is an interval of evidence of its own, from load that hooks make, or from what the canary does by itself. After the last
one both gates are asked, once; then all traffic goes to the canary, is judged for one more interval, and the primary is promoted. A
provider without weights goes from the last iteration to the promotion. Where the document mirrors, the canary gets copies of users'
requests in every iteration, until they get to it themselves.
"""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.going_down import promote
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import FULL
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import CLOCK, PERSON, Decision, Turn

# Both stand before the one moment at which users meet the revision.
GATES_BEFORE_USERS = (CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE)


def begin(turn: Turn) -> Decision:
    """The canary is ready and the pre-rollout hooks passed: the first iteration starts to count, with the copies from when they are accepted."""
    if not _lacks_copies(turn.canary, turn.record):
        return iteration(turn, 1, "ready")
    wanted, copied = turn.canary.analysis.iterations, turn.canary.analysis.mirror
    if turn.record.phase == states.WAITING_PROMOTION:
        turn.enter(states.PROGRESSING)
    turn.set(iterations=1, iterations_wanted=wanted)
    turn.tell(f"Advance {turn.label} canary iteration 1/{wanted}", once="iteration-1")
    return turn.mirror(f"ready: iteration 1 of {wanted}, with copies of {copied}% of the requests")


def _lacks_copies(canary: Canary, record: Record) -> bool:
    """Whether fewer requests are copied than the document asks for, which is nothing once users meet the canary themselves."""
    return record.canary_weight == 0 and record.mirror < canary.analysis.mirror


def gates_ahead(canary: Canary, record: Record) -> tuple[str, ...]:
    """The gates that keep the step after the present iteration."""
    last = record.iterations >= canary.analysis.iterations and record.canary_weight < FULL and not _lacks_copies(canary, record)
    return GATES_BEFORE_USERS if last else ()


def advance(turn: Turn) -> Decision:
    """Everything passed: the next iteration, or users meet the canary, or the primary is promoted. Iterations with too few copies do not count."""
    wanted = turn.canary.analysis.iterations
    if _lacks_copies(turn.canary, turn.record):
        return begin(turn)
    if turn.record.iterations < wanted:
        if turn.record.canary_weight:
            return turn.lower(f"the document asks for {wanted} iterations without traffic now: all of it to the primary")
        return iteration(turn, turn.record.iterations + 1, "all checks passed")
    if turn.record.canary_weight >= FULL:
        return promote(turn, "all checks passed with all traffic on the canary")
    kept = _kept_by_a_gate(turn)
    if kept:
        return kept
    if not turn.canary.splits:
        return promote(turn, f"all checks passed in {wanted} iterations")
    if turn.record.phase == states.WAITING_PROMOTION:
        turn.enter(states.PROGRESSING)
    turn.set(iterations=wanted + 1)
    turn.tell("Stop traffic mirroring and route all traffic to canary" if turn.record.mirror else "Routing all traffic to canary", once="all-to-canary")
    return turn.raise_to(FULL, f"all checks passed in {wanted} iterations: all traffic to the canary")


def iteration(turn: Turn, number: int, why: str) -> Decision:
    """One more interval of evidence at the present weight."""
    wanted = turn.canary.analysis.iterations
    if turn.record.phase == states.WAITING_PROMOTION:
        turn.enter(states.PROGRESSING)
    turn.set(iterations=number, iterations_wanted=wanted, confirmed_at=turn.seen.after(0))
    turn.tell(f"Advance {turn.label} canary iteration {number}/{wanted}")
    return turn.next_interval(CLOCK, f"{why}: iteration {number} of {wanted}")


def _kept_by_a_gate(turn: Turn) -> Decision | None:
    """The wait at the first closed gate; None when both are open. What one of them used up or told counts only if both are."""
    before, obeyed = turn.record, list(turn.obeyed)
    for gate in GATES_BEFORE_USERS:
        is_open, closed = turn.gate(gate)
        if not is_open:
            turn.record, turn.obeyed = before, obeyed
            turn.enter(states.WAITING_PROMOTION)
            turn.halt_for(gate, closed)
            return turn.next_interval(PERSON, closed, gate=gate)
    return None
