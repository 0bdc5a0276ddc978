# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contour: who includes an HTTPProxy, and others of the same host, which make each other invalid (SAFETY 26).

Root and included HTTPProxies may be in different namespaces; what cannot be listed is told by Contour's own report on the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers.contour import KIND, ORPHANED, VALID, objection_of

Object = Mapping[str, Any]

CAUTION = ""


def parents(canary: Canary) -> list[tuple[str, dict[str, str]]]:
    """None: the document does not say who includes it."""
    return []


def objection(canary: Canary, field: str, parent: Object) -> SpecError | None:
    return None


def rivals(canary: Canary, route: Object | None, others: Sequence[Object]) -> list[SpecError]:
    roots = [one for one in others if _host(one) and (_name(one) == canary.service.route_name or _includes(one, canary))]
    found: dict[str, set[str]] = {}
    for root in roots:
        for other in others:
            if _host(other) == _host(root) and _name(other) != _name(root):
                found.setdefault(_host(root), set()).update((marks.name_of(root), marks.name_of(other)))
    return [SpecError("spec.virtualhost.fqdn", f"{' and '.join(sorted(names))} both have {host}, which makes each of them invalid",
                      f"accepted: one {KIND} for each host") for host, names in sorted(found.items())]


def standing(canary: Canary, route: Object | None, walks: bool) -> list[SpecError]:
    status = (route or {}).get("status") or {}
    said = status.get("currentStatus")
    if route is None or not walks or said in (None, VALID, "NotReconciled"):
        return _second_mirror(canary, route) if route is not None else []
    hint = (f"accepted: a root {KIND} with includes: [{{name: {canary.service.route_name}, namespace: {canary.namespace}}}]" if said == ORPHANED
            else f"accepted: an {KIND} that Contour calls valid")
    return [SpecError("spec.provider", f"{marks.name_of(route)} is {said}, so that no request comes by it: {objection_of(route)}", hint)]


def _second_mirror(canary: Canary, route: Object) -> list[SpecError]:
    """Contour calls an HTTPProxy invalid, and serves nobody by it, where a route has two Services that get copies."""
    ours = {canary.service.primary_name, canary.service.canary_name}
    copied = sorted({str(entry.get("name", "")) for one in (route.get("spec") or {}).get("routes") or ()
                     if ours & {entry.get("name") for entry in one.get("services") or () if not entry.get("mirror")}
                     for entry in one.get("services") or () if entry.get("mirror") and entry.get("name") != canary.service.canary_name})
    if not canary.analysis.mirror or not copied:
        return []
    where = f"{marks.name_of(route)} sends copies to {', '.join(copied)} already"
    return [SpecError("spec.analysis.mirror", f"{where}, and with a second mirror Contour serves nobody by it",
                      f"accepted: false, or an {KIND} of the canary's without mirrors of your own")]


def backends(route: Object) -> Iterator[str]:
    for one in (route.get("spec") or {}).get("routes") or ():
        for entry in one.get("services") or ():
            yield str(entry.get("name", ""))


def _host(proxy: Object) -> str:
    return str(((proxy.get("spec") or {}).get("virtualhost") or {}).get("fqdn", "")).lower()


def _name(proxy: Object) -> str:
    return str(proxy["metadata"]["name"])


def _includes(proxy: Mapping, canary: Canary) -> bool:
    return any(entry.get("name") == canary.service.route_name and entry.get("namespace") in (None, "", canary.namespace)
               for entry in (proxy.get("spec") or {}).get("includes") or ())
