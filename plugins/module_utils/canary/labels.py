# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors, as the API server reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPERATORS = {
    "In": lambda value, values: value is not None and value in values,
    "NotIn": lambda value, values: value is None or value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels: an empty one everything, none nothing."""
    if selector is None:
        return False
    if not includes(selector.get("matchLabels") or {}, labels):
        return False
    return all(_OPERATORS[term["operator"]](labels.get(term["key"]), term.get("values") or ()) for term in selector.get("matchExpressions") or ())


def includes(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether the labels have all that a plain selector, such as a Service's, wants."""
    return all(labels.get(key) == value for key, value in wanted.items())
