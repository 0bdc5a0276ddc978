# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Services of a canary in the cluster."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import services, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.endpoints import SERVICE_LABEL, ready_pods
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import selector_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs, service_targets
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, ensure


def ensure_services(writer: Writer, canary: Canary, roles: Iterable[str]) -> list[Change]:
    """The Services of these roles (services.APEX ...) as the document wants them. Raises CanaryError for one that is not ours to change."""
    if targets.by_kind(canary.target_kind).IS_APEX:
        return [service_targets.ensure_canary(writer, canary)] if services.CANARY in roles else []
    target = existing(writer.api, target_ref(canary))
    selector = selector_of(target, canary.options.selector_labels)
    return [
        ensure(
            writer, refs.service(canary.namespace, services.name_of(canary, role)),
            functools.partial(services.wanted, canary, role, selector, target),
            functools.partial(_reconciled, canary=canary, role=role, selector=selector, target=target),
            # An apex in two hands would send users back and forth.
            still_right=lambda first, now: now["spec"].get("selector") == first["spec"].get("selector"),
            claim=role == services.APEX,
        )
        for role in roles
    ]


def slices(api: Api, namespace: str, names: Iterable[str]) -> list[Mapping[str, Any]]:
    """The EndpointSlices of these Services, in one request."""
    selector = f"{SERVICE_LABEL} in ({', '.join(names)})"
    return api.list(refs.endpoint_slice(namespace), label_selector=selector).get("items", [])


def has_endpoints(api: Api, namespace: str, name: str) -> bool:
    """Whether somebody can answer behind the Service now (SAFETY 10)."""
    return bool(ready_pods(slices(api, namespace, [name]), name))


def _reconciled(live: Mapping[str, Any], *, canary: Canary, role: str, selector: Any, target: Mapping[str, Any]) -> dict[str, Any]:
    return services.reconciled(live, canary, role, selector, target)
