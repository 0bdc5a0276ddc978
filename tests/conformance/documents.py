# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is walked by Flagger and by us: Canary documents, what metrics and webhooks answer, and what people do meanwhile.

Each section is one table of Flagger's behaviour. A new feature gets a section of its own at the end, and a word in ``SECTIONS``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import Release
from instant_prometheus import REFUSED
from routing import CONTOUR, PROXY, TRAEFIK, Routing

Metrics = Mapping[str, Sequence[str | None]]

GOOD: Mapping[str, str] = {"success": "100", "duration": "0.02", "errors": "1"}
"""What a metric says where a document says nothing of it; also the words by which answers name the built-in checks. Durations are Envoy's milliseconds with
contour, seconds elsewhere."""

SUCCEEDED, FAILED = "Succeeded", "Failed"


@dataclass(frozen=True)
class Act:
    """What somebody does once the canary's status says this much; the first one is done as soon as the canary is initialised."""

    does: Callable[[Release], None]
    answers: Mapping[str, Sequence[int]] = field(default_factory=dict)      # how webhooks answer from now on, by their names
    phase: str = ""
    weight: int = 0
    iterations: int = 0
    anew: bool = False      # our role is run again, since a walk keeps to the document that it began with

    def reached(self, status: Mapping[str, Any]) -> bool:
        return (not self.phase or status["phase"] == self.phase) and status["canaryWeight"] >= self.weight and status["iterations"] >= self.iterations


def app(one: Release, walked: bool) -> None:
    """The app as it is before anybody walks it; ``walked``: by our role, which needs an account."""
    one.start_app(walked=walked, VERSION="1")


@dataclass(frozen=True)
class Document:
    """One comparison.

    Attributes:
        changes: of the document, as ``Release.document`` takes them; ``service`` holds fields of spec.service.
        metrics: the answers to the queries of a metric, one after another while it is analysed; the last one stays. None = no data.
        hooks: statuses with which a webhook is answered, by its name, one after another; the last one stays.
        acts: what happens, in this order.
        ends: the phases in which it may end.
        differs: names of the table in ``differences`` that this document must show, beside those that every one does.
        variables: of our role, where its default is not Flagger's way.
        kind: of the target.
        starts: what there is before the document.
        objects: what the user has beside that.
        rights: files of examples/rbac that our role needs besides.
        nothing: after the last act nothing is to happen.
        helped: what Flagger sends that no API server takes any more: path, what in the body, and what in its place, so that it can go on.
        stalls: Flagger never comes to an end of it, so that what it has done up to then is compared with an end of ours.
        quick: whether it is walked without ``--full`` too, in some minutes.
        known_bug: what is wrong with us here, exactly; then the comparison has to fail.
    """

    name: str
    changes: Mapping[str, Any]
    routing: Routing = PROXY
    metrics: Metrics = field(default_factory=dict)
    hooks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    acts: Sequence[Act] = ()
    ends: Sequence[str] = (SUCCEEDED,)
    differs: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "Deployment"
    starts: Callable[[Release, bool], None] = app
    objects: Sequence[Mapping[str, Any]] = ()
    rights: Sequence[str] = ()
    nothing: bool = False
    helped: tuple[str, str, str] | None = None
    stalls: bool = False
    quick: bool = False
    known_bug: str = ""

    def __str__(self) -> str:
        return self.name


# -- what people do --

def nothing(one: Release) -> None:
    """Where only webhooks answer otherwise from then on."""


def release(version: str = "2") -> Callable[[Release], None]:
    """A new revision of the app, by a tag of the test app's image."""
    return lambda one: one.set_template(f"lab.local/testapp:{version}", VERSION=version)


def skip_analysis(one: Release) -> None:
    one.kubectl("patch", "canary", one.name, "--type=merge", "-p", json.dumps({"spec": {"skipAnalysis": True}}))


RELEASE = (Act(release()),)
# Where somebody does something in mid-walk: his hand is slower than a tick of two seconds, on a busy machine.
BUSY = {"interval": "10s"}


# -- how it is written --

def steps(step: int | Sequence[int] = 25, most: int | None = 50, **more: Any) -> dict[str, Any]:
    """A weighted canary, by one step or by several."""
    by = {"stepWeight": step, "stepWeights": None} if isinstance(step, int) else {"stepWeight": None, "stepWeights": list(step)}
    return {**by, "maxWeight": most, **more}


