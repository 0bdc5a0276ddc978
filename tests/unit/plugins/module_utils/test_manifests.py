# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils import manifests
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError


def test_each_document_is_a_mapping_of_its_own_and_empty_ones_are_left_out() -> None:
    assert manifests.read("a: 1\n---\n---\nb: {c: [1, x]}\n") == [{"a": 1}, {"b": {"c": [1, "x"]}}]


def test_the_items_of_a_list_stand_for_themselves() -> None:
    assert manifests.read("kind: List\nitems: [{kind: A}, {kind: B}]") == [{"kind": "A"}, {"kind": "B"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: 2026-01-02", "2026-01-02"),
        ("on: 2026-01-02 03:04:05", "2026-01-02T03:04:05"),
        ("on: '{{ namespace }}'", "{{ namespace }}"),
        ("on: !!str 5", "5"),
    ],
)
def test_every_value_has_a_form_in_json(text: str, value: Any) -> None:
    assert list(manifests.read(text)[0].values()) == [value]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "is not YAML that can be read at line 1, column 9"),
        ("a: {{ b }}", "is not YAML that can be read"),
        ("a: 1\nb: 2\na: 3", "is not YAML that can be read at line 3, column 1: the key 'a' is there twice"),
        ("a: .nan", "has no form in JSON"),
        ("a: &x [*x]", "has no form in JSON"),
        ("a: !!set {b}", "has no form in JSON"),
        ("- a", "document 1 of the text is not a mapping"),
        ("a: 1\n---\njust words", "document 2 of the text is not a mapping"),
        ("a: !vault x", "is not YAML that can be read"),
        ("a: \x07", "is not YAML that can be read"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        manifests.read(text, "canary_file")
    assert str(refused.value).startswith("canary_file: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_merge_key_is_no_key_that_is_there_twice() -> None:
    assert manifests.read("x: &x {a: 1}\ny: {<<: *x, a: 2}\n")[0]["y"] == {"a": 2}
