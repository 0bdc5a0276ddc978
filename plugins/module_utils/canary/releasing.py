# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is released: images by container, or a strategic merge patch of the pod template; and what it must not touch (SAFETY 23)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import gitops, marks, record as states, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.gitops import Entry, Field
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SERVICE

Object = Mapping[str, Any]

TEMPLATE = ("spec", "template")

_CONTAINERS = ("containers", "initContainers")
# Lists that the API server merges by the name of their entries; all others count as one field.
_BY_NAME = frozenset((*_CONTAINERS, "ephemeralContainers", "volumes", "env", "imagePullSecrets"))
_METADATA = ("annotations", "labels")
# What stands beside the template in the spec of a Deployment: there for whoever wrote a patch of the Deployment instead.
_BESIDE = frozenset(("minReadySeconds", "paused", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "selector", "strategy", "template"))


@dataclass(frozen=True)
class Release:
    """What a target's pod template is to be changed to. One of the two is empty."""

    images: Mapping[str, str] = field(default_factory=dict)     # image by name of the container
    patch: Object = field(default_factory=dict)                 # of spec.template


def read(given: Object, option: str = "") -> Release:
    """From what people write; ``option`` is the name of the mapping that holds it, for the words of a refusal.

    Raises SpecError for what is neither images nor a patch of a pod template.
    """
    unknown = sorted(set(given) - {"images", "patch"})
    if unknown:
        raise SpecError(_place(option, unknown[0]), "is no part of a release", "accepted: images, or patch")
    images, patch = (_mapping(given.get(key), _place(option, key)) for key in ("images", "patch"))
    if bool(images) == bool(patch):
        raise SpecError(option or "images", "says both images and patch" if images else "says neither images nor patch",
                        "accepted: images, an image by name of the container; or patch, a strategic merge patch of the pod template")
    for name, image in images.items():
        if not isinstance(image, str) or not image.strip():
            raise SpecError(f"{_place(option, 'images')}.{name}", f"{image!r} is not an image", "accepted: a text such as registry/app:1.2")
    _check_patch(patch, _place(option, "patch"))
    return Release(dict(images), dict(patch))


def refuse_kind(kind: str, option: str) -> None:
    """Raises SpecError for a target that has no pod template."""
    if kind == SERVICE:
        raise SpecError(option, f"sets images or patches a pod template, and the target is a {kind}, which has none",
                        "release by pointing its selector at the new version, then walk")


def template_patch(release: Release, target: Object, option: str = "") -> dict[str, Any]:
    """The patch of the target's ``spec.template``. Raises SpecError for a container that it has not, and for a lost selector label."""
    if release.patch:
        _check_selector(release.patch, target, _place(option, "patch"))
        return dict(release.patch)
    pods = target["spec"]["template"].get("spec") or {}
    where = {container["name"]: kind for kind in _CONTAINERS for container in pods.get(kind) or ()}
    unknown = sorted(set(release.images) - set(where))
    if unknown:
        raise SpecError(f"{_place(option, 'images')}.{unknown[0]}", f"{marks.name_of(target)} has no container of this name",
                        f"accepted: {', '.join(sorted(where))}")
    spec: dict[str, Any] = {}
    for name, image in release.images.items():
        spec.setdefault(where[name], []).append({"name": name, "image": image})
    return {"spec": spec}


def changed(before: Object, after: Object) -> tuple[Field, ...]:
    """The fields of ``before`` in which the pod template of ``after`` differs from its own."""
    return tuple(Field(before, path) for path in _changed(TEMPLATE, before["spec"]["template"], after["spec"]["template"]))


def objection(fields: tuple[Field, ...], option: str = "") -> SpecError | None:
    """Why these fields are not ours to change: a tool that owns one of them would put it back, and the walk would be for nothing."""
    for tool, kept in gitops.by_tool(fields).items():
        names = " and ".join(one.dotted for one in kept)
        return SpecError(option or "images, patch", f"{tool.name} keeps {names} of {marks.name_of(kept[0].obj)}, and would put it back",
                         f"release it there: change it in git, and walk what {tool.name} brings, without canary_release")
    return None


def warnings(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """What people should know of who else writes these fields."""
    return tuple(f"{one} is in a Helm chart: the next helm upgrade puts it back, unless the chart says the same by then"
                 for one in fields if gitops.HELM in gitops.managers_of(one))


def after_initialising(record: Record | None, live: Object) -> bool:
    """Whether a primary has to be made of what serves users now, before a release may change it: else they get the new version as it rolls out.

    Where no pod of the target is available it serves nobody, and what is released may be what mends it.
    """
    return not states.is_initialised(record) and targets.of(live).available(live) > 0


def images_line(before: Object, after: Object) -> str:
    """The images that differ, for people: ``app to registry/app:2``; empty when none does."""
    was, becomes = _images(before), _images(after)
    return ", ".join(f"{name} to {image}" for name, image in becomes.items() if was.get(name) != image)


def _images(target: Object) -> dict[str, str]:
    pods = target["spec"]["template"].get("spec") or {}
    return {container["name"]: container.get("image", "") for kind in _CONTAINERS for container in pods.get(kind) or ()}


def _place(option: str, key: str) -> str:
    return f"{option}.{key}" if option else key


def _mapping(value: Any, path: str) -> Object:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise SpecError(path, "is not a mapping", "accepted: a mapping")
    return value


def _check_patch(patch: Object, path: str) -> None:
    """Nothing beside the pod template can be named by it."""
    for key in patch:
        if key not in ("metadata", "spec"):
            raise SpecError(f"{path}.{key}", "is not in a pod template", "accepted: metadata and spec, as they stand under spec.template of a Deployment")
        if not isinstance(patch[key], Mapping):
            raise SpecError(f"{path}.{key}", "is not a mapping", "accepted: a mapping")
    for key in patch.get("metadata") or {}:
        if key not in _METADATA:
            raise SpecError(f"{path}.metadata.{key}", "cannot be released", f"accepted: {' and '.join(_METADATA)}")
    for key in sorted(_BESIDE & set(patch.get("spec") or {})):
        raise SpecError(f"{path}.spec.{key}", "belongs to the Deployment, and this is a patch of its pod template",
                        "accepted: metadata and spec, as they stand under spec.template of a Deployment")


def _check_selector(patch: Object, target: Object, path: str) -> None:
    labels = (patch.get("metadata") or {}).get("labels") or {}
    for key, wanted in ((target["spec"].get("selector") or {}).get("matchLabels") or {}).items():
        if isinstance(labels, Mapping) and key in labels and labels[key] != wanted:
            raise SpecError(f"{path}.metadata.labels.{key}", f"{marks.name_of(target)} selects its pods by {key}={wanted}",
                            "leave this label as it is")


def _changed(path: tuple[str | Entry, ...], before: Any, after: Any) -> Iterator[tuple[str | Entry, ...]]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _changed((*path, key), before.get(key), after.get(key))
        return
    if path[-1] in _BY_NAME and isinstance(before, list) and isinstance(after, list):
        old, new = ({item.get("name"): item for item in items} for items in (before, after))
        if (len(old), len(new)) == (len(before), len(after)):
            for name in [*old, *(name for name in new if name not in old)]:
                yield from _changed((*path, Entry(str(name))), old.get(name), new.get(name))
            return
    yield path
