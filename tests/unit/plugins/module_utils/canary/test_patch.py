# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import difference, dotted, fenced, json_patch
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.json_patches import applied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))
KEYS = st.text(alphabet="ab/~0", max_size=3)
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=8)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@BOUNDED
@given(OBJECTS, OBJECTS)
def test_a_patch_makes_the_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, json_patch(before, after)) == after


@BOUNDED
@given(OBJECTS)
def test_what_is_equal_needs_no_step(before: dict[str, Any]) -> None:
    assert json_patch(before, copy.deepcopy(before)) == []


def test_only_what_differs_is_named() -> None:
    before = {"spec": {"rules": [{"a": 1, "refs": [{"weight": 100}, {"weight": 0}]}], "x": 1}, "y": True}
    after = {"spec": {"rules": [{"a": 1, "refs": [{"weight": 90}, {"weight": 10}]}]}, "y": 1, "z/z": {}}
    assert json_patch(before, after) == [
        {"op": "remove", "path": "/spec/x"},
        {"op": "replace", "path": "/spec/rules/0/refs/0/weight", "value": 90},
        {"op": "replace", "path": "/spec/rules/0/refs/1/weight", "value": 10},
        {"op": "replace", "path": "/y", "value": 1},
        {"op": "add", "path": "/z~1z", "value": {}},
    ]


def test_a_list_of_another_length_is_replaced_whole() -> None:
    assert json_patch({"a": [1, 2]}, {"a": [1]}) == [{"op": "replace", "path": "/a", "value": [1]}]


def test_safety_01_a_fenced_patch_names_the_resource_version_first() -> None:
    assert fenced([{"op": "remove", "path": "/a"}], "7") == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}, {"op": "remove", "path": "/a"}]


@pytest.mark.parametrize(("path", "text"), [("/spec/rules/0/timeouts", "spec.rules[0].timeouts"), ("/metadata/annotations/a~1b", "metadata.annotations.a/b")])
def test_paths_are_shown_as_people_write_them(path: str, text: str) -> None:
    assert dotted(path) == text


def test_a_diff_shows_what_differs_and_of_lists_the_entries_by_name() -> None:
    before = {"spec": {"refs": [{"name": "p", "weight": 1}, {"name": "c", "weight": 2, "x": {"y": 1, "z": 2}}], "same": 1}, "gone": 1, "list": [1]}
    after = {"spec": {"refs": [{"name": "p", "weight": 1}, {"name": "c", "weight": 3, "x": {"y": 1}}], "same": 1}, "new": 2, "list": [1, 2]}
    assert difference(before, after) == (
        {"spec": {"refs": [{"name": "c", "weight": 2, "x": {"z": 2}}]}, "gone": 1, "list": [1]},
        {"spec": {"refs": [{"name": "c", "weight": 3, "x": {}}]}, "new": 2, "list": [1, 2]})
