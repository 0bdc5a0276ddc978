# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One alert on its way to people, the same for every provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary

# Of the longest parts of a card, in characters; the order that a person gave may be that long.
LONGEST = 1000


@dataclass(frozen=True)
class Message:
    """``fields`` are names and values for people, in their order; ``at`` is epoch seconds."""

    name: str
    namespace: str
    text: str
    severity: str
    phase: str = ""
    at: float = 0.0
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name}.{self.namespace}"


def messages_of(canary: Canary, phase: str, told: Sequence[Told], at: float) -> tuple[Message, ...]:
    """What of it is worth an alert. All of them have the fields, which in Flagger some lack (weak spot 52)."""
    fields = fields_of(canary)
    return tuple(Message(canary.name, canary.namespace, shown.excerpt(one.alert, LONGEST), one.severity, phase, at, fields) for one in told if one.alert)


def fields_of(canary: Canary) -> tuple[tuple[str, str], ...]:
    """Flagger's, in its words and its order."""
    fields = {
        "Cluster": canary.options.cluster_name,
        "Target": f"{canary.target_kind}/{canary.target}.{canary.namespace}",
        "Failed checks threshold": str(canary.analysis.threshold),
        "Progress deadline": f"{int(canary.progress_deadline)}s",
        "Traffic routing": _routing(canary.analysis),
    }
    return tuple((name, shown.excerpt(value)) for name, value in fields.items() if value)


def _routing(analysis: Analysis) -> str:
    if analysis.step_weights:
        return f"Weight steps: {','.join(map(str, analysis.step_weights))} max: {analysis.max_weight}"
    if analysis.step_weight:
        return f"Weight step: {analysis.step_weight} max: {analysis.max_weight}"
    return "A/B Testing" if analysis.match else "Blue/Green"
