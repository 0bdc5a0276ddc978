# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that people wrote into a document: they are taken out before it is returned, printed or recorded, and put back where a verb needs them."""

from __future__ import annotations

import copy
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger

# What stands in their place; what holds it cannot be sent.
WITHHELD = "__withheld__"

_ALERTED = "alert_providers"
_METRICS_SERVER = ("metrics_server", "canary_metrics_server")
Path = tuple[Any, ...]                  # keys of mappings, indexes of lists


def withheld(frozen: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The frozen document without credentials, and the texts that held them, by their path in it: ``canary/spec/analysis/webhooks/0/url``.

    Credentials are the userinfo of an address, the values of its query, the values of headers, and of an AlertProvider's address all behind the host:
    whoever knows the path may write there.
    """
    kept, texts = copy.deepcopy(dict(frozen)), {}
    for path in _places(frozen):
        text = _at(frozen, path)
        hidden = WITHHELD if "headers" in path else _hidden(text, _host_of if _ALERTED in path and path[-1] == "address" else _without)
        if _is_text(text) and text != hidden:
            _put(kept, path, hidden)
            texts["/".join(map(str, path))] = text
    return kept, texts


def restored(frozen: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The frozen document with its credentials again. A path that it does not have is passed over."""
    whole = copy.deepcopy(dict(frozen))
    for path in _places(frozen):
        text = texts.get("/".join(map(str, path)))
        if text is not None and _is_text(_at(frozen, path)):
            _put(whole, path, text)
    return whole


def _places(frozen: Mapping[str, Any]) -> Iterator[Path]:
    """Where a text may hold credentials."""
    yield from (("options", name) for name in _METRICS_SERVER)
    yield ("canary", "spec", "metricsServer")
    for section in flagger.ANALYSIS.values():
        webhooks: Path = ("canary", "spec", section, "webhooks")
        yield from ((*webhooks, index, "url") for index in _indexes(_at(frozen, webhooks)))
    for index in _indexes(_at(frozen, ("templates",))):
        provider: Path = ("templates", index, "spec", "provider")
        yield (*provider, "address")
        headers = _at(frozen, (*provider, "headers"))
        for name, values in headers.items() if isinstance(headers, Mapping) else ():
            yield from ((*provider, "headers", name, at) for at in _indexes(values))
            yield (*provider, "headers", name)
    for index in _indexes(_at(frozen, (_ALERTED,))):
        yield from ((_ALERTED, index, "spec", key) for key in ("address", "proxy"))


def _indexes(value: Any) -> range:
    return range(len(value)) if isinstance(value, (list, tuple)) else range(0)


def _at(value: Any, path: Path) -> Any:
    """What is there, "" where there is nothing or no text, list or mapping."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, (list, tuple)) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, (str, list, tuple, Mapping)) else ""


def _put(whole: Any, path: Path, text: str) -> None:
    *way, last = path
    for step in way:
        whole = whole[step]
    whole[last] = text


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _hidden(text: Any, hide: Callable[[str, urllib.parse.SplitResult], str]) -> Any:
    """An address as ``hide`` leaves it; one that is none is refused elsewhere, and shown to nobody."""
    if not _is_text(text):
        return text
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return WITHHELD
    return hide(text, parts)


def _without(text: str, parts: urllib.parse.SplitResult) -> str:
    """Without userinfo and without the values of its query."""
    _userinfo, at, place = parts.netloc.rpartition("@")
    query = "&".join(f"{key.partition('=')[0]}={WITHHELD}" for key in parts.query.split("&") if key)
    if not (at or query):
        return text
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{WITHHELD}@{place}" if at else place, query=query))


def _host_of(text: str, parts: urllib.parse.SplitResult) -> str:
    """With nothing behind its host that anybody could use."""
    place = parts.netloc.rpartition("@")[2]
    if place == parts.netloc and parts.path in ("", "/") and not parts.query and not parts.fragment:
        return text if place else WITHHELD
    return urllib.parse.urlunsplit((parts.scheme, place, WITHHELD, "", "")) if place else WITHHELD
