# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A route of the user's own, before a walk on it begins: it has to be there, and to split between our two Services with nothing for the canary."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND

FIELD = "canary_route"


def objection(canary: Canary, route: Mapping[str, Any] | None, services: Container[str]) -> SpecError | None:
    """Why this route cannot be walked on, with what to write into it; ``services`` are the names of those that exist."""
    router, service = router_for(canary), canary.service
    if route is None:
        place = router.ref(canary)
        return SpecError(FIELD, f"adopted needs {place['kind']} {canary.namespace}/{place['name']}, which does not exist",
                         f"accepted: one of yours by canary_route_name, with {router.snippet(canary)}, where {service.name} may stand for "
                         f"{service.primary_name}")
    if marks.is_ours(route, canary.name):
        return SpecError(FIELD, f"{marks.name_of(route)} was made for this canary, and is no route of yours", "accepted: owned, or a route of your own")
    split = router.read(route, canary)
    if split is None:
        return SpecError(FIELD, router.mismatch(route, canary), f"{service.name} may stand for {service.primary_name}")
    if split.canary:
        return SpecError(FIELD, f"{marks.name_of(route)} gives {service.canary_name} {split.canary} % before a release has begun",
                         f"accepted: all to the primary, {router.snippet(canary)}")
    if service.name in AROUND[canary.provider].backends(route) and service.name not in services:
        # The walk makes the apex only when the route is accepted, and the route is accepted only when all that it names is there.
        return SpecError(FIELD, f"{marks.name_of(route)} names the Service {service.name}, which does not exist",
                         f"accepted: a Service of that name that selects the pods of {canary.target}, or {service.primary_name} in its place")
    return None
