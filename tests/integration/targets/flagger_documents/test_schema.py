# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the schema of Flagger's CRD lets into a cluster is read, or refused by the name of a field; nothing else ever happens."""

from __future__ import annotations

import copy
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary import frozen
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse, problems
from documents import ALERT_PROVIDER, CANARY, KINDS, TEMPLATE
from hypothesis import HealthCheck, given, settings, strategies as st

Schema = Mapping[str, Any]

WORDS = st.sampled_from((
    "podinfo", "1m", "30s", "5 minutes", "http", "https://gate.test/open", "{{ namespace }}", "apps/v1", "Deployment", "gatewayapi:v1", "contour", "traefik",
    "kubernetes", "istio", "GET", "/", "/api", "app.example.com", "*", "prometheus", "up", "10.0.0.1", "\u00df", "true", "")) | st.text(max_size=12)
NUMBERS = st.integers(-2, 101) | st.sampled_from((443, 9898, 65536, 2**31))
FORMED = {"date-time": st.just("2026-01-01T00:00:00Z")}

GOOD: dict[str, dict[str, Any]] = {
    CANARY: {
        "provider": "contour", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 9898},
        "metricsServer": "http://prometheus.test:9090", "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 10, "maxWeight": 50}},
    TEMPLATE: {"provider": {"type": "prometheus", "address": "http://prometheus.test:9090"}, "query": "up"},
    ALERT_PROVIDER: {"type": "slack", "address": "https://chat.test/hook"},
}


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """What a schema of a CRD allows, and a little more: rules across fields (oneOf, CEL) are left out."""
    if schema.get("x-kubernetes-int-or-string"):
        return NUMBERS | WORDS
    if "enum" in schema:
        return st.sampled_from(list(schema["enum"]))
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        required = schema.get("required", ())
        fields = {name: values(one) for name, one in schema["properties"].items()}
        return st.fixed_dictionaries({name: fields[name] for name in required if name in fields},
                                     optional={name: one for name, one in fields.items() if name not in required})
    if kind == "object":
        held = schema.get("additionalProperties")
        return st.dictionaries(st.sampled_from(("app", "x-canary", "type", "a/b")), values(held) if isinstance(held, Mapping) else WORDS | NUMBERS, max_size=2)
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=2)
    if kind == "string":
        return st.from_regex(schema["pattern"]) if "pattern" in schema else FORMED.get(str(schema.get("format")), WORDS)
    if kind == "integer":
        return NUMBERS
    if kind == "number":
        return NUMBERS | st.floats(allow_nan=False, allow_infinity=False, width=32)
    if kind == "boolean":
        return st.booleans()
    return st.none() | WORDS | NUMBERS | st.lists(WORDS, max_size=1) | st.dictionaries(WORDS, WORDS, max_size=1)


@pytest.fixture(scope="session")
def schemas(flagger: pathlib.Path) -> dict[str, Schema]:
    """Kind -> schema of its spec."""
    crds = [one for one in yaml.safe_load_all((flagger / "crd.yaml").read_text(encoding="utf-8")) if one]
    return {one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] for one in crds}


def objects(kind: str, spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A Canary that uses a MetricTemplate and an AlertProvider, and these, one of the three with this spec."""
    made = {one: {"apiVersion": "flagger.app/v1beta1", "kind": one, "metadata": {"name": "one", "namespace": "test"}, "spec": copy.deepcopy(good)}
            for one, good in GOOD.items()}
    made[CANARY]["spec"]["analysis"].update(
        metrics=[{"name": "one", "thresholdRange": {"max": 1}, "templateRef": {"name": "one"}}], alerts=[{"name": "one", "providerRef": {"name": "one"}}])
    made[kind]["spec"] = dict(spec)
    return made


def read(kind: str, spec: Mapping[str, Any]) -> bool:
    """Whether it is accepted. Any error but SpecErrors with a field and a problem is passed on."""
    made = objects(kind, spec)
    beside: dict[str, Any] = {"templates": [made[TEMPLATE]], "alert_providers": [made[ALERT_PROVIDER]]}
    wrong = problems(made[CANARY], **beside)
    for error in wrong:
        assert error.path and error.problem and "\n" not in str(error)
    if wrong:
        return False
    canary = parse(made[CANARY], **beside)
    assert frozen.thaw(frozen.freeze(made[CANARY], options={}, source="spec", **beside)) == canary
    return True


bounded = settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_schema_accepts_is_read_or_refused_by_a_field(schemas: dict[str, Schema], kind: str) -> None:
    @bounded
    @given(values(schemas[kind]))
    def of(spec: dict[str, Any]) -> None:
        read(kind, spec)
    of()


@pytest.mark.parametrize("section", ["targetRef", "service", "analysis", "autoscalerRef", "ingressRef", "routeRef", "upstreamRef"])
def test_whatever_the_schema_accepts_in_one_section_of_a_good_document_is_read_or_refused_by_a_field(schemas: dict[str, Schema], section: str) -> None:
    @bounded
    @given(values(schemas[CANARY]["properties"][section]))
    def of(value: Any) -> None:
        read(CANARY, {**GOOD[CANARY], section: value})
    of()


def test_an_analysis_of_the_old_version_is_read_or_refused_by_a_field(schemas: dict[str, Schema]) -> None:
    """v1alpha3, whose schema has the same fields and fewer."""
    @bounded
    @given(values(schemas[CANARY]["properties"]["analysis"]))
    def of(value: Any) -> None:
        spec = {name: one for name, one in GOOD[CANARY].items() if name != "analysis"}
        document = {**objects(CANARY, GOOD[CANARY])[CANARY], "apiVersion": "flagger.app/v1alpha3", "spec": {**spec, "canaryAnalysis": value}}
        for error in problems(document):
            assert error.path and error.problem
    of()


def test_each_field_of_the_analysis_alone_is_read_or_refused_by_its_name(schemas: dict[str, Schema]) -> None:
    """One field at a time beside good ones, so that what stands behind a refusal is reached too."""
    fields = schemas[CANARY]["properties"]["analysis"]["properties"]
    accepted = dict.fromkeys(fields, 0)

    @settings(bounded, max_examples=30 * len(fields))
    @given(st.one_of([st.tuples(st.just(name), values(schema)) for name, schema in fields.items()]))
    def of(field: tuple[str, Any]) -> None:
        name, value = field
        accepted[name] += read(CANARY, {**GOOD[CANARY], "analysis": {**GOOD[CANARY]["analysis"], name: value}})
    of()
    assert {name for name, times in accepted.items() if times} > {"interval", "threshold", "stepWeight", "maxWeight", "metrics", "webhooks"}
