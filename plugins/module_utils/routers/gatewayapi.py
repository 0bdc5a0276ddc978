# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateway API: an HTTPRoute whose rule splits between two Services by weight.

Weights of an HTTPRoute are proportions (weight / sum), 1 when not given. In a route that we made, the parents, the matches and the
two backends are ours, and beside them the optional parts that the document asks for (host names, timeouts, filters by type), which the
annotation ``progressive.delivery/owns`` lists, so that they vanish with the document's wish. All else, in a route of the user's everything
but two weights, stays as it is, byte for byte.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import cookies, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import dotted, json_patch
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.routers import ours, proportions

GROUP = "gateway.networking.k8s.io"
KIND = "HTTPRoute"
SPLITS = ("spec", "rules")

_PATHS = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
_VALUES = {"exact": "Exact", "regex": "RegularExpression"}
_ANY_PATH = {"path": {"type": "PathPrefix", "value": "/"}}
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_AUDIENCE = ("headers", "queryParams")
_MOST_MATCHES = 64                      # of one rule, by the API
_REST = "rules.rest"                    # our second rule, in an A/B analysis
_COOKIES = "rules.cookies"              # our rules for those who stay on a side, and the cookies that backends set
_MOST_MATCHES_OF_ALL = 127              # of all rules of a route
_MIRROR = "RequestMirror"
_TRAEFIK = "traefik.io/"                # how the name of its controller begins
NO_COPIES = "Traefik does not know RequestMirror, accepts the route all the same, and answers 500 to everybody"
_ANSWERED, _ANSWERS = "ResponseHeaderModifier", "responseHeaderModifier"
_COOKIE, _SET_COOKIE = "cookie", "Set-Cookie"
_FORGET = -1                            # seconds; a cookie that is over already
_ALL = 100
_MATCH_FIELDS = ("name", "uri", "method", "headers", "queryParams")
_CORS_FIELDS = ("allowOrigin", "allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials")
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")                    # GEP-2257
_GO_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:h|ms|m|s))+")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WEIGHT = re.compile(r"/spec/rules/[0-9]+/backendRefs/[0-9]+/weight")


def version(canary: Canary) -> str:
    """The two differ in what else they know, and serve the same objects; a cluster of before Gateway API 1.0 has the older one alone."""
    return "v1beta1" if canary.provider == flagger.GATEWAYAPI_BETA else "v1"


def ref(canary: Canary) -> dict[str, str]:
    return {"group": GROUP, "version": version(canary), "plural": "httproutes", "kind": KIND, "name": canary.service.route_name}


# What is wanted

def refuse(canary: Canary) -> list[str]:
    service = canary.service
    problems: list[str] = []
    if canary.adopted:
        return ours.refuse_adopted(canary)
    if not service.gateway_refs:
        problems.append("spec.service.gatewayRefs: is missing; name the Gateway (name, namespace) that the route belongs to")
    problems += [f"spec.service.gatewayRefs[{index}].name: is missing" for index, parent in enumerate(service.gateway_refs) if not parent.get("name")]
    for field, text in (("timeout", service.timeout), ("backendTimeout", service.backend_timeout)):
        if text and not _DURATION.fullmatch(text):
            problems.append(f"spec.service.{field}: {text!r} is not a duration of the Gateway API (15s, 1m30s, 500ms; no fractions)")
    for index, match in enumerate(service.match):
        problems += _refuse_match(f"spec.service.match[{index}]", match)
    problems += [f"spec.service.mirror[{index}].backendRef.name: is missing" for index, mirror in enumerate(service.mirror)
                 if not (mirror.get("backendRef") or {}).get("name")]
    problems += [f"spec.service.mirror[{index}].backendRef.name: {service.canary_name} gets copies by analysis.mirror, and only while it is analysed"
                 for index, mirror in enumerate(service.mirror) if (mirror.get("backendRef") or {}).get("name") == service.canary_name]
    problems += _refuse_audience(canary)
    problems += _refuse_affinity(canary)
    if 0 < canary.analysis.mirror < _ALL and canary.provider == flagger.GATEWAYAPI_BETA:
        problems.append(f"spec.analysis.mirrorWeight: {canary.provider} knows copies of all requests only; accepted: 0, nothing, or gatewayapi:v1")
    if service.cors_policy and canary.provider == flagger.GATEWAYAPI_BETA:
        problems.append(f"spec.service.corsPolicy: {canary.provider} does not know it, and in Flagger it is left out in silence; gatewayapi:v1 does")
    return [*problems, *_refuse_cors(service.cors_policy)]


