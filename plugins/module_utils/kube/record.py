# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record in the cluster: one ConfigMap that is the state and the lock (SAFETY 1-6)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import walker
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError, LostLock, RecordError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import (
    PREFIX,
    Holder,
    Record,
    dumps,
    given_anew,
    loads,
    orders_of,
    rfc3339,
)
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN, Clock
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref, config_map

KEY = "record"
DOCUMENT_KEY = "document"
LABEL = f"{PREFIX}canary"
SUFFIX = "-canary"
MOST_TRIES = 5
WAY_OUT = "; an abort takes traffic back all the same; keep a copy of it, delete it, and run again"


def record_ref(namespace: str, name: str) -> Ref:
    return config_map(namespace, name + SUFFIX)


@dataclass(frozen=True)
class Stored:
    """The record as read, with the resourceVersion that its next write must carry; ``record`` None = there is none yet."""

    namespace: str
    name: str
    record: Record | None = None
    orders: Orders = field(default_factory=Orders)
    resource_version: str = ""
    document: Mapping[str, Any] | None = None

    @property
    def exists(self) -> bool:
        return bool(self.resource_version)


def read(api: Api, namespace: str, name: str) -> Stored:
    """Raises RecordError for a foreign ConfigMap of that name, a damaged record or a newer schema (SAFETY 6)."""
    return _stored(namespace, name, api.get(record_ref(namespace, name)))


def salvaged(api: Api, namespace: str, name: str) -> Stored:
    """Of a record that cannot be read, what an abort needs: the document, where that one is whole (SAFETY 6)."""
    body = api.get(record_ref(namespace, name)) or {"metadata": {}}
    ours = LABEL in (body["metadata"].get("labels") or {})
    return Stored(namespace, name, document=_document(body.get("data") or {}) if ours else None)


def from_object(namespace: str, name: str, body: Mapping[str, Any] | None) -> Stored:
    """The same from an object that a watch delivered."""
    return _stored(namespace, name, body)


def _stored(namespace: str, name: str, body: Mapping[str, Any] | None) -> Stored:
    if body is None:
        return Stored(namespace, name)
    metadata, data = body["metadata"], body.get("data") or {}
    if LABEL not in (metadata.get("labels") or {}) or KEY not in data:
        raise RecordError(f"ConfigMap {namespace}/{name}-canary is not a record of this collection (it has no label {LABEL} or no key {KEY}): "
                          "rename or delete it, or give the canary another name")
    try:
        record = loads(data[KEY])
    except RecordError as error:
        raise RecordError(f"ConfigMap {namespace}/{name}{SUFFIX}: {error}{WAY_OUT}") from None
    if (record.namespace, record.name) != (namespace, name):
        raise RecordError(f"ConfigMap {namespace}/{name}{SUFFIX} holds the record of {record.namespace}/{record.name}{WAY_OUT}")
    return Stored(namespace, name, record, orders_of(metadata.get("annotations") or {}), metadata["resourceVersion"], _document(data))


def _document(data: Mapping[str, str]) -> Mapping[str, Any] | None:
    try:
        return json.loads(data[DOCUMENT_KEY]) if data.get(DOCUMENT_KEY) else None
    except (ValueError, RecursionError):
        return None


def every(api: Api, namespace: str) -> tuple[list[Stored], list[tuple[str, str]]]:
    """All records of a namespace, found by their label; and of those that cannot be read the names, and why."""
    found, unreadable = [], []
    for body in api.list(config_map(namespace), label_selector=LABEL).get("items", []):
        name = body["metadata"]["name"]
        if not name.endswith(SUFFIX) or KEY not in (body.get("data") or {}):
            continue                        # what else was made for a canary has the label too
        try:
            stored = _stored(namespace, name.removesuffix(SUFFIX), body)
        except RecordError as error:
            unreadable.append((name.removesuffix(SUFFIX), str(error)))
            continue
        if stored.record is not None:
            found.append(stored)
    return found, unreadable


