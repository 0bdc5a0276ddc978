# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a check of the document to its outcome: which query, rendered for which window, asked of whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Outcome
from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import hard_window
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary, Check, MetricProvider
from ansible_collections.progressive.delivery.plugins.module_utils.canary.templates import names, render
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import judge
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.builtin import Builtin, builtin
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import TIMEOUT
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sample import Sample

# More at a time would not make two cores faster, and would look like an attack to a small Prometheus.
AT_ONCE = 8

Secrets = Mapping[tuple[str, str], "Mapping[str, str] | CanaryError"]
"""By namespace and name what each Secret holds that a provider names, or why it could not be read."""


def window_of(check: Check, confirmed_for: float | None = None) -> float:
    """Seconds of evidence to ask for: the metric's interval, but nothing from before the weight was confirmed (SAFETY 12)."""
    return max(1.0, check.interval if confirmed_for is None else min(check.interval, confirmed_for))


@dataclass(frozen=True)
class Context:
    """What checks are about and whom they are asked of, when they do not say so themselves.

    ``values`` are the template functions but ``interval``; ``provider`` and ``metrics_from`` are the document's, for built-in
    checks, and so is the target's ``kind``; ``timeout`` is for one query, in seconds.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    metrics_server: str = ""
    timeout: float = TIMEOUT
    metrics_from: str = ""
    kind: str = ""


def context_of(canary: Canary) -> Context:
    """Without an ingress or a route object of its own, ``ingress`` and ``route`` are the target's name, as in Flagger."""
    values = {"name": canary.name, "namespace": canary.namespace, "target": canary.target, "service": canary.service.name,
              "ingress": canary.target, "route": canary.target}
    return Context(values, canary.provider, canary.metrics_server, metrics_from=canary.metrics_from, kind=canary.target_kind)


def evaluate_all(canary: Canary, checks: Sequence[Check], *, confirmed_for: float | None = None,
                 secrets: Secrets | None = None) -> tuple[Outcome, ...]:
    """The outcomes of a document's checks, asked at the same time and given in the order of ``checks``.

    ``confirmed_for`` is how many seconds ago the live weight was confirmed; None leaves every check its own interval.
    """
    return measure_all(context_of(canary), checks, confirmed_for=confirmed_for, secrets=secrets)


def evaluate(canary: Canary, check: Check, *, window: float, secret: Mapping[str, str] | None = None) -> Outcome:
    """The outcome of one check over the last ``window`` seconds; what cannot be asked is an outcome too, never an exception."""
    return measure(context_of(canary), check, window=window, secret=secret)


def measure_all(context: Context, checks: Sequence[Check], *, confirmed_for: float | None = None,
                secrets: Secrets | None = None) -> tuple[Outcome, ...]:
    """As ``evaluate_all``, for checks of no document."""
    def one(check: Check) -> Outcome:
        window = window_of(check, confirmed_for)
        try:
            return measure(context, check, window=window, secret=_secret(check.provider, secrets or {}))
        except MissingLibrary:
            raise
        except CanaryError as error:
            return judge(check, None, error=str(error), window=window)

    if len(checks) < 2:
        return tuple(map(one, checks))
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(checks))) as pool:
        return tuple(pool.map(one, checks))


def measure(context: Context, check: Check, *, window: float, secret: Mapping[str, str] | None = None) -> Outcome:
    """As ``evaluate``, for a check of no document."""
    try:
        source = builtin(context.provider, check.name, context.metrics_from, context.kind) if check.builtin else Builtin(query=check.query, unit="")
        seen = looks_back(source.query, window)
        provider = _provider(check, context)
        sample = _ask(source, check, _Asking(context, provider, secret or {}, window))
    except MissingLibrary:
        raise
    except CanaryError as error:
        return judge(check, None, error=str(error), window=window)
    outcome = judge(check, sample.value, series=sample.series, error=sample.error, unit=source.unit, window=seen)
    return dataclasses.replace(outcome, why="; ".join(filter(None, (outcome.why, *_noted(provider, sample)))))


def looks_back(query: str, window: float) -> float:
    """Seconds of the past that the query looks at, when ``{{ interval }}`` stands for ``window`` seconds."""
    hard = hard_window(query)
    return max(hard or 0.0, window) if hard is None or "interval" in names(query) else hard


def _secret(provider: MetricProvider, secrets: Secrets) -> Mapping[str, str]:
    if not provider.secret:
        return {}
    held = secrets.get((provider.namespace, provider.secret))
    if held is None:
        raise CanaryError(f"the Secret {provider.namespace}/{provider.secret} was not read")
    if isinstance(held, CanaryError):
        raise held
    return held


def _provider(check: Check, context: Context) -> MetricProvider:
    address = check.provider.address or context.metrics_server
    if not address:
        raise CanaryError("there is no Prometheus to ask: set spec.metricsServer or canary_metrics_server")
    if check.provider.type not in PROVIDERS:
        raise CanaryError(f"provider type {check.provider.type} is not supported; accepted: {', '.join(PROVIDERS)}")
    return dataclasses.replace(check.provider, address=address)


@dataclass(frozen=True)
class _Asking:
    """One check's way to its provider."""

    context: Context
    provider: MetricProvider
    secret: Mapping[str, str]
    window: float

    def ask(self, query: str, variables: Mapping[str, str]) -> Sample:
        values = {**self.context.values, "interval": f"{max(1, int(self.window))}s"}
        return PROVIDERS[self.provider.type].ask(render(query, values, variables), self.provider, self.secret, self.context.timeout)


def _ask(source: Builtin, check: Check, way: _Asking) -> Sample:
    sample = way.ask(source.query, check.variables)
    if source.traffic and not sample.error and not sample.series and way.ask(source.traffic, check.variables).value:
        # Where nothing but failures were ever counted there is no series of successes, and no quotient either.
        return Sample(0.0, 1)
    return sample if sample.value is None else dataclasses.replace(sample, value=sample.value * source.factor)


def _noted(provider: MetricProvider, sample: Sample) -> tuple[str, ...]:
    return tuple(f"{provider.type} warns: {warning}" for warning in sample.warnings)
