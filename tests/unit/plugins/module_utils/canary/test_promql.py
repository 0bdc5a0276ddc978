# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""White space of a query, and how far it looks back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import collapse, duration, hard_window


@pytest.mark.parametrize(("query", "line"), [
    ("up", "up"),
    ("\n  sum(\n\trate(x[1m])\n  )\n", "sum( rate(x[1m]) )"),
    ('x{a="two  spaces\\" here"}   > 1', 'x{a="two  spaces\\" here"} > 1'),
    ("x{a='# no comment'}", "x{a='# no comment'}"),
    ("sum(x) # good\n / sum(y) # all", "sum(x) / sum(y)"),
    ("x{a=`back  tick`}\n", "x{a=`back  tick`}"),
])
def test_a_query_becomes_one_line_with_the_same_meaning(query: str, line: str) -> None:
    assert collapse(query) == line


@given(st.text(alphabet="ab {}\"'`#\\\n"))
def test_collapsing_twice_is_collapsing_once(query: str) -> None:
    assert collapse(collapse(query)) == collapse(query)


@pytest.mark.parametrize(("text", "seconds"), [
    ("30s", 30), ("1m", 60), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), ("1w", 604800), ("1y", 31536000), ("300", 300), ("1.5", 1.5),
    ("", None), ("m", None), ("5 m", None), ("5M", None), ("1m30", None), ("-5m", None),
])
def test_durations_as_prometheus_reads_them(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(("query", "seconds"), [
    ("rate(x[5m])", 300),
    ("rate(x[{{ interval }}])", None),
    ("up", None),
    ("rate(x[{{ interval }}]) / rate(y[2m])", 120),
    ("rate(x[1m]) / rate(y[ 1h30m ])", 5400),
    ("max_over_time(rate(x[1m])[30m:1m])", 1800),
    ("max_over_time(rate(x[1m])[30m:])", 1800),
    ("rate(x[300])", 300),
    ('x{path=~"[9h]"} > 1', None),
    ("rate(x[1m]) # was [5m]", 60),
    ("x[1m] offset 1d", 60),
])
def test_safety_12_the_largest_hard_range_is_found(query: str, seconds: float | None) -> None:
    assert hard_window(query) == seconds
