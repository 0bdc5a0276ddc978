# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contour: an HTTPProxy whose route splits between two Services by weight.

Weights are proportions. In a route where any is set, one that is not given is 0; where none is set, or all are 0, requests are spread evenly.
An entry with ``mirror: true`` gets copies of requests and has no part in the split; one for the canary is ours in an object that we made, any other
is the user's. As Flagger makes it, the object has no virtualhost: a root HTTPProxy of the user's includes it, and until then Contour calls it
orphaned. In one that we made, the prefix, the two entries and the policies that the document asks for are ours; all else, in one of the user's
everything but two weights, stays byte for byte.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import dotted, json_patch
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ours, proportions

GROUP = "projectcontour.io"
VERSION = "v1"
KIND = "HTTPProxy"
SPLITS = ("spec", "routes")

VALID = "valid"
ORPHANED = "orphaned"

_RETRY_ON = (
    "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
    "retriable-status-codes", "retriable-headers", "http3-post-connect-failure",
    "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
)
# Fields of spec.service that Flagger's Contour router leaves out in silence.
_NOT_HERE = {
    "gateway_refs": ("gatewayRefs", "it is for the provider gatewayapi:v1; a root HTTPProxy of yours includes the canary's"),
    "hosts": ("hosts", "a host belongs to the root HTTPProxy of yours that includes the canary's"),
    "backend_timeout": ("backendTimeout", "accepted: timeout, and retries with perTryTimeout"),
    "rewrite": ("rewrite", "leave it out"),
    "headers": ("headers", "leave it out"),
    "mirror": ("mirror", "leave it out"),
    "cors_policy": ("corsPolicy", "it belongs to the virtualhost of the root HTTPProxy"),
}
# As Flagger: an idle stream may outlive the time limit of a response.
_IDLE = "5m"
_LINKERD = "l5d-dst-override"
_ALL = 100
_REST = "routes.rest"                   # our second route, in an A/B analysis
_WEIGHT = re.compile(r"/spec/routes/[0-9]+/services/[0-9]+/weight")


def ref(canary: Canary) -> dict[str, str]:
    return {"group": GROUP, "version": VERSION, "plural": "httpproxies", "kind": KIND, "name": canary.service.route_name}


# What is wanted

def refuse(canary: Canary) -> list[str]:
    service = canary.service
    problems = ["canary_route_rule: the routes of an HTTPProxy have no names; leave it out, and let only one of them split"] if service.route_rule else []
    if canary.adopted:
        return problems + ours.refuse_adopted(canary)
    problems += [f"spec.service.{name}: Contour cannot do it for a canary's HTTPProxy, and in Flagger it is left out in silence; {instead}"
                 for field, (name, instead) in _NOT_HERE.items() if getattr(service, field)]
    if canary.analysis.affinity:
        problems.append("spec.analysis.sessionAffinity: nobody's cookies are set by a canary's HTTPProxy, and in Flagger it is left out in silence; "
                        "accepted: no sessionAffinity, or the provider gatewayapi:v1")
    problems += _refuse_match(service.match)
    if len(canary.analysis.match) > 1:
        problems.append(f"spec.analysis.match: has {len(canary.analysis.match)} entries; Contour takes one, all of whose headers and parameters have to match "
                        "(in Flagger it asks for those of every entry at once)")
    problems += [f"spec.service.retries.retryOn: {word!r} is not one of {', '.join(_RETRY_ON)}"
                 for word in _retry_on(service.retries) if word not in _RETRY_ON]
    return problems


def desired(canary: Canary, split: Split) -> dict[str, Any]:
    service, options = canary.service, canary.options
    prefix = {"prefix": _prefix(canary)}
    route: dict[str, Any] = {"conditions": [prefix]}
    if service.timeout:
        route["timeoutPolicy"] = {"response": service.timeout, "idle": _IDLE}
    if service.retries:
        route["retryPolicy"] = _retry_policy(service.retries)
    pair = [_entry(canary, name, weight) for name, weight in ((service.primary_name, split.primary), (service.canary_name, split.canary))]
    routes = [{**route, "services": [*pair, *_copies(canary, split.mirror)]}]
    if canary.analysis.match:
        rest = {**copy.deepcopy(route), "services": [_entry(canary, service.primary_name, 100)]}
        routes = [{**route, "conditions": [prefix, *_audience(canary.analysis.match[0])], "services": pair}, rest]
    spec = {**({"ingressClassName": options.ingress_class} if options.ingress_class else {}), "routes": routes}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": ours.metadata(canary, _optional_parts(spec)), "spec": spec}


# What is there

def owned(obj: Mapping[str, Any], canary: Canary) -> bool:
    return marks.is_ours(obj, canary.name) and not canary.adopted


def snippet(canary: Canary) -> str:
    return f"services: {_pair(canary)}"


