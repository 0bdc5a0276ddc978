# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two built-in checks, by observer: which series tell of the canary's requests.

The next observer is one more row of OBSERVERS, with its word in canary/spec.py's METRICS_FROM; a provider that uses it unasked is
one more in OBSERVED_BY. All of them measure the canary alone, never the primary. Queries are templates of canary/templates.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import APP, DAEMONSET, ENVOY, TRAEFIK

SUCCESS_RATE = "request-success-rate"
DURATION = "request-duration"

_WINDOW = "[{{ interval }}]"


@dataclass(frozen=True)
class Builtin:
    """A built-in check's query; ``factor`` brings its value to ``unit``."""

    query: str
    unit: str
    factor: float = 1.0
    traffic: str = ""                   # requests per second of any kind: tells "only failures" from "no traffic"


def _success_rate(metric: str, selector: str, success: str) -> Builtin:
    """Percent 0-100 of the counted requests that match the label filter ``success``."""
    good = f"sum(rate({metric}{{{selector},{success}}}{_WINDOW}))"
    every = f"sum(rate({metric}{{{selector}}}{_WINDOW}))"
    return Builtin(query=f"{good} / {every} * 100", unit="%", traffic=every)


def _p99(metric: str, selector: str, factor: float) -> Builtin:
    """The 99th percentile of a histogram; ``factor`` is how many milliseconds its buckets count in."""
    return Builtin(query=f"histogram_quantile(0.99, sum(rate({metric}{{{selector}}}{_WINDOW})) by (le))", unit="ms", factor=factor)


# The target's pods are <target>-<hash>-<id>; those of <target>-primary have one part more and do not match.
_HTTP = 'kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'

# Those of a DaemonSet are <target>-<id>, so that the pattern above fits the primary's, and none of its own: what users have would be judged.
_HTTP_OF_DAEMONSET = 'kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+"'

# The cluster's name is <namespace>_<Service>_<port>, and neither of the first two can hold a "_".
_ENVOY = 'envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9]+"'

# By the Gateway API httproute-<namespace>-<route>-gw-<...>-svc-<namespace>-<Service>-<number of the backend>, whatever the route is called;
# by a TraefikService <namespace>-<Service>-<port>.
_TRAEFIK = ('service=~"httproute-{{ namespace }}-.+-gw-.+-svc-{{ namespace }}-{{ service }}-canary-[0-9]+@kubernetesgateway'
            '|{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd"')


def _app(pods: str) -> Mapping[str, Builtin]:
    """The application's own metric, under the name that Flagger expects it."""
    return {
        SUCCESS_RATE: _success_rate("http_request_duration_seconds_count", pods, 'status!~"5.*"'),
        DURATION: _p99("http_request_duration_seconds_bucket", pods, factor=1000.0),
    }


OBSERVERS: Mapping[str, Mapping[str, Builtin]] = {
    APP: _app(_HTTP),
    # Contour's Envoy, the same for HTTPProxy and Gateway API; its histogram counts in milliseconds.
    ENVOY: {
        SUCCESS_RATE: _success_rate("envoy_cluster_upstream_rq", _ENVOY, 'envoy_response_code!~"5.*"'),
        DURATION: _p99("envoy_cluster_upstream_rq_time_bucket", _ENVOY, factor=1.0),
    },
    TRAEFIK: {
        SUCCESS_RATE: _success_rate("traefik_service_requests_total", _TRAEFIK, 'code!~"5.*"'),
        DURATION: _p99("traefik_service_request_duration_seconds_bucket", _TRAEFIK, factor=1000.0),
    },
}

# By the kind of the target, where its pods are called otherwise.
OF_KIND: Mapping[tuple[str, str], Mapping[str, Builtin]] = {(APP, DAEMONSET): _app(_HTTP_OF_DAEMONSET)}

# The document's provider, without its version, to the observer.
OBSERVED_BY: Mapping[str, str] = {
    "gatewayapi": APP,
    "contour": ENVOY,
    "traefik": TRAEFIK,
    "kubernetes": APP,
}


def builtin(provider: str, name: str, metrics_from: str = "", kind: str = "") -> Builtin:
    """The built-in check ``name`` for a document's provider such as ``gatewayapi:v1``, or for the observer that was asked for.

    ``kind`` is that of the target, empty for a Deployment.

    Raises SpecError when there are no built-in checks for the provider, or none of that name.
    """
    observer = metrics_from or OBSERVED_BY.get(provider.partition(":")[0])
    if observer is None:
        raise SpecError("spec.provider", f"there are no built-in checks for {provider}", f"there are for {', '.join(OBSERVED_BY)}")
    if name not in OBSERVERS[observer]:
        raise SpecError("spec.analysis.metrics.name", f"{name} is not a built-in check", f"built in are {', '.join(OBSERVERS[observer])}")
    return OF_KIND.get((observer, kind), OBSERVERS[observer])[name]
