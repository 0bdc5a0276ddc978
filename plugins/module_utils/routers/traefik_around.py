# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traefik: a TraefikService hangs on nothing that the document names, two never compete, and Traefik reports nothing on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

Object = Mapping[str, Any]

CAUTION = ("traefik: a canary that loses all its endpoints while it has weight makes Traefik answer 404 to everybody, unless Traefik was started with "
           "--providers.kubernetescrd.allowEmptyServices=true")


def parents(canary: Canary) -> list[tuple[str, dict[str, str]]]:
    return []


def objection(canary: Canary, field: str, parent: Object) -> SpecError | None:
    return None


def rivals(canary: Canary, route: Object | None, others: Sequence[Object]) -> list[SpecError]:
    return []


def standing(canary: Canary, route: Object | None, walks: bool) -> list[SpecError]:
    return []


def backends(route: Object) -> Iterator[str]:
    for entry in ((route.get("spec") or {}).get("weighted") or {}).get("services") or ():
        yield str(entry.get("name", ""))
