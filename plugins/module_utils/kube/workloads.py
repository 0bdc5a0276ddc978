# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The target and the primary in the cluster: make, scale, promote, restore; each a desired state, so doing it twice is doing it once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import budgets, marks, parking, primary as copies, takeover, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.rollout import Rollout
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, configs, refs, removal, service_targets
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import ref as route_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import history_ref, primary_ref, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing, until
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import MOST_TRIES, Change, Writer, change, ensure, shown, worth_another_try


@dataclass
class Work:
    """What an order for a workload came to: the workload that it is about, before and after."""

    ref: Ref
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    changes: list[Change] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """As the verb returns it."""
        return {
            "changed": any(one.changed for one in self.changes),
            "before": _summary(self.before),
            "after": _summary(self.after),
            "diff": shown(self.changes),
        }


def apply_workload(api: Api, canary: Canary, order: WorkloadOrder, epoch: int, check_mode: bool = False) -> Work:
    """Carry out the one order that is set. Raises CanaryError when what it names is gone (SAFETY 17), LostLock when somebody fenced it."""
    writer = Writer(api, canary.name, epoch, check_mode)
    if order.dispose is None and canary.target_kind not in targets.WORKLOADS:
        changes = service_targets.apply(writer, canary, order)
        return Work(changes[-1].ref, changes[-1].before, changes[-1].after, changes)
    if order.create_primary is not None:
        return create_primary(writer, canary, order.create_primary)
    if order.scale_target is not None:
        return scale_target(writer, canary, order.scale_target)
    if order.scaler is not None:
        return Work(primary_ref(canary), None, None, [autoscalers.apply(writer, canary, order.scaler)])
    if order.scale_primary is not None:
        return scale(writer, primary_ref(canary), order.scale_primary)
    if order.target_scaler is not None:
        return Work(target_ref(canary), None, None, autoscalers.keep_large(writer, canary, order.target_scaler))
    if order.pause_target is not None:
        return pause(writer, target_ref(canary), order.pause_target)
    if order.promote is not None:
        return promote(writer, canary, order.promote)
    if order.restore is not None:
        return restore(writer, canary, order.restore)
    if order.template_back is not None:
        done = removal.template_back(writer, canary, order.template_back["revision"])
        return Work(done.ref, done.before, done.after, [done])
    if order.dispose is not None:
        changes = removal.dispose(writer, canary, order.dispose, route_ref(canary) if canary.splits else None)
        primary = next((one for one in changes if one.ref == primary_ref(canary)), None)
        return Work(primary_ref(canary), primary.before if primary else None, None, changes)
    raise CanaryError("the order for the workload is empty: one of create_primary, scale_target, scale_primary, scaler, target_scaler, pause_target, promote, "
                      "restore, template_back and dispose is needed")


def create_primary(writer: Writer, canary: Canary, replicas: int | None = None) -> Work:
    """The primary as a copy of the target, made once; it carries no traffic by itself. The target becomes ours to walk (SAFETY 8).

    Without a number it gets as many replicas as the target has, at least one.
    """
    claimed = change(writer, target_ref(canary), dict, claim=True)
    wanted = max(1, _replicas(claimed.after)) if replicas is None else replicas
    selector = copies.selector_of(claimed.after, canary.options.selector_labels)

    def kept(live: dict[str, Any]) -> dict[str, Any]:
        if (live["spec"].get("selector") or {}).get("matchLabels") != selector.primary:
            raise CanaryError(f"{marks.name_of(live)} exists and is not a primary of {canary.target}: its selector is not {selector.primary}; "
                              "remove or rename it")
        return live

    copied: list[Change] = []
    budgeted: list[Change] = []

    def new() -> dict[str, Any]:
        read = configs.of_target(writer.api, canary, claimed.after)
        if read.lacks:
            raise CanaryError(f"{canary.primary} was not made, its pods would not start: {read.lacks}")
        copied.extend(configs.ensure_copies(writer, canary, read, claimed.after))
        # Where the primary is, the order counts as carried out: what belongs to it comes first (SAFETY 21).
        budgeted.extend(ensure_budgets(writer, canary, claimed.after))
        return copies.new_primary(claimed.after, canary, wanted, read)

    done = ensure(writer, primary_ref(canary), new, kept)
    budgeted = budgeted if done.before is None else ensure_budgets(writer, canary, claimed.after)
    return Work(done.ref, done.before, done.after, [claimed, *copied, *budgeted, done])


def scale_target(writer: Writer, canary: Canary, replicas: int) -> Work:
    """The target's replicas, and what else has to know whether it rests."""
    told = autoscalers.rest(writer, canary, resting=replicas == 0)
    work = scale(writer, target_ref(canary), replicas, autoscaled=canary.autoscaler is not None)
    return dataclasses.replace(work, changes=[*told, *work.changes])


