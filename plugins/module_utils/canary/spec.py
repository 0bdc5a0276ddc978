# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parsed Canary document. ``document.py`` makes it from YAML and refuses what is wrong; everybody else only reads it.

Units: durations are seconds, weights are percent 0-100, thresholds are in the unit of their query (percent for
request-success-rate, milliseconds for request-duration).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Hook types in Flagger's spelling; "" in a document means ROLLOUT.
CONFIRM_ROLLOUT = "confirm-rollout"
PRE_ROLLOUT = "pre-rollout"
ROLLOUT = "rollout"
CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
CONFIRM_PROMOTION = "confirm-promotion"
POST_ROLLOUT = "post-rollout"
ROLLBACK = "rollback"
EVENT = "event"
HOOK_TYPES = (CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION, POST_ROLLOUT, ROLLBACK, EVENT)
GATES = (CONFIRM_ROLLOUT, CONFIRM_TRAFFIC_INCREASE, CONFIRM_PROMOTION)

# Whose series the built-in checks read; metrics/builtin.py has the queries of each.
APP = "app"
ENVOY = "envoy"
TRAEFIK = "traefik"
METRICS_FROM = (APP, ENVOY, TRAEFIK)
KUBERNETES = "kubernetes"               # the provider that has Services alone

# Who scales a workload. The first is the API server's own, the second is KEDA's.
HPA = "HorizontalPodAutoscaler"
SCALED_OBJECT = "ScaledObject"
# Kinds of targets.
DEPLOYMENT = "Deployment"
DAEMONSET = "DaemonSet"
SERVICE = "Service"

# Of alerts, from the least.
INFO = "info"
WARN = "warn"
ERROR = "error"
SEVERITIES = (INFO, WARN, ERROR)


@dataclass(frozen=True)
class Options:
    """What people set as variables of the role, beside the document. Seconds, unless said."""

    min_interval: float = 10.0          # shorter intervals of the document are raised to this, as Flagger does
    settle: float = 3.0                 # after readiness, before the first weight above 0 (SAFETY 10)
    drain: float = 10.0                 # after weight 0 is confirmed, before pods go (SAFETY 11)
    lease: float = 30.0                 # a record not renewed for so long is stale (SAFETY 3)
    on_no_data: str = "fail"            # fail | hold | pass: a check without data after the first metric interval
    on_query_error: str = "hold"        # hold | fail | pass: a check whose query could not be answered
    on_no_answer: str = "hold"          # hold | fail | pass: a rollout or pre-rollout hook that did not answer
    manual_gates: tuple[str, ...] = ()  # gates that wait for a person (canary_order), without any webhook
    provider: str = ""                  # for documents that leave it to Flagger's controller flag
    metrics_server: str = ""            # Prometheus for built-in checks and inline queries when the document names none
    metrics_from: str = ""              # one of METRICS_FROM for documents without the annotation; "" leaves it to the provider
    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    label_prefixes: tuple[str, ...] = ()  # labels and annotations copied to the primary; "*" copies all
    pause_target: bool = False          # the target is paused while it has weight (SAFETY 22)
    max_time_to_accept: float = 30.0    # how long the gateway's controller may take to accept a route
    on_absence: str = "hold"            # hold | rollback: what whoever comes by does with a walk that nobody came back to (SAFETY 32)
    absence: float = 150.0              # a walk overdue for so long is one that nobody came back to; never less than two intervals
    route: str = "owned"                # owned | adopted: a route that we make, or one of the user's
    route_name: str = ""                # of the adopted route, "" = the apex
    route_rule: str = ""                # name of the rule in it, "" = the only one that fits
    ingress_class: str = ""             # of what we make for Contour, which Flagger keeps in a flag of its controller
    config_tracking: bool = True        # what the target's ConfigMaps and Secrets say belongs to its revision, which Flagger keeps in a flag of its controller
    cluster_name: str = ""              # told in alerts, which Flagger keeps in a flag of its controller


