# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threshold verdict: a check passes while its value is within minimum and maximum, both included.

Differences from Flagger: durations are not cut to whole milliseconds (weak spot 41), and a query that gives several
series is an error, not judged by whichever came last (weak spot 42).
"""

from __future__ import annotations

import math

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, UNKNOWN, Outcome
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Check, Options

NO_DATA = "no_data"
QUERY_ERROR = "query_error"

PERCENT = "%"
MILLISECONDS = "ms"
_DECIMALS = {PERCENT: 2, MILLISECONDS: 0}
_MOST_DECIMALS = 12


def judge(check: Check, value: float | None, *, series: int = 1, error: str = "", unit: str = "", window: float = 0.0) -> Outcome:
    """The outcome of one check.

    ``value`` is in the unit of the check's range; None or NaN means that there was none. ``series`` counts the series
    that the query returned, ``error`` says in words why it was not answered, ``window`` is the evidence in seconds.
    """
    if error:
        return _outcome(check, UNKNOWN, None, f"{QUERY_ERROR}: {check.name}: {error}", unit, window)
    if series > 1:
        why = f"{QUERY_ERROR}: {check.name}: query returned {series} series; aggregate it to one, for example with sum() or max()"
        return _outcome(check, UNKNOWN, None, why, unit, window)
    if value is None or math.isnan(value):
        why = f"{NO_DATA}: {check.name}: the query found no value (no traffic, or no such series)"
        return _outcome(check, UNKNOWN, None, why, unit, window)
    return _compare(check, value, unit, window)


def policy_of(options: Options, why: str) -> str:
    """What the options say about something that cannot be told, for this reason: fail, hold or pass (each its own: DESIGN rule 6)."""
    if why.startswith(NO_DATA):
        return options.on_no_data
    if why.startswith(QUERY_ERROR):
        return options.on_query_error
    return options.on_no_answer


def _compare(check: Check, value: float, unit: str, window: float) -> Outcome:
    breach = _breach(check, value, unit)
    kept = value if math.isfinite(value) else None
    note = "" if kept is not None else f"{check.name} is {_sign(value)}Inf, which is compared but cannot be kept as a number"
    return _outcome(check, FAIL if breach else PASS, kept, "; ".join(filter(None, (breach, note))), unit, window)


def _breach(check: Check, value: float, unit: str) -> str:
    """The comparison that failed, in words, or nothing."""
    if check.minimum is not None and value < check.minimum:
        return f"{check.name} {shown(value, check.minimum, unit)} < {limit(check.minimum, unit)}"
    if check.maximum is not None and value > check.maximum:
        return f"{check.name} {shown(value, check.maximum, unit)} > {limit(check.maximum, unit)}"
    return ""


def shown(value: float, beside: float, unit: str = "") -> str:
    """The value for people, with as many decimals as it takes to stand on its own side of the limit ``beside``."""
    if not math.isfinite(value):
        return f"{_sign(value)}Inf{unit}"
    if abs(value) >= 1e15:
        return f"{value:g}{unit}"
    for decimals in range(_decimals(value, beside, unit), _MOST_DECIMALS + 1):
        if _same_side(value, round(value, decimals), beside):
            text = f"{value:.{decimals}f}"
            return (text if unit in _DECIMALS else _trimmed(text)) + unit
    return f"{value!r}{unit}"


def limit(value: float, unit: str = "") -> str:
    """A limit as it was written: 99%, 500ms, 0.5."""
    return f"{value:.12g}{unit}"


def _decimals(value: float, beside: float, unit: str) -> int:
    """Where to begin: the unit's, the limit's, and for a small number without a unit two digits that say something."""
    telling = 1 - math.floor(math.log10(abs(value))) if not unit and 0 < abs(value) < 0.1 else 0
    written = len(limit(beside).partition("e")[0].partition(".")[2])
    return max(_DECIMALS.get(unit, 2), written, telling)


def _same_side(value: float, rounded: float, beside: float) -> bool:
    return (value > beside) == (rounded > beside) and (value < beside) == (rounded < beside)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sign(value: float) -> str:
    return "+" if value > 0 else "-"


def _outcome(check: Check, outcome: str, value: float | None, why: str, unit: str, window: float) -> Outcome:
    return Outcome(index=check.index, name=check.name, outcome=outcome, value=value, minimum=check.minimum, maximum=check.maximum,
                   why=why, unit=unit, window=window)
