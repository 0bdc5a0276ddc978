# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ConfigMaps and Secrets of the target in the cluster, and the primary's copies of them (SAFETY 18)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, inventory, marks, permissions, primary as copies, takeover, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import FORBIDDEN, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import history_ref, primary_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, change, deleted

Object = Mapping[str, Any]

_NOT_PERMITTED = "cannot create resource"       # what RBAC says; webhooks that refuse answer 403 as well, in words of their own
_REFS: Mapping[str, Callable[[str, str], Ref]] = {configs.CONFIG_MAP: refs.config_map, configs.SECRET: refs.secret}


def place_of(namespace: str, entry: str) -> Ref:
    kind, unused, name = entry.partition("/")
    return _REFS[kind](namespace, name)


def read(api: Api, canary: Canary, pods: Object) -> Configs:
    """What pods of this spec read now: one request for each. What may not be read is named, and stops nobody: an abort needs none of it."""
    if not canary.options.config_tracking:
        return NONE
    wanted, found, denied = configs.references(pods), {}, []
    for entry in wanted:
        try:
            live = api.get(place_of(canary.namespace, entry))
        except KubeError as error:
            if error.status != FORBIDDEN:
                raise
            denied.append(entry)
            continue
        if live is not None:
            found[entry] = live
    return configs.gathered(canary.name, wanted, found, denied)


def of_target(api: Api, canary: Canary, target: Object | None) -> Configs:
    """Those of a target with a pod template; of what the pods behind a Service read nobody knows."""
    return read(api, canary, configs.pods_of(target)) if target and canary.target_kind in targets.WORKLOADS else NONE


def needed(canary: Canary, target: Object | None, found: Configs) -> tuple[Rule, ...]:
    """What a walk of this target, whose pods read what was ``found``, does to ConfigMaps and Secrets besides."""
    if target is None or not canary.options.config_tracking or canary.target_kind not in targets.WORKLOADS:
        return ()
    return permissions.tracked(configs.references(configs.pods_of(target)), (*found.digests, *found.unreadable))


def looked_at(found: Configs) -> tuple[Rule, ...]:
    """What a walk whose target reads what was ``found`` looks at, where copies are there already."""
    return permissions.present_copies(found.digests)


def ensure_copies(writer: Writer, canary: Canary, found: Configs, target: Object) -> list[Change]:
    """The primary's copies of all that is tracked. One that exists stays as it is, and is what it should be, or this raises CanaryError."""
    @functools.cache
    def named() -> frozenset[str]:
        return named_by_ours(writer.api, canary, copies.selector_of(target, canary.options.selector_labels))

    labels = {entry: copies.carried(marks.labels_of(obj), canary) for entry, obj in found.objects.items()}
    return [_ensure(writer, configs.copy_of(entry, obj, found.digests[entry], canary.name, canary.namespace, labels[entry]), named)
            for entry, obj in found.objects.items()]


def _ensure(writer: Writer, made: dict[str, Any], named: Callable[[], frozenset[str]]) -> Change:
    wanted = marks.stamped(made, "", writer.epoch)
    entry = inventory.entry(made["kind"], made["metadata"]["name"])
    place = place_of(made["metadata"]["namespace"], entry)
    if writer.check_mode:
        return Change(place, None, wanted, _got(writer.api, place) is None)
    if _created(writer, place, wanted):
        return Change(place, None, wanted, True)
    # What one of our ReplicaSets names was never ordered away.
    if entry in named():
        live = _got(writer.api, place)
        if live is not None:
            _refuse_another(live, wanted, writer)
        return Change(place, wanted, wanted, False)
    live = _looked_at(writer, place)
    if live is not None:
        _refuse_another(live, wanted, writer)
        # Somebody may have ordered it away while nobody named it, and that may come late: made anew it has another uid (SAFETY 1).
        try:
            deleted(writer, place)
        except KubeError as error:
            if error.status != FORBIDDEN:
                raise
            return Change(place, live, live, False)
    if not _created(writer, place, wanted):
        raise KubeError(f"create {place}: somebody else made it just now; run again", 409, "Conflict")
    return Change(place, None, wanted, True)


def _created(writer: Writer, place: Ref, wanted: dict[str, Any]) -> bool:
    """False where there is one of that name. What the server says of a Secret might repeat what is in it."""
    try:
        writer.api.create(place, wanted)
        return True
    except KubeError as error:
        refused = error
    if refused.status == 409 and refused.reason == "AlreadyExists":
        return False
    if refused.ambiguous or place.kind != configs.SECRET or _NOT_PERMITTED in str(refused):
        raise refused
    raise KubeError(f"create {place}: the API server refuses it ({refused.status}); what it says is not shown, since it may repeat what the Secret holds",
                    refused.status, refused.reason)


def _looked_at(writer: Writer, place: Ref) -> dict[str, Any] | None:
    """The object under a copy's name that no ReplicaSet of ours names. Whoever may create can work out such a name, so it is believed by nothing but a look."""
    try:
        return writer.api.get(place)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        refused = error
    raise KubeError(f"{place} is there already, left by a promotion that was interrupted or made by somebody else, and may not be looked at ({refused}): "
                    "grant that (configs.yml in examples/rbac of the collection has it), or delete this copy, which nothing reads; then run again",
                    refused.status, refused.reason)


