# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removal from every phase, whatever happens meanwhile; the inventory that it rests on; and walks that nobody comes back to."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import inventory, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ORIGINAL, OURS, Orders, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import KEEP_TARGET, Intent, dumps, orders_of, removal_text
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    GATES,
    POST_ROLLOUT,
    Canary,
    Options,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.test_machine_properties import (
    BEGINNINGS,
    BOUNDED,
    DOCUMENTS,
    DOWNTIMES,
    HAPPENINGS,
    calm_down,
    play,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    Run,
    World,
    at_weight,
    canary,
    fresh,
    hook,
    in_phase,
    released,
    until,
)
from hypothesis import given, settings
from hypothesis import strategies as st

GATED = canary(options=Options(manual_gates=(CONFIRM_ROLLOUT, CONFIRM_PROMOTION)))
ROLLING_BACK = canary(options=Options(on_absence="rollback"))


def idle(phase: str) -> World:
    world = released() if phase != states.INITIALIZED else fresh()
    if phase == states.FAILED:
        world.measures[0] = ("fail", "12% < 99%")
    Run(world).walk()
    assert world.record.phase == phase
    world.measures.clear()
    return world


OTHERS = {
    "services alone": canary(provider="kubernetes", analysis={"iterations": 2, "step_weight": 0, "max_weight": 100}),
    "blue/green": canary(analysis={"iterations": 2, "step_weight": 0, "max_weight": 100}),
    "adopted": canary(options=Options(route="adopted")),
    "paused": canary(options=Options(pause_target=True)),
}


def idle_over(document: Canary) -> World:
    world = released(document)
    Run(world).walk()
    assert world.record.phase == states.SUCCEEDED
    return world


def promotion_waits() -> World:
    world = released(GATED)
    world.after(20, lambda now: now.approve(CONFIRM_ROLLOUT))
    until(world, lambda now: now.record.phase == states.WAITING_PROMOTION and now.record.intent is None)
    return world


PHASES: dict[str, Callable[[], World]] = {
    states.INITIALIZING: lambda: in_phase(states.INITIALIZING),
    states.INITIALIZED: lambda: idle(states.INITIALIZED),
    states.WAITING: lambda: in_phase(states.WAITING, GATED),
    states.PROGRESSING: lambda: at_weight(30),
    states.WAITING_PROMOTION: promotion_waits,
    states.PROMOTING: lambda: in_phase(states.PROMOTING),
    states.FINALISING: lambda: in_phase(states.FINALISING),
    states.SUCCEEDED: lambda: idle(states.SUCCEEDED),
    states.FAILED: lambda: idle(states.FAILED),
}


def remove(world: World, keep: str = states.KEEP_PRIMARY, **how: Any) -> Run:
    world.order("remove", removal_text("why not", keep))
    return Run(world, name="remover", **how).walk()


# -- removal --

@pytest.mark.parametrize("phase", PHASES)
def test_safety_29_removal_works_from_every_phase_and_users_notice_nothing(phase: str) -> None:
    world = PHASES[phase]()
    assert world.record.phase == phase
    run = remove(world)
    assert (run.outcome, run.why) == ("removed", "removed by a person: why not")
    rules.is_removed(world)
    rules.hold(world)


def test_safety_29_the_end_of_a_removal_is_told_before_it_is_recorded_since_nobody_comes_back_to_what_has_ended() -> None:
    world = idle(states.SUCCEEDED)
    remove(world)
    assert [one.message for one in world.told][-1] == "Terminated canary podinfo.test"
    ended = [decision.record for _at, _where, decision in world.decisions if decision.record.phase == states.TERMINATED]
    assert ended and not any(record.untold for record in ended)


@pytest.mark.parametrize("phase", PHASES)
def test_weak_spot_36_a_deleted_canary_object_that_waits_is_removed_from_every_phase(phase: str) -> None:
    world = PHASES[phase]()
    world.deleted = True
    run = Run(world, name="schedule").walk()
    assert (run.outcome, run.why) == ("removed", "removed by a person: its Canary object was deleted")
    rules.is_removed(world)
    rules.hold(world)
    again = Run(world, name="schedule").walk()
    assert again.outcome == "unchanged", "it waits still, until the finalizer is seen off"


