# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other hands on the fields that a walk changes: GitOps tools that put them back, and Flagger itself."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.progressive.delivery.plugins.module_utils.canary import gitops, marks, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.gitops import Field
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, DEPLOYMENT, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.seen import Seen

# By the kind of a target, what takes it off its nodes between releases. Of a Service nothing is changed, it is its own apex.
PARKS = {DEPLOYMENT: ("spec", "replicas"), DAEMONSET: ("spec", "template", "spec", "nodeSelector")}
SELECTOR = ("spec", "selector")


def judge(canary: Canary, seen: Seen, findings: Findings) -> None:
    fields = tuple(_changed(canary, seen))
    if not seen.gitops_ignored:
        for tool, kept in gitops.by_tool(fields).items():
            findings.refuse("canary_gitops_ignored", f"{tool.name} would put back {' and '.join(map(str, kept))} in the middle of the walk",
                            f"{gitops.remedy(tool, kept)}; then set canary_gitops_ignored: true")
    for field in fields:
        if gitops.HELM in gitops.managers_of(field):
            findings.warn(str(field), "is in a Helm chart: helm upgrade puts it back, in the middle of a walk too; leave it out of the chart, "
                                      "or upgrade between walks only")
    _flagger(canary, seen, findings)


def _changed(canary: Canary, seen: Seen) -> Iterator[Field]:
    """What a walk changes of objects that are not ours, and of a route that is."""
    if seen.target is not None and canary.target_kind in PARKS:
        yield Field(seen.target, PARKS[canary.target_kind])
    apex = seen.services.get(canary.service.name) if canary.target_kind in PARKS else None
    if apex is not None and not marks.is_ours(apex, canary.name):
        yield Field(apex, SELECTOR)
    if seen.route is not None:
        yield Field(seen.route, seen.splits)


def _flagger(canary: Canary, seen: Seen, findings: Findings) -> None:
    for other in seen.canaries:
        if takeover.target_of(other) != (canary.target_kind, canary.target):
            continue
        name = other["metadata"]["name"]
        if takeover.is_live(other) and not seen.flagger_is_gone:
            findings.refuse(f"Canary {canary.namespace}/{name}",
                            f"Flagger walks {canary.target_kind} {canary.target} by it ({takeover.evidence(other)}), and two at once would undo each other",
                            takeover.REMEDY)
        elif takeover.is_suspended(other) and name == canary.name:
            findings.warn(f"Canary {canary.namespace}/{name}",
                          f"is suspended, and so is this walk: the annotation {takeover.SUSPEND}: {takeover.FLAGGER} on it makes "
                          "suspend mean Flagger alone")
