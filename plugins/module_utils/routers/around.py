# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around a route, by provider: what it hangs on, and what would win over it. The next provider is one more row of AROUND."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import contour_around, gatewayapi_around, traefik_around


class Around(Protocol):
    """What a provider knows of a route's surroundings; pure functions over plain mappings."""

    CAUTION: str
    """What people should know of the provider before any walk; empty for most."""

    def parents(self, canary: Canary) -> list[tuple[str, dict[str, str]]]:
        """The field of the document that names each object the route hangs on, and where that object is."""

    def objection(self, canary: Canary, field: str, parent: Mapping[str, Any]) -> SpecError | None:
        """Why this parent would never take the route."""

    def rivals(self, canary: Canary, route: Mapping[str, Any] | None, others: Sequence[Mapping[str, Any]]) -> list[SpecError]:
        """Other routing objects that would get the requests in place of ours."""

    def standing(self, canary: Canary, route: Mapping[str, Any] | None, walks: bool) -> list[SpecError]:
        """What the controller holds against the route that is there; ``walks``: the canary is initialised, and would get requests by it."""

    def backends(self, route: Mapping[str, Any]) -> Iterable[str]:
        """The Services that a routing object sends requests to."""


AROUND: Mapping[str, Around] = {
    "gatewayapi:v1": gatewayapi_around,
    "gatewayapi:v1beta1": gatewayapi_around,
    "contour": contour_around,
    "traefik": traefik_around,
}
