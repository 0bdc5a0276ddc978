# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight's look at the cluster: what stands around a canary, as far as we may read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import budgets, inventory, marks, permissions, primary as copies, services, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Objects, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import Seen, judge
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, configs, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api, Permission
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import place as place_of_target, primary_ref
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.adopted import objection as objection_to_adopted
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND

Object = dict[str, Any]

_PERMITTED = "examples/rbac of the collection holds Roles with exactly what is needed"


def inspect(api: Api, canary: Canary, target: Object | None, needed: Mapping[str, tuple[Rule, ...]], findings: Findings, *,
            read: Configs = NONE, recorded: bool = False, initialised: bool = False, gitops_ignored: bool = False, flagger_is_gone: bool = False) -> None:
    """Enter into ``findings`` all that the cluster has against a walk of this document, whose record may be there, and say that the canary was initialised.

    ``read`` is what the target's pods read.

    Reads only.
    """
    own, created = canary.namespace, permissions.create(permissions.objects_of(canary))
    needed = {**needed, own: (*needed[own], *configs.needed(canary, target, read))}
    looked_at = configs.looked_at(read)
    wanted = {**needed, own: (*needed[own], *permissions.EVENTS, *permissions.TROUBLES, *permissions.LOOKS, *looked_at, *created)}
    denied = {namespace: api.access(namespace, _singly(rules)) for namespace, rules in wanted.items()}
    may = {one.resource for one in _singly(wanted[own]) if one.verb == "list"} - {one.resource for one in denied[own] if one.verb == "list"}
    exists = target is not None or _namespace_exists(api, own)
    seen = _look(api, canary, target, read, may, gitops_ignored, flagger_is_gone) if exists else Seen()
    lacking = _lacking(canary, seen, recorded, initialised, {one.resource for one in denied[own] if one.verb == "get"})
    vital = {**needed, own: (*needed[own], *(rule for rule in created if rule.resource in lacking))}
    besides = (*_of_budgets(canary, seen), *of_takeover(seen))
    for namespace, rules in vital.items():
        asked = set(_singly(rules))
        lacks = [one for one in denied[namespace] if one in asked]
        if namespace == own and besides:
            lacks += api.access(own, _singly(besides))
        if lacks:
            findings.refuse("permissions", f"not enough to walk {canary.name}: {permissions.sentence(namespace, _gathered(lacks))}", _PERMITTED)
    if any(one in _singly(permissions.EVENTS) for one in denied[own]):
        findings.warn("permissions:", f"{permissions.sentence(own, permissions.EVENTS)}: what happens to {canary.name} shows in no Events")
    if any(one in _singly(permissions.TROUBLES) for one in denied[own]) and canary.target_kind in targets.WORKLOADS:
        findings.warn("permissions:", f"{permissions.sentence(own, permissions.TROUBLES)}: why pods of {canary.name} do not become ready is not told")
    unseen = [one for one in denied[own] if one in _singly(looked_at)]
    if unseen:
        findings.warn("permissions:", f"{permissions.sentence(own, _gathered(unseen))}: a promotion of {canary.name} that is interrupted after it has made its "
                                      f"copies could not be gone on with, until somebody deletes them; {_PERMITTED}")
    if not exists:
        findings.refuse("canary_namespace", f"there is no namespace '{own}'", "accepted: a namespace that exists")
        return
    judge(canary, seen, findings)
    if canary.splits:
        _judge_route(api, canary, seen, findings)


def left_behind(api: Api, canary: Canary, record: Record | None) -> tuple[str, ...]:
    """What stands there under names that the document had before, as far as it may be read (weak spot 57)."""
    entries = inventory.left_behind(canary, record.inventory) if record is not None else ()
    found = {entry: autoscalers.got(api, place) for entry in entries if (place := refs.disposable(canary.namespace, entry))}
    return tuple(entry for entry, live in found.items() if live is not None and marks.is_ours(live, canary.name))


def missing(api: Api, needed: Mapping[str, tuple[Rule, ...]]) -> str:
    """What the user may not do of that, in words; empty when nothing is missing."""
    lacks = {namespace: _gathered(api.access(namespace, _singly(rules))) for namespace, rules in needed.items()}
    return "; ".join(permissions.sentence(namespace, rules) for namespace, rules in lacks.items() if rules)


