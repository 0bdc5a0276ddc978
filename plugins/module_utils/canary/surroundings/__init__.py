# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around a canary before its first write, and what of it is in the way.

seen: the objects that were read. findings: what was found. target: the user's workload. configs: what its pods read. ours: objects of the names that
we need. bystanders: what selects the target's pods and would not select the primary's. scaling: who scales the target. hands: who else writes
the fields that a walk changes.
"""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SERVICE, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import bystanders, configs, hands, ours, scaling, service_target, target
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

__all__ = ("Seen", "judge")


def judge(canary: Canary, seen: Seen, findings: Findings) -> None:
    """Enter into ``findings`` all that forbids a walk, and all that people should know before one."""
    if seen.target is None:
        findings.refuse("spec.targetRef.name", f"there is no {canary.target_kind} '{canary.target}' in namespace {canary.namespace}",
                        f"accepted: the name of a {canary.target_kind} that exists there")
        return
    if canary.target_kind == SERVICE:
        service_target.judge(canary, seen, seen.target, findings)
        hands.judge(canary, seen, findings)
        return
    selector = target.selector(canary, seen.target, findings)
    target.judge(canary, seen.target, findings)
    configs.judge(canary, seen.target, seen.primary, seen.configs, findings, seen.flaggers)
    if selector is None:
        return
    ours.judge(canary, seen, selector, findings)
    bystanders.judge(canary, seen, selector, findings)
    scaling.judge(canary, seen, findings)
    hands.judge(canary, seen, findings)
