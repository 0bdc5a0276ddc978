# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step arithmetic of a weighted canary: which weight follows which. Weights are the canary's percent, 0-100.

As in Flagger ``stepWeight`` may pass ``maxWeight`` (20 of 50: 20, 40, 60), since only a weight at or above it is the top;
and ``stepWeights``, where there are any, decide alone: their top is their last one. With ``iterations`` there is one step, from 0 to all.
"""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis

FULL = 100


def at_top(analysis: Analysis, weight: int) -> bool:
    """True when there is no step above ``weight``: what comes next is the promotion."""
    return weight >= _top(analysis)


def next_weight(analysis: Analysis, weight: int) -> int:
    """The weight one step above ``weight``; ``weight`` itself at the top.

    A weight beside the plan, after a person's hand, goes to the plan's next one above it (Flagger jumps to 100 from beside ``stepWeights``).
    """
    if at_top(analysis, weight):
        return weight
    if analysis.iterations:
        return FULL
    if analysis.step_weights:
        return min(FULL, min(step for step in analysis.step_weights if step > weight))
    return min(FULL, (weight // analysis.step_weight + 1) * analysis.step_weight)


def sequence(analysis: Analysis) -> tuple[int, ...]:
    """All weights from the first step to the top."""
    weights: list[int] = []
    weight = 0
    while (raised := next_weight(analysis, weight)) > weight:
        weights.append(raised)
        weight = raised
    return tuple(weights)


def next_promotion(analysis: Analysis, canary_weight: int) -> int:
    """The canary's weight after one step of the traffic back to the promoted primary; without such steps all at once."""
    if analysis.step_weight_promotion <= 0:
        return 0
    return max(0, canary_weight - analysis.step_weight_promotion)


def _top(analysis: Analysis) -> int:
    if analysis.iterations:
        return FULL
    return min(FULL, max(analysis.step_weights) if analysis.step_weights else analysis.max_weight)
