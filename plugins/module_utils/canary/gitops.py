# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else writes an object: managedFields, and what GitOps tools leave on what they keep (SAFETY 23)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Tool:
    """A controller that puts back what its source says. ``marks`` begin the labels or annotations by which it knows its objects."""

    name: str
    managers: frozenset[str]
    marks: tuple[str, ...]
    leaves_alone: tuple[tuple[str, str], ...] = ()     # annotations by which an object is left to others


@dataclass(frozen=True)
class Entry:
    """An entry of a list that is merged by name, such as a container."""

    name: str


@dataclass(frozen=True)
class Field:
    """One field of a user's object that a walk, or a release, changes."""

    obj: Mapping[str, Any]
    path: tuple[str | Entry, ...]       # ("spec", "replicas"), or ("spec", "template", "spec", "containers", Entry("app"), "image")

    @property
    def pointer(self) -> str:
        return "/" + "/".join(map(str, self.path))

    @property
    def dotted(self) -> str:
        return "".join(f"[{part.name}]" if isinstance(part, Entry) else f".{part}" for part in self.path).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.dotted} of {marks.name_of(self.obj)}"


ARGO = Tool("Argo CD", frozenset(("argocd-controller", "argocd-application-controller")), ("argocd.argoproj.io/",))
KUSTOMIZE = Tool(
    "Flux (kustomize-controller)", frozenset(("kustomize-controller",)), ("kustomize.toolkit.fluxcd.io/name",),
    (("kustomize.toolkit.fluxcd.io/reconcile", "disabled"), ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")))
HELM_RELEASE = Tool(
    "Flux (helm-controller)", frozenset(("helm-controller",)), ("helm.toolkit.fluxcd.io/name",),
    (("helm.toolkit.fluxcd.io/driftDetection", "disabled"),))
TOOLS = (ARGO, KUSTOMIZE, HELM_RELEASE)

# Puts fields back when a person releases, not by itself.
HELM = "helm"


def reverter(field: Field) -> Tool | None:
    """The tool that will put this field back."""
    annotations = marks.annotations_of(field.obj)
    known = {*annotations, *marks.labels_of(field.obj)}
    managers = managers_of(field)
    for tool in TOOLS:
        if any(annotations.get(key) == value for key, value in tool.leaves_alone):
            continue
        keeps = any(key.startswith(mark) for key in known for mark in tool.marks)
        if managers & tool.managers or (keeps and _is_applied(field)):
            return tool
    return None


def managers_of(field: Field) -> set[str]:
    """The field managers that own a field."""
    found = set()
    for entry in (field.obj.get("metadata") or {}).get("managedFields") or []:
        owned: Any = entry.get("fieldsV1") or None
        for part in field.path:
            # An empty set is a field that is owned as a whole, such as a nodeSelector.
            owned = (owned.get(_key(part)) if owned else owned) if isinstance(owned, Mapping) else None
        if owned is not None:
            found.add(str(entry.get("manager", "")))
    return found


def _key(part: str | Entry) -> str:
    """As managedFields write it."""
    return f'k:{json.dumps({"name": part.name}, separators=(",", ":"))}' if isinstance(part, Entry) else f"f:{part}"


def _is_applied(field: Field) -> bool:
    """Whether the manifest that was applied last says anything of the field."""
    try:
        value = json.loads(marks.annotations_of(field.obj).get(LAST_APPLIED, "null"))
    except ValueError:
        return False
    for part in field.path:
        if isinstance(part, Entry):
            value = next((item for item in value if item.get("name") == part.name), None) if isinstance(value, list) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value is not None


def remedy(tool: Tool, fields: Sequence[Field]) -> str:
    """What to put into the tool's own configuration, ready to be copied."""
    if tool is ARGO:
        entries = ", ".join(f"{{{_group(field)}kind: {field.obj['kind']}, name: {_name(field)}, jsonPointers: [{field.pointer}]}}" for field in fields)
        return f"put into the Application: ignoreDifferences: [{entries}] and syncPolicy: {{syncOptions: [RespectIgnoreDifferences=true]}}"
    if tool is HELM_RELEASE:
        entries = ", ".join(f"{{paths: [{field.pointer}], target: {{kind: {field.obj['kind']}, name: {_name(field)}}}}}" for field in fields)
        return f"put into the HelmRelease: driftDetection: {{mode: enabled, ignore: [{entries}]}}"
    return "in git, " + ", and ".join(_kustomized(field) for field in fields)


def _kustomized(field: Field) -> str:
    if field.path == ("spec", "replicas"):
        return f"leave spec.replicas out of {field.obj['kind']} {_name(field)}"
    return f"annotate {field.obj['kind']} {_name(field)} with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"


def _group(field: Field) -> str:
    group = str(field.obj.get("apiVersion", "")).rpartition("/")[0]
    return f"group: {group}, " if group else ""


def _name(field: Field) -> str:
    return str(field.obj["metadata"]["name"])


def by_tool(fields: Iterable[Field]) -> dict[Tool, list[Field]]:
    """The fields that a tool will put back, by tool."""
    found: dict[Tool, list[Field]] = {}
    for field in fields:
        tool = reverter(field)
        if tool is not None:
            found.setdefault(tool, []).append(field)
    return found
