# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many ticks a walk may take, how many lines Ansible prints for them, and what a tick does in which order, by the role's own templates."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

TASKS = pathlib.Path(__file__).parents[3] / "roles" / "canary_walk" / "tasks"


def load(file: str) -> list[dict[str, Any]]:
    return yaml.safe_load((TASKS / file).read_text(encoding="utf-8"))


MAIN = load("main.yml")


def evaluate(text: Any, facts: dict[str, Any]) -> Any:
    return NativeEnvironment().from_string(text).render(facts) if isinstance(text, str) else text


def rounds(asks: bool = True) -> Iterator[list[int]]:
    """The ticks of each round, until the role includes no further one."""
    begin, _walk = MAIN
    walk, without_hooks, count, again = (task.get("block", [task])[0] for task in load("round.yml"))
    facts = {**begin["ansible.builtin.set_fact"], "__canary_asks": asks}
    while True:
        idle, busy = (evaluate(loop["loop"], facts) for loop in ((without_hooks, walk) if asks else (walk, without_hooks)))
        assert idle == []
        yield busy
        facts |= {name: evaluate(text, facts) for name, text in count["ansible.builtin.set_fact"].items()}
        if not evaluate("{{ " + again["when"] + " }}", facts):
            return


@pytest.mark.parametrize("asks", [True, False])
def test_a_walk_may_take_5000_ticks_that_are_counted_through(asks: bool) -> None:
    ticks = [number for ticks in rounds(asks) for number in ticks]
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


TICKS = ("tick.yml", "tick_without_hooks.yml")


def tick(file: str) -> list[dict[str, Any]]:
    """The tasks of a tick, those of its block among them, each with what its round says for it."""
    tasks = [inner for task in load(file) for inner in task.get("block", [task])]
    said = next((task for task in load("round.yml") for inner in task.get("block", []) if inner["ansible.builtin.include_tasks"] == file), {})
    for task in tasks:
        name = f"progressive.delivery.{verb(task)}"
        if name in task:
            task[name] = {**said.get("module_defaults", {}).get(name, {}), **(task[name] or {})}
            task.setdefault("timeout", said.get("timeout"))
    return tasks


def verb(task: dict[str, Any]) -> str:
    return next((key.rpartition(".")[2] for key in task if key.startswith("progressive.delivery.")), "")


def test_a_tick_without_hooks_leaves_out_hooks_and_nothing_else() -> None:
    without, left_out = tick("tick_without_hooks.yml"), [task for task in tick("tick.yml") if task not in tick("tick_without_hooks.yml")]
    assert without == [task for task in tick("tick.yml") if task not in left_out]
    assert len(left_out) == 4
    assert all(verb(task) == "webhook_gate" or "__canary." in task["ansible.builtin.include_tasks"] for task in left_out)


@pytest.mark.parametrize("file", TICKS)
def test_safety_02_a_tick_claims_before_anybody_is_asked(file: str) -> None:
    verbs = [verb(task) for task in tick(file) if verb(task)]
    assert verbs[0] == "canary_observe" and verbs.count("canary_observe") == 1
    assert verbs[-3:] == ["canary_decide", "traffic_weight", "primary_workload"]


@pytest.mark.parametrize("file", TICKS)
@pytest.mark.parametrize(("open_orders", "decides", "ordered"), [
    ({}, True, {"split": {"primary": 80, "canary": 20}}),
    ({"traffic": {"split": {"primary": 100, "canary": 0}}, "workload": None}, False, {"split": {"primary": 100, "canary": 0}}),
])
def test_safety_13_an_open_order_is_carried_out_before_anything_is_decided(
        open_orders: dict[str, Any], decides: bool, ordered: dict[str, Any], file: str) -> None:
    tasks = {verb(task): task for task in tick(file) if verb(task)}
    facts: dict[str, Any] = {"__canary_observed": {"tick": {"due": True, "open": open_orders}}}
    assert bool(evaluate("{{ " + tasks["canary_decide"]["when"] + " }}", facts)) is decides
    facts["__canary_decided"] = {"decision": {"traffic": {"split": {"primary": 80, "canary": 20}}, "workload": {}}} if decides else {}
    facts["__canary_orders"] = evaluate(MAIN[1]["vars"]["__canary_orders"], facts)
    assert evaluate(tasks["traffic_weight"]["progressive.delivery.traffic_weight"]["order"], facts) == ordered
    assert not evaluate("{{ " + tasks["primary_workload"]["when"] + " }}", facts)
