# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of Kubernetes objects, by fixed REST paths: a known kind needs no discovery request."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

GATEWAY = "gateway.networking.k8s.io"
FLAGGER = "flagger.app"


@dataclass(frozen=True)
class Ref:
    """One object, or the collection of a kind when ``name`` is empty. ``resource`` is the plural of the URL."""

    group: str
    version: str
    resource: str
    namespace: str
    name: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """The path under the server's address, without subresource or query."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version]
        if self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts.append(self.resource)
        if self.name:
            parts.append(quote(self.name, safe=""))
        return "/".join(parts)

    @property
    def collection(self) -> Ref:
        """The same kind and namespace without a name: where objects are listed and created."""
        return dataclasses.replace(self, name="")

    def named(self, name: str) -> Ref:
        return dataclasses.replace(self, name=name)

    def __str__(self) -> str:
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.kind} {place}" if self.name else f"{self.kind} objects" + (f" in {place}" if place else "")


def deployment(namespace: str, name: str = "") -> Ref:
    return Ref("apps", "v1", "deployments", namespace, name, "Deployment")


def daemon_set(namespace: str, name: str = "") -> Ref:
    return Ref("apps", "v1", "daemonsets", namespace, name, "DaemonSet")


def pod(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "pods", namespace, name, "Pod")


def replica_set(namespace: str, name: str = "") -> Ref:
    return Ref("apps", "v1", "replicasets", namespace, name, "ReplicaSet")


def controller_revision(namespace: str, name: str = "") -> Ref:
    return Ref("apps", "v1", "controllerrevisions", namespace, name, "ControllerRevision")


def service(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "services", namespace, name, "Service")


def endpoint_slice(namespace: str, name: str = "") -> Ref:
    return Ref("discovery.k8s.io", "v1", "endpointslices", namespace, name, "EndpointSlice")


def pod_disruption_budget(namespace: str, name: str = "") -> Ref:
    return Ref("policy", "v1", "poddisruptionbudgets", namespace, name, "PodDisruptionBudget")


def config_map(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "configmaps", namespace, name, "ConfigMap")


def secret(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "secrets", namespace, name, "Secret")


def pod(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "pods", namespace, name, "Pod")


def event(namespace: str, name: str = "") -> Ref:
    return Ref("", "v1", "events", namespace, name, "Event")


def autoscaler(namespace: str, name: str = "") -> Ref:
    return Ref("autoscaling", "v2", "horizontalpodautoscalers", namespace, name, "HorizontalPodAutoscaler")


def scaled_object(namespace: str, name: str = "") -> Ref:
    return Ref("keda.sh", "v1alpha1", "scaledobjects", namespace, name, "ScaledObject")


def http_route(namespace: str, name: str = "", version: str = "v1") -> Ref:
    return Ref(GATEWAY, version, "httproutes", namespace, name, "HTTPRoute")


def gateway(namespace: str, name: str = "", version: str = "v1") -> Ref:
    return Ref(GATEWAY, version, "gateways", namespace, name, "Gateway")


def canary(namespace: str, name: str = "") -> Ref:
    return Ref(FLAGGER, "v1beta1", "canaries", namespace, name, "Canary")


def metric_template(namespace: str, name: str = "") -> Ref:
    return Ref(FLAGGER, "v1beta1", "metrictemplates", namespace, name, "MetricTemplate")


def alert_provider(namespace: str, name: str = "") -> Ref:
    return Ref(FLAGGER, "v1beta1", "alertproviders", namespace, name, "AlertProvider")


# Kinds that the inventory of a record may name, and that removal takes away.
DISPOSABLE: Mapping[str, Callable[[str, str], Ref]] = {
    "Deployment": deployment, "DaemonSet": daemon_set, "Service": service, "PodDisruptionBudget": pod_disruption_budget, "ConfigMap": config_map,
    "Secret": secret, "HorizontalPodAutoscaler": autoscaler, "ScaledObject": scaled_object,
}


def disposable(namespace: str, entry: str) -> Ref | None:
    """The address of an entry "Kind/name" of the inventory, None for a kind that removal leaves alone."""
    kind, unused, name = entry.partition("/")
    return DISPOSABLE[kind](namespace, name) if kind in DISPOSABLE and name else None


def access_review() -> Ref:
    return Ref("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "", "", "SelfSubjectAccessReview")


def rules_review() -> Ref:
    return Ref("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "", "", "SelfSubjectRulesReview")