@pytest.mark.exhaustive
@pytest.mark.parametrize("phase", PHASES)
def test_safety_29_removal_killed_at_any_crossing_is_gone_on_with(phase: str) -> None:
    undisturbed = PHASES[phase]()
    first, begun = undisturbed.crossings + 1, pickle.dumps(undisturbed)
    remove(undisturbed)
    for crossing in range(first, undisturbed.crossings + 1):
        world = pickle.loads(begun)
        world.kill_at.add(crossing)
        remove(world)
        world.pass_time(45)
        run = Run(world, name="next").walk()
        assert run.outcome in ("removed", "unchanged"), (crossing, run.outcome, run.why)
        rules.is_removed(world)
        rules.hold(world)
        assert world.target and undisturbed.target and world.target.revision == undisturbed.target.revision, crossing


@pytest.mark.exhaustive
@pytest.mark.parametrize("phase", [states.INITIALIZING, states.INITIALIZED, states.PROGRESSING, states.PROMOTING, states.FINALISING, states.SUCCEEDED])
@pytest.mark.parametrize("document", OTHERS)
def test_safety_29_removal_works_for_every_provider_and_strategy_killed_at_any_crossing(document: str, phase: str) -> None:
    def begin() -> World:
        idle_now = phase in (states.INITIALIZED, states.SUCCEEDED)
        world = in_phase(phase, OTHERS[document]) if not idle_now else fresh(OTHERS[document]) if phase == states.INITIALIZED else released(OTHERS[document])
        if idle_now:
            Run(world).walk()
        assert world.record.phase == phase
        return world
    undisturbed = begin()
    first, begun = undisturbed.crossings + 1, pickle.dumps(undisturbed)
    assert remove(undisturbed).outcome == "removed"
    rules.is_removed(undisturbed)
    rules.hold(undisturbed)
    for crossing in range(first, undisturbed.crossings + 1):
        world = pickle.loads(begun)
        world.kill_at.add(crossing)
        remove(world)
        world.pass_time(45)
        run = Run(world, name="next").walk()
        assert run.outcome in ("removed", "unchanged"), (crossing, run.outcome, run.why)
        rules.is_removed(world)
        rules.hold(world)


def test_safety_29_over_services_alone_no_order_names_a_route_and_the_apex_is_never_pointed_back() -> None:
    world = idle_over(OTHERS["services alone"])
    began = len(world.done)
    remove(world)
    assert [one.traffic for one in world.done[began:] if one.traffic] == [TrafficOrder(apex_back=True)]


def test_safety_29_an_apex_that_somebody_gave_back_to_a_target_at_zero_brings_it_up_before_the_primary_goes() -> None:
    world = idle_over(OTHERS["services alone"])
    world.obey(None, WorkloadOrder(scale_target=0))
    world.services.discard(world.canary.service.name)
    world.set_weight(100)
    assert remove(world).outcome == "removed"
    rules.is_removed(world)


def test_safety_29_the_plan_of_a_removal_over_services_alone_ends_with_nothing_left() -> None:
    world = idle_over(OTHERS["services alone"])
    record = dataclasses.replace(world.record, removing=states.Removal("why", world.now))
    steps = plan(world.canary, record, world.look_for(record))
    assert steps[-1].phase == states.TERMINATED
    assert not [step.what for step in steps if "lead the route" in step.what]


def test_safety_29_a_route_of_ones_own_that_names_the_primary_stops_a_removal_before_the_first_write() -> None:
    world = idle_over(OTHERS["adopted"])
    record = dataclasses.replace(world.record, removing=states.Removal("why", world.now))
    seen = world.look_for(record)
    seen = dataclasses.replace(seen, remains=dataclasses.replace(seen.remains, needed=("Service/podinfo-primary", "Service/podinfo-canary")))
    decision = decide(world.canary, record, seen)
    assert (decision.outcome, decision.traffic, decision.workload) == ("held", None, None)
    assert "name podinfo in its place" in decision.why


def test_safety_29_what_a_route_of_ones_own_names_stays_and_people_are_told() -> None:
    world = idle_over(OTHERS["adopted"])
    remove(world)
    assert world.services == {"podinfo-canary"}
    assert any("Service/podinfo-canary stays" in one.message for one in world.told)


def test_safety_22_a_target_that_was_paused_by_us_is_resumed_by_a_removal() -> None:
    world = idle(states.FAILED)
    assert world.target
    world.target.pause(True, world.now)
    world.stored = dumps(dataclasses.replace(world.record, paused=True))
    began = len(world.done)
    assert remove(world).outcome == "removed"
    orders = [one.workload for one in world.done[began:] if one.workload]
    assert orders[:3] == [WorkloadOrder(template_back={"revision": A}), WorkloadOrder(pause_target=False), WorkloadOrder(scale_target=2)]
    rules.is_removed(world)