def mismatch(obj: Mapping[str, Any], canary: Canary) -> str:
    service = canary.service
    where, both = f"{marks.name_of(obj)}: ", f"{service.primary_name} and {service.canary_name}"
    pairs = list(_pairs(obj, canary))
    if not pairs:
        return f"{where}no route splits between the Services {both}; its services must be exactly {_pair(canary)}"
    if len(pairs) > 1:
        return f"{where}{len(pairs)} routes split between {both}, and they have no names to tell them apart; leave one"
    return ""


def read(obj: Mapping[str, Any], canary: Canary) -> Split | None:
    pairs = list(_pairs(obj, canary))
    split = proportions.split_of(*_weights(pairs[0])) if len(pairs) == 1 else None
    return dataclasses.replace(split, mirror=_mirror(obj, canary)) if split and owned(obj, canary) else split


def accepted(obj: Mapping[str, Any], canary: Canary) -> tuple[bool, str]:
    """An orphan gets no requests at all: for one that gives the canary nothing this is acceptance, for any other it is not (SAFETY 26)."""
    where, status = marks.name_of(obj), obj.get("status") or {}
    generation = int((obj.get("metadata") or {}).get("generation") or 0)
    valid = next((condition for condition in status.get("conditions") or () if condition.get("type") == "Valid"), None)
    if valid is None:
        return False, f"{where}: Contour has not reported on it yet"
    if int(valid.get("observedGeneration") or 0) < generation:
        return False, f"{where}: Contour's report is for an older generation"
    said = str(status.get("currentStatus") or "")
    if said == VALID and valid.get("status") == "True":
        return True, ""
    split = read(obj, canary)
    if said == ORPHANED and (not split.reaches_canary if split else _is_released(obj, canary)):
        return True, ""
    return False, f"{where} is {said or 'not valid'}: {objection_of(obj)}"


def objection_of(obj: Mapping[str, Any]) -> str:
    """In Contour's own words."""
    status = obj.get("status") or {}
    errors = [excerpt(str(error.get("message", ""))) for condition in status.get("conditions") or () for error in condition.get("errors") or ()]
    return "; ".join(filter(None, errors)) or status.get("description") or "it does not say why"


# What is changed

def write(obj: Mapping[str, Any], canary: Canary, split: Split) -> dict[str, Any]:
    """Of a user's object that does not hold our two Services nothing is changed: ask ``mismatch`` first."""
    after = copy.deepcopy(dict(obj))
    if owned(obj, canary):
        _reconcile(after, desired(canary, split), canary)
    for pair in _pairs(after, canary):
        if not proportions.mean(*_weights(pair), split):
            pair[0]["weight"], pair[1]["weight"] = split.primary, split.canary
    if owned(obj, canary):
        _set_mirror(after, canary, split.mirror)
    return after


