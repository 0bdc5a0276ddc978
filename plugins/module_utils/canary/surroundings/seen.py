# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that preflight read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What is there. Of the lists, what may not be listed is empty; each object carries its kind."""

    target: Object | None = None
    primary: Object | None = None
    route: Object | None = None
    services: Mapping[str, Object] = field(default_factory=dict)     # by name: ours, and the others where they may be listed
    routes: tuple[Object, ...] = ()                                  # of the route's kind in the namespace
    splits: tuple[str, ...] = ()                                     # path of what a walk changes in the route
    routed: frozenset[str] = frozenset()                             # names of the Services that these routes send requests to
    budgets: tuple[Object, ...] = ()                                 # PodDisruptionBudgets
    policies: tuple[Object, ...] = ()                                # NetworkPolicies
    autoscalers: tuple[Object, ...] = ()                             # HorizontalPodAutoscalers
    scaler: Object | None = None                                     # the one that the document names
    primary_scaler: Object | None = None                             # its copy
    scaler_kind: bool = True                                         # whether the API server knows its kind
    scaler_readable: bool = True                                     # False: whether it is there cannot be told
    configs: Configs = NONE                                          # ConfigMaps and Secrets of the target's pods
    flaggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)    # of copies that Flagger may have made and the primary reads: whose they are
    canaries: tuple[Object, ...] = ()                                # Canary objects of the namespace
    gitops_ignored: bool = False                                     # somebody said that no tool puts our fields back
    flagger_is_gone: bool = False
