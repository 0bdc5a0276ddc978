# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each action runs the verb of the module that has its name."""

from __future__ import annotations

import importlib
import pathlib

import pytest

from ansible_collections.progressive.delivery.plugins.action import canary_order
from ansible_collections.progressive.delivery.plugins.plugin_utils.in_process import InProcess

PLUGINS = "ansible_collections.progressive.delivery.plugins"
NAMES = sorted(path.stem for path in (pathlib.Path(__file__).parents[4] / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_an_action_runs_the_verb_of_the_module_of_its_name(name: str) -> None:
    module, action = (importlib.import_module(f"{PLUGINS}.{kind}.{name}") for kind in ("modules", "action"))
    assert issubclass(action.ActionModule, InProcess)
    assert action.ActionModule.verb is module.VERB
    assert module.VERB.name == name


@pytest.mark.parametrize(("variables", "who"), [
    ({"awx_user_name": "alice", "tower_user_name": "alice"}, "alice (AWX)"),
    ({"tower_user_name": "{{ bob }}"}, "{{ bob }} (AWX)"), ({"awx_user_name": ""}, ""), ({}, "")])
def test_an_order_is_of_whoever_launched_the_job(variables: dict[str, str], who: str) -> None:
    assert canary_order.launched_by(variables) == who
