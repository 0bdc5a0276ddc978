# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is handed: a document, or only the name of one; and the options of the run before it, where a walk is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats, parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Options

Object = Mapping[str, Any]

TEMPLATE = "MetricTemplate"
ALERT_PROVIDER = "AlertProvider"

_WHOLE = frozenset(("apiVersion", "kind", "metadata", "spec"))


@dataclass(frozen=True)
class Given:
    """``document`` is None where a run was given a name only. ``source`` is spec or file."""

    name: str
    namespace: str
    document: Object | None = None
    templates: Sequence[Object] = ()
    source: str = "spec"
    alert_providers: Sequence[Object] = ()
    ignored: tuple[Object, ...] = field(default=())     # manifests of the file that are nothing to us


@dataclass(frozen=True)
class _Beside:
    """The objects that a Canary may name, where they were given and not left to the cluster."""

    templates: Sequence[Object]
    alert_providers: Sequence[Object]

    def placed(self, namespace: str) -> _Beside:
        return _Beside(tuple(_in_namespace(item, namespace, "templates", TEMPLATE) for item in self.templates),
                       tuple(_in_namespace(item, namespace, "alert_providers", ALERT_PROVIDER) for item in self.alert_providers))


def from_spec(spec: Object, templates: Sequence[Object], name: str, namespace: str, *, alert_providers: Sequence[Object] = ()) -> Given:
    """From a whole Canary document, or only what stands under its ``spec``."""
    document = dict(spec) if _WHOLE & set(spec) else _wrapped(spec)
    return _identified(document, _Beside(templates, alert_providers), "spec", name, namespace)


def from_manifests(manifests: Sequence[Object], templates: Sequence[Object], name: str, namespace: str, field_name: str = "text", *,
                   alert_providers: Sequence[Object] = ()) -> Given:
    """From the documents of a file. Raises SpecError where none, or more than one, of them is the Canary that is meant."""
    if len(manifests) == 1 and not _WHOLE & set(manifests[0]):
        return _identified(_wrapped(manifests[0]), _Beside(templates, alert_providers), "file", name, namespace)
    canaries = [item for item in manifests if item.get("kind") == "Canary"]
    meant = [item for item in canaries if _is_meant(item, name, namespace)] if len(canaries) > 1 else canaries
    if len(meant) != 1:
        names = ", ".join(sorted(str(_metadata(item).get("name", "(no name)")) for item in meant or canaries))
        what = f"holds {len(meant or canaries)} Canary documents ({names})" if canaries else "holds no document of kind Canary"
        raise SpecError(field_name, what, "accepted: one Canary; of several, canary_name says which is meant")
    beside = _Beside([*templates, *_of_kind(manifests, TEMPLATE)], [*alert_providers, *_of_kind(manifests, ALERT_PROVIDER)])
    ignored = tuple(item for item in manifests if item.get("kind") not in ("Canary", TEMPLATE, ALERT_PROVIDER))
    return _identified(dict(meant[0]), beside, "file", name, namespace, ignored)


def by_name(name: str, namespace: str, templates: Sequence[Object] = (), *, alert_providers: Sequence[Object] = ()) -> Given:
    """From a name only: the document is in the cluster."""
    _check_identity(name, namespace)
    placed = _Beside(templates, alert_providers).placed(namespace)
    return Given(name, namespace, templates=placed.templates, alert_providers=placed.alert_providers)


def kept_options(given: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The options of a run, where those that were left at their default are as in the run before; and the names of these.

    A walk that somebody else began is gone on with, or aborted, by whoever knows no more than its name.
    """
    given, stored = _by_short_name(given), _by_short_name(stored)
    now, before, default = parse_options(given), parse_options(stored), Options()
    kept = tuple(name for name in vars(default) if getattr(now, name) == getattr(default, name) != getattr(before, name))
    merged = {**given, **{name: stored[name] for name in kept}}
    # The same in the same words, so that the record need not be written for it.
    return dict(stored) if parse_options(merged) == before else merged, kept


def _by_short_name(options: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).removeprefix("canary_"): value for key, value in options.items()}


def _wrapped(spec: Object) -> dict[str, Any]:
    old = flagger.ANALYSIS[flagger.V1ALPHA3] in spec and flagger.ANALYSIS[flagger.V1BETA1] not in spec
    return {"apiVersion": flagger.V1ALPHA3 if old else flagger.V1BETA1, "kind": "Canary", "metadata": {}, "spec": dict(spec)}


def _identified(document: dict[str, Any], beside: _Beside, source: str, name: str, namespace: str,
                ignored: tuple[Object, ...] = ()) -> Given:
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise SpecError("metadata", "is not a mapping", "accepted: a mapping with name and namespace")
    own = dict(metadata or {})
    for key, option, wanted in (("name", "canary_name", name), ("namespace", "canary_namespace", namespace)):
        if wanted and own.get(key) and own[key] != wanted:
            raise SpecError(option, f"'{wanted}' is not the metadata.{key} of the document, '{own[key]}'", "accepted: the same, or only one of the two")
        own[key] = own.get(key) or wanted
    _check_identity(own["name"], own["namespace"])
    placed = beside.placed(own["namespace"])
    return Given(own["name"], own["namespace"], {**document, "metadata": own}, placed.templates, source, placed.alert_providers, ignored)


def _check_identity(name: Any, namespace: Any) -> None:
    for value, option, key, form in ((name, "canary_name", "name", formats.CANARY_NAME), (namespace, "canary_namespace", "namespace", formats.NAMESPACE)):
        if not value:
            raise SpecError(option, f"is missing, and no document says metadata.{key}", f"accepted: {form.accepted}")
        wrong = form.wrong(value) if isinstance(value, str) else "is not a text"
        if wrong:
            raise SpecError(option, f"'{value}' {wrong}", f"accepted: {form.accepted}")


def _of_kind(manifests: Sequence[Object], kind: str) -> list[Object]:
    return [item for item in manifests if item.get("kind") == kind]


def _in_namespace(item: Object, namespace: str, field_name: str, kind: str) -> Object:
    """One without a namespace is meant to be where the Canary is, as when it is applied."""
    metadata = _metadata(item)
    if not metadata.get("name"):
        article = "an" if kind[0] in "AEIOU" else "a"
        raise SpecError(field_name, f"{article} {kind} has no metadata.name", f"accepted: {kind} documents with metadata.name and spec")
    return {**item, "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace}}


def _is_meant(canary: Object, name: str, namespace: str) -> bool:
    metadata = _metadata(canary)
    return metadata.get("name") == name and metadata.get("namespace", namespace) in (namespace, "") or (
        metadata.get("name") == name and not namespace)


def _metadata(manifest: Object) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