def iterations(number: int, **more: Any) -> dict[str, Any]:
    """Blue/green, or A/B with ``match``."""
    return {"stepWeight": None, "maxWeight": None, "iterations": number, **more}


def services_alone(number: int, **more: Any) -> dict[str, Any]:
    """Blue/green without a route."""
    return {"spec__provider": "kubernetes", **iterations(number, **more)}


def hook(kind: str, name: str = "", **more: Any) -> dict[str, Any]:
    """A webhook whose URL the stand fills in; it is told from others by its name, which its metadata repeat."""
    return {"name": name or kind, "type": kind, "timeout": "5s", **more}


def custom(name: str = "errors", **how: Any) -> dict[str, Any]:
    """A check by a query of its own; ``answers`` for ``name`` are those of its query."""
    return {"name": name, "interval": "2s", "query": f'scripted{{metric="{name}", namespace="{{{{ namespace }}}}"}}', **how}


SUCCESS = {"name": "request-success-rate", "interval": "2s", "thresholdRange": {"min": 99}}
DURATION = {"name": "request-duration", "interval": "2s", "thresholdRange": {"max": 500}}
INSIDER = {"headers": {"x-canary": {"exact": "insider"}}}
EVERY_HOOK = tuple(hook(kind) for kind in (
    "confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout"))

# What documents of one kind differ in.
AB_CONTOUR = ("status-weight-is-the-routes", "ab-conditions-of-contour")
WAITING = ("waiting-keeps-its-numbers", "hooks-are-told-the-phase")
ITERATIONS = ("status-weight-is-the-routes",)
SERVICES_ALONE = ("services-promote-after-the-last-iteration",)

STEPS = (
    Document("steps", steps(), acts=RELEASE, quick=True),
    Document("steps-gatewayapi", steps(), TRAEFIK, acts=RELEASE),
    Document("steps-overshoot", steps(30, 50), acts=RELEASE),
    Document("steps-clamped", steps(40, 100), acts=RELEASE),
    Document("steps-without-most", steps(50, None), acts=RELEASE, differs=["alerts-say-the-most"]),
    Document("steps-at-once", steps(100, 100), acts=RELEASE),
    Document("steps-listed", steps([1, 10, 80], None), acts=RELEASE, differs=["alerts-say-the-most"]),
    Document("steps-listed-beside-most", steps([20, 60], 50), acts=RELEASE),
    Document("steps-listed-gatewayapi", steps([5, 50], None), TRAEFIK, acts=RELEASE, differs=["alerts-say-the-most"]),
    Document("promotion-in-steps", steps(50, 50, stepWeightPromotion=25), acts=RELEASE),
    Document("promotion-in-steps-gatewayapi", steps(100, 100, stepWeightPromotion=50), TRAEFIK, acts=RELEASE),
)

AB = (
    Document("ab-header", iterations(2, match=[INSIDER]), acts=RELEASE, quick=True, differs=AB_CONTOUR),
    Document("ab-header-gatewayapi", iterations(2, match=[INSIDER]), TRAEFIK, acts=RELEASE, differs=ITERATIONS),
    Document("ab-regex-gatewayapi", iterations(2, match=[{"headers": {"cookie": {"regex": "^(.*?;)?(type=insider)(;.*)?$"}}}]),
             TRAEFIK, acts=RELEASE, differs=ITERATIONS),
    Document("ab-either-gatewayapi", iterations(2, match=[INSIDER, {"queryParams": {"canary": {"exact": "yes"}}}]),
             TRAEFIK, acts=RELEASE, differs=ITERATIONS),
    Document("ab-once", iterations(1, match=[INSIDER]), acts=RELEASE, differs=AB_CONTOUR),
)

BLUE_GREEN = (
    Document("blue-green", iterations(2), acts=RELEASE, differs=ITERATIONS),
    Document("blue-green-gatewayapi", iterations(2), TRAEFIK, acts=RELEASE, differs=ITERATIONS),
    Document("blue-green-once", iterations(1), acts=RELEASE, differs=ITERATIONS),
    Document("blue-green-services", services_alone(2), acts=RELEASE, quick=True, differs=SERVICES_ALONE),
    Document("blue-green-services-once", services_alone(1), acts=RELEASE, differs=SERVICES_ALONE),
)

