# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What leaves a verb: plain JSON data, and no secrets (ANSIBLE 4, 5, 6)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from traceback import walk_tb
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import model
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import printable as printable_text, url

# The keys of a kubeconfig whose values are secret. Every other text in it ("default", "v1") is also in our results.
_SECRET_KEYS = frozenset(
    ("token", "password", "client-key-data", "client-certificate-data", "access-token", "id-token", "refresh-token", "client-secret")
)

# Results that hold a document: what people wrote has line breaks, and the credentials in it are sent as they are.
_THEIRS = frozenset(("document", "credentials", "memory"))

_OURS = re.compile(r"progressive/delivery/(plugins/.*)$")


def plain(result: Mapping[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    """The result as JSON would give it back: dataclasses and tuples become mappings and lists.

    A number that is not finite becomes null, and ``warn`` is told which one: a bare NaN is no JSON, and job databases refuse it.
    Raises TypeError for what has no JSON form.
    """
    return json.loads(json.dumps(_finite(model.dump(result), "result", warn), allow_nan=False))


def _finite(value: Any, path: str, warn: Callable[[str], None]) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item, f"{path}.{key}", warn) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item, f"{path}[{index}]", warn) for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        warn(f"{path} is {value}, which is not a finite number: given as null")
        return None
    return value


def printable(result: dict[str, Any]) -> dict[str, Any]:
    """The result as terminals and logs may show it; what people wrote themselves, or what goes into the next task unread, stays as it is."""
    return {key: value if key in _THEIRS else _printable(value) for key, value in result.items()}


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def unexpected(verb: str, error: BaseException) -> str:
    """What is said of an error that nobody foresaw: its type and the place in our code, never its text, which may hold a token."""
    return (
        f"{verb} met an unexpected {type(error).__name__} at {_place(error)}. This is a defect of progressive.delivery: "
        "please report this line and what the task was given. The state is in the cluster; running again goes on from there."
    )


def _place(error: BaseException) -> str:
    """File and line of the innermost frame that is ours."""
    place = "an unknown place"
    for frame, line in walk_tb(error.__traceback__):
        ours = _OURS.search(frame.f_code.co_filename)
        if ours:
            place = f"{ours.group(1)}:{line}"
    return place


def secrets(found: set[str], kubeconfig: Any) -> set[str]:
    """The values to be hidden from results: those that Ansible found by ``no_log``, with a kubeconfig looked at more closely.

    Ansible takes every text of a kubeconfig for a secret. Hiding "v1", "default" or the path of the file everywhere would
    change names and addresses that the next task reads; so of a kubeconfig only what is secret is hidden.
    """
    if kubeconfig is None:
        return set(found)
    everything = {str(value) for _key, value in _leaves(kubeconfig, "")}
    hidden = {str(value) for key, value in _leaves(kubeconfig, "") if key in _SECRET_KEYS and value}
    return (set(found) - everything) | hidden


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, str(name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, key)
    else:
        yield key, value


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options as ``invocation`` shows them: those that were given, URLs without their secrets, mappings by their being there.

    Documents are large, and documents, headers and kubeconfigs hold what must not be in a log.
    """
    return {key: _shown(value) for key, value in params.items() if value is not None}


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "(a mapping)"
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    return url(value) if isinstance(value, str) and "://" in value else value
