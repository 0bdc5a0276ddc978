# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people are alerted of: Flagger's texts where it has one, how severe it is, and each of it once."""

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, FAIL, NO_ANSWER, REFUSED
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    CONFIRM_TRAFFIC_INCREASE,
    ROLLBACK,
    Canary,
    Options,
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
)

NEW = ("info", "New revision detected, progressing canary analysis.")
PROMOTED = ("info", "Canary analysis completed successfully, promotion finished.")
FAST = {"max_weight": 20, "step_weight": 20}


def alerts(world: World) -> list[tuple[str, str]]:
    return [(told.severity, told.alert) for told in world.told if told.alert]


def walked(world: World, outcome: str, **how: float) -> list[tuple[str, str]]:
    """The alerts of a walk that ends so; of the walk before, where there was one, none."""
    world.told.clear()
    assert Run(world, **how).walk().outcome == outcome
    return alerts(world)


def test_a_new_canary_and_a_good_release() -> None:
    world = fresh(canary(analysis=FAST))
    assert walked(world, "promoted") == [("info", "New Deployment detected, initialization completed.")]
    world.release(B)
    assert walked(world, "promoted") == [NEW, PROMOTED]
    assert walked(world, "unchanged") == []


def test_a_release_whose_analysis_is_skipped() -> None:
    assert walked(released(canary(skip_analysis=True)), "promoted") == [NEW, ("info", "Canary analysis was skipped, promotion finished.")]


def test_a_release_that_fails_its_checks() -> None:
    world = at_weight(10)
    world.measures[0] = (FAIL, "")
    assert walked(world, "rolled_back") == [("error", "Failed checks threshold reached 3")]


def test_weak_spot_52_a_missed_progress_deadline_is_an_alert() -> None:
    world = released(canary(progress_deadline=60.0))
    world.target.sick.add(B)
    assert walked(world, "rolled_back") == [NEW, ("error", "Progress deadline exceeded waiting for rollout to finish")]


def test_a_canary_that_stops_answering() -> None:
    world = at_weight(10)
    world.target.down = True
    (severity, text), = walked(world, "rolled_back")
    assert severity == "error" and text.startswith("Rolling back: podinfo has no ready endpoint while it has 10% of the traffic")


@pytest.mark.parametrize("phase", [states.PROGRESSING, states.PROMOTING])
def test_a_rollback_hook_is_a_warning_since_somebody_wants_it(phase: str) -> None:
    world = in_phase(phase, canary(hooks=(hook(0, ROLLBACK),)), gates={0: REFUSED})
    world.gates[0] = ALLOWED
    assert walked(world, "rolled_back") == [("warn", "Rolling back manual webhook invoked")]


@pytest.mark.parametrize("phase", [states.PROGRESSING, states.PROMOTING])
def test_a_persons_abort_is_a_warning(phase: str) -> None:
    world = in_phase(phase)
    world.order("abort", "wrong image")
    assert walked(world, "aborted") == [("warn", "Rolling back: aborted by a person: wrong image")]


def test_a_target_that_was_set_back_is_no_error() -> None:
    world = at_weight(10)
    world.release(A)
    assert walked(world, "superseded") == [("info", "Rolling back: the target was set back to the promoted revision")]


def test_a_promotion_that_fails_and_is_taken_back() -> None:
    world = at_weight(50)
    world.primary.sick.add(B)
    why = "promotion failed, primary not ready: waiting for rollout to finish"
    assert walked(world, "rolled_back") == [("error", why.replace("promotion", "Promotion")), ("error", f"Rolling back: {why}")]


def test_safety_16_a_primary_that_does_not_come_back_is_an_alert_while_the_canary_serves() -> None:
    world = in_phase(states.PROMOTING)
    world.primary.sick.update({A, B})
    found = walked(world, "held")
    assert found[-1] == ("error", "podinfo-primary did not become ready after it was restored: waiting for rollout to finish")
    assert found[0][1].startswith("Promotion failed, primary not ready: ") and world.weight == 50


def test_safety_16_traffic_that_cannot_go_back_is_an_alert() -> None:
    world = at_weight(30)
    world.primary.down = True
    world.order("abort")
    world.told.clear()
    Run(world, patience=120).walk()
    assert alerts(world) == [("warn", "Rolling back: aborted by a person"), ("error", "Traffic cannot go back to the primary, it has no ready endpoint")]


# Gates

GATES = [(CONFIRM_ROLLOUT, "Canary is waiting for approval."), (CONFIRM_TRAFFIC_INCREASE, "Canary traffic increase is waiting for approval."),
         (CONFIRM_PROMOTION, "Canary promotion is waiting for approval.")]


def kept_for(document: Canary, said: str = REFUSED) -> World:
    """A closed gate, looked at in several intervals."""
    world = released(document)
    world.gates[0] = said
    Run(world, patience=100).walk()
    return world


@pytest.mark.parametrize("said", [REFUSED, NO_ANSWER])
@pytest.mark.parametrize(("gate", "text"), GATES)
def test_weak_spot_11_a_closed_gate_is_one_warning_however_often_it_is_asked(gate: str, text: str, said: str) -> None:
    world = kept_for(canary(hooks=(hook(0, gate),), analysis=FAST), said)
    assert len([index for _at, index in world.asked if index == 0]) > 2
    assert [one for one in alerts(world) if one[0] != "info"] == [("warn", text)]


@pytest.mark.parametrize("muted", [False, True], ids=["alone", "beside-a-muted-hook"])
@pytest.mark.parametrize(("gate", "text"), GATES)
def test_a_gate_that_waits_for_a_person_is_a_warning_too(gate: str, text: str, muted: bool) -> None:
    world = kept_for(canary(options=Options(manual_gates=(gate,)), analysis=FAST, hooks=(hook(0, gate, mute_alert=True),) if muted else ()))
    assert [one for one in alerts(world) if one[0] != "info"] == [("warn", text)]


@pytest.mark.parametrize("shape", [FAST, {"step_weight": 0, "iterations": 1}, {"step_weight": 0, "iterations": 1, "match": ({"headers": {}},)}])
@pytest.mark.parametrize(("gate", "text"), GATES)
def test_mute_alert_is_for_alerts_alone(gate: str, text: str, shape: dict[str, object]) -> None:
    world = kept_for(canary(hooks=(hook(0, gate, mute_alert=True),), analysis=shape))
    assert [one for one in alerts(world) if one[0] != "info"] == []
    assert [told.kind for told in world.told if "waiting for" in told.message] == ["Warning"]


def test_an_open_gate_that_is_muted_mutes_no_other() -> None:
    world = released(canary(hooks=(hook(0, CONFIRM_PROMOTION, mute_alert=True), hook(1, CONFIRM_PROMOTION)), analysis=FAST))
    world.gates[1] = REFUSED
    Run(world, patience=100).walk()
    assert ("warn", "Canary promotion is waiting for approval.") in alerts(world)


def test_a_walk_that_is_killed_anywhere_leaves_no_alert_out() -> None:
    whole = released(canary(analysis=FAST))
    Run(whole).walk()
    for crossing in range(1, whole.crossings + 1):
        world = released(canary(analysis=FAST), kill_at={crossing})
        while Run(world).walk().outcome == "killed":
            pass
        assert list(dict.fromkeys(alerts(world))) == alerts(whole), f"killed at {crossing}"