METRICS = (
    Document("success-below", steps(), metrics={"success": ["98.9"]}, acts=RELEASE, ends=(FAILED,), quick=True),
    Document("success-at-the-limit", steps(), metrics={"success": ["99"]}, acts=RELEASE),
    Document("success-once-below", steps(), metrics={"success": ["90", "100"]}, acts=RELEASE),
    Document("success-now-and-then-below", steps(), metrics={"success": ["90", "100", "90"]}, acts=RELEASE, ends=(FAILED,)),
    Document("success-first-failure", steps(threshold=1), metrics={"success": ["100", "50"]}, acts=RELEASE, ends=(FAILED,)),
    Document("success-by-threshold", steps(metrics=[{"name": "request-success-rate", "interval": "2s", "threshold": 99}]),
             metrics={"success": ["98"]}, acts=RELEASE, ends=(FAILED,)),
    Document("duration-above", steps(), metrics={"duration": ["501"]}, acts=RELEASE, ends=(FAILED,)),
    Document("duration-at-the-limit", steps(), metrics={"duration": ["500"]}, acts=RELEASE),
    Document("query-above", steps(metrics=[custom(thresholdRange={"max": 1})]), metrics={"errors": ["1.5"]}, acts=RELEASE, ends=(FAILED,)),
    Document("query-within", steps(metrics=[custom(thresholdRange={"min": 1, "max": 2})]), metrics={"errors": ["1", "2"]}, acts=RELEASE),
    Document("query-below", steps(metrics=[custom(thresholdRange={"min": 1, "max": 2})]), metrics={"errors": ["0.5"]}, acts=RELEASE, ends=(FAILED,)),
    Document("query-by-threshold", steps(metrics=[custom(threshold=10)]), metrics={"errors": ["10", "11"]}, acts=RELEASE, ends=(FAILED,)),
    Document("template", steps(metrics=[{"name": "errors", "interval": "2s", "thresholdRange": {"max": 1}, "templateRef": {"name": "error-rate"},
                                         "templateVariables": {"side": "canary"}}]), metrics={"errors": ["1", "1.01"]}, acts=RELEASE, ends=(FAILED,)),
    Document("no-values", steps(metrics=[SUCCESS]), metrics={"success": [None]}, acts=RELEASE, ends=(FAILED,), differs=["what-cannot-be-told"]),
    Document("no-values-of-a-query", steps(metrics=[custom(thresholdRange={"max": 1})]),
             metrics={"errors": [None]}, acts=RELEASE, ends=(FAILED,), differs=["what-cannot-be-told"]),
    Document("query-refused", steps(metrics=[SUCCESS]), metrics={"success": [REFUSED]}, acts=RELEASE, ends=(FAILED,),
             variables={"canary_on_query_error": "fail"}, differs=["what-cannot-be-told"]),
    Document("success-below-ab", iterations(2, match=[INSIDER]), metrics={"success": ["50"]}, acts=RELEASE, ends=(FAILED,), differs=AB_CONTOUR),
    Document("success-below-blue-green", iterations(3), metrics={"success": ["50"]}, acts=RELEASE, ends=(FAILED,)),
    Document("success-below-services", services_alone(3), metrics={"success": ["50"]}, acts=RELEASE, ends=(FAILED,)),
)