def scale(writer: Writer, place: Ref, replicas: int, autoscaled: bool = False) -> Work:
    """A Deployment's replicas, through the scale subresource only (SAFETY 22). A DaemonSet, which has none, runs on its nodes or on none.

    ``autoscaled``: who changes them meanwhile is no person.
    """
    if targets.by_kind(place.kind) is targets.daemonset:
        return _park(writer, place, replicas == 0)
    first = live = existing(writer.api, place)
    for attempt in range(MOST_TRIES):
        marks.check(live, writer.canary, writer.epoch)
        if _replicas(live) == replicas:
            return _scaled(place, first, live, replicas, changed=_replicas(first) != replicas)
        if writer.check_mode:
            return _scaled(place, first, live, replicas, changed=True)
        try:
            live = _fenced_for_scale(writer, place, live)
            writer.api.patch_scale(place, {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, "spec": {"replicas": replicas}})
            return _scaled(place, first, live, replicas, changed=True)
        except KubeError as error:
            if not worth_another_try(error, attempt):
                raise
        live = existing(writer.api, place)
        if not autoscaled and _replicas(live) not in (_replicas(first), replicas):
            raise KubeError(f"{place} was scaled from {_replicas(first)} to {_replicas(live)} by somebody else while it was to be scaled to {replicas}; "
                            "nothing was done to it", 409, "Conflict")
    raise AssertionError("unreachable")


def _park(writer: Writer, place: Ref, parked: bool) -> Work:
    """One key of its node selector; all else in the template, which somebody may be editing, is as it is then."""
    moved = parking.parked if parked else parking.unparked

    def make(live: dict[str, Any]) -> dict[str, Any]:
        template = live["spec"]["template"]
        return live if parking.is_parked(template) == parked else {**live, "spec": {**live["spec"], "template": moved(template)}}

    done = change(writer, place, make, claim=True)
    return Work(place, done.before, done.after, [done])


def pause(writer: Writer, place: Ref, paused: bool) -> Work:
    """Whether an edit of the workload's template waits before it reaches its pods (SAFETY 22)."""
    if not targets.by_kind(place.kind).PAUSES:
        raise CanaryError(f"{place} cannot be paused: only a Deployment can")
    done = change(writer, place, lambda live: {**live, "spec": _with_pause(live["spec"], paused)}, claim=True)
    return Work(place, done.before, done.after, [done])


def _with_pause(spec: Mapping[str, Any], paused: bool) -> dict[str, Any]:
    # The API server leaves out what is false, so that reading it back shows no difference.
    kept = {key: value for key, value in spec.items() if key != "paused"}
    return {**kept, "paused": True} if paused else kept


def promote(writer: Writer, canary: Canary, order: Mapping[str, str]) -> Work:
    """Exactly the template that the named ReplicaSet or ControllerRevision keeps on the primary, and with it the note that it was promoted (SAFETY 5, 17).

    Before it, copies of exactly the ConfigMaps and Secrets that were analysed (SAFETY 18). Where these say something else by now, nothing is done:
    whoever looks next finds another revision.
    """
    target = existing(writer.api, target_ref(canary))
    marks.check(target, writer.canary, writer.epoch)
    pinned = writer.api.get(history_ref(canary, order["replicaset"]))
    read = configs.read(writer.api, canary, targets.of(target).kept(pinned).get("spec") or {}) if pinned else NONE
    if pinned and read.digest != order.get("configs", ""):
        live = existing(writer.api, primary_ref(canary))
        return Work(primary_ref(canary), live, live)
    template = copies.pinned_template(pinned, target, order, read=read)
    copied = configs.ensure_copies(writer, canary, read, target)
    work = _retemplate(writer, canary, lambda live: copies.promoted(live, target, template, canary, order["revision"], read), target=target)
    return replace(work, changes=[*copied, *work.changes])


def ensure_budgets(writer: Writer, canary: Canary, target: Mapping[str, Any]) -> list[Change]:
    """The target's PodDisruptionBudgets as they are now, for the primary's pods too (SAFETY 21)."""
    selector = copies.selector_of(target, canary.options.selector_labels)
    found = writer.api.list(refs.pod_disruption_budget(canary.namespace)).get("items") or []
    return [_ensure_budget(writer, canary, budgets.copy_of(budget, canary, selector)) for budget in budgets.to_copy(found, target, selector)]


def _ensure_budget(writer: Writer, canary: Canary, wanted: dict[str, Any]) -> Change:
    place = refs.pod_disruption_budget(canary.namespace, wanted["metadata"]["name"])
    return ensure(writer, place, lambda: wanted, lambda live: budgets.reconciled(live, wanted, canary))


def restore(writer: Writer, canary: Canary, order: Mapping[str, str]) -> Work:
    """The template that the primary had before a promotion, from its own history."""
    live = existing(writer.api, primary_ref(canary))
    previous = writer.api.get(history_ref(canary, order["replicaset"]))
    template = copies.pinned_template(previous, live, order, kind="restored")
    return _retemplate(writer, canary, lambda now: copies.restored(now, template, order["revision"]), live=live)