def release(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """In every route that names one of our Services the apex stands in their place, with what else the primary's entry said; no mirror names them."""
    if canary.adopted:
        return write(obj, canary, Split(100, 0))
    after = copy.deepcopy(dict(obj))
    apex, names = canary.service.name, _names(canary)
    routes = (after.get("spec") or {}).get("routes") or []
    for route in _routes_of(routes, canary):
        route["services"] = [entry for entry in route["services"] if entry.get("name") != apex or entry.get("mirror") or entry.get("weight") != 0]
    split = next((index for index, route in enumerate(routes) if _served(route) == set(names)), None)
    if _REST in ours.parts_of(obj) and split is not None and _rest_route(routes, canary) is not None:
        del routes[split]                   # the route of all other requests is for everybody then
    for route in routes:
        entries = route.get("services") or []
        splitting = [entry for entry in entries if entry.get("name") in names and not entry.get("mirror")]
        others = [entry for entry in entries if entry.get("name") not in names]
        if splitting and not any(entry.get("name") == apex and not entry.get("mirror") for entry in others):
            said = next((entry for entry in splitting if entry["name"] == canary.service.primary_name), splitting[0])
            others.insert(entries.index(splitting[0]), _reconciled(said, _entry(canary, apex, 100), keep_weight=False))
        if len(others) != len(entries) or splitting:
            route["services"] = others
    return after


def beside(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """Envoy answers 503 for some milliseconds to who is led to a Service that no route named before."""
    after = copy.deepcopy(dict(obj))
    for route in _routes_of((after.get("spec") or {}).get("routes") or [], canary):
        if not any(entry.get("name") == canary.service.name and not entry.get("mirror") for entry in route["services"]):
            route["services"].append(_entry(canary, canary.service.name, 0))
    return after


def _routes_of(routes: Iterable[dict[str, Any]], canary: Canary) -> list[dict[str, Any]]:
    """Those that lead to one of our two Services."""
    return [route for route in routes if _served(route) & set(_names(canary))]


def differs(obj: Mapping[str, Any], canary: Canary) -> list[str]:
    steps = json_patch(obj, write(obj, canary, read(obj, canary) or Split(100, 0)))
    return [dotted(step["path"]) for step in steps if not _WEIGHT.fullmatch(step["path"])]


def _reconcile(obj: dict[str, Any], wanted: Mapping[str, Any], canary: Canary) -> None:
    parts = ours.parts_of(obj) | set(_optional_parts(wanted["spec"]))
    ours.reconcile_metadata(obj["metadata"], wanted["metadata"])
    spec = obj.setdefault("spec", {})
    ours.set_or_drop(spec, "ingressClassName", wanted["spec"].get("ingressClassName"), "ingressClassName" in parts)
    routes = spec.setdefault("routes", [])
    wanted_route = wanted["spec"]["routes"][0]
    index = _our_route(routes, canary)
    if index is None:
        routes.insert(0, copy.deepcopy(wanted_route))
        index = 0
    _reconcile_route(routes[index], wanted_route, parts, canary)
    rest = _rest_route(routes, canary) if _REST in parts else None
    ours.reconcile_rest(routes, index, rest, wanted["spec"]["routes"][1:], lambda route, wanted: _reconcile_route(route, wanted, parts, canary))


def _reconcile_route(route: dict[str, Any], wanted: Mapping[str, Any], parts: set[str], canary: Canary) -> None:
    route["conditions"] = wanted["conditions"]
    for key in ("timeoutPolicy", "retryPolicy"):
        ours.set_or_drop(route, key, wanted.get(key), key in parts)
    _reconcile_services(route, [entry for entry in wanted["services"] if not entry.get("mirror")], canary)


def _reconcile_services(route: dict[str, Any], wanted: Sequence[Mapping[str, Any]], canary: Canary) -> None:
    """Our two and no other, mirrors apart; what else an entry says, its place, and weights that split, stay."""
    present = route.get("services") or []
    splitting = [entry for entry in present if not entry.get("mirror")]
    live = {entry["name"]: entry for entry in splitting if entry.get("name") in _names(canary)}
    # One of the two alone says nothing of a split.
    whole = len(live) == 2
    entries = [_reconciled(live.get(entry["name"], {}), entry, keep_weight=whole) for entry in wanted]
    if whole and len(splitting) == 2:
        by_name = {entry["name"]: entry for entry in entries}
        route["services"] = [entry if entry.get("mirror") else by_name[entry["name"]] for entry in present]
    else:
        route["services"] = [*entries, *(entry for entry in present if entry.get("mirror"))]


def _reconciled(live: Mapping[str, Any], wanted: Mapping[str, Any], keep_weight: bool) -> dict[str, Any]:
    kept = {key: value for key, value in live.items() if key != "weight" or keep_weight}
    made = {**kept, "name": wanted["name"], "port": wanted["port"]}
    if not keep_weight:
        made["weight"] = wanted["weight"]
    policy = dict(live.get("requestHeadersPolicy") or {})
    policy["set"] = _with_header(policy.get("set") or [], wanted["requestHeadersPolicy"]["set"][0])
    made["requestHeadersPolicy"] = policy
    return made


def _set_mirror(obj: dict[str, Any], canary: Canary, percent: int) -> None:
    """Copies to the canary in our route alone, so many and no others."""
    if _mirror(obj, canary) == percent:
        return
    routes = obj["spec"]["routes"]
    split = _our_route(routes, canary)
    for index, route in enumerate(routes):
        present = route.get("services") or []
        kept = [entry for entry in present if not _is_copy(entry, canary)]
        if index == split or len(kept) != len(present):
            route["services"] = [*kept, *(_copies(canary, percent) if index == split else ())]


def _with_header(present: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> list[Any]:
    if any(entry.get("name") == header["name"] for entry in present):
        return [header if entry.get("name") == header["name"] else entry for entry in present]
    return [*present, header]


# Reading routes

def _names(canary: Canary) -> tuple[str, str]:
    return canary.service.primary_name, canary.service.canary_name


def _our_route(routes: Sequence[Mapping[str, Any]], canary: Canary) -> int | None:
    """The route that splits, else the first one that names one of our Services, else the first one that leads to the apex alone."""
    names = set(_names(canary))
    services = [_served(route) for route in routes]
    found = [present & names for present in services]
    # One that leads to the apex alone is what a removal left.
    left = next((index for index, present in enumerate(services) if present == {canary.service.name}), None)
    return next((index for index, present in enumerate(found) if present == names),
                next((index for index, present in enumerate(found) if present), left))


def _rest_route(routes: Sequence[Mapping[str, Any]], canary: Canary) -> int | None:
    """The route that leads to the primary alone."""
    return next((index for index, route in enumerate(routes) if _served(route) == {canary.service.primary_name}), None)


def _is_copy(entry: Mapping[str, Any], canary: Canary) -> bool:
    return bool(entry.get("mirror")) and entry.get("name") == canary.service.canary_name


def _mirror(obj: Mapping[str, Any], canary: Canary) -> int:
    """Percent of the requests of which the canary gets copies; Contour takes no weight, and one of 0, for all of them."""
    found = [int(entry.get("weight") or 100) for route in (obj.get("spec") or {}).get("routes") or () for entry in route.get("services") or ()
             if _is_copy(entry, canary)]
    return max(found, default=0)


def _served(route: Mapping[str, Any]) -> set[str]:
    """The Services that its requests go to, copies of requests apart."""
    return {entry.get("name", "") for entry in route.get("services") or () if not entry.get("mirror")}


def _is_released(obj: Mapping[str, Any], canary: Canary) -> bool:
    """Whether one of its routes leads to the apex alone and none to our two Services, as a removal leaves it."""
    services = [_served(route) for route in (obj.get("spec") or {}).get("routes") or ()]
    return {canary.service.name} in services and not any(present & set(_names(canary)) for present in services)


def _pair(canary: Canary) -> str:
    service, port = canary.service, canary.service.port or "PORT"
    return f"[{{name: {service.primary_name}, port: {port}, weight: 100}}, {{name: {service.canary_name}, port: {port}, weight: 0}}]"


def _pairs(obj: Mapping[str, Any], canary: Canary) -> Iterator[tuple[Any, Any]]:
    """(primary, canary) entries of every route that splits between exactly our two Services."""
    for route in (obj.get("spec") or {}).get("routes") or ():
        entries = [entry for entry in route.get("services") or () if not entry.get("mirror")]
        by_name = {entry.get("name"): entry for entry in entries}
        for primary in canary.primary_backends:
            if len(entries) == 2 and set(by_name) == {primary, canary.service.canary_name}:
                yield by_name[primary], by_name[canary.service.canary_name]


def _weights(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[int, int]:
    primary, other = (int(entry.get("weight") or 0) for entry in pair)
    return (primary, other) if primary or other else (1, 1)


# From the document

def _prefix(canary: Canary) -> str:
    return (canary.service.match[0].get("uri") or {}).get("prefix", "/") if canary.service.match else "/"


def _audience(match: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Conditions that all have to hold for a request to meet the canary of an A/B analysis."""
    return [{condition: {"name": name, **test}} for field, condition in (("headers", "header"), ("queryParams", "queryParameter"))
            for name, test in sorted((match.get(field) or {}).items())]


def _entry(canary: Canary, name: str, weight: int) -> dict[str, Any]:
    port = canary.service.port
    override = {"name": _LINKERD, "value": f"{name}.{canary.namespace}.svc.cluster.local:{port}"}
    return {"name": name, "port": port, "weight": weight, "requestHeadersPolicy": {"set": [override]}}


def _copies(canary: Canary, percent: int) -> list[dict[str, Any]]:
    """The entry by which the canary gets copies of so many percent of the requests; none for 0, which Contour would take for all."""
    entry = {"name": canary.service.canary_name, "port": canary.service.port, "mirror": True}
    return [{**entry, **({"weight": percent} if percent < _ALL else {})}] if percent else []


def _retry_policy(retries: Mapping[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = {"count": retries["attempts"]}
    if retries.get("perTryTimeout"):
        policy["perTryTimeout"] = retries["perTryTimeout"]
    if _retry_on(retries):
        policy["retryOn"] = _retry_on(retries)
    return policy


def _retry_on(retries: Mapping[str, Any]) -> list[str]:
    return [word.strip() for word in str(retries.get("retryOn") or "").split(",") if word.strip()]


def _optional_parts(spec: Mapping[str, Any]) -> list[str]:
    """Names of the parts of a wanted spec that another document would not have."""
    route = spec["routes"][0]
    parts = [key for key, holder in (("ingressClassName", spec), ("timeoutPolicy", route), ("retryPolicy", route)) if holder.get(key)]
    return parts + ([_REST] if len(spec["routes"]) > 1 else [])


def _refuse_match(matches: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(matches) > 1:
        yield f"spec.service.match: has {len(matches)} entries; Contour takes one, with uri.prefix (in Flagger the others are left out in silence)"
    for index, match in enumerate(matches[:1]):
        for key in sorted(set(match) - {"uri", "name"}):
            yield f"spec.service.match[{index}].{key}: Contour matches a canary's HTTPProxy by uri.prefix only, and in Flagger it is left out in silence"
        for kind in sorted(set(match.get("uri") or {}) - {"prefix"}):
            yield f"spec.service.match[{index}].uri.{kind}: cannot be matched; accepted: prefix"
