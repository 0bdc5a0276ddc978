# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before a run: the document, whatever it comes from, and whether there is anything to do at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import document as documents_of, inventory, machine, marks, permissions
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states, removing, takeover, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import withheld
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import freeze, thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.given import Given, kept_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.plan import Step, plan as plan_walk
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, rfc3339
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, documents, look, refs, removal, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.module_utils.kube.services import has_endpoints
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import primary_ref, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.routers import refuse

Place = tuple[str, str]     # namespace and name

TICK_GRACE = 15.0           # seconds that tick mode waits for a near due (SAFETY 12)


@dataclass(frozen=True)
class Found:
    """The document of a run: parsed, and frozen for the tasks that follow."""

    canary: Canary
    frozen: dict[str, Any]
    canary_object: Mapping[str, Any] | None = None
    told: tuple[str, ...] = ()          # what people should know of how it was found
    needed: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)   # permissions of a walk, by namespace
    credentials: Mapping[str, str] = field(default_factory=dict)           # what is left out of ``frozen``, by its place there


@dataclass(frozen=True)
class Glance:
    """What can be told without a real look; ``verdict`` is empty when one is needed, else how a run ends that has nothing to do."""

    verdict: str = ""
    why: str = ""


def find(api: Api, given: Given, options: Mapping[str, Any], stored: Stored, takes_back: bool = False) -> Found:
    """Raises SpecError with everything that is wrong with the document, CanaryError when there is none.

    Where this run ``takes_back``, or it is ordered to, be it by an abort or by a removal, it is what was walked: an order may be obeyed by somebody else
    before this one asks for it.
    """
    document = _document(api, given, stored)
    try:
        found = _found(api, document, options, stored)
    except SpecError as error:
        # Neither the end of a walk nor its abort waits until somebody has mended the object.
        if document.source != "object" or begins(stored) or _frozen_in(stored) is None:
            raise
        return _as_begun(api, given, options, stored, document,
                         f"the walk goes on by the document that it began with, since the present one cannot be used: {error}")
    record = stored.record
    back = takes_back or stored.orders.abort or stored.orders.remove or documents.is_deleted(document.canary_object)
    if back and record is not None and record.identity != found.canary.identity and _frozen_in(stored) is not None:
        return _as_begun(api, given, options, stored, document, "what was walked is taken back; the present document names another provider, target or service")
    return found


def find_to_abort(api: Api, given: Given, options: Mapping[str, Any], stored: Stored) -> Found:
    """The document for an abort whose record cannot be read: the given one, else the one that the walk began with, else the Canary object."""
    if given.document is None and _frozen_in(stored) is not None:
        try:
            found = _found(api, _from_record(given, stored), options, stored)
            if (found.canary.namespace, found.canary.name) == (given.namespace, given.name):
                return found
        except (SpecError, TypeError, KeyError, AttributeError):
            pass                            # damaged like the record
    return find(api, given, options, dataclasses.replace(stored, document=None))


def remembered(stored: Stored, mode: str) -> Found | None:
    """The document that a walk goes by, from its record alone: for a tick that may not be due, and then needs no other."""
    record, frozen = stored.record, _frozen_in(stored)
    if mode != "tick" or record is None or record.phase not in states.ANALYSING or frozen is None:
        return None
    try:
        return Found(thaw(frozen), dict(frozen))
    except SpecError:
        return None


@dataclass(frozen=True)
class Document:
    """A document where it was found, with the templates and alert providers that came with it."""

    canary: Mapping[str, Any]
    templates: Sequence[Mapping[str, Any]]
    source: str
    alert_providers: Sequence[Mapping[str, Any]] = ()
    canary_object: Mapping[str, Any] | None = None


def _document(api: Api, given: Given, stored: Stored) -> Document:
    if given.document is not None:
        return Document(given.document, given.templates, given.source, given.alert_providers)
    canary_object = _canary_object(api, given, stored)
    if canary_object is not None:
        return Document(canary_object, given.templates, "object", given.alert_providers, canary_object)
    return _from_record(given, stored)


def _as_begun(api: Api, given: Given, options: Mapping[str, Any], stored: Stored, document: Document, told: str) -> Found:
    """By the document that the walk began with, in place of one that will not do, as people are ``told``."""
    kept = dataclasses.replace(_from_record(given, stored), source=document.source, canary_object=document.canary_object)
    found = _found(api, kept, options, stored)
    return dataclasses.replace(found, told=(*found.told, told))


def _from_record(given: Given, stored: Stored) -> Document:
    frozen = _frozen_in(stored)
    if frozen is None:
        raise CanaryError(
            f"canary_name: there is no Canary object {given.namespace}/{given.name}, and no record of a walk that knows its document; "
            "accepted: a canary of that name and namespace, or its document as canary_file or canary_spec")
    source = frozen.get("source") or "spec"
    # Templates that were given may belong to another document; those of the same name are newer. Its object is gone, or cannot be used.
    present = set(map(place_of, given.templates))
    templates = [*given.templates, *(kept for kept in frozen.get("templates") or () if place_of(kept) not in present)]
    return Document(frozen["canary"], templates, "spec" if source == "object" else source, given.alert_providers)


