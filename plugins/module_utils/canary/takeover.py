# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a canary over from Flagger, whose memory is the status of the Canary object (SAFETY 25)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger

Object = Mapping[str, Any]

FLAGGER = flagger.FLAGGER
OURS = "progressive-delivery"
SUSPEND = flagger.SUSPEND_MEANS

REMEDY = (f"suspend it for Flagger alone (spec.suspend: true, with the annotation {SUSPEND}: {FLAGGER}), or, when Flagger is no longer there, "
          "set canary_flagger_is_gone: true")


def is_live(canary: Object) -> bool:
    """Whether Flagger may still walk it: it wrote the status after we did, and nobody suspended it.

    How long ago says nothing: between releases Flagger writes nothing at all.
    """
    written = status_written(canary)
    return written.get(FLAGGER, "") > written.get(OURS, "") and not (canary.get("spec") or {}).get("suspend")


def is_suspended(canary: Object) -> bool:
    """Whether its spec.suspend holds for us."""
    return bool((canary.get("spec") or {}).get("suspend")) and marks.annotations_of(canary).get(SUSPEND) != FLAGGER


def rejects(canary: Object, revision: str) -> bool:
    """Whether its status says that the present template of its target failed.

    Flagger's hash of what it rejected cannot be recomputed, so the present template counts as that one; what we wrote names the revision.
    """
    status = canary.get("status") or {}
    if status.get("phase") != "Failed":
        return False
    written = status_written(canary)
    return written.get(FLAGGER, "") > written.get(OURS, "") or status.get("lastAppliedSpec") == revision


def owners_of(obj: Object) -> list[Mapping[str, Any]]:
    """The Canary objects that own it, as Flagger makes what it makes: deleting them, or their CRD, would delete it too (SAFETY 7)."""
    return [owner for owner in _references(obj) if owner.get("kind") == "Canary" and str(owner.get("apiVersion", "")).startswith(f"{flagger.GROUP}/")]


def freed(obj: dict[str, Any], canary: str = "") -> dict[str, Any]:
    """The object without these owners, and known as what was made for ``canary`` where that is given; itself where it has none."""
    owners = owners_of(obj)
    if not owners:
        return obj
    others = [owner for owner in _references(obj) if owner not in owners]
    metadata = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
    if canary:
        metadata["labels"] = {**marks.labels_of(obj), marks.CANARY: marks.label_of(canary)}
    return {**obj, "metadata": {**metadata, "ownerReferences": others} if others else metadata}


def is_copy(obj: Object, canary: str) -> bool:
    """Whether a ConfigMap or Secret of a copy's name is one that Flagger made, be it freed already."""
    of_another = marks.CANARY in marks.labels_of(obj) and not marks.is_ours(obj, canary)
    return bool(owners_of(obj)) or (configs.COPY_OF in marks.annotations_of(obj) and not of_another)


def freed_copy(obj: dict[str, Any], canary: str) -> dict[str, Any]:
    """A copy of a ConfigMap or Secret that Flagger made, without Canary objects as owners.

    It is known as what was made for ``canary``, and of what. Several of them may share one. Then it is nobody's, and stays when one of them is removed.
    """
    owners = owners_of(obj)
    if not owners:
        return obj
    copied = {configs.COPY_OF: configs.original_of(f"{obj.get('kind', '')}/{obj['metadata']['name']}")}
    if any(owner.get("name") != canary for owner in owners):
        return marks.with_annotations(freed(obj), copied)
    return marks.with_annotations(freed(obj, canary), {marks.CANARY: canary, **copied})


def _references(obj: Object) -> Sequence[Mapping[str, Any]]:
    return (obj.get("metadata") or {}).get("ownerReferences") or ()


def evidence(canary: Object) -> str:
    """When Flagger wrote its status, for people."""
    return f"it wrote the status last, at {status_written(canary).get(FLAGGER, 'an unknown time')}"


def status_written(canary: Object) -> dict[str, str]:
    """When each field manager wrote the status last; times as the API writes them, which compare as texts."""
    found: dict[str, str] = {}
    for entry in (canary.get("metadata") or {}).get("managedFields") or []:
        if entry.get("subresource") == "status":
            manager = str(entry.get("manager", ""))
            found[manager] = max(found.get(manager, ""), str(entry.get("time", "")))
    return found


def target_of(canary: Object) -> tuple[str, str]:
    """Kind and name of what it walks."""
    target = (canary.get("spec") or {}).get("targetRef") or {}
    return str(target.get("kind", "")), str(target.get("name", ""))
