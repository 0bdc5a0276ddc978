# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a walk does to the cluster, as permissions: preflight asks for exactly these, and the Roles of examples/rbac grant exactly these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import SUFFIX
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    DAEMONSET,
    DEPLOYMENT,
    HPA,
    SCALED_OBJECT,
    SERVICE,
    AlertProvider,
    Canary,
    MetricProvider,
)

GATEWAY = "gateway.networking.k8s.io"
CONTOUR = "projectcontour.io"
TRAEFIK = "traefik.io"

# In place of the name of an object that nobody knows yet: a permission on any object of its kind will do.
ANY = "*"

CREATE = ("create",)
CHANGE = ("get", "patch")


@dataclass(frozen=True, order=True)
class Rule:
    """Verbs on one resource, which may be ``deployments/scale``; of the objects of these names, or, without names, of all there are.

    RBAC cannot restrict ``create`` and ``list`` by name; ``watch`` it can, since a walk watches one object by its name.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objects:
    """The names of what a walk reads and changes, as far as they are known."""

    canary: str
    provider: str = flagger.GATEWAYAPI
    targets: tuple[str, ...] = (ANY,)   # target and primary
    services: tuple[str, ...] = (ANY,)
    route: str = ANY
    adopted: bool = False
    kind: str = DEPLOYMENT
    scaler: tuple[str, ...] = ()        # kind and name of the target's autoscaler, where the document names one

    @property
    def record(self) -> str:
        return f"{self.canary}-canary"


RECORD = "configmaps"
SECRETS = "secrets"
SERVICES = "services"
BUDGETS = "poddisruptionbudgets"

_POLICY = "policy"
_CONFIGS = {"ConfigMap": RECORD, "Secret": SECRETS}

# Of each kind of target, its resource and that of what keeps its templates.
_TARGETS: Mapping[str, tuple[str, str]] = {
    DEPLOYMENT: ("deployments", "replicasets"), DAEMONSET: ("daemonsets", "controllerrevisions"), SERVICE: ("services", ""),
}
# The kinds that are scaled by their subresource.
_SCALED = (DEPLOYMENT,)

# The routing object of a provider: group, resource, and what a walk does to the one of the canary. Of Traefik nobody waits for an answer.
_ROUTES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    **dict.fromkeys(flagger.GATEWAY_APIS, (GATEWAY, "httproutes", ("get", "patch", "watch"))),
    flagger.CONTOUR: (CONTOUR, "httpproxies", ("get", "patch", "watch")),
    flagger.TRAEFIK: (TRAEFIK, "traefikservices", ("get", "patch")),
}

# Autoscalers, by kind: group and resource.
_SCALERS: Mapping[str, tuple[str, str]] = {HPA: ("autoscaling", "horizontalpodautoscalers"), SCALED_OBJECT: ("keda.sh", "scaledobjects")}

# Without it people find no Events on the objects; the walk goes on.
EVENTS = (Rule("", "events", CREATE),)

# Without it nobody is told why pods do not become ready, but for what their workload says; the walk goes on.
TROUBLES = (Rule("", "pods", ("list",)),)

# In a namespace whose canaries are looked after by a watchdog.
WATCHDOG = (Rule("", RECORD, ("list",)),)

# What preflight looks at where it may; without one of these it looks at less, and nothing fails.
LOOKS = (
    Rule("", SERVICES, ("list",)),
    Rule(GATEWAY, "httproutes", ("list",)),
    Rule(CONTOUR, "httpproxies", ("list",)),
    Rule("networking.k8s.io", "networkpolicies", ("list",)),
    Rule("autoscaling", "horizontalpodautoscalers", ("list",)),
    Rule(flagger.GROUP, "canaries", ("list",)),
)


def objects_of(canary: Canary) -> Objects:
    service = canary.service
    return Objects(canary.name, canary.provider, (canary.target, canary.primary), (service.name, service.primary_name, service.canary_name),
                   service.route_name, canary.adopted, canary.target_kind,
                   (canary.autoscaler.kind, canary.autoscaler.name) if canary.autoscaler else ())


def resource_of(kind: str) -> str:
    """What targets of a kind are called in a URL."""
    return _TARGETS[kind][0]


def objects_in(name: str, document: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Objects:
    """The same of a document that nobody has parsed yet, or of one that cannot even be read (None)."""
    spec = _mapping(document, "spec")
    provider = str(spec.get("provider") or options.get("provider") or flagger.GATEWAYAPI)
    target, given = (_mapping(spec, "targetRef").get(key) for key in ("name", "kind"))
    kind = given if isinstance(given, str) and given in _TARGETS else DEPLOYMENT
    adopted = options.get("route") == "adopted"
    named = _mapping(spec, "autoscalerRef")
    scaler = (named["kind"], f"{named['name']}") if named.get("kind") in _SCALERS and named.get("name") else ()
    if not target:
        return Objects(name, provider, adopted=adopted, kind=kind, scaler=scaler)
    service = _mapping(spec, "service").get("name") or target
    route = (options.get("route_name") if adopted else "") or service
    return Objects(name, provider, (f"{target}", f"{target}{SUFFIX}"), (f"{service}", f"{service}-primary", f"{service}-canary"), f"{route}", adopted,
                   kind, scaler)


def walk(objects: Objects) -> tuple[Rule, ...]:
    """What every walk does in the namespace of the canary."""
    return (
        Rule("", RECORD, ("get", "patch", "watch"), (objects.record,)),
        Rule("", SERVICES, CHANGE, objects.services),
        *of_target(objects),
        Rule("discovery.k8s.io", "endpointslices", ("list",)),
        Rule(_POLICY, BUDGETS, ("list",)),
        *(Rule(group, resource, verbs, (objects.route,)) for group, resource, verbs in _route(objects)),
        *scaler(objects),
    )


def of_target(objects: Objects) -> tuple[Rule, ...]:
    """The part of ``walk`` that goes by the kind of the target."""
    if objects.kind == SERVICE:
        return ()                       # it is one of the Services
    resource, history = _TARGETS[objects.kind]
    scaled = (Rule("apps", f"{resource}/scale", ("patch",), objects.targets),) if objects.kind in _SCALED else ()
    return (Rule("apps", resource, CHANGE, objects.targets), *scaled, Rule("apps", history, ("get", "list")))


def create(objects: Objects) -> tuple[Rule, ...]:
    """What initialising does besides, and a walk that finds one of these gone. A route of the user's own is never made."""
    return (
        Rule("", RECORD, CREATE),
        Rule("", SERVICES, CREATE),
        *(() if objects.kind == SERVICE else (Rule("apps", resource_of(objects.kind), CREATE),)),
        *(Rule(group, resource, CREATE) for group, resource, _verbs in _route(objects) if not objects.adopted),
        *create_scaler(objects),
    )