def desired(canary: Canary, split: Split) -> dict[str, Any]:
    service = canary.service
    spec: dict[str, Any] = {"parentRefs": [_parent(parent) for parent in service.gateway_refs]}
    if service.hosts:
        spec["hostnames"] = list(service.hosts)
    rule: dict[str, Any] = {"matches": _matches(service.match)}
    timeouts = {"request": service.timeout, "backendRequest": service.backend_timeout}
    timeouts = {key: value for key, value in timeouts.items() if value}
    if timeouts:
        rule["timeouts"] = timeouts
    filters = _filters(canary)
    if filters:
        rule["filters"] = filters
    pair = [_backend(canary, service.primary_name, split.primary), _backend(canary, service.canary_name, split.canary)]
    spec["rules"] = [{**rule, "backendRefs": pair}]
    _set_mirror(spec["rules"], canary, split.mirror)
    if canary.analysis.affinity:
        _set_cookies(spec["rules"], canary, split)
    if canary.analysis.match:
        rest = {**copy.deepcopy(rule), "backendRefs": [_backend(canary, service.primary_name, 100)]}
        spec["rules"] = [{**rule, "matches": _matches(_audience(canary)), "backendRefs": pair}, rest]
    return {"apiVersion": f"{GROUP}/{version(canary)}", "kind": KIND, "metadata": ours.metadata(canary, _optional_parts(canary)), "spec": spec}


# What is there

def owned(obj: Mapping[str, Any], canary: Canary) -> bool:
    return marks.is_ours(obj, canary.name) and not canary.adopted


def snippet(canary: Canary) -> str:
    return f"backendRefs: {_pair(canary)}"


def mismatch(obj: Mapping[str, Any], canary: Canary) -> str:
    service = canary.service
    pairs = list(_pairs(obj, canary))
    where = f"{marks.name_of(obj)}: "
    both = f"{service.primary_name} and {service.canary_name}"
    if not pairs:
        rule = f"the rule named {service.route_rule}" if service.route_rule else "no rule"
        verb = "does not split" if service.route_rule else "splits"
        return f"{where}{rule} {verb} between the Services {both}; its backendRefs must be exactly {_pair(canary)}"
    if len(pairs) > 1:
        return f"{where}{len(pairs)} rules split between {both}; say which one by its name, or leave one"
    if not sum(_weights(pairs[0])):
        return f"{where}both weights are 0, so that nobody is served"
    return ""


def read(obj: Mapping[str, Any], canary: Canary) -> Split | None:
    pairs = list(_pairs(obj, canary))
    split = proportions.split_of(*_weights(pairs[0])) if len(pairs) == 1 else None
    if split is None or not owned(obj, canary):
        return split
    rules = obj["spec"]["rules"]
    split = dataclasses.replace(split, mirror=_mirror(rules, canary))
    return _with_cookies(split, rules, canary) if _keeps_cookies(obj, canary) else split


def accepted(obj: Mapping[str, Any], canary: Canary) -> tuple[bool, str]:
    parents = (obj.get("spec") or {}).get("parentRefs") or []
    if not parents:
        return False, f"{marks.name_of(obj)} names no parent"
    if _copies_to_nobodys_use(obj, canary):
        return False, f"{NO_COPIES}: the copies of spec.service.mirror are left out"
    generation = int((obj.get("metadata") or {}).get("generation") or 0)
    statuses = (obj.get("status") or {}).get("parents") or []
    for parent in parents:
        key = _parent_key(parent, canary.namespace)
        reports = [status for status in statuses if _parent_key(status.get("parentRef") or {}, canary.namespace) == key]
        reasons = [_objection(status, generation) for status in reports] or ["no controller has reported on the route yet"]
        if all(reasons):
            return False, f"{_parent_name(parent, canary.namespace)}: {reasons[0]}"
    return True, ""


def is_traefiks(obj: Mapping[str, Any]) -> bool:
    """Whether Traefik reports on the route, for a parent that it has: what it said of a former one stays when Traefik is gone."""
    namespace = str((obj.get("metadata") or {}).get("namespace", ""))
    parents = {_parent_key(parent, namespace) for parent in (obj.get("spec") or {}).get("parentRefs") or ()}
    return any(str(report.get("controllerName", "")).startswith(_TRAEFIK) and _parent_key(report.get("parentRef") or {}, namespace) in parents
               for report in (obj.get("status") or {}).get("parents") or ())


def _copies_to_nobodys_use(obj: Mapping[str, Any], canary: Canary) -> bool:
    """Whether it is a route of ours that Traefik answers 500 by, since it has the copies of ``service.mirror``."""
    return owned(obj, canary) and is_traefiks(obj) and f"filters.{_MIRROR}" in ours.parts_of(obj)


# What is changed

