# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import withheld
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import alert_provider_refs, parse, problems, template_refs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.flagger import (
    OTHER_METRIC_PROVIDERS,
    OTHER_PROVIDERS,
    SERVICE_NOT_YET,
    SPEC_NOT_YET,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import freeze, thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import dump, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.outline import hooks_lines
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import (
    Affinity,
    Alert,
    AlertProvider,
    Autoscaler,
    Canary,
    Check,
    Hook,
    MetricProvider,
    Options,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import sequence
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import alert_provider, alerted, change, good, template
from hypothesis import given, settings
from hypothesis import strategies as st


def parsed(changes: dict[str, Any] | None = None, **arguments: Any) -> Canary:
    """The good document with some fields set; ``...`` drops one."""
    document = good()
    for path, value in (changes or {}).items():
        change(document, path, value)
    return parse(document, templates=[template()], **arguments)


def metric(**fields: Any) -> Check:
    return parsed({"spec.analysis.metrics": [fields]}).analysis.checks[0]


def v1alpha3(**analysis: Any) -> Canary:
    document = good()
    document["apiVersion"] = "flagger.app/v1alpha3"
    del document["spec"]["analysis"]
    document["spec"]["canaryAnalysis"] = {"stepWeight": 10, "metrics": [{"name": "request-success-rate", "threshold": 99}], **analysis}
    return parse(document)


def warnings(changes: dict[str, Any], about: str, **arguments: Any) -> list[str]:
    return [text for text in parsed(changes, **arguments).warnings if text.startswith(f"{about} ")]


# A whole document

def test_a_document_becomes_a_canary() -> None:
    canary = parsed()
    assert (canary.name, canary.namespace, canary.provider) == ("podinfo", "test", "gatewayapi:v1")
    assert canary.identity == {"provider": "gatewayapi:v1", "target": "Deployment/podinfo", "service": "podinfo"}
    assert canary.progress_deadline == 60
    assert canary.service.port == 9898
    assert canary.service.target_port == "http"
    assert canary.service.hosts == ("app.example.com",)
    assert canary.service.gateway_refs == ({"name": "public", "namespace": "ingress"},)
    assert (canary.analysis.interval, canary.analysis.threshold) == (30, 5)
    assert (canary.analysis.step_weight, canary.analysis.max_weight) == (10, 50)
    assert canary.warnings == ()


def test_a_short_document_takes_the_defaults_of_flagger() -> None:
    canary = parse({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "a", "namespace": "b"},
        "spec": {
            "provider": "gatewayapi:v1", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 80, "gatewayRefs": [{"name": "public"}]}, "analysis": {"interval": "1m", "threshold": 1, "stepWeight": 5},
        },
    })
    assert canary.progress_deadline == 600
    assert (canary.service.name, canary.service.port_name, canary.service.target_port) == ("app", "http", 0)
    assert (canary.analysis.max_weight, canary.analysis.step_weight_promotion) == (100, 0)
    assert (canary.analysis.primary_ready_threshold, canary.analysis.canary_ready_threshold) == (100, 100)
    assert not (canary.skip_analysis or canary.suspend)


def test_webhooks_keep_their_place_and_take_defaults() -> None:
    first, second = parsed().analysis.hooks
    assert first == Hook(index=0, type="pre-rollout", name="acceptance-test", url="http://loadtester.test/", timeout=30, metadata={
        "type": "bash", "cmd": "curl -sd 'test' http://podinfo-canary.test:9898/token"})
    assert (second.index, second.type, second.timeout, second.retries) == (1, "rollout", 10, 0)


@pytest.mark.parametrize("kind", [
    "confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout", "rollback", "event"])
def test_every_type_of_webhook_of_flagger_is_accepted(kind: str) -> None:
    assert parsed({"spec.analysis.webhooks[0].type": kind}).analysis.hooks[0].type == kind


def test_a_template_gives_query_and_provider() -> None:
    check = parsed().analysis.checks[2]
    assert check == Check(
        index=2, name="error-rate", builtin=False, interval=60, minimum=None, maximum=1, variables={"route": "home"},
        query='sum(rate(errors{namespace="{{ namespace }}",route="{{ variables.route }}"}[{{ interval }}]))',
        provider=MetricProvider("prometheus", "http://prometheus.monitoring:9090", {}, "prometheus", "test"))


