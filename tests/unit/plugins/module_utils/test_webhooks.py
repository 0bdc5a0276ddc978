# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates and hooks: what is sent, what an answer means, who is asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.module_utils import webhooks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, NO_ANSWER, REFUSED, Answer
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HOOK_TYPES, ROLLBACK, Hook


@dataclass(frozen=True)
class Someone:
    name: str = "podinfo"
    namespace: str = "test"


def hook(url: str, kind: str = "rollout", index: int = 0, **more: Any) -> Hook:
    return Hook(index=index, type=kind, name=f"hook-{index}", url=url, **more)


def call(url: str, content: dict[str, Any] | None = None, **more: Any) -> Answer:
    return webhooks.call(hook(url, **more), content or {}, sleep=lambda seconds: None)


def test_the_payload_has_flaggers_keys() -> None:
    assert webhooks.payload(Someone(), "Progressing", "85d557f47b", {"cmd": "hey"}) == {
        "name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {"cmd": "hey"}}


@pytest.mark.parametrize("metadata", [None, {}])
def test_empty_metadata_is_left_out(metadata: dict[str, str] | None) -> None:
    assert list(webhooks.payload(Someone(), "Waiting", "", metadata)) == ["name", "namespace", "phase", "checksum"]


def test_an_event_keeps_its_own_three_keys() -> None:
    mine = hook("http://x", "event", metadata={"eventMessage": "other", "team": "a"})
    assert webhooks.event_payload(Someone(), "Failed", "1", mine, message="Halt", kind="Warning", now=1700000000.1234)["metadata"] == {
        "eventMessage": "Halt", "eventType": "Warning", "timestamp": "1700000000123", "team": "a"}


def test_a_call_posts_json(foreign: Any) -> None:
    call(foreign.url + "/gate", {"name": "podinfo", "metadata": {"cmd": "a < b"}})
    seen = foreign.seen[0]
    assert (seen.method, seen.path, seen.headers["Content-Type"]) == ("POST", "/gate", "application/json")
    assert seen.json == {"name": "podinfo", "metadata": {"cmd": "a < b"}}


@pytest.mark.parametrize(("status", "outcome"), [
    (200, ALLOWED), (201, ALLOWED), (202, ALLOWED), (203, REFUSED), (205, REFUSED), (206, REFUSED),
    (301, REFUSED), (302, REFUSED), (400, REFUSED), (403, REFUSED), (404, REFUSED), (429, NO_ANSWER),
    (500, REFUSED), (501, REFUSED), (502, NO_ANSWER), (503, NO_ANSWER), (504, NO_ANSWER),
])
def test_what_a_status_means(foreign: Any, behaviour: Any, status: int, outcome: str) -> None:
    foreign.behave(behaviour.reply(status))
    answer = call(foreign.url)
    assert (answer.outcome, answer.status) == (outcome, status)


def test_weak_spot_48_no_content_is_a_yes(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(204))
    assert call(foreign.url).outcome == ALLOWED


def test_weak_spot_48_what_a_failing_hook_says_survives_the_retries(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(500, "command bats failed: 2 tests\x1b[0m\nfailed"))
    answer = call(foreign.url, retries=2)
    assert (answer.body, len(foreign.seen)) == ("command bats failed: 2 tests failed", 3)


@pytest.mark.parametrize(("status", "attempts"), [(200, 1), (403, 1), (501, 1), (400, 1), (302, 1), (429, 3), (500, 3), (503, 3)])
def test_only_what_may_pass_is_tried_again(foreign: Any, behaviour: Any, status: int, attempts: int) -> None:
    foreign.behave(behaviour.reply(status))
    call(foreign.url, retries=2)
    assert len(foreign.seen) == attempts


def test_a_later_attempt_may_allow(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.cut(b""), behaviour.reply(503), behaviour.reply(200, "OK"))
    assert call(foreign.url, retries=5).outcome == ALLOWED
    assert len(foreign.seen) == 3


def test_waits_double_up_to_half_a_minute_and_are_counted(closed_port: int) -> None:
    waits: list[float] = []
    mine = hook(f"http://127.0.0.1:{closed_port}", retries=7, timeout=2.0)
    answer = webhooks.call(mine, {}, sleep=waits.append)
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert mine.longest == 8 * 2.0 + sum(waits)
    assert (answer.outcome, answer.status) == (NO_ANSWER, 0)
    assert answer.body.endswith("connection refused")


def test_a_hook_that_trickles_is_no_answer_in_time(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"))
    begun = time.monotonic()
    answer = call(foreign.url, timeout=0.2)
    assert time.monotonic() - begun < 10
    assert (answer.outcome, answer.status, answer.body) == (NO_ANSWER, 0, f"{foreign.url}: no whole answer within 0.2 s")


def test_a_hook_that_says_far_too_much_is_cut_short(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"y" * 5000))
    answer = call(foreign.url, timeout=5.0)
    assert (answer.outcome, len(answer.body)) == (ALLOWED, 200)


def test_a_certificate_that_nobody_trusts_is_no_answer_and_not_tried_again(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.cut(b""))
    waits: list[float] = []
    answer = webhooks.call(hook(foreign.url.replace("http", "https"), retries=3), {}, sleep=waits.append)
    assert (answer.outcome, waits) == (NO_ANSWER, [])


def test_a_redirect_is_refused_and_named(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(307, Location="/elsewhere"))
    assert call(foreign.url).body == "a redirect to /elsewhere, which is not followed"


def test_no_credential_of_the_url_reaches_an_answer(foreign: Any, behaviour: Any, closed_port: int) -> None:
    foreign.behave(behaviour.reply(403, "bad key k3yk3y for admin with passw0rd"))
    assert call(foreign.url.replace("//", "//admin:passw0rd@") + "/?key=k3yk3y").body == "bad key *** for admin with ***"
    assert "passw0rd" not in call(f"http://admin:passw0rd@127.0.0.1:{closed_port}").body


def ask(*hooks: Hook) -> list[tuple[int, str]]:
    answers = webhooks.ask(hooks, lambda hook: {}, sleep=lambda seconds: None)
    return [(answer.index, answer.outcome) for answer in answers]


@pytest.mark.parametrize("kind", ["confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion"])
def test_the_first_failure_stops_the_rest_of_its_type(foreign: Any, behaviour: Any, kind: str) -> None:
    foreign.behave(behaviour.reply(200), behaviour.reply(403), behaviour.reply(200))
    hooks = [hook(foreign.url, kind, index) for index in range(3)]
    assert ask(*hooks) == [(0, ALLOWED), (1, REFUSED)]


def test_a_failure_does_not_stop_another_type(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(403), behaviour.reply(200))
    assert ask(hook(foreign.url, "rollout", 0), hook(foreign.url, "confirm-promotion", 1)) == [(0, REFUSED), (1, ALLOWED)]


def test_rollback_hooks_are_asked_until_one_says_roll_back(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(403), behaviour.reply(200))
    assert ask(*[hook(foreign.url, ROLLBACK, index) for index in range(3)]) == [(0, REFUSED), (1, ALLOWED)]


@pytest.mark.parametrize("kind", ["post-rollout", "event"])
def test_weak_spot_51_hooks_that_inform_are_all_called(foreign: Any, behaviour: Any, kind: str) -> None:
    foreign.behave(behaviour.reply(500), behaviour.reply(200))
    assert ask(*[hook(foreign.url, kind, index) for index in range(2)]) == [(0, REFUSED), (1, ALLOWED)]


def test_each_hook_gets_its_own_content(foreign: Any) -> None:
    hooks = [hook(foreign.url, "rollout", index, metadata={"n": str(index)}) for index in range(2)]
    webhooks.ask(hooks, lambda hook: webhooks.payload(Someone(), "Progressing", "", hook.metadata))
    assert [seen.json["metadata"]["n"] for seen in foreign.seen] == ["0", "1"]


def announce(foreign: Any, *kinds: str, hooks: int = 1, timeout: float = 5.0) -> tuple[Answer, ...]:
    receivers = [hook(f"{foreign.url}/{number}", "event", number, timeout=timeout) for number in range(hooks)]
    return webhooks.announce(Someone(), receivers, "Progressing", [Told(f"message {number}", kind) for number, kind in enumerate(kinds)],
                             now=1700000000.25)


def test_every_event_hook_is_told_every_message_in_order(foreign: Any) -> None:
    announce(foreign, "Normal", "Warning", hooks=2)
    told = [(seen.path, seen.json["metadata"]["eventMessage"], seen.json["metadata"]["eventType"]) for seen in foreign.seen]
    for path in ("/0", "/1"):
        assert [one for one in told if one[0] == path] == [(path, "message 0", "Normal"), (path, "message 1", "Warning")]
    assert {seen.json["metadata"]["timestamp"] for seen in foreign.seen} == {"1700000000250"}


def test_weak_spot_49_a_receiver_that_does_not_answer_is_asked_once(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.hang)
    begun = time.monotonic()
    answers = announce(foreign, *["Normal"] * 20, hooks=3, timeout=0.2)
    assert time.monotonic() - begun < 10
    assert [answer.outcome for answer in answers] == [NO_ANSWER] * 3


def test_a_receiver_that_refuses_hears_the_rest(foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(403))
    assert len(announce(foreign, "Normal", "Normal")) == 2


def test_nobody_to_tell_and_nothing_to_say_are_fine(foreign: Any) -> None:
    assert announce(foreign) == announce(foreign, "Normal", hooks=0) == ()


def answer(kind: str, outcome: str) -> Answer:
    return Answer(index=0, name="x", type=kind, outcome=outcome)


@pytest.mark.parametrize(("answers", "allowed"), [
    ([], True),
    ([("rollout", ALLOWED)], True),
    ([("rollout", ALLOWED), ("confirm-promotion", REFUSED)], False),
    ([("rollout", NO_ANSWER)], False),
    ([("rollback", REFUSED)], False),
    ([("rollback", REFUSED), ("rollback", ALLOWED)], True),
    ([("rollback", ALLOWED), ("rollout", REFUSED)], False),
])
def test_when_nothing_stands_in_the_way(answers: list[tuple[str, str]], allowed: bool) -> None:
    assert webhooks.allowed([answer(*one) for one in answers]) is allowed


def test_every_type_of_hook_can_be_asked(foreign: Any) -> None:
    assert len(ask(*[hook(foreign.url, kind, index) for index, kind in enumerate(HOOK_TYPES)])) == len(HOOK_TYPES)
