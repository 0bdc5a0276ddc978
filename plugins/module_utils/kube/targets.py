# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a target, its primary and their former templates are in the cluster, by the kind of the target (``canary/targets``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary import targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref

_PLACES: Mapping[str, Callable[[str, str], Ref]] = {
    "Deployment": refs.deployment,
    "DaemonSet": refs.daemon_set,
    "Service": refs.service,
    "ReplicaSet": refs.replica_set,
    "ControllerRevision": refs.controller_revision,
}


def place(kind: str, namespace: str, name: str) -> Ref:
    """A target of that kind, by the word that documents use."""
    return _PLACES[kind](namespace, name)


def target_ref(canary: Canary) -> Ref:
    return place(canary.target_kind, canary.namespace, canary.target)


def primary_ref(canary: Canary) -> Ref:
    return place(canary.target_kind, canary.namespace, canary.primary)


def history_ref(canary: Canary, name: str = "") -> Ref:
    """What keeps a former template of target or primary: a ReplicaSet, a ControllerRevision; without a name all of them."""
    return place(targets.by_kind(canary.target_kind).HISTORY, canary.namespace, name)