def test_safety_29_copies_that_were_found_are_in_the_inventory_when_they_are_ordered_away() -> None:
    world = idle(states.SUCCEEDED)
    copy = "PodDisruptionBudget/podinfo-primary"
    record = dataclasses.replace(world.record, phase=states.TERMINATING, removing=states.Removal("why", world.now))
    seen = world.look_for(record)
    left = dataclasses.replace(seen.remains, objects=(copy,), apex=ORIGINAL, apex_has_primary=False, route=ORIGINAL)
    seen = dataclasses.replace(seen, remains=left, route=None)
    decision = decide(world.canary, record, seen)
    assert decision.workload == WorkloadOrder(dispose=(copy,)) and copy in decision.record.inventory


def test_safety_29_the_steps_of_removal_have_their_order() -> None:
    world = idle(states.FAILED)
    began = len(world.done)
    remove(world)
    orders = [one.traffic or one.workload for one in world.done[began:]]
    assert orders == [
        WorkloadOrder(template_back={"revision": A}), WorkloadOrder(scale_target=2), TrafficOrder(apex_back=True), TrafficOrder(route_back=True),
        WorkloadOrder(dispose=("Service/podinfo-canary", "Service/podinfo-primary", "Deployment/podinfo-primary"))]


@pytest.mark.parametrize("keep,wanted", [(states.KEEP_PRIMARY, A), (KEEP_TARGET, B)])
def test_safety_29_a_rejected_template_serves_users_only_when_asked(keep: str, wanted: str) -> None:
    world = idle(states.FAILED)
    remove(world, keep)
    assert world.target and world.target.revision == wanted
    rules.is_removed(world)


def test_safety_29_in_mid_walk_the_traffic_goes_back_before_anything_else() -> None:
    world = at_weight(30)
    began = len(world.done)
    remove(world)
    first = world.done[began]
    assert first.weight == 0 and first.live == 30
    rules.is_removed(world)


def test_safety_29_removal_asks_neither_gates_nor_metrics() -> None:
    world = at_weight(30)
    measured = len(world.measured)
    remove(world)
    assert len(world.measured) == measured


def test_safety_29_post_rollout_hooks_of_a_walk_that_is_removed_are_called() -> None:
    world = at_weight(30, canary(hooks=(hook(0, POST_ROLLOUT),)))
    remove(world)
    assert [index for _at, index in world.asked] == [0]
    rules.is_removed(world)


def test_safety_29_removal_works_while_suspended() -> None:
    world = at_weight(30)
    world.order("suspend")
    world.suspended = True
    assert remove(world).outcome == "removed"
    assert world.annotations == {}, "what was said of a canary that is gone means nothing to a later one"


def test_safety_29_a_target_that_does_not_get_ready_leaves_the_primary_serving() -> None:
    world = idle(states.SUCCEEDED)
    assert world.target and world.primary
    world.target.sick.add(B)
    run = remove(world)
    assert run.outcome == "held" and "go" in run.why
    assert world.primary.endpoints(world.now) > 0 and world.split and world.canary.service.name in world.services
    world.target.sick.clear()
    assert Run(world).walk().outcome == "removed"
    rules.is_removed(world)


def test_safety_29_without_a_target_nothing_is_taken_away() -> None:
    world = idle(states.SUCCEEDED)
    world.target = None
    run = remove(world)
    assert run.outcome == "held" and "does not exist" in run.why
    assert world.primary and world.split


def test_safety_16_users_are_not_given_back_to_a_target_that_went_down_meanwhile() -> None:
    world = idle(states.SUCCEEDED)

    def decided(now: World) -> bool:
        intent = now.record.intent
        return bool(intent and intent.traffic and intent.traffic.apex_back)
    world.order("remove")
    until(world, decided, name="remover")
    assert world.target
    world.target.down = True
    Run(world, patience=60).walk()
    assert world.canary.service.name in world.services, "the apex stays with the primary"
    world.target.down = False
    assert Run(world).walk().outcome == "removed"
    rules.is_removed(world)


def test_safety_29_a_gateway_that_accepts_nothing_keeps_the_primary() -> None:
    world = idle(states.SUCCEEDED)
    world.accepts_after = float("inf")
    run = remove(world)
    assert run.outcome == "held" and "accepted" in run.why
    assert world.primary is not None


