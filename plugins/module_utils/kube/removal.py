# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of a canary in the cluster, and the writes that give it back and take it away (SAFETY 29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, endpoints, inventory, marks, parking, primary as copies
from ansible_collections.progressive.delivery.plugins.module_utils.canary import services, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.autoscalers import is_paused, told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import MISSING, ORIGINAL, OURS, Remains
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import Selector
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, configs as kept_configs, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import FORBIDDEN, UNKNOWN_KIND, Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import history_ref, primary_ref, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, change, deleted, ensure, is_left, let_go
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND

Object = Mapping[str, Any]

BUDGET = "PodDisruptionBudget"


def remains(api: Api, canary: Canary, recorded: Sequence[str], target: Object | None, selector: Selector | None, slices: Sequence[Object],
            route: Ref | None) -> Remains:
    """``recorded`` is the record's inventory, ``route`` None where the provider has no routing object. An object that is going away already is gone."""
    apex = api.get(refs.service(canary.namespace, canary.service.name))
    routing = api.get(route) if route else None
    place = autoscalers.users(canary)
    scaler = autoscalers.got(api, place) if place else None
    needed = needed_by(routing, canary)
    pods = endpoints.all_pods(slices, canary.service.name)
    # The pods behind a Service that is itself the target are the user's, whoever else leads to them.
    of_apex = targets.by_kind(canary.target_kind).IS_APEX
    known = inventory.to_dispose(canary, inventory.joined(recorded, (*made_besides(api, canary), *_read_by(api, canary))))
    return Remains(
        objects=inventory.at_once(entry for entry in known if entry not in needed and _is_left(api, canary, entry)),
        apex=MISSING if apex is None else ORIGINAL if selector is None or services.is_original(apex, selector) else OURS,
        apex_has_primary=not of_apex and bool(pods & endpoints.all_pods(slices, canary.service.primary_name)),
        apex_ready=bool(endpoints.ready_pods(slices, canary.service.name)),
        route=MISSING if routing is None else OURS if router_for(canary).release(routing, canary) != routing else ORIGINAL,
        held=any(live is not None and marks.is_held(live, canary.name) for live in (target, apex, routing, scaler)),
        needed=tuple(entry for entry in needed if _is_left(api, canary, entry)),
        paused=scaler is not None and is_paused(scaler),
        scaler=told(scaler) if scaler is not None else None,
    )


def made_besides(api: Api, canary: Canary) -> tuple[str, ...]:
    """What was made as copies of the user's objects, whose names no order says: copies of PodDisruptionBudgets."""
    label = f"{marks.CANARY}={marks.label_of(canary.name)}"
    found = api.list(refs.pod_disruption_budget(canary.namespace), label_selector=label).get("items") or []
    return tuple(inventory.entry(BUDGET, item["metadata"]["name"]) for item in found)


def _read_by(api: Api, canary: Canary) -> tuple[str, ...]:
    """Copies that the primary refers to, where a lost record had them."""
    primary = api.get(primary_ref(canary)) if canary.target_kind in targets.WORKLOADS else None
    pods = configs.pods_of(primary) if primary else {}
    return (*configs.copies_in(pods), *kept_configs.of_flagger(api, canary, pods))


def needed_by(routing: Object | None, canary: Canary) -> tuple[str, ...]:
    """Those of our Services that a route of the user's own names: it would break without them, and is not ours to rewrite."""
    if routing is None or not canary.adopted:
        return ()
    named = set(AROUND[canary.provider].backends(routing))
    return tuple(inventory.entry(inventory.SERVICE, name) for name in (canary.service.primary_name, canary.service.canary_name) if name in named)


def _read(api: Api, canary: Canary, entry: str) -> Object | None:
    place = refs.disposable(canary.namespace, entry)
    try:
        return api.get(place) if place else None
    except KubeError as error:
        if error.reason != UNKNOWN_KIND:
            raise
        return None                         # whoever took the kind away took all of them away