def test_a_template_of_another_namespace_takes_its_secret_from_there() -> None:
    shared = template()
    shared["metadata"]["namespace"] = "flagger"
    document = good()
    change(document, "spec.analysis.metrics[2].templateRef.namespace", "flagger")
    assert parse(document, templates=[shared]).analysis.checks[2].provider.namespace == "flagger"


def test_the_headers_of_a_template_are_kept() -> None:
    with_headers = template()
    change(with_headers, "spec.provider.headers", {"X-Scope-OrgID": ["a", "b"]})
    assert parse(good(), templates=[with_headers]).analysis.checks[2].provider.headers == {"X-Scope-OrgID": ("a", "b")}


def test_builtin_checks_and_inline_queries_go_to_the_metrics_server() -> None:
    canary = parsed({"spec.analysis.metrics[1]": {"name": "mine", "query": "up", "thresholdRange": {"min": 1}}})
    assert [check.provider.address for check in canary.analysis.checks[:2]] == ["http://prometheus.monitoring:9090"] * 2


def test_the_metrics_server_of_the_document_wins_over_the_variable() -> None:
    options = Options(metrics_server="http://elsewhere")
    assert parsed(options=options).metrics_server == "http://prometheus.monitoring:9090"
    assert parsed({"spec.metricsServer": ...}, options=options).metrics_server == "http://elsewhere"


def test_without_analysis_no_metrics_server_is_needed() -> None:
    assert parsed({"spec.metricsServer": ..., "spec.skipAnalysis": True}).skip_analysis


def test_what_the_cluster_added_to_a_canary_object_is_accepted() -> None:
    document = good()
    document["metadata"] |= {"uid": "1-2", "resourceVersion": "7", "managedFields": [{}], "annotations": {"a": "b"}, "generation": 3}
    document["status"] = {"phase": "Initialized"}
    canary = parse(document, templates=[template()], source="object")
    assert (canary.uid, canary.source) == ("1-2", "object")


def test_a_canary_object_may_wait_for_its_removal() -> None:
    assert parsed({"spec.revertOnDeletion": True}).revert_on_deletion
    assert not parsed().revert_on_deletion


def test_parsing_does_not_change_the_document() -> None:
    document, metric_template = good(), template()
    parse(document, templates=[metric_template])
    assert (document, metric_template) == (good(), template())


def test_a_canary_crosses_tasks_as_json() -> None:
    canary = parsed({
        "spec.service.match": [{"uri": {"prefix": "/"}}], "spec.service.headers": {"request": {"add": {"x-a": "b"}}},
        "spec.service.apex": {"labels": {"a": "b"}}})
    assert load(Canary, json.loads(json.dumps(dump(canary)))) == canary


# An autoscaler

HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
KEDA = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo-so"}


def test_a_horizontal_pod_autoscaler_is_read_with_the_bounds_of_the_primary() -> None:
    canary = parsed({"spec.autoscalerRef": {**HPA, "primaryScalerReplicas": {"minReplicas": "2", "maxReplicas": 5}}})
    assert canary.autoscaler == Autoscaler("HorizontalPodAutoscaler", "podinfo", 2, 5)
    assert canary.autoscaler.primary == "podinfo-primary" and not canary.autoscaler.pauses
    assert parsed().autoscaler is None
    assert load(Canary, json.loads(json.dumps(dump(canary)))) == canary


def test_a_scaled_object_is_read_with_the_queries_of_the_primary() -> None:
    canary = parsed({"spec.autoscalerRef": {**KEDA, "primaryScalerQueries": {"requests": "sum(rate(x[1m]))"}, "primaryScalerReplicas": {}}})
    assert canary.autoscaler == Autoscaler("ScaledObject", "podinfo-so", queries={"requests": "sum(rate(x[1m]))"})
    assert canary.autoscaler.pauses and canary.warnings == ()


@pytest.mark.parametrize("version", ["autoscaling/v2beta2", "autoscaling/v2beta1", "autoscaling/v1"])
def test_an_old_version_of_an_autoscaler_is_read_as_the_present_one_and_said(version: str) -> None:
    (told,) = warnings({"spec.autoscalerRef": {**HPA, "apiVersion": version}}, "spec.autoscalerRef.apiVersion")
    assert told.endswith("is read as autoscaling/v2")


# Fields that do nothing, and fields that are not supported

