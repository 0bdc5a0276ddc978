# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP side of gates and hooks: one POST of JSON, and what its answer means.

allowed    200, 201, 202, and 204 (Flagger takes 204 for a failure, weak spot 48)
refused    any other answer that someone thought about: 4xx, 500 (a failed command of the load tester), a redirect
no_answer  nobody answered: no connection, a time-out, and 429, 502, 503, 504, which say "not now" or "not reached"
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils import exchange
from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, NO_ANSWER, REFUSED, Answer
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import EVENT, POST_ROLLOUT, ROLLBACK, Hook

SUCCESS = frozenset((200, 201, 202, 204))
UNREACHED = frozenset((429, 502, 503, 504))

# A failure of one of these says nothing about the next: they inform, and all of them are to be informed (weak spot 51).
INDEPENDENT = (POST_ROLLOUT, EVENT)

# Enough for an excerpt in any alphabet; what follows is not read.
LIMIT = 2048

# Event hooks that are called at the same time.
AT_ONCE = 4


class Named(Protocol):
    """Whose hooks are asked: a parsed document, or just a name."""

    @property
    def name(self) -> str:
        """Name of the canary."""

    @property
    def namespace(self) -> str:
        """Its namespace."""


def payload(canary: Named, phase: str, checksum: str, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What Flagger sends to every hook. ``metadata`` is the hook's own, left out when it is empty."""
    content: dict[str, Any] = {"name": canary.name, "namespace": canary.namespace, "phase": phase, "checksum": checksum}
    return {**content, "metadata": dict(metadata)} if metadata else content


def event_payload(canary: Named, phase: str, checksum: str, hook: Hook, *, message: str, kind: str, now: float) -> dict[str, Any]:
    """What an event hook gets: ``kind`` is Normal or Warning, ``now`` seconds since the epoch. The hook's own metadata
    cannot replace the three keys of the event."""
    event = {"eventMessage": message, "eventType": kind, "timestamp": str(int(now * 1000))}
    return payload(canary, phase, checksum, {**hook.metadata, **event})


def ask(
    hooks: Sequence[Hook],
    content: Callable[[Hook], Mapping[str, Any]],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Answer, ...]:
    """The answers of all hooks that get asked, in order: within a type the first that does not allow ends it.

    Rollback hooks are asked until one allows, and hooks that only inform are all called.
    """
    return tuple(answer for kind in dict.fromkeys(hook.type for hook in hooks)
                 for answer in _ask_type([hook for hook in hooks if hook.type == kind], content, sleep))


def announce(canary: Named, hooks: Sequence[Hook], phase: str, messages: Sequence[Told], *, now: float, checksum: str = "") -> tuple[Answer, ...]:
    """Tell every event hook every message of ``now`` (epoch seconds): hooks at the same time, messages in order. Their answers decide nothing.

    A receiver that does not answer is left alone for the rest of the messages, so that all of it takes no longer than the
    slowest hook's ``longest`` and what the others' answers take (weak spot 49).
    """
    def tell(hook: Hook) -> list[Answer]:
        answers: list[Answer] = []
        for told in messages:
            content = event_payload(canary, phase, checksum, hook, message=told.message, kind=told.kind, now=now)
            answers.append(call(hook, content))
            if answers[-1].outcome == NO_ANSWER:
                break
        return answers

    if not hooks or not messages:
        return ()
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(hooks))) as pool:
        return tuple(answer for answers in pool.map(tell, hooks) for answer in answers)


def call(hook: Hook, content: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep) -> Answer:
    """Call one hook, again after a failure that may pass, at most ``hook.longest`` seconds in all.

    As in Flagger, failed connections, 429 and 5xx other than 501 are tried again, after 1, 2, 4 ... 30 seconds.
    Raises MissingLibrary without the requests library.
    """
    begun = time.monotonic()
    request = exchange.Request("POST", hook.url, headers={"Content-Type": "application/json"}, body=json.dumps(dict(content)).encode(),
                               verify=not hook.disable_tls, timeout=hook.timeout, limit=LIMIT)
    reply = exchange.exchange(request)
    for wait in hook.waits:
        if not _worth_another(reply):
            break
        sleep(wait)
        reply = exchange.exchange(request)
    return Answer(index=hook.index, name=hook.name, type=hook.type, outcome=_meaning(reply.status), status=reply.status,
                  body=_body(hook, reply), seconds=round(time.monotonic() - begun, 3))


def allowed(answers: Sequence[Answer]) -> bool:
    """Whether nothing stands in the way: of the rollback hooks one said roll back, all others allowed. True without answers."""
    rollback = [answer for answer in answers if answer.type == ROLLBACK]
    others = [answer for answer in answers if answer.type != ROLLBACK]
    return all(answer.outcome == ALLOWED for answer in others) and (not rollback or any(answer.outcome == ALLOWED for answer in rollback))


def _ask_type(hooks: Sequence[Hook], content: Callable[[Hook], Mapping[str, Any]], sleep: Callable[[float], None]) -> Iterator[Answer]:
    for hook in hooks:
        answer = call(hook, content(hook), sleep=sleep)
        yield answer
        if _settled(answer):
            return


def _settled(answer: Answer) -> bool:
    """Whether the answer decides for its type, so that the rest need not be asked."""
    if answer.type == ROLLBACK:
        return answer.outcome == ALLOWED
    return answer.type not in INDEPENDENT and answer.outcome != ALLOWED


def _worth_another(reply: exchange.Reply) -> bool:
    return reply.again or reply.status == 429 or (reply.status >= 500 and reply.status != 501)


def _meaning(status: int) -> str:
    if status in SUCCESS:
        return ALLOWED
    return NO_ANSWER if status == 0 or status in UNREACHED else REFUSED


def _body(hook: Hook, reply: exchange.Reply) -> str:
    """The beginning of the answer, of a 5xx as well (weak spot 48), or why there is none."""
    if reply.failure:
        return reply.failure
    if 300 <= reply.status < 400:
        return f"a redirect to {reply.location or 'nowhere'}, which is not followed"
    return shown.excerpt(shown.without(reply.text, exchange.credentials(hook.url)))
