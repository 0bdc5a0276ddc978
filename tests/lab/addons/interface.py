# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway has to say about itself so that the lab can build, start and describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.cache import Recipe
from labkit.layout import Lab

Built = Mapping[str, Path]
"""Recipe name -> folder with what was made."""


@dataclass(frozen=True)
class Addon:
    """A gateway.

    Its processes are started by ``processes.start``, which is all that status and teardown need to know of them.

    Attributes:
        recipes: what has to be made for it.
        crds: manifests to apply before it starts, with ``kubectl apply --server-side``.
        start: starts its processes, applies its objects and waits until it serves.
        ports: port inside the lab's network namespace -> daemon that listens on it.
        health: daemon name -> URL that answers 200 when it is healthy.
        metrics: addresses (host:port) that Prometheus scrapes, path /metrics unless given as host:port/path.
        url: where users' requests go, inside the lab's network namespace.
        gateway: namespace/name of its Gateway, for the ``parentRefs`` of a route.
    """

    name: str
    recipes: tuple[Recipe, ...]
    crds: Callable[[Built], list[Path]]
    start: Callable[[Lab, Built], None]
    ports: Mapping[int, str]
    health: Mapping[str, str]
    metrics: tuple[str, ...]
    url: str
    gateway: str