@pytest.mark.parametrize(("path", "value"), [
    ("spec.revertOnDeletion", False), ("spec.autoscalerRef", None), ("spec.autoscalerRef", {}), ("spec.service.gateways", []),
    ("spec.service.delegation", False), ("spec.service.retries", {}), ("spec.service.meshName", ""), ("spec.analysis.iterations", 0),
    ("spec.analysis.match", []), ("spec.analysis.mirror", False), ("spec.analysis.mirror", "false"), ("spec.analysis.mirrorWeight", 0),
    ("spec.analysis.alerts", []), ("spec.analysis.sessionAffinity", None), ("spec.analysis.stepWeights", []), ("spec.service.match", []),
    ("spec.analysis.stepWeightPromotion", 0), ("spec.analysis.webhooks[0].retries", ""), ("spec.service.hosts", []),
    ("spec.service.apex", {}), ("spec.suspend", ""), ("status", {"phase": "Failed"}),
])
def test_a_field_that_asks_for_nothing_is_accepted(path: str, value: Any) -> None:
    assert parsed({path: value}).analysis == parsed().analysis


@pytest.mark.parametrize(("said", "percent"), [
    ({"mirror": True}, 100), ({"mirror": True, "mirrorWeight": 0}, 100), ({"mirror": "true", "mirrorWeight": "20"}, 20), ({"mirrorWeight": 20}, 0),
])
def test_copies_are_those_of_all_requests_where_no_weight_is_given_and_none_without_mirror(said: dict[str, Any], percent: int) -> None:
    canary = parsed({f"spec.analysis.{key}": value for key, value in said.items()})
    assert canary.analysis.mirror == percent
    assert any("mirrorWeight" in text for text in canary.warnings) == (percent == 0)


def test_cookies_are_read_with_all_their_attributes_and_frozen_during_a_walk() -> None:
    said = {"cookieName": "stays", "maxAge": "60", "primaryCookieName": "rests", "domain": ".example.com", "path": "/", "httpOnly": True, "secure": "true",
            "partitioned": True, "sameSite": "Lax"}
    canary = parsed({"spec.analysis.sessionAffinity": said})
    assert canary.analysis.affinity == Affinity("stays", 60, "rests", ".example.com", "/", "Lax", True, True, True)
    assert load(Canary, json.loads(json.dumps(dump(canary)))) == canary
    assert canary.identity["cookies"] == "stays/rests" and "cookies" not in parsed().identity
    assert parsed({"spec.analysis.sessionAffinity": {"cookieName": "stays", "maxAge": 0}}).analysis.affinity == Affinity("stays", 86400)


@pytest.mark.parametrize("said", [{"sameSite": "None"}, {"partitioned": True}])
def test_a_cookie_that_browsers_drop_gets_a_warning(said: dict[str, Any]) -> None:
    whole = {"cookieName": "stays", **said}
    assert "secure: true" in parsed({"spec.analysis.sessionAffinity": whole}).warnings[0]
    assert parsed({"spec.analysis.sessionAffinity": {**whole, "secure": True}}).warnings == ()


@pytest.mark.parametrize("provider", OTHER_PROVIDERS)
def test_every_other_provider_of_flagger_is_known_but_not_supported(provider: str) -> None:
    with pytest.raises(SpecError, match="not supported yet"):
        parsed({"spec.provider": provider})


@pytest.mark.parametrize("kind", OTHER_METRIC_PROVIDERS)
def test_every_other_type_of_metric_provider_is_known_but_not_supported(kind: str) -> None:
    other = template()
    other["spec"]["provider"] = {"type": kind}
    with pytest.raises(SpecError, match="not supported yet"):
        parse(good(), templates=[other])


@pytest.mark.parametrize("path", [*(f"spec.{name}" for name in SPEC_NOT_YET), *(f"spec.service.{name}" for name in SERVICE_NOT_YET)])
def test_no_field_of_flagger_that_means_something_is_ignored(path: str) -> None:
    with pytest.raises(SpecError) as refusal:
        parsed({path: {"name": "x"} if path.endswith("Ref") else True})
    assert refusal.value.path == path


# The service

def test_the_port_of_the_target_may_be_a_number_a_name_or_left_out() -> None:
    assert [parsed({"spec.service.targetPort": port}).service.target_port for port in (8080, "8080", "http", "", 0, "0")] == [
        8080, 8080, "http", 0, 0, 0]


