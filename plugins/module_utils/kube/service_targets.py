# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Service as the target in the cluster: what a look sees of it, and the orders for it, each a desired state of one of three Services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import endpoints, marks, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Workload, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.targets import service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import primary_ref, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, change, ensure

Object = Mapping[str, Any]


def canary_ref(canary: Canary) -> Ref:
    """The Service that leads to the revision on trial."""
    return refs.service(canary.namespace, canary.service.canary_name)


# Looking

def seen_target(canary: Canary, target: Object | None, primary: Object | None, trial: Object | None, slices: Sequence[Object]) -> Workload | None:
    """It *runs*, as a canary, while -canary is on trial; a revision that comes meanwhile is not the one on trial.

    Where it means what is promoted, it does not have to be what -canary leads to: there is nothing to try then, and -canary goes back.
    """
    if target is None:
        return None
    revision = service.revision(target)
    leads = trial is not None and service.revision(trial) == revision
    promoted = primary is not None and service.revision(primary) == revision
    runs = trial is not None and service.is_on_trial(trial) and (leads or promoted)
    answering = len(endpoints.ready_pods(slices, canary.service.canary_name)) if leads else 0
    why = "" if runs and answering else (
        f"none of the pods that {canary.service.canary_name} selects is ready" if runs else f"{canary.service.canary_name} does not lead to what it selects")
    return _workload(target, replicas=int(runs), endpoints=answering, ready=not why, why=why, revision=revision,
                     available=len(endpoints.ready_pods(slices, canary.target)), trial=trial if leads else None)


def seen_primary(canary: Canary, target: Object | None, primary: Object | None, trial: Object | None, slices: Sequence[Object]) -> Workload | None:
    """Ready when somebody answers behind it, and its slices are those of the selector that it has by now (SAFETY 27).

    Slices do not say of which selector they are. Where another Service leads to the same pods, both have the same ones once each has followed.
    """
    if primary is None:
        return None
    revision, name = service.revision(primary), canary.service.primary_name
    behind, answering = endpoints.all_pods(slices, name), len(endpoints.ready_pods(slices, name))
    alike = [other for other, live in ((canary.service.canary_name, trial), (canary.target, target)) if live is not None and service.revision(live) == revision]
    followed = all(endpoints.all_pods(slices, other) == behind for other in alike)
    why = f"none of the pods that {name} selects is ready" if not answering else "" if followed else f"the endpoints of {name} follow its selector"
    same = target is not None and service.revision(target) == revision
    return _workload(primary, replicas=1, endpoints=answering, ready=not why, why=why, revision=revision, available=answering, trial=primary,
                     promoted=marks.annotations_of(primary).get(marks.PROMOTED, ""), nodes=len(endpoints.all_pods(slices, canary.target)) if same else 0)


def _workload(live: Object, *, trial: Object | None, **seen: Any) -> Workload:
    """``trial`` is the Service that keeps what it leads to."""
    metadata = live["metadata"]
    kept = trial["metadata"] if trial is not None else {"name": "", "uid": ""}
    return Workload(name=metadata["name"], uid=metadata["uid"], resource_version=metadata["resourceVersion"], running=seen["available"], stuck=False,
                    replicaset=kept["name"], replicaset_uid=kept["uid"], **seen)


def lost(canary: Canary, primary: Object | None, trial: Object | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the Services that are missing or to be freed, and of those that are missing: of -canary, which leads where the primary does."""
    if primary is None or (trial is not None and not takeover.owners_of(trial)):
        return (), ()
    name = canary.service.canary_name
    return (name,), () if trial is not None else (name,)


# Orders

def apply(writer: Writer, canary: Canary, order: WorkloadOrder) -> list[Change]:
    """Carry out the one order that is set; the Service that it is about comes last."""
    if order.create_primary is not None:
        return _create(writer, canary)
    if order.scale_target is not None:
        return [_lead(writer, canary, order.scale_target > 0)]
    if order.promote is not None:
        return [_promote(writer, canary, order.promote)]
    if order.restore is not None:
        noted = order.restore["revision"]
        return [_primary(writer, canary, lambda live: service.restored(live, noted))]
    if order.template_back is not None:
        return [_give_back(writer, canary, order.template_back["revision"])]
    raise CanaryError("the order for a Service as the target is none of create_primary, scale_target, promote, restore, template_back and dispose")


def ensure_canary(writer: Writer, canary: Canary) -> Change:
    """-canary made anew leads where the primary does: nobody is led to what nobody has analysed, and whoever has weight is seen to lead elsewhere."""
    def kept(live: dict[str, Any]) -> dict[str, Any]:
        return takeover.freed(_ours(live, canary), canary.name)

    primary = existing(writer.api, primary_ref(canary))
    return ensure(writer, canary_ref(canary), lambda: service.made(canary.service.canary_name, canary, primary), kept)


def _create(writer: Writer, canary: Canary) -> list[Change]:
    """The target becomes ours to walk (SAFETY 8)."""
    claimed = change(writer, target_ref(canary), dict, claim=True)
    done = ensure(writer, primary_ref(canary), lambda: service.new_primary(claimed.after, canary), lambda live: _ours(live, canary))
    return [claimed, done]


def _lead(writer: Writer, canary: Canary, to_target: bool) -> Change:
    place = target_ref(canary) if to_target else primary_ref(canary)
    whom = existing(writer.api, place)
    marks.check(whom, writer.canary, writer.epoch)
    moved = service.on_trial if to_target else service.at_rest
    return change(writer, canary_ref(canary), lambda live: moved(_ours(live, canary), whom),
                  still_right=lambda first, now: service.revision(first) == service.revision(now))


def _promote(writer: Writer, canary: Canary, order: Mapping[str, str]) -> Change:
    target = existing(writer.api, target_ref(canary))
    marks.check(target, writer.canary, writer.epoch)
    wanted = service.pinned(writer.api.get(refs.service(canary.namespace, order["replicaset"])), order, canary)
    return _primary(writer, canary, lambda live: service.promoted(live, wanted, order["revision"]))


def _primary(writer: Writer, canary: Canary, make: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    def still_right(first: dict[str, Any], now: dict[str, Any]) -> bool:
        return (marks.annotations_of(first).get(marks.PROMOTED) == marks.annotations_of(now).get(marks.PROMOTED)
                and service.revision(first) == service.revision(now))

    return change(writer, primary_ref(canary), lambda live: takeover.freed(make(_ours(live, canary)), canary.name), still_right=still_right)


def _give_back(writer: Writer, canary: Canary, noted: str) -> Change:
    """What was promoted, on the target (SAFETY 29)."""
    primary = existing(writer.api, primary_ref(canary))
    if marks.annotations_of(primary).get(marks.PROMOTED) != noted or service.revision(primary) != noted:
        raise CanaryError(f"{marks.name_of(primary)} does not lead to the promoted revision {noted[:8]}, so {canary.target} cannot get it back; "
                          "apply it yourself, or remove with keep=target")
    return change(writer, target_ref(canary), lambda live: service.leading(live, service.template(primary)),
                  still_right=lambda first, now: service.revision(first) == service.revision(now))


def _ours(live: dict[str, Any], canary: Canary) -> dict[str, Any]:
    """Raises CanaryError for a Service of that name that neither we nor Flagger made for this canary."""
    if marks.is_ours(live, canary.name) or any(owner.get("name") == canary.name for owner in takeover.owners_of(live)):
        return live
    raise CanaryError(f"{marks.name_of(live)} exists and was not made for the canary {canary.name}; remove or rename it")
