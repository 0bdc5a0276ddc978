# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight's look at the cluster: what stands around a canary, as far as we may read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import permissions, services
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import Seen, judge
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api, Permission
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.adopted import objection as objection_to_adopted
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND

Object = dict[str, Any]

_PERMITTED = "docs/rbac.yml of the collection holds a Role with exactly what a walk needs"


def inspect(api: Api, canary: Canary, target: Object | None, needed: Mapping[str, tuple[Rule, ...]], findings: Findings, *,
            gitops_ignored: bool = False, flagger_is_gone: bool = False) -> None:
    """Enter into ``findings`` all that the cluster has against a walk of this document. Reads only."""
    may = _check_permissions(api, canary, needed, findings)
    if target is None and not _namespace_exists(api, canary.namespace):
        findings.refuse("canary_namespace", f"there is no namespace '{canary.namespace}'", "accepted: a namespace that exists")
        return
    seen = _look(api, canary, target, may, gitops_ignored, flagger_is_gone)
    judge(canary, seen, findings)
    if canary.splits:
        _judge_route(api, canary, seen, findings)


def missing(api: Api, needed: Mapping[str, tuple[Rule, ...]]) -> str:
    """What the user may not do of that, in words; empty when nothing is missing."""
    lacks = {namespace: _denied(api, namespace, rules) for namespace, rules in needed.items()}
    return ", and ".join(permissions.sentence(namespace, rules) for namespace, rules in lacks.items() if rules)


def permission_error(text: str) -> str:
    return f"no permission, {text}; {_PERMITTED}"


def _check_permissions(api: Api, canary: Canary, needed: Mapping[str, tuple[Rule, ...]], findings: Findings) -> set[str]:
    """Refuse what a walk may not do; the resources that may be listed in the canary's namespace."""
    lacks = {namespace: _denied(api, namespace, rules + (permissions.LOOKS if namespace == canary.namespace else ()))
             for namespace, rules in needed.items()}
    for namespace, denied in lacks.items():
        vital = _only(denied, needed[namespace])
        if vital:
            findings.refuse("permissions", f"not enough to walk {canary.name}, {permissions.sentence(namespace, vital)}", _PERMITTED)
    lists = [rule for rule in (*permissions.LOOKS, *needed[canary.namespace]) if "list" in rule.verbs]
    return {rule.resource for rule in lists} - {rule.resource for rule in _only(lacks[canary.namespace], lists) if "list" in rule.verbs}


def _denied(api: Api, namespace: str, rules: Iterable[Rule]) -> list[Rule]:
    """The rules of which something is missing, with only the missing verbs."""
    found: dict[tuple[str, str], list[str]] = {}
    wanted = [Permission(verb, rule.group, rule.resource) for rule in rules for verb in rule.verbs]
    for permission in api.access(namespace, wanted):
        found.setdefault((permission.group, permission.resource), []).append(permission.verb)
    return [Rule(group, resource, tuple(verbs)) for (group, resource), verbs in found.items()]


def _only(denied: Iterable[Rule], rules: Iterable[Rule]) -> list[Rule]:
    """What is denied of these rules."""
    wanted = {(rule.group, rule.resource): set(rule.verbs) for rule in rules}
    cut = [Rule(rule.group, rule.resource, tuple(verb for verb in rule.verbs if verb in wanted.get((rule.group, rule.resource), ()))) for rule in denied]
    return [rule for rule in cut if rule.verbs]


def _namespace_exists(api: Api, namespace: str) -> bool:
    """True as well when we may not know."""
    try:
        return api.get(Ref("", "v1", "namespaces", "", namespace, "Namespace")) is not None
    except KubeError as error:
        if error.status != 403:
            raise
        return True


def _look(api: Api, canary: Canary, target: Object | None, may: set[str], gitops_ignored: bool, flagger_is_gone: bool) -> Seen:
    namespace = canary.namespace
    # Without a routing object of the canary's, routes still say which Services they send requests to.
    route = routes.ref(canary) if canary.splits else refs.http_route(namespace)
    around = AROUND[canary.provider if canary.splits else flagger.GATEWAYAPI]
    others = _listed(api, route, may)
    return Seen(
        target=target,
        primary=_got(api, refs.deployment(namespace, canary.primary)),
        route=_own(api, route, others, may) if canary.splits else None,
        services=_services(api, canary, may),
        routes=others,
        splits=router_for(canary).SPLITS if canary.splits else (),
        routed=frozenset(name for other in others for name in around.backends(other)),
        budgets=_listed(api, refs.pod_disruption_budget(namespace), may),
        policies=_listed(api, Ref("networking.k8s.io", "v1", "networkpolicies", namespace, "", "NetworkPolicy"), may),
        autoscalers=_listed(api, Ref("autoscaling", "v2", "horizontalpodautoscalers", namespace, "", "HorizontalPodAutoscaler"), may),
        canaries=_listed(api, refs.canary(namespace), may),
        gitops_ignored=gitops_ignored,
        flagger_is_gone=flagger_is_gone,
    )


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
        if objection is not None:
            findings.problems.append(objection)
