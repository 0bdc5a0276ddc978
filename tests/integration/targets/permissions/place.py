# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary in a namespace of its own, never walked or initialised, and users who lack one verb of the Roles of the examples each."""

from __future__ import annotations

import contextlib
import copy
import os
import pathlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, document as documents, services
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, record as store, refs, routes, workloads
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api, Permission
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import make_api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.services import ensure_services
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import place as place_of_target, primary_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer, ensure
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

RBAC = "rbac.authorization.k8s.io"
PROVIDERS = {"gatewayapi": "gatewayapi:v1", "contour": "contour", "traefik": "traefik", "kubernetes": "kubernetes"}
# By the file of the examples, what the target is in place of a Deployment; over Services alone.
KINDS = {"daemonset": "DaemonSet"}
OF_DEPLOYMENTS = {"deployments", "deployments/scale", "replicasets"}
KEDA, REVERTS, ADOPTED, FLAGGERS = "keda", "reverts", "adopted", "flaggers"
SPECIAL = {KEDA: "a ScaledObject scales the target", REVERTS: "the Canary object has revertOnDeletion", ADOPTED: "the route is the user's own",
           FLAGGERS: "Flagger made the primary, and the copies that it reads"}
ROUTE = "public"            # the adopted one
ROUTES = {"httproutes", "httpproxies", "traefikservices"}
SECONDS = 20.0


@dataclass(frozen=True)
class Verbed:
    """One verb of one rule: which file and Role, the number of the rule in it, group, resource and verb."""

    file: str
    role: str
    rule: int
    group: str
    resource: str
    verb: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.role}-{self.rule}-{self.verb}-{self.resource.replace('/', '-')}"


def roles_of(file: str) -> list[dict[str, Any]]:
    """The Role in one file of the examples; of a provider two, to initialise and to walk."""
    first = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
    examples = pathlib.Path(first) / "ansible_collections/progressive/delivery/examples/rbac"
    paths = sorted(examples.glob(f"{file}.yml")) or sorted(examples.glob(f"*-{file}.yml"))
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


def verbs_of(file: str) -> list[Verbed]:
    return [Verbed(file, role["metadata"]["name"], index, rule["apiGroups"][0], rule["resources"][0], verb, tuple(rule.get("resourceNames", ())))
            for role in roles_of(file) for index, rule in enumerate(role["rules"]) for verb in rule["verbs"]]


