# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we write on objects to recognise them: annotations that fence and claim, the label of what we made.

The epoch annotation is the fence (SAFETY 1): ``"<epoch>"``, or ``"<epoch>.<n>"`` after the n-th time that the same epoch had to fence, since
only a real change moves a resourceVersion. The canary annotation makes a target, an apex and a route belong to one canary (SAFETY 8).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, LostLock
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt

PREFIX = "progressive.delivery/"
EPOCH = PREFIX + "epoch"
CANARY = PREFIX + "canary"              # an annotation (the whole name), and the label of what we made
PROMOTED = PREFIX + "promoted"
ORIGINAL_SELECTOR = PREFIX + "original-selector"
RELEASED = PREFIX + "released"          # "<canary>.<epoch>" of the removal that gave the object back: older runs of that canary are refused
OWNS = PREFIX + "owns"                  # the optional parts of a route that the document asked for

# For what we make only, never for a user's object (SAFETY 23): keeps Flux from adopting and pruning it.
TOOLKIT = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}

_LABEL_LENGTH = 63


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference of what made it and looks after it; empty where nobody does."""
    return next((owner for owner in obj["metadata"].get("ownerReferences") or [] if owner.get("controller")), {})


def label_of(canary: str) -> str:
    """The canary's name as a label's value: itself, or its beginning and a hash where it is too long."""
    if len(canary) <= _LABEL_LENGTH:
        return canary
    return f"{canary[:_LABEL_LENGTH - 9].rstrip('-.')}-{hashlib.sha256(canary.encode()).hexdigest()[:8]}"


def is_ours(obj: Mapping[str, Any], canary: str) -> bool:
    """True when we made the object for this canary."""
    return bool(canary) and labels_of(obj).get(CANARY) == label_of(canary)


def epoch_of(obj: Mapping[str, Any]) -> int:
    """The epoch that fenced or wrote the object last, 0 when none did."""
    number = annotations_of(obj).get(EPOCH, "").partition(".")[0]
    return int(number) if number.isdigit() else 0


def next_fence(obj: Mapping[str, Any], epoch: int) -> str:
    """A value of the epoch annotation that differs from the present one, so that writing it moves the resourceVersion."""
    if epoch_of(obj) != epoch:
        return str(epoch)
    times = annotations_of(obj).get(EPOCH, "").partition(".")[2]
    return f"{epoch}.{int(times) + 1 if times.isdigit() else 1}"


def check(obj: Mapping[str, Any], canary: str, epoch: int) -> None:
    """Raises LostLock when a later holder has fenced the object, CanaryError when it belongs to another canary.

    An empty ``canary`` or an epoch of 0 asks for no such check: a verb used alone has neither.
    """
    where = name_of(obj)
    other = annotations_of(obj).get(CANARY, "")
    if canary and other and other != canary:
        raise CanaryError(f"{where} belongs to the canary {excerpt(other)} (annotation {CANARY}); one object can have one canary only, "
                          f"{canary} needs another one")
    if epoch and canary and _released_by(obj, canary) > epoch:
        raise LostLock(f"{where} was given back when the canary {canary} was removed: this run began before that")
    if epoch and epoch_of(obj) > epoch:
        raise LostLock(f"{where} was fenced by a later run (epoch {epoch_of(obj)}, this run has {epoch}): somebody else holds the canary now")


def stamped(obj: Mapping[str, Any], canary: str, epoch: int) -> dict[str, Any]:
    """The object with our annotations, as it is to be sent; the epoch never goes down. An empty name and epoch 0 leave it as it is."""
    wanted = {CANARY: canary} if canary else {}
    # What is being given back carries the mark of that instead.
    if epoch > epoch_of(obj) and not annotations_of(obj).get(RELEASED, "").endswith(f".{epoch}"):
        wanted[EPOCH] = str(epoch)
    return with_annotations(obj, wanted) if wanted else dict(obj)


def released(obj: Mapping[str, Any], canary: str, epoch: int) -> dict[str, Any]:
    """The object without our marks but one: a run that was frozen since before must not take it up again (SAFETY 1)."""
    kept = {key: value for key, value in annotations_of(obj).items() if key not in (CANARY, EPOCH, ORIGINAL_SELECTOR)}
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "annotations": {**kept, RELEASED: f"{canary}.{epoch}"}}}


def _released_by(obj: Mapping[str, Any], canary: str) -> int:
    """The epoch of the removal of this canary that gave the object back, 0 when none did."""
    name, unused, by = annotations_of(obj).get(RELEASED, "").rpartition(".")
    return int(by) if name == canary and by.isdigit() else 0


def newest_epoch(obj: Mapping[str, Any], canary: str) -> int:
    """The epoch of the last holder that left a trace on the object, be it by giving it back; 0 when none did."""
    return max(epoch_of(obj), _released_by(obj, canary))


def is_held(obj: Mapping[str, Any], canary: str) -> bool:
    """True while a user's object carries this canary's name, or a fence and nobody's name."""
    annotations = annotations_of(obj)
    return annotations.get(CANARY) == canary or (CANARY not in annotations and EPOCH in annotations)


def are_on(obj: Mapping[str, Any]) -> bool:
    """Whether the annotations of a walk are on a user's object."""
    return not annotations_of(obj).keys().isdisjoint((EPOCH, CANARY))


def taken_off(obj: Mapping[str, Any]) -> dict[str, Any]:
    """A user's object without the annotations of a walk."""
    kept = {key: value for key, value in annotations_of(obj).items() if key not in (EPOCH, CANARY)}
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "annotations": kept}}


def with_annotations(obj: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any]:
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "annotations": {**annotations_of(obj), **wanted}}}


def name_of(obj: Mapping[str, Any]) -> str:
    """Kind namespace/name, for people."""
    metadata = obj.get("metadata") or {}
    return f"{obj.get('kind', 'object')} {metadata.get('namespace', '')}/{metadata.get('name', '')}"
