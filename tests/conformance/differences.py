# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we do otherwise than Flagger, on purpose, each with its reason: docs/flagger-differences.md has them in words for users.

An entry about objects recognises a value that differs; one about a sequence says what becomes of Flagger's. Whatever is not explained by an entry is wrong,
and so is an entry that explains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from documents import Document

Rewrite = Callable[[list[Any], Document], list[Any]]


@dataclass(frozen=True)
class Leaf:
    """One value of one object: "ended Deployment/podinfo-primary spec.replicas"; None where a side does not have it."""

    path: str
    theirs: Any
    ours: Any

    @property
    def only_theirs(self) -> bool:
        return self.ours is None

    @property
    def only_ours(self) -> bool:
        return self.theirs is None


@dataclass(frozen=True)
class Difference:
    """One thing that differs on purpose.

    Attributes:
        weak_spots: of the list of those of Flagger, where it is one.
        everywhere: in every document that can show it; else in those that name it.
        leaf: whether it explains this value.
        sequences: by the name of a sequence of a trace, what Flagger's becomes.
    """

    name: str
    why: str
    weak_spots: tuple[int, ...] = ()
    everywhere: bool = False
    leaf: Callable[[Leaf, Document], bool] | None = None
    sequences: Mapping[str, Rewrite] = field(default_factory=dict)



# -- ways to say what becomes of a sequence --

def without(*patterns: str) -> Rewrite:
    """Flagger's lines whose last text fits one of the patterns are not said here."""
    return lambda lines, document: [line for line in lines if not _fits(line, patterns)]


def phase_of(**phases: str) -> Rewrite:
    """Events are told with another phase; by a word that begins the message."""
    def rewrite(lines: list[Any], document: Document) -> list[Any]:
        return [next(((phase, *line[1:]) for word, phase in phases.items() if line[-1].startswith(word)), line) for line in lines]
    return rewrite


def _fits(line: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(re.match(pattern, line[-1]) for pattern in patterns)


def _weight_goes_before_the_phase(lines: list[Any], document: Document) -> list[Any]:
    """Promoting at 0 between Promoting with weight and Finalising."""
    found: list[Any] = []
    for line in lines:
        if line[0] == "Finalising" and found and found[-1][0] == "Promoting" and found[-1][1] > 0:
            found.append(("Promoting", 0, *line[2:]))
        found.append(line)
    return found


def _with_all_fields(lines: list[Any], document: Document) -> list[Any]:
    """The fields that Flagger gives to its first alert are those of all."""
    fields = next((line[2] for line in lines if line[2]), ())
    return [(*line[:2], fields) for line in lines]


def _most_that_is_meant(lines: list[Any], document: Document) -> list[Any]:
    return [(*line[:2], tuple((title, re.sub(r"max: 0$", "max: 100", value)) for title, value in line[2])) for line in lines]


PROVIDERS_ANSWER = "all the metrics providers are available!"

TABLE: tuple[Difference, ...] = (
    Difference(
        "no-owner", "nothing that serves users is deleted with the Canary (SAFETY 7)", (36,), everywhere=True,
        leaf=lambda leaf, document: leaf.only_theirs and ".ownerReferences" in f".{leaf.path.split(' ')[2]}"),
    Difference(
        "marks", "what is ours, whose it is, and the fence against late writes (SAFETY 1, 8)", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and " metadata.annotations.progressive.delivery/" in leaf.path
        or leaf.only_ours and " metadata.labels.progressive.delivery/canary" in leaf.path),
    Difference(
        "record", "the state is a ConfigMap, since nobody has to have Flagger's CRDs", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and " ConfigMap/podinfo-canary " in leaf.path),
    Difference(
        "no-flagger-id", "promoting twice changes nothing (SAFETY 17)", everywhere=True,
        leaf=lambda leaf, document: leaf.only_theirs and leaf.path.endswith("Deployment/podinfo-primary spec.template.metadata.annotations.flagger-id")),
    Difference(
        "zero-is-written", "a route says 0 in words, which Go leaves out", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and leaf.ours == 0 and leaf.path.endswith("services[1].weight")),
    Difference(
        "weight-before-phase", "that the route has taken the weight is one look, that the next phase begins another", everywhere=True,
        sequences={"statuses": _weight_goes_before_the_phase}),
    Difference(
        "providers-are-asked-before-a-walk", "who does not answer keeps a walk from beginning, instead of a line while initialising", (46,), everywhere=True,
        sequences={"events": without(PROVIDERS_ANSWER), "announced": without(PROVIDERS_ANSWER)}),
    Difference(
        "told-when-done", "an Event and an alert tell of what has been seen done, so the phase may be the next one already", everywhere=True,
        sequences={"events": phase_of(Copying="Promoting")}),
    Difference(
        "alerts-say-of-what", "every alert says whose release it is about", (52,), everywhere=True, sequences={"alerts": _with_all_fields}),
    Difference(
        "alerts-say-the-most", "without maxWeight the most is 100, which is walked; Flagger's alerts say 0", sequences={"alerts": _most_that_is_meant}),
)
