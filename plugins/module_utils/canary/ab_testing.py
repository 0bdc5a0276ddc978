# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A/B testing: requests that match go to the canary from the first iteration on, all others stay with the primary.

The weight is the canary's share of the requests that match, none of them or all. Each iteration is an interval of evidence of its own.
The gate confirm-traffic-increase stands before the first one, since users meet the revision there; confirm-promotion after the last one.
"""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.blue_green import iteration
from ansible_collections.progressive.delivery.plugins.module_utils.canary.going_down import confirm_promotion
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_TRAFFIC_INCREASE, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import FULL
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import PERSON, Decision, Turn


def begin(turn: Turn) -> Decision:
    """The canary is ready and the pre-rollout hooks passed: it gets all requests that match, and the first iteration counts from there."""
    is_open, closed = turn.gate(CONFIRM_TRAFFIC_INCREASE)
    if not is_open:
        turn.halt_for(CONFIRM_TRAFFIC_INCREASE, closed)
        return turn.next_interval(PERSON, closed, gate=CONFIRM_TRAFFIC_INCREASE)
    wanted = turn.canary.analysis.iterations
    turn.set(iterations=1, iterations_wanted=wanted)
    turn.tell(f"Advance {turn.label} canary iteration 1/{wanted}", once="iteration-1")
    return turn.raise_to(FULL, f"ready: iteration 1 of {wanted}, all requests that match to the canary")


def gates_ahead(canary: Canary, record: Record) -> tuple[str, ...]:
    """The gates that keep the step after the present iteration."""
    if record.canary_weight < FULL:
        return (CONFIRM_TRAFFIC_INCREASE,)
    return (CONFIRM_PROMOTION,) if record.iterations >= canary.analysis.iterations else ()


def advance(turn: Turn) -> Decision:
    """Everything passed: the next iteration, or the primary is promoted. Iterations of less than all that match, after a person's hand, do not count."""
    wanted = turn.canary.analysis.iterations
    if turn.record.canary_weight < FULL:
        return begin(turn)
    if turn.record.iterations < wanted:
        return iteration(turn, turn.record.iterations + 1, "all checks passed")
    return confirm_promotion(turn, f"all checks passed in {wanted} iterations")