def test_safety_29_what_is_removed_stays_removed_for_schedules_and_for_walks() -> None:
    world = idle(states.SUCCEEDED)
    remove(world)
    world.release("c" * 64)
    for mode in ("tick", "walk"):
        run = Run(world, mode=mode).walk()
        assert run.outcome == "unchanged" and "removed" in run.why
    world.pass_time(60)
    rules.is_removed(world)


def test_safety_29_a_walk_on_purpose_begins_anew_with_a_later_epoch() -> None:
    world = idle(states.SUCCEEDED)
    remove(world)
    epoch = world.record.epoch
    run = Run(world, anew=True).walk()
    assert (run.outcome, world.record.phase) == ("promoted", states.INITIALIZED)
    assert world.record.epoch > epoch
    rules.at_rest(world)
    rules.hold(world)


def test_safety_29_removing_again_sweeps_what_came_late() -> None:
    world = idle(states.SUCCEEDED)
    remove(world)
    world.services.add(world.canary.service.canary_name)
    assert remove(world).outcome == "removed"
    rules.is_removed(world)


def test_safety_29_a_plan_of_a_removal_names_its_steps_and_ends_with_nothing_left() -> None:
    world = idle(states.FAILED)
    record = dataclasses.replace(world.record, removing=states.Removal("why", world.now))
    steps = plan(world.canary, record, world.look_for(record))
    assert steps[-1].phase == states.TERMINATED
    said = [step.what for step in steps]
    order = [next(index for index, text in enumerate(said) if part in text)
             for part in ("promoted template back", "scale podinfo to 2", "point Service podinfo at podinfo", "lead the route", "drains", "take away")]
    assert order == sorted(order), said


@given(begin=BEGINNINGS, happenings=HAPPENINGS, later=HAPPENINGS, downtimes=DOWNTIMES, document=st.sampled_from(("plain", "short", "hooks", "by people")),
       keep=st.sampled_from((states.KEEP_PRIMARY, KEEP_TARGET)))
@settings(BOUNDED)
def test_safety_29_removed_whatever_happens_before_and_meanwhile(begin: Callable[..., World], happenings: list[Any], later: list[Any],
                                                                 downtimes: list[float], document: str, keep: str) -> None:
    world = begin(DOCUMENTS[document])
    play(world, happenings, downtimes)
    world.order("remove", removal_text("", keep))
    play(world, later, downtimes)
    calm_down(world)
    world.order("remove", removal_text("", keep))
    run = Run(world)
    for _run in range(4):
        run = Run(world, patience=3600).walk()
        if world.record.phase == states.TERMINATED and run.outcome in ("removed", "unchanged"):
            break
    rules.is_removed(world)
    rules.hold(world)


def test_an_order_to_remove_says_whose_template_is_kept() -> None:
    text = {f"{states.PREFIX}remove": removal_text("change 4711", KEEP_TARGET)}
    assert orders_of(text) == Orders(remove="change 4711", keep=KEEP_TARGET)
    assert orders_of({f"{states.PREFIX}remove": "because"}) == Orders(remove="because", keep=states.KEEP_PRIMARY)
    assert orders_of({f"{states.PREFIX}remove": "{broken"}) == Orders(remove="{broken", keep=states.KEEP_PRIMARY)


def test_safety_13_a_raise_that_is_open_when_removal_is_ordered_is_void() -> None:
    world = at_weight(30)
    seen = dataclasses.replace(world.look(), orders=Orders(remove="yes", keep=states.KEEP_PRIMARY))
    raised = TrafficOrder(split=dataclasses.replace(world.split, canary=40, primary=60))
    raising = dataclasses.replace(world.record, intent=Intent(world.now, B, False, traffic=raised))
    assert read_back(world.canary, raising, seen).record.intent is None


def test_safety_29_nothing_is_deleted_while_users_are_on_it() -> None:
    world = idle(states.SUCCEEDED)
    removing = dataclasses.replace(world.record, phase=states.TERMINATING, removing=states.Removal("why", world.now),
                                   intent=Intent(world.now, "", True, workload=WorkloadOrder(dispose=("Deployment/podinfo-primary",))))
    seen = world.look_for(removing)
    assert seen.remains and seen.remains.apex == OURS
    back = read_back(world.canary, removing, seen)
    assert back.workload is None and back.record.intent is None and "users" in back.note


# -- inventory --

def test_safety_07_what_initialisation_makes_is_in_the_inventory() -> None:
    world = fresh()
    Run(world).walk()
    assert set(world.record.inventory) == {"Deployment/podinfo-primary", "Service/podinfo-primary", "Service/podinfo-canary", "Route/podinfo"}


