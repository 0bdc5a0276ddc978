# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateway API: the Gateways that a route hangs on, and older HTTPRoutes that match the same requests (SAFETY 26).

Rules of attachment and of precedence: https://gateway-api.sigs.k8s.io/reference/spec/ (Listener, AllowedRoutes, HTTPRouteRule).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers.gatewayapi import (
    GROUP,
    KIND,
    NO_COPIES,
    desired,
    is_traefiks,
    version,
    walked_rules,
)

Object = Mapping[str, Any]

CAUTION = ""

_TRAEFIK = "traefik"                     # by this name it writes the status of a Gateway
_ANOTHER = "a gateway that supports HTTPRouteRequestMirror"
_ROUTE_PROTOCOLS = ("HTTP", "HTTPS")


def parents(canary: Canary) -> list[tuple[str, dict[str, str]]]:
    """Of a route of the user's own none, whatever the document says: its status tells."""
    if canary.adopted:
        return []
    return [(_field(index), {"group": GROUP, "version": version(canary), "plural": "gateways", "kind": "Gateway",
                             "namespace": parent.get("namespace") or canary.namespace, "name": parent["name"]})
            for index, parent in enumerate(canary.service.gateway_refs) if _is_gateway(parent)]


def objection(canary: Canary, field: str, parent: Object) -> SpecError | None:
    wanted = next(ref for index, ref in enumerate(canary.service.gateway_refs) if _field(index) == field)
    listeners = (parent.get("spec") or {}).get("listeners") or []
    where = marks.name_of(parent)
    meant = [listener for listener in listeners if wanted.get("sectionName") in (None, "", listener.get("name"))
             and wanted.get("port") in (None, 0, listener.get("port"))]
    if not meant:
        section = f"named {wanted['sectionName']}" if wanted.get("sectionName") else f"on port {wanted.get('port')}"
        names = ", ".join(f"{listener.get('name')} (port {listener.get('port')})" for listener in listeners) or "none"
        return SpecError(field, f"{where} has no listener {section}", f"accepted: {names}")
    open_to_us = [listener for listener in meant if _takes(listener, canary, str(parent["metadata"].get("namespace", "")))]
    if not open_to_us:
        return SpecError(field, f"no listener of {where} takes an {KIND} from namespace {canary.namespace}",
                         "accepted: a listener of protocol HTTP or HTTPS with allowedRoutes.namespaces.from: All, or a Selector for that namespace")
    if not any(_hosts_meet(listener.get("hostname"), canary.service.hosts) for listener in open_to_us):
        names = ", ".join(sorted({listener["hostname"] for listener in open_to_us}))
        return SpecError("spec.service.hosts", f"none of {', '.join(canary.service.hosts)} belongs to a listener of {where}", f"accepted: {names}")
    # Who reports on routes is only known when there is one; the class of a Gateway, which names its controller, is cluster-scoped.
    written = [entry for entry in parent["metadata"].get("managedFields") or () if entry.get("subresource") == "status"]
    # The last one who wrote: a former controller stays among them by what nobody has changed since.
    last = max((str(entry.get("time", "")) for entry in written), default="")
    by_traefik = any(entry.get("manager") == _TRAEFIK and str(entry.get("time", "")) == last for entry in written)
    return _no_mirror() if canary.service.mirror and by_traefik else None


def rivals(canary: Canary, route: Object | None, others: Sequence[Object]) -> list[SpecError]:
    ours = _adopted(canary, route) if canary.adopted else desired(canary, Split(100, 0))
    found = []
    for other in others if ours is not None else ():
        if other["metadata"]["name"] == canary.service.route_name or (route is not None and _age(route) < _age(other)):
            continue
        spec = other.get("spec") or {}
        hosts = _shared_hosts(ours["spec"].get("hostnames") or [], spec.get("hostnames") or [])
        if hosts and _shared_parent(ours["spec"], spec, canary.namespace) and _matches(ours["spec"]) & _matches(spec):
            found.append(SpecError(
                "spec.service.hosts", f"{marks.name_of(other)} is older and matches the same requests ({hosts}), so that they would all go its way",
                "accepted: hosts or a match that no other route has; or delete that route"))
    return found


