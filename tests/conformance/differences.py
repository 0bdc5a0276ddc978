# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we do otherwise than Flagger, on purpose, each with its reason: docs/flagger-differences.md has them in words for users.

An entry about objects recognises a value that differs; one about a sequence says what becomes of Flagger's. Whatever is not explained by an entry is wrong,
and so is an entry that explains nothing.
"""

from __future__ import annotations

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


TABLE: tuple[Difference, ...] = ()
