# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Options
from hypothesis import given, settings
from hypothesis import strategies as st

SET: dict[str, Any] = {
    "min_interval": 1, "settle": 0, "drain": 2.5, "lease": 60, "on_no_data": "hold", "on_query_error": "fail", "on_no_answer": "fail",
    "manual_gates": ["confirm-promotion"], "provider": "gatewayapi:v1", "metrics_server": "http://prometheus:9090", "metrics_from": "envoy",
    "selector_labels": ["component"], "label_prefixes": ["*"], "max_time_to_accept": 5, "pause_target": "true", "on_absence": "rollback", "absence": 30,
    "route": "adopted", "route_name": "public", "route_rule": "main", "ingress_class": "outer", "cluster_name": "east",
    "config_tracking": "false",
}


def test_without_variables_the_options_are_the_defaults() -> None:
    assert parse_options({}) == Options()


def test_every_option_can_be_set() -> None:
    assert set(SET) == {field.name for field in dataclasses.fields(Options)}
    options = parse_options(SET)
    assert all(getattr(options, field.name) != getattr(Options(), field.name) for field in dataclasses.fields(Options))


def test_the_name_of_the_role_variable_works_too() -> None:
    assert parse_options({f"canary_{name}": value for name, value in SET.items()}) == parse_options(SET)


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "7s", "7000ms"])
def test_a_duration_is_a_number_of_seconds_or_has_a_unit(value: Any) -> None:
    assert parse_options({"drain": value}).drain == 7


def test_a_survey_that_was_left_empty_changes_nothing() -> None:
    assert parse_options(dict.fromkeys(SET, "")) == Options()
    assert parse_options(dict.fromkeys(SET)) == Options()


@pytest.mark.parametrize("value", [["a", "b"], "a,b", "a, b", "a\nb\n"])
def test_a_list_may_be_one_text(value: Any) -> None:
    assert parse_options({"selector_labels": value}).selector_labels == ("a", "b")


@pytest.mark.parametrize(("variables", "path", "says"), [
    ({"drain": "soon"}, "canary_drain", "30s, 1m or 1m30s, or a number of seconds"),
    ({"drain": -1}, "canary_drain", "a duration"),
    ({"canary_drain": []}, "canary_drain", "a duration"),
    ({"settle": True}, "canary_settle", "a duration"),
    ({"min_interval": 0}, "canary_min_interval", "above 0"),
    ({"lease": "0s"}, "canary_lease", "above 0"),
    ({"max_time_to_accept": "0"}, "canary_max_time_to_accept", "above 0"),
    ({"on_no_data": "ignore"}, "canary_on_no_data", "fail, hold, pass"),
    ({"on_query_error": "ignore"}, "canary_on_query_error", "hold, fail, pass"),
    ({"on_no_answer": 1}, "canary_on_no_answer", "hold, fail, pass"),
    ({"manual_gates": ["rollout"]}, "canary_manual_gates", "confirm-rollout, confirm-traffic-increase, confirm-promotion"),
    ({"manual_gates": {"confirm-rollout": True}}, "canary_manual_gates", "a list of texts"),
    ({"metrics_server": "prometheus:9090"}, "canary_metrics_server", "http:// or https://"),
    ({"metrics_from": "nginx"}, "canary_metrics_from", "app, envoy, traefik"),
    ({"selector_labels": ["a b"]}, "canary_selector_labels[0]", "the key of a label"),
    ({"label_prefixes": [1]}, "canary_label_prefixes[0]", "need quotes"),
    ({"drian": 5}, "canary_drian", "did you mean drain?"),
    ([], "canary", "options by name"),
])
def test_a_wrong_variable_is_refused_by_its_name(variables: Any, path: str, says: str) -> None:
    with pytest.raises(SpecError) as refusal:
        parse_options(variables)
    assert refusal.value.path == path
    assert says in str(refusal.value)


def test_an_empty_mapping_of_gates_is_no_gate() -> None:
    assert parse_options({"manual_gates": {}}).manual_gates == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3))


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(SET)), anything, max_size=3))
def test_any_value_is_accepted_or_refused_but_never_a_traceback(variables: dict[str, Any]) -> None:
    try:
        options = parse_options(variables)
    except SpecError as refusal:
        assert refusal.path.startswith("canary_")
    else:
        assert options.min_interval > 0