def write(api: Api, stored: Stored, record: Record, *, obeyed: Iterable[str] = (), document: Mapping[str, Any] | None = None) -> Stored:
    """Store ``record`` if nobody but people's orders changed the ConfigMap since ``stored`` was read.

    Raises LostLock when another run holds the record by now, or it was made or deleted meanwhile (SAFETY 2).
    """
    data = {KEY: dumps(record)}
    if document is not None:
        data[DOCUMENT_KEY] = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if not stored.exists:
        return _create(api, stored, data)
    ref = record_ref(stored.namespace, stored.name)
    for _try in range(MOST_TRIES):
        metadata: dict[str, Any] = {"resourceVersion": stored.resource_version}
        if obeyed:
            metadata["annotations"] = {key: None for key in obeyed}
        try:
            return _stored(stored.namespace, stored.name, api.patch(ref, {"metadata": metadata, "data": data}))
        except KubeError as error:
            if error.status == 404:
                raise deleted(stored.namespace, stored.name) from None
            if error.status != 409:
                raise
        now = read(api, stored.namespace, stored.name)
        if now.record is not None and dumps(now.record) == dumps(record):
            return now                      # our own write had landed, only its answer was lost
        stored, before = _still_ours(stored, now), stored
        obeyed = tuple(key for key in obeyed if not given_anew(key, before.orders, stored.orders))
    raise LostLock(f"the record {stored.namespace}/{stored.name} is being changed all the time: run again")


def _still_ours(before: Stored, now: Stored) -> Stored:
    """The fresh read, if the walk in it is as we knew it (only people's annotations differ)."""
    if now.record is None:
        raise deleted(before.namespace, before.name)
    if dumps(now.record) != dumps(before.record):
        raise LostLock(held_by(now.record))
    return now


def _create(api: Api, stored: Stored, data: Mapping[str, str]) -> Stored:
    ref = record_ref(stored.namespace, stored.name)
    body = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": dict(data),
        "metadata": {"name": ref.name, "namespace": stored.namespace, "labels": {LABEL: marks.label_of(stored.name)}},
    }
    try:
        return _stored(stored.namespace, stored.name, api.create(ref, body))
    except KubeError as error:
        if error.status != 409:
            raise
    raise LostLock(f"the record {stored.namespace}/{stored.name} was made by somebody else just now: run again")


def deleted(namespace: str, name: str) -> LostLock:
    return LostLock(f"the record {namespace}/{name} was deleted while it was walked: run again")


def held_by(record: Record) -> str:
    """Who holds a record since when, in words."""
    holder = record.holder
    if holder is None:
        return f"{record.name}.{record.namespace} was taken over by another run that has ended since"
    return f"{record.name}.{record.namespace} is held by {run_of(holder)} since {rfc3339(holder.since)}, last renewed {rfc3339(holder.renewed)}"


def run_of(holder: Holder) -> str:
    """``run 4b31c147 on ci-7, process 4711``, as far as it is known."""
    return f"run {holder.run[:8]}" + (f" on {holder.host}" if holder.host else "") + (f", process {holder.pid}" if holder.pid else "")


def is_ours(record: Record, run: str) -> bool:
    return record.holder is not None and record.holder.run == run


def held(record: Record, holder: Holder, now: float, lease: float, until: float = 0.0, clock: Clock = UNKNOWN) -> Record:
    """The record with a renewed lease; ``until`` for verbs that cannot renew themselves, ``clock`` for those of this run that come after this one."""
    clock = clock if walker.has_our_clock(holder) else UNKNOWN
    since = record.holder.since if is_ours(record, holder.run) else now
    return dataclasses.replace(record, holder=dataclasses.replace(
        holder, since=since, renewed=now, until=max(now + lease, until), ahead_by_at_least=clock.earliest, ahead_by_at_most=clock.latest))


def claimed(record: Record, holder: Holder, now: float, lease: float, clock: Clock = UNKNOWN) -> Record:
    """The record with a new holder: one epoch on, so that whatever the old one still sends is refused (SAFETY 1)."""
    return dataclasses.replace(held(record, holder, now, lease, clock=clock), epoch=record.epoch + 1)


def agree(api: Api, record: Record) -> None:
    """A run that holds the record goes on by the clock that it has gone by: what it notes down next was not before what it noted down last (SAFETY 27)."""
    holder = record.holder
    if holder is not None and holder.ahead_by_at_most and walker.has_our_clock(holder):
        api.know(Clock(holder.ahead_by_at_least, holder.ahead_by_at_most))


def released(record: Record) -> Record:
    """The last write of a run gives the claim back."""
    return dataclasses.replace(record, holder=None)


def annotate(api: Api, namespace: str, name: str, wanted: Mapping[str, str | None], *, check_mode: bool = False) -> bool:
    """Put people's orders beside the record (None takes one away); True when that changes anything (SAFETY 4).

    Annotations of their own need no resourceVersion: they never collide with what the walker writes.
    """
    ref = record_ref(namespace, name)
    body = api.get(ref) or {"metadata": {}}
    present = body["metadata"].get("annotations") or {}
    if all(present.get(key) == value for key, value in wanted.items()):
        return False
    if not check_mode:
        api.patch(ref, {"metadata": {"annotations": dict(wanted)}})
    return True