HOOKS = (
    Document("hooks", steps(webhooks=EVERY_HOOK), acts=RELEASE, quick=True),
    Document("hooks-blue-green-services", services_alone(2, webhooks=EVERY_HOOK), acts=RELEASE, differs=[*SERVICES_ALONE, *["blue-green-gates"]]),
    Document("hooks-ab", iterations(2, match=[INSIDER], webhooks=EVERY_HOOK), acts=RELEASE, differs=[*AB_CONTOUR, *["ab-gate-before-users"]]),
    Document("hooks-accepted", steps(webhooks=[hook("pre-rollout"), hook("rollout")]), hooks={"pre-rollout": [202], "rollout": [201]}, acts=RELEASE),
    Document("hooks-without-content", steps(webhooks=[hook("rollout")]), hooks={"rollout": [204, 200]}, acts=RELEASE,
             differs=["no-content-is-success"]),
    Document("confirm-rollout-closed", steps(webhooks=[hook("confirm-rollout")]), hooks={"confirm-rollout": [403, 403, 200]}, acts=RELEASE),
    Document("pre-rollout-fails", steps(webhooks=[hook("pre-rollout")]), hooks={"pre-rollout": [400]}, acts=RELEASE, ends=(FAILED,),
             differs=["starting-is-told-once"]),
    Document("pre-rollout-fails-once", steps(webhooks=[hook("pre-rollout")]), hooks={"pre-rollout": [400, 200]}, acts=RELEASE,
             differs=["starting-is-told-once"]),
    Document("rollout-fails", steps(webhooks=[hook("rollout")]), hooks={"rollout": [400]}, acts=RELEASE, ends=(FAILED,)),
    Document("rollout-fails-once", steps(webhooks=[hook("rollout")]), hooks={"rollout": [200, 400, 200]}, acts=RELEASE),
    Document("confirm-traffic-increase-closed", steps(webhooks=[hook("confirm-traffic-increase"), hook("rollout")]),
             hooks={"confirm-traffic-increase": [200, 403, 403, 200]}, acts=RELEASE, differs=["closed-gates-are-told-once"]),
    Document("confirm-promotion-closed", steps(webhooks=[hook("confirm-promotion")]),
             hooks={"confirm-promotion": [403, 403, 200]}, acts=RELEASE, differs=WAITING),
    Document("confirm-promotion-closed-silently", steps(webhooks=[hook("confirm-promotion", muteAlert=True)]),
             hooks={"confirm-promotion": [403, 200]}, acts=RELEASE, differs=WAITING),
    Document("confirm-promotion-closed-services", services_alone(2, webhooks=[hook("confirm-promotion")]),
             hooks={"confirm-promotion": [403, 200]}, acts=RELEASE,
             differs=[*SERVICES_ALONE, *WAITING, "waiting-is-no-iteration", "open-gates-are-asked-once"]),
    Document("confirm-promotion-closed-ab", iterations(2, match=[INSIDER], webhooks=[hook("confirm-promotion")]),
             hooks={"confirm-promotion": [403, 200]}, acts=RELEASE, differs=[*AB_CONTOUR, *WAITING, "waiting-is-no-iteration"]),
    Document("rollback-asked-for", steps(**BUSY, webhooks=[hook("rollback")]), acts=(*RELEASE, Act(nothing, {"rollback": [200]}, weight=25)),
             ends=(FAILED,), differs=["rollback-hooks-are-quiet"]),
    Document("post-rollout-fails", steps(webhooks=[hook("post-rollout", "first"), hook("post-rollout", "second")]), hooks={"first": [400]}, acts=RELEASE,
             differs=["every-post-rollout-hook-is-called"]),
    Document("post-rollout-of-a-failure", steps(webhooks=[hook("post-rollout")]), metrics={"success": ["0"]}, acts=RELEASE, ends=(FAILED,)),
)

SKIPPED = (
    Document("skip-analysis", steps(spec__skipAnalysis=True, webhooks=EVERY_HOOK),
             metrics={"success": ["0"]}, acts=RELEASE, quick=True, differs=["skipping-waits-for-the-primary"]),
    Document("skip-analysis-services", services_alone(2, spec__skipAnalysis=True), acts=RELEASE, differs=["skipping-waits-for-the-primary"]),
    Document("skip-analysis-in-mid-walk", steps(**BUSY), acts=(*RELEASE, Act(skip_analysis, weight=25, anew=True)),
             differs=["skipping-waits-for-the-primary", "skipping-promotes-as-ever"]),
)

READINESS = (
    Document("never-ready", steps(spec__progressDeadlineSeconds=40), acts=(Act(release("unready")),), ends=(FAILED,), differs=["deadline-is-told"]),
    Document("crashes", steps(spec__progressDeadlineSeconds=40), acts=(Act(release("crash")),), ends=(FAILED,), differs=["deadline-is-told"]),
    Document("late", steps(), acts=(Act(release("late")),), quick=True),
)

