# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb primary_workload, used alone beside a canary."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils.canary.marks import CANARY
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import Work
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call
from ansible_collections.progressive.delivery.plugins.modules import primary_workload


def warned(metadata: dict[str, Any], changed: bool = True) -> list[str]:
    place, call = refs.deployment("test", "podinfo-primary"), Call({})
    live = {"metadata": metadata, "spec": {"replicas": 2, "template": {}}}
    primary_workload._warn_of_walks(call, Work(place, live, live, [Change(place, live, live, changed)]))
    return call.warnings


@pytest.mark.parametrize("metadata", [{"annotations": {CANARY: "podinfo"}}, {"labels": {CANARY: "podinfo"}}])
def test_a_change_of_what_a_canary_walks_or_made_is_warned_of(metadata: dict[str, Any]) -> None:
    """A primary has the canary's name as a label: it is the one that serves its users."""
    assert warned(metadata) == ["Deployment test/podinfo-primary belongs to the canary podinfo: its walk holds, or undoes what this task did"]


def test_what_belongs_to_no_canary_or_was_not_changed_is_not_warned_of() -> None:
    assert warned({}) == warned({"labels": {CANARY: ""}}) == []
    assert warned({"labels": {CANARY: "podinfo"}}, changed=False) == []