def scaler(objects: Objects) -> tuple[Rule, ...]:
    """For the target's autoscaler and its copy. Of the target's, a walk changes KEDA's pause and nothing else."""
    if not objects.scaler:
        return ()
    kind, name = objects.scaler
    if kind == HPA:
        return (Rule(*_SCALERS[kind], ("get",), (name,)), Rule(*_SCALERS[kind], CHANGE, (name + SUFFIX,)))
    return (Rule(*_SCALERS[kind], CHANGE, (name, name + SUFFIX)),)


def create_scaler(objects: Objects) -> tuple[Rule, ...]:
    return (Rule(*_SCALERS[objects.scaler[0]], CREATE),) if objects.scaler else ()


def scaler_resources(objects: Objects) -> set[str]:
    return {rule.resource for rule in create_scaler(objects)}


def budgets(copies: Iterable[str], there: Iterable[str] = ()) -> tuple[Rule, ...]:
    """For the copies of PodDisruptionBudgets that serve the primary, by name; ``there`` are those that exist."""
    names, present = tuple(copies), set(there)
    made = (Rule(_POLICY, BUDGETS, CREATE),) if set(names) - present else ()
    return (Rule(_POLICY, BUDGETS, CHANGE, names), *made) if names else ()


def tracked(entries: Iterable[str], copied: Iterable[str]) -> tuple[Rule, ...]:
    """For a target whose pods read ``entries``, "ConfigMap/name" and "Secret/name": they are read, and of those ``copied`` the primary gets copies.

    Copies are named by their content, which nobody knows before: no rule can name them.
    """
    made = {entry.partition("/")[0] for entry in copied}
    found: dict[str, list[str]] = {}
    for entry in entries:
        kind, unused, name = entry.partition("/")
        found.setdefault(kind, []).append(name)
    return tuple(rule for kind, names in found.items()
                 for rule in (Rule("", _CONFIGS[kind], ("get",), tuple(names)), *([Rule("", _CONFIGS[kind], CREATE)] if kind in made else [])))


def taken_over(entries: Collection[str]) -> tuple[Rule, ...]:
    """For a primary that Flagger made, whose pods read these: copies that a Canary object owns, and is not to take along when it goes."""
    names = {kind: tuple(entry.partition("/")[2] for entry in entries if entry.startswith(f"{kind}/")) for kind in _CONFIGS}
    return tuple(Rule("", _CONFIGS[kind], CHANGE, of) for kind, of in names.items() if of)


def present_copies(copied: Iterable[str]) -> tuple[Rule, ...]:
    """To go on with copies that are there already, made by a promotion that was interrupted, or of a content that comes back: a name that holds what
    it says is only seen by looking. A walk begins without it, and whoever lacks it is told."""
    return _without_names(copied, ("get",))


def old_copies(entries: Iterable[str]) -> tuple[Rule, ...]:
    """For whoever takes copies away, by name unknown: those of a removal, and those that nobody refers to any more."""
    return _without_names(entries, ("get", "delete"))


