# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.formats import Form, fits, seconds, url_shown
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("text", "expected"), [
    ("10s", 10), ("1m", 60), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1.5m", 90), ("0s", 0), ("2h45m10s", 9910),
])
def test_durations_are_read_as_go_writes_them(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", [
    "", "10", "s", "5 minutes", "5minutes", "1m 30s", "1d", "-1s", "1,5s", ".5s", "1.s", "1m\n", "\u0661s", "9" * 5000 + "s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds(text) is None


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_of_parts_is_their_sum(hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@pytest.mark.parametrize(("form", "text"), [
    (formats.URL, "http://loadtester.test/"), (formats.URL, "https://user:pass@gate.example.com:8443/open?token=a%20b"),
    (formats.URL, "http://[::1]:9090/"), (formats.URL, "http://127.0.0.1"), (formats.URL, "HTTP://a/"), (formats.URL, "http://my_service/"),
    (formats.HOST, "app.example.com"), (formats.HOST, "*.example.com"), (formats.HOST, "localhost"),
    (formats.TARGET_NAME, "podinfo"), (formats.TARGET_NAME, "my.app"), (formats.TARGET_NAME, "a" * 55),
    (formats.SERVICE_NAME, "a-1"), (formats.CANARY_NAME, "a" * 246), (formats.PORT_NAME, "http-metrics"),
    (formats.KEY, "app"), (formats.KEY, "app.kubernetes.io/name"), (formats.LABEL_VALUE, ""), (formats.LABEL_VALUE, "A.b_c-1"),
    (formats.GATEWAY_DURATION, "1h30m5s10ms"), (formats.GATEWAY_DURATION, "0s"), (formats.HEADER_NAME, "X-Version"),
])
def test_a_text_of_the_form_fits(form: Form, text: str) -> None:
    assert form.wrong(text) == ""


@pytest.mark.parametrize(("form", "text"), [
    (formats.URL, ""), (formats.URL, "loadtester"), (formats.URL, "//loadtester/"), (formats.URL, "http://"), (formats.URL, "http://a:0/"),
    (formats.URL, "http://a:b/"), (formats.URL, "http://[::1/"), (formats.URL, "http://a b/"), (formats.URL, "http://a/\n"),
    (formats.URL, "file:///etc/passwd"), (formats.URL, "http://-a/"), (formats.URL, "http://a/{{ b }}"),
    (formats.HOST, "*"), (formats.HOST, "*.*.a"), (formats.HOST, "a..b"), (formats.HOST, "a.b."), (formats.HOST, "1.2.3.4"),
    (formats.HOST, ""),
    (formats.TARGET_NAME, "a" * 56), (formats.TARGET_NAME, "-a"), (formats.TARGET_NAME, "a/b"), (formats.TARGET_NAME, "a\n"),
    (formats.CANARY_NAME, "a" * 247), (formats.PORT_NAME, "a--b"), (formats.PORT_NAME, "1-2"), (formats.PORT_NAME, "a" * 16),
    (formats.KEY, ""), (formats.KEY, "/a"), (formats.KEY, "a/"), (formats.KEY, "A.b/c"), (formats.KEY, "a b"), (formats.LABEL_VALUE, "-a"),
    (formats.GATEWAY_DURATION, "1h1h1h1h1h"), (formats.GATEWAY_DURATION, "123456s"), (formats.HEADER_NAME, "a:b"),
])
def test_a_text_of_another_form_is_told_why(form: Form, text: str) -> None:
    assert form.wrong(text)


@given(st.text())
def test_forms_answer_for_any_text(text: str) -> None:
    for form in (value for value in vars(formats).values() if isinstance(value, Form)):
        assert isinstance(form.wrong(text), str)


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_what_is_no_text_fits_no_form(value: object) -> None:
    assert not fits(value, formats.OBJECT_NAME)


@pytest.mark.parametrize("text", [
    "http://user:hunter2@a:99999/", "user:hunter2@gate.test/", "http://a/?token=hunter2", "gate?token=hunter2", "ftp://user:hunter2@a/ b",
    "http://[user:hunter2@a/", "http://a b:hunter2@c/?hunter2",
])
def test_the_credentials_of_a_url_are_not_shown_even_where_it_is_wrong(text: str) -> None:
    assert "hunter2" not in url_shown(text)