def test_safety_01_what_is_ordered_is_in_the_inventory_before_it_is_made() -> None:
    world = fresh()
    until(world, lambda now: bool(now.record.intent and now.record.intent.workload))
    assert world.primary is None and world.record.inventory == ("Deployment/podinfo-primary",)


def test_safety_07_an_apex_is_in_the_inventory_only_when_we_make_it() -> None:
    world = fresh()
    seen, order = world.look(), TrafficOrder(apex=True)
    assert inventory.made_by(world.canary, seen, traffic=order) == ()
    assert inventory.made_by(world.canary, dataclasses.replace(seen, missing=("podinfo",)), traffic=order) == ("Service/podinfo",)


def test_safety_07_an_inventory_is_bounded_and_has_each_thing_once() -> None:
    many = [f"ConfigMap/settings-{number}" for number in range(3 * inventory.MOST)]
    kept = inventory.joined(["Service/podinfo-canary", "Service/podinfo-canary"], many)
    assert len(kept) == inventory.MOST and kept[-1] == many[-1]
    assert inventory.joined(("a/b",), ("a/b",)) == ("a/b",)


def test_safety_29_what_was_made_besides_goes_before_who_served_and_users_keep_apex_and_route() -> None:
    made = ("Deployment/podinfo-primary", "Service/podinfo", "Route/podinfo", "PodDisruptionBudget/podinfo-primary")
    assert inventory.to_dispose(canary(), made) == (
        "Service/podinfo-canary", "Service/podinfo-primary", "PodDisruptionBudget/podinfo-primary", "Deployment/podinfo-primary")


# -- absence --

@pytest.mark.parametrize("mode", ["walk", "tick"])
def test_safety_32_an_abandoned_walk_is_rolled_back_by_whoever_comes_traffic_first(mode: str) -> None:
    world = at_weight(30, ROLLING_BACK)
    began = len(world.done)
    world.pass_time(600)
    run = Run(world, mode=mode).walk()
    assert world.done[began].weight == 0
    while run.outcome == "waiting":
        world.pass_time(60)
        run = Run(world, mode=mode).walk()
    assert run.outcome in ("rolled_back", "unchanged"), run.why
    assert world.record.phase == states.FAILED and world.record.outcome == "rolled_back"
    assert "nobody came back" in world.record.outcome_why and "1970-01-12T" in world.record.outcome_why
    rules.hold(world)


def test_safety_32_a_walk_is_held_by_default_and_never_raised_at_once() -> None:
    world = at_weight(30)
    world.pass_time(600)
    began = len(world.done)
    Run(world, mode="tick").walk()
    assert world.record.phase == states.PROGRESSING and world.record.canary_weight == 30 and len(world.done) == began


def test_safety_32_an_absence_shorter_than_the_option_is_none() -> None:
    world = at_weight(30, ROLLING_BACK)
    world.pass_time(100)
    assert Run(world).walk().outcome == "promoted"


def test_safety_32_waiting_for_a_person_is_no_absence() -> None:
    world = released(canary(options=Options(on_absence="rollback", manual_gates=GATES)))
    Run(world, on_wait="end").walk()
    world.approve(CONFIRM_ROLLOUT)
    Run(world, on_wait="end").walk()
    world.pass_time(7200)
    assert Run(world, on_wait="end").walk().outcome == "waiting"
    assert (world.record.phase, world.record.closed_gate) == (states.PROGRESSING, CONFIRM_TRAFFIC_INCREASE)


def test_safety_32_a_walk_that_a_person_suspended_was_not_abandoned() -> None:
    world = at_weight(30, ROLLING_BACK)
    world.order("suspend")
    world.pass_time(7200)
    Run(world, mode="tick").walk()
    world.resume()
    assert Run(world).walk().outcome == "promoted"


def test_safety_32_an_abandoned_promotion_is_undone() -> None:
    world = in_phase(states.PROMOTING, ROLLING_BACK)
    world.pass_time(7200)
    assert Run(world).walk().outcome == "rolled_back"
    assert world.primary and world.primary.revision == A
    rules.hold(world)


def test_a_decision_about_what_is_removed_changes_nothing() -> None:
    world = idle(states.SUCCEEDED)
    remove(world)
    decision = decide(world.canary, world.record, world.look())
    assert decision.outcome == "unchanged" and dumps(decision.record) == dumps(world.record)