@dataclass
class Place:
    """A canary in a namespace of its own, and who may do what there."""

    admin: Api
    kubeconfig: str
    lab: Mapping[str, str]
    provider: str
    kind: str = "Deployment"
    reads: bool = False         # whether the target's pods read a ConfigMap and a Secret
    how: str = ""               # one of SPECIAL, where the document or the cluster is special
    namespace: str = field(default_factory=lambda: f"permissions-{uuid.uuid4().hex[:8]}")
    prepared: set[str] = field(default_factory=set)

    def make(self) -> None:
        """The target, its budget and autoscaler, the Canary object, and the template, the AlertProvider and the Secrets that this names."""
        self._create(refs.Ref("", "v1", "namespaces", "", self.namespace, "Namespace"), {})
        labels = {"app": "podinfo"}
        container: dict[str, Any] = {
            "name": "app", "image": "lab.local/testapp:1", "imagePullPolicy": "Never", "ports": [{"name": "http", "containerPort": 9898}]}
        if self.reads:
            container["envFrom"] = [{"configMapRef": {"name": "podinfo"}}, {"secretRef": {"name": "podinfo"}}]
            self._create(refs.config_map(self.namespace, "podinfo"), {"data": {"message": "hello"}})
            self._create(refs.secret(self.namespace, "podinfo"), {"stringData": {"token": "sesame-4711"}})
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        resting: dict[str, Any] = {"replicas": 0} if self.kind == "Deployment" else {}
        if self.kind == "DaemonSet":
            template["spec"]["nodeSelector"] = {"there-is": "no-such-node"}
        self._create(self._target(), {"spec": {**resting, "selector": {"matchLabels": labels}, "template": template}})
        self._create(refs.pod_disruption_budget(self.namespace, "podinfo"), {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}}})
        if self.how == KEDA:
            trigger = {"type": "cron", "metadata": {"timezone": "UTC", "start": "0 8 * * *", "end": "0 18 * * *", "desiredReplicas": "2"}}
            self._create(refs.scaled_object(self.namespace, "podinfo"), {
                "spec": {"minReplicaCount": 1, "maxReplicaCount": 3, "scaleTargetRef": {"name": "podinfo"}, "triggers": [trigger]}})
        elif self.kind == "Deployment":
            self._create(refs.autoscaler(self.namespace, "podinfo"), {
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}}})
        self._create(refs.secret(self.namespace, "prometheus"), {"stringData": {"token": "sesame-4711"}})
        self._create(refs.metric_template(self.namespace, "error-rate"), self._template())
        self._create(refs.secret(self.namespace, "on-call"), {"stringData": {"address": "http://127.0.0.1:1/sesame-4711"}})
        self._create(refs.alert_provider(self.namespace, "on-call"), {"spec": {"type": "slack", "secretRef": {"name": "on-call"}}})
        self._create(refs.canary(self.namespace, "podinfo"), {"spec": self._spec()})
        for root in self._roots():
            self._create(*root)
        if self.how == FLAGGERS:
            self._made_by_flagger(resting, container)
        self._until("the target's controller has seen it", lambda: self.admin.get(self._target()).get("status"))

    def initialise(self) -> None:
        """What a first walk leaves behind, but its weights were never walked on; the target has another revision than what was promoted."""
        canary = self.canary()
        writer = Writer(self.admin, canary.name, 1)
        workloads.create_primary(writer, canary, 0)
        if canary.autoscaler:
            autoscalers.apply(writer, canary, 0)
        ensure_services(writer, canary, services.ROLES)
        if canary.splits and self.how != ADOPTED:
            router = router_for(canary)
            ensure(writer, routes.ref(canary), lambda: router.desired(canary, Split(100, 0)), dict, claim=True)
            self._until("the route is accepted", lambda: router.accepted(self.admin.get(routes.ref(canary)), canary)[0])
        primary = self.admin.get(primary_ref(canary))
        made = configs.copies_in(primary["spec"]["template"]["spec"])
        record = Record(canary.name, canary.namespace, phase="Initialized", identity=canary.identity, epoch=1, inventory=made)
        store.write(self.admin, store.Stored(self.namespace, "podinfo"), record)

    def canary(self) -> Canary:
        document = self.admin.get(refs.canary(self.namespace, "podinfo"))
        return documents.parse(document, templates=[self.admin.get(refs.metric_template(self.namespace, "error-rate"))],
                               alert_providers=[self.admin.get(refs.alert_provider(self.namespace, "on-call"))], source="object")

    def may(self, user: str, files: tuple[str, ...], without: Verbed | None = None, roles: tuple[str, ...] = ()) -> None:
        """Give a user the Roles of these files (of those, only ``roles`` where any are named), without one verb of one rule."""
        for file in files:
            for role in roles_of(file):
                name = role["metadata"]["name"]
                if roles and file in (*PROVIDERS, *KINDS) and name not in roles:
                    continue
                namespace = self.lab["gateway"].split("/")[0] if file == "gateways" else self.namespace
                self._grant(user, namespace, name, _without(role, self._fitted(file, role["rules"]), without))

    def ask(self, verb: Verb, user: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        call = Call({**{name: option.get("default") for name, option in verb.options.items()}, "kubeconfig": self.kubeconfig, "impersonate_user": user,
                     "canary_name": "podinfo", "canary_namespace": self.namespace, **params}, check_mode=check_mode)
        return {**verb.run(call), "warned": call.warnings}

    def until_known(self, user: str, *wanted: Permission) -> None:
        """The server's authorizer hears of a new Role by a watch of its own."""
        api = make_api({"kubeconfig": self.kubeconfig, "impersonate_user": user})
        self._until(f"the server knows the Roles of {user}", lambda: not api.access(self.namespace, wanted))

    def versions(self) -> dict[str, str]:
        """Of all that a walk could have written, what it is called and which version it has."""
        kinds = (refs.config_map, refs.secret, refs.service, refs.deployment, refs.daemon_set, refs.event, refs.pod_disruption_budget, refs.autoscaler,
                 refs.canary, refs.http_route)
        listed = [(kind(self.namespace).kind, item["metadata"]) for kind in kinds for item in self.admin.list(kind(self.namespace)).get("items") or []]
        # Controllers write status and Events of their own.
        return {f"{kind}/{one['name']}": str(one.get("generation") or "") for kind, one in listed if kind != "Event" and one["name"] != "kube-root-ca.crt"}

    def remove(self) -> None:
        with contextlib.suppress(KubeError):
            self.admin.delete(refs.Ref("", "v1", "namespaces", "", self.namespace, "Namespace"))
        namespace = self.lab["gateway"].split("/")[0]
        for name in self.prepared:
            for kind in ("roles", "rolebindings"):
                with contextlib.suppress(KubeError):
                    self.admin.delete(refs.Ref(RBAC, "v1", kind, namespace, name, kind))

    # Inside

    def _grant(self, user: str, namespace: str, name: str, role: dict[str, Any]) -> None:
        unique = f"{name}-{user}-{self.namespace}"
        if namespace != self.namespace:
            self.prepared.add(unique)
        self._create(refs.Ref(RBAC, "v1", "roles", namespace, unique, "Role"), {"rules": role["rules"]})
        self._create(refs.Ref(RBAC, "v1", "rolebindings", namespace, unique, "RoleBinding"), {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": unique}, "subjects": [{"kind": "User", "name": user, "apiGroup": RBAC}]})

    def _fitted(self, file: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The Gateway of the lab has a name of its own; and what README.md of the examples says of targets that are no Deployments."""
        if self.kind != "Deployment" and file not in KINDS:
            rules = [rule for rule in rules if not OF_DEPLOYMENTS.intersection(rule["resources"])]
        if self.how == FLAGGERS and file == "configs":
            # As README.md allows: whoever may look at any copy may look at Flagger's by that right too.
            rules = [rule if "resourceNames" in rule else {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "get"]} for rule in rules]
        if self.how == ADOPTED:
            # No route is made, and the one that is walked has a name of its own.
            rules = [{**rule, **({"resourceNames": [ROUTE]} if ROUTES.intersection(rule["resources"]) else {})} for rule in rules
                     if not (ROUTES.intersection(rule["resources"]) and rule["verbs"] == ["create"])]
        return [{**rule, "resourceNames": [self.lab["gateway"].split("/")[1]]} for rule in rules] if file == "gateways" else rules

    def _target(self) -> refs.Ref:
        return place_of_target(self.kind, self.namespace, "podinfo")

    def _spec(self) -> dict[str, Any]:
        namespace, name = self.lab["gateway"].split("/")
        routed = {"hosts": [f"{self.namespace}.example.com"], "gatewayRefs": [{"namespace": namespace, "name": name}]}
        metric = {"name": "errors", "templateRef": {"name": "error-rate"}, "interval": "1m", "thresholdRange": {"max": 1}}
        analysis = {"interval": "10s", "threshold": 2, "metrics": [metric], "alerts": [{"name": "all", "providerRef": {"name": "on-call"}}]}
        steps = {"iterations": 2} if self.provider == "kubernetes" else {"stepWeight": 25, "maxWeight": 50}
        return {
            "provider": self.provider, "targetRef": {"apiVersion": "apps/v1", "kind": self.kind, "name": "podinfo"},
            **self._scaler(), **({"revertOnDeletion": True} if self.how == REVERTS else {}),
            "service": {"port": 80, "targetPort": "http", **(routed if self.provider == "gatewayapi:v1" else {})}, "analysis": {**analysis, **steps},
        }

    def _scaler(self) -> dict[str, Any]:
        if self.how == KEDA:
            return {"autoscalerRef": {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}}
        return {"autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}} if self.kind == "Deployment" else {}

    def _made_by_flagger(self, resting: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        """A primary of the Canary object, and the copies that its pods read; no status tells that Flagger is alive."""
        owner = self.admin.get(refs.canary(self.namespace, "podinfo"))
        owned = {"ownerReferences": [{"apiVersion": owner["apiVersion"], "kind": "Canary", "name": "podinfo", "uid": owner["metadata"]["uid"]}]}
        self._create(refs.config_map(self.namespace, "podinfo-primary"), {"data": {"message": "hello"}}, owned)
        self._create(refs.secret(self.namespace, "podinfo-primary"), {"stringData": {"token": "sesame-4711"}}, owned)
        labels = {"app": "podinfo-primary"}
        read = [{"configMapRef": {"name": "podinfo-primary"}}, {"secretRef": {"name": "podinfo-primary"}}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{**container, "envFrom": read}]}}
        spec = {**resting, "selector": {"matchLabels": labels}, "template": template}
        self._create(refs.deployment(self.namespace, "podinfo-primary"), {"spec": spec}, owned)

    def _template(self) -> dict[str, Any]:
        provider = {"type": "prometheus", "address": self.lab["prometheus_url"], "secretRef": {"name": "prometheus"}}
        return {"spec": {"provider": provider, "query": "vector(0)"}}

    def _roots(self) -> list[tuple[refs.Ref, dict[str, Any]]]:
        if self.how == ADOPTED:
            namespace, name = self.lab["gateway"].split("/")
            backends = [{"name": f"podinfo-{side}", "port": 80, "weight": weight} for side, weight in (("primary", 100), ("canary", 0))]
            return [(refs.http_route(self.namespace, ROUTE), {"spec": {
                "parentRefs": [{"name": name, "namespace": namespace}], "hostnames": [f"{self.namespace}.example.com"], "rules": [{"backendRefs": backends}]}})]
        if self.provider != "contour":
            return []
        included = {"virtualhost": {"fqdn": f"{self.namespace}.example.com"}, "includes": [{"name": "podinfo", "conditions": [{"prefix": "/"}]}]}
        return [(refs.Ref("projectcontour.io", "v1", "httpproxies", self.namespace, "root", "HTTPProxy"), {"spec": included})]

    def _create(self, ref: refs.Ref, body: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> None:
        metadata = {"name": ref.name, **(more or {}), **({"namespace": ref.namespace} if ref.namespace else {})}
        self.admin.create(ref, {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, **body})

    def _until(self, what: str, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {SECONDS:g} s in vain until {what}"
            time.sleep(0.05)


def _without(role: dict[str, Any], rules: list[dict[str, Any]], left_out: Verbed | None) -> dict[str, Any]:
    kept = copy.deepcopy(rules)
    if left_out is not None and role["metadata"]["name"] == left_out.role:
        kept[left_out.rule]["verbs"].remove(left_out.verb)
    return {"rules": [rule for rule in kept if rule["verbs"]]}