def write(obj: Mapping[str, Any], canary: Canary, split: Split) -> dict[str, Any]:
    """Of a user's route that does not hold our two backends nothing is changed: ask ``mismatch`` first.

    Copies by ``service.mirror``, be they an edit of the document in mid-walk, are left out where the route's controller would serve nobody with them: a
    document that asks for them is refused before a walk, and nobody waits for that on the way back (SAFETY 16).
    """
    if canary.service.mirror and is_traefiks(obj):
        canary = dataclasses.replace(canary, service=dataclasses.replace(canary.service, mirror=()))
    after = copy.deepcopy(dict(obj))
    if owned(obj, canary):
        _reconcile(after, desired(canary, split), canary)
    for refs in _pairs(after, canary):
        if not proportions.mean(*_weights(refs), split):
            refs[0]["weight"], refs[1]["weight"] = split.primary, split.canary
    if owned(obj, canary):
        _set_mirror(after["spec"]["rules"], canary, split.mirror)
        if _keeps_cookies(obj, canary):
            # Last of all, since who stays on a side is served by what the rule for everybody says.
            _set_cookies(after["spec"]["rules"], canary, split)
    return after


def release(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """In every rule that names one of our backends the apex stands in their place, with what else the primary's entry said."""
    if canary.adopted:
        return write(obj, canary, Split(100, 0))
    after = _without_useless_copies(obj, canary)
    service = canary.service
    names = (service.primary_name, service.canary_name)
    rules = (after.get("spec") or {}).get("rules") or []
    if owned(obj, canary):
        _set_mirror(rules, canary, 0)
        if _keeps_cookies(obj, canary):
            _set_cookies(rules, canary, Split(100, 0))
    for rule in _rules_of(rules, canary):
        rule["backendRefs"] = [entry for entry in rule["backendRefs"] if _backend_name(entry, canary) != service.name or entry.get("weight") != 0]
    split = next((index for index, rule in enumerate(rules) if _pair_of(rule, canary)), None)
    if _REST in ours.parts_of(obj) and split is not None and _rest_rule(rules, canary) is not None:
        del rules[split]                    # the rule of all other requests is for everybody then
    for rule in _rules_of(rules, canary):
        entries = rule["backendRefs"]
        named = {_backend_name(entry, canary): entry for entry in entries if _backend_name(entry, canary) in names}
        first = next(index for index, entry in enumerate(entries) if _backend_name(entry, canary) in names)
        others = [entry for entry in entries if _backend_name(entry, canary) not in names]
        apex = {**(named.get(service.primary_name) or entries[first]), "name": service.name, "port": service.port, "weight": 100}
        if any(_backend_name(entry, canary) == service.name for entry in others):
            rule["backendRefs"] = others    # the user's own entry for the apex is there already
        else:
            rule["backendRefs"] = [*others[:first], apex, *others[first:]]
    return after


def beside(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """Envoy, for one, answers 503 for some milliseconds to who is led to a Service that no route named before."""
    after = _without_useless_copies(obj, canary)
    for rule in _rules_of((after.get("spec") or {}).get("rules") or [], canary):
        if not any(_backend_name(entry, canary) == canary.service.name for entry in rule["backendRefs"]):
            rule["backendRefs"].append({"group": "", "kind": "Service", "name": canary.service.name, "port": canary.service.port, "weight": 0})
    return after


def _without_useless_copies(obj: Mapping[str, Any], canary: Canary) -> dict[str, Any]:
    """A route that never counts as accepted could not be led back: it is written first, which leaves such copies out (SAFETY 29)."""
    return write(obj, canary, read(obj, canary) or Split(100, 0)) if _copies_to_nobodys_use(obj, canary) else copy.deepcopy(dict(obj))


def _rules_of(rules: Iterable[dict[str, Any]], canary: Canary) -> list[dict[str, Any]]:
    """Those that name one of our two Services."""
    names = {canary.service.primary_name, canary.service.canary_name}
    return [rule for rule in rules if names & {_backend_name(entry, canary) for entry in rule.get("backendRefs") or ()}]


def differs(obj: Mapping[str, Any], canary: Canary) -> list[str]:
    steps = json_patch(obj, write(obj, canary, read(obj, canary) or Split(100, 0)))
    return [dotted(step["path"]) for step in steps if not _WEIGHT.fullmatch(step["path"])]


def _reconcile(obj: dict[str, Any], wanted: Mapping[str, Any], canary: Canary) -> None:
    was_ours = ours.parts_of(obj)
    is_ours = set(_optional_parts(canary))
    ours.reconcile_metadata(obj["metadata"], wanted["metadata"])
    spec = obj.setdefault("spec", {})
    spec["parentRefs"] = wanted["spec"]["parentRefs"]
    ours.set_or_drop(spec, "hostnames", wanted["spec"].get("hostnames"), "hostnames" in was_ours | is_ours)
    rules = spec.setdefault("rules", [])
    wanted_rules = [rule for rule in wanted["spec"]["rules"] if not _cookie_asked_by(rule, canary)]
    wanted_rule = wanted_rules[0]
    if _keeps_cookies(obj, canary):
        rules[:] = [rule for rule in rules if not _cookie_asked_by(rule, canary)]
    index = _our_rule(rules, canary)
    if index is None:
        # First, since among rules that match alike the first one wins.
        rules.insert(0, copy.deepcopy(wanted_rule))
        index = 0
    parts = was_ours | is_ours
    _reconcile_rule(rules[index], wanted_rule, parts, canary)
    rest = _rest_rule(rules, canary) if _REST in parts else None
    ours.reconcile_rest(rules, index, rest, wanted_rules[1:], lambda rule, wanted: _reconcile_whole(rule, wanted, parts, canary))


def _reconcile_rule(rule: dict[str, Any], wanted: Mapping[str, Any], parts: set[str], canary: Canary) -> None:
    rule["matches"] = wanted["matches"]
    ours.set_or_drop(rule, "timeouts", wanted.get("timeouts"), "timeouts" in parts)
    _reconcile_filters(rule, _documented(wanted, canary), {part.partition(".")[2] for part in parts if part.startswith("filters.")}, canary)
    _reconcile_backends(rule, wanted["backendRefs"], canary)


def _reconcile_whole(rule: dict[str, Any], wanted: Mapping[str, Any], parts: set[str], canary: Canary) -> None:
    _reconcile_rule(rule, wanted, parts, canary)
    rule["backendRefs"][0]["weight"] = 100      # a lone backend with the weight 0 serves nobody


def _reconcile_filters(rule: dict[str, Any], wanted: Sequence[Mapping[str, Any]], types: set[str], canary: Canary) -> None:
    """Filters of our types as wanted, in the place of the first of them; the others keep their order, and so do copies to the canary."""
    present = rule.get("filters") or []
    said = [entry.get("type") in types and not _is_copy(entry, canary) for entry in present]
    if [entry for entry, ours in zip(present, said) if ours] == list(wanted):
        return
    place = next((index for index, ours in enumerate(said) if ours), len(present))
    before = [entry for entry, ours in zip(present[:place], said[:place]) if not ours]
    after = [entry for entry, ours in zip(present[place:], said[place:]) if not ours]
    rule["filters"] = [*before, *copy.deepcopy(list(wanted)), *after]
    if not rule["filters"]:
        del rule["filters"]


def _reconcile_backends(rule: dict[str, Any], wanted: Sequence[Mapping[str, Any]], canary: Canary) -> None:
    """Our two backends and no other; what else an entry says, and a weight that it has, stays."""
    present = rule.get("backendRefs") or []
    live = {name: entry for entry in present for name in (_backend_name(entry, canary),) if name}
    entries = []
    for entry in wanted:
        mine = dict(live.get(entry["name"]) or entry)
        # Explicit even where the API has a default, so that reading it back shows no difference.
        mine.update(group=entry["group"], kind=entry["kind"], port=entry["port"])
        mine.setdefault("weight", 1 if entry["name"] in live else entry["weight"])
        entries.append(mine)
    # An order of the user's own stays.
    if len(present) == len(live) == len(entries) == 2 and _backend_name(present[0], canary) == entries[1]["name"]:
        entries.reverse()
    rule["backendRefs"] = entries


# Copies and cookies

def _is_copy(entry: Mapping[str, Any], canary: Canary) -> bool:
    """Whether a filter sends copies of requests to the canary."""
    return entry.get("type") == _MIRROR and _backend_name((entry.get("requestMirror") or {}).get("backendRef") or {}, canary) == canary.service.canary_name


def _documented(rule: Mapping[str, Any], canary: Canary) -> list[Mapping[str, Any]]:
    """The filters of a wanted rule that the document asks for."""
    return [entry for entry in rule.get("filters") or () if not _is_copy(entry, canary)]


def _mirror(rules: Iterable[Mapping[str, Any]], canary: Canary) -> int:
    """Percent of the requests of which the canary gets copies; by what the API says, all where nothing is given."""
    found = [entry["requestMirror"] for rule in rules for entry in rule.get("filters") or () if _is_copy(entry, canary)]
    return max((_percent(mirror) for mirror in found), default=0)


def _percent(mirror: Mapping[str, Any]) -> int:
    fraction = mirror.get("fraction")
    if fraction:
        whole = int(fraction.get("denominator") or _ALL)
        return max(1 if fraction.get("numerator") else 0, round(_ALL * int(fraction.get("numerator") or 0) / whole)) if whole else _ALL
    return _ALL if mirror.get("percent") is None else int(mirror["percent"])


def _set_mirror(rules: Sequence[dict[str, Any]], canary: Canary, percent: int) -> None:
    """Copies to the canary by our rule alone, so many and no others."""
    if percent and _mirror(rules, canary) == percent:
        return
    split = _our_rule(rules, canary)
    backend = {"group": "", "kind": "Service", "name": canary.service.canary_name, "port": canary.service.port}
    # Without a percentage, which older clusters do not know, it is all of them.
    share = {"percent": percent} if percent < _ALL else {}
    for index, rule in enumerate(rules):
        present = rule.get("filters") or []
        filters = _documented(rule, canary)
        if index == split and percent:
            filters.append({"type": _MIRROR, "requestMirror": {"backendRef": backend, **share}})
        if filters:
            rule["filters"] = filters
        elif present:
            del rule["filters"]


def _keeps_cookies(obj: Mapping[str, Any], canary: Canary) -> bool:
    """Whether the rules for cookies are ours: the document asks for them, or did when the object was written."""
    return canary.analysis.affinity is not None or _COOKIES in ours.parts_of(obj)


def _cookie_asked_by(rule: Mapping[str, Any], canary: Canary) -> str:
    """The cookie of one of our rules for those who stay; empty for every other rule."""
    ours_are_named = {_backend_name(entry, canary) for entry in rule.get("backendRefs") or ()} & {canary.service.primary_name, canary.service.canary_name}
    asked = {_cookie_of(match) for match in rule.get("matches") or ()} if ours_are_named else set()
    return asked.pop() if len(asked) == 1 else ""


def _cookie_of(match: Mapping[str, Any]) -> str:
    """The cookie that a match asks for; empty where it asks for none, or for one of somebody else's."""
    patterns = [str(header.get("value", "")) for header in match.get("headers") or ()
                if str(header.get("name", "")).lower() == _COOKIE and header.get("type") == "RegularExpression"]
    return cookies.of_pattern(patterns[0]) if patterns else ""


def _with_cookies(split: Split, rules: Iterable[Mapping[str, Any]], canary: Canary) -> Split:
    """The cookies by the side that each rule leads to; one of an analysis that is over leads to the primary, and is taken away there."""
    for rule in rules:
        cookie = _cookie_asked_by(rule, canary)
        served = {_backend_name(entry, canary) for entry in rule.get("backendRefs") or () if entry.get("weight") != 0} if cookie else set()
        if canary.service.canary_name in served:
            split = dataclasses.replace(split, cookie=cookie)
        elif served and any(_set_cookie_of(entry) for entry in rule["backendRefs"]):
            split = dataclasses.replace(split, previous_cookie=cookie)
        elif served:
            split = dataclasses.replace(split, primary_cookie=cookie)
    return split


def _set_cookies(rules: list[dict[str, Any]], canary: Canary, split: Split) -> None:
    """Who shows a cookie stays on its side, by a rule of its own; who is drawn by the weights gets one; one that is over is taken away."""
    rules[:] = [rule for rule in rules if not _cookie_asked_by(rule, canary)]
    index = _our_rule(rules, canary)
    if index is None:
        return
    rule, affinity, service = rules[index], canary.analysis.affinity, canary.service
    given = {service.canary_name: (split.cookie, affinity.max_age if affinity else 0), service.primary_name: (split.primary_cookie, _until_next_step(canary))}
    for entry in rule.get("backendRefs") or ():
        cookie, seconds = given.get(_backend_name(entry, canary), ("", 0))
        _give(entry, cookies.header(affinity, cookie, seconds) if cookie else "")
    staying = [(split.cookie, service.canary_name, ""), (split.primary_cookie, service.primary_name, ""),
               (split.previous_cookie, service.primary_name, cookies.header(affinity, split.previous_cookie, _FORGET))]
    # Behind it: the API prefers what asks for more headers, and whoever edits two weights by hand finds them where they always are.
    rules[index + 1:index + 1] = [_staying(rule, canary, *one) for one in staying if one[0]]


def _until_next_step(canary: Canary) -> int:
    """Seconds for which a browser keeps the primary's cookie: as in Flagger an interval, after which a step may have come."""
    return max(1, round(canary.analysis.interval))


def _staying(rule: Mapping[str, Any], canary: Canary, cookie: str, service: str, given: str) -> dict[str, Any]:
    """The rule of those who show a cookie: like the one for everybody, whatever else that says, but for whom it leads to, and without copies."""
    asked = {"type": "RegularExpression", "name": "Cookie", "value": cookies.pattern(cookie)}
    made = {key: copy.deepcopy(value) for key, value in rule.items() if key not in ("name", "filters", "matches", "backendRefs")}
    filters = _documented(rule, canary)
    backend = _backend(canary, service, _ALL)
    _give(backend, given)
    everything: Mapping[str, Any] = {}
    matches = [{**copy.deepcopy(dict(match)), "headers": [*(match.get("headers") or ()), asked]} for match in rule.get("matches") or (everything,)]
    return {"matches": matches, **made, **({"filters": copy.deepcopy(filters)} if filters else {}), "backendRefs": [backend]}


def _set_cookie_of(entry: Mapping[str, Any]) -> str:
    """What an entry of backendRefs adds to answers as Set-Cookie."""
    return next((str(header.get("value", "")) for one in entry.get("filters") or () for header in (one.get(_ANSWERS) or {}).get("add") or ()
                 if str(header.get("name", "")).lower() == _SET_COOKIE.lower()), "")


def _give(entry: dict[str, Any], cookie: str) -> None:
    """Let an entry of backendRefs add this Set-Cookie to answers, or none; what else its filters do stays."""
    if _set_cookie_of(entry) == cookie:
        return
    filters = copy.deepcopy(entry.get("filters") or [])
    change = next((one for one in filters if one.get("type") == _ANSWERED), None)
    if change is None:
        change = {"type": _ANSWERED, _ANSWERS: {}}
        filters.append(change)
    said = change.setdefault(_ANSWERS, {})
    added = [header for header in said.get("add") or () if str(header.get("name", "")).lower() != _SET_COOKIE.lower()]
    ours.set_or_drop(said, "add", [*added, *([{"name": _SET_COOKIE, "value": cookie}] if cookie else [])], True)
    ours.set_or_drop(entry, "filters", [one for one in filters if one is not change or said], True)


# Reading rules

def _our_rule(rules: Sequence[Mapping[str, Any]], canary: Canary) -> int | None:
    """The rule that splits, else the first one that names one of our backends, else the first one that leads to the apex alone."""
    names = {canary.service.primary_name, canary.service.canary_name}
    backends = [{_backend_name(entry, canary) for entry in rule.get("backendRefs") or []} for rule in rules]
    found = [present & names for present in backends]
    # One that leads to the apex alone is what a removal left.
    left = next((index for index, present in enumerate(backends) if present == {canary.service.name}), None)
    return next((index for index, present in enumerate(found) if present == names),
                next((index for index, present in enumerate(found) if present), left))


def _rest_rule(rules: Sequence[Mapping[str, Any]], canary: Canary) -> int | None:
    """The rule that leads to the primary alone."""
    return next((index for index, rule in enumerate(rules)
                 if {_backend_name(entry, canary) for entry in rule.get("backendRefs") or []} == {canary.service.primary_name}), None)


def _pair(canary: Canary) -> str:
    service, port = canary.service, canary.service.port or "PORT"
    return f"[{{name: {service.primary_name}, port: {port}, weight: 100}}, {{name: {service.canary_name}, port: {port}, weight: 0}}]"


def _pairs(obj: Mapping[str, Any], canary: Canary) -> Iterator[tuple[Any, Any]]:
    """(primary, canary) entries of every rule whose backends are exactly our two; of those who stay on a side, Flagger's rules name both as well."""
    keeps = owned(obj, canary) and _keeps_cookies(obj, canary)
    for rule in (obj.get("spec") or {}).get("rules") or []:
        pair = _pair_of(rule, canary)
        if pair is not None and not (keeps and _cookie_asked_by(rule, canary)):
            yield pair


def walked_rules(obj: Mapping[str, Any], canary: Canary) -> list[Mapping[str, Any]]:
    """The rules that split between our two Services."""
    return [rule for rule in (obj.get("spec") or {}).get("rules") or [] if _pair_of(rule, canary) is not None]


def _pair_of(rule: Mapping[str, Any], canary: Canary) -> tuple[Any, Any] | None:
    service = canary.service
    if service.route_rule and rule.get("name") != service.route_rule:
        return None
    entries = rule.get("backendRefs") or []
    by_name = {_backend_name(entry, canary): entry for entry in entries}
    primary = next((name for name in canary.primary_backends if set(by_name) == {name, service.canary_name}), None)
    return (by_name[primary], by_name[service.canary_name]) if primary and len(entries) == 2 else None


def _backend_name(entry: Mapping[str, Any], canary: Canary) -> str:
    """The name of a Service in the canary's namespace, else the empty text."""
    is_service = entry.get("group") in (None, "") and entry.get("kind") in (None, "Service")
    return entry.get("name", "") if is_service and entry.get("namespace") in (None, canary.namespace) else ""


def _weights(refs: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[int, int]:
    primary, other = (entry.get("weight") for entry in refs)
    return (1 if primary is None else int(primary)), (1 if other is None else int(other))


# Status

def _objection(status: Mapping[str, Any], generation: int) -> str:
    """Why this report is not an acceptance of the present generation, empty when it is one."""
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or []}
    for kind in ("Accepted", "ResolvedRefs"):
        condition = conditions.get(kind)
        if condition is None:
            return f"{kind} is not reported yet"
        if int(condition.get("observedGeneration") or 0) < generation:
            return f"{kind} is reported for an older generation of the route"
        if condition.get("status") != "True":
            return f"{kind} is {condition.get('status')} ({condition.get('reason', '')}): {excerpt(str(condition.get('message', '')))}"
    return ""


def _parent_key(parent: Mapping[str, Any], namespace: str) -> tuple[Any, ...]:
    group = parent.get("group")
    return (GROUP if group is None else group, parent.get("kind") or "Gateway", parent.get("namespace") or namespace, parent.get("name"),
            parent.get("sectionName") or "", parent.get("port") or 0)


def _parent_name(parent: Mapping[str, Any], namespace: str) -> str:
    unused, kind, place, name, section, port = _parent_key(parent, namespace)
    listener = section or port
    return f"{kind} {place}/{name}" + (f" ({listener})" if listener else "")


# From the document

def _parent(parent: Mapping[str, Any]) -> dict[str, Any]:
    return {"group": GROUP, "kind": "Gateway", **{key: value for key, value in parent.items() if value is not None}}


def _backend(canary: Canary, name: str, weight: int) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": name, "port": canary.service.port, "weight": weight}


def _audience(canary: Canary) -> list[dict[str, Any]]:
    """Who meets the canary of an A/B analysis: whoever the service is for and one of the analysis' entries matches."""
    return [{**served, **{field: {**served.get(field, {}), **wanted.get(field, {})} for field in _AUDIENCE}}
            for served in canary.service.match or ({},) for wanted in canary.analysis.match]


def _matches(matches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_match(match) for match in matches] or [copy.deepcopy(_ANY_PATH)]


def _match(match: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(_ANY_PATH)
    for kind, value in (match.get("uri") or {}).items():
        made["path"] = {"type": _PATHS[kind], "value": value}
    if match.get("method"):
        made["method"] = match["method"]["exact"]
    for field in ("headers", "queryParams"):
        entries = [{"type": _VALUES[kind], "name": name, "value": value}
                   for name, test in sorted((match.get(field) or {}).items()) for kind, value in test.items()]
        if entries:
            made[field] = entries
    return made


def _filters(canary: Canary) -> list[dict[str, Any]]:
    service = canary.service
    filters: list[dict[str, Any]] = []
    for side, kind, key in (("request", "RequestHeaderModifier", "requestHeaderModifier"),
                            ("response", "ResponseHeaderModifier", "responseHeaderModifier")):
        change = _header_change(service.headers.get(side) or {})
        if change:
            filters.append({"type": kind, key: change})
    rewrite = _rewrite(service.rewrite)
    if rewrite:
        filters.append({"type": "URLRewrite", "urlRewrite": rewrite})
    for mirror in service.mirror:
        backend = {"group": "", "kind": "Service", **mirror["backendRef"]}
        filters.append({"type": "RequestMirror", "requestMirror": {**mirror, "backendRef": backend}})
    if service.cors_policy:
        filters.append({"type": "CORS", "cors": _cors(service.cors_policy)})
    return filters


def _header_change(change: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for verb in ("add", "set"):
        if change.get(verb):
            made[verb] = [{"name": name, "value": value} for name, value in sorted(change[verb].items())]
    if change.get("remove"):
        made["remove"] = sorted(change["remove"])
    return made


def _rewrite(rewrite: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if rewrite.get("authority"):
        made["hostname"] = rewrite["authority"]
    if rewrite.get("uri"):
        if rewrite.get("type") == "ReplacePrefixMatch":
            made["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": rewrite["uri"]}
        else:
            made["path"] = {"type": "ReplaceFullPath", "replaceFullPath": rewrite["uri"]}
    return made


def _cors(policy: Mapping[str, Any]) -> dict[str, Any]:
    origins = [*(policy.get("allowOrigin") or ()), *(entry["exact"] for entry in policy.get("allowOrigins") or ())]
    made = {"allowOrigins": origins, "allowCredentials": policy.get("allowCredentials")}
    made.update({key: list(policy[key]) for key in ("allowMethods", "allowHeaders", "exposeHeaders") if policy.get(key)})
    if policy.get("maxAge"):
        made["maxAge"] = round(_seconds(policy["maxAge"]))
    return {key: value for key, value in made.items() if value not in (None, [])}


def _seconds(text: str) -> float:
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)(h|ms|m|s)", text))


def _optional_parts(canary: Canary) -> list[str]:
    """Names of the parts of a wanted object that another document would not have."""
    service, analysis = canary.service, canary.analysis
    parts = ["hostnames"] if service.hosts else []
    parts += ["timeouts"] if service.timeout or service.backend_timeout else []
    parts += [_REST] if analysis.match else []
    parts += [_COOKIES] if analysis.affinity else []
    return parts + sorted({f"filters.{entry['type']}" for entry in _filters(canary)})


# Refusals

def _refuse_audience(canary: Canary) -> Iterator[str]:
    """Both matches have to hold, and of one header or parameter a route can only ask one thing."""
    for index, wanted in enumerate(canary.analysis.match):
        yield from _refuse_match(f"spec.analysis.match[{index}]", wanted)
        for field in _AUDIENCE:
            names = {_folded(field, name) for name in wanted.get(field, {})}
            both = sorted(names & {_folded(field, name) for served in canary.service.match for name in served.get(field, {})})
            if both:
                yield f"spec.analysis.match[{index}].{field}.{both[0]}: spec.service.match asks for it too; leave one of them out"
    matches = max(1, len(canary.service.match)) * len(canary.analysis.match)
    if matches > _MOST_MATCHES:
        yield f"spec.analysis.match: with those of spec.service.match these are {matches} matches; a rule takes {_MOST_MATCHES}"


def _refuse_affinity(canary: Canary) -> Iterator[str]:
    """Of one header a match can only ask one thing, and each rule has the matches of the service."""
    if not canary.analysis.affinity:
        return
    for index, served in enumerate(canary.service.match):
        for name in served.get("headers", {}):
            if name.lower() == _COOKIE:
                yield f"spec.service.match[{index}].headers.{name}: sessionAffinity asks for that header too; leave one of them out"
    if 3 * len(canary.service.match) > _MOST_MATCHES_OF_ALL:
        yield (f"spec.service.match: has {len(canary.service.match)} entries, three times of which with sessionAffinity are more than the "
               f"{_MOST_MATCHES_OF_ALL} that a route takes")


def _folded(field: str, name: str) -> str:
    """Names of headers are the same in upper and lower case."""
    return name.lower() if field == "headers" else name


def _refuse_match(path: str, match: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(set(match) - set(_MATCH_FIELDS)):
        yield f"{path}.{key}: the Gateway API matches by {', '.join(_MATCH_FIELDS[1:])} only"
    yield from _refuse_string(f"{path}.uri", match.get("uri"), _PATHS)
    for kind, value in (match.get("uri") or {}).items():
        if kind in ("exact", "prefix") and not str(value).startswith("/"):
            yield f"{path}.uri.{kind}: {value!r} does not begin with /"
    yield from _refuse_string(f"{path}.method", match.get("method"), {"exact": ""})
    method = (match.get("method") or {}).get("exact")
    if method is not None and method not in _METHODS:
        yield f"{path}.method.exact: {method!r} is not one of {', '.join(_METHODS)}"
    for field in ("headers", "queryParams"):
        for name, test in sorted((match.get(field) or {}).items()):
            yield from _refuse_string(f"{path}.{field}.{name}", test, _VALUES)


def _refuse_string(path: str, test: Mapping[str, Any] | None, kinds: Mapping[str, str]) -> Iterator[str]:
    if test is not None and (len(test) != 1 or set(test) - set(kinds)):
        yield f"{path}: {', '.join(sorted(test)) or 'nothing'} cannot be matched; accepted is one of {', '.join(sorted(kinds))}"


def _refuse_cors(policy: Mapping[str, Any]) -> Iterator[str]:
    path = "spec.service.corsPolicy"
    for key in sorted(set(policy) - set(_CORS_FIELDS)):
        yield f"{path}.{key}: is not known; accepted: {', '.join(_CORS_FIELDS)}"
    for index, origin in enumerate(policy.get("allowOrigins") or ()):
        if set(origin) != {"exact"}:
            yield f"{path}.allowOrigins[{index}]: {', '.join(sorted(origin)) or 'nothing'} cannot be matched; the Gateway API takes exact origins only"
    if policy.get("maxAge") and not _GO_DURATION.fullmatch(str(policy["maxAge"])):
        yield f"{path}.maxAge: {policy['maxAge']!r} is not a duration (24h, 300s)"
