# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes alone: no routing object and no weights. Whom users reach is what the apex Service selects, and that is the primary.

So there are two splits: everything to the primary, and, when somebody has pointed the apex elsewhere, nothing that could be relied on,
which counts as everything to the canary and is lowered like any weight that nobody ordered.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Route, Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary


def refuse(canary: Canary) -> list[str]:
    service = canary.service
    found = {
        "gatewayRefs": service.gateway_refs, "hosts": service.hosts, "match": service.match, "timeout": service.timeout,
        "backendTimeout": service.backend_timeout, "rewrite": service.rewrite, "headers": service.headers, "mirror": service.mirror,
        "corsPolicy": service.cors_policy,
    }
    adopted = ["canary_route: adopted means a route of your own, and the provider kubernetes has none: leave it out"] if canary.adopted else []
    meaningless = [f"spec.service.{field}: means nothing to the provider {canary.provider}, which has no route, in Flagger too: leave it out"
                   for field, value in found.items() if value]
    untold = ["spec.analysis.match: the provider kubernetes cannot tell requests apart, and in Flagger it is dropped: leave it out (blue/green)"]
    uncopied = ["spec.analysis.mirror: the provider kubernetes has no route that could copy requests, and in Flagger it means nothing: leave it out"]
    unkept = ["spec.analysis.sessionAffinity: the provider kubernetes has no route that could set cookies, and in Flagger it means nothing: leave it out"]
    analysis = canary.analysis
    return (adopted + meaningless + (untold if analysis.match else []) + (uncopied if analysis.mirror else []) + (unkept if analysis.affinity else []))


def route(*, exists: bool, differs: bool, pods: Collection[str], of_canary: Collection[str]) -> Route | None:
    """What the apex says in place of a routing object: None when it is not there.

    ``differs``: it was looked at and does not select the primary as wanted; ``pods`` are those behind it, ``of_canary`` those behind the
    canary's Service. Slices follow a selector by a moment, so either is enough to say that users may meet the canary.
    """
    if not exists:
        return None
    astray = differs or bool(set(pods) & set(of_canary))
    return Route(Split(0, 100) if astray else Split(100, 0), accepted=True)
