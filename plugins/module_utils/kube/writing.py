# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fenced writes: what every change of a route, workload or Service has in common (SAFETY 1, 8, 14).

Each patch carries the resourceVersion that was read for it, so that the server refuses it when anything changed since. A refusal, and an
answer that got lost, are followed by a new look: the write is done again only if nobody later has fenced the object and what the order
rests on is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.patch import difference, fenced, json_patch
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import JSON_PATCH, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing

MOST_TRIES = 4              # of a write that others' changes get in the way of


@dataclass(frozen=True)
class Writer:
    """Who writes: for which canary, fenced by which epoch. A verb used alone has neither (empty, 0)."""

    api: Api
    canary: str
    epoch: int
    check_mode: bool = False


@dataclass(frozen=True)
class Change:
    """One object before and after; in check mode ``after`` is what it would be. None = it does not exist.

    ``wanted`` is what was sent: the object after, without what the server fills in by itself.
    """

    ref: Ref
    before: dict[str, Any] | None
    after: dict[str, Any]
    changed: bool
    wanted: dict[str, Any] | None = None


def change(writer: Writer, ref: Ref, make: Callable[[dict[str, Any]], dict[str, Any]], *, live: dict[str, Any] | None = None,
           still_right: Callable[[dict[str, Any], dict[str, Any]], bool] = lambda first, now: True, claim: bool = False) -> Change:
    """Make the live object into what ``make`` gives for it, if it is not that already.

    ``still_right(first, now)`` says whether the order still holds after somebody else changed the object. With ``claim`` the object gets the
    annotation that names the canary, even when nothing else is to be changed. Raises LostLock, CanaryError or KubeError.
    """
    first = live = live or existing(writer.api, ref)
    marks.check(live, writer.canary, writer.epoch)
    for attempt in range(MOST_TRIES):
        wanted = make(live)
        if wanted == live and not (claim and _unclaimed(live, writer)):
            return Change(ref, first, live, changed=attempt > 0 and live != first)
        wanted = marks.stamped(wanted, writer.canary if claim else "", writer.epoch)
        if writer.check_mode:
            return Change(ref, first, wanted, changed=True)
        try:
            return Change(ref, first, _patch(writer.api, ref, live, wanted), True, wanted)
        except KubeError as error:
            if not worth_another_try(error, attempt):
                raise
        live = existing(writer.api, ref)
        marks.check(live, writer.canary, writer.epoch)      # whoever took the canary over is no stranger, and is to be named
        if make(live) != live and not still_right(first, live):
            raise KubeError(f"{ref} was changed by somebody else while it was to be changed; nothing was done to it", 409, "Conflict")
    raise AssertionError("unreachable")


def ensure(writer: Writer, ref: Ref, new: Callable[[], dict[str, Any]], make: Callable[[dict[str, Any]], dict[str, Any]], *,
           still_right: Callable[[dict[str, Any], dict[str, Any]], bool] = lambda first, now: True, claim: bool = False) -> Change:
    """The same for an object that may not exist yet: then it is made."""
    live = writer.api.get(ref)
    if live is not None:
        return change(writer, ref, make, live=live, still_right=still_right, claim=claim)
    wanted = marks.stamped(new(), writer.canary if claim else "", writer.epoch)
    if writer.check_mode:
        return Change(ref, None, wanted, changed=True)
    try:
        return Change(ref, None, writer.api.create(ref, wanted), True, wanted)
    except KubeError as error:
        if not ((error.status == 409 and error.reason == "AlreadyExists") or error.ambiguous):
            raise
        live = writer.api.get(ref)
        if live is None:
            raise
    # It is there by now: made by the request whose answer got lost, or by somebody else.
    done = change(writer, ref, make, live=live, still_right=still_right, claim=claim)
    return Change(ref, None, done.after, True, wanted)


def fence(writer: Writer, ref: Ref, claim: bool = False) -> bool:
    """Move the object's resourceVersion, so that whatever was sent before is refused. False when there is no such object.

    With ``claim`` the object gets the annotation that names the canary as well. Raises LostLock when a later holder has fenced it.
    """
    claimed = {marks.CANARY: writer.canary} if claim else {}
    return _annotate(writer, ref, lambda live: marks.with_annotations(live, {**claimed, marks.EPOCH: marks.next_fence(live, writer.epoch)}))


def let_go(writer: Writer, ref: Ref) -> bool:
    """Take the annotations of a walk off a user's object. False when there is nothing to take. Raises LostLock as ``fence``."""
    return _annotate(writer, ref, lambda live: marks.taken_off(live) if marks.are_on(live) else None)


def _annotate(writer: Writer, ref: Ref, make: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
    for attempt in range(MOST_TRIES):
        live = writer.api.get(ref)
        wanted = make(live) if live is not None else None
        if live is None or wanted is None:
            return False
        marks.check(live, writer.canary, writer.epoch)
        try:
            _patch(writer.api, ref, live, wanted)
            return True
        except KubeError as error:
            if error.status != 404 and not worth_another_try(error, attempt):
                raise
    raise AssertionError("unreachable")


def deleted(writer: Writer, place: Ref) -> list[Change]:
    """One object that we made, with the uid and resourceVersion that were read; nothing where it is gone, or somebody else's."""
    for attempt in range(MOST_TRIES):
        live = writer.api.get(place)
        if live is None or not is_left(live, writer.canary):
            return []
        marks.check(live, writer.canary, writer.epoch)
        if writer.check_mode:
            return [Change(place, live, {}, True)]
        try:
            writer.api.delete(place, uid=live["metadata"]["uid"], resource_version=live["metadata"]["resourceVersion"])
            return [Change(place, live, {}, True)]
        except KubeError as error:
            if not worth_another_try(error, attempt):
                raise
    raise AssertionError("unreachable")


def is_left(live: Mapping[str, Any] | None, canary: str) -> bool:
    """Whether an object that we made is there, and not on its way out."""
    return live is not None and marks.is_ours(live, canary) and not live["metadata"].get("deletionTimestamp")


def worth_another_try(error: KubeError, attempt: int) -> bool:
    """After a new look: somebody else's change is no reason to give up; a line that breaks a second time is (the client has tried by itself)."""
    return (error.status == 409 and attempt < MOST_TRIES - 1) or (error.ambiguous and attempt == 0)


def shown(changes: Iterable[Change]) -> dict[str, dict[str, Any]]:
    """An Ansible diff: of each changed object the fields that differ, under its name."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for one in changes:
        if one.changed:
            before[str(one.ref)], after[str(one.ref)] = difference(_relevant(one.before), _relevant(one.wanted or one.after))
    return {"before": before, "after": after}


def _patch(api: Api, ref: Ref, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    return api.patch(ref, fenced(json_patch(live, wanted), live["metadata"]["resourceVersion"]), JSON_PATCH)


def _unclaimed(live: Mapping[str, Any], writer: Writer) -> bool:
    return bool(writer.canary) and marks.annotations_of(live).get(marks.CANARY) != writer.canary


def _relevant(obj: Mapping[str, Any] | None) -> dict[str, Any]:
    """What people change: not the status, and nothing that the server keeps its own books with."""
    if obj is None:
        return {}
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key in ("labels", "annotations")}
    return {"metadata": metadata, "spec": obj.get("spec") or {}}