REVISIONS = (
    Document("second-release", steps(**BUSY), acts=(*RELEASE, Act(release("3"), weight=25)), quick=True),
    Document("second-release-blue-green-services", services_alone(2, **BUSY), acts=(*RELEASE, Act(release("3"), iterations=1)), differs=SERVICES_ALONE),
    Document("second-release-ab", iterations(2, match=[INSIDER], **BUSY), acts=(*RELEASE, Act(release("3"), iterations=1)), differs=AB_CONTOUR),
    Document("second-release-waiting", steps(**BUSY, webhooks=[hook("confirm-rollout")]), hooks={"confirm-rollout": [403, 403, 403, 200]},
             acts=(*RELEASE, Act(release("3"), phase="Waiting")), differs=["each-revision-waits-aloud"]),
    Document("release-after-a-failure", steps(threshold=1), metrics={"success": ["0", "100"]}, acts=(*RELEASE, Act(release("3"), phase=FAILED))),
    Document("release-after-a-success", steps(), acts=(*RELEASE, Act(release("3"), phase=SUCCEEDED))),
    Document("set-back", steps(**BUSY), acts=(*RELEASE, Act(release("1"), weight=25)), differs=["set-back-ends-the-walk"]),
    Document("set-back-after-a-failure", steps(threshold=1), metrics={"success": ["0"]}, acts=(*RELEASE, Act(release("1"), phase=FAILED)), ends=(FAILED,),
             nothing=True),
)


def _service(**more: Any) -> dict[str, Any]:
    return {"service": more}


METADATA = {"labels": {"team": "payments"}, "annotations": {"example.com/owner": "payments"}}
OWN_APEX = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo", "labels": {"own": "yes"}, "annotations": {"example.com/own": "yes"}},
            "spec": {"selector": {"app": "podinfo"}, "ports": [{"name": "http", "port": 80, "targetPort": 9898}]}}

SERVICES = (
    Document("service-by-another-name", {**services_alone(1), **_service(name="frontend")}, acts=RELEASE, differs=SERVICES_ALONE),
    Document("service-ports", {**services_alone(1), **_service(port=9000, portName="web", targetPort="http", appProtocol="http", portDiscovery=True)},
             acts=RELEASE, differs=SERVICES_ALONE),
    Document("service-metadata", {**steps(), **_service(apex=METADATA, primary=METADATA, canary=METADATA)}, acts=RELEASE,
             differs=["routes-have-the-documents-labels"], quick=True),
    Document("service-own-apex", services_alone(1), acts=RELEASE, objects=[OWN_APEX], differs=[*SERVICES_ALONE, "users-objects-are-not-stamped"]),
    Document("service-timeout", {**steps(), **_service(timeout="15s", match=[{"uri": {"prefix": "/api"}}])}, acts=RELEASE),
    Document("service-of-a-route", {**steps(), **_service(
        timeout="15s", backendTimeout="5s", match=[{"uri": {"prefix": "/api"}}], rewrite={"uri": "/", "type": "ReplacePrefixMatch"},
        headers={"request": {"add": {"x-a": "1"}, "remove": ["x-b"]}, "response": {"set": {"x-c": "2"}}})}, TRAEFIK, acts=RELEASE),
)

DAEMON: dict[str, Any] = {"kind": "DaemonSet", "acts": RELEASE}

DAEMON_SETS = (
    Document("daemonset", steps(), **DAEMON, quick=True),
    Document("daemonset-gatewayapi", steps(), TRAEFIK, **DAEMON),
    Document("daemonset-blue-green-services", services_alone(2), **DAEMON, differs=SERVICES_ALONE),
    Document("daemonset-success-below", steps(threshold=1), metrics={"success": ["0"]}, **DAEMON, ends=(FAILED,)),
)


# -- a Service as the target --

VERSIONS = ("1", "2")


def two_versions(one: Release, walked: bool) -> None:
    """Two versions as Deployments of the user's own, and the target, which leads to the first of them."""
    one.kubectl("create", "namespace", one.namespace)
    if walked:
        one.make_walker()
    made = [_version(one, number) for number in VERSIONS]
    target = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": one.name, "labels": {"team": "payments"}},
              "spec": {"selector": {"app": one.name, "version": VERSIONS[0]}, "ports": [{"name": "http", "port": 80, "targetPort": 9898}]}}
    one.apply(*made, target, *one.routing.root(one.namespace, one.name, one.host))
    for deployment in made:
        one.kubectl("rollout", "status", f"deployment/{deployment['metadata']['name']}", f"--timeout={one.patience}s")


def _version(one: Release, number: str) -> dict[str, Any]:
    made = one.deployment(f"lab.local/testapp:{number}", VERSION=number)
    labels = {"app": one.name, "version": number}
    made.update(kind="Deployment", metadata={"name": f"{one.name}-v{number}", "labels": labels})
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = labels
    return made


