# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever happens, and whenever the process is killed: the rules hold on the way, and every walk comes to an end."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, FAIL, NO_ANSWER, PASS, REFUSED, UNKNOWN
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    GATES,
    HPA,
    KUBERNETES,
    POST_ROLLOUT,
    PRE_ROLLOUT,
    ROLLBACK,
    ROLLOUT,
    SCALED_OBJECT,
    Affinity,
    Autoscaler,
    Canary,
    Options,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    NEVER,
    C,
    Run,
    World,
    canary,
    check,
    fresh,
    hook,
    released,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CANARY_EXAMPLES", "6"))
SEARCHING = EXAMPLES > 100
# A failing example is found again by asking for more; shrinking it takes minutes, so only those who search do that.
BOUNDED = settings(max_examples=EXAMPLES, deadline=None, derandomize=not SEARCHING, suppress_health_check=list(HealthCheck), database=None,
                   phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if os.environ.get("CANARY_SHRINK") else ())))

ALL_HOOKS = tuple(hook(index, kind) for index, kind in enumerate(
    (CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION, ROLLBACK, POST_ROLLOUT)))

INSIDERS = ({"headers": {"x-canary": {"exact": "insider"}}},)
DOCUMENTS: dict[str, Canary] = {
    "plain": canary(),
    "short": canary(analysis={"step_weight": 50}),
    "hooks": canary(hooks=ALL_HOOKS, analysis={"step_weight": 25}),
    "by people": canary(options=Options(manual_gates=GATES), analysis={"step_weight": 50}),
    "listed": canary(checks=(check(), check(1, "errors", 60.0)), analysis={"step_weights": (1, 40), "step_weight": 0, "step_weight_promotion": 30}),
    "pausing": canary(options=Options(pause_target=True), analysis={"step_weight": 25}),
    "blue/green": canary(analysis={"iterations": 2}),
    "blue/green, hooks": canary(hooks=ALL_HOOKS, analysis={"iterations": 2, "step_weight_promotion": 60}),
    "blue/green, by people": canary(options=Options(manual_gates=GATES), analysis={"iterations": 1}),
    "a/b": canary(analysis={"iterations": 2, "match": INSIDERS}),
    "a/b, hooks": canary(hooks=ALL_HOOKS, analysis={"iterations": 2, "match": INSIDERS, "step_weight_promotion": 60}),
    "a/b, by people": canary(options=Options(manual_gates=GATES), analysis={"iterations": 1, "match": INSIDERS}),
    "mirrored": canary(hooks=ALL_HOOKS, analysis={"step_weight": 25, "mirror": 100}),
    "mirrored, by people": canary(options=Options(manual_gates=GATES), analysis={"step_weight": 50, "mirror": 20}),
    "blue/green, mirrored": canary(hooks=ALL_HOOKS, analysis={"iterations": 2, "mirror": 100}),
    "cookies": canary(analysis={"step_weight": 25, "step_weight_promotion": 30, "affinity": Affinity("stays", primary_cookie_name="rests")}),
    "cookies, mirrored": canary(analysis={"step_weight": 50, "mirror": 50, "affinity": Affinity("stays")}),
    "services": canary(provider=KUBERNETES, hooks=ALL_HOOKS, analysis={"iterations": 2}),
    "services, by people": canary(provider=KUBERNETES, options=Options(manual_gates=GATES), analysis={"iterations": 2}),
    "skipping": canary(skip_analysis=True, hooks=ALL_HOOKS),
    "scaled": canary(autoscaler=Autoscaler(HPA, "podinfo"), analysis={"step_weight": 25}),
    "scaled by KEDA": canary(autoscaler=Autoscaler(SCALED_OBJECT, "podinfo"), options=Options(pause_target=True), analysis={"step_weight": 25}),
    "scaled, blue/green": canary(autoscaler=Autoscaler(HPA, "podinfo"), analysis={"iterations": 2}),
}

Event = Callable[[World], None]


def named(name: str, do: Event) -> Event:
    do.__name__ = name
    return do


def release(letter: str) -> Event:
    return named(f"release {letter}", lambda world: world.target and world.target.template(letter * 64, world.now))


def configure(letter: str) -> Event:
    return named(f"configure {letter}", lambda world: world.configure(letter * 64 if letter else ""))


def readiness(side: str, **now: Any) -> Event:
    def happen(world: World) -> None:
        workload = getattr(world, side)
        if workload is not None:
            for key, value in now.items():
                setattr(workload, key, value)
    return named(f"{side} {now}", happen)


def sick(side: str, letter: str) -> Event:
    return named(f"{letter} is sick as {side}", lambda world: getattr(world, side) and getattr(world, side).sick.add(letter * 64))


