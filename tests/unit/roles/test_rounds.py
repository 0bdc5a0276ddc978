# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many ticks a walk may take, and how many lines Ansible prints for them: the arithmetic of the rounds, by the role's own templates."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import yaml
from jinja2.nativetypes import NativeEnvironment

TASKS = pathlib.Path(__file__).parents[3] / "roles" / "canary_walk" / "tasks"


def evaluate(text: Any, facts: dict[str, Any]) -> Any:
    return NativeEnvironment().from_string(text).render(facts) if isinstance(text, str) else text


def rounds() -> Iterator[list[int]]:
    """The ticks of each round, until the role includes no further one."""
    begin, unused = yaml.safe_load((TASKS / "main.yml").read_text(encoding="utf-8"))
    walk, count, again = yaml.safe_load((TASKS / "round.yml").read_text(encoding="utf-8"))
    facts = dict(begin["ansible.builtin.set_fact"])
    while True:
        yield evaluate(walk["loop"], facts)
        facts |= {name: evaluate(text, facts) for name, text in count["ansible.builtin.set_fact"].items()}
        if not evaluate("{{ " + again["when"] + " }}", facts):
            return


def test_a_walk_may_take_5000_ticks_that_are_counted_through() -> None:
    ticks = [number for ticks in rounds() for number in ticks]
    assert len(ticks) >= 5000
    assert ticks == list(range(len(ticks)))


def test_rounds_are_not_included_deeper_than_is_quick() -> None:
    assert len(list(rounds())) <= 100       # the deeper, the slower; at about 240, one inside the other, it ends


def test_never_more_lines_are_printed_than_twice_the_ticks_and_two() -> None:
    walked = 0
    for ticks in rounds():
        assert walked + len(ticks) <= 2 * walked + 2
        walked += len(ticks)


def test_a_round_is_never_longer_than_64_ticks_so_that_memory_stays_flat() -> None:
    assert max(len(ticks) for ticks in rounds()) == 64
