# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose metrics the built-in checks read: the annotation of the Canary, the role's variable, and how they travel."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse, problems
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import freeze, thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import METRICS_FROM, Canary, Options
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import good, template

ANNOTATION = "progressive.delivery/metrics-from"


def annotated(word: Any) -> dict[str, Any]:
    document = good()
    document["metadata"]["annotations"] = {ANNOTATION: word, "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    return document


def parsed(document: dict[str, Any], **options: Any) -> Canary:
    return parse(document, templates=[template()], options=Options(**options))


def test_without_a_word_it_is_left_to_the_provider() -> None:
    assert parsed(good()).metrics_from == ""
    assert parsed(annotated("")).metrics_from == ""


@pytest.mark.parametrize("word", METRICS_FROM)
def test_the_annotation_and_the_variable_say_the_same(word: str) -> None:
    assert parsed(annotated(word)).metrics_from == word
    assert parsed(good(), metrics_from=word).metrics_from == word


def test_the_annotation_wins_over_the_variable() -> None:
    assert parsed(annotated("traefik"), metrics_from="envoy").metrics_from == "traefik"


@pytest.mark.parametrize("word", ["nginx", "Envoy", "envoy,traefik", True, 1, ["envoy"]])
def test_another_word_is_refused_by_the_annotations_name(word: Any) -> None:
    (problem,) = problems(annotated(word), templates=[template()])
    assert problem.path == f"metadata.annotations.{ANNOTATION}"
    assert "app, envoy, traefik" in str(problem)


def test_traefik_has_no_metrics_of_an_http_proxy() -> None:
    document = annotated("traefik")
    document["spec"]["provider"] = "contour"
    del document["spec"]["service"]["gatewayRefs"]
    (by_annotation,) = problems(document, templates=[template()])
    del document["metadata"]["annotations"]
    (by_variable,) = problems(document, templates=[template()], options=Options(metrics_from="traefik"))
    assert (by_annotation.path, by_variable.path) == (f"metadata.annotations.{ANNOTATION}", "canary_metrics_from")
    assert "accepted: app, envoy" in str(by_annotation)
    assert parsed(document, metrics_from="envoy").metrics_from == "envoy"


def test_the_annotation_travels_to_the_verbs_and_no_other_does() -> None:
    frozen = freeze(annotated("envoy"), templates=[template()], options={}, source="object")
    assert frozen["canary"]["metadata"] == {"name": "podinfo", "namespace": "test", "annotations": {ANNOTATION: "envoy"}}
    assert thaw(frozen).metrics_from == "envoy"


def test_the_variable_travels_to_the_verbs() -> None:
    frozen = freeze(good(), templates=[template()], options={"metrics_from": "traefik"}, source="file")
    assert thaw(frozen).metrics_from == "traefik"
