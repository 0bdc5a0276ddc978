# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What selects the target's pods and will not select the primary's, which serve users once it is there (SAFETY 21)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, services
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.labels import includes, selects
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import SUFFIX, Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

Object = Mapping[str, Any]

_OPEN_TO_OTHERS = ("NodePort", "LoadBalancer")


def judge(canary: Canary, seen: Seen, selector: Selector, findings: Findings) -> None:
    if seen.target is None:
        return
    before = (seen.target["spec"]["template"].get("metadata") or {}).get("labels") or {}
    after = {**before, **selector.primary}
    also = f"{selector.key}: {selector.value}-primary"
    taken = {budget["metadata"]["name"] for budget in seen.budgets if not marks.is_ours(budget, canary.name)}
    for budget in _lost(seen.budgets, before, after, "selector"):
        name = budget["metadata"]["name"] + SUFFIX
        if name in taken and not any(item["metadata"]["name"] == name and selects(item["spec"].get("selector"), after) for item in seen.budgets):
            findings.warn(marks.name_of(budget), f"covers the pods of {canary.target}, not those of {canary.primary}, which serve users from now on, and its "
                                                 f"copy cannot be called {name}, which is somebody's: let that one select {also}")
    _policies(canary, seen, before, after, also, findings)
    _services(canary, seen, before, after, also, findings)
    for scaler in seen.autoscalers:
        reference = scaler["spec"].get("scaleTargetRef") or {}
        if reference.get("kind") == canary.target_kind and reference.get("name") == canary.target:
            findings.warn(marks.name_of(scaler), f"scales {canary.target}, not {canary.primary}, which serves users with a fixed number of pods from now on: "
                                                 "autoscalers are not supported yet")


def _policies(canary: Canary, seen: Seen, before: Mapping[str, str], after: Mapping[str, str], also: str, findings: Findings) -> None:
    isolated = any(selects(policy["spec"].get("podSelector"), after) and "Ingress" in _types(policy) for policy in seen.policies)
    for policy in _lost(seen.policies, before, after, "podSelector"):
        lets_in = "Ingress" in _types(policy) and bool(policy["spec"].get("ingress"))
        if isolated and lets_in:
            findings.refuse(marks.name_of(policy), f"lets requests in to the pods of {canary.target}, not to those of {canary.primary}, which would be cut off",
                            f"let it, or one like it, select {also} as well")
        else:
            findings.warn(marks.name_of(policy), f"holds for the pods of {canary.target}, not for those of {canary.primary}: make one that selects {also}")


def _services(canary: Canary, seen: Seen, before: Mapping[str, str], after: Mapping[str, str], also: str, findings: Findings) -> None:
    own = {services.name_of(canary, role) for role in services.ROLES}
    for name, service in sorted(seen.services.items()):
        selected = service["spec"].get("selector") or {}
        if name in own or not selected or not includes(selected, before) or includes(selected, after):
            continue
        kind = service["spec"].get("type", "ClusterIP")
        if kind in _OPEN_TO_OTHERS or name in seen.routed:
            how = "a route sends requests to it" if name in seen.routed else f"it is of type {kind}"
            findings.refuse(marks.name_of(service), f"selects the pods of {canary.target}, which go to 0, and {how}: whoever comes that way would be cut off",
                            f"let it select {also}, or a label that both have; or use {canary.service.name} in its place")
        else:
            findings.warn(marks.name_of(service), f"selects the pods of {canary.target}, which are the canary from now on, and 0 between releases: "
                                                  f"let it select {also} to reach what serves users")


def _lost(objects: tuple[Object, ...], before: Mapping[str, str], after: Mapping[str, str], key: str) -> Iterator[Object]:
    """Those that select the target's pods and not the primary's."""
    return (obj for obj in objects if selects(obj["spec"].get(key), before) and not selects(obj["spec"].get(key), after))


def _types(policy: Object) -> tuple[str, ...]:
    """The API's defaults: Ingress always, Egress where there are rules for it."""
    return tuple(policy["spec"].get("policyTypes") or ("Ingress", *(["Egress"] if policy["spec"].get("egress") else [])))
