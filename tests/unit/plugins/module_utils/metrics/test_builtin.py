# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built-in checks' queries, as Flagger's observers ask them."""

from __future__ import annotations

import re

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import METRICS_FROM
from ansible_collections.progressive.delivery.plugins.module_utils.canary.templates import names, render
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.builtin import (
    DURATION,
    OBSERVED_BY,
    OBSERVERS,
    SUCCESS_RATE,
    builtin,
)

VALUES = {"namespace": "test", "target": "podinfo", "interval": "60s"}
PODS = 'kubernetes_namespace="test",kubernetes_pod_name=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'


@pytest.mark.parametrize(("name", "query", "unit", "factor"), [
    (SUCCESS_RATE,
     f'sum(rate(http_request_duration_seconds_count{{{PODS},status!~"5.*"}}[60s]))'
     f' / sum(rate(http_request_duration_seconds_count{{{PODS}}}[60s])) * 100', "%", 1.0),
    (DURATION, f"histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{{{PODS}}}[60s])) by (le))", "ms", 1000.0),
])
@pytest.mark.parametrize("provider", ["gatewayapi:v1", "gatewayapi:v1beta1", "gatewayapi"])
def test_weak_spot_45_gateway_api_asks_for_the_applications_own_metric(provider: str, name: str, query: str, unit: str, factor: float) -> None:
    found = builtin(provider, name)
    assert (render(found.query, VALUES, {}), found.unit, found.factor) == (query, unit, factor)


BACKEND = ('service=~"httproute-test-.+-gw-.+-svc-test-web-canary-[0-9]+@kubernetesgateway'
           '|test-web-canary-[0-9a-zA-Z-]+@kubernetescrd"')
CLUSTER = 'envoy_cluster_name=~"test_web-canary_[0-9]+"'


@pytest.mark.parametrize(("word", "name", "query", "unit", "factor"), [
    ("envoy", SUCCESS_RATE,
     f'sum(rate(envoy_cluster_upstream_rq{{{CLUSTER},envoy_response_code!~"5.*"}}[60s]))'
     f' / sum(rate(envoy_cluster_upstream_rq{{{CLUSTER}}}[60s])) * 100', "%", 1.0),
    ("envoy", DURATION, f"histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{{{CLUSTER}}}[60s])) by (le))", "ms", 1.0),
    ("traefik", SUCCESS_RATE,
     f'sum(rate(traefik_service_requests_total{{{BACKEND},code!~"5.*"}}[60s]))'
     f' / sum(rate(traefik_service_requests_total{{{BACKEND}}}[60s])) * 100', "%", 1.0),
    ("traefik", DURATION, f"histogram_quantile(0.99, sum(rate(traefik_service_request_duration_seconds_bucket{{{BACKEND}}}[60s])) by (le))", "ms", 1000.0),
])
def test_a_gateways_own_metrics_are_asked_for_the_canarys_backend(word: str, name: str, query: str, unit: str, factor: float) -> None:
    found = builtin("gatewayapi:v1", name, word)
    assert (render(found.query, {**VALUES, "service": "web"}, {}), found.unit, found.factor) == (query, unit, factor)


