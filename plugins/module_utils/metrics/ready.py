# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before a walk: whether those who will be asked for metrics answer at all, and whether they understand the queries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary, Check, MetricProvider
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import QUERY_ERROR
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.evaluate import Secrets, evaluate_all

# Words of an answer that will not be another one later: a query that cannot be read, or that is not aggregated to one number.
_FOR_GOOD = ("answered 400", "answered 422", "query returned")


def secrets_of(canary: Canary) -> list[tuple[str, str]]:
    """Namespace and name of each Secret that the providers of the document name."""
    return sorted({(check.provider.namespace, check.provider.secret) for check in canary.analysis.checks if check.provider.secret})


def objections(canary: Canary, document: Mapping[str, Any], secrets: Secrets) -> tuple[list[SpecError], list[str]]:
    """What forbids a walk, and what people should know: each provider is asked once, and then each query of the document's own once.

    ``document`` is the Canary as people wrote it, for the names of its fields. A canary without traffic has no data yet, which says nothing.
    """
    if canary.skip_analysis:
        return [], []
    problems = list(_unusable(canary, document, secrets))
    if problems:
        return problems, []
    return _misunderstood(canary, document, secrets)


def _unusable(canary: Canary, document: Mapping[str, Any], secrets: Secrets) -> Iterator[SpecError]:
    asked: set[tuple[str, str, str, str]] = set()
    for check in canary.analysis.checks:
        provider = _provider(canary, check)
        key = (provider.type, provider.address, provider.namespace, provider.secret)
        if key in asked:
            continue
        asked.add(key)
        secret = secrets.get((provider.namespace, provider.secret), {}) if provider.secret else {}
        address = _fields(document, check, canary.namespace)[0]
        if isinstance(secret, CanaryError):
            yield SpecError(address.replace("address", "secretRef.name"), str(secret), "accepted: a Secret that exists and may be read")
            continue
        why = PROVIDERS[provider.type].online(provider, secret, field=address)
        if why:
            yield SpecError(address, why.removeprefix(f"{address}: "), f"accepted: the address of a {provider.type} that answers from here")


def _misunderstood(canary: Canary, document: Mapping[str, Any], secrets: Secrets) -> tuple[list[SpecError], list[str]]:
    problems, warnings = [], []
    own = {check.index: check for check in canary.analysis.checks if not check.builtin}
    for outcome in evaluate_all(canary, list(own.values()), secrets=secrets):
        if not outcome.why.startswith(QUERY_ERROR):
            continue
        field = _fields(document, own[outcome.index], canary.namespace)[1]
        why = outcome.why.removeprefix(f"{QUERY_ERROR}: ")
        if any(words in why for words in _FOR_GOOD):
            problems.append(SpecError(field, why, "accepted: a query that the server answers with one number"))
        else:
            warnings.append(f"{field}: {why}")
    return problems, warnings


def _provider(canary: Canary, check: Check) -> MetricProvider:
    return check.provider if check.provider.address else dataclasses.replace(check.provider, address=canary.metrics_server)


def _fields(document: Mapping[str, Any], check: Check, namespace: str) -> tuple[str, str]:
    """Where the address and the query of a check are written."""
    spec = document.get("spec") or {}
    section = next((name for name in flagger.ANALYSIS.values() if spec.get(name)), flagger.ANALYSIS[flagger.V1BETA1])
    entry = spec[section]["metrics"][check.index]
    reference = entry.get("templateRef")
    if reference:
        place = f"MetricTemplate {reference.get('namespace') or namespace}/{reference['name']} spec"
        return f"{place}.provider.address", f"{place}.query"
    return "spec.metricsServer" if spec.get("metricsServer") else "canary_metrics_server", f"spec.{section}.metrics[{check.index}].query"
