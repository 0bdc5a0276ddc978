# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that Flagger knows: what of them is supported, and why the rest is refused.

A field that means something in Flagger is never ignored: each of these tables gives, for every such field of one mapping,
what to do about it. When one becomes supported, its line goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, DEPLOYMENT, HPA, KUBERNETES, SCALED_OBJECT, SERVICE

GROUP = "flagger.app"
# What Flagger puts on a Canary with revertOnDeletion, and we too: without it, one that Flagger left there would never go.
FINALIZER = "finalizer.flagger.app"
V1BETA1 = f"{GROUP}/v1beta1"
V1ALPHA3 = f"{GROUP}/v1alpha3"
API_VERSIONS = (V1BETA1, V1ALPHA3)
# What v1beta1 and v1alpha3 call the same section.
ANALYSIS = {V1BETA1: "analysis", V1ALPHA3: "canaryAnalysis"}

GATEWAYAPI = "gatewayapi:v1"
GATEWAYAPI_BETA = "gatewayapi:v1beta1"
GATEWAY_APIS = (GATEWAYAPI, GATEWAYAPI_BETA)
CONTOUR = "contour"
TRAEFIK = "traefik"
PROVIDERS = (*GATEWAY_APIS, CONTOUR, TRAEFIK, KUBERNETES)
OTHER_PROVIDERS = (
    "apisix", "appmesh", "appmesh:v1beta2", "gloo", "istio", "knative", "kuma", "linkerd",
    "nginx", "osm", "skipper", "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3",
)
# Flagger also takes these with a name behind the colon.
OTHER_PROVIDER_PREFIXES = ("gloo:", "smi:", "supergloo:")
# Where Flagger's controller goes without spec.provider and without a flag of its own.
FLAGGER_DEFAULT_PROVIDER = "istio"

# Kinds of targets, by the API group and version that they are of.
TARGETS: Mapping[str, tuple[str, ...]] = {DEPLOYMENT: ("apps/v1",), DAEMONSET: ("apps/v1",), SERVICE: ("v1", "core/v1")}
# Of another Service than Kubernetes' own, by the beginning of its apiVersion.
KNATIVE = "serving.knative.dev/"

AUTOSCALER_API_VERSIONS = {HPA: ("autoscaling/v2",), SCALED_OBJECT: ("keda.sh/v1alpha1",)}
# The same object, which the API server tells in the form of any version that it serves.
OLD_AUTOSCALER_API_VERSIONS = {HPA: ("autoscaling/v2beta2", "autoscaling/v2beta1", "autoscaling/v1"), SCALED_OBJECT: ()}

# Not Flagger's: its documents have no field for it.
METRICS_FROM = "progressive.delivery/metrics-from"
# On a Canary that is taken over: by this word its spec.suspend holds for Flagger alone.
SUSPEND_MEANS = "progressive.delivery/suspend-means"
FLAGGER = "flagger"

METRIC_PROVIDERS = ("prometheus",)
OTHER_METRIC_PROVIDERS = (
    "influxdb", "datadog", "externalmetrics", "stackdriver", "cloudwatch", "newrelic", "graphite", "dynatrace", "keptn", "splunk",
)
SLACK = "slack"
ALERT_PROVIDERS = (SLACK, "msteams", "discord", "rocket", "gchat")
# Not Flagger's: JSON for whoever reads it.
ALERT_WEBHOOK = "webhook"
SUCCESS_RATE = "request-success-rate"
DURATION = "request-duration"
BUILTINS = (SUCCESS_RATE, DURATION)

_ISTIO = "it means something to the provider istio only, and nothing to this one, in Flagger too: leave it out"
_APPMESH = "it means something to the provider appmesh only, and nothing to this one, in Flagger too: leave it out"

SPEC_NOT_YET = {
    "ingressRef": "it is for the providers nginx and skipper; gatewayapi:v1 has service.gatewayRefs",
    "routeRef": "it is for the provider apisix; gatewayapi:v1 has service.gatewayRefs",
    "upstreamRef": "it is for the provider gloo; gatewayapi:v1 has service.gatewayRefs",
}
SERVICE_NOT_YET = {
    "gateways": "it is for the provider istio; accepted: gatewayRefs with gatewayapi:v1",
    "delegation": _ISTIO,
    "trafficPolicy": _ISTIO,
    "retries": "gatewayapi:v1 has no retries, in Flagger too: leave it out",
    "meshName": _APPMESH,
    "backends": _APPMESH,
}
MATCH_NOT_YET = {
    key: ("no provider here can match on it, and in Flagger they leave it out in silence; accepted: uri with contour, uri, method, headers, queryParams "
          "with gatewayapi:v1")
    for key in ("scheme", "authority", "port", "sourceLabels", "gateways", "ignoreUriCase", "withoutHeaders", "sourceNamespace")
}
CORS_NOT_YET = {"allowOrigins": "gatewayapi:v1 knows no patterns of origins; accepted: allowOrigin, a list of texts"}
TEMPLATE_PROVIDER_NOT_YET = {"region": "it is for the provider type cloudwatch"}
