# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The primary: a copy of the target that serves users, made of templates and nothing else.

The copy differs from the target by its selector label, whose value gets ``-primary`` wherever it means the primary's own pods; by what it
must not carry over (SAFETY 20); and by nothing random, so that doing it twice is doing it once (SAFETY 17).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks, parking, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary

SUFFIX = "-primary"

# What makes other tools adopt or prune a copy (SAFETY 20).
_ADOPTING_KEYS = frozenset((
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "kubectl.kubernetes.io/last-applied-configuration",
))
_ADOPTING_PARTS = ("argocd.argoproj.io/", "meta.helm.sh/", "deployment.kubernetes.io/", "toolkit.fluxcd.io")
_POD_HASH = "pod-template-hash"
_LABEL_LENGTH = 63


@dataclass(frozen=True)
class Selector:
    """The label by which the target's pods are told from the primary's."""

    key: str
    value: str

    @property
    def target(self) -> dict[str, str]:
        return {self.key: self.value}

    @property
    def primary(self) -> dict[str, str]:
        return {self.key: self.value + SUFFIX}


def selector_of(target: Mapping[str, Any], labels: Sequence[str]) -> Selector:
    """The first of ``labels`` that the target's selector requires. Raises SpecError where it requires none of them."""
    wanted = (target["spec"].get("selector") or {}).get("matchLabels") or {}
    for label in labels:
        if label in wanted:
            return _fitting(target, Selector(label, wanted[label]))
    raise SpecError(f"{marks.name_of(target)}: spec.selector.matchLabels", f"must contain one of {', '.join(labels)}",
                    f"it has {', '.join(sorted(wanted)) or 'none'}; the option selector_labels names others")


def selector_of_primary(primary: Mapping[str, Any]) -> Selector | None:
    """The same, read from the primary alone, where the target is gone; None for one that is not a primary."""
    labels = (primary["spec"].get("selector") or {}).get("matchLabels") or {}
    return next((Selector(key, value.removesuffix(SUFFIX)) for key, value in labels.items() if value.endswith(SUFFIX)), None)


def primary_template(template: Mapping[str, Any], selector: Selector, read: Configs = NONE) -> dict[str, Any]:
    """The pod template of the primary from one of the target. Labels stay but for the selector's: others may select by them.

    It refers to copies of the ConfigMaps and Secrets in ``read`` (SAFETY 18).
    """
    made = own_template(template)
    metadata = made.setdefault("metadata", {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if not _is_toolkit(key)}
    metadata["labels"] = {**labels, **selector.primary}
    if "annotations" in metadata:
        metadata["annotations"] = {key: value for key, value in (metadata["annotations"] or {}).items() if not _adopts(key)}
    spec = made.get("spec") or {}
    configs.rename(spec, read.names)
    for terms in _selectors_of_own_pods(spec):
        _rename(terms, selector)
    return made


def target_template(primary: Mapping[str, Any], present: Mapping[str, Any], selector: Selector, originals: Mapping[str, str]) -> dict[str, Any]:
    """The target's template from the primary's, the way back of ``primary_template``; what a copy leaves out (SAFETY 20) is as at ``present``.

    ``originals`` are the names of what the primary refers to copies of.
    """
    made = own_template(primary)
    configs.rename(made.get("spec") or {}, originals)
    metadata, now = made.setdefault("metadata", {}), present.get("metadata") or {}
    left_out = {key: value for key, value in (now.get("labels") or {}).items() if _is_toolkit(key)}
    metadata["labels"] = {**(metadata.get("labels") or {}), **left_out, **selector.target}
    left_out = {key: value for key, value in (now.get("annotations") or {}).items() if _adopts(key)}
    if left_out or "annotations" in metadata:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **left_out}
    for terms in _selectors_of_own_pods(made.get("spec") or {}):
        _rename(terms, Selector(selector.key, selector.value + SUFFIX), selector.value)
    return made


def renamed(terms: Mapping[str, Any], selector: Selector) -> dict[str, Any]:
    """A LabelSelector that means the target's pods, as one that means the primary's."""
    made = copy.deepcopy(dict(terms))
    _rename(made, selector)
    return made


