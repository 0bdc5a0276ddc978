# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey of a job template sends as text, above all the empty text of what nobody answered (ANSIBLE 17)."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "canary"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
SPEC = {name: {key: value for key, value in option.items() if key in ("type", "choices", "elements")} for name, option in OPTIONS.items()}


@pytest.mark.parametrize("name", sorted(SPEC))
def test_ansible_17_an_empty_answer_is_let_through_for_every_variable(name: str) -> None:
    assert ArgumentSpecValidator({name: SPEC[name]}).validate({name: ""}).error_messages == []


@pytest.mark.parametrize("name", ["on_absence", "route", "pause_target", "absence", "manual_gates", "lease"])
def test_ansible_17_an_empty_option_means_its_default(name: str) -> None:
    assert parse_options({name: ""}) == parse_options({})


@pytest.mark.parametrize(("name", "text"), [("pause_target", "maybe"), ("on_absence", "wait"), ("route", "mine")])
def test_ansible_17_a_text_that_means_nothing_is_refused_by_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(SpecError, match=f"canary_{name}: '{text}' is not"):
        parse_options({name: text})