def standing(canary: Canary, route: Object | None, walks: bool) -> list[SpecError]:
    """A walk waits for the acceptance of each weight; but one controller accepts a route with copies of requests and serves nobody by it."""
    if not is_traefiks(route or {}):
        return []
    copies = [SpecError("spec.analysis.mirror", NO_COPIES, f"accepted: false, or {_ANOTHER}")] if canary.analysis.mirror else []
    return copies + ([_no_mirror()] if canary.service.mirror and not canary.adopted else [])


def _no_mirror() -> SpecError:
    return SpecError("spec.service.mirror", NO_COPIES, f"leave it out, or use {_ANOTHER}")


def backends(route: Object) -> Iterator[str]:
    for rule in (route.get("spec") or {}).get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            yield str(backend.get("name", ""))


def _adopted(canary: Canary, route: Object | None) -> Object | None:
    """The user's route with the one rule that is walked on."""
    rules = walked_rules(route, canary) if route is not None else []
    return {**route, "spec": {**route["spec"], "rules": rules}} if route is not None and rules else None


def _field(index: int) -> str:
    return f"spec.service.gatewayRefs[{index}]"


def _is_gateway(parent: Object) -> bool:
    return parent.get("group", GROUP) == GROUP and parent.get("kind", "Gateway") == "Gateway"


def _takes(listener: Object, canary: Canary, namespace: str) -> bool:
    if listener.get("protocol") not in _ROUTE_PROTOCOLS:
        return False
    allowed = listener.get("allowedRoutes") or {}
    kinds = [kind.get("kind") for kind in allowed.get("kinds") or ()]
    source = (allowed.get("namespaces") or {}).get("from", "Same")
    # Whom a Selector selects, only who may read namespaces knows.
    return (not kinds or KIND in kinds) and (source in ("All", "Selector") or (source == "Same" and namespace == canary.namespace))


def _hosts_meet(listener: str | None, hosts: Iterable[str]) -> bool:
    wanted = list(hosts)
    return not listener or not wanted or any(_meet(listener, host) for host in wanted)


def _meet(one: str, other: str) -> bool:
    """``*.example.com`` stands for any number of labels, but not for none."""
    return one == other or any(wide.startswith("*.") and narrow.endswith(wide[1:]) for wide, narrow in ((one, other), (other, one)))


def _age(route: Object) -> tuple[str, str]:
    """The older one wins, then the first in the alphabet."""
    return str(route["metadata"].get("creationTimestamp", "")), str(route["metadata"]["name"])


def _shared_hosts(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """In words; a route for a narrower host wins over one for a wider one, whatever its age, so only equal ones collide."""
    if not ours and not theirs:
        return "any host"
    return ", ".join(sorted(set(ours) & set(theirs)))


def _shared_parent(ours: Object, theirs: Object, namespace: str) -> bool:
    return any(
        _place(one, namespace) == _place(other, namespace)
        and (not one.get("sectionName") or not other.get("sectionName") or one["sectionName"] == other["sectionName"])
        for one in ours.get("parentRefs") or () for other in theirs.get("parentRefs") or ())


def _place(parent: Object, namespace: str) -> tuple[str, ...]:
    return parent.get("kind", "Gateway"), parent.get("namespace") or namespace, parent.get("name", "")


def _matches(spec: Object) -> set[tuple[Any, ...]]:
    """A rule without matches takes every path."""
    everything: Object = {}
    return {_normal(match) for rule in spec.get("rules") or () for match in rule.get("matches") or (everything,)}


def _normal(match: Object) -> tuple[Any, ...]:
    path = match.get("path") or {}
    lists = [tuple(sorted((str(entry.get("name", "")).lower(), entry.get("type", "Exact"), entry.get("value", "")) for entry in match.get(key) or ()))
             for key in ("headers", "queryParams")]
    return path.get("type", "PathPrefix"), path.get("value", "/"), match.get("method", ""), *lists
