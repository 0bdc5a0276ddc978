# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where queries go, by the type of a provider. The next provider is one more file like prometheus.py and one more row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import MetricProvider
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sample import Sample


class Provider(Protocol):
    """What the file of a provider has."""

    def ask(self, query: str, provider: MetricProvider, secret: Mapping[str, str] | None = None, timeout: float = ...) -> Sample:
        """The number that the rendered query has now."""

    def online(self, provider: MetricProvider, secret: Mapping[str, str] | None = None, *, field: str = ...) -> str | None:
        """Why the provider cannot be used, in words; None when it can."""


PROVIDERS: Mapping[str, Provider] = {
    "prometheus": prometheus,
}
