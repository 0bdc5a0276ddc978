# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which request to a server gets which fault: rules, and the book that counts how often each has matched."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

ACTIONS = {
    "hold": "keep the request until it is released, then forward it, whether its sender still waits or not",
    "answer": "answer with a status, without forwarding",
    "cut_before": "cut the connection without forwarding",
    "cut_after": "forward, then cut the connection instead of answering",
    "cut_inside": "forward, then cut the connection in the middle of the answer's body",
    "close": "forward and answer, then close the connection as a server does that keeps none",
    "delay": "wait, then forward",
    "edit": "forward with another text in the body",
    "kill_before": "kill processes, without forwarding",
    "kill_after": "forward, then kill processes instead of answering",
}


class RuleError(Exception):
    """A rule that makes no sense, in words."""


@dataclass(frozen=True)
class Rule:
    """One fault.

    Attributes:
        name: what the rule is called in the log and when it is released.
        method: regular expression for the whole method.
        path: regular expression somewhere in the path with its query.
        body: regular expression somewhere in the body.
        nth: the first matching request that gets the fault, from 1.
        times: how many from there on get it, 0 for all.
        status: for answer.
        headers: for answer.
        message: for answer, what its Status says; by default which rule it is.
        seconds: for delay.
        find: for edit, a regular expression, and put: what stands in its place, wherever the body has it; bytes are meant, in Latin-1.
        pid: for kill, a process; group: a process group; root: a process with all that came of it, whatever groups these lead.
        abandon: for hold, cut the sender's connection at once and forward at the release all the same.
    """

    name: str
    action: str
    method: str = ".*"
    path: str = ""
    body: str = ""
    nth: int = 1
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""
    seconds: float = 0.0
    find: str = ""
    put: str = ""
    pid: int = 0
    group: int = 0
    root: int = 0
    abandon: bool = False

    def fits(self, method: str, path: str, body: bytes) -> bool:
        """Whether the request is one that the rule counts."""
        return bool(re.fullmatch(self.method, method) and re.search(self.path, path) and re.search(self.body, body.decode("utf-8", "replace")))

    def edited(self, body: bytes) -> bytes:
        """The body as it is forwarded."""
        return re.sub(self.find.encode("latin-1"), self.put.encode("latin-1"), body) if self.action == "edit" else body


def parse(document: dict[str, Any], number: int) -> Rule:
    """A rule from JSON; without a name it is called by its number.

    Raises:
        RuleError: unknown keys, an unknown action, a bad expression, or a kill without a target.
    """
    known = [one.name for one in fields(Rule)]
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise RuleError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    rule = Rule(**{"name": f"rule-{number}", "action": "", **document})
    if rule.action not in ACTIONS:
        raise RuleError(f"action has to be one of {', '.join(ACTIONS)}, not {rule.action!r}")
    if rule.action.startswith("kill") and [target > 1 for target in (rule.pid, rule.group, rule.root)].count(True) != 1:
        raise RuleError("a kill needs pid, group or root, one of them, above 1")
    if rule.nth < 1 or rule.times < 0:
        raise RuleError("nth counts from 1, times from 0")
    if (rule.action == "edit") != bool(rule.find):
        raise RuleError("an edit, and nothing else, needs find")
    for expression in (rule.method, rule.path, rule.body, rule.find):
        try:
            re.compile(expression)
        except re.error as error:
            raise RuleError(f"{expression!r}: {error}") from error
    return rule


@dataclass
class Counted:
    """A rule in force, how many requests fitted it, and how many it holds."""

    rule: Rule
    fitted: int = 0
    struck: int = 0
    holding: int = 0
    released: bool = False


class RuleBook:
    """The rules in force. Safe for use by many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rules: list[Counted] = []
        self._added = 0

    def add(self, document: dict[str, Any]) -> str:
        """Put a rule in force; its name. Raises RuleError."""
        with self._changed:
            self._added += 1
            rule = parse(document, self._added)
            if any(counted.rule.name == rule.name for counted in self._rules):
                raise RuleError(f"there is a rule {rule.name} already")
            self._rules.append(Counted(rule))
            return rule.name

    def strike(self, method: str, path: str, body: bytes) -> Counted | None:
        """Count the request for every rule that it fits; the first whose turn it is, if any."""
        with self._changed:
            chosen = None
            for counted in self._rules:
                if not counted.rule.fits(method, path, body):
                    continue
                counted.fitted += 1
                beyond = counted.fitted - counted.rule.nth
                if chosen is None and beyond >= 0 and (counted.rule.times == 0 or beyond < counted.rule.times):
                    chosen = counted
                    chosen.struck += 1
            self._changed.notify_all()
            return chosen

    def hold(self, counted: Counted) -> None:
        """Wait until the rule is released."""
        with self._changed:
            counted.holding += 1
            self._changed.notify_all()
            while not counted.released:
                self._changed.wait()
            counted.holding -= 1
            self._changed.notify_all()

    def release(self, name: str | None) -> int:
        """Let go what a rule, or every rule, holds and would hold; how many requests that were."""
        with self._changed:
            chosen = [counted for counted in self._rules if name in (None, counted.rule.name) and counted.rule.action == "hold"]
            held = sum(counted.holding for counted in chosen)
            for counted in chosen:
                counted.released = True
            self._changed.notify_all()
            return held

    def clear(self) -> int:
        """Take all rules out of force and let go what they hold; how many requests that were."""
        held = self.release(None)
        with self._changed:
            self._rules.clear()
            return held

    def await_strike(self, name: str, seconds: float) -> bool:
        """Wait until the rule has struck at least once; whether it has. An unknown rule never does."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not any(counted.rule.name == name and counted.struck for counted in self._rules):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return any(counted.rule.name == name and counted.struck for counted in self._rules)
            return True

    def describe(self) -> list[dict[str, Any]]:
        """All rules with their counts, as JSON."""
        with self._changed:
            return [
                {"name": counted.rule.name, "action": counted.rule.action, "fitted": counted.fitted, "struck": counted.struck, "holding": counted.holding}
                for counted in self._rules
            ]