def without_adopting(texts: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations that a copy may carry: none by which other tools would adopt or prune it (SAFETY 20), and none of ours."""
    return {key: value for key, value in texts.items() if not _adopts(key) and not key.startswith(marks.PREFIX)}


def own_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a template without the hash that a ReplicaSet's controller put into its labels, and on the nodes that its author wants."""
    made = copy.deepcopy(parking.unparked(template))
    labels = (made.get("metadata") or {}).get("labels") or {}
    labels.pop(_POD_HASH, None)
    return made


@dataclass(frozen=True)
class Difference:
    """What a promotion of the target would change of the primary's pods (SAFETY 19)."""

    template: bool                      # ConfigMaps and Secrets apart
    configs: tuple[str, ...] = ()       # "Kind/name" of those whose content the primary's pods do not read
    shared: tuple[str, ...] = ()        # and of those that they read themselves, not a copy


def difference(target_template: Mapping[str, Any], live_primary_template: Mapping[str, Any], selector: Selector, read: Configs = NONE,
               flaggers: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> Difference:
    """Between the primary and what it would become by a promotion of the target, whose pods ``read`` these.

    ``flaggers`` are the copies that Flagger made and the primary's pods read: they mean the same as ours of the same content.
    """
    live = copy.deepcopy(dict(live_primary_template))
    pods = live.get("spec") or {}
    changed = configs.changed(read, pods, flaggers)
    shared = tuple(entry for entry in read.digests if entry in configs.references(pods))
    configs.rename(pods, configs.originals(pods, read.digests, flaggers))
    return Difference(revision_of(primary_template(target_template, selector)) != revision_of(live), changed, shared)


def new_primary(target: Mapping[str, Any], canary: Canary, replicas: int, read: Configs = NONE) -> dict[str, Any]:
    """The primary from the target as it is, whose pods ``read`` these. It carries the target's revision as promoted."""
    selector = selector_of(target, canary.options.selector_labels)
    template = target["spec"]["template"]
    labels = {**carried(marks.labels_of(target), canary), **selector.primary}
    if canary.name:
        labels[marks.CANARY] = marks.label_of(canary.name)
    kind = targets.workload(canary.target_kind)
    spec = {**kind.numbered(replicas), "selector": {"matchLabels": selector.primary}, "template": primary_template(template, selector, read)}
    _copy_spec(spec, target["spec"], kind.BESIDE)
    return {
        "apiVersion": kind.API_VERSION,
        "kind": kind.KIND,
        "metadata": {
            "name": canary.primary,
            "namespace": canary.namespace,
            "labels": labels,
            "annotations": {**carried(marks.annotations_of(target), canary), marks.PROMOTED: revision_of(template, read.digests)},
        },
        "spec": spec,
    }


def promoted(primary: Mapping[str, Any], target: Mapping[str, Any], template: Mapping[str, Any], canary: Canary, revision: str,
             read: Configs = NONE) -> dict[str, Any]:
    """The primary with exactly ``template``, one of the target's, whose pods ``read`` these; its replicas stay (SAFETY 15)."""
    selector = selector_of(target, canary.options.selector_labels)
    made = _with_template(primary, primary_template(template, selector, read), revision)
    _copy_spec(made["spec"], target["spec"], targets.workload(canary.target_kind).BESIDE)
    for part, source in (("labels", marks.labels_of(target)), ("annotations", marks.annotations_of(target))):
        kept = {key: value for key, value in (made["metadata"].get(part) or {}).items() if not _is_carried(key, canary) or _is_own(key, selector)}
        made["metadata"][part] = {**carried(source, canary), **kept}
    return made


def restored(primary: Mapping[str, Any], template: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """The primary with a template that it had before, as one of its own ReplicaSets kept it."""
    return _with_template(primary, own_template(template), revision)


def pinned_template(replicaset: Mapping[str, Any] | None, owner: Mapping[str, Any], order: Mapping[str, str], kind: str = "promoted",
                    read: Configs = NONE) -> dict[str, Any]:
    """The template that the ReplicaSet or ControllerRevision of an order keeps, which it names with owner, uid and hash (SAFETY 17).

    To the hash belongs what its pods ``read``. Raises CanaryError when it is not that one.
    """
    name, revision = order["replicaset"], order["revision"]
    workload = targets.of(owner)
    what = f"{workload.HISTORY} {owner['metadata']['namespace']}/{name}"
    if replicaset is None:
        raise CanaryError(f"{what} is gone, so what was analysed can no longer be {kind}")
    if not is_owned_by(replicaset, owner):
        raise CanaryError(f"{what} does not belong to {marks.name_of(owner)}, so it cannot be {kind}")
    if order.get("uid") and replicaset["metadata"]["uid"] != order["uid"]:
        raise CanaryError(f"{what} is not the one that was analysed (its uid differs): that one was deleted, and it cannot be {kind}")
    template = own_template(workload.kept(replicaset))
    if kind == "promoted" and revision_of(template, read.digests) != revision:
        raise CanaryError(f"{what} does not hold the revision that was analysed ({revision[:10]}), so it cannot be {kind}")
    return template


def is_owned_by(replicaset: Mapping[str, Any], deployment: Mapping[str, Any]) -> bool:
    return marks.controller_of(replicaset).get("uid") == deployment["metadata"]["uid"]


def _fitting(target: Mapping[str, Any], selector: Selector) -> Selector:
    if len(selector.value + SUFFIX) > _LABEL_LENGTH:
        raise SpecError(f"{marks.name_of(target)}: label {selector.key}", f"{selector.value!r} is too long: the primary's is {len(SUFFIX)} characters longer, "
                        f"and a label holds {_LABEL_LENGTH}", "use another of the target's labels by the option selector_labels")
    return selector


def _with_template(primary: Mapping[str, Any], template: dict[str, Any], revision: str) -> dict[str, Any]:
    """The live template itself where it means the same already, so that a second time changes nothing."""
    made = copy.deepcopy(dict(primary))
    if revision_of(made["spec"]["template"]) != revision_of(template):
        made["spec"]["template"] = template
    made["metadata"]["annotations"] = {**(made["metadata"].get("annotations") or {}), marks.PROMOTED: revision}
    return made


def _copy_spec(spec: dict[str, Any], target_spec: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in keys:
        if key in target_spec:
            spec[key] = copy.deepcopy(target_spec[key])
        else:
            spec.pop(key, None)


def carried(source: Mapping[str, str], canary: Canary) -> dict[str, str]:
    """Of labels or annotations, those that a copy gets too."""
    return {key: value for key, value in source.items() if _is_carried(key, canary)}


def _is_carried(key: str, canary: Canary) -> bool:
    prefixes = canary.options.label_prefixes
    return ("*" in prefixes or any(key.startswith(prefix) for prefix in prefixes)) and not _adopts(key) and not key.startswith(marks.PREFIX)


def _is_own(key: str, selector: Selector) -> bool:
    return key == selector.key


def _adopts(key: str) -> bool:
    return key in _ADOPTING_KEYS or any(part in key for part in _ADOPTING_PARTS)


def _is_toolkit(key: str) -> bool:
    return "toolkit.fluxcd.io" in key


def _selectors_of_own_pods(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Selectors by which pods keep away from their like. Affinity *to* other pods is not one of them, as in Flagger."""
    for constraint in spec.get("topologySpreadConstraints") or []:
        yield constraint.get("labelSelector") or {}
    apart = ((spec.get("affinity") or {}).get("podAntiAffinity")) or {}
    for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or []:
        yield term.get("labelSelector") or {}
    for term in apart.get("preferredDuringSchedulingIgnoredDuringExecution") or []:
        yield (term.get("podAffinityTerm") or {}).get("labelSelector") or {}


def _rename(terms: dict[str, Any], selector: Selector, wanted: str = "") -> None:
    """By the label's value, not by the target's name as Flagger does: where the two differ, it is the value that pods carry."""
    wanted = wanted or selector.value + SUFFIX
    match = terms.get("matchLabels") or {}
    if match.get(selector.key) == selector.value:
        match[selector.key] = wanted
    for expression in terms.get("matchExpressions") or []:
        if expression.get("key") == selector.key:
            expression["values"] = [wanted if value == selector.value else value for value in expression.get("values") or []]
