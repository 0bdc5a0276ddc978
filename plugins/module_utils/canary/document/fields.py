# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed reading of mappings that people wrote: every reader knows the path it reads and reports what is wrong there.

Nothing is raised here: a wrong field is reported to the ``Findings``, and reading goes on with a harmless value, so that
one pass finds all that is wrong. An empty text and null count as left out (ANSIBLE 17).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import values
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.formats import Form
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import Kind, Unfit, show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError

T = TypeVar("T")

MISSING = "is missing"
NOT_YET = "is not supported yet"

_SPLIT = re.compile(r"[,\n]")


@dataclass
class Findings:
    """What one pass over a document found."""

    problems: list[SpecError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, path: str, problem: str, hint: str = "") -> None:
        self.problems.append(SpecError(path, problem, hint))

    def accept(self, path: str, value: Any, kind: Kind[T]) -> T | None:
        """The value as that kind; None, and a refusal, for one that does not fit."""
        try:
            return kind.read(value)
        except Unfit as why:
            self.refuse(path, str(why), f"accepted: {kind.accepted}")
            return None


class Fields:
    """A mapping at a path. ``present`` is False where the document has none, and every reader then gives its default."""

    def __init__(self, fields: Mapping[str, Any] | None, path: str, findings: Findings, joint: str = ".") -> None:
        self.path = path
        self.findings = findings
        self.present = fields is not None
        self._joint = joint
        self._unread = {str(key): value for key, value in (fields or {}).items()}
        self._known: list[str] = []

    def at(self, key: str) -> str:
        """The path of a field."""
        return f"{self.path}{self._joint}{key}" if self.path else key

    def refuse(self, key: str, problem: str, hint: str = "") -> None:
        self.findings.refuse(self.at(key), problem, hint)

    def warn(self, key: str, text: str) -> None:
        self.findings.warnings.append(f"{self.at(key)} {text}")

    def is_wrong(self, key: str = "") -> bool:
        """Whether something was already reported of a field, or of anything in here."""
        path = self.at(key) if key else self.path
        return any(problem.path == path or problem.path.startswith((f"{path}.", f"{path}[")) for problem in self.findings.problems)

    # Before reading

    @property
    def unread(self) -> tuple[str, ...]:
        """The names of the fields that nobody read yet."""
        return tuple(self._unread)

    def raw(self, key: str) -> Any:
        """The value of a field that was not read yet, as it stands."""
        return self._unread.get(key)

    def has(self, key: str) -> bool:
        """Whether a field is there and not empty; to be asked before it is read."""
        return self._unread.get(key) not in (None, "")

    def take(self, key: str) -> Any:
        """The raw value of a field, which counts as read; None where it is left out."""
        self._known.append(key)
        value = self._unread.pop(key, None)
        return None if value == "" else value

    # One value

    def text(self, key: str, form: Form | None = None, *, required: bool = False, default: str = "", accepted: str = "", secret: bool = False) -> str:
        return self._read(key, values.text(form, accepted, secret), default, required)

    def choice(self, key: str, words: Iterable[str], *, required: bool = False, default: str = "") -> str:
        return self._read(key, values.choice(words), default, required)

    def whole(self, key: str, low: int, high: int | None = None, *, required: bool = False, default: int = 0, accepted: str = "") -> int:
        return self._read(key, values.whole(low, high, accepted), default, required)

    def number(self, key: str) -> float | None:
        return self._read(key, values.number(), None, False)

    def flag(self, key: str, default: bool = False) -> bool:
        return self._read(key, values.flag(), default, False)

    def seconds(self, key: str, *, required: bool = False, default: float, zero: bool = False, bare: bool = False) -> float:
        return self._read(key, values.seconds(zero, bare), default, required)

    def _read(self, key: str, kind: Kind[T], default: T | Any, required: bool) -> T | Any:
        value = self.take(key)
        if value is None:
            if required:
                self._missing(key, kind.accepted)
            return default
        accepted = self.findings.accept(self.at(key), value, kind)
        return default if accepted is None else accepted

    def _missing(self, key: str, accepted: str) -> None:
        # Of a mapping that is missing itself one report is enough.
        if self.present:
            self.refuse(key, MISSING, f"accepted: {accepted}")

    # Mappings and lists

    def mapping(self, key: str, accepted: str = "a mapping", *, required: bool = False) -> Fields:
        """The fields under ``key``."""
        value = self.take(key)
        if not value and isinstance(value, (list, tuple)):
            value = None
        if value is None and required:
            self._missing(key, accepted)
        elif value is not None and not isinstance(value, Mapping):
            self.refuse(key, f"{show(value)} is not a mapping", f"accepted: {accepted}")
            value = None
        return Fields(value, self.at(key), self.findings)

    def mappings(self, key: str, accepted: str) -> list[tuple[int, Fields]]:
        """The entries of a list of mappings with their numbers; what is no mapping is reported and left out."""
        found = []
        for index, (path, item) in enumerate(self._entries(key, accepted)):
            if isinstance(item, Mapping):
                found.append((index, Fields(item, path, self.findings)))
            else:
                self.findings.refuse(path, f"{show(item)} is not a mapping", f"accepted: {accepted}")
        return found

    def texts(self, key: str, form: Form | None = None, *, split: bool = False) -> tuple[str, ...]:
        """A list of texts; with ``split`` one text with commas or line ends between them will do."""
        value = self._unread.get(key)
        if split and isinstance(value, str):
            self._unread[key] = [word.strip() for word in _SPLIT.split(value) if word.strip()]
        return self._all(key, values.text(form), "a list of texts")

    def wholes(self, key: str, low: int, high: int) -> tuple[int, ...]:
        return self._all(key, values.whole(low, high), f"a list of whole numbers from {low} to {high}")

    def text_map(self, key: str, keys: Form | None = None, form: Form | None = None, *, secret: bool = False) -> dict[str, str]:
        """Texts by name. They may be empty, and with ``secret`` no message shows one."""
        found = {}
        inner = self.mapping(key)
        for name in inner.unread:
            if self.findings.accept(inner.path, name, values.text(keys)) is not None:
                path = inner.at(shown.excerpt(name, 60))
                text = self.findings.accept(path, inner.raw(name), values.text(form, secret=secret))
                if text is not None:
                    found[name] = text
        return found

    def _entries(self, key: str, accepted: str) -> list[tuple[str, Any]]:
        """The entries of a list with their paths."""
        value = self.take(key)
        if value is None or (not value and isinstance(value, Mapping)):
            return []
        if not isinstance(value, (list, tuple)):
            self.refuse(key, f"{show(value)} is not a list", f"accepted: {accepted}")
            return []
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(value)]

    def _all(self, key: str, kind: Kind[T], accepted: str) -> tuple[T, ...]:
        """The entries that fit; the others are reported."""
        read = [self.findings.accept(path, item, kind) for path, item in self._entries(key, accepted)]
        return tuple(item for item in read if item is not None)

    # After reading

    def refuse_rest(self, not_yet: Mapping[str, str] | None = None) -> None:
        """Refuse what nobody read: by name with the reason where ``not_yet`` has one, else as unknown."""
        reasons = not_yet or {}
        for key, value in self._unread.items():
            if key not in reasons:
                close = difflib.get_close_matches(key, [*self._known, *reasons], 1, 0.7)
                known = f"did you mean {close[0]}?" if close else f"accepted: {', '.join(sorted(self._known))}"
                self.refuse(shown.excerpt(key, 60), "is not a known field", known)
            elif not values.says_nothing(value):
                self.refuse(key, NOT_YET, reasons[key])
        self._unread.clear()
