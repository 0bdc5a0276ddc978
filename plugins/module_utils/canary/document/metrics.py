# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``analysis.metrics``: each check with its range, its query and where the query goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import templates as queries
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import MISSING, NOT_YET, Fields, Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import TemplateError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Check, MetricProvider

# Of built-in checks in Flagger; there a template has no default, and renders {{ interval }} to nothing (weak spot 44).
INTERVAL = 60.0

_KINDS_OF_CHECK = f"templateRef, query, or one of the names {' and '.join(flagger.BUILTINS)}"
_RANGE = "thresholdRange with min, max or both"


@dataclass(frozen=True)
class Surroundings:
    """What the checks and alerts of one document rest on beside their own fields."""

    namespace: str
    api_version: str
    metrics_server: str
    templates: Mapping[tuple[str, str], Mapping[str, Any]]
    alert_providers: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)


def by_name(templates: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """MetricTemplates or AlertProviders as read from the cluster, by namespace and name."""
    found = {}
    for template in templates:
        metadata = template["metadata"]
        found[(metadata["namespace"], metadata["name"])] = template
    return found


def read_checks(analysis: Fields, around: Surroundings) -> tuple[Check, ...]:
    """The checks in the document's order."""
    checks: list[Check] = []
    for index, entry in analysis.mappings("metrics", "a list of mappings with name and thresholdRange"):
        check = _check(index, entry, around)
        if check.name and any(check.name == other.name for other in checks):
            entry.refuse("name", f"{show(check.name)} is there twice", "accepted: a name of its own for each metric")
        checks.append(check)
    return tuple(checks)


def _check(index: int, entry: Fields, around: Surroundings) -> Check:
    name = entry.text("name", required=True)
    interval = entry.seconds("interval", default=INTERVAL)
    reference = entry.mapping("templateRef", "a mapping with name, and namespace if it is not the canary's")
    own = reference.present or entry.has("query")
    inline = entry.text("query", accepted="a query in the language of Prometheus")
    variables = entry.text_map("templateVariables")
    if name and not own and name not in flagger.BUILTINS:
        entry.findings.refuse(
            entry.path, f"{show(name)} is not a built-in check and has neither query nor templateRef", f"accepted: {_KINDS_OF_CHECK}")
    minimum, maximum = _limits(entry, name, own, around.api_version)
    if reference.present:
        query, provider = _template(entry, reference, variables, around)
        if inline:
            entry.refuse("query", "stands beside templateRef", "accepted: one of the two")
    else:
        query, provider = _inline(entry, inline, variables, around), MetricProvider(address=around.metrics_server)
    if own and name in flagger.BUILTINS:
        entry.warn("name", f"is that of a built-in check, but its {'template' if reference.present else 'query'} is used, and nothing else")
    entry.refuse_rest()
    return Check(
        index=index, name=name, builtin=not own, interval=interval, minimum=minimum, maximum=maximum, query=query, variables=variables,
        provider=provider)


def _limits(entry: Fields, name: str, own: bool, api_version: str) -> tuple[float | None, float | None]:
    """Minimum and maximum. ``threshold`` is the minimum of request-success-rate and the maximum of everything else."""
    given = entry.raw("thresholdRange") is not None
    limits = entry.mapping("thresholdRange", "a mapping with min, max or both")
    minimum, maximum = limits.number("min"), limits.number("max")
    limits.refuse_rest()
    threshold = entry.number("threshold")
    if given:
        if threshold is not None:
            entry.warn("threshold", "does not count beside thresholdRange")
        _check_range(entry, limits, name, minimum, maximum)
        return minimum, maximum
    if threshold is None:
        if not entry.is_wrong("threshold"):
            entry.refuse("thresholdRange", MISSING, f"{_without_limit(name, own)}; accepted: {_RANGE}")
        return None, None
    lowest = name == flagger.SUCCESS_RATE
    if own and name in flagger.BUILTINS:
        entry.refuse("threshold", f"can mean two things: '{name}' is a built-in check, and has a query of its own", f"accepted: {_RANGE}")
    elif api_version == flagger.V1BETA1:
        entry.warn("threshold", f"is deprecated: it is read as thresholdRange.{'min' if lowest else 'max'}")
    return (threshold, None) if lowest else (None, threshold)


def _check_range(entry: Fields, limits: Fields, name: str, minimum: float | None, maximum: float | None) -> None:
    if entry.is_wrong("thresholdRange"):
        return
    if minimum is None and maximum is None:
        entry.refuse("thresholdRange", "is empty", f"in Flagger it would pass whatever the value; accepted: {_RANGE}")
    elif minimum is not None and maximum is not None and minimum > maximum:
        entry.refuse("thresholdRange", f"min {show(minimum)} is above max {show(maximum)}", "accepted: min at most max")
    elif name == flagger.SUCCESS_RATE and minimum is not None and minimum > 100:
        limits.refuse("min", f"{show(minimum)} can never be reached", "accepted: percent, from 0 to 100")
    elif name == flagger.SUCCESS_RATE and minimum is not None and 0 < minimum <= 1:
        limits.warn("min", f"is in percent: {show(minimum)} means {show(minimum)} % of the requests")


def _without_limit(name: str, own: bool) -> str:
    if name == flagger.SUCCESS_RATE and not own:
        return "in Flagger it would pass whatever the value"
    return "in Flagger every value above 0 would fail"


def _inline(entry: Fields, query: str, variables: Mapping[str, str], around: Surroundings) -> str:
    if around.api_version == flagger.V1ALPHA3 and "{{" in query:
        entry.refuse("query", "holds {{, but queries of this apiVersion are no templates: Flagger sends them as they stand",
                     f"accepted: apiVersion {flagger.V1BETA1} for {{{{ namespace }}}} and the like")
    elif query:
        _check_query(entry.findings, entry.at("query"), query, entry, variables)
        if around.api_version == flagger.V1BETA1:
            entry.warn("query", "is deprecated: Flagger wants a MetricTemplate and templateRef")
    return query


def _template(entry: Fields, reference: Fields, variables: Mapping[str, str], around: Surroundings) -> tuple[str, MetricProvider]:
    """The query of a MetricTemplate and where it goes."""
    name = reference.text("name", formats.OBJECT_NAME, required=True)
    namespace = reference.text("namespace", formats.NAMESPACE, default=around.namespace)
    reference.refuse_rest()
    template = around.templates.get((namespace, name))
    if template is None:
        if name and namespace and not reference.is_wrong():
            entry.refuse("templateRef", f"there is no MetricTemplate '{name}' in namespace '{namespace}'",
                         "accepted: a MetricTemplate that exists; the namespace is the canary's where templateRef names none")
        return "", MetricProvider()
    whole = Fields({"spec": template.get("spec")}, f"MetricTemplate {namespace}/{name}", entry.findings, joint=" ")
    spec = whole.mapping("spec", "a mapping with provider and query", required=True)
    provider = _template_provider(spec, namespace)
    query = spec.text("query", required=True, accepted="a query in the language of Prometheus")
    if query:
        _check_query(entry.findings, spec.at("query"), query, entry, variables)
    spec.refuse_rest()
    return query, provider


def _template_provider(spec: Fields, namespace: str) -> MetricProvider:
    provider = spec.mapping("provider", "a mapping with type and address", required=True)
    kind = provider.raw("type")
    if kind in flagger.OTHER_METRIC_PROVIDERS:
        provider.take("type")
        provider.refuse("type", f"'{kind}' {NOT_YET}", f"accepted: {', '.join(flagger.METRIC_PROVIDERS)}")
    secret = provider.mapping("secretRef")
    read = MetricProvider(
        type=flagger.METRIC_PROVIDERS[0] if provider.is_wrong("type") else provider.choice("type", flagger.METRIC_PROVIDERS, required=True),
        # Only prometheus has no address of its own.
        address=provider.text("address", formats.URL, required=not provider.is_wrong("type")),
        headers=_header_lists(provider.mapping("headers")),
        secret=secret.text("name", formats.OBJECT_NAME, required=True),
        namespace=namespace,
        insecure_skip_verify=provider.flag("insecureSkipVerify"),
    )
    if read.insecure_skip_verify:
        provider.warn("insecureSkipVerify", f"is true: the certificate of {formats.url_shown(read.address)} is not verified, so anybody on the way may answer "
                                            "in its place, and read the credentials")
    secret.refuse_rest()
    provider.refuse_rest(flagger.TEMPLATE_PROVIDER_NOT_YET)
    return read


def _header_lists(headers: Fields) -> dict[str, tuple[str, ...]]:
    return {name: headers.texts(name) for name in headers.unread}


def _check_query(findings: Findings, path: str, query: str, entry: Fields, variables: Mapping[str, str]) -> None:
    """What can be known of a query before it is asked: it is a template that we can render, and its variables are there."""
    if "{%" in query:
        findings.refuse(path, "holds {%, which is a statement of Jinja and not of a query", "accepted: {{ namespace }} and the like")
        return
    try:
        asked = queries.names(query)
    except TemplateError as error:
        findings.refuse(path, str(error))
        return
    missing = [word.partition(".")[2] for word in asked if word.startswith("variables.") and word.partition(".")[2] not in variables]
    if missing and not entry.is_wrong("templateVariables"):
        entry.refuse("templateVariables", f"has no {' and no '.join(missing)}", f"{path} asks for it; accepted: a text for each variable")