def is_begun(api: Api, namespace: str, objects: Objects) -> bool:
    """Whether the record or the primary is there, as far as either may be read."""
    places = [refs.config_map(namespace, objects.record), *(place_of_target(objects.kind, namespace, name) for name in objects.targets[1:])]
    return any(_got(api, place) is not None for place in places)


def permission_error(lacks: str, to_begin: str = "") -> str:
    """``to_begin`` is what is missing to initialise a canary, where nobody can tell whether it is."""
    return "; ".join(filter(None, (f"no permission: {lacks}", to_begin and f"and, if it is not initialised yet: {to_begin}", _PERMITTED)))


def _singly(rules: Iterable[Rule]) -> list[Permission]:
    return [Permission(verb, rule.group, rule.resource, name) for rule in rules for verb in rule.verbs for name in rule.names or ("",)]


def _gathered(denied: Iterable[Permission]) -> list[Rule]:
    """One rule for all verbs that are missing on the same objects."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for one in denied:
        names.setdefault((one.group, one.resource, one.verb), []).append(one.name)
    verbs: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, verb), of in names.items():
        verbs.setdefault((group, resource, tuple(filter(None, dict.fromkeys(of)))), []).append(verb)
    return [Rule(group, resource, tuple(words), of) for (group, resource, of), words in verbs.items()]


def _lacking(canary: Canary, seen: Seen, recorded: bool, initialised: bool, unreadable: set[str]) -> set[str]:
    """The resources of which something has to be made. What may not be read is there, where there is a record.

    The primary is made when the canary is initialised, and at no other time: one that is gone is told by the walk, with the way out.
    """
    of_services = {services.name_of(canary, role) for role in services.ROLES}
    lacking = {permissions.resource_of(canary.target_kind)} if seen.primary is None and not initialised else set()
    lacking |= set() if of_services <= seen.services.keys() else {permissions.SERVICES}
    lacking |= {routes.ref(canary).resource} if canary.splits and seen.route is None else set()
    lacking |= permissions.scaler_resources(permissions.objects_of(canary)) if seen.primary_scaler is None and seen.scaler_kind else set()
    return lacking - unreadable if recorded else lacking | {permissions.RECORD}


def _of_budgets(canary: Canary, seen: Seen) -> tuple[Rule, ...]:
    if seen.target is None or canary.target_kind not in targets.WORKLOADS:
        return ()
    try:
        selector = copies.selector_of(seen.target, canary.options.selector_labels)
    except CanaryError:
        return ()                           # told among the problems of the target
    names = [budgets.copy_of(budget, canary, selector)["metadata"]["name"] for budget in budgets.to_copy(seen.budgets, seen.target, selector)]
    return permissions.budgets(names, (item["metadata"]["name"] for item in seen.budgets))


def of_takeover(seen: Seen) -> tuple[Rule, ...]:
    """A primary that is taken over from Flagger keeps what its pods read, whatever becomes of Flagger (SAFETY 25)."""
    taken = seen.primary is not None and not marks.annotations_of(seen.primary).get(marks.PROMOTED)
    return permissions.taken_over(seen.flaggers) if taken else ()


def _namespace_exists(api: Api, namespace: str) -> bool:
    """True as well when we may not know."""
    try:
        return api.get(Ref("", "v1", "namespaces", "", namespace, "Namespace")) is not None
    except KubeError as error:
        if error.status != 403:
            raise
        return True


def _look(api: Api, canary: Canary, target: Object | None, read: Configs, may: set[str], gitops_ignored: bool, flagger_is_gone: bool) -> Seen:
    namespace = canary.namespace
    # Without a routing object of the canary's, routes still say which Services they send requests to.
    route = routes.ref(canary) if canary.splits else refs.http_route(namespace)
    around = AROUND[canary.provider if canary.splits else flagger.GATEWAYAPI]
    others = _listed(api, route, may)
    primary = _got(api, primary_ref(canary))
    return Seen(
        target=target,
        primary=primary,
        flaggers=configs.owners(api, canary, primary, target),
        route=_own(api, route, others, may) if canary.splits else None,
        services=_services(api, canary, may),
        routes=others,
        splits=router_for(canary).SPLITS if canary.splits else (),
        routed=frozenset(name for other in others for name in around.backends(other)),
        budgets=_listed(api, refs.pod_disruption_budget(namespace), may),
        policies=_listed(api, Ref("networking.k8s.io", "v1", "networkpolicies", namespace, "", "NetworkPolicy"), may),
        autoscalers=_listed(api, refs.autoscaler(namespace), may),
        **_scalers(api, canary),
        canaries=_listed(api, refs.canary(namespace), may),
        gitops_ignored=gitops_ignored,
        flagger_is_gone=flagger_is_gone,
        configs=read,
    )


def _scalers(api: Api, canary: Canary) -> dict[str, Any]:
    """The autoscaler that the document names and its copy, and what of them may be known."""
    scaler = canary.autoscaler
    if scaler is None:
        return {}
    try:
        copied = _got(api, autoscalers.primary_ref(canary, scaler))
        named = api.get(autoscalers.target_ref(canary, scaler))
    except KubeError as error:
        if error.status != 403 and error.reason != UNKNOWN_KIND:
            raise
        return {"scaler_kind": error.reason != UNKNOWN_KIND, "scaler_readable": False}
    return {"scaler": named, "primary_scaler": copied}


def _own(api: Api, route: Ref, others: Iterable[Object], may: set[str]) -> Object | None:
    return next((item for item in others if item["metadata"]["name"] == route.name), None) if route.resource in may else _got(api, route)


def _services(api: Api, canary: Canary, may: set[str]) -> dict[str, Object]:
    place = refs.service(canary.namespace)
    if place.resource in may:
        found: Iterable[Object | None] = _listed(api, place, may)
    else:
        found = [_got(api, place.named(services.name_of(canary, role))) for role in services.ROLES]
    return {item["metadata"]["name"]: item for item in found if item}


def _got(api: Api, place: Ref) -> Object | None:
    """None as well for what we may not read: that was said among the permissions."""
    try:
        return api.get(place)
    except KubeError as error:
        if error.status != 403:
            raise
        return None


def _listed(api: Api, place: Ref, may: set[str]) -> tuple[Object, ...]:
    """The objects of a kind, each with its kind, which lists leave out; nothing where the kind is not served."""
    if place.resource not in may:
        return ()
    try:
        items = api.list(place).get("items") or []
    except KubeError as error:
        if error.status not in (403, 404):
            raise
        return ()
    return tuple({**item, "kind": place.kind, "apiVersion": place.api_version} for item in items)


def _judge_route(api: Api, canary: Canary, seen: Seen, findings: Findings) -> None:
    around = AROUND[canary.provider]
    unfit = objection_to_adopted(canary, seen.route, seen.services) if canary.adopted else None
    if unfit is not None:
        findings.problems.append(unfit)
        return
    if around.CAUTION:
        findings.warn("spec.provider", around.CAUTION)
    findings.problems.extend(around.rivals(canary, seen.route, seen.routes))
    findings.problems.extend(around.standing(canary, seen.route, walks=seen.primary is not None))
    for field, place in around.parents(canary):
        ref = Ref(place["group"], place["version"], place["plural"], place["namespace"], place["name"], place["kind"])
        try:
            parent = api.get(ref)
        except KubeError as error:
            if error.status == 403:
                findings.warn(field, f"could not be looked at, no permission to get {ref}")
            elif error.reason == UNKNOWN_KIND:
                findings.refuse(field, f"the API server does not know {ref.kind} of {ref.api_version}",
                                "install the CRDs of the Gateway API and a controller for them")
            else:
                raise
            continue
        if parent is None:
            findings.refuse(f"{field}.name", f"there is no {place['kind']} {place['namespace']}/{place['name']}", f"accepted: a {place['kind']} that exists")
            continue
        objection = around.objection(canary, field, parent)
        if objection is not None and str(objection) not in map(str, findings.problems):
            findings.problems.append(objection)
