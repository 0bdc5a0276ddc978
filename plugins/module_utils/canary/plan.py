# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole walk, run forward over plain data: what check mode prints, and what tests hold the machine against.

The imagined cluster obeys at once, every check passes and every gate opens, so the plan is what happens when all goes well.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import asks, decide, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import (
    ALLOWED,
    ORIGINAL,
    OURS,
    PASS,
    Answer,
    Observation,
    Outcome,
    Route,
    Scaler,
    TrafficOrder,
    Workload,
    WorkloadOrder,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ROLLBACK, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.turn import CLOCK, DONE, KUBERNETES, PERSON, Decision

MOST_STEPS = 1000


@dataclass(frozen=True)
class Step:
    """One step of a plan. ``after`` is seconds from now; ``waits`` names what only a person or hook can open."""

    after: float
    phase: str
    weight: int
    what: str
    waits: str = ""


def plan(canary: Canary, record: Record, seen: Observation, then: str = "") -> tuple[Step, ...]:
    """The steps from here to the end, if every check passes and every gate opens; and on to the end of the release of revision ``then``, if there is one."""
    seen = dataclasses.replace(seen, latest=0.0)     # in a plan, the time is known
    began, steps = seen.now, []
    for _round in range(MOST_STEPS):
        back = read_back(canary, record, seen)
        record = back.record
        if back.traffic or back.workload:
            seen = obey(canary, seen, back.traffic, back.workload)
            continue
        decision = decide(canary, record, seen, *_all_well(canary, record, seen))
        waits = decision.waits if decision.waits == PERSON else ""
        steps.append(Step(seen.now - began, decision.record.phase, decision.record.canary_weight, decision.why, waits))
        record = decision.record
        if decision.waits == DONE and then and seen.target:
            released = dataclasses.replace(seen.target, revision=then, replicaset="", replicaset_uid="")
            seen = dataclasses.replace(seen, same_as_primary=False, target=released)
            then = ""
            continue
        if decision.waits in (DONE, PERSON):
            break
        seen = obey(canary, seen, decision.traffic, decision.workload)
        seen = _time_passes(seen, decision)
    return _without_repetition(steps)


def _all_well(canary: Canary, record: Record, seen: Observation) -> tuple[list[Answer], list[Outcome]]:
    wanted = asks(canary, record, seen)
    hooks = {hook.index: hook for hook in canary.analysis.hooks}
    answers = [Answer(index, hooks[index].name, hooks[index].type, ALLOWED, 200)
               for index in wanted.before + wanted.after if hooks[index].type != ROLLBACK]
    return answers, [Outcome(check.index, check.name, PASS) for check in canary.analysis.checks if check.index in wanted.checks]


def obey(canary: Canary, seen: Observation, traffic: TrafficOrder | None, workload: WorkloadOrder | None) -> Observation:
    """The imagined cluster after the orders: done at once, everything ready."""
    if workload and workload.create_primary is not None and seen.target:
        seen = dataclasses.replace(seen, primary=_ready(dataclasses.replace(
            seen.target, name=canary.primary, replicas=workload.create_primary, promoted=seen.target.revision), workload.create_primary), same_as_primary=True)
    if workload and workload.scale_target is not None and seen.target:
        seen = dataclasses.replace(seen, target=_ready(dataclasses.replace(seen.target, replicas=workload.scale_target), workload.scale_target))
    if workload and workload.pause_target is not None and seen.target:
        seen = dataclasses.replace(seen, target=dataclasses.replace(seen.target, paused=workload.pause_target))
    if workload and workload.scale_primary is not None and seen.primary:
        seen = dataclasses.replace(seen, primary=_ready(seen.primary, workload.scale_primary))
    if workload and workload.scaler is not None:
        least, most = (seen.scaler.minimum, seen.scaler.maximum) if seen.scaler else (1, workload.scaler or 1)
        seen = dataclasses.replace(seen, scaler=Scaler(max(least, workload.scaler), max(most, workload.scaler), held=workload.scaler > least))
    turned = workload and (workload.promote or workload.restore)
    if turned and seen.primary:
        seen = dataclasses.replace(seen, primary=dataclasses.replace(seen.primary, promoted=turned["revision"], replicaset=turned["replicaset"]),
                                   same_as_primary=bool(seen.target and seen.target.revision == turned["revision"]))
    seen = _given_back(seen, traffic, workload)
    if traffic and traffic.services:
        seen = dataclasses.replace(seen, services=tuple(name for name in seen.services if name == canary.service.name))
    if traffic and (traffic.apex or (traffic.split and not canary.splits)):
        seen = dataclasses.replace(seen, services=(), apex_on_primary=True)
    if traffic and traffic.split:
        seen = dataclasses.replace(seen, route=Route(traffic.split, accepted=True))
    return seen


def _given_back(seen: Observation, traffic: TrafficOrder | None, workload: WorkloadOrder | None) -> Observation:
    """The imagined cluster after the orders of a removal."""
    if seen.remains is None:
        return seen
    remains = seen.remains
    if workload and workload.template_back and seen.target:
        seen = dataclasses.replace(seen, same_as_primary=True, target=dataclasses.replace(seen.target, revision=workload.template_back["revision"]))
    if traffic and traffic.apex_back:
        remains = dataclasses.replace(remains, apex=ORIGINAL, apex_has_primary=False, apex_ready=True)
    if traffic and traffic.route_back and seen.route:
        remains = dataclasses.replace(remains, route=ORIGINAL)
        seen = dataclasses.replace(seen, route=dataclasses.replace(seen.route, split=None, accepted=True))
    if workload and workload.target_scaler is not None and remains.scaler:
        remains = dataclasses.replace(remains, scaler=dataclasses.replace(remains.scaler, minimum=workload.target_scaler, held=True))
    if workload and workload.dispose is not None:
        remains = dataclasses.replace(remains, objects=(), held=False)
    return dataclasses.replace(seen, remains=remains, apex_on_primary=seen.apex_on_primary and remains.apex == OURS)


def _ready(workload: Workload, replicas: int) -> Workload:
    name = workload.replicaset or f"{workload.name}-{workload.revision[:10]}"
    pods = workload.nodes if workload.nodes and replicas else replicas
    return dataclasses.replace(workload, replicas=replicas, running=pods, available=pods, endpoints=pods, ready=replicas > 0,
                               why="" if replicas else "scaled to 0", stuck=False, replicaset=name)


def _time_passes(seen: Observation, decision: Decision) -> Observation:
    if seen.target and seen.target.replicaset and seen.target.replicaset not in seen.replicasets:
        seen = dataclasses.replace(seen, replicasets=seen.replicasets + (seen.target.replicaset,))
    if decision.waits == CLOCK:
        return dataclasses.replace(seen, now=max(decision.due, seen.now + 0.001))
    if decision.waits == KUBERNETES:
        return dataclasses.replace(
            seen, now=seen.now + 1, apex_on_primary=True,
            target=_ready(seen.target, seen.target.replicas) if seen.target else None,
            primary=_ready(seen.primary, seen.primary.replicas) if seen.primary else None,
            route=dataclasses.replace(seen.route, accepted=True) if seen.route else None)
    return seen


def _without_repetition(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(step for index, step in enumerate(steps) if index == 0 or (step.what, step.phase, step.weight) != (
        steps[index - 1].what, steps[index - 1].phase, steps[index - 1].weight))
