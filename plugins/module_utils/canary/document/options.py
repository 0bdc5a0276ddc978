# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables beside the document: ``canary_drain`` and the like, from YAML, a survey or ``-e`` (ANSIBLE 17)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields, Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import GATES, METRICS_FROM, Options

PREFIX = "canary"


def parse_options(variables: Mapping[str, Any]) -> Options:
    """The options that are given, the rest by default; keys with or without ``canary_`` in front, durations in seconds or as ``10s``.

    Raises SpecError with the name of the role's variable, such as canary_drain.
    """
    if not isinstance(variables, Mapping):
        raise SpecError(PREFIX, f"{show(variables)} is not a mapping", "accepted: options by name")
    findings = Findings()
    given = {str(key).removeprefix(f"{PREFIX}_"): value for key, value in variables.items()}
    options = _read(Fields(given, PREFIX, findings, joint="_"))
    if findings.problems:
        raise findings.problems[0]
    return options


def _read(fields: Fields) -> Options:
    default = Options()
    options = dataclasses.replace(
        default,
        min_interval=fields.seconds("min_interval", default=default.min_interval, bare=True),
        settle=fields.seconds("settle", default=default.settle, zero=True, bare=True),
        drain=fields.seconds("drain", default=default.drain, zero=True, bare=True),
        lease=fields.seconds("lease", default=default.lease, bare=True),
        on_no_data=fields.choice("on_no_data", ("fail", "hold", "pass"), default=default.on_no_data),
        on_query_error=fields.choice("on_query_error", ("hold", "fail", "pass"), default=default.on_query_error),
        on_no_answer=fields.choice("on_no_answer", ("hold", "fail", "pass"), default=default.on_no_answer),
        manual_gates=_gates(fields),
        provider=fields.choice("provider", flagger.PROVIDERS),
        metrics_server=fields.text("metrics_server", formats.URL),
        metrics_from=fields.choice("metrics_from", METRICS_FROM),
        selector_labels=fields.texts("selector_labels", formats.KEY, split=True) or default.selector_labels,
        label_prefixes=fields.texts("label_prefixes", split=True),
        pause_target=fields.flag("pause_target"),
        max_time_to_accept=fields.seconds("max_time_to_accept", default=default.max_time_to_accept, bare=True),
        on_absence=fields.choice("on_absence", ("hold", "rollback"), default=default.on_absence),
        absence=fields.seconds("absence", default=default.absence, bare=True),
        route=fields.choice("route", ("owned", "adopted"), default=default.route),
        route_name=fields.text("route_name", formats.OBJECT_NAME),
        route_rule=fields.text("route_rule", formats.OBJECT_NAME),
        ingress_class=fields.text("ingress_class", formats.OBJECT_NAME),
        config_tracking=fields.flag("config_tracking", default.config_tracking),
        cluster_name=fields.text("cluster_name"),
    )
    _check_route(fields, options)
    fields.refuse_rest()
    return options


def _check_route(fields: Fields, options: Options) -> None:
    for name, value in (("route_name", options.route_name), ("route_rule", options.route_rule)):
        if value and options.route != "adopted":
            fields.refuse(name, f"{show(value)} means something with {fields.at('route')}: adopted only", "accepted: nothing, or an adopted route")


def _gates(fields: Fields) -> tuple[str, ...]:
    gates = fields.texts("manual_gates", split=True)
    for gate in gates:
        if gate not in GATES:
            fields.refuse("manual_gates", f"{show(gate)} is not a gate", f"accepted: {', '.join(GATES)}")
    return gates
