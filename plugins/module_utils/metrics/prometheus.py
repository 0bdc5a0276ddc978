# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus, and what speaks its HTTP API: one instant query, one number.

https://prometheus.io/docs/prometheus/latest/querying/api/ ; a value is the second of a [time, text] pair, and NaN and
infinities come as the texts "NaN", "+Inf" and "-Inf".
"""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import exchange
from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.promql import collapse
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import MetricProvider
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sample import Sample

# Flagger's time-out of a query.
TIMEOUT = 5.0
# A number in an envelope has some hundred bytes; more is a query that selects far too many series.
LIMIT = 1024 * 1024


class _Unusable(Exception):
    """Why an answer is none, in words."""


def ask(query: str, provider: MetricProvider, secret: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> Sample:
    """The number that the rendered ``query`` has now.

    ``secret`` holds ``token`` (sent as a bearer token) or ``username`` and ``password``, or nothing of it. Seconds in
    ``timeout`` bound the whole exchange. What goes wrong comes back in Sample.error.
    """
    reply = exchange.exchange(exchange.Request(
        "GET", _url(provider.address, query), headers=_headers(provider, secret or {}), verify=not provider.insecure_skip_verify,
        timeout=timeout, limit=LIMIT))
    hidden = (*exchange.credentials(provider.address), *(secret or {}).values())
    try:
        return _sample(_success(reply))
    except _Unusable as error:
        where = "" if reply.failure else f"{shown.url(provider.address)} "
        return Sample(error=where + shown.without(str(error), hidden))


def online(provider: MetricProvider, secret: Mapping[str, str] | None = None, *, field: str = "spec.provider.address") -> str | None:
    """Why the Prometheus cannot be used, in a sentence that names its address and the ``field`` it stands in; None when it can."""
    sample = ask("vector(1)", provider, secret)
    if not sample.error and sample.value == 1.0:
        return None
    reason = sample.error or "it does not answer vector(1) with 1"
    return f"{field}: no Prometheus answers at {shown.url(provider.address) or 'an empty address'}: {reason}"


def _url(address: str, query: str) -> str:
    """The address may have a path in front of the API's (``--web.route-prefix``) and parameters, which are kept."""
    parts = urllib.parse.urlsplit(address)
    parameters = [*urllib.parse.parse_qsl(parts.query), ("query", collapse(query))]
    path = parts.path.rstrip("/") + "/api/v1/query"
    return urllib.parse.urlunsplit(parts._replace(path=path, query=urllib.parse.urlencode(parameters), fragment=""))


def _headers(provider: MetricProvider, secret: Mapping[str, str]) -> dict[str, str]:
    headers = {name: ", ".join(values) for name, values in provider.headers.items()}
    # A Secret made by `echo` ends in a newline, which no header may hold.
    kept = {key: value.strip("\r\n") for key, value in secret.items()}
    if kept.get("token"):
        headers["Authorization"] = f"Bearer {kept['token']}"
    elif kept.get("username") or kept.get("password"):
        headers["Authorization"] = exchange.basic(kept.get("username", ""), kept.get("password", ""))
    return headers


def _success(reply: exchange.Reply) -> dict[str, Any]:
    """The envelope of a successful answer."""
    if reply.failure:
        raise _Unusable(reply.failure)
    if 300 <= reply.status < 400:
        raise _Unusable(f"answered {reply.status}, a redirect to {reply.location or 'nowhere'}, which is not followed: give that address")
    if reply.cut:
        raise _Unusable(f"answered more than {LIMIT // 1024} KiB: the query selects too much, aggregate it")
    envelope = _json(reply)
    if reply.status >= 400 or envelope.get("status") != "success":
        raise _Unusable(f"answered {reply.status}: {_complaint(envelope, reply)}")
    return envelope


def _json(reply: exchange.Reply) -> dict[str, Any]:
    try:
        envelope = json.loads(reply.text)
    except (ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict) and "status" in envelope:
        return envelope
    if reply.status >= 400:
        return {}
    raise _Unusable(f"answered {reply.status}, but not as Prometheus does: {shown.excerpt(reply.text, 80) or 'nothing'}")


def _complaint(envelope: Mapping[str, Any], reply: exchange.Reply) -> str:
    """Prometheus' own words for an error, or the beginning of what something else answered in its place."""
    words = ": ".join(str(envelope[key]) for key in ("errorType", "error") if envelope.get(key))
    return shown.excerpt(words or reply.text) or "without a reason"


def _sample(envelope: Mapping[str, Any]) -> Sample:
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise _Unusable("answered without data")
    notes = envelope.get("warnings")
    warnings = tuple(shown.excerpt(str(note)) for note in notes) if isinstance(notes, list) else ()
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return Sample(_number(result), 1, warnings=warnings)
    if kind == "vector" and isinstance(result, list):
        return Sample(_only(result), len(result), warnings=warnings)
    if kind == "matrix":
        raise _Unusable("answered with a range of values, not one: put a function such as rate() or avg_over_time() around the range")
    raise _Unusable(f"answered with a {shown.excerpt(str(kind), 20)}, which is not a number")


def _only(series: list[Any]) -> float | None:
    """The number of the only series; of several none is better than another."""
    if len(series) != 1:
        return None
    return _number(series[0].get("value") if isinstance(series[0], dict) else None)


def _number(pair: Any) -> float | None:
    """The number of a [time, text] pair; None for NaN."""
    try:
        value = float(pair[1])
    except (TypeError, ValueError, IndexError, KeyError):
        raise _Unusable("answered with a value that is not a number") from None
    return None if math.isnan(value) else value
