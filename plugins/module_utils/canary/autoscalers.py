# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target's autoscaler: its copy for the primary, whose minimum a walk holds (SAFETY 15), and KEDA's pause of the original.

The replicas of what an autoscaler scales are its own; nobody here sets them. A copy follows its original when it is made and with each
promotion. What KEDA's annotations mean is in its documentation of ScaledObjects.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Scaler
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import SUFFIX, Selector, renamed, without_adopting
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler, Canary

Object = Mapping[str, Any]

API_VERSIONS = {HPA: "autoscaling/v2", SCALED_OBJECT: "keda.sh/v1alpha1"}

# On the copy: "<minimum before> <minimum that is held>", written in the same patch as the minimum itself, so that it outlives a record.
HELD = marks.PREFIX + "held-minimum"

PAUSED = "autoscaling.keda.sh/paused"
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
_PAUSES = "autoscaling.keda.sh/paused"     # every annotation that begins so
NOBODY = "0"                               # replicas of a target that rests


@dataclass(frozen=True)
class _Fields:
    """What a kind calls its bounds, and what they are where they are left out."""

    minimum: str
    maximum: str
    least: int
    most: int


_FIELDS = {
    HPA: _Fields("minReplicas", "maxReplicas", 1, 1),
    SCALED_OBJECT: _Fields("minReplicaCount", "maxReplicaCount", 0, 100),
}


def bounds(scaler: Object) -> tuple[int, int]:
    """The fewest and the most replicas that it gives."""
    fields, spec = _FIELDS[scaler["kind"]], scaler["spec"]
    least, most = spec.get(fields.minimum), spec.get(fields.maximum)
    return fields.least if least is None else int(least), fields.most if most is None else int(most)


def scales(scaler: Object, deployment: str) -> bool:
    """Whether it scales the Deployment of this name."""
    reference = scaler["spec"].get("scaleTargetRef") or {}
    return reference.get("kind", "Deployment") == "Deployment" and reference.get("name") == deployment


def seen(live: Object, canary: Canary) -> Scaler | None:
    """The primary's autoscaler as a decision sees it; None for one that was made neither by us nor by Flagger for this canary."""
    return told(live) if is_known(live, canary) else None


def told(live: Object) -> Scaler:
    """Any autoscaler as a decision sees it."""
    least, most = bounds(live)
    return Scaler(least, most, held=HELD in marks.annotations_of(live), ours=not takeover.owners_of(live))


def is_known(live: Object, canary: Canary) -> bool:
    """Whether the copy was made for this canary, by us or by Flagger (SAFETY 25)."""
    return marks.is_ours(live, canary.name) or any(owner.get("name") == canary.name for owner in takeover.owners_of(live))


# The copy

def copy_of(original: Object, canary: Canary, selector: Selector) -> dict[str, Any]:
    """The autoscaler of the primary: the target's, with what the document gives the primary, and nothing of other tools (SAFETY 20)."""
    wanted = _wanted(canary)
    metadata = original["metadata"]
    annotations = _kept(metadata.get("annotations") or {}) if wanted.kind == SCALED_OBJECT else {}
    spec = copy.deepcopy(dict(original["spec"]))
    spec["scaleTargetRef"] = {**spec["scaleTargetRef"], "name": canary.primary}
    if wanted.kind == HPA:
        spec["metrics"] = [_metric(metric, canary, selector) for metric in spec.get("metrics") or []]
    else:
        _of_keda(spec, canary, wanted)
    _bounded({"kind": wanted.kind, "spec": spec}, wanted)
    return {
        "apiVersion": API_VERSIONS[wanted.kind],
        "kind": wanted.kind,
        "metadata": {
            "name": wanted.primary,
            "namespace": canary.namespace,
            "labels": {**_kept(metadata.get("labels") or {}), marks.CANARY: marks.label_of(canary.name)},
            "annotations": {**annotations, **marks.TOOLKIT, marks.CANARY: canary.name},
        },
        "spec": spec,
    }


def reconciled(live: Object, wanted: Object, canary: Canary) -> dict[str, Any]:
    """The live copy as it is to be, at least as large as it is held. Raises CanaryError where somebody else made one of that name."""
    if not is_known(live, canary):
        raise CanaryError(f"{marks.name_of(live)} exists and was not made for the canary {canary.name}; remove or rename it")
    freed = takeover.freed(copy.deepcopy(dict(live)), canary.name)
    kept = {key: value for key, value in marks.annotations_of(freed).items() if key != HELD}
    metadata = {**freed["metadata"], "labels": {**marks.labels_of(freed), **marks.labels_of(wanted)}, "annotations": {**kept, **marks.annotations_of(wanted)}}
    made = {**freed, "metadata": metadata, "spec": copy.deepcopy(dict(wanted["spec"]))}
    return held(made, bounds(live)[0]) if HELD in marks.annotations_of(live) else made


def held(scaler: Object, minimum: int) -> dict[str, Any]:
    """With at least so many replicas, as far as its maximum allows, and a note of what it had before. One that is held already stays noted as it was."""
    least, most = bounds(scaler)
    wanted = min(minimum, most)
    if least >= wanted:
        return dict(scaler)
    before = _noted(scaler)[0] or str(least)
    made = marks.with_annotations(scaler, {HELD: f"{before} {wanted}"})
    return {**made, "spec": {**made["spec"], _FIELDS[scaler["kind"]].minimum: wanted}}


