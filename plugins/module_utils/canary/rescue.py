# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An abort without a readable record: its traffic part, and words for the rest (SAFETY 6)."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary import words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Route, Split, TrafficOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary


@dataclass(frozen=True)
class Rescue:
    """What is to be ordered now, and in words what was found; without an order it is how the run ends."""

    why: str
    traffic: TrafficOrder | None = None


def rescue(canary: Canary, problem: str, route: Route | None, primary_answers: bool) -> Rescue:
    """``problem`` says what is wrong with the record, empty where there is none.

    Only traffic moves: without a record nobody knows whether pods were draining, or which template the primary had before.
    """
    split = route.split if route else None
    if split is None:
        return Rescue(_said(canary, problem, f"no route splits between {canary.service.primary_name} and {canary.service.canary_name}, "
                                             "so there was no weight to take back"))
    if not split.reaches_canary:
        accepted = "" if route and route.accepted else f", but the gateway's controller has not accepted that yet: {route.why if route else ''}"
        return Rescue(_said(canary, problem, f"all traffic is routed to the primary (100/0){accepted}"))
    if not primary_answers:
        return Rescue(_said(canary, problem, f"traffic stays where it is, {words.share(split)} at the canary, since Service {canary.service.primary_name} "
                                             "has no ready endpoint and nobody would answer"))
    return Rescue(f"{_what(problem)}: all traffic to the primary, the canary has {words.share(split)}", TrafficOrder(split=Split(100, 0)))


def _said(canary: Canary, problem: str, done: str) -> str:
    return f"{_what(problem)}; {done}. The pods of {canary.target}{' and the ConfigMap' if problem else ''} were left as they are. {_way_out(canary, problem)}"


def _what(problem: str) -> str:
    return problem or "there is no record of a walk"


def _way_out(canary: Canary, problem: str) -> str:
    first = f"mend the ConfigMap {canary.namespace}/{canary.name}-canary, or delete it and " if problem else ""
    return (f"To go on, {first}run progressive.delivery.canary: it makes the record anew from what is there, and walks the template that "
            f"{canary.target} has then from 0%; set that back before, if nobody wants it")
