# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``spec.autoscalerRef``: who scales the target, and what differs in the copy that scales the primary."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import says_nothing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DEPLOYMENT, HPA, SCALED_OBJECT, Autoscaler

_ACCEPTED = "a mapping such as {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}"


def read_autoscaler(spec: Fields, target_kind: str) -> Autoscaler | None:
    """None where the document has none, or an empty one. Of the kinds of targets, only a Deployment can be scaled."""
    if says_nothing(spec.raw("autoscalerRef")):
        spec.take("autoscalerRef")
        return None
    reference = spec.mapping("autoscalerRef", _ACCEPTED)
    if not reference.present:
        return None
    if target_kind != DEPLOYMENT:
        spec.refuse("autoscalerRef", f"nothing scales a {target_kind}", f"accepted: no autoscalerRef, or a target of kind {DEPLOYMENT}")
    kind = reference.choice("kind", (HPA, SCALED_OBJECT), required=True)
    _read_api_version(reference, kind)
    name = reference.text("name", formats.SCALED_OBJECT_NAME if kind == SCALED_OBJECT else formats.AUTOSCALER_NAME, required=True)
    replicas = reference.mapping("primaryScalerReplicas", "a mapping with minReplicas and maxReplicas")
    minimum, maximum = replicas.whole("minReplicas", 1), replicas.whole("maxReplicas", 1)
    if minimum and maximum and minimum > maximum:
        replicas.refuse("minReplicas", f"{minimum} is more than maxReplicas, {maximum}", f"accepted: a whole number from 1 to {maximum}")
    replicas.refuse_rest()
    queries = reference.text_map("primaryScalerQueries")
    for trigger, query in queries.items():
        if not query.strip():
            reference.refuse(f"primaryScalerQueries.{shown.excerpt(trigger, 60)}", "is empty", "accepted: the query that the primary is scaled by")
    if queries and kind == HPA:
        reference.refuse("primaryScalerQueries", f"is for a {SCALED_OBJECT}: a {HPA} has no triggers with a name",
                         f"leave it out; the metrics of the {HPA} are copied")
    reference.refuse_rest()
    return Autoscaler(kind or HPA, name, minimum, maximum, queries)


def _read_api_version(reference: Fields, kind: str) -> None:
    if not kind:
        # Another kind has another apiVersion.
        reference.take("apiVersion")
        return
    present, old = flagger.AUTOSCALER_API_VERSIONS[kind], flagger.OLD_AUTOSCALER_API_VERSIONS[kind]
    if reference.choice("apiVersion", (*present, *old), required=True) in old:
        reference.warn("apiVersion", f"is an old one: the same {kind} is read as {present[0]}")
