# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``analysis.alerts``, and the AlertProviders that they name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import INFO, SEVERITIES, Alert, AlertProvider

Objects = Mapping[tuple[str, str], Mapping[str, Any]]

_REFERENCE = "a mapping with name, and namespace if it is not the canary's"


def read_alerts(analysis: Fields, namespace: str, providers: Objects) -> tuple[Alert, ...]:
    """The alerts in the document's order. Without a severity one is for everything, as Flagger documents it (weak spot 52)."""
    return tuple(_alert(index, entry, namespace, providers) for index, entry in analysis.mappings("alerts", "a list of mappings with name and providerRef"))


def _alert(index: int, entry: Fields, namespace: str, providers: Objects) -> Alert:
    alert = Alert(
        index=index,
        name=entry.text("name", required=True),
        severity=entry.choice("severity", SEVERITIES, default=INFO),
        provider=_provider(entry, entry.mapping("providerRef", _REFERENCE, required=True), namespace, providers),
    )
    entry.refuse_rest()
    return alert


def _provider(entry: Fields, reference: Fields, own: str, providers: Objects) -> AlertProvider:
    name = reference.text("name", formats.OBJECT_NAME, required=True)
    namespace = reference.text("namespace", formats.NAMESPACE, default=own)
    reference.refuse_rest()
    found = providers.get((namespace, name))
    if found is None:
        if name and namespace and not reference.is_wrong():
            entry.refuse("providerRef", f"there is no AlertProvider '{name}' in namespace '{namespace}'",
                         "accepted: one that is in the cluster, in canary_file or in canary_alert_providers; the namespace is the canary's where providerRef "
                         "names none")
        return AlertProvider()
    whole = Fields({"spec": found.get("spec")}, f"AlertProvider {namespace}/{name}", entry.findings, joint=" ")
    spec = whole.mapping("spec", "a mapping with type, and address or secretRef", required=True)
    secret = spec.mapping("secretRef")
    read = AlertProvider(
        type=spec.choice("type", (*flagger.ALERT_PROVIDERS, flagger.ALERT_WEBHOOK), required=True),
        channel=spec.text("channel", default=AlertProvider.channel),
        username=spec.text("username", default=AlertProvider.username),
        address=spec.text("address", formats.URL, secret=True),
        proxy=spec.text("proxy", formats.URL, secret=True),
        secret=secret.text("name", formats.OBJECT_NAME, required=True),
        namespace=namespace,
        name=name,
    )
    secret.refuse_rest()
    spec.refuse_rest()
    return _with_one_address(spec, read, secret.present)


def _with_one_address(spec: Fields, read: AlertProvider, has_secret: bool) -> AlertProvider:
    """With both the Secret's counts, as Flagger documents it; its CRD lets only one of the two into a cluster."""
    if not spec.present or spec.is_wrong("address") or spec.is_wrong("secretRef"):
        return read
    if read.address and has_secret:
        spec.warn("address", "does not count beside secretRef: alerts go to the address in the Secret")
        return dataclasses.replace(read, address="")
    if not read.address and not has_secret:
        spec.refuse("address", "is missing", f"accepted: {formats.URL.accepted}, or secretRef with the name of a Secret that has the key address")
    return read
