# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import labels

POD = {"app": "podinfo", "tier": "web"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "podinfo"}}, True),
        ({"matchLabels": {"app": "podinfo", "tier": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "other"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["other"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["other"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["podinfo"]}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "podinfo"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_selector_means_what_it_means_to_the_api_server(selector: Any, selected: bool) -> None:
    assert labels.selects(selector, POD) is selected
