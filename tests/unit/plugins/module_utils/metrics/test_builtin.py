# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built-in checks' queries, as Flagger's observers ask them."""

from __future__ import annotations

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
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
def test_ws_45_gateway_api_asks_for_the_applications_own_metric(provider: str, name: str, query: str, unit: str, factor: float) -> None:
    found = builtin(provider, name)
    assert (render(found.query, VALUES, {}), found.unit, found.factor) == (query, unit, factor)


def test_the_success_rate_knows_how_to_ask_for_any_traffic() -> None:
    traffic = render(builtin("gatewayapi:v1", SUCCESS_RATE).traffic, VALUES, {})
    assert traffic == f"sum(rate(http_request_duration_seconds_count{{{PODS}}}[60s]))"


@pytest.mark.parametrize("observer", OBSERVERS)
def test_every_observer_has_both_checks_and_renders(observer: str) -> None:
    assert set(OBSERVERS[observer]) == {SUCCESS_RATE, DURATION}
    assert all("interval" in names(check.query) for check in OBSERVERS[observer].values())


def test_every_provider_leads_to_an_observer() -> None:
    assert set(OBSERVED_BY.values()) <= set(OBSERVERS)


def test_an_unknown_provider_or_check_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="spec.provider: there are no built-in checks for nomad"):
        builtin("nomad:v1", SUCCESS_RATE)
    with pytest.raises(SpecError, match="request-rate is not a built-in check"):
        builtin("gatewayapi:v1", "request-rate")
