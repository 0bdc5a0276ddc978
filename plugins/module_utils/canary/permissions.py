# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a walk does to the cluster, as permissions: preflight asks for exactly these, and docs/rbac.yml grants exactly these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

GATEWAY = "gateway.networking.k8s.io"
CONTOUR = "projectcontour.io"
TRAEFIK = "traefik.io"


@dataclass(frozen=True, order=True)
class Rule:
    """Verbs on one resource; ``resource`` may be ``deployments/scale``."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        base, slash, subresource = self.resource.partition("/")
        return f"{', '.join(self.verbs)} {base}{'.' if self.group else ''}{self.group}{slash}{subresource}"


# In the namespace of the canary, by every walk.
WALK = (
    Rule("", "configmaps", ("create", "get", "patch", "watch")),
    Rule("apps", "deployments", ("create", "get", "patch")),
    Rule("apps", "deployments/scale", ("patch",)),
    Rule("apps", "replicasets", ("get", "list")),
    Rule("", "services", ("create", "get", "patch")),
    Rule("discovery.k8s.io", "endpointslices", ("list",)),
    Rule("", "events", ("create",)),
    Rule("policy", "poddisruptionbudgets", ("create", "get", "list", "patch")),
)

# In the namespace of the canary, by the document's provider.
ROUTES: Mapping[str, tuple[Rule, ...]] = {
    flagger.GATEWAYAPI: (Rule(GATEWAY, "httproutes", ("create", "get", "patch", "watch")),),
    flagger.CONTOUR: (Rule(CONTOUR, "httpproxies", ("create", "get", "patch", "watch")),),
    flagger.TRAEFIK: (Rule(TRAEFIK, "traefikservices", ("create", "get", "patch", "watch")),),
    flagger.KUBERNETES: (),
}

# In the namespace of the canary, where it is a Canary object of the cluster.
CANARY_OBJECT = (Rule(flagger.GROUP, "canaries", ("get",)), Rule(flagger.GROUP, "canaries/status", ("patch",)))

# In the namespace of the canary, by a removal alone.
REMOVAL = (
    Rule("", "services", ("delete",)),
    Rule("apps", "deployments", ("delete",)),
    Rule("policy", "poddisruptionbudgets", ("delete",)),
)

# In a namespace whose canaries are looked after by a watchdog.
WATCHDOG = (Rule("", "configmaps", ("list",)),)

# In the namespace of a MetricTemplate, and of the Secret that it names.
TEMPLATE = (Rule(flagger.GROUP, "metrictemplates", ("get",)),)
SECRET = (Rule("", "secrets", ("get",)),)

# What preflight looks at where it may; without one of these it looks at less, and nothing fails.
LOOKS = (
    Rule("", "services", ("list",)),
    Rule(GATEWAY, "httproutes", ("list",)),
    Rule(CONTOUR, "httpproxies", ("list",)),
    Rule("networking.k8s.io", "networkpolicies", ("list",)),
    Rule("autoscaling", "horizontalpodautoscalers", ("list",)),
    Rule(flagger.GROUP, "canaries", ("list",)),
)

# In the namespace of a Gateway; without it, preflight warns that it could not look.
GATEWAYS = (Rule(GATEWAY, "gateways", ("get",)),)


def needed(canary: Canary, is_object: bool, from_cluster: Iterable[str] = ()) -> dict[str, tuple[Rule, ...]]:
    """By namespace, what a walk of this document does. ``from_cluster`` are the namespaces of MetricTemplates that it reads."""
    rules: dict[str, tuple[Rule, ...]] = {canary.namespace: WALK + _of_route(canary) + (CANARY_OBJECT if is_object else ())}
    for namespace in sorted(set(from_cluster)):
        rules[namespace] = rules.get(namespace, ()) + TEMPLATE
    for namespace in sorted({check.provider.namespace for check in canary.analysis.checks if check.provider.secret}):
        rules[namespace] = rules.get(namespace, ()) + SECRET
    return rules


def _of_route(canary: Canary) -> tuple[Rule, ...]:
    """A route of the user's own is never made."""
    made = {"create"} if canary.adopted else set()
    return tuple(Rule(rule.group, rule.resource, tuple(verb for verb in rule.verbs if verb not in made)) for rule in ROUTES[canary.provider])


def every_walk(is_object: bool = False, provider: str = flagger.GATEWAYAPI) -> tuple[Rule, ...]:
    """What a walk by this provider does whatever its document says, in the namespace of the canary."""
    return WALK + ROUTES.get(provider, ()) + (CANARY_OBJECT if is_object else ())


def sentence(namespace: str, missing: Iterable[Rule]) -> str:
    """What to grant, in one sentence."""
    return f"in namespace {namespace}: {'; '.join(str(rule) for rule in missing)}"
