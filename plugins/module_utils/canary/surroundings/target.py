# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target: whether it can be told from its primary, and whether it serves what the document says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector, selector_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import hard_window
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

Object = Mapping[str, Any]


def selector(canary: Canary, target: Object, findings: Findings) -> Selector | None:
    """The label that tells the target's pods from the primary's; None, with the reason in ``findings``, when it has none that will do."""
    try:
        return selector_of(target, canary.options.selector_labels)
    except SpecError as error:
        findings.problems.append(error)
        return None


def judge(canary: Canary, target: Object, findings: Findings) -> None:
    _belongs(canary, target, findings)
    _port(canary, target, findings)
    if target["spec"].get("paused"):
        findings.warn(marks.name_of(target), "is paused: no new revision starts until somebody resumes it (kubectl rollout resume)")
    for check in canary.analysis.checks:
        window = hard_window(check.query)
        if window and window > canary.analysis.interval:
            findings.warn(f"spec.analysis.metrics[{check.index}]", f"'{check.name}' looks back {window:g} s whatever the weight, so that each weight is held "
                                                                   f"that long; {{{{ interval }}}} in its place looks at the present weight only")


def _belongs(canary: Canary, target: Object, findings: Findings) -> None:
    try:
        marks.check(target, canary.name, 0)
    except CanaryError as error:
        findings.refuse("spec.targetRef.name", str(error))


def _port(canary: Canary, target: Object, findings: Findings) -> None:
    wanted = canary.service.target_port
    if not isinstance(wanted, str):
        return
    pods = target["spec"]["template"].get("spec") or {}
    names = [port.get("name") for container in pods.get("containers") or () for port in container.get("ports") or () if port.get("name")]
    if wanted not in names:
        findings.refuse("spec.service.targetPort", f"no container of {marks.name_of(target)} has a port named '{wanted}'",
                        f"accepted: {', '.join(sorted(names)) or 'a number, since its ports have no names'}" + (", or a number" if names else ""))