@dataclass(frozen=True)
class Hook:
    """One webhook of ``analysis.webhooks``. ``index`` is its place in the document, by which it travels."""

    index: int
    type: str
    name: str
    url: str
    timeout: float = 10.0
    retries: int = 0
    disable_tls: bool = False
    mute_alert: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def waits(self) -> tuple[float, ...]:
        """Seconds between the attempts: 1, 2, 4 ... 30, one for each retry (as Flagger's retrying client)."""
        return tuple(min(2.0 ** attempt, 30.0) for attempt in range(self.retries))

    @property
    def longest(self) -> float:
        """Seconds that the whole call takes at most: every attempt and the waits between them (SAFETY 3)."""
        return self.timeout * (self.retries + 1) + sum(self.waits)


@dataclass(frozen=True)
class MetricProvider:
    """Where a query goes. ``secret`` names a Secret in ``namespace``; its content is read only by the verb that asks."""

    type: str = "prometheus"
    address: str = ""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secret: str = ""
    namespace: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True)
class Check:
    """One entry of ``analysis.metrics``, resolved: a built-in name, or a query template with its provider."""

    index: int
    name: str
    builtin: bool
    interval: float
    minimum: float | None
    maximum: float | None
    query: str = ""                     # Go-template text as in the document; empty for a built-in
    variables: Mapping[str, str] = field(default_factory=dict)
    provider: MetricProvider = field(default_factory=MetricProvider)


@dataclass(frozen=True)
class AlertProvider:
    """Where alerts go. ``secret`` names a Secret in ``namespace`` that holds the address in place of ``address``, and a token if there is one."""

    type: str = ""
    channel: str = "general"
    username: str = "flagger"
    address: str = ""
    proxy: str = ""
    secret: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def called(self) -> str:
        """How messages call it: its address is a secret."""
        return f"AlertProvider {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Alert:
    """One entry of ``analysis.alerts``: whom to alert of everything that is at least that severe."""

    index: int
    name: str
    severity: str = INFO
    provider: AlertProvider = field(default_factory=AlertProvider)

    def wants(self, severity: str) -> bool:
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)


