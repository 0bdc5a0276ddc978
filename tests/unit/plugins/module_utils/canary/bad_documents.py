# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The good document and the wrong ones of bad_documents.yml, ready to be parsed."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TABLE = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))
_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")


@dataclass(frozen=True)
class Bad:
    """A wrong document, where it is refused, and a part of what the message says."""

    id: str
    document: Any
    template: dict[str, Any]
    alert_provider: dict[str, Any]
    path: str
    says: str


def good() -> dict[str, Any]:
    return copy.deepcopy(_TABLE["good"])


def template() -> dict[str, Any]:
    """The MetricTemplate that the good document refers to."""
    return copy.deepcopy(_TABLE["template"])


def alert_provider() -> dict[str, Any]:
    """The AlertProvider of ``alert``."""
    return copy.deepcopy(_TABLE["alert_provider"])


def alerted() -> dict[str, Any]:
    """The good document, and somebody to alert."""
    document = good()
    document["spec"]["analysis"]["alerts"] = [copy.deepcopy(_TABLE["alert"])]
    return document


def change(document: Any, path: str, value: Any) -> None:
    """Set a field of a document; ``...`` drops it."""
    *steps, last = [int(step[1:-1]) if step.startswith("[") else step for step in _STEP.findall(path)]
    for step in steps:
        document = document[step] if isinstance(step, int) else document.setdefault(step, {})
    if value is ...:
        del document[last]
    else:
        document[last] = value


def _value(document: Any, path: str) -> Any:
    for step in _STEP.findall(path):
        document = document[int(step[1:-1]) if step.startswith("[") else step]
    return document


def _bad(row: dict[str, Any]) -> Bad:
    document, metric_template, provider = row.get("document", alerted() if "alerts" in row else good()), template(), alert_provider()
    for path, value in row.get("set", {}).items():
        change(document, path, copy.deepcopy(value))
    for path in row.get("drop", []):
        change(document, path, ...)
    for path, times in row.get("repeat", {}).items():
        change(document, path, [copy.deepcopy(_value(document, path)[0]) for _time in range(times)])
    for path, name in row.get("rename", {}).items():
        change(document, f"{path.rpartition('.')[0]}.{name}", _value(document, path))
        change(document, path, ...)
    for path, value in row.get("template", {}).items():
        change(metric_template, path, value)
    for path, value in row.get("alerts", {}).items():
        change(provider, path, value)
    return Bad(row["id"], document, metric_template, provider, row["path"], row["says"])


BAD = tuple(_bad(row) for row in _TABLE["bad"])
