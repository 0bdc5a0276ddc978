# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a verb is plain, in one line where it is for people, and holds no secret."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.progressive.delivery.plugins.module_utils import tidy

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "default",
    "clusters": [{"name": "default", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": "Q0E="}}],
    "users": [{"name": "default", "user": {"token": "s3cret-token", "client-key-data": "S0VZ"}}],
}

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(), DATA))
def test_ansible_04_any_data_becomes_json_without_nan(result: dict[str, Any]) -> None:
    plain = tidy.plain(result, lambda text: None)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert tidy.plain(plain, pytest.fail) == plain


def test_ansible_04_decimals_and_sets_become_numbers_and_lists() -> None:
    assert tidy.plain({"value": Decimal("0.5"), "names": {"b", "a"}}, pytest.fail) == {"value": 0.5, "names": ["a", "b"]}


def test_ansible_10_of_a_kubeconfig_only_what_is_secret_is_hidden() -> None:
    found = {"v1", "Config", "default", "https://10.0.0.1:6443", "Q0E=", "s3cret-token", "S0VZ", "of another option"}
    assert tidy.secrets(found, KUBECONFIG) == {"s3cret-token", "S0VZ", "of another option"}


def test_ansible_10_the_path_of_a_kubeconfig_is_no_secret() -> None:
    assert tidy.secrets({"/home/me/.kube/config", "token"}, "/home/me/.kube/config") == {"token"}


def test_without_a_kubeconfig_everything_that_ansible_found_is_hidden() -> None:
    assert tidy.secrets({"token"}, None) == {"token"}


def test_options_are_shown_without_those_left_out_and_without_what_mappings_and_urls_hide() -> None:
    given = {
        "name": "podinfo", "context": None, "kubeconfig": KUBECONFIG, "hooks": [1, {"a": "b"}], "url": "https://me:s3cret@host/path?key=abc"}
    assert tidy.shown(given) == {
        "name": "podinfo", "kubeconfig": "(a mapping)", "hooks": [1, "(a mapping)"], "url": "https://host/path?key=***"}


HOSTILE = "no\x1b[2J\x1b]0;owned\x07\r\nfatal: [forged]\x9b31m"


def test_ansible_23_a_result_holds_nothing_that_terminals_obey() -> None:
    shown = tidy.printable({"msg": HOSTILE, "outcomes": [{"why": HOSTILE, "value": 1.5}], "passed": False, "plan": None})
    assert shown == {"msg": "no\nfatal: [forged]31m", "outcomes": [{"why": "no\nfatal: [forged]31m", "value": 1.5}], "passed": False, "plan": None}


@pytest.mark.parametrize("text", ["- a: 1\n  b: [x]\n", "one\n- two", "", "\n", "Grüße\n  aus"])
def test_text_of_several_lines_keeps_them(text: str) -> None:
    assert tidy.printable({"diff": {"after": text}})["diff"]["after"] == text


def test_a_document_stays_as_people_wrote_it() -> None:
    assert tidy.printable({"document": {"query": HOSTILE}}) == {"document": {"query": HOSTILE}}