@dataclass(frozen=True)
class Metadata:
    """Labels and annotations that the document adds to a generated object."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """``spec.service``: the apex, its ports, and what the route says besides weights (raw, in the document's shape)."""

    name: str
    port: int
    port_name: str = "http"
    target_port: int | str = 0          # 0 = same as port
    app_protocol: str = ""
    port_discovery: bool = False
    headless: bool = False
    traffic_distribution: str = ""
    timeout: str = ""
    backend_timeout: str = ""
    hosts: tuple[str, ...] = ()
    gateway_refs: tuple[Mapping[str, Any], ...] = ()
    match: tuple[Mapping[str, Any], ...] = ()
    rewrite: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    mirror: tuple[Mapping[str, Any], ...] = ()
    cors_policy: Mapping[str, Any] = field(default_factory=dict)
    retries: Mapping[str, Any] = field(default_factory=dict)
    apex: Metadata = field(default_factory=Metadata)
    primary: Metadata = field(default_factory=Metadata)
    canary: Metadata = field(default_factory=Metadata)
    unmanaged_metadata: Metadata = field(default_factory=Metadata)  # keys only, values empty
    # Not from a document: for an adopted route, and for the verb traffic_weight alone, on Services of the user's own names.
    route: str = ""                     # name of the routing object, "" = the apex
    route_rule: str = ""                # name of the rule in it, "" = the only one that fits
    primary_service: str = ""
    canary_service: str = ""

    @property
    def primary_name(self) -> str:
        return self.primary_service or f"{self.name}-primary"

    @property
    def canary_name(self) -> str:
        return self.canary_service or f"{self.name}-canary"

    @property
    def route_name(self) -> str:
        return self.route or self.name


@dataclass(frozen=True)
class Autoscaler:
    """``spec.autoscalerRef``: who scales the target, and what its copy for the primary has in place of the same fields."""

    kind: str                           # HPA | SCALED_OBJECT
    name: str
    min_replicas: int = 0               # 0: as the target's
    max_replicas: int = 0
    queries: Mapping[str, str] = field(default_factory=dict)    # of a ScaledObject: by the name of the trigger

    @property
    def primary(self) -> str:
        return f"{self.name}-primary"

    @property
    def called(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def pauses(self) -> bool:
        """Whether it has to be told that the target rests: a HorizontalPodAutoscaler leaves a workload of 0 replicas alone by itself."""
        return self.kind == SCALED_OBJECT


@dataclass(frozen=True)
class Affinity:
    """``analysis.sessionAffinity``: the cookies by which users stay on the side that they met first, and their attributes."""

    cookie_name: str
    max_age: int = 86400                # seconds for which a browser keeps the canary's
    primary_cookie_name: str = ""       # "" = nobody stays with the primary; kept for one interval, until a step draws anew
    domain: str = ""
    path: str = ""
    same_site: str = ""                 # Strict | Lax | None
    http_only: bool = False
    partitioned: bool = False
    secure: bool = False


@dataclass(frozen=True)
class Analysis:
    interval: float                     # as it is used: the document's, raised to Options.min_interval
    threshold: int
    max_weight: int = 100
    step_weight: int = 0
    step_weights: tuple[int, ...] = ()
    step_weight_promotion: int = 0
    iterations: int = 0                 # more than 0: blue/green, judged so often before users meet it, or, where something has to match, A/B
    match: tuple[Mapping[str, Any], ...] = ()   # one of these is enough: headers and queryParams, in the document's shape
    mirror: int = 0                     # percent of users' requests of which the canary gets copies, before it gets any of them
    affinity: Affinity | None = None
    primary_ready_threshold: int = 100
    canary_ready_threshold: int = 100
    checks: tuple[Check, ...] = ()
    hooks: tuple[Hook, ...] = ()
    alerts: tuple[Alert, ...] = ()

    @property
    def counts_without_users(self) -> bool:
        """Whether iterations are judged before anybody's requests get to the canary: blue/green."""
        return self.iterations > 0 and not self.match

    def of_type(self, hook_type: str) -> tuple[Hook, ...]:
        """The hooks of one type, in the document's order."""
        return tuple(hook for hook in self.hooks if hook.type == hook_type)


@dataclass(frozen=True)
class Canary:
    """A document that passed validation."""

    name: str
    namespace: str
    provider: str                       # "gatewayapi:v1" ...
    target: str                         # its name
    target_kind: str
    service: Service
    analysis: Analysis
    options: Options = field(default_factory=Options)
    autoscaler: Autoscaler | None = None
    metrics_server: str = ""            # document's, else Options.metrics_server
    metrics_from: str = ""              # annotation's, else Options.metrics_from
    progress_deadline: float = 600.0
    skip_analysis: bool = False
    suspend: bool = False
    revert_on_deletion: bool = False    # the Canary object stays, when it is deleted, until everything is given back
    source: str = "spec"                # object | file | spec
    uid: str = ""                       # of the Canary object, when there is one
    warnings: tuple[str, ...] = ()

    @property
    def primary(self) -> str:
        return f"{self.target}-primary"

    @property
    def adopted(self) -> bool:
        """Whether the route is the user's own: we never make, remove or reconcile it, and change two weights."""
        return self.options.route == "adopted"

    @property
    def primary_backends(self) -> tuple[str, ...]:
        """Services that may stand for the primary in the route: one of the user's own may name the apex, which selects the primary."""
        return (self.service.primary_name, self.service.name) if self.adopted else (self.service.primary_name,)

    @property
    def splits(self) -> bool:
        """Whether its provider has a routing object with weights; without one, all that users reach is what the apex selects."""
        return self.provider != KUBERNETES

    @property
    def identity(self) -> dict[str, str]:
        """What may not change while a walk is under way (SAFETY 8)."""
        place = {"route": "/".join(filter(None, (self.service.route_name, self.service.route_rule)))} if self.adopted else {}
        # With all that match on the canary, other matches would bring other users to it at once.
        audience = {"match": json.dumps(self.analysis.match, sort_keys=True)} if self.analysis.match else {}
        # Whose minimum is held is who gets it back.
        scaler = {"autoscaler": f"{self.autoscaler.kind}/{self.autoscaler.name}"} if self.autoscaler else {}
        # By other names, whoever stayed with a side would be drawn anew.
        affinity = self.analysis.affinity
        cookies = {"cookies": "/".join(filter(None, (affinity.cookie_name, affinity.primary_cookie_name)))} if affinity else {}
        target = f"{self.target_kind}/{self.target}"
        return {"provider": self.provider, "target": target, "service": self.service.name, **place, **audience, **cookies, **scaler}
