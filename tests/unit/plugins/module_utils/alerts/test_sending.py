# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told what, and what is said of who was not reached: never an address, never a token."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.alerts import sending
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.destination import objections
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import WITHHELD
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Alert, AlertProvider

MESSAGES = tuple(Message("podinfo", "test", f"an {severity}", severity) for severity in ("info", "warn", "error"))


def alert(address: str = "", severity: str = "info", index: int = 0, **more: Any) -> Alert:
    return Alert(index, f"alert-{index}", severity, AlertProvider(**{"type": "webhook", "address": address, "namespace": "test", "name": f"p-{index}", **more}))


def no_secrets(namespace: str, name: str) -> Mapping[str, str] | CanaryError:
    raise AssertionError(f"the Secret {namespace}/{name} was read, which nobody named")


def send(*alerts: Alert, messages: tuple[Message, ...] = MESSAGES[:1], secrets: Any = no_secrets) -> tuple[str, ...]:
    return sending.send(alerts, messages, secrets)


@pytest.mark.parametrize(("severity", "told"), [
    ("info", ["info", "warn", "error"]), ("warn", ["warn", "error"]), ("error", ["error"])])
def test_an_alert_gets_what_is_as_severe_as_it_wants_in_order(foreign: Any, severity: str, told: list[str]) -> None:
    assert send(alert(foreign.url, severity), messages=MESSAGES) == ()
    assert [one.json["severity"] for one in foreign.seen] == told


def test_weak_spot_52_an_alert_without_a_severity_gets_everything(foreign: Any) -> None:
    send(Alert(0, "chat", provider=AlertProvider("webhook", address=foreign.url)), messages=MESSAGES)
    assert len(foreign.seen) == 3


def test_it_is_posted_as_json(foreign: Any) -> None:
    send(alert(foreign.url + "/hook?key=sesame", type="discord"))
    seen, = foreign.seen
    assert (seen.method, seen.path, seen.headers["Content-Type"]) == ("POST", "/hook/slack?key=sesame", "application/json")
    assert seen.json["attachments"][0]["text"] == "an info" and "Authorization" not in seen.headers


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_success_is_one(foreign: Any, behaviour: Any, status: int) -> None:
    foreign.behave(behaviour.reply(status))
    assert send(alert(foreign.url)) == ()


@pytest.mark.parametrize(("status", "body", "says"), [
    (403, "", "answered 403"), (500, "sesame, you came to /hook", "answered 500"), (404, "no_service", "answered 404: no_service"),
    (200, '{"ok": false, "error": "channel_not_found"}', "answered 200: channel_not_found"), (200, '{"ok": false}', "answered 200"),
    (400, '{"ok": true, "error": "se_same"}', "answered 400"), (302, "", "answered 302, a redirect, which is not followed"),
    (400, "hook_sesame", "answered 400"),
])
def test_what_a_provider_refuses_is_said_by_its_name(foreign: Any, behaviour: Any, status: int, body: str, says: str) -> None:
    foreign.behave(behaviour.reply(status, body, **({"Location": "http://elsewhere/sesame"} if status == 302 else {})))
    problem, = send(alert(foreign.url + "/hook_sesame/se_same"))
    assert problem == f"alert alert-0 was not delivered: AlertProvider test/p-0 {says}"


def test_whoever_does_not_answer_is_left_alone_for_the_rest_and_others_are_told(foreign: Any, closed_port: int) -> None:
    problem, = send(alert(f"http://127.0.0.1:{closed_port}/sesame"), alert(foreign.url, index=1), messages=MESSAGES)
    assert problem == "alert alert-0 was not delivered: AlertProvider test/p-0: connection refused"
    assert len(foreign.seen) == 3