def test_what_the_route_says_besides_weights_keeps_its_shape() -> None:
    said = {
        "timeout": "15s", "backendTimeout": "2s",
        "match": [{
            "uri": {"prefix": "/api"}, "method": {"exact": "GET"}, "headers": {"x-a": {"regex": "b.*"}},
            "queryParams": {"q": {"exact": "1"}}}],
        "rewrite": {"uri": "/", "type": "ReplacePrefixMatch"},
        "headers": {"request": {"add": {"x-b": "c"}, "remove": ["x-d"]}, "response": {"set": {"x-e": "f"}}},
        "mirror": [{"backendRef": {"name": "shadow", "port": 80}}],
        "corsPolicy": {"allowOrigin": ["*"], "allowMethods": ["GET"], "allowCredentials": True, "maxAge": "24h"},
    }
    service = parsed({f"spec.service.{key}": value for key, value in said.items()}).service
    assert (service.timeout, service.backend_timeout) == ("15s", "2s")
    assert dump([service.match, service.rewrite, service.headers, service.mirror, service.cors_policy]) == [
        said[key] for key in ("match", "rewrite", "headers", "mirror", "corsPolicy")]


def test_a_parent_of_the_core_group_stays_one() -> None:
    parent = {"group": "", "kind": "Service", "name": "podinfo", "port": 9898}
    assert parsed({"spec.service.gatewayRefs": [parent]}).service.gateway_refs == (parent,)


def test_two_sections_of_one_gateway_are_two_parents() -> None:
    parents = [{"name": "public", "sectionName": "http"}, {"name": "public", "sectionName": "https"}]
    assert len(parsed({"spec.service.gatewayRefs": parents}).service.gateway_refs) == 2


def test_metadata_of_the_generated_services_is_kept() -> None:
    service = parsed({
        "spec.service.apex": {"labels": {"team": "a"}, "annotations": {"example.com/note": "any text"}},
        "spec.service.unmanagedMetadata": {"annotations": ["tool.example.com/stamp"]}}).service
    assert service.apex.labels == {"team": "a"}
    assert service.apex.annotations == {"example.com/note": "any text"}
    assert service.unmanaged_metadata.annotations == {"tool.example.com/stamp": ""}


def test_a_target_with_dots_needs_a_service_of_another_name() -> None:
    canary = parsed({"spec.targetRef.name": "pod.info", "spec.service.name": "podinfo"})
    assert (canary.target, canary.service.name) == ("pod.info", "podinfo")


# Pace and steps

def test_step_weights_are_kept_in_their_order() -> None:
    canary = parsed({"spec.analysis.stepWeights": [1, 5, 50], "spec.analysis.stepWeight": ...})
    assert canary.analysis.step_weights == (1, 5, 50)


def test_a_step_of_zero_beside_step_weights_says_nothing() -> None:
    assert parsed({"spec.analysis.stepWeights": [1, 5], "spec.analysis.stepWeight": 0}).analysis.step_weights == (1, 5)


def test_numbers_and_truth_values_may_be_given_as_text() -> None:
    canary = parsed({
        "spec.analysis.threshold": "7", "spec.analysis.stepWeight": " 20 ", "spec.skipAnalysis": "True", "spec.suspend": "false",
        "spec.analysis.metrics[0].thresholdRange.min": "99.5", "spec.service.port": 8080.0})
    assert (canary.analysis.threshold, canary.analysis.step_weight, canary.skip_analysis, canary.suspend) == (7, 20, True, False)
    assert (canary.analysis.checks[0].minimum, canary.service.port) == (99.5, 8080)


def test_a_short_interval_is_raised_and_both_are_said() -> None:
    canary = parsed({"spec.analysis.interval": "5s"})
    assert canary.analysis.interval == 10
    assert canary.warnings == ("spec.analysis.interval 5s is raised to 10s, the least that canary_min_interval allows",)


def test_a_shorter_least_interval_leaves_the_document_as_it_is() -> None:
    canary = parsed({"spec.analysis.interval": "1s"}, options=Options(min_interval=1.0))
    assert (canary.analysis.interval, canary.warnings) == (1, ())


def test_steps_that_pass_the_maximum_are_told_as_they_will_be() -> None:
    assert warnings({"spec.analysis.stepWeight": 20}, "spec.analysis.maxWeight") == [
        "spec.analysis.maxWeight 50 is passed by steps of 20: the weights are 20, 40, 60, then the promotion"]


def test_a_maximum_beside_step_weights_is_told_to_count_for_nothing() -> None:
    assert warnings({"spec.analysis.stepWeights": [5, 90], "spec.analysis.stepWeight": ...}, "spec.analysis.maxWeight")


