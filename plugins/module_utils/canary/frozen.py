# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document as it travels between the tasks of the role: frozen once by preflight, read by every verb (ANSIBLE 16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import restored
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, parse, parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary


def freeze(canary: Mapping[str, Any], *, templates: Sequence[Mapping[str, Any]], options: Mapping[str, Any], source: str,
           alert_providers: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The frozen mapping: the document as given, its MetricTemplates and AlertProviders (name, namespace and spec), the options, and where it came from."""
    metadata = canary.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    annotations = metadata.get("annotations") or {}
    meant = {key: annotations[key] for key in (flagger.METRICS_FROM, flagger.SUSPEND_MEANS) if key in annotations}
    if meant:
        kept["annotations"] = meant
    return {
        "canary": {**{key: value for key, value in canary.items() if key != "status"}, "metadata": kept},
        "templates": [_named(item) for item in templates],
        "alert_providers": [_named(item) for item in alert_providers],
        "options": {key: value for key, value in options.items() if value not in (None, "")},
        "source": source,
    }


def _named(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": {key: item["metadata"][key] for key in ("name", "namespace")}, "spec": item.get("spec") or {}}


def thaw(document: Mapping[str, Any], credentials: Mapping[str, str] | None = None) -> Canary:
    """The parsed document, with its ``credentials`` put back. Raises SpecError; a frozen document was valid when it was frozen."""
    document = restored(document, credentials) if credentials else document
    return parse(document["canary"], templates=document.get("templates") or (), alert_providers=document.get("alert_providers") or (),
                 options=parse_options(document.get("options") or {}), source=document.get("source") or "spec")
