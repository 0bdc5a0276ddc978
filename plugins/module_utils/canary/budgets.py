# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PodDisruptionBudgets of the target, as copies that cover the primary's pods, since those serve users (SAFETY 21)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.labels import selects
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import SUFFIX, Selector, renamed
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

Object = Mapping[str, Any]

_COPIED = ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy")


def to_copy(budgets: Iterable[Object], target: Object, selector: Selector) -> list[Object]:
    """Those that cover the target's pods and would not cover the primary's."""
    before = (target["spec"]["template"].get("metadata") or {}).get("labels") or {}
    after = {**before, **selector.primary}
    return [budget for budget in budgets if selects(budget["spec"].get("selector"), before) and not selects(budget["spec"].get("selector"), after)]


def copy_of(budget: Object, canary: Canary, selector: Selector) -> dict[str, Any]:
    """The same budget for the primary's pods, under its own name with ``-primary``."""
    spec = {key: copy.deepcopy(budget["spec"][key]) for key in _COPIED if key in budget["spec"]}
    spec["selector"] = renamed(budget["spec"]["selector"], selector)
    metadata: dict[str, Any] = {"name": budget["metadata"]["name"] + SUFFIX, "namespace": canary.namespace, "annotations": dict(marks.TOOLKIT)}
    if canary.name:
        metadata["labels"] = {marks.CANARY: marks.label_of(canary.name)}
        metadata["annotations"][marks.CANARY] = canary.name
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def reconciled(live: Object, wanted: Object, canary: Canary) -> dict[str, Any]:
    """The live copy as it is to be; one of that name that somebody else made stays as it is."""
    after = copy.deepcopy(dict(live))
    if marks.is_ours(live, canary.name):
        kept = {key: value for key, value in after["spec"].items() if key not in _COPIED}
        after["spec"] = {**kept, **copy.deepcopy(dict(wanted["spec"]))}
    return after
