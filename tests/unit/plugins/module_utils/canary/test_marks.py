# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, LostLock


def obj(**annotations: str) -> dict[str, Any]:
    """An object with annotations of ours, by their last word."""
    return {"kind": "HTTPRoute", "metadata": {"name": "podinfo", "namespace": "test",
                                              "annotations": {f"progressive.delivery/{key}": value for key, value in annotations.items()}}}


@pytest.mark.parametrize(("annotations", "epoch"), [({}, 0), ({"epoch": "7"}, 7), ({"epoch": "7.3"}, 7), ({"epoch": "x"}, 0)])
def test_the_epoch_is_read_whatever_stands_there(annotations: dict[str, str], epoch: int) -> None:
    assert marks.epoch_of(obj(**annotations)) == epoch


@pytest.mark.parametrize(("present", "epoch", "following"), [
    ("", 7, "7"), ("6", 7, "7"), ("6.4", 7, "7"), ("7", 7, "7.1"), ("7.1", 7, "7.2"), ("7.9", 7, "7.10")])
def test_safety_01_every_fence_is_a_real_change(present: str, epoch: int, following: str) -> None:
    assert marks.next_fence(obj(epoch=present), epoch) == following


def test_safety_01_who_was_fenced_is_told_so() -> None:
    with pytest.raises(LostLock, match=r"HTTPRoute test/podinfo was fenced by a later run \(epoch 8, this run has 7\)"):
        marks.check(obj(epoch="8.1"), "podinfo", 7)
    marks.check(obj(epoch="7.1"), "podinfo", 7)
    marks.check(obj(epoch="8"), "", 0)


def test_safety_08_an_object_belongs_to_one_canary() -> None:
    with pytest.raises(CanaryError, match="HTTPRoute test/podinfo belongs to the canary other"):
        marks.check(obj(canary="other"), "podinfo", 1)
    marks.check(obj(canary="podinfo"), "podinfo", 1)
    marks.check(obj(canary="other"), "", 0)


def test_stamping_leaves_the_original_alone_and_never_lowers_an_epoch() -> None:
    before = obj(epoch="5", theirs="x")
    after = marks.stamped(before, "podinfo", 6)
    assert after == obj(epoch="6", theirs="x", canary="podinfo")
    assert before == obj(epoch="5", theirs="x")
    assert marks.stamped(before, "", 4) == before


def test_a_name_too_long_for_a_label_is_cut_and_told_apart() -> None:
    long, other = "a" * 80, "a" * 81
    assert marks.label_of("podinfo") == "podinfo"
    assert len(marks.label_of(long)) <= 63
    assert marks.label_of(long) != marks.label_of(other)


def test_safety_29_what_is_given_back_carries_one_mark_that_keeps_frozen_runs_away() -> None:
    back = marks.released(obj(epoch="7.2", canary="podinfo", **{"original-selector": "{}"}, theirs="x"), "podinfo", 7)
    assert back == obj(theirs="x", released="podinfo.7")
    assert not marks.is_held(back, "podinfo")
    with pytest.raises(LostLock, match="given back when the canary podinfo was removed"):
        marks.check(back, "podinfo", 6)
    marks.check(back, "podinfo", 7)
    marks.check(back, "another", 1)


def test_safety_29_writing_what_is_given_back_stamps_nothing_until_somebody_takes_it_up_again() -> None:
    back = obj(released="podinfo.7")
    assert marks.stamped(back, "", 7) == back
    assert marks.stamped(back, "podinfo", 8) == obj(released="podinfo.7", epoch="8", canary="podinfo")


@pytest.mark.parametrize(("annotations", "held"), [
    ({"canary": "podinfo"}, True), ({"epoch": "3"}, True), ({"canary": "other", "epoch": "3"}, False), ({}, False)])
def test_a_fence_without_a_name_is_held_too(annotations: dict[str, str], held: bool) -> None:
    assert marks.is_held(obj(**annotations), "podinfo") is held


def test_safety_29_who_begins_anew_without_a_record_begins_above_the_removal() -> None:
    back = marks.released(obj(epoch="7.2", canary="podinfo"), "podinfo", 7)
    assert marks.newest_epoch(back, "podinfo") == 7
    assert marks.newest_epoch(back, "another") == 0
    assert marks.newest_epoch(obj(epoch="9.1", released="podinfo.7"), "podinfo") == 9
    marks.check(back, "podinfo", marks.newest_epoch(back, "podinfo") + 1)
