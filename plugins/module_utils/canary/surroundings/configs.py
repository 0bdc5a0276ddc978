# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ConfigMaps and Secrets that the target's pods read: whether they are there, and which of them belong to its revision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import MOST, TRACKING, Configs, in_words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary


def judge(canary: Canary, target: Mapping[str, Any], primary: Mapping[str, Any] | None, found: Configs, findings: Findings,
          flaggers: Mapping[str, Collection[str]]) -> None:
    """``flaggers`` are copies that Flagger made and the primary reads, each with the names of the Canary objects that own it."""
    name = marks.name_of(target)
    for entry in found.missing:
        findings.refuse(name, f"refers to {in_words([entry])}, which does not exist in namespace {canary.namespace}: no pod of it would start",
                        "accepted: one that exists, or a reference that says optional: true")
    if len(found.digests) > MOST:
        findings.refuse(name, f"refers to {len(found.digests)} ConfigMaps and Secrets, and no more than {MOST} can be tracked",
                        f"accepted: fewer, some with the annotation {TRACKING}: disabled, or canary_config_tracking: false")
    shared = found.untracked if canary.options.config_tracking else tuple(configs.references(configs.pods_of(target)))
    if shared:
        why = (f"by the annotation {TRACKING}, or by the type of the Secret" if canary.options.config_tracking else "canary_config_tracking is false")
        findings.warn(name, f"uses {in_words(shared)}, which {'is' if len(shared) == 1 else 'are'} not tracked ({why}): a change there starts no analysis and "
                            f"reaches the next pods of {canary.primary} at once")
    if primary is not None:
        _of_flagger(canary, primary, flaggers, findings)


def _of_flagger(canary: Canary, primary: Mapping[str, Any], flaggers: Mapping[str, Collection[str]], findings: Findings) -> None:
    """Copies that the primary reads and Canary objects own (SAFETY 7, 25). A takeover frees them; not from a Flagger that still walks another Canary."""
    name, owned = marks.name_of(primary), {entry: owners for entry, owners in flaggers.items() if owners}
    others = sorted({owner for owners in owned.values() for owner in owners if owner != canary.name})
    if others:
        findings.warn(name, f"reads {in_words(owned)}, which Flagger made for {', '.join(map(excerpt, others))} too: it may rewrite them, and own them again, "
                            "until the first promotion here gives the primary copies of its own; do not delete that Canary before")
    elif owned and marks.annotations_of(primary).get(marks.PROMOTED):
        findings.warn(name, f"reads {in_words(owned)}, which Flagger made and which a Canary object owns: do not delete that one "
                            "before the first promotion here, which gives it copies that nobody owns")
