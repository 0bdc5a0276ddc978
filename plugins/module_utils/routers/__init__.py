# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routers: what splits traffic, one file per provider. To add one, copy the smallest file and enter it in ROUTERS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import KUBERNETES, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import contour, gatewayapi, kubernetes, traefik


class Refuses(Protocol):
    """What the file of every provider holds."""

    SPLITS: tuple[str, ...]
    """The path of the field in which the object splits the traffic."""

    def refuse(self, canary: Canary) -> list[str]:
        """What the document asks for and this provider cannot do: one sentence each, beginning with the field."""


class Router(Refuses, Protocol):
    """What a router's file holds: pure functions over one routing object, a plain mapping as the API server speaks it."""

    def ref(self, canary: Canary) -> dict[str, str]:
        """Where the routing object is: group, version, plural, kind, name; its namespace is the canary's."""

    def desired(self, canary: Canary, split: Split) -> dict[str, Any]:
        """The whole object, for a canary that has none yet."""

    def owned(self, obj: Mapping[str, Any], canary: Canary) -> bool:
        """True when we made the object for this canary; else it is the user's, and only its weights are ours to change."""

    def snippet(self, canary: Canary) -> str:
        """What a route of the user's own has to say to be walked on, in YAML on one line."""

    def mismatch(self, obj: Mapping[str, Any], canary: Canary) -> str:
        """Why ``read`` finds no split in it, as a sentence that says what would be needed; empty when it finds one."""

    def read(self, obj: Mapping[str, Any], canary: Canary) -> Split | None:
        """What the object says; None when it does not hold exactly our two backends."""

    def write(self, obj: Mapping[str, Any], canary: Canary, split: Split) -> dict[str, Any]:
        """The object with these weights, all else as it was; of one that we made, the parts that are ours as the document wants them."""

    def release(self, obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
        """The object leading to the apex alone, where it led to our two backends; unchanged where it names none of them (SAFETY 29).

        Of an adopted one only the weights change, to nothing for the canary: whoever names the apex in it is led to the target by the apex.
        """

    def beside(self, obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
        """The object with the apex named beside our two backends, at no weight: what ``release`` leads to then is known to the proxy already.

        Unchanged where the object leads to nothing of ours, or the proxy need not know. ``release`` takes it for a part of the split.
        """

    def differs(self, obj: Mapping[str, Any], canary: Canary) -> list[str]:
        """Paths of what we own and somebody changed, weights apart."""

    def accepted(self, obj: Mapping[str, Any], canary: Canary) -> tuple[bool, str]:
        """Whether the router's controllers have taken over the present generation, and if not, who has not and why."""


ROUTERS: Mapping[str, Router] = {
    "gatewayapi:v1": gatewayapi,
    "gatewayapi:v1beta1": gatewayapi,
    "contour": contour,
    "traefik": traefik,
}

# Providers without a routing object: nothing to read or to write, only things that they cannot do.
WITHOUT_ROUTE: Mapping[str, Refuses] = {
    KUBERNETES: kubernetes,
}


def refuse(canary: Canary) -> list[str]:
    """What the document asks for and its provider cannot do. Raises SpecError for a provider that is not supported."""
    return (WITHOUT_ROUTE.get(canary.provider) or router_for(canary)).refuse(canary)


def router_for(canary: Canary) -> Router:
    """Raises SpecError for a provider that has no routing object."""
    if canary.provider not in ROUTERS:
        raise SpecError("spec.provider", f"{canary.provider!r} is not supported", f"supported: {', '.join(sorted((*ROUTERS, *WITHOUT_ROUTE)))}")
    return ROUTERS[canary.provider]