def _refuse_another(live: Object, wanted: Object, writer: Writer) -> None:
    marks.check(live, writer.canary, writer.epoch)
    entry = inventory.entry(str(wanted["kind"]), wanted["metadata"]["name"])
    if not marks.is_ours(live, writer.canary):
        raise CanaryError(f"{marks.name_of({**wanted, **live})} exists and is no copy that was made for the canary {writer.canary}: rename or delete it")
    if configs.digest_of(entry, live) != configs.digest_of(entry, wanted):
        raise CanaryError(f"{marks.name_of({**wanted, **live})} does not hold what its name says: somebody made it anew; delete it and run again")


def _got(api: Api, place: Ref) -> dict[str, Any] | None:
    """None as well for what may not be read."""
    try:
        return api.get(place)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        return None


def named_by_ours(api: Api, canary: Canary, selector: Selector | None) -> frozenset[str]:
    """What the primary, or a former template of primary or target, refers to, be it a copy or not: somebody may start pods of it."""
    primary, kept = api.get(primary_ref(canary)), targets.workload(canary.target_kind).kept
    selector = selector or (copies.selector_of_primary(primary) if primary else None)
    values = f"{selector.target[selector.key]}, {selector.primary[selector.key]}" if selector else ""
    label = f"{selector.key} in ({values})" if selector else ""
    history = api.list(history_ref(canary), label_selector=label).get("items") or []
    pods = [*(kept(entry).get("spec") or {} for entry in history), *([configs.pods_of(primary)] if primary else [])]
    return frozenset(entry for spec in pods for entry in configs.references(spec))


def tidied(writer: Writer, canary: Canary, entries: Iterable[str]) -> tuple[str, ...]:
    """Take away copies of the inventory that nobody refers to any more; those that are gone by now. Who may not delete leaves the rest to others."""
    kept = tuple(filter(inventory.is_config, entries)) if canary.target_kind in targets.WORKLOADS else ()
    primary = _got(writer.api, primary_ref(canary)) if kept else None
    if primary is None:
        return ()                           # whoever brings it back needs what it read
    named = named_by_ours(writer.api, canary, copies.selector_of_primary(primary))
    gone: list[str] = []
    for entry in kept:
        if entry in named:
            continue
        try:
            deleted(writer, place_of(canary.namespace, entry))
        except KubeError as error:
            if error.status != FORBIDDEN:
                raise
            break
        gone.append(entry)
    return tuple(gone)


def originals(api: Api, canary: Canary, pods: Object) -> dict[str, str]:
    """Of the references of a primary's pods, those to copies of ours, each with the name of what it is a copy of."""
    found = {}
    for entry in configs.copies_in(pods):
        live = api.get(place_of(canary.namespace, entry))
        name = marks.annotations_of(live or {}).get(configs.COPY_OF)
        if live is not None and name and marks.is_ours(live, canary.name):
            found[entry] = name
    taken_over = (entry for entry, live in of_flagger(api, canary, pods).items() if marks.is_ours(live, canary.name))
    return {**found, **{entry: configs.original_of(entry) for entry in taken_over}}


# Copies that Flagger made

def of_flagger(api: Api, canary: Canary, pods: Object, target: Object | None = None) -> dict[str, Object]:
    """Those that the primary's pods read and Flagger made, by one request each, until the first promotion here; without what may not be read.

    What the ``target`` reads too is not asked for.
    """
    found = {entry: _got(api, place_of(canary.namespace, entry)) for entry in configs.flaggers_in(pods, target)}
    return {entry: live for entry, live in found.items() if live is not None and takeover.is_copy(live, canary.name)}


def owners(api: Api, canary: Canary, primary: Object | None, target: Object | None) -> dict[str, tuple[str, ...]]:
    """Of what a primary's pods read under the names of such copies, the names of the Canary objects that own it; none where it may not be looked at."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in configs.flaggers_in(configs.pods_of(primary), target) if primary and canary.target_kind in targets.WORKLOADS else ():
        try:
            live = api.get(place_of(canary.namespace, entry))
        except KubeError as error:
            if error.status != FORBIDDEN:
                raise
            found[entry] = ()
            continue
        if takeover.owners_of(live or {}):
            found[entry] = tuple(str(owner.get("name", "")) for owner in takeover.owners_of(live or {}))
    return found


def freed(writer: Writer, namespace: str, primary: Object) -> list[Change]:
    """What the primary's pods read is freed from the Canary objects that own it: with them, or with their CRD, it would go from under pods that serve
    users, and none could start any more (SAFETY 7, 25)."""
    changes = []
    for place in (place_of(namespace, entry) for entry in configs.flaggers_in(configs.pods_of(primary))):
        live = writer.api.get(place)
        if live is not None and takeover.owners_of(live):
            changes.append(change(writer, place, lambda now: takeover.freed_copy(now, writer.canary), live=live))
    return changes
