# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The smallest change between two objects: as a JSON patch (RFC 6902) for the API server, and as what people see in a diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_ABSENT = object()


def json_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Steps that make ``before`` into ``after``; what is equal is not named. Lists of the same length are compared entry by entry."""
    return list(_steps((), before, after))


def fenced(steps: list[dict[str, Any]], resource_version: str) -> list[dict[str, Any]]:
    """The patch, refused with 409 unless the object still has this resourceVersion (a failed ``test`` would answer 422: SAFETY 1)."""
    return [{"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version}, *steps]


def dotted(path: str) -> str:
    """A JSON pointer as people write it: spec.rules[0].timeouts."""
    text = ""
    for part in path.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides with only what differs. In lists of equal length the entries that differ, each with its name; else the whole lists."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        left, right = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if _same(left, right):
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            old[key], new[key] = difference(left, right)
            continue
        if _entry_by_entry(left, right):
            entries = [_entry(one, other) for one, other in zip(left, right) if not _same(one, other)]
            old[key], new[key] = [one for one, unused in entries], [other for unused, other in entries]
            continue
        if left is not _ABSENT:
            old[key] = left
        if right is not _ABSENT:
            new[key] = right
    return old, new


def _entry_by_entry(left: Any, right: Any) -> bool:
    both = isinstance(left, list) and isinstance(right, list) and len(left) == len(right)
    return both and all(isinstance(item, Mapping) for item in [*left, *right])


def _entry(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    old, new = difference(left, right)
    name = {"name": left["name"]} if left.get("name") and left.get("name") == right.get("name") else {}
    return {**name, **old}, {**name, **new}


def _steps(path: tuple[str, ...], before: Any, after: Any) -> Iterator[dict[str, Any]]:
    if _same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before:
            if key not in after:
                yield {"op": "remove", "path": _pointer((*path, key))}
        for key, value in after.items():
            if key in before:
                yield from _steps((*path, key), before[key], value)
            else:
                yield {"op": "add", "path": _pointer((*path, key)), "value": value}
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after)):
            yield from _steps((*path, str(index)), left, right)
    else:
        yield {"op": "replace", "path": _pointer(path), "value": after}


def _same(left: Any, right: Any) -> bool:
    # True equals 1 in Python, but not in JSON.
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