def order(word: str) -> Event:
    def happen(world: World) -> None:
        pinned = world.record.pinned if world.stored else None
        # An order is an annotation of the record.
        if world.stored and (word != "promote" or pinned):
            world.order(word, pinned.revision if word == "promote" and pinned else "somebody:\nwhy not")
    return named(f"order {word}", happen)


def resume(world: World) -> None:
    world.resume()


def approve(gate: str, **said: str) -> Event:
    return named(f"approve {gate} {said}", lambda world: world.approve(gate, **said) if world.stored else None)


def gate(index: int, outcome: str) -> Event:
    return named(f"gate {index} {outcome}", lambda world: world.gates.update({index: outcome}))


def measure(outcome: str, why: str = "") -> Event:
    return named(f"checks {outcome}", lambda world: world.measures.update({0: (outcome, why)}))


def edit(weight: int) -> Event:
    return named(f"weight {weight} by hand", lambda world: world.set_weight(weight) if world.split else None)


def copies(percent: int) -> Event:
    return named(f"copies of {percent}% by hand", lambda world: world.set_copies(percent))


def route_is_deleted(world: World) -> None:
    world.split = None


def route_is_refused(world: World) -> None:
    world.accepts_after = NEVER


def route_is_accepted(world: World) -> None:
    world.accepts_after, world.accepted_from = 0.5, min(world.accepted_from, world.now)


def kill(world: World) -> None:
    world.kill_at.add(world.crossings + 1)


def pods_are_pruned(world: World) -> None:
    if world.target:
        world.target.history = {name: found for name, found in world.target.history.items() if found[1] == world.target.made_of}


def scaled_by_hand(world: World) -> None:
    if world.target and world.record.phase in states.ANALYSING:
        world.target.scale(0, world.now)


def primary_scaled_by_hand(world: World) -> None:
    if world.primary and world.primary.replicas > 1:
        world.primary.scale(1, world.now)
        world.patient_with += 1         # it is put back by a step of its own


def minimum_lowered_by_hand(world: World) -> None:
    if world.scaler:
        world.scaler.minimum = 1


def scaler_is_deleted(world: World) -> None:
    world.scaler = None


def record_is_deleted(world: World) -> None:
    world.lose_record()


def primary_is_deleted(world: World) -> None:
    if world.primary:
        world.lose_primary()


def primary_is_back(world: World) -> None:
    world.bring_primary_back()


def primary_is_edited(letter: str) -> Event:
    return named(f"primary gets {letter} by hand", lambda world: world.edit_primary(letter * 64))


def service_is_lost(suffix: str) -> Event:
    """Deleted, or edited so that it leads elsewhere."""
    return named(f"Service {suffix or 'apex'} is lost", lambda world: world.services.discard(f"podinfo{suffix}"))


def document(**changes: Any) -> Event:
    """The document is edited; what it may not change in a walk (identity) stays."""
    def happen(world: World) -> None:
        analysis = {key: value for key, value in changes.items() if hasattr(world.canary.analysis, key)}
        options = {key: value for key, value in changes.items() if hasattr(world.canary.options, key)}
        if not world.canary.splits and (analysis.get("iterations") == 0 or analysis.get("mirror")):
            return                      # refused in a document
        if (world.canary.analysis.match and analysis.get("mirror")) or (world.canary.analysis.affinity and analysis.get("iterations")):
            return
        rest = {key: value for key, value in changes.items() if key not in analysis and key not in options}
        world.canary = dataclasses.replace(
            world.canary, analysis=dataclasses.replace(world.canary.analysis, **analysis), options=dataclasses.replace(world.canary.options, **options), **rest)
    return named(f"document {changes}", happen)


def suspended(value: bool) -> Event:
    return named(f"suspended {value}", lambda world: setattr(world, "suspended", value))