def test_iterations_take_the_place_of_steps() -> None:
    canary = parsed({"spec.analysis.iterations": "10", "spec.analysis.stepWeight": ..., "spec.analysis.maxWeight": ...})
    assert (canary.analysis.iterations, canary.analysis.step_weight, canary.warnings) == (10, 0, parsed().warnings)
    assert sequence(canary.analysis) == (100,)


@pytest.mark.parametrize("steps", [{"spec.analysis.stepWeight": 0}, {"spec.analysis.stepWeight": ..., "spec.analysis.stepWeights": []}])
def test_steps_that_say_nothing_may_stand_beside_iterations(steps: dict[str, Any]) -> None:
    assert parsed({"spec.analysis.iterations": 3, **steps}).analysis.iterations == 3


def test_a_maximum_beside_iterations_is_told_to_count_for_nothing() -> None:
    assert warnings({"spec.analysis.iterations": 3, "spec.analysis.stepWeight": ...}, "spec.analysis.maxWeight")


def test_iterations_are_read_from_v1alpha3_too() -> None:
    assert v1alpha3(stepWeight=0, iterations=4).analysis.iterations == 4


def test_the_provider_kubernetes_needs_no_gateway() -> None:
    canary = parsed({"spec.provider": "kubernetes", "spec.service": {"port": 80}, "spec.analysis.iterations": 3, "spec.analysis.stepWeight": ...})
    assert (canary.provider, canary.splits) == ("kubernetes", False)


def test_the_provider_kubernetes_may_come_from_an_option() -> None:
    canary = parsed({"spec.provider": ..., "spec.service": {"port": 80}, "spec.analysis.iterations": 3, "spec.analysis.stepWeight": ...},
                    options=Options(provider="kubernetes"))
    assert canary.provider == "kubernetes"


def test_a_threshold_of_zero_counts_as_one() -> None:
    canary = parsed({"spec.analysis.threshold": 0})
    assert canary.analysis.threshold == 1
    assert len(canary.warnings) == 1


def test_an_analysis_that_checks_nothing_is_warned_of() -> None:
    assert warnings({"spec.analysis.metrics": [], "spec.analysis.webhooks": []}, "spec.analysis") == [
        "spec.analysis has neither metrics nor rollout webhooks: readiness alone decides"]


# v1alpha3

def test_v1alpha3_takes_flaggers_interval_and_one_failed_check_by_default() -> None:
    canary = v1alpha3()
    assert (canary.analysis.interval, canary.analysis.threshold) == (60, 1)


@pytest.mark.parametrize("threshold", [0, -3])
def test_the_threshold_that_rolled_back_at_once_in_v1alpha3_counts_as_one(threshold: int) -> None:
    assert v1alpha3(threshold=threshold).analysis.threshold == 1


def test_in_v1alpha3_threshold_and_query_are_not_deprecated() -> None:
    canary = v1alpha3(metrics=[{"name": "mine", "query": "up", "threshold": 1}])
    assert (canary.analysis.checks[0].maximum, canary.warnings) == (1, ())


def test_fields_that_came_after_v1alpha3_work_there_too() -> None:
    canary = v1alpha3(stepWeight=0, stepWeights=[5, 10], metrics=[{"name": "request-duration", "thresholdRange": {"max": 5}}])
    assert (canary.analysis.step_weights, canary.analysis.checks[0].maximum) == ((5, 10), 5)


# Thresholds and queries

@pytest.mark.parametrize(("fields", "limits"), [
    ({"name": "request-success-rate", "threshold": 99}, (99, None)),
    ({"name": "request-duration", "threshold": 500}, (None, 500)),
    ({"name": "mine", "query": "up", "threshold": 0}, (None, 0)),
    ({"name": "request-duration", "thresholdRange": {"min": 5}}, (5, None)),
    ({"name": "request-success-rate", "thresholdRange": {"min": 90, "max": 100}}, (90, 100)),
    ({"name": "request-success-rate", "thresholdRange": {"min": 90}, "threshold": 99}, (90, None)),
])
def test_a_threshold_is_the_minimum_of_the_success_rate_and_else_the_maximum(fields: dict[str, Any], limits: tuple[Any, ...]) -> None:
    check = metric(**fields)
    assert (check.minimum, check.maximum) == limits


