# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at everything that a decision may rest on, in few requests: five in the middle of a walk, eight before it has begun;
one more where an autoscaler scales the primary, and for each workload whose pods keep a walk waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, endpoints, marks, services, targets, troubles
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, Remains, Route, Split, Workload
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import (
    Difference,
    Selector,
    difference,
    is_owned_by,
    selector_of,
    selector_of_primary,
)
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import INITIALIZING, Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, configs as read_configs, refs, removal, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube import service_targets, writing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import read_route
from ansible_collections.progressive.delivery.plugins.module_utils.kube.services import slices as read_slices
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import history_ref, primary_ref, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.routers import kubernetes

Object = Mapping[str, Any]

# Seconds in which pods become ready as a rule, so that nobody asks why they do not.
_USUAL = 10.0

# Without a route and with a Service as the target, users call -primary: nobody is ever led to the canary.
_WITHOUT_APEX = Route(Split(100, 0), accepted=True)


def look(api: Api, canary: Canary, record: Record | None = None, imagined: Object | None = None) -> Observation:
    """The cluster now, with the target as it is or as it is ``imagined``. Orders, and whether the document is suspended, are for the caller to add."""
    return look_whole(api, canary, record, imagined)[0]


@dataclass(frozen=True)
class Noted:
    """What the record keeps of a look and is too long for a tick."""

    tracked: Mapping[str, str] | None = None    # of the target's ConfigMaps and Secrets; None without a target
    taken_over: tuple[str, ...] = ()            # what a primary that is being taken over reads under the names of Flagger's copies


def look_whole(api: Api, canary: Canary, record: Record | None = None, imagined: Object | None = None) -> tuple[Observation, Noted]:
    """The same, and what is to be noted besides.

    Raises CanaryError when the target, the apex or the route belongs to another canary (SAFETY 8), or another workload's pods carry its
    label; SpecError when the target has no selector label.
    """
    target, primary = imagined or api.get(target_ref(canary)), api.get(primary_ref(canary))
    if target:
        marks.check(target, canary.name, 0)
    if canary.target_kind not in targets.WORKLOADS:
        return _look_at_service(api, canary, record, target, primary), Noted()
    read = read_configs.of_target(api, canary, target)
    selector = selector_of(target, canary.options.selector_labels) if target else selector_of_primary(primary) if primary else None
    replicasets = _history(api, canary, selector)
    if _before_the_first_write(record) and selector:
        _refuse_strangers(selector, replicasets, (canary.target, canary.primary))
    slices = _slices(api, canary)
    # A Service's slices follow its selector by a moment: only both together say who answers at the apex.
    only_primary = _only_primary(canary, slices)
    scaler, to_copy = autoscalers.look(api, canary)
    differing, missing = _differing(api, canary, target, selector, _suspects(canary, record, slices, only_primary, target))
    flaggers = read_configs.of_flagger(api, canary, configs.pods_of(primary), target) if primary else {}
    differs = difference(target["spec"]["template"], primary["spec"]["template"], selector, read, flaggers) if target and primary and selector else None
    return Observation(
        now=api.now(),
        latest=api.now_at_latest(),
        target=_explained(api, canary, record, target, _workload(
            target, replicasets, canary.analysis.canary_ready_threshold, endpoints.ready_pods(slices, canary.service.canary_name),
            of_any_revision=False, read=read)),
        primary=_explained(api, canary, record, primary, _workload(
            primary, replicasets, canary.analysis.primary_ready_threshold, endpoints.ready_pods(slices, canary.service.primary_name), of_any_revision=True)),
        same_as_primary=differs is not None and not read.lacks and _means_the_same(differs, record, target, primary),
        services=differing,
        apex_on_primary=only_primary and canary.service.name not in differing,
        route=read_route(api, canary) if canary.splits else _at_apex(canary, slices, differing if target else None),
        replicasets=tuple(item["metadata"]["name"] for item in replicasets if target and is_owned_by(item, target)),
        missing=missing,
        scaler=scaler,
        scaler_to_copy=to_copy,
        remains=_remains(api, canary, record, target, selector, slices) if record and record.removing else None,
        same_template=differs is not None and not differs.template,
        changed_configs=configs.in_words(differs.configs, 3) if differs else "",
    ), Noted(configs.flaggers(read.digests) if target else None, _taken_over(primary, target))


def _taken_over(primary: Object | None, target: Object | None) -> tuple[str, ...]:
    if primary is None or marks.annotations_of(primary).get(marks.PROMOTED):
        return ()
    return configs.flaggers_in(configs.pods_of(primary), target)


def _means_the_same(differs: Difference, record: Record | None, target: Object | None, primary: Object | None) -> bool:
    """Whether a promotion would change nothing for the primary's pods (SAFETY 19).

    A primary from before its target's ConfigMaps and Secrets were tracked reads them itself: it means the same until that is known of the target, and
    from then on a change in them is a new revision like any other.
    """
    if differs.template or differs.configs:
        return False
    if not differs.shared:
        return True
    known = record.last_promoted if record and record.last_promoted else marks.annotations_of(primary or {}).get(marks.PROMOTED, "")
    return target is not None and known == revision_of(target["spec"]["template"])