def point(number: str = "2") -> Callable[[Release], None]:
    """A release by the target's selector."""
    return lambda one: one.kubectl("patch", "service", one.name, "--type=merge", "-p", json.dumps({"spec": {"selector": {"version": number}}}))


# Flagger's copies of a Service have its addresses in clusterIPs, which no API server takes since there is this field (Kubernetes 1.20). In Protobuf it has the
# number 18; under 31, which nobody reads, it is left out.
WITHOUT_ADDRESSES = ("/services", r"\x92\x01(?=(?s:.)\d+\.\d+\.\d+\.\d+)", "\xfa\x01")
SELECTS: dict[str, Any] = {"kind": "Service", "starts": two_versions, "acts": (Act(point()),), "helped": WITHOUT_ADDRESSES}
LABELS = ("services-without-the-targets-labels",)
BY_SERVICE = {"spec__targetRef": {"apiVersion": "v1", "kind": "Service", "name": "podinfo"}, "spec__service": {"port": 80}}

SERVICE_TARGETS = (
    Document("service-target", {**steps(), **BY_SERVICE}, **SELECTS, differs=LABELS, quick=True),
    Document("service-target-blue-green", {**iterations(2), **BY_SERVICE}, **SELECTS, differs=[*ITERATIONS, *LABELS]),
    Document("service-target-success-below", {**steps(threshold=1), **BY_SERVICE}, metrics={"success": ["0"]}, **SELECTS, ends=(FAILED,),
             differs=[*LABELS, "nobody-is-led-to-what-was-rejected"]),
)


# -- ConfigMaps and Secrets --

OPTED_OUT = {"flagger.app/config-tracking": "disabled"}


def settings(version: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "podinfo", "labels": {"team": "payments"}, "annotations": dict(annotations or {})},
            "data": {"VERSION": version}}


def secret(token: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "podinfo"}, "stringData": {"token": token}}


def reads(annotations: Mapping[str, str] | None = None) -> Callable[[Release, bool], None]:
    """The app reads a ConfigMap by variables and as files, and a key of a Secret."""
    def starts(one: Release, walked: bool) -> None:
        one.start_app(walked=walked, VERSION="0")
        deployment = one.deployment()
        pod = deployment["spec"]["template"]["spec"]
        pod["volumes"] = [{"name": "settings", "configMap": {"name": "podinfo"}}]
        pod["containers"][0].update(
            env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "podinfo", "key": "token"}}}], envFrom=[{"configMapRef": {"name": "podinfo"}}],
            volumeMounts=[{"name": "settings", "mountPath": "/settings"}])
        one.apply(settings("1", annotations), secret("sesame"), deployment)
        one.kubectl("rollout", "status", f"deployment/{one.name}", f"--timeout={one.patience}s")
    return starts


def set_image(version: str = "2") -> Callable[[Release], None]:
    return lambda one: one.kubectl("set", "image", f"deployment/{one.name}", f"app=lab.local/testapp:{version}")


def change(*objects: Mapping[str, Any]) -> Callable[[Release], None]:
    """Objects as a person applies them."""
    return lambda one: one.apply(*(dict(obj) for obj in objects))


READS: dict[str, Any] = {"starts": reads(), "rights": ["configs"], "differs": ["copies-by-content"]}

CONFIGS = (
    Document("configs", steps(), **READS, acts=(Act(set_image()),)),
    Document("config-map-alone", steps(), **READS, acts=(Act(change(settings("2"))),), quick=True),
    Document("secret-alone-services", services_alone(2), **{**READS, "differs": [*READS["differs"], *SERVICES_ALONE]}, acts=(Act(change(secret("open"))),)),
    Document("config-map-success-below", steps(threshold=1), metrics={"success": ["0"]}, **READS, acts=(Act(change(settings("2"))),), ends=(FAILED,)),
    Document("config-map-in-mid-walk", steps(**BUSY), **READS, acts=(Act(set_image()), Act(change(settings("2")), weight=25))),
    Document("config-map-opted-out", steps(), **{**READS, "starts": reads(OPTED_OUT)}, acts=(Act(change(settings("2", OPTED_OUT))),), nothing=True,
             ends=("Initialized",)),
)


# -- autoscalers --

def _scaled_by(kind: str, version: str, **more: Any) -> dict[str, Any]:
    return {"spec__autoscalerRef": {"apiVersion": version, "kind": kind, "name": "podinfo", **more}}