@pytest.mark.parametrize(("fields", "about"), [
    ({"name": "request-success-rate", "threshold": 99}, "threshold"),
    ({"name": "mine", "query": "up", "thresholdRange": {"max": 1}}, "query"),
    ({"name": "request-success-rate", "thresholdRange": {"min": 99}, "threshold": 99}, "threshold"),
    ({"name": "request-success-rate", "thresholdRange": {"min": 0.99}}, "thresholdRange.min"),
])
def test_what_is_deprecated_or_probably_a_mistake_is_warned_of(fields: dict[str, Any], about: str) -> None:
    assert warnings({"spec.analysis.metrics[0]": fields}, f"spec.analysis.metrics[0].{about}")


def test_weak_spot_41_a_limit_of_half_a_millisecond_stays_one() -> None:
    assert metric(name="request-duration", thresholdRange={"max": 0.5}).maximum == 0.5


def test_weak_spot_43_of_a_template_with_the_name_of_a_builtin_check_only_the_template_counts() -> None:
    canary = parsed({"spec.analysis.metrics[2].name": "request-success-rate", "spec.analysis.metrics[0].name": "request-duration",
                     "spec.analysis.metrics[1]": {"name": "up", "query": "up", "thresholdRange": {"min": 1}}})
    check = canary.analysis.checks[2]
    assert not check.builtin
    assert check.query
    assert len(canary.analysis.checks) == 3


def test_weak_spot_44_a_template_without_interval_looks_at_one_minute() -> None:
    assert parsed({"spec.analysis.metrics[2].interval": ...}).analysis.checks[2].interval == 60


def test_weak_spot_44_an_inline_query_that_cannot_be_rendered_is_refused_and_not_sent_empty() -> None:
    with pytest.raises(SpecError, match="templateVariables"):
        metric(name="mine", query="up{a='{{ variables.b }}'}", thresholdRange={"max": 1})


def test_names_of_metrics_are_told_apart_but_not_those_of_hooks_of_different_types() -> None:
    canary = parsed({"spec.analysis.webhooks[0].name": "load-test"})
    assert [hook.name for hook in canary.analysis.hooks] == ["load-test", "load-test"]


# Everything that is wrong, at once

def test_problems_lists_all_that_is_wrong_and_parse_raises_the_first_of_them() -> None:
    document = good()
    for path in ("spec.analysis.interval", "spec.service.port", "spec.suspend", "spec.analysis.webhooks[1].url"):
        change(document, path, "x")
    found = problems(document, templates=[template()])
    assert [problem.path for problem in found] == [
        "spec.service.port", "spec.analysis.interval", "spec.analysis.webhooks[1].url", "spec.suspend"]
    with pytest.raises(SpecError) as refusal:
        parse(document, templates=[template()])
    assert str(refusal.value) == str(found[0])


def test_a_refusal_says_field_value_and_what_is_accepted() -> None:
    with pytest.raises(SpecError) as refusal:
        parsed({"spec.analysis.interval": "5 minutes"})
    assert str(refusal.value) == (
        "spec.analysis.interval: '5 minutes' is not a duration (accepted: a duration such as 30s, 1m or 1m30s, above 0)")


@pytest.mark.parametrize(("path", "value"), [
    ("spec.analysis.webhooks[0].url", "https://user:hunter2@gate.test:x/?token=hunter2"),
    ("spec.metricsServer", "prometheus?token=hunter2"),
    ("spec.analysis.webhooks[0].metadata.token", ["hunter2"]),
    ("spec.service.headers", {"request": {"set": {"authorization": {"token": "hunter2"}}}}),
])
def test_a_refusal_shows_no_secret(path: str, value: Any) -> None:
    with pytest.raises(SpecError) as refusal:
        parsed({path: value})
    assert "hunter2" not in str(refusal.value)


def test_a_refusal_is_one_line_of_moderate_length_whatever_was_written() -> None:
    with pytest.raises(SpecError) as refusal:
        parsed({"spec.provider": "gateway\napi\x1b[31m" + "v" * 5000})
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 200


# Which templates to read

def test_template_refs_names_each_template_once() -> None:
    document = good()
    document["spec"]["analysis"]["metrics"] += [
        {"name": "b", "templateRef": {"name": "error-rate", "namespace": "test"}},
        {"name": "c", "templateRef": {"name": "b", "namespace": "flagger"}}]
    assert template_refs(document) == [("test", "error-rate"), ("flagger", "b")]