EVENTS: tuple[Event, ...] = (
    *(release(letter) for letter in "abc"), *(configure(letter) for letter in ("x", "y", "")),
    *(readiness(side, down=value) for side in ("target", "primary") for value in (True, False)),
    *(readiness(side, limping=value) for side in ("target", "primary") for value in (True, False)),
    sick("target", "b"), sick("primary", "b"), sick("primary", "a"),
    *(order(word) for word in ("abort", "suspend", "halt", "promote")), resume,
    *(approve(gate_type) for gate_type in GATES), approve(CONFIRM_PROMOTION, revision=C), approve(CONFIRM_ROLLOUT, run="another"),
    *(gate(index, outcome) for index in range(7) for outcome in (ALLOWED, REFUSED, NO_ANSWER)),
    measure(FAIL), measure(PASS), measure(UNKNOWN, "no_data: nothing"), measure(UNKNOWN, "query_error: 500"),
    *(edit(weight) for weight in (0, 7, 100)), *(copies(percent) for percent in (0, 100)),
    route_is_deleted, route_is_refused, route_is_accepted, kill, kill, kill, scaled_by_hand,
    primary_scaled_by_hand, minimum_lowered_by_hand, scaler_is_deleted, pods_are_pruned, suspended(True), suspended(False),
    document(threshold=1), document(max_weight=20), document(max_weight=100, step_weight=50, step_weights=()), document(interval=30.0),
    document(manual_gates=GATES), document(manual_gates=()), document(skip_analysis=True), document(hooks=()),
    document(iterations=0), document(iterations=3), document(mirror=0), document(mirror=100), document(settle=0.0),
    record_is_deleted, primary_is_deleted, primary_is_back, primary_is_edited("a"), primary_is_edited("d"),
    service_is_lost("-primary"), service_is_lost("-canary"), service_is_lost(""),
)
SETTLED = 60.0              # seconds in which an autoscaler sees what users do now, and the pods that it adds get ready
PAUSES = (0.0, 0.0, 1.0, 3.0, 7.0, 12.0, 40.0, 200.0)
ABSENCES = (0.0, 2.0, 9.0, 45.0, 400.0, 3600.0)
HAPPENINGS = st.lists(st.tuples(st.sampled_from(PAUSES), st.sampled_from(EVENTS)), max_size=10)
DOWNTIMES = st.lists(st.sampled_from(ABSENCES), min_size=6, max_size=6)
BEGINNINGS = st.sampled_from((fresh, released))


def play(world: World, happenings: list[tuple[float, Event]], downtimes: list[float], mode: str = "walk") -> None:
    """Let it happen while run after run walks, each killed or at its end, until everything has happened."""
    world.tells_seconds = True
    later = 0.0
    for delay, event in happenings:
        later += delay
        world.after(later, event)
    runs = 0
    while world.coming and runs < 40:
        run = Run(world, mode=mode, patience=300).walk()
        world.pass_time(downtimes[runs % len(downtimes)] if run.outcome in ("killed", "error") else 10.0)
        runs += 1
    world.pass_time(later)


def calm_down(world: World) -> None:
    """Nothing is wrong any more, every gate is open, and people do what they are asked to."""
    world.coming.clear()
    world.kill_at.clear()
    world.gates.clear()
    world.measures.clear()
    world.suspended = False
    world.annotations.clear()
    route_is_accepted(world)
    world.bring_primary_back()
    for side in (world.target, world.primary):
        if side is not None:
            side.down = side.limping = False
            side.sick.clear()
            side.changed_at = min(side.changed_at, world.now - side.takes)
    for minute in range(240):
        world.after(30.0 * minute, lambda now: now.resume())
        for gate_type in GATES:
            world.after(30.0 * minute + 1, lambda now, gate_type=gate_type: now.approve(gate_type) if now.stored else None)


def end(world: World) -> Run:
    """Walk a calm world to its end: at most a few runs, each of which ends by itself."""
    calm_down(world)
    run = Run(world)
    for _run in range(4):
        run = Run(world, patience=3600).walk()
        assert run.outcome not in ("killed", "interrupted", "error", "lost_lock"), (run.outcome, run.why, world.lines[-3:])
        if run.outcome == "unchanged":
            world.pass_time(SETTLED)
            return run
        world.pass_time(10.0)           # whoever runs it again has read how it ended
    raise AssertionError(f"it never comes to rest: {run.outcome} {run.why}")


@pytest.mark.parametrize("document", DOCUMENTS)
@given(begin=BEGINNINGS, happenings=HAPPENINGS, downtimes=DOWNTIMES)
@settings(BOUNDED)
def test_the_rules_hold_whatever_happens_and_every_walk_ends(document: str, begin: Callable[..., World], happenings: list[Any], downtimes: list[float]) -> None:
    world = begin(DOCUMENTS[document])
    play(world, happenings, downtimes)
    rules.hold(world)
    end(world)
    rules.hold(world)
    rules.at_rest(world)


@given(happenings=HAPPENINGS, downtimes=DOWNTIMES, document=st.sampled_from(("short", "hooks")))
@settings(BOUNDED)
def test_the_rules_hold_in_tick_mode_too(happenings: list[Any], downtimes: list[float], document: str) -> None:
    world = released(DOCUMENTS[document])
    play(world, happenings, downtimes, mode="tick")
    rules.hold(world)


@given(happenings=HAPPENINGS, downtimes=DOWNTIMES, document=st.sampled_from(("plain", "by people")))
@settings(BOUNDED)
def test_every_walk_ends_by_ticks_on_a_schedule_too(happenings: list[Any], downtimes: list[float], document: str) -> None:
    world = released(DOCUMENTS[document])
    play(world, happenings, downtimes)
    calm_down(world)
    for _minute in range(60):
        if Run(world, mode="tick").walk().outcome == "unchanged":
            break
        world.pass_time(60.0)
    rules.hold(world)
    rules.at_rest(world)
