# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents that live in the cluster: Flagger's Canary and MetricTemplate objects, and the projected status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import TRACKED
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api

MOST_TRIES = 4


def read_canary(api: Api, namespace: str, name: str) -> dict[str, Any] | None:
    """The Canary object, None when there is none. Raises KubeError where its CRD is not installed."""
    return api.get(refs.canary(namespace, name))


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
    live: dict[str, Any] | None = canary_object
    place = refs.canary(canary_object["metadata"]["namespace"], canary_object["metadata"]["name"])
    for attempt in range(MOST_TRIES):
        if live is None:
            return canary_object            # somebody deleted it: there is nothing to tell any more
        present = live.get("status") or {}
        changed = {key: value for key, value in status.items() if present.get(key) != value}
        if present.get(TRACKED) and present[TRACKED] != status.get(TRACKED):
            # A merge patch adds to a mapping: what is not tracked any more has to be named.
            changed[TRACKED] = {**dict.fromkeys(present[TRACKED]), **status[TRACKED]} if TRACKED in status else None
        if not changed:
            return live
        try:
            return api.patch_status(place, {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, "status": changed})
        except KubeError as error:
            if attempt == MOST_TRIES - 1 or error.status not in (404, 409):
                raise
        live = api.get(place)
    return canary_object