def let_go(scaler: Object) -> dict[str, Any]:
    """With the minimum that it had before; one that somebody else has set since stays (SAFETY 14)."""
    if HELD not in marks.annotations_of(scaler):
        return dict(scaler)
    before, by_us = _noted(scaler)
    kept = {key: value for key, value in marks.annotations_of(scaler).items() if key != HELD}
    made = {**scaler, "metadata": {**scaler["metadata"], "annotations": kept}}
    if not before or str(bounds(scaler)[0]) != by_us:
        return made
    return {**made, "spec": {**made["spec"], _FIELDS[scaler["kind"]].minimum: int(before)}}


def _noted(scaler: Object) -> tuple[str, str]:
    """The minimum before and the one that was set, as texts of digits; two empty texts where no note can be read."""
    before, unused, by_us = marks.annotations_of(scaler).get(HELD, "").partition(" ")
    return (before, by_us) if before.isdigit() and by_us.isdigit() else ("", "")


def _wanted(canary: Canary) -> Autoscaler:
    if canary.autoscaler is None:
        raise CanaryError(f"spec.autoscalerRef: the document of {canary.name} names no autoscaler")
    return canary.autoscaler


def _kept(texts: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations that the copy gets too. A pause of the original is not one of the copy (weak spot 30)."""
    return {key: value for key, value in without_adopting(texts).items() if not key.startswith(_PAUSES)}


def _bounded(scaler: dict[str, Any], wanted: Autoscaler) -> None:
    """The document's bounds in place of the target's; never none at all, since nobody would answer then (SAFETY 16)."""
    fields, (least, most) = _FIELDS[scaler["kind"]], bounds(scaler)
    most = wanted.max_replicas or most
    least = min(max(1, wanted.min_replicas or least), most)
    scaler["spec"].update({fields.minimum: least, fields.maximum: most})


def _metric(metric: Object, canary: Canary, selector: Selector) -> dict[str, Any]:
    """A metric of the target as one of the primary (weak spot 32): what selects the target's pods would count the canary."""
    made = copy.deepcopy(dict(metric))
    for source in ("external", "object", "pods"):
        asked = (made.get(source) or {}).get("metric") or {}
        if asked.get("selector"):
            asked["selector"] = _selector(asked["selector"], canary, selector)
    described = (made.get("object") or {}).get("describedObject") or {}
    if (described.get("kind"), described.get("name")) == (canary.target_kind, canary.target):
        described["name"] = canary.primary
    elif (described.get("kind"), described.get("name")) == ("Service", canary.service.canary_name):
        described["name"] = canary.service.primary_name
    return made


def _selector(terms: Object, canary: Canary, selector: Selector) -> dict[str, Any]:
    made = renamed(terms, selector)
    renaming = {canary.target: canary.primary, f"{canary.target}-canary": canary.primary}
    match = made.get("matchLabels") or {}
    match.update({key: renaming[value] for key, value in match.items() if value in renaming})
    for expression in made.get("matchExpressions") or []:
        if expression.get("values"):
            expression["values"] = [renaming.get(value, value) for value in expression["values"]]
    return made


def _of_keda(spec: dict[str, Any], canary: Canary, wanted: Autoscaler) -> None:
    spec.pop("idleReplicaCount", None)      # the only value that it may have is 0
    made_by_keda = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    if made_by_keda.get("name"):
        made_by_keda["name"] += SUFFIX
    for trigger in spec.get("triggers") or []:
        metadata = trigger.get("metadata") or {}
        if trigger.get("name") in wanted.queries:
            trigger["metadata"] = {**metadata, "query": wanted.queries[trigger["name"]]}
        elif metadata.get("query"):
            metadata["query"] = of_primary(metadata["query"], canary.target)


_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def of_primary(query: str, target: str) -> str:
    """A query about the target, or about its canary, as one about the primary.

    Where the name stands between quotation marks, as values of labels do, it is taken there only: a label may be called like the target.
    """
    name = _named(target)
    if any(name.search(text) for text in _QUOTED.findall(query)):
        return _QUOTED.sub(lambda quoted: name.sub(target + SUFFIX, quoted[0]), query)
    return name.sub(target + SUFFIX, query)


def names(query: str, target: str) -> bool:
    """Whether a query says anything of the target."""
    return bool(_named(target).search(query))


def _named(target: str) -> re.Pattern[str]:
    """The name by itself, with -canary or -primary behind it, or as the beginning of the names of its pods."""
    return re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(target)}(?:-(?:canary|primary)(?![A-Za-z0-9_]))?(?![A-Za-z0-9_])")


def triggers(scaler: Object) -> Iterator[Mapping[str, Any]]:
    """Those of a ScaledObject."""
    yield from scaler["spec"].get("triggers") or []


# The original

def is_paused(scaler: Object) -> bool:
    """Whether we, or Flagger before us, told KEDA that the target rests."""
    return marks.annotations_of(scaler).get(PAUSED_REPLICAS) == NOBODY


def paused(scaler: Object) -> dict[str, Any]:
    """KEDA takes the target to 0 and keeps it there."""
    return marks.with_annotations(scaler, {PAUSED_REPLICAS: NOBODY})


def resumed(scaler: Object) -> dict[str, Any]:
    """KEDA scales the target again; a pause that somebody else asked for stays."""
    if not is_paused(scaler):
        return dict(scaler)
    kept = {key: value for key, value in marks.annotations_of(scaler).items() if key != PAUSED_REPLICAS}
    return {**scaler, "metadata": {**scaler["metadata"], "annotations": kept}}