def _frozen_in(stored: Stored) -> Mapping[str, Any] | None:
    """The frozen document in a record, if there is one that nobody has damaged."""
    frozen = stored.document
    return frozen if isinstance(frozen, Mapping) and isinstance(frozen.get("canary"), Mapping) else None


def _found(api: Api, document: Document, options: Mapping[str, Any], stored: Stored) -> Found:
    options, told = _options(document, options, stored)
    fetched = _fetched(api, documents_of.template_refs(document.canary), document.templates, refs.metric_template)
    former = _former(document, stored)
    providers = _fetched(api, documents_of.alert_provider_refs(document.canary), document.alert_providers, refs.alert_provider, former)
    read = [item for item in providers if item not in former.values()]
    document = dataclasses.replace(document, templates=[*document.templates, *fetched], alert_providers=[*document.alert_providers, *providers])
    canary = _parsed(document, options)
    needed = permissions.needed(canary, document.source == "object", map(place_of, fetched), map(place_of, read))
    frozen, texts = withheld(freeze(document.canary, templates=document.templates, alert_providers=document.alert_providers, options=options,
                                    source=document.source))
    return Found(canary, frozen, document.canary_object, told, needed, texts)


def _options(document: Document, options: Mapping[str, Any], stored: Stored) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    frozen = _frozen_in(stored)
    if frozen is None or (begins(stored) and document.canary is not frozen["canary"]):
        return options, ()
    options, kept = kept_options(options, frozen.get("options") or {})
    names = ", ".join(f"canary_{name}" for name in kept)
    return options, (f"as in the run before, since they were left at their default: {names}",) if kept else ()


def target_of(api: Api, canary: Canary) -> dict[str, Any] | None:
    return api.get(target_ref(canary))


def begins_anew(given: Given, found: Found, stored: Stored, mode: str) -> bool:
    """Whether a walk begins again where the canary was removed: on purpose only, by a walk that brings its document along."""
    return _is_removed(stored) and mode == "walk" and (given.document is not None or found.canary_object is not None)


def glance_at_removal(api: Api, canary: Canary, stored: Stored) -> Glance:
    """Whether there is nothing to remove. Raises CanaryError where something is and no record says what, or a route of the user's own needs it."""
    if stored.record is None:
        primary = api.get(primary_ref(canary))
        if primary is not None and marks.is_ours(primary, canary.name):
            raise CanaryError(f"canary_state: {canary.primary} is there, but the record ConfigMap {canary.name}-canary is lost; walk the canary once, which "
                              "finds out where it stands, and remove it then")
        return Glance(machine.UNCHANGED, "there is no record of it, and nothing to remove")
    if not _is_removed(stored):
        if canary.adopted:
            _refuse_a_route_in_the_way(canary, api.get(routes.ref(canary)))
        return Glance()
    try:
        left = look.look(api, canary, _being_removed(stored.record, "", states.KEEP_PRIMARY)).remains
    except KubeError as error:
        if error.status != 403:
            raise
        return Glance()                     # what is missing is told with all else that a removal needs
    return Glance() if left and (left.objects or left.held) else Glance(machine.UNCHANGED, removing.removed_why(stored.record))


def copied_budgets(api: Api, canary: Canary) -> list[str]:
    """Names of the copies of PodDisruptionBudgets that a removal takes away; none where they may not be listed, which is said among the permissions."""
    try:
        return [entry.partition("/")[2] for entry in removal.made_besides(api, canary)]
    except KubeError as error:
        if error.status != 403:
            raise
        return []


def copied_configs(stored: Stored) -> tuple[str, ...]:
    """Copies of ConfigMaps and Secrets that the record knows."""
    return tuple(filter(inventory.is_config, stored.record.inventory)) if stored.record else ()


def _refuse_a_route_in_the_way(canary: Canary, route: Mapping[str, Any] | None) -> None:
    text = removing.in_the_way(canary, removal.needed_by(route, canary))
    if text:
        raise CanaryError(text)


def _is_removed(stored: Stored) -> bool:
    return stored.record is not None and stored.record.phase == states.TERMINATED and not stored.orders.remove


def _being_removed(record: Record, reason: str, keep: str) -> Record:
    return dataclasses.replace(record, removing=removing.begun(Orders(remove=reason, keep=keep), 0.0))


def glance(api: Api, canary: Canary, stored: Stored, revision: str, mode: str) -> Glance:
    """Whether the run may end before it began: nothing changed from this revision of the target, or the next tick is not due."""
    record = stored.record
    if record is not None and _is_removed(stored):
        return Glance(machine.UNCHANGED, removing.removed_why(record))
    if record is None or not revision or record.identity != canary.identity:
        return Glance()
    seen = machine.glance(record, revision, stored.orders, api.now(), TICK_GRACE)
    if seen == machine.NOT_DUE:
        return Glance(seen, f"{record.due_why or 'gathering evidence'}; next tick due at {rfc3339(record.due)}") if mode == "tick" else Glance()
    if seen == machine.UNCHANGED and _at_rest(api, canary):
        return _unchanged(record, revision, mode)
    return Glance()


