# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task's arguments on their way to a verb."""

from __future__ import annotations

import datetime
import math

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader

from ansible_collections.progressive.delivery.plugins.plugin_utils import arguments


def test_ansible_04_tagged_texts_and_mappings_become_plain_ones() -> None:
    tagged = DataLoader().load("name: podinfo\nspec: {ports: [80]}\n")
    assert tagged["name"].__class__ is not str
    given = arguments.plain(tagged)
    assert given == {"name": "podinfo", "spec": {"ports": [80]}}
    assert (given["name"].__class__, given["spec"].__class__) == (str, dict)


def test_ansible_17_a_text_without_content_means_left_out() -> None:
    kept = {"name": "podinfo", "weight": 0, "force": False}
    assert arguments.plain({"context": "", **kept}) == kept


def test_what_yaml_takes_for_a_date_is_its_text_again() -> None:
    assert arguments.plain({"reason": datetime.date(2026, 11, 23)}) == {"reason": "2026-11-23"}


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": object()}, b"bytes"])
def test_ansible_04_what_has_no_json_form_is_refused_by_name(value: object) -> None:
    with pytest.raises(AnsibleActionFail, match="^maximum: "):
        arguments.plain({"maximum": value})