# As Contour 1.33.8 with Envoy 1.40 and Traefik 3.7.15 name them for a Gateway API route, an HTTPProxy or a TraefikService.
_ROUTE = "gw-gateway-system-traefik-ep-web-0-8255adc3b91295564964"
SEEN = {
    "envoy": {"test_web-canary_80": True, "test_web-primary_80": False, "test_web_80": False, "other_web-canary_80": False,
              "pre-test_web-canary_80": False, "test_my-web-canary_80": False, "test_web-canary-canary_80": False},
    "traefik": {f"httproute-test-web-{_ROUTE}-svc-test-web-canary-1@kubernetesgateway": True,
                "test-web-canary-80@kubernetescrd": True, "test-web-canary-http@kubernetescrd": True,
                "test-web-primary-80@kubernetescrd": False, "test-web-80@kubernetescrd": False, "test-my-web-canary-80@kubernetescrd": False,
                "other-web-canary-80@kubernetescrd": False, "pre-test-web-canary-80@kubernetescrd": False,
                f"httproute-test-public-{_ROUTE}-svc-test-web-canary-0@kubernetesgateway": True,
                f"httproute-test-web-{_ROUTE}-svc-test-web-primary-0@kubernetesgateway": False,
                f"httproute-test-web-{_ROUTE}-svc-test-web-0@kubernetesgateway": False,
                f"httproute-test-my-web-{_ROUTE}-svc-test-my-web-canary-1@kubernetesgateway": False,
                f"httproute-other-web-{_ROUTE}-svc-other-web-canary-1@kubernetesgateway": False,
                f"httproute-pre-test-web-{_ROUTE}-svc-pre-test-web-canary-1@kubernetesgateway": False},
}


@pytest.mark.parametrize(("word", "label", "counts"), [(word, *entry) for word, entries in SEEN.items() for entry in entries.items()])
@pytest.mark.parametrize("name", [SUCCESS_RATE, DURATION])
def test_only_the_canarys_backend_of_this_namespace_counts(word: str, label: str, counts: bool, name: str) -> None:
    query = render(builtin("gatewayapi:v1", name, word).query, {**VALUES, "service": "web"}, {})
    patterns = re.findall(r'(?:service|envoy_cluster_name)=~"([^"]+)"', query)
    assert patterns and all(bool(re.fullmatch(pattern, label)) == counts for pattern in patterns)


@pytest.mark.parametrize("name", [SUCCESS_RATE, DURATION])
@pytest.mark.parametrize(("kind", "own", "of_primary"), [
    ("Deployment", "podinfo-7d9f8b6c5-x2x4z", "podinfo-primary-7d9f8b6c5-x2x4z"), ("DaemonSet", "podinfo-x2x4z", "podinfo-primary-x2x4z")])
def test_weak_spot_45_pods_are_those_of_the_target_whatever_its_kind(kind: str, own: str, of_primary: str, name: str) -> None:
    """By the pattern for Deployments, the pods of a DaemonSet's primary would be taken for the canary's."""
    query = render(builtin("gatewayapi:v1", name, kind=kind).query, VALUES, {})
    patterns = re.findall(r'kubernetes_pod_name=~"([^"]+)"', query)
    assert patterns and all(re.fullmatch(pattern, own) and not re.fullmatch(pattern, of_primary) for pattern in patterns)


def test_contour_is_judged_by_its_envoy_unless_told_otherwise() -> None:
    assert builtin("contour", DURATION) == builtin("gatewayapi:v1", DURATION, "envoy")
    assert builtin("contour", DURATION, "app") == builtin("gatewayapi:v1", DURATION)


def test_the_success_rate_knows_how_to_ask_for_any_traffic() -> None:
    traffic = render(builtin("gatewayapi:v1", SUCCESS_RATE).traffic, VALUES, {})
    assert traffic == f"sum(rate(http_request_duration_seconds_count{{{PODS}}}[60s]))"


@pytest.mark.parametrize("observer", OBSERVERS)
def test_every_observer_has_both_checks_and_renders(observer: str) -> None:
    assert set(OBSERVERS[observer]) == {SUCCESS_RATE, DURATION}
    assert all("interval" in names(check.query) for check in OBSERVERS[observer].values())


def test_every_word_of_the_variable_has_its_observer() -> None:
    assert set(OBSERVERS) == set(METRICS_FROM)


def test_every_provider_leads_to_an_observer() -> None:
    assert set(OBSERVED_BY.values()) <= set(OBSERVERS)


def test_an_unknown_provider_or_check_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="spec.provider: there are no built-in checks for nomad"):
        builtin("nomad:v1", SUCCESS_RATE)
    with pytest.raises(SpecError, match="request-rate is not a built-in check"):
        builtin("gatewayapi:v1", "request-rate")