def test_weak_spot_49_nobody_is_waited_for_longer_than_all_alerts_may_take(foreign: Any, behaviour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT", 0.2)
    monkeypatch.setattr(sending, "ALTOGETHER", 0.4)
    foreign.behave(behaviour.hang)
    begun = time.monotonic()
    problems = send(*(alert(foreign.url, index=index) for index in range(40)))
    assert time.monotonic() - begun < 5 and len(problems) == 40
    assert problems[0].endswith("no whole answer within 0.2 s") and problems[-1].endswith("no time was left for it")


def test_weak_spot_49_one_that_is_slow_has_no_more_time_than_is_left_for_all(foreign: Any, behaviour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ALTOGETHER", 0.3)
    foreign.behave(behaviour.hang)
    begun = time.monotonic()
    assert len(send(alert(foreign.url), messages=MESSAGES)) == 1
    assert time.monotonic() - begun < sending.TIMEOUT / 2


def test_address_and_token_may_be_in_a_secret(foreign: Any) -> None:
    held = {"address": f"{foreign.url}/hook\n", "token": "sesame\n"}
    assert send(alert(secret="chat", type="slack"), secrets=lambda namespace, name: held if (namespace, name) == ("test", "chat") else {}) == ()
    seen, = foreign.seen
    assert (seen.path, seen.headers["Authorization"]) == ("/hook", "Bearer sesame")


@pytest.mark.parametrize("kind", ["msteams", "discord", "rocket", "gchat"])
def test_a_token_goes_to_nobody_who_has_no_use_for_it(foreign: Any, kind: str) -> None:
    send(alert(secret="chat", type=kind), secrets=lambda namespace, name: {"address": foreign.url, "token": "sesame"})
    assert "Authorization" not in foreign.seen[0].headers


@pytest.mark.parametrize(("held", "says"), [
    (CanaryError("there is no Secret test/chat"), "there is no Secret test/chat"),
    ({"address": "hooks.slack.com/sesame"}, "the address in the Secret test/chat has no scheme"),
])
def test_a_secret_that_cannot_be_used_is_one_sentence_and_known_before_a_walk(held: Any, says: str) -> None:
    wanted = alert(secret="chat")
    assert send(wanted, messages=MESSAGES, secrets=lambda *place: held) == (f"alert alert-0 was not delivered: AlertProvider test/p-0: {says}",)
    problem, = objections([wanted, wanted], lambda *place: held)
    assert str(problem).startswith(f"AlertProvider test/p-0 spec.secretRef.name: {says} (accepted: ")


def test_before_a_walk_nobody_is_written_to(foreign: Any) -> None:
    assert not list(objections([alert(foreign.url), alert(secret="chat")], lambda *place: {"address": foreign.url}))
    assert foreign.seen == []


def test_without_its_address_or_that_of_its_proxy_nobody_is_written_to(foreign: Any) -> None:
    problems = send(alert(f"{foreign.url}/{WITHHELD}"), alert("http://chat.example.com", index=1, proxy=foreign.url.replace("//", f"//{WITHHELD}@")))
    assert len(problems) == 2 and foreign.seen == []
    assert all(": not asked, since no record keeps the credentials of a document" in problem for problem in problems)


def test_what_nobody_wants_reads_no_secret() -> None:
    assert send(alert(secret="chat", severity="error"), messages=MESSAGES[:2]) == ()


def test_a_proxy_of_its_own_is_gone_through(foreign: Any) -> None:
    assert send(alert("http://chat.example.com/hook", proxy=foreign.url.replace("//", "//walker:sesame@"))) == ()
    seen, = foreign.seen
    assert seen.path == "http://chat.example.com/hook" and seen.headers["Proxy-Authorization"].startswith("Basic ")


def test_a_proxy_that_is_not_there_is_named_without_its_password(closed_port: int) -> None:
    problem, = send(alert("http://chat.example.com/hook", proxy=f"http://walker:sesame@127.0.0.1:{closed_port}"))
    assert problem == f"alert alert-0 was not delivered: AlertProvider test/p-0: the proxy http://127.0.0.1:{closed_port} failed: connection refused"