def _is_left(api: Api, canary: Canary, entry: str) -> bool:
    """What may not be looked at counts as there: no look, and so no way back for the traffic, waits for that right."""
    try:
        return is_left(_read(api, canary, entry), canary.name)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        return True


def apex_back(writer: Writer, canary: Canary, selector: Selector) -> Change:
    """The apex selects what it selected before us; one that never came to be is made, selecting the target."""
    target = existing(writer.api, target_ref(canary))

    def new() -> dict[str, Any]:
        return services.original(services.wanted(canary, services.APEX, selector, target), canary, selector, writer.epoch)

    return ensure(
        writer, refs.service(canary.namespace, canary.service.name), new, lambda live: services.original(live, canary, selector, writer.epoch),
        still_right=lambda first, now: now["spec"].get("selector") == first["spec"].get("selector"))


def route_back(writer: Writer, canary: Canary, place: Ref) -> Change:
    """The route leads to the apex, and carries our name no more. One of the user's own is let go at the end, as after every walk."""
    router = router_for(canary)
    if canary.adopted:
        return change(writer, place, lambda live: router.release(live, canary))
    return change(writer, place, lambda live: marks.released(router.release(live, canary), canary.name, writer.epoch))


def dispose(writer: Writer, canary: Canary, entries: Sequence[str], route: Ref | None) -> list[Change]:
    """Delete what is ours of these, each with the uid and resourceVersion that were read; then let the users' objects go."""
    changes = [one for entry in entries for one in _deleted(writer, canary, entry)]
    if route and canary.adopted and not writer.check_mode:
        let_go(writer, route)
    ours = () if route is None or canary.adopted else (route,)
    for place in (refs.service(canary.namespace, canary.service.name), *ours, target_ref(canary)):
        live = writer.api.get(place)
        if live is not None and marks.is_held(live, canary.name):
            changes.append(change(writer, place, lambda now: marks.released(now, canary.name, writer.epoch), live=live))
    return [*changes, *_scaler_back(writer, canary)]


def _scaler_back(writer: Writer, canary: Canary) -> list[Change]:
    place = autoscalers.users(canary)
    live = autoscalers.got(writer.api, place) if place else None
    if place is None or live is None or not marks.is_held(live, canary.name):
        return []
    return [change(writer, place, lambda now: autoscalers.give_back(now, canary, writer.epoch), live=live)]


def _deleted(writer: Writer, canary: Canary, entry: str) -> list[Change]:
    place = refs.disposable(canary.namespace, entry)
    return deleted(writer, place) if place else []


def template_back(writer: Writer, canary: Canary, revision: str) -> Change:
    """The target with the promoted template: as its own history kept it, else made from the primary's."""
    place = target_ref(canary)
    live = existing(writer.api, place)
    template = _kept_template(writer.api, canary, live, revision)
    return change(writer, place, lambda now: {**now, "spec": {**now["spec"], "template": parking.as_parked_as(template, now["spec"]["template"])}}, live=live,
                  still_right=lambda first, now: revision_of(first["spec"]["template"]) == revision_of(now["spec"]["template"]))


def _kept_template(api: Api, canary: Canary, target: Object, revision: str) -> dict[str, Any]:
    selector = copies.selector_of(target, canary.options.selector_labels)
    label, kind = ",".join(f"{key}={value}" for key, value in selector.target.items()), targets.of(target)
    for item in api.list(history_ref(canary), label_selector=label).get("items", []):
        template = copies.own_template(kind.kept(item))
        if copies.is_owned_by(item, target) and revision_of(template) == revision:
            return template
    live = api.get(primary_ref(canary))
    if live is None or marks.annotations_of(live).get(marks.PROMOTED, "") != revision:
        raise CanaryError(f"{marks.name_of(target)} cannot get the promoted template back: neither a {kind.HISTORY} of it nor {canary.primary} has the "
                          f"revision {revision[:8]}; apply it yourself, or remove with keep=target")
    template = live["spec"]["template"]
    originals = kept_configs.originals(api, canary, template.get("spec") or {})
    return copies.target_template(template, target["spec"]["template"], selector, originals)
