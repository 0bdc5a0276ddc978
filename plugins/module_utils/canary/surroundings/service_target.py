# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target: whether others can lead where it leads, and who goes on calling it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import ours
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

Object = Mapping[str, Any]


def judge(canary: Canary, seen: Seen, target: Object, findings: Findings) -> None:
    try:
        marks.check(target, canary.name, 0)
    except CanaryError as error:
        findings.refuse("spec.targetRef.name", str(error))
    _leads(canary, target, findings)
    ours.judge_beside_a_service(canary, seen, findings)
    if not canary.splits:
        findings.warn("spec.provider:", f"{canary.provider} has no route, so that users of {canary.target} have to call {canary.primary}: whoever calls "
                                        f"{canary.target} itself meets what it selects at once, before any analysis")


def _leads(canary: Canary, target: Object, findings: Findings) -> None:
    spec = target["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        findings.refuse(marks.name_of(target), f"selects no pods ({spec.get('type', 'ClusterIP')} without a selector), so nothing can be promoted",
                        "accepted: a Service with a selector")
        return
    ports = [port["port"] for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
    if canary.service.port not in ports:
        findings.refuse("spec.service.port", f"{marks.name_of(target)} has no TCP port {canary.service.port}",
                        f"accepted: {', '.join(map(str, ports)) or 'a Service with a TCP port'}")
