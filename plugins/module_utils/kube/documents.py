# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents that live in the cluster: Flagger's Canary and MetricTemplate objects, the projected status, and the finalizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.flagger import FINALIZER
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import TRACKED
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api

MOST_TRIES = 4


def read_canary(api: Api, namespace: str, name: str) -> dict[str, Any] | None:
    """The Canary object, None when there is none. Raises KubeError where its CRD is not installed."""
    return api.get(refs.canary(namespace, name))


def readable_canary(api: Api, namespace: str, name: str) -> dict[str, Any] | None:
    """The Canary object where there is one that may be read, whatever else may not."""
    try:
        return read_canary(api, namespace, name)
    except KubeError:
        return None


def read_templates(api: Api, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The MetricTemplates that the document's metrics name, each once. Raises SpecError for one that does not exist."""
    own = (document.get("metadata") or {}).get("namespace", "")
    metrics = ((document.get("spec") or {}).get("analysis") or {}).get("metrics") or []
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for index, metric in enumerate(metrics):
        reference = metric.get("templateRef") if isinstance(metric, Mapping) else None
        if not isinstance(reference, Mapping) or not reference.get("name"):
            continue
        key = (reference.get("namespace") or own, reference["name"])
        if key not in found:
            template = api.get(refs.metric_template(*key))
            if template is None:
                raise SpecError(f"spec.analysis.metrics[{index}].templateRef", f"MetricTemplate {'/'.join(key)} does not exist")
            found[key] = template
    return list(found.values())


def project_status(api: Api, canary_object: dict[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The Canary object with this status; nothing is written when it says so already."""
    def change(live: Mapping[str, Any]) -> dict[str, Any]:
        present = live.get("status") or {}
        changed = {key: value for key, value in status.items() if present.get(key) != value}
        if present.get(TRACKED) and present[TRACKED] != status.get(TRACKED):
            # A merge patch adds to a mapping: what is not tracked any more has to be named.
            changed[TRACKED] = {**dict.fromkeys(present[TRACKED]), **status[TRACKED]} if TRACKED in status else None
        return {"status": changed} if changed else {}
    return _changed(api, api.patch_status, canary_object, change)


def is_deleted(canary_object: Mapping[str, Any] | None) -> bool:
    """Whether somebody deleted it, and it waits for us to give everything back (``revertOnDeletion``)."""
    return bool(canary_object and canary_object["metadata"].get("deletionTimestamp") and _has_finalizer(canary_object))


def keep_until_reverted(api: Api, canary_object: dict[str, Any]) -> dict[str, Any]:
    """The Canary object with the finalizer; one that is being deleted takes no new one."""
    return _finalizers(api, canary_object, lambda others: [*others, FINALIZER])


def let_go(api: Api, canary_object: dict[str, Any]) -> dict[str, Any]:
    """Without the finalizer: one that was deleted goes now."""
    return _finalizers(api, canary_object, lambda others: others)


def _has_finalizer(canary_object: Mapping[str, Any]) -> bool:
    return FINALIZER in (canary_object["metadata"].get("finalizers") or ())


def _finalizers(api: Api, canary_object: dict[str, Any], make: Callable[[list[str]], list[str]]) -> dict[str, Any]:
    """Others have finalizers of their own on it, which stay."""
    def change(live: Mapping[str, Any]) -> dict[str, Any]:
        present = live["metadata"].get("finalizers") or []
        if live["metadata"].get("deletionTimestamp") and FINALIZER not in present:
            return {}                       # an object that is being deleted takes no new one
        wanted = make([one for one in present if one != FINALIZER])
        return {"metadata": {"finalizers": wanted}} if sorted(wanted) != sorted(present) else {}
    return _changed(api, api.patch, canary_object, change)


def _changed(api: Api, write: Callable[[refs.Ref, dict[str, Any]], dict[str, Any]], canary_object: dict[str, Any],
             change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The object after what ``change`` says of it as it is now (empty: nothing), under the resourceVersion that this was read with."""
    live: dict[str, Any] | None = canary_object
    place = refs.canary(canary_object["metadata"]["namespace"], canary_object["metadata"]["name"])
    for attempt in range(MOST_TRIES):
        if live is None or live["metadata"]["uid"] != canary_object["metadata"]["uid"]:
            return canary_object            # it was deleted: there is nothing to tell any more, and one made after it is another
        body = change(live)
        if not body:
            return live
        metadata = {**body.get("metadata", {}), "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            return write(place, {**body, "metadata": metadata})
        except KubeError as error:
            if attempt == MOST_TRIES - 1 or error.status not in (404, 409):
                raise
        live = api.get(place)
    return canary_object
