# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a walk as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import Step
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import GATES, Canary, Hook


def plan_line(step: Step) -> str:
    """``in  13 s  Progressing       20%  all checks passed: canary to 30%``"""
    waits = "  (waits for a person)" if step.waits else ""
    return f"in {step.after:4.0f} s  {step.phase or 'new':<16} {step.weight:3d}%  {step.what}{waits}"


def hooks_lines(canary: Canary) -> list[str]:
    """Which gates a walk would ask, which hooks it would call and whom it would alert; check mode does nothing of it (ANSIBLE 22)."""
    gates = [hook for hook in canary.analysis.hooks if hook.type in GATES]
    others = [hook for hook in canary.analysis.hooks if hook.type not in GATES]
    lines = [f"gates on the way: {_names(gates)}"] if gates else []
    if canary.options.manual_gates:
        lines.append(f"gates that wait for a person: {', '.join(canary.options.manual_gates)}")
    lines += [f"hooks on the way: {_names(others)}"] if others else []
    alerts = [f"{alert.name} from {alert.severity} on ({alert.provider.type}, {alert.provider.called})" for alert in canary.analysis.alerts]
    return lines + ([f"alerts: {', '.join(alerts)}"] if alerts else [])


def _names(hooks: Iterable[Hook]) -> str:
    return ", ".join(f"{hook.type} {hook.name} ({shown.url(hook.url)})" for hook in hooks)
