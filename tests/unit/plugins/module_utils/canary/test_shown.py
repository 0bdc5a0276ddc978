# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be shown of URLs and of other people's answers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown


@pytest.mark.parametrize(("url", "seen"), [
    ("http://p:9090/path", "http://p:9090/path"),
    ("https://user:s3cret@p/x", "https://p/x"),
    ("https://user@p:1/x", "https://p:1/x"),
    ("http://p/x?token=abc&y=1#here", "http://p/x?token=***&y=***"),
    ("http://p/x?abc", "http://p/x?abc=***"),
    ("http://[::1]:9090/", "http://[::1]:9090/"),
    ("http://p:port/", "(not a URL)"),
    ("http://[::1/", "(not a URL)"),
    ("", ""),
])
def test_a_url_is_shown_without_its_secrets(url: str, seen: str) -> None:
    assert shown.url(url) == seen


@pytest.mark.parametrize(("text", "line"), [
    ("a\n  b\tc", "a b c"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("x" * 201, "x" * 197 + "..."),
    ("x" * 200, "x" * 200),
])
def test_an_excerpt_is_one_short_line(text: str, line: str) -> None:
    assert shown.excerpt(text) == line


def test_secrets_are_hidden_but_short_words_are_not() -> None:
    assert shown.without("bearer abcdef123 is not abcdef in test", ["abcdef", "abcdef123", "is", ""]) == "bearer *** is not *** in test"


@given(st.text())
def test_ansible_23_no_control_character_is_left_in_a_line(text: str) -> None:
    line = shown.one_line(text)
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(char) for char in line}
    assert shown.one_line(line) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[####      ]  40%", "[####      ]  40%"),
        ("a\r\nb\tc", "a b c"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://elsewhere\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "31mred"),
        ("right\u202eleft", "rightleft"),
        ("line\u2028next", "line next"),
        ("\x00nul\x7f", "nul"),
    ],
)
def test_ansible_23_what_terminals_obey_is_taken_out(text: str, line: str) -> None:
    assert shown.one_line(text) == line
