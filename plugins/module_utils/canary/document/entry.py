# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole document: ``parse`` makes a Canary of it or says what is wrong, ``problems`` says all that is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.analysis import read_analysis
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.autoscaler import read_autoscaler
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import NOT_YET, Fields, Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.metrics import Surroundings, by_name
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.service import read_service
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    APP,
    DEPLOYMENT,
    ENVOY,
    METRICS_FROM,
    ROLLOUT,
    SERVICE,
    TRAEFIK,
    Canary,
    Metadata,
    Options,
)

PROGRESS_DEADLINE = 600

# Who has no metrics of what a provider routes; kubernetes routes nothing to anybody.
_BLIND = {flagger.CONTOUR: (TRAEFIK,), flagger.TRAEFIK: (ENVOY,), flagger.KUBERNETES: (ENVOY, TRAEFIK)}
# Whose built-in checks are about the metrics of the target's pods, unless told otherwise.
_COUNTS_PODS = (*flagger.GATEWAY_APIS, flagger.KUBERNETES)
_TARGET = "a mapping such as {apiVersion: apps/v1, kind: Deployment, name: podinfo}"
_DOCUMENT = f"a mapping with apiVersion ({' or '.join(flagger.API_VERSIONS)}), kind: Canary, metadata and spec"


def parse(document: Mapping[str, Any], *, templates: Sequence[Mapping[str, Any]] = (), alert_providers: Sequence[Mapping[str, Any]] = (),
          options: Options = Options(), source: str = "spec") -> Canary:
    """The canary that a document describes.

    ``templates`` are the MetricTemplates that ``template_refs`` names, as read from the cluster, ``alert_providers`` the AlertProviders of
    ``alert_provider_refs``; ``source`` is where the document comes from (object, file, spec). Raises SpecError for the first thing that is wrong.
    """
    canary, findings = _read(document, _Beside(templates, alert_providers), options, source)
    if findings.problems or canary is None:
        raise findings.problems[0]
    return canary


def problems(document: Mapping[str, Any], *, templates: Sequence[Mapping[str, Any]] = (), alert_providers: Sequence[Mapping[str, Any]] = (),
             options: Options = Options()) -> list[SpecError]:
    """Everything that is wrong, in the order of reading; empty when ``parse`` would succeed."""
    return _read(document, _Beside(templates, alert_providers), options, "spec")[1].problems


