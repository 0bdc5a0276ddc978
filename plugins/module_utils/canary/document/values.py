# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one value that a person wrote to a typed one, or to words that say why it does not fit."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.formats import Form

T = TypeVar("T")

_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
# Far beyond every field, and near enough for exact arithmetic.
_HUGE = 10**15


class Unfit(Exception):
    """Why a value does not fit, with the value in it."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A type of values: what is accepted, and how it is read. ``read`` raises Unfit."""

    accepted: str
    read: Callable[[Any], T]


def show(value: Any) -> str:
    """A value as a message quotes it, short and on one line."""
    if isinstance(value, str):
        return f"'{shown.excerpt(value, 60)}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.15g}" if abs(value) < _HUGE or isinstance(value, float) else "a number of that size"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else "null" if value is None else f"a {type(value).__name__}"


def says_nothing(value: Any) -> bool:
    """Values that ask for nothing: null, "", 0, false, an empty list or mapping, and their texts."""
    return not value or _flag(value) is False or _number(value) == 0


def text(form: Form | None = None, accepted: str = "", secret: bool = False) -> Kind[str]:
    """A text, of a form where one is given. With ``secret`` the words do not show it."""
    def read(value: Any) -> str:
        quoted = "the value" if secret else show(value)
        if isinstance(value, (bool, int, float)):
            raise Unfit(f"{quoted} is not a text; to be one, numbers and truth values need quotes")
        if not isinstance(value, str):
            raise Unfit(f"{quoted} is not a text")
        wrong = form.wrong(value) if form else ""
        if wrong:
            raise Unfit(f"'{formats.url_shown(value)}' {wrong}" if form is formats.URL and not secret else f"{quoted} {wrong}")
        return value

    return Kind(accepted or (form.accepted if form else "a text"), read)


def choice(words: Iterable[str]) -> Kind[str]:
    """One of a few words."""
    known = tuple(words)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in known:
            return value
        close = difflib.get_close_matches(str(value).lower(), known, 1) if isinstance(value, str) else []
        raise Unfit(f"{show(value)} is not known" + (f", did you mean {close[0]}?" if close else ""))

    return Kind(", ".join(known), read)


def number() -> Kind[float]:
    """A finite number, or its text."""
    def read(value: Any) -> float:
        found = _number(value)
        if found is None:
            raise Unfit(f"{show(value)} is not a number")
        return found

    return Kind("a number", read)


def whole(low: int, high: int | None = None, accepted: str = "") -> Kind[int]:
    """A whole number from ``low`` to ``high``, or its text."""
    def read(value: Any) -> int:
        found = _number(value)
        if found is None or found != int(found):
            raise Unfit(f"{show(value)} is not a whole number")
        if found < low or (high is not None and found > high):
            raise Unfit(f"{show(value)} is {'below' if found < low else 'above'} what is possible")
        return int(found)

    return Kind(accepted or f"a whole number from {low}" + (f" to {high}" if high is not None else ""), read)


def flag() -> Kind[bool]:
    """A truth value, or its text."""
    def read(value: Any) -> bool:
        found = _flag(value)
        if found is None:
            raise Unfit(f"{show(value)} is not a truth value")
        return found

    return Kind("true or false", read)


def seconds(zero: bool = False, bare: bool = False) -> Kind[float]:
    """A duration; with ``bare`` a number without a unit means seconds, with ``zero`` it may be 0."""
    def read(value: Any) -> float:
        found = formats.seconds(value.strip()) if isinstance(value, str) else None
        found = _number(value) if found is None and bare else found
        if found is None:
            raise Unfit(f"{show(value)} is not a duration")
        if found < 0 or (found == 0 and not zero):
            raise Unfit(f"{show(value)} is too short")
        return found

    return Kind("a duration such as 30s, 1m or 1m30s" + (", or a number of seconds" if bare else "") + ("" if zero else ", above 0"), read)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) >= _HUGE:
        return None
    return float(value)


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None