def promote_present(writer: Writer, canary: Canary) -> Work:
    """The template that the target has now, for whoever pins no ReplicaSet."""
    target = existing(writer.api, target_ref(canary))
    marks.check(target, writer.canary, writer.epoch)
    template = target["spec"]["template"]
    return _retemplate(writer, canary, lambda live: copies.promoted(live, target, template, canary, revision_of(template)), target=target)


def promote_kept(writer: Writer, canary: Canary, replicaset: str) -> Work:
    """The template of one of the target's ReplicaSets by its name, whatever its revision."""
    kept = writer.api.get(history_ref(canary, replicaset))
    return promote(writer, canary, {"replicaset": replicaset, "revision": revision_of(targets.workload(canary.target_kind).kept(kept)) if kept else ""})


def restore_kept(writer: Writer, canary: Canary, replicaset: str) -> Work:
    """The template of one of the primary's own ReplicaSets, which remembers what was promoted with it."""
    kept = writer.api.get(history_ref(canary, replicaset))
    return restore(writer, canary, {"replicaset": replicaset, "revision": marks.annotations_of(kept or {}).get(marks.PROMOTED, "")})


def await_rollout(api: Api, place: Ref, seconds: float, leave: Callable[[str], bool] = lambda why: False) -> tuple[Rollout, bool]:
    """The workload's rollout when it is ready, stuck or the time is over; and whether the wait was left before its time."""
    live, left = until(api, place, existing(api, place), _over, seconds, lambda now: leave(targets.of(now).rollout(now).why))
    return targets.of(live).rollout(live), left


def is_gone(live: Mapping[str, Any]) -> bool:
    """Zero replicas are never ready; but when they are observed and the pods have gone, they are what was asked for."""
    observed = (live.get("status") or {}).get("observedGeneration") == live["metadata"].get("generation")
    return _replicas(live) == 0 and observed and not targets.of(live).running(live)


def _over(live: Mapping[str, Any]) -> bool:
    state = targets.of(live).rollout(live)
    return state.ready or state.stuck or is_gone(live)


def _retemplate(writer: Writer, canary: Canary, make: Callable[[dict[str, Any]], dict[str, Any]], *, live: dict[str, Any] | None = None,
                target: Mapping[str, Any] | None = None) -> Work:
    """The primary as ``make`` makes it; with ``target``, what surrounds the target is carried over first.

    Of one that was not promoted by us yet, what its pods read is freed before: that the primary is ours says that so is this (SAFETY 25).
    """
    def still_right(first: dict[str, Any], now: dict[str, Any]) -> bool:
        return (marks.annotations_of(first).get(marks.PROMOTED) == marks.annotations_of(now).get(marks.PROMOTED)
                and revision_of(first["spec"]["template"]) == revision_of(now["spec"]["template"]))

    budgeted = [*ensure_budgets(writer, canary, target), *autoscalers.follow(writer, canary, target)] if target else []
    live = live or existing(writer.api, primary_ref(canary))
    read = configs.freed(writer, canary.namespace, live) if writer.canary and not marks.annotations_of(live).get(marks.PROMOTED) else []
    freed = (lambda now: takeover.freed(make(now), canary.name)) if writer.canary else make
    done = change(writer, primary_ref(canary), freed, live=live, still_right=still_right)
    return Work(done.ref, done.before, done.after, [*budgeted, *read, done])


def _fenced_for_scale(writer: Writer, place: Ref, live: dict[str, Any]) -> dict[str, Any]:
    """The Scale object holds no annotations: ours go on the Deployment first, and what that returns is what scaling rests on."""
    if marks.epoch_of(live) >= writer.epoch and marks.annotations_of(live).get(marks.CANARY, "") == writer.canary:
        return live
    return change(writer, place, lambda now: marks.stamped(now, writer.canary, writer.epoch), live=live, claim=True,
                  still_right=lambda first, now: _replicas(first) == _replicas(now)).after


def _scaled(place: Ref, first: dict[str, Any], live: dict[str, Any], replicas: int, changed: bool) -> Work:
    after = {**live, "spec": {**live["spec"], "replicas": replicas}}
    return Work(place, first, after, [Change(place, first, after, changed)])


def _replicas(live: Mapping[str, Any]) -> int:
    return targets.of(live).replicas(live)


def _summary(live: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Few words about a workload: what it is called, how many, which revision, which images."""
    if live is None:
        return None
    kind = live.get("kind") or targets.deployment.KIND
    template = targets.by_kind(kind).template(live)
    return {
        "name": live["metadata"]["name"],
        "replicas": _replicas(live) if kind in targets.WORKLOADS else 1,
        "revision": revision_of(template),
        "promoted": marks.annotations_of(live).get(marks.PROMOTED, ""),
        "images": {container["name"]: container.get("image", "") for container in template["spec"].get("containers") or []},
    }
