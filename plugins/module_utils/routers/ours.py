# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is ours in a routing object that we made, whatever its kind: its marks, and the optional parts that the document asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary


def metadata(canary: Canary, parts: Iterable[str]) -> dict[str, Any]:
    """The metadata of a new object; ``parts`` are those that another document would not have, so that they vanish with the document's wish."""
    service = canary.service
    annotations = {**service.apex.annotations, **marks.TOOLKIT, marks.CANARY: canary.name}
    listed = ",".join(parts)
    if listed:
        annotations[marks.OWNS] = listed
    return {
        "name": service.route_name,
        "namespace": canary.namespace,
        "labels": {**service.apex.labels, marks.CANARY: marks.label_of(canary.name)},
        "annotations": annotations,
    }


def refuse_adopted(canary: Canary) -> list[str]:
    """In a route of the user's own we change two weights and nothing else."""
    analysis = canary.analysis
    problems = ["spec.analysis.match: with canary_route: adopted the matches are those of your own rule; leave match out, and name that rule"]
    copies = ["spec.analysis.mirror: with canary_route: adopted nothing but two weights of your route is changed, so no copies are sent; leave it out"]
    cookies = ["spec.analysis.sessionAffinity: with canary_route: adopted nothing but two weights of your route is changed, so no cookies are set; "
               "leave it out"]
    return (problems if analysis.match else []) + (copies if analysis.mirror else []) + (cookies if analysis.affinity else [])


def parts_of(obj: Mapping[str, Any]) -> set[str]:
    """The optional parts that an object has by a document's wish."""
    return set(filter(None, marks.annotations_of(obj).get(marks.OWNS, "").split(",")))


def reconcile_metadata(live: dict[str, Any], wanted: Mapping[str, Any]) -> None:
    """Our labels and annotations as wanted; everybody else's stay (weak spot 22)."""
    for part in ("labels", "annotations"):
        kept = live.get(part) or {}
        live[part] = {**kept, **wanted[part]}
    if marks.OWNS not in wanted["annotations"]:
        live["annotations"].pop(marks.OWNS, None)


def reconcile_rest(
    rules: list[Any], split: int, rest: int | None, wanted: Sequence[Mapping[str, Any]], reconcile: Callable[[Any, Mapping[str, Any]], None],
) -> None:
    """The rule at ``rest`` of all requests that match nothing, behind the one at ``split``; it goes when the document has no A/B any more."""
    if not wanted:
        if rest is not None:
            del rules[rest]
    elif rest is None:
        rules.insert(split + 1, copy.deepcopy(wanted[0]))
    else:
        reconcile(rules[rest], wanted[0])


def set_or_drop(holder: dict[str, Any], key: str, value: Any, ours: bool) -> None:
    if value:
        holder[key] = value
    elif ours:
        holder.pop(key, None)
