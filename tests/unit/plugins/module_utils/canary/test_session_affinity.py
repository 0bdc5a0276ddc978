# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users who stay with the side that they met first, over a whole release: which cookies there are, when, and when they are taken back."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import flagger_status
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary import rules
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import B, C, Run, World, at_weight, canary, raises, released, until


def keeping(**more: Any) -> Canary:
    return canary(analysis={"step_weight": 25, "affinity": Affinity("stays", primary_cookie_name="rests"), **more.pop("analysis", {})}, **more)


def ordered(world: World) -> list[Split]:
    return [one.traffic.split for one in world.done if one.traffic and one.traffic.split]


COOKIES = ("sessionAffinityCookie", "primarySessionAffinityCookie", "previousSessionAffinityCookie")


def test_a_release_has_one_cookie_for_the_canary_and_takes_it_back_when_it_is_over() -> None:
    world = released(keeping())
    assert Run(world).walk().outcome == "promoted"
    first, second, last = ordered(world)
    assert re.fullmatch("stays=[A-Za-z]{10}", first.cookie) and first.cookie == second.cookie
    assert first.primary_cookie != second.primary_cookie
    assert last == Split(100, 0, previous_cookie=first.cookie)
    rules.hold(world)
    rules.at_rest(world)


def test_the_status_has_the_cookies_by_flaggers_names_and_none_without_them() -> None:
    world = at_weight(25, keeping())
    walking = flagger_status(world.record)
    assert [walking[key].partition("=")[0] for key in COOKIES] == ["stays", "rests", ""]
    Run(world).walk()
    assert [flagger_status(world.record)[key] for key in COOKIES] == ["", "", walking["sessionAffinityCookie"]]
    assert not set(COOKIES) & set(flagger_status(at_weight(10).record))


def test_weak_spot_27_whoever_is_killed_and_comes_again_goes_on_with_the_same_cookies() -> None:
    """Flagger loses cookies that it could not write into the status, and makes others."""
    undisturbed = released(keeping())
    Run(undisturbed).walk()
    until(world := released(keeping()), lambda now: now.record.canary_weight == 25)
    cookie = world.record.cookie
    for crossing in range(1, 12):
        world.kill_at.add(world.crossings + crossing * 2)
    for _run in range(14):
        Run(world).walk()
        world.pass_time(1)
    assert world.record.phase == states.SUCCEEDED
    assert {split.cookie for split in ordered(world) if split.cookie} == {cookie}
    rules.hold(world)


def test_the_next_release_has_another_cookie() -> None:
    world = released(keeping())
    Run(world).walk()
    before = world.record.previous_cookie
    world.release(C)
    world.done.clear()
    Run(world).walk()
    assert {split.cookie for split in ordered(world)} - {""} == {world.record.previous_cookie} != {before}
    rules.hold(world)


def test_a_bad_release_takes_its_cookie_back_with_the_traffic() -> None:
    world = at_weight(25, keeping())
    cookie = world.record.cookie
    world.measures[0] = (FAIL, "")
    assert Run(world).walk().outcome == "rolled_back"
    assert ordered(world)[-1] == Split(100, 0, previous_cookie=cookie) and not world.record.cookie
    rules.hold(world)


def test_a_new_revision_in_mid_walk_begins_with_a_cookie_of_its_own() -> None:
    world = at_weight(25, keeping())
    former = world.record.cookie
    world.release(C)
    assert Run(world).walk().outcome == "promoted"
    assert Split(100, 0, previous_cookie=former) in ordered(world)
    assert len({split.cookie for split in ordered(world) if split.cookie}) == 2
    rules.hold(world)


def test_safety_11_a_cookie_leads_to_the_canary_whatever_the_weight_and_pods_stay_until_it_is_taken_back() -> None:
    """A person lowers two weights to 0; whoever shows the cookie is still served by the canary."""
    world = at_weight(25, keeping())
    world.set_weight(0)
    world.resume()
    until(world, lambda now: now.record.canary_weight == 0 and now.record.intent is None)
    assert world.split.cookie
    world.order("abort")
    world.done.clear()
    assert Run(world).walk().outcome == "aborted"
    assert ordered(world)[0].previous_cookie and not ordered(world)[0].cookie
    stopped = next(one.at for one in world.done if one.traffic)
    assert next(one.at for one in world.done if one.workload and one.workload.scale_target == 0) - stopped >= world.canary.options.drain
    rules.hold(world)


def test_safety_14_a_cookie_that_leads_to_a_canary_at_rest_is_taken_back() -> None:
    world = released(keeping(), wanted="a" * 64)
    world.split = Split(100, 0, cookie="stays=abcdefghij")
    Run(world).walk()
    assert ordered(world) == [Split(100, 0, previous_cookie="stays=abcdefghij")]


def test_safety_16_a_canary_that_answers_nobody_loses_those_who_stayed_with_it_too() -> None:
    world = at_weight(25, keeping())
    world.set_weight(0)
    world.target.down = True
    assert Run(world).walk().outcome == "rolled_back"
    assert not world.split.reaches_canary
    rules.hold(world)


def test_safety_05_a_lost_record_takes_back_the_cookie_that_the_route_knows() -> None:
    world = at_weight(25, keeping())
    cookie = world.record.cookie
    world.lose_record()
    world.done.clear()
    Run(world).walk()
    assert ordered(world)[0] == Split(100, 0, previous_cookie=cookie)
    rules.hold(world)


@pytest.mark.parametrize("names", [None, Affinity("other", primary_cookie_name="rests"), Affinity("stays")])
def test_safety_08_by_which_cookies_users_stay_is_frozen_during_a_walk(names: Affinity | None) -> None:
    world = at_weight(25, keeping())
    other = dataclasses.replace(world.canary, analysis=dataclasses.replace(world.canary.analysis, affinity=names))
    assert other.identity != world.record.identity


def test_while_traffic_goes_back_step_by_step_users_stay_until_the_last_step() -> None:
    world = released(keeping(analysis={"step_weight_promotion": 30}))
    assert Run(world).walk().outcome == "promoted"
    assert [bool(split.cookie) for split in ordered(world)] == [split.canary > 0 for split in ordered(world)]
    assert raises(world) == [25, 50] and world.primary.revision == B
    rules.hold(world)