def template_refs(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Namespace and name of each MetricTemplate to be read, once. What is not well-formed is left out: ``parse`` refuses it."""
    return _refs(document, "metrics", "templateRef")


def alert_provider_refs(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same of AlertProviders."""
    return _refs(document, "alerts", "providerRef")


def _refs(document: Mapping[str, Any], entries: str, key: str) -> list[tuple[str, str]]:
    metadata, spec = _inside(document, "metadata"), _inside(document, "spec")
    found: dict[tuple[str, str], None] = {}
    for section in flagger.ANALYSIS.values():
        listed = _inside(spec, section).get(entries)
        for entry in listed if isinstance(listed, (list, tuple)) else ():
            reference = _inside(entry, key)
            namespace, name = reference.get("namespace") or metadata.get("namespace"), reference.get("name")
            if formats.fits(namespace, formats.NAMESPACE) and formats.fits(name, formats.OBJECT_NAME):
                found[(namespace, name)] = None
    return list(found)


def _inside(value: Any, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


@dataclass(frozen=True)
class _Beside:
    """The other objects that a Canary names."""

    templates: Sequence[Mapping[str, Any]]
    alert_providers: Sequence[Mapping[str, Any]]


def _read(document: Any, beside: _Beside, options: Options, source: str) -> tuple[Canary | None, Findings]:
    findings = Findings()
    if not isinstance(document, Mapping):
        findings.refuse("document", f"{show(document)} is not a mapping", f"accepted: {_DOCUMENT}")
        return None, findings
    whole = Fields(document, "", findings)
    api_version = whole.choice("apiVersion", flagger.API_VERSIONS, required=True)
    whole.choice("kind", ("Canary",), required=True)
    if findings.problems:
        return None, findings
    metadata = whole.mapping("metadata", "a mapping with name and namespace", required=True)
    name = metadata.text("name", formats.CANARY_NAME, required=True)
    namespace = metadata.text("namespace", formats.NAMESPACE, required=True)
    uid = metadata.take("uid")
    annotations = metadata.mapping("annotations")
    metrics_from = annotations.choice(flagger.METRICS_FROM, METRICS_FROM)
    for_flagger = annotations.take(flagger.SUSPEND_MEANS) == flagger.FLAGGER
    spec = whole.mapping("spec", "a mapping with provider, targetRef, service and analysis", required=True)
    # The cluster's business, not the author's.
    whole.take("status")
    whole.refuse_rest()
    canary = _canary(spec, api_version, name, namespace, beside, options)
    canary = dataclasses.replace(canary, source=source, uid=str(uid or ""), metrics_from=metrics_from or options.metrics_from,
                                 suspend=canary.suspend and not for_flagger)
    _check_metrics_from(annotations.at(flagger.METRICS_FROM) if metrics_from else "canary_metrics_from", canary, findings)
    _check_pods(spec.at(f"{flagger.ANALYSIS[api_version]}.metrics"), canary, findings)
    return dataclasses.replace(canary, warnings=tuple(findings.warnings)), findings


def _canary(spec: Fields, api_version: str, name: str, namespace: str, beside: _Beside, options: Options) -> Canary:
    provider = _provider(spec, options.provider)
    target, kind = _target(spec)
    _check_pause(kind, options, spec)
    autoscaler = read_autoscaler(spec, kind)
    adopted = options.route == "adopted"
    service = read_service(spec, target, provider, adopted)
    if adopted:
        service = dataclasses.replace(service, route=options.route_name, route_rule=options.route_rule)
    metrics_server = spec.text("metricsServer", formats.URL, default=options.metrics_server)
    _refuse_other_section(spec, api_version)
    around = Surroundings(namespace, api_version, metrics_server, by_name(beside.templates), by_name(beside.alert_providers))
    analysis = read_analysis(spec, around, options)
    canary = Canary(
        name=name,
        namespace=namespace,
        provider=provider,
        target=target,
        target_kind=kind,
        service=service,
        autoscaler=autoscaler,
        analysis=analysis,
        options=options,
        metrics_server=metrics_server,
        progress_deadline=float(spec.whole("progressDeadlineSeconds", 1, default=PROGRESS_DEADLINE)),
        skip_analysis=spec.flag("skipAnalysis"),
        suspend=spec.flag("suspend"),
        revert_on_deletion=spec.flag("revertOnDeletion"),
    )
    _check_strategy(spec, canary, flagger.ANALYSIS[api_version])
    if kind == SERVICE:
        _check_service_target(spec, canary)
    _check_metrics_server(spec, canary)
    spec.refuse_rest(flagger.SPEC_NOT_YET)
    if spec.present and not canary.skip_analysis and not analysis.checks and not analysis.of_type(ROLLOUT):
        spec.warn(flagger.ANALYSIS[api_version], "has neither metrics nor rollout webhooks: readiness alone decides")
    return canary


def _provider(spec: Fields, default: str) -> str:
    """The document's provider, else the option's: Flagger keeps it in a flag of its controller, so documents often leave it out."""
    accepted = f"accepted: {', '.join(flagger.PROVIDERS)}"
    value = spec.raw("provider")
    if not spec.has("provider") and default:
        return default
    if spec.present and not spec.has("provider"):
        of_flagger = flagger.FLAGGER_DEFAULT_PROVIDER
        spec.refuse("provider", f"is missing; Flagger would take its controller's default, {of_flagger}, which {NOT_YET}",
                    f"{accepted}; canary_provider gives one to documents without")
    elif value in flagger.OTHER_PROVIDERS or (isinstance(value, str) and value.startswith(flagger.OTHER_PROVIDER_PREFIXES)):
        spec.refuse("provider", f"{show(value)} {NOT_YET}", accepted)
    else:
        return spec.choice("provider", flagger.PROVIDERS)
    spec.take("provider")
    return ""


def _target(spec: Fields) -> tuple[str, str]:
    """Its name and its kind."""
    target = spec.mapping("targetRef", _TARGET, required=True)
    kind, version = target.raw("kind"), target.raw("apiVersion")
    if isinstance(version, str) and version.startswith(flagger.KNATIVE):
        target.take("apiVersion")
        target.take("kind")
        target.refuse("apiVersion", f"{show(version)} {NOT_YET}", f"accepted: {', '.join(flagger.TARGETS[SERVICE])}, for a Service of Kubernetes")
    else:
        target.choice("apiVersion", flagger.TARGETS.get(kind if isinstance(kind, str) else "", flagger.TARGETS[DEPLOYMENT]), required=True)
        kind = target.choice("kind", tuple(flagger.TARGETS), required=True)
    name = target.text("name", formats.TARGET_NAME, required=True)
    if target.has("namespace"):
        target.refuse("namespace", "is not a field of a target", "the target is in the namespace of the canary: leave it out")
        target.take("namespace")
    target.refuse_rest()
    # What another kind asks of the rest of the document, it asks where it is right itself.
    return name, DEPLOYMENT if target.is_wrong() or not kind else kind


def _check_pause(kind: str, options: Options, spec: Fields) -> None:
    """Nothing keeps an edit of another kind from its pods, so that the option would promise what nobody can hold (SAFETY 22)."""
    if options.pause_target and kind != DEPLOYMENT:
        spec.findings.refuse("canary_pause_target", f"a {kind} cannot be paused", f"accepted: false, or a target of kind {DEPLOYMENT}")


def _refuse_other_section(spec: Fields, api_version: str) -> None:
    """``canaryAnalysis`` in v1beta1, or ``analysis`` in v1alpha3: Flagger never sees it there."""
    section = flagger.ANALYSIS[api_version]
    for other in flagger.ANALYSIS.values():
        if other != section and spec.has(other):
            spec.take(other)
            spec.refuse(other, f"is not what {api_version} calls it", f"accepted: {section}")


def _check_metrics_from(path: str, canary: Canary, findings: Findings) -> None:
    blind = _BLIND.get(canary.provider, ())
    if canary.metrics_from in blind:
        accepted = ", ".join(word for word in METRICS_FROM if word not in blind)
        findings.refuse(path, f"'{canary.metrics_from}' has no metrics of what the provider {canary.provider} routes", f"accepted: {accepted}")


def _check_strategy(spec: Fields, canary: Canary, section: str) -> None:
    """Flagger makes ten iterations of steps that the provider cannot take; which weights users get is for the author to know."""
    steps = next((name for name, given in (("stepWeights", canary.analysis.step_weights), ("stepWeight", canary.analysis.step_weight)) if given), "")
    if canary.provider == flagger.KUBERNETES and steps and not canary.analysis.iterations:
        spec.refuse(f"{section}.{steps}", f"asks for weights, which the provider {flagger.KUBERNETES} does not have: Flagger makes 10 iterations of it",
                    "accepted: iterations in its place, such as iterations: 10")


def _check_service_target(spec: Fields, canary: Canary) -> None:
    """What a document can say of workloads, and what a Service has no part in."""
    service = canary.service
    if service.name != canary.target and not spec.is_wrong("service.name"):
        spec.refuse("service.name", f"{show(service.name)} is not the target's, which is a Service and keeps its name",
                    f"accepted: {canary.target}, or nothing")
    said = {"targetPort": service.target_port, "appProtocol": service.app_protocol, "portDiscovery": service.port_discovery, "headless": service.headless,
            "trafficDistribution": service.traffic_distribution}
    names = [name for name, value in said.items() if value]
    names += [name for name, given in (("apex", service.apex), ("primary", service.primary), ("canary", service.canary)) if given != Metadata()]
    if names:
        spec.warn("service", f"says {', '.join(names)}, which means nothing where the target is a Service, in Flagger too: its copies are as it is itself")


def _check_pods(path: str, canary: Canary, findings: Findings) -> None:
    """The built-in checks of the application's own metric go by the names of the target's pods."""
    by_pods = [check.name for check in canary.analysis.checks if check.builtin]
    observer = canary.metrics_from or (APP if canary.provider in _COUNTS_PODS else "")
    if canary.target_kind == SERVICE and by_pods and observer == APP:
        seeing = [word for word in METRICS_FROM if word != APP and word not in _BLIND.get(canary.provider, ())]
        others = f", or the gateway's own metrics by canary_metrics_from: {' or '.join(seeing)}" if seeing else ""
        findings.refuse(path, f"asks for {', '.join(by_pods)} of the target's pods, whose names nobody knows where the target is a Service",
                        f"accepted: a query or a template{others}")


def _check_metrics_server(spec: Fields, canary: Canary) -> None:
    """Built-in checks and inline queries have no address of their own."""
    if canary.metrics_server or canary.skip_analysis or spec.is_wrong("metricsServer"):
        return
    homeless = [check.name for check in canary.analysis.checks if not check.provider.namespace]
    if homeless:
        spec.refuse("metricsServer", f"is missing, and these metrics are asked there: {', '.join(homeless)}",
                    f"accepted: {formats.URL.accepted}; canary_metrics_server gives one to documents without")