BOUNDS = {"primaryScalerReplicas": {"minReplicas": 1, "maxReplicas": 5}}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "podinfo", "labels": {"team": "payments"}},
       "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "minReplicas": 1, "maxReplicas": 3, "metrics": [CPU],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}
KEDA = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "podinfo", "labels": {"team": "payments"}},
        "spec": {"scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 1, "maxReplicaCount": 3, "pollingInterval": 10, "triggers": [
            {"type": "prometheus", "name": "requests", "metadata": {
                "serverAddress": "http://prometheus", "threshold": "5", "query": 'sum(rate(http_requests_total{app="podinfo"}[30s]))'}}]}}
BY_HPA: dict[str, Any] = {"objects": [HPA], "rights": ["autoscaler"], "acts": RELEASE}
BY_KEDA: dict[str, Any] = {"objects": [KEDA], "rights": ["scaled-object"], "acts": RELEASE}

AUTOSCALERS = (
    Document("hpa", {**steps(), **_scaled_by("HorizontalPodAutoscaler", "autoscaling/v2")}, **BY_HPA),
    Document("hpa-bounds", {**steps(), **_scaled_by("HorizontalPodAutoscaler", "autoscaling/v2", **BOUNDS)}, **BY_HPA, quick=True),
    Document("hpa-success-below", {**steps(threshold=1), **_scaled_by("HorizontalPodAutoscaler", "autoscaling/v2")}, metrics={"success": ["0"]}, **BY_HPA,
             ends=(FAILED,)),
    Document("keda", {**steps(), **_scaled_by("ScaledObject", "keda.sh/v1alpha1", **BOUNDS)}, **BY_KEDA),
    Document("keda-query", {**steps(), **_scaled_by("ScaledObject", "keda.sh/v1alpha1", primaryScalerQueries={"requests": "sum(primary)"})}, **BY_KEDA),
)

MIRRORING = (
    Document("mirror-blue-green-gatewayapi", iterations(2, mirror=True), CONTOUR, acts=RELEASE, differs=ITERATIONS, quick=True),
    Document("mirror-blue-green-below-gatewayapi", iterations(3, mirror=True), CONTOUR, metrics={"success": ["50"]}, acts=RELEASE, ends=(FAILED,)),
    Document("mirror-blue-green", iterations(2, mirror=True), acts=RELEASE, differs=[*ITERATIONS, "contour-mirrors"]),
    Document("mirror-steps", steps(mirror=True), acts=RELEASE, stalls=True, differs=["weighted-canaries-are-mirrored"]),
    Document("mirror-steps-gatewayapi", steps(mirror=True), CONTOUR, acts=RELEASE, stalls=True, differs=["weighted-canaries-are-mirrored"]),
)


def _weights_without_a_cookie(route: Mapping[str, Any]) -> dict[str, int]:
    """Those of the rule for everybody, wherever it stands; the others ask for a header."""
    rule = next(rule for rule in reversed(route["spec"]["rules"]) if not any(match.get("headers") for match in rule["matches"]))
    return {ref["name"]: ref.get("weight", 1) for ref in rule["backendRefs"]}


STICKY = dataclasses.replace(TRAEFIK, weights=_weights_without_a_cookie)
COOKIE = {"cookieName": "stays", "maxAge": 3600}

STAYS: dict[str, Any] = {"acts": RELEASE, "differs": ["cookies-are-forgotten-whole"]}

AFFINITY = (
    Document("affinity-gatewayapi", steps(sessionAffinity=COOKIE), STICKY, **STAYS, quick=True),
    Document("affinity-of-both-gatewayapi", steps(sessionAffinity={**COOKIE, "primaryCookieName": "rests", "domain": "example.com", "secure": True}), STICKY,
             **STAYS),
    Document("affinity-success-below-gatewayapi", steps(threshold=2, sessionAffinity=COOKIE), STICKY, metrics={"success": ["100", "0"]}, **STAYS,
             ends=(FAILED,)),
)

SECTIONS: tuple[tuple[Document, ...], ...] = (
    STEPS, AB, BLUE_GREEN, METRICS, HOOKS, SKIPPED, READINESS, REVISIONS, SERVICES, DAEMON_SETS, SERVICE_TARGETS, CONFIGS, AUTOSCALERS, MIRRORING, AFFINITY)
DOCUMENTS: tuple[Document, ...] = tuple(document for section in SECTIONS for document in section)