def test_template_refs_reads_v1alpha3_documents() -> None:
    spec = {"canaryAnalysis": {"metrics": [{"templateRef": {"name": "b"}}]}}
    assert template_refs({"metadata": {"namespace": "a"}, "spec": spec}) == [("a", "b")]


@pytest.mark.parametrize("name", ["../../secrets/x", "a/b", "", None, 7, ["a"], "A"])
def test_template_refs_leaves_out_what_could_lead_elsewhere(name: Any) -> None:
    document = good()
    change(document, "spec.analysis.metrics[2].templateRef.name", name)
    assert template_refs(document) == []


# Any document

words = st.text(max_size=8) | st.sampled_from(["10s", "http://a/", "{{ x }}", "gatewayapi:v1"])
names = st.text(max_size=5) | st.sampled_from(["name", "spec", "exact", "uri", "min"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6)


def places(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        inner = [place for key, item in value.items() for place in places(item, f"{path}.{key}".lstrip("."))]
    elif isinstance(value, list):
        inner = [place for index, item in enumerate(value) for place in places(item, f"{path}[{index}]")]
    else:
        inner = []
    return [path, *inner] if path else inner


full = good()
for place, said in {
    "match": [{"uri": {"prefix": "/"}, "headers": {"x": {"exact": "a"}}}], "rewrite": {"uri": "/"}, "corsPolicy": {"allowOrigin": ["*"]},
    "headers": {"request": {"add": {"a": "b"}}}, "mirror": [{"backendRef": {"name": "a", "port": 1}}], "apex": {"labels": {"a": "b"}},
    "unmanagedMetadata": {"labels": ["a"]}, "timeout": "5s", "name": "a", "portDiscovery": True,
}.items():
    full["spec"]["service"][place] = said


@settings(max_examples=100)
@given(st.sampled_from(places(full)), anything)
def test_any_value_in_any_field_is_accepted_or_refused_but_never_a_traceback(place: str, value: Any) -> None:
    document = copy.deepcopy(full)
    change(document, place, value)
    found = problems(document, templates=[template()])
    assert all(isinstance(problem, SpecError) and problem.path and problem.problem for problem in found)
    template_refs(document)
    if not found:
        canary = parse(document, templates=[template()])
        assert sequence(canary.analysis), "weak_spot_16: a canary that never gets traffic"
        json.dumps(dump(canary), allow_nan=False)


@settings(max_examples=40)
@given(st.sampled_from([place for place in places(template()) if place.startswith("spec")]), anything)
def test_any_value_in_any_field_of_a_template_is_accepted_or_refused_but_never_a_traceback(place: str, value: Any) -> None:
    metric_template = template()
    change(metric_template, place, value)
    assert all(problem.path.startswith(("MetricTemplate test/error-rate", "spec.analysis.metrics[2]"))
               for problem in problems(good(), templates=[metric_template]))


@settings(max_examples=40)
@given(anything)
def test_anything_at_all_is_refused_in_words(document: Any) -> None:
    assert problems(document)
    assert template_refs(document) == []


def test_a_document_without_provider_takes_the_one_of_the_role_and_never_another() -> None:
    assert parsed({"spec.provider": ...}, options=Options(provider="gatewayapi:v1")).provider == "gatewayapi:v1"
    with pytest.raises(SpecError, match="canary_provider"):
        parsed({"spec.provider": ...})
    with pytest.raises(SpecError, match="spec.provider: 'istio'"):
        parsed({"spec.provider": "istio"}, options=Options(provider="gatewayapi:v1"))


def test_certificates_that_are_not_verified_are_warned_of() -> None:
    off = {"spec.analysis.webhooks": [{"name": "gate", "type": "rollout", "url": "https://user:sesame@gate/?token=sesame", "disableTLS": True}]}
    told, = warnings(off, "spec.analysis.webhooks[0].disableTLS")
    assert "the certificate of https://gate/ is not verified" in told and "sesame" not in told
    off["spec.analysis.webhooks"][0]["disableTLS"] = False
    assert warnings(off, "spec.analysis.webhooks[0].disableTLS") == []


@pytest.mark.parametrize(("path", "entries"), [
    ("spec.analysis.metrics", [{"name": "a\n\x1b[31mb", "thresholdRange": {"max": 1}}]),
    ("spec.analysis.metrics", [{"name": "a\n\x1b[31mb", "query": "up", "thresholdRange": {"max": 1}}] * 2),
    ("spec.analysis.webhooks", [{"name": "a\n\x1b[31mb", "url": "http://gate/"}] * 2),
])
def test_names_of_any_kind_are_quoted_on_one_line_without_what_moves_a_terminal(path: str, entries: list[Any]) -> None:
    document = good()
    change(document, path, entries)
    wrong = problems(document, templates=[template()])
    assert wrong
    assert not [error for error in wrong if any(ord(letter) < 32 for letter in str(error))]


# Alerts

def alerting(*alerts: dict[str, Any], **spec: Any) -> tuple[Alert, ...]:
    """The alerts of the good document, whose AlertProvider has some fields set."""
    provider = alert_provider()
    provider["spec"].update(spec)
    elsewhere = {"metadata": {"name": "chat", "namespace": "ops"}, "spec": {"type": "gchat", "secretRef": {"name": "chat"}}}
    return parsed({"spec.analysis.alerts": [*alerts]}, alert_providers=[provider, elsewhere]).analysis.alerts


def test_an_alert_knows_its_provider_and_the_rest_is_flaggers_default() -> None:
    here, there = alerting({"name": "a", "severity": "error", "providerRef": {"name": "on-call"}},
                           {"name": "b", "providerRef": {"name": "chat", "namespace": "ops"}}, proxy="http://proxy:3128")
    assert here == Alert(0, "a", "error", AlertProvider(
        "slack", "on-call", "flagger", "https://hooks.slack.com/services/sesame", "http://proxy:3128", "", "test", "on-call"))
    assert there == Alert(1, "b", "info", AlertProvider("gchat", "general", "flagger", secret="chat", namespace="ops", name="chat"))


@pytest.mark.parametrize("severity", [None, ""])
def test_weak_spot_52_an_alert_without_a_severity_is_for_everything(severity: str | None) -> None:
    alert, = alerting({"name": "a", "severity": severity, "providerRef": {"name": "on-call"}})
    assert [alert.wants(word) for word in ("info", "warn", "error")] == [True, True, True]


def test_of_an_address_and_a_secret_the_secret_counts_and_it_is_said() -> None:
    provider = alert_provider()
    provider["spec"]["secretRef"] = {"name": "on-call-url"}
    canary = parsed({"spec.analysis.alerts": [{"name": "a", "providerRef": {"name": "on-call"}}]}, alert_providers=[provider])
    alert, = canary.analysis.alerts
    assert (alert.provider.address, alert.provider.secret) == ("", "on-call-url")
    assert [text for text in canary.warnings if "does not count beside secretRef" in text and text.startswith("AlertProvider test/on-call spec.address")]


def test_alerts_may_stand_in_a_document_of_the_old_version_too() -> None:
    document = good()
    document["apiVersion"] = "flagger.app/v1alpha3"
    document["spec"]["canaryAnalysis"] = {"stepWeight": 10, "alerts": [{"name": "a", "providerRef": {"name": "on-call"}}]}
    del document["spec"]["analysis"]
    assert [alert.name for alert in parse(document, alert_providers=[alert_provider()]).analysis.alerts] == ["a"]
    assert alert_provider_refs(document) == [("test", "on-call")]


def test_alert_providers_to_be_read_are_named_once_and_only_where_they_are_well_formed() -> None:
    document = good()
    document["spec"]["analysis"]["alerts"] = [
        {"providerRef": {"name": "a"}}, {"providerRef": {"name": "a", "namespace": "test"}}, {"providerRef": {"name": "../x"}}, {"providerRef": "a"}, 5,
        {"providerRef": {"name": "b", "namespace": "ops"}}]
    assert alert_provider_refs(document) == [("test", "a"), ("ops", "b")]


def test_alerts_travel_to_the_verbs() -> None:
    providers = [alert_provider()]
    frozen = freeze(alerted(), templates=[template()], alert_providers=providers, options={}, source="file")
    assert thaw(json.loads(json.dumps(frozen))).analysis.alerts == parse(alerted(), templates=[template()], alert_providers=providers).analysis.alerts
    kept, texts = withheld(frozen)
    assert "sesame" not in json.dumps(kept) and thaw(kept, texts) == thaw(frozen)


def test_a_plan_says_who_would_be_alerted_and_not_at_which_address() -> None:
    canary = parse(alerted(), templates=[template()], alert_providers=[alert_provider()])
    assert hooks_lines(canary)[-1] == "alerts: on-call from error on (slack, AlertProvider test/on-call)"
    assert not [line for line in hooks_lines(parsed()) if line.startswith("alerts")]
