# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target: whether it can be told from its primary, and whether it serves what the document says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector, selector_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import hard_window
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, DEPLOYMENT, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import FULL, sequence
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import daemonset

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
    if canary.target_kind == DAEMONSET:
        _daemonset(canary, target, findings)
    if canary.target_kind == DEPLOYMENT and not _some_are_left(target) and not _all_leave_the_primary(canary):
        findings.warn(marks.name_of(target), f"has no pod left while others are replaced, by its strategy: nobody answers behind {canary.primary} while a "
                                             "promotion rolls, and users who are not on the canary then get errors; set type: RollingUpdate with less "
                                             "maxUnavailable")
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


def _daemonset(canary: Canary, target: Object, findings: Findings) -> None:
    """What would keep the primary's pods, or the canary's, from ever being ready beside the others on a node."""
    strategy = (target["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    if strategy != "RollingUpdate":
        findings.refuse(marks.name_of(target), f"has the updateStrategy {strategy}: nobody would bring a promoted template to the pods of {canary.primary}",
                        "accepted: RollingUpdate, or nothing")
    if not _some_stay(target):
        findings.warn(marks.name_of(target), f"has no pod to spare while one is replaced, since its updateStrategy has maxSurge 0: nobody answers behind "
                                             f"{canary.primary} while a promotion rolls; set rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}")
    ports = sorted(set(_ports_of_nodes(target["spec"]["template"].get("spec") or {})))
    if ports:
        findings.refuse(marks.name_of(target), f"takes the port {', '.join(map(str, ports))} of each node, which {canary.primary} takes too: two pods of "
                                               "one port find no place on a node", "accepted: pods without hostPort and hostNetwork")


def _some_stay(target: Object) -> bool:
    """Whether pods are left while others are replaced, as far as plain numbers tell; as of the nodes that its controller has counted last."""
    rolling = (target["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    at_once, nodes = rolling.get("maxUnavailable", 1), max(1, daemonset.nodes(target))
    return bool(rolling.get("maxSurge", 0)) or not (at_once == "100%" or (isinstance(at_once, int) and at_once >= nodes))


def _some_are_left(target: Object) -> bool:
    """The same of a Deployment; a target that rests at 0 does not tell how many pods its primary has."""
    strategy, replicas = target["spec"].get("strategy") or {}, target["spec"].get("replicas", 1)
    at_once = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 0)
    return strategy.get("type") != "Recreate" and at_once != "100%" and not (isinstance(at_once, int) and 0 < replicas <= at_once)


def _all_leave_the_primary(canary: Canary) -> bool:
    """Whether all users are on the canary while a promotion rolls."""
    return canary.splits and not canary.skip_analysis and not canary.analysis.match and FULL in sequence(canary.analysis)


def _ports_of_nodes(pods: Mapping[str, Any]) -> Iterator[int]:
    for container in [*(pods.get("containers") or ()), *(pods.get("initContainers") or ())]:
        for port in container.get("ports") or ():
            taken = port.get("hostPort") or (port["containerPort"] if pods.get("hostNetwork") else 0)
            if taken:
                yield int(taken)


def _port(canary: Canary, target: Object, findings: Findings) -> None:
    wanted = canary.service.target_port
    if not isinstance(wanted, str):
        return
    pods = target["spec"]["template"].get("spec") or {}
    names = [port.get("name") for container in pods.get("containers") or () for port in container.get("ports") or () if port.get("name")]
    if wanted not in names:
        findings.refuse("spec.service.targetPort", f"no container of {marks.name_of(target)} has a port named '{wanted}'",
                        f"accepted: {', '.join(sorted(names)) or 'a number, since its ports have no names'}" + (", or a number" if names else ""))