def plan(
    api: Api, found: Found, stored: Stored, target: Mapping[str, Any] | None = None, removal: tuple[str, str] | None = None, then: str = "",
) -> tuple[Step, ...]:
    """What a walk would do from here, when all goes well, or a ``removal`` (reason, keep); nothing is written.

    ``target`` is the target as it would be by then; ``then`` the revision that is released when that walk has ended.
    """
    canary = found.canary
    new = Record(canary.name, canary.namespace, identity=canary.identity)
    record = stored.record if stored.record and (removal or not _is_removed(stored)) else new
    if removal:
        record = _being_removed(record, *removal)
    seen = look.look(api, canary, record, target)
    suspended = takeover.is_suspended(found.canary_object) if found.canary_object else canary.suspend
    rejected = bool(found.canary_object and seen.target and takeover.rejects(found.canary_object, seen.target.revision))
    return plan_walk(canary, record, dataclasses.replace(seen, orders=stored.orders, suspended=suspended, rejected=rejected), then)


def begins(stored: Stored) -> bool:
    """Whether a walk is about to begin, rather than going on or being taken back."""
    record = stored.record
    if stored.orders.abort or stored.orders.remove or (record is not None and record.removing):
        return False
    if record is None or record.phase in ("", states.TERMINATED):
        return True
    return record.phase in states.IDLE and not record.ending and not record.restoring


def _unchanged(record: Record, revision: str, mode: str) -> Glance:
    """A walk that asks again for what was rejected gets the same answer, not success."""
    if mode == "walk" and record.phase == states.FAILED and record.outcome in ("rolled_back", "aborted") and revision != record.last_promoted:
        return Glance(record.outcome, words.rejected(record))
    return Glance(machine.UNCHANGED, f"{record.phase}: nothing changed")


def _at_rest(api: Api, canary: Canary) -> bool:
    """Whether nothing is to be put right either: the route leads to the primary, and somebody answers there."""
    route = look.route_now(api, canary)
    led = bool(route and route.split and not route.split.reaches_canary and not route.held)
    return led and has_endpoints(api, canary.namespace, canary.service.primary_name) and autoscalers.is_there(api, canary)


def _canary_object(api: Api, given: Given, stored: Stored) -> dict[str, Any] | None:
    """None as well where Flagger's CRD is not installed, and where it need not be readable since the walk goes by another document."""
    try:
        return documents.read_canary(api, given.namespace, given.name)
    except KubeError as error:
        frozen = _frozen_in(stored)
        elsewhere = error.status == 403 and frozen is not None and frozen.get("source") != "object"
        if error.reason == UNKNOWN_KIND or elsewhere:
            return None
        raise


def _fetched(
    api: Api, places: Sequence[Place], given: Sequence[Mapping[str, Any]], ref: Callable[[str, str], refs.Ref],
    former: Mapping[Place, Mapping[str, Any]] | None = None,
) -> list[Mapping[str, Any]]:
    """What the document names and nobody gave; what does not exist is refused with the rest of the document.

    Where there is a ``former`` one, it stands in for one that is gone or may not be read any more.
    """
    have, former = set(map(place_of, given)), former or {}
    found = []
    for place in places:
        if place in have:
            continue
        try:
            item = api.get(ref(*place))
        except KubeError as error:
            if error.reason != UNKNOWN_KIND and place not in former:
                raise
            item = None
        if item is not None or place in former:
            found.append(item or former[place])
    return found


def place_of(item: Mapping[str, Any]) -> Place:
    return (item["metadata"]["namespace"], item["metadata"]["name"])


def _former(document: Document, stored: Stored) -> dict[Place, Mapping[str, Any]]:
    """The AlertProviders that a walk began with, while it is under way or goes by its record: no rollback waits for an alert.

    Those of the cluster are asked for first all the same, since the record keeps no address.
    """
    frozen = _frozen_in(stored) or {}
    return {} if begins(stored) and document.canary is not frozen.get("canary") else {place_of(item): item for item in frozen.get("alert_providers") or ()}


def _parsed(document: Document, options: Mapping[str, Any]) -> Canary:
    read = documents_of.parse_options(options)
    refuse_all(documents_of.problems(document.canary, templates=document.templates, alert_providers=document.alert_providers, options=read))
    canary = documents_of.parse(document.canary, templates=document.templates, alert_providers=document.alert_providers, options=read,
                                source=document.source)
    refuse_all([CanaryError(text) for text in refuse(canary)])
    return canary


def refuse_all(problems: Sequence[CanaryError]) -> None:
    """One failure that names everything, one problem a line. Raises SpecError when there is only one and it is one, else CanaryError."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise Refused(problems)


class Refused(SpecError):
    """Several things that are wrong, one a line."""

    def __init__(self, problems: Sequence[CanaryError]) -> None:
        super().__init__(problems[0].path if isinstance(problems[0], SpecError) else "", f"{len(problems)} problems")
        self.args = ("\n".join([f"{len(problems)} things have to be changed first:", *(f"- {problem}" for problem in problems)]),)
