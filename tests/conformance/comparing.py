# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two traces of one document: the same, different on purpose and by which entries of the table, or wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from differences import TABLE, Difference, Leaf
from documents import Document
from traces import SEQUENCES, Trace, trace


@dataclass(frozen=True)
class Comparison:
    """``used``: names of the differences on purpose that show, ``listed`` those of them that this document lists; ``wrong``: what is left, a text for each."""

    used: tuple[str, ...]
    listed: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def verdict(self) -> str:
        if self.wrong:
            return f"WRONG ({len(self.wrong)})"
        return f"differs on purpose: {', '.join(self.listed)}" if self.listed else "same"


def compare(document: Document, theirs: Mapping[str, Any], ours: Mapping[str, Any], table: Sequence[Difference] = TABLE) -> Comparison:
    """By what was seen of both sides (``Side.seen``).

    Raises:
        KeyError: the document names a difference that is not in the table.
    """
    known = {one.name: one for one in table}
    listed = [known[name] for name in document.differs]
    used: set[str] = set()
    wrong: list[str] = []
    flagger, we = trace(theirs), trace(ours)
    for name in SEQUENCES:
        wrong += _sequence(name, document, flagger, we, [one for one in table if one.everywhere or one in listed], used)
    wrong += _objects(document, flagger, we, [one for one in table if one.everywhere or one in listed], used)
    wrong += [f"{one.name} is listed as a difference of this document, and does not show" for one in listed if one.name not in used]
    shown = [one for one in table if one.name in used]
    return Comparison(tuple(one.name for one in shown), tuple(one.name for one in shown if not one.everywhere), tuple(wrong))


def _sequence(name: str, document: Document, flagger: Trace, we: Trace, known: Sequence[Difference], used: set[str]) -> list[str]:
    expected, found = list(getattr(flagger, name)), list(getattr(we, name))
    for one in known:
        if name in one.sequences:
            rewritten = one.sequences[name](list(expected), document)
            if rewritten != expected:
                used.add(one.name)
            expected = rewritten
    if expected == found:
        return []
    return ["\n".join([f"{name}:", *_beside(expected, found)])]


def _beside(expected: Sequence[Any], found: Sequence[Any]) -> list[str]:
    """Both in one list: what only one of them has, is marked."""

    return list(difflib.ndiff([f"{one}" for one in expected], [f"{one}" for one in found]))


def _objects(document: Document, flagger: Trace, we: Trace, known: Sequence[Difference], used: set[str]) -> list[str]:
    wrong: list[str] = []
    expected, found = dict(flagger.objects), dict(we.objects)
    for one in known:
        before = expected, found
        expected = one.objects(dict(expected), document) if one.objects is not None else expected
        found = one.ours(dict(found), document) if one.ours is not None else found
        if (expected, found) != before:
            used.add(one.name)
    for path in sorted({*expected, *found}):
        leaf = Leaf(path, expected.get(path), found.get(path))
        if leaf.theirs == leaf.ours:
            continue
        names = [one.name for one in known if one.leaf is not None and one.leaf(leaf, document)]
        used.update(names)
        if not names:
            wrong.append(f"{path}: {leaf.theirs!r} there, {leaf.ours!r} here")
    return wrong