def _look_at_service(api: Api, canary: Canary, record: Record | None, target: Object | None, primary: Object | None) -> Observation:
    """The same where the target is a Service: no Service is made the apex, since users may call the target itself."""
    trial, slices = api.get(service_targets.canary_ref(canary)), _slices(api, canary)
    differing, missing = service_targets.lost(canary, primary, trial)
    seen = service_targets.seen_target(canary, target, primary, trial, slices)
    serves = service_targets.seen_primary(canary, target, primary, trial, slices)
    return Observation(
        now=api.now(),
        latest=api.now_at_latest(),
        target=seen,
        primary=serves,
        same_as_primary=bool(seen and serves and seen.revision == serves.revision),
        services=differing,
        apex_on_primary=True,
        route=read_route(api, canary) if canary.splits else _WITHOUT_APEX,
        replicasets=(trial["metadata"]["name"],) if trial is not None else (),
        missing=missing,
        remains=_remains(api, canary, record, target, None, slices) if record and record.removing else None,
    )


def _remains(api: Api, canary: Canary, record: Record, target: Object | None, selector: Selector | None, slices: Sequence[Object]) -> Remains:
    return removal.remains(api, canary, record.inventory, target, selector, slices, routes.ref(canary) if canary.splits else None)


def target_revision(api: Api, canary: Canary) -> str:
    """The revision of the target as it is now, empty when there is no target."""
    return revision(api, canary, api.get(target_ref(canary)))


def revision(api: Api, canary: Canary, target: Object | None) -> str:
    """The revision of this target, with what its ConfigMaps and Secrets say now."""
    return targets.revision(target, canary.target_kind, read_configs.of_target(api, canary, target).digests) if target else ""


def route_now(api: Api, canary: Canary) -> Route | None:
    """What splits the traffic, by one request."""
    if not canary.splits and targets.by_kind(canary.target_kind).IS_APEX:
        return _WITHOUT_APEX
    return read_route(api, canary) if canary.splits else _at_apex(canary, _slices(api, canary), None)


def fence(api: Api, canary: Canary, epoch: int) -> None:
    """Refuse whatever an earlier holder, or an answer that got lost, may still have under way (SAFETY 1). Raises LostLock when we are late."""
    writer = writing.Writer(api, canary.name, epoch)
    for place in _fenced(canary):
        writing.fence(writer, place, claim=canary.adopted and place == routes.ref(canary))
    for place in autoscalers.written(canary):
        if autoscalers.got(api, place) is not None:
            writing.fence(writer, place)


def newest_epoch(api: Api, canary: Canary) -> int:
    """The epoch of the last holder that wrote any of the objects, for who cannot learn it from a record; 0 when nobody did."""
    of_scalers = [autoscalers.got(api, place) for place in autoscalers.written(canary)]
    return max(marks.newest_epoch(live or {}, canary.name) for live in [*map(api.get, _fenced(canary)), *of_scalers])


def _fenced(canary: Canary) -> tuple[refs.Ref, ...]:
    places = (*((routes.ref(canary),) if canary.splits else ()), primary_ref(canary), target_ref(canary),
              *(refs.service(canary.namespace, services.name_of(canary, role)) for role in services.ROLES))
    return tuple(dict.fromkeys(places))


def _history(api: Api, canary: Canary, selector: Selector | None) -> Sequence[Object]:
    """The ReplicaSets or ControllerRevisions of target and primary, in one request: their labels differ in the value of one."""
    if selector is None:
        return ()
    values = f"{selector.target[selector.key]}, {selector.primary[selector.key]}"
    return api.list(history_ref(canary), label_selector=f"{selector.key} in ({values})").get("items", [])


def _before_the_first_write(record: Record | None) -> bool:
    return record is None or record.phase in ("", INITIALIZING)


def _refuse_strangers(selector: Selector, replicasets: Sequence[Object], ours: Sequence[str]) -> None:
    """Pods of another workload under the same label would get the canary's or the primary's traffic."""
    for item in replicasets:
        owner = marks.controller_of(item)
        if owner and owner["name"] not in ours:
            label = marks.labels_of(item)[selector.key]
            raise CanaryError(f"{owner['kind']} {item['metadata']['namespace']}/{owner['name']} has pods with the label {selector.key}={label} too, "
                              "and would get traffic meant for the canary's; name a label that only the target has by the option selector_labels")


