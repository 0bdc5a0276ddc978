# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of the names that a walk needs: whether they are ours, can become ours, or are somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, services, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.labels import includes
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

Object = Mapping[str, Any]

_NAME = "spec.service.name"
_OTHER_NAME = "accepted: no such object, or another spec.service.name"


def judge(canary: Canary, seen: Seen, selector: Selector, findings: Findings) -> None:
    if seen.primary is not None:
        _primary(canary, seen.primary, selector, findings)
    if seen.route is not None:
        _route(canary, seen.route, findings)
    for role in services.ROLES:
        live = seen.services.get(services.name_of(canary, role))
        if live is not None:
            _service(canary, seen, live, role, selector, findings)


def judge_beside_a_service(canary: Canary, seen: Seen, findings: Findings) -> None:
    """The same where the target is a Service, which keeps its selector."""
    for name in (canary.service.primary_name, canary.service.canary_name):
        live = seen.services.get(name)
        if live is not None and not _is_ours(live, canary):
            findings.refuse("spec.targetRef.name", f"{marks.name_of(live)} exists and was not made for the canary {canary.name}",
                            "remove or rename it: the walk makes a Service of this name")
    if seen.route is not None:
        _route(canary, seen.route, findings)


def _primary(canary: Canary, primary: Object, selector: Selector, findings: Findings) -> None:
    wanted = (primary["spec"].get("selector") or {}).get("matchLabels") or {}
    if _is_ours(primary, canary) and wanted == selector.primary:
        return
    what = f"has the selector {_text(wanted)}, not {_text(selector.primary)}" if _is_ours(primary, canary) else f"was not made for the canary {canary.name}"
    findings.refuse("spec.targetRef.name", f"{marks.name_of(primary)} exists and {what}",
                    f"remove or rename it: the walk makes a {canary.target_kind} of this name")


def _route(canary: Canary, route: Object, findings: Findings) -> None:
    if _is_ours(route, canary) and not canary.adopted:
        return
    other = excerpt(marks.annotations_of(route).get(marks.CANARY, ""))
    if other and other != canary.name:
        findings.refuse(_NAME, f"{marks.name_of(route)} belongs to the canary {other}", _OTHER_NAME)
    elif not canary.adopted:
        findings.refuse(_NAME, f"{marks.name_of(route)} exists and was not made for the canary {canary.name}",
                        f"{_OTHER_NAME}; or canary_route: adopted, to walk on a route of your own")


def _service(canary: Canary, seen: Seen, live: Object, role: str, selector: Selector, findings: Findings) -> None:
    if seen.target is None:
        return
    try:
        if role == services.APEX:
            marks.check(live, canary.name, 0)
        services.reconciled(live, canary, role, selector, seen.target)
    except CanaryError as error:
        findings.refuse(_NAME, str(error))
        return
    selected = live["spec"].get("selector") or {}
    labels = (seen.target["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if role == services.APEX and not _is_ours(live, canary) and not includes(selected, labels) and not includes(selected, {**labels, **selector.primary}):
        findings.refuse(_NAME,
                        f"{marks.name_of(live)} selects {_text(selected)}, which are not the pods of {canary.target}; the walk would take it away from them",
                        "accepted: a Service that selects the target's pods, or none of that name")


def _is_ours(obj: Object, canary: Canary) -> bool:
    """Made by us, or by Flagger for a Canary of the same name, whose walk goes on here (SAFETY 25)."""
    flaggers = any(owner.get("name") == canary.name for owner in takeover.owners_of(obj))
    return flaggers or marks.is_ours(obj, canary.name)


def _text(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "nothing"
