# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one side did, in a form in which two of them can be equal: without names and times that only one walk has."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Trace:
    """One side.

    Attributes:
        statuses: (phase, weight, iterations, failed checks), whenever one of them changed.
        conditions: (status, reason, message) of the condition Promoted.
        weights: the canary's, on the route.
        extras: what the route does besides, copies of requests and cookies, whenever that changed.
        calls: (webhook, phase, checksum as "#1", "#2" ... in the order of first use, other metadata).
        events: (phase, type, message), as the webhook of type event was told.
        alerts: (colour, text, fields).
        announced: where the Kubernetes Events are not those that the webhook was told; a sentence each.
        objects: by "initialised Kind/name path" and "ended Kind/name path", a value of one object.
    """

    statuses: list[tuple[str, int, int, int]]
    conditions: list[tuple[str, str, str]]
    weights: list[int]
    extras: list[str]
    calls: list[tuple[str, str, str, str]]
    events: list[tuple[str, str, str]]
    alerts: list[tuple[str, str, tuple[tuple[str, str], ...]]]
    announced: list[str]
    objects: dict[str, Any]


SEQUENCES = ("statuses", "conditions", "weights", "extras", "calls", "events", "alerts", "announced")
COMBINED = "(combined from similar events): "      # client-go's, of an Event that stands for several
# How often and in which words it is told that Kubernetes is waited for depends on the moment of looking.
PACE = re.compile(r"((primary|canary) (deployment|daemonset) )?\S+ not ready: ")


def trace(seen: Json) -> Trace:
    """From what was seen of one side."""
    plain = json.loads(_anonymous(json.dumps(seen), seen["namespace"]))
    hooks = [body for body in plain["calls"] if "metadata" in body]
    told = [(body["metadata"]["eventType"], body["phase"], body["metadata"]["eventMessage"]) for body in hooks
            if body["metadata"]["hook"] == "events" and not PACE.match(body["metadata"]["eventMessage"])]
    checksums: dict[str, str] = {}
    for body in hooks:
        if body["metadata"]["hook"] != "events":
            checksums.setdefault(body.get("checksum", ""), f"#{len(checksums) + 1}")
    return Trace(
        [(one["phase"], one["canaryWeight"], one["iterations"], one["failedChecks"]) for one in plain["statuses"]],
        [(one["status"], one["reason"], one["message"]) for one in plain["conditions"]],
        plain["weights"],
        plain["extras"],
        _calls([_call(body, checksums) for body in hooks if body["metadata"]["hook"] != "events"]),
        [(phase, kind, message) for kind, phase, message in told],
        [_alert(body) for body in plain["calls"] if "attachments" in body],
        _announced(plain["events"], told),
        {f"{when} {name} {path}": value for when in ("initialised", "ended") for name, body in plain[when].items() for path, value in flat(body)})


def _announced(events: list[Json], told: list[tuple[str, str, str]]) -> list[str]:
    """What only the Kubernetes Events say, or only the webhooks. Of Flagger's, the eleventh and all after it are one Event, with the last one's message."""
    said = {(one["type"], one["message"].removeprefix(COMBINED)) for one in events if one["reason"] == "Synced" and not PACE.match(one["message"])}
    heard = {(kind, message) for kind, _phase, message in told}
    combined = any(one["message"].startswith(COMBINED) for one in events)
    return sorted([f"only an Event: {one}" for one in said - heard] + [f"only a webhook: {one}" for one in heard - said if not combined])


def _anonymous(text: str, namespace: str) -> str:
    return re.sub(r"http://127\.0\.0\.1:\d+", "http://ANSWERS", text.replace(namespace, "NAMESPACE"))


def _calls(calls: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """How often rollback hooks are asked in a row depends on the pace."""
    return [call for before, call in zip([None, *calls], calls) if call != before or call[0] != "rollback"]


def _call(body: Json, checksums: dict[str, str]) -> tuple[str, str, str, str]:
    other = {key: value for key, value in body["metadata"].items() if key != "hook"}
    other |= {key: value for key, value in body.items() if key not in ("phase", "checksum", "metadata")}
    return body["metadata"]["hook"], body["phase"], checksums[body.get("checksum", "")], json.dumps(other, sort_keys=True)


def _alert(body: Json) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    (attachment,) = body["attachments"]
    fields = tuple((one["title"], one["value"]) for one in attachment.get("fields") or ())
    return attachment["color"], attachment["text"], fields


def flat(value: Any, at: str = "") -> list[tuple[str, Any]]:
    """Every value with its path; what is empty counts as absent."""
    if isinstance(value, dict):
        return [found for key in value for found in flat(value[key], f"{at}.{key}" if at else key)]
    if isinstance(value, list):
        return [found for number, one in enumerate(value) for found in flat(one, f"{at}[{number}]")]
    return [] if value in ("", None) else [(at, value)]