def _workload(live: Object | None, replicasets: Sequence[Object], threshold: int, pods: frozenset[str], of_any_revision: bool,
              read: Configs = NONE) -> Workload | None:
    """``pods`` are those that answer behind its Service. An old revision's serve users all the same, but say nothing about the one on trial."""
    if live is None:
        return None
    kind, metadata = targets.of(live), live["metadata"]
    template = kind.template(live)
    of_template = revision_of(template)
    owned = [item for item in replicasets if is_owned_by(item, live)]
    current = _current(live, of_template, owned)
    name = current["metadata"]["name"] if current else ""
    state, paused = kind.rollout(live, threshold), bool(live["spec"].get("paused"))
    return Workload(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        replicas=kind.replicas(live),
        nodes=kind.nodes(live),
        running=kind.running(live),
        available=kind.available(live),
        ready=state.ready and not read.lacks,
        why=read.lacks or state.why,
        stuck=state.stuck,
        revision=revision_of(template, read.digests) if read.digests else of_template,
        replicaset=name,
        replicaset_uid=current["metadata"]["uid"] if current else "",
        endpoints=len(pods) if of_any_revision else kind.answering(live, pods, name),
        serving=_serving(live, pods, owned) if paused and not of_any_revision else "",
        promoted=marks.annotations_of(live).get(marks.PROMOTED, ""),
        paused=paused,
        template=of_template,
        configs=read.digest,
        lacks=read.lacks,
    )


def _serving(live: Object, pods: frozenset[str], owned: Sequence[Object]) -> str:
    """Which ReplicaSet has all these pods; "" where there is none of them, or they are of several."""
    kind, names = targets.of(live), (item["metadata"]["name"] for item in owned)
    return next((name for name in names if pods and kind.answering(live, pods, name) == len(pods)), "")


def _explained(api: Api, canary: Canary, record: Record | None, live: Object | None, workload: Workload | None) -> Workload | None:
    """With what keeps its pods, where they have kept the walk waiting for longer than usual and may be looked at.

    Nothing is decided by it, so that nothing waits for it: what goes down goes without, and the server is asked now and then, once and shortly.
    """
    if live is None or workload is None or record is None or workload.ready or workload.lacks or not workload.replicas:
        return workload
    if record.ending:
        return workload
    if not workload.stuck and api.now() - (record.unready_since or record.last_transition) < min(_USUAL, canary.progress_deadline / 2):
        return workload
    labels = ",".join(f"{key}={value}" for key, value in (live["spec"]["selector"].get("matchLabels") or {}).items())
    pods = api.glimpse(refs.pod(live["metadata"]["namespace"]), label_selector=labels)
    trouble = troubles.of_pods(pods, {workload.uid, workload.replicaset_uid})
    return replace(workload, why=f"{workload.why}: {trouble}") if trouble else workload


def _current(live: Object, revision: str, owned: Sequence[Object]) -> Object | None:
    """What keeps exactly the present template: the newest by the controller's count, if it has caught up, else any."""
    kind = targets.of(live)
    return next((item for item in kind.newest_first(live, owned) if revision_of(kind.kept(item)) == revision), None)


def _only_primary(canary: Canary, slices: Sequence[Object]) -> bool:
    apex = endpoints.all_pods(slices, canary.service.name)
    return bool(apex) and apex <= endpoints.all_pods(slices, canary.service.primary_name)


def _slices(api: Api, canary: Canary) -> Sequence[Object]:
    return read_slices(api, canary.namespace, [services.name_of(canary, role) for role in services.ROLES])


def _at_apex(canary: Canary, slices: Sequence[Object], differing: Sequence[str] | None) -> Route | None:
    """In place of a routing object, where the provider has none: whom the apex leads to. ``differing`` is None when no Service was looked at."""
    apex = canary.service.name
    as_wanted = differing is not None and apex not in differing
    differs = differing is not None and apex in differing
    return kubernetes.route(exists=as_wanted or endpoints.has_slices(slices, apex), differs=differs, pods=endpoints.all_pods(slices, apex),
                            of_canary=endpoints.all_pods(slices, canary.service.canary_name))


def _suspects(canary: Canary, record: Record | None, slices: Sequence[Object], only_primary: bool, target: Object | None) -> list[str]:
    """Services worth a request of their own. Once the canary is initialised, slices tell that they are there and whom they reach."""
    if _before_the_first_write(record):
        return list(services.ROLES)
    answers = {role: bool(endpoints.ready_pods(slices, services.name_of(canary, role))) for role in services.ROLES}
    rests = not target or targets.of(target).replicas(target) == 0
    fine = {services.PRIMARY: answers[services.PRIMARY], services.CANARY: answers[services.CANARY] or rests, services.APEX: only_primary}
    return [role for role in services.ROLES if not fine[role] or not endpoints.has_slices(slices, services.name_of(canary, role))]


def _differing(api: Api, canary: Canary, target: Object | None, selector: Selector | None, roles: Sequence[str],
               ) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the Services that are missing or differ, and of those that are missing."""
    if target is None or selector is None:
        return (), ()
    found, missing = [], []
    for role in roles:
        live = api.get(refs.service(canary.namespace, services.name_of(canary, role)))
        if live and role == services.APEX:
            marks.check(live, canary.name, 0)
        if live is None:
            missing.append(services.name_of(canary, role))
        if not services.is_as_wanted(live, canary, role, selector, target):
            found.append(services.name_of(canary, role))
    return tuple(found), tuple(missing)