def _without_names(entries: Iterable[str], verbs: tuple[str, ...]) -> tuple[Rule, ...]:
    kinds = {entry.partition("/")[0] for entry in entries}
    return tuple(Rule("", resource, verbs) for kind, resource in _CONFIGS.items() if kind in kinds)


def removal(objects: Objects, copies: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What a removal does besides a walk. The apex and the target stay; ``copies`` are those of PodDisruptionBudgets."""
    names = tuple(copies)
    return (
        Rule("", SERVICES, ("delete",), objects.services[1:] or (ANY,)),
        *(() if objects.kind == SERVICE else (Rule("apps", resource_of(objects.kind), ("delete",), objects.targets[1:] or (ANY,)),)),
        *((Rule(_POLICY, BUDGETS, ("delete",), names),) if names else ()),
        *_remove_scaler(objects),
    )


def _remove_scaler(objects: Objects) -> tuple[Rule, ...]:
    """The copy goes; the minimum of the target's own is changed while the target takes over, which of a ScaledObject a walk may do anyway."""
    if not objects.scaler:
        return ()
    kind, name = objects.scaler
    kept = (Rule(*_SCALERS[kind], ("patch",), (name,)),) if kind == HPA else ()
    return (*kept, Rule(*_SCALERS[kind], ("delete",), (name + SUFFIX,)))


def canary_object(name: str) -> tuple[Rule, ...]:
    """Where the document is a Canary object of the cluster: it is read, and its status says how the walk goes."""
    return (Rule(flagger.GROUP, "canaries", ("get",), (name,)), Rule(flagger.GROUP, "canaries/status", ("patch",), (name,)))


def finalizer(name: str) -> tuple[Rule, ...]:
    """Where that object has ``revertOnDeletion``: it waits with a finalizer, besides what a removal needs then."""
    return (Rule(flagger.GROUP, "canaries", ("patch",), (name,)),)


def templates(names: Iterable[str]) -> tuple[Rule, ...]:
    """In the namespace of MetricTemplates."""
    return (Rule(flagger.GROUP, "metrictemplates", ("get",), tuple(names)),)


def secrets(names: Iterable[str]) -> tuple[Rule, ...]:
    """In the namespace of MetricTemplates and AlertProviders that have a secretRef."""
    return (Rule("", SECRETS, ("get",), tuple(names)),)


def alert_providers(names: Iterable[str]) -> tuple[Rule, ...]:
    """In the namespace of AlertProviders; where they have a secretRef, ``secrets`` besides."""
    return (Rule(flagger.GROUP, "alertproviders", ("get",), tuple(names)),)


def gateways(names: Iterable[str]) -> tuple[Rule, ...]:
    """In the namespace of a Gateway; without it, preflight warns that it could not look."""
    return (Rule(GATEWAY, "gateways", ("get",), tuple(names)),)


def needed(canary: Canary, is_object: bool, from_cluster: Iterable[tuple[str, str]] = (),
           providers_from_cluster: Iterable[tuple[str, str]] = ()) -> dict[str, tuple[Rule, ...]]:
    """By namespace, what a walk of this document does. ``from_cluster`` are the MetricTemplates that it reads, by namespace and name, and then the
    AlertProviders."""
    of_object = canary_object(canary.name) + (finalizer(canary.name) if canary.revert_on_deletion else ())
    rules: dict[str, tuple[Rule, ...]] = {canary.namespace: walk(objects_of(canary)) + (of_object if is_object else ())}
    named: list[MetricProvider | AlertProvider] = [*(check.provider for check in canary.analysis.checks), *(alert.provider for alert in canary.analysis.alerts)]
    held = {(provider.namespace, provider.secret) for provider in named if provider.secret}
    for make, places in ((templates, from_cluster), (alert_providers, providers_from_cluster), (secrets, held)):
        for namespace, names in _by_namespace(places).items():
            rules[namespace] = rules.get(namespace, ()) + make(names)
    return rules


def sentence(namespace: str, missing: Iterable[Rule]) -> str:
    """What is not allowed: ``may not patch httproutes in test (gateway.networking.k8s.io: podinfo)``."""
    return "; ".join(f"may not {', '.join(rule.verbs)} {rule.resource} in {namespace}{_closer(rule)}" for rule in missing)


def _closer(rule: Rule) -> str:
    names = ", ".join(name for name in rule.names if name != ANY)
    text = ": ".join(part for part in (rule.group, names) if part)
    return f" ({text})" if text else ""


def _route(objects: Objects) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return (_ROUTES[objects.provider],) if objects.provider in _ROUTES else ()


def _by_namespace(places: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for namespace, name in sorted(set(places)):
        found[namespace] = (*found.get(namespace, ()), name)
    return found


def _mapping(value: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    found = (value or {}).get(key)
    return found if isinstance(found, Mapping) else {}
