# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks of targets whose pods read ConfigMaps and Secrets."""

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, record as states, stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, Options
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import (
    A,
    B,
    X,
    Y,
    Run,
    World,
    at_weight,
    canary,
    combined,
    fresh,
    raises,
    until,
)

AX, AY = combined(A, X), combined(A, Y)


def begun(**more: object) -> World:
    """Revision A with the settings X is initialised and serves."""
    world = fresh(canary(**more))
    assert world.target
    world.target.configure(X)
    world.target.started_with = X
    assert Run(world).walk().outcome == "promoted"
    assert world.primary and world.primary.revision == AX and world.record.last_promoted == AX
    return world


def promotions(world: World) -> list[str]:
    return [one.workload.promote["revision"] for one in world.done if one.workload and one.workload.promote]


def test_safety_18_a_changed_configuration_is_analysed_like_a_new_image_and_promoted() -> None:
    world = begun()
    world.configure(Y)
    run = Run(world).walk()
    assert run.outcome == "promoted" and raises(world) == [10, 20, 30, 40, 50]
    assert promotions(world) == [AY] and world.primary and world.primary.revision == AY
    assert [line for line in world.lines if "new revision (ConfigMap app changed)" in line]
    assert {*configs.copies_of("podinfo", {"configmap/app": X}), *configs.copies_of("podinfo", {"configmap/app": Y})} <= set(world.record.inventory)
    rules.hold(world)
    rules.at_rest(world)


def test_safety_18_a_bad_configuration_is_rolled_back_and_the_primary_keeps_its_own() -> None:
    world = begun()
    world.measures[0] = (FAIL, "")
    world.configure(Y)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and world.record.last_applied == AY
    assert promotions(world) == [] and world.primary and world.primary.revision == AX
    assert Run(world).walk().outcome == "unchanged"
    world.measures.clear()
    world.configure(X)
    assert Run(world).walk().outcome == "unchanged", "what was good before is what the primary has"
    world.configure(Y)
    assert Run(world).walk().outcome == "promoted", "asked for again, it is analysed again"
    rules.hold(world)


def test_safety_18_a_promotion_that_fails_gives_the_primary_its_former_configuration_back() -> None:
    world = begun()
    world.configure(Y)
    assert world.primary
    world.primary.sick.add(AY)
    run = Run(world).walk()
    assert run.outcome == "rolled_back" and world.primary.revision == AX
    rules.hold(world)


def test_safety_17_a_configuration_that_changes_in_mid_walk_begins_anew_with_pods_that_read_it() -> None:
    world = at_weight(30)
    world.configure(Y)
    run = Run(world).walk()
    assert run.outcome == "promoted" and promotions(world) == [combined(B, Y)]
    scaled = [one for one in world.done if one.workload and one.workload.scale_target is not None]
    restarted = [one.workload.scale_target for one in scaled if one.record.phase == "Progressing"]
    assert restarted[-2:] == [0, 2], "its pods go before the analysis begins again"
    rules.hold(world)


def test_safety_17_a_configuration_that_is_put_back_in_mid_walk_ends_it() -> None:
    world = begun()
    world.configure(Y)
    until(world, lambda now: now.record.canary_weight == 20)
    world.configure(X)
    run = Run(world).walk()
    assert run.outcome == "superseded" and promotions(world) == []
    rules.hold(world)


def test_safety_17_pods_that_somebody_left_running_with_the_former_settings_are_not_analysed() -> None:
    world = begun()
    assert world.target
    world.target.scale(2, world.now)
    world.pass_time(60)
    world.configure(Y)
    assert Run(world).walk().outcome == "promoted"
    assert world.decisions[[where for _at, where, _decision in world.decisions].index(stages.OLD_PODS)][2].workload == WorkloadOrder(scale_target=0)
    rules.hold(world)


def test_safety_17_a_configuration_that_changed_since_the_decision_is_not_promoted() -> None:
    """Between the decision and its order: the order does nothing, and another revision is found."""
    world = begun(options=Options(manual_gates=(CONFIRM_PROMOTION,)))
    world.configure(Y)
    until(world, lambda now: bool(now.record.closed_gate))
    world.approve(CONFIRM_PROMOTION)
    until(world, lambda now: bool(now.record.intent and now.record.intent.workload and now.record.intent.workload.promote))
    order = world.record.intent.workload
    world.configure(X)
    world.obey(None, order)
    assert world.primary and world.primary.revision == AX
    assert Run(world).walk().outcome == "superseded"
    rules.hold(world)


def test_what_is_missing_is_waited_for_before_a_walk_and_asks_nobody() -> None:
    world = begun()
    assert world.target
    world.configure(Y)
    world.target.lacks = "Secret key does not exist"
    run = Run(world, mode="tick").walk()
    assert run.outcome == "waiting" and "Secret key does not exist" in run.why
    assert world.record.phase == states.INITIALIZED and world.target.replicas == 0
    world.target.lacks = ""
    assert Run(world).walk().outcome == "promoted"
    rules.hold(world)


def test_safety_28_without_its_configuration_no_primary_is_made() -> None:
    world = fresh()
    assert world.target
    world.target.lacks = "ConfigMap app does not exist"
    run = Run(world).walk()
    assert run.outcome == "held" and "ConfigMap app does not exist; podinfo serves as before" in run.why
    assert world.primary is None


def test_safety_29_a_target_whose_settings_were_never_promoted_takes_over_only_when_asked() -> None:
    world = begun()
    world.measures[0] = (FAIL, "")
    world.configure(Y)
    assert Run(world).walk().outcome == "rolled_back"
    world.order("remove")
    run = Run(world).walk()
    assert run.outcome == "held" and run.why.startswith("ConfigMap app changed since podinfo-primary, which serves on, got a copy")
    assert world.primary is not None
    world.order("remove", '{"keep": "target", "by": "somebody"}')
    assert Run(world).walk().outcome == "removed"


def test_safety_29_a_target_with_the_promoted_settings_takes_over() -> None:
    world = begun()
    world.order("remove")
    assert Run(world).walk().outcome == "removed"
    rules.is_removed(world)


@pytest.mark.parametrize("weight", [10, 50])
def test_safety_12_what_began_anew_has_evidence_of_its_own(weight: int) -> None:
    world = at_weight(weight)
    world.configure(Y)
    Run(world).walk()
    rules.a_raise_has_evidence_of_its_own(world)


# Where users are served otherwise than by a walk

@pytest.mark.parametrize("configs", [X, Y])
@pytest.mark.parametrize("gone", [True, False])
def test_safety_16_pods_of_the_target_stay_while_nobody_answers_for_the_primary(configs: str, gone: bool) -> None:
    world = begun()
    if gone:
        world.primary = None
    else:
        world.primary.down = True
    world.pass_time(100)
    world.target.scale(3, world.now)
    world.target.template(B, world.now)
    world.target.configure(configs)
    world.pass_time(60)
    decision = decide(world.canary, world.record, world.look_for(world.record))
    assert decision.workload is None and decision.traffic is None, decision.why
