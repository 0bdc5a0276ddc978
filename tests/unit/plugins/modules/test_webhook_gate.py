# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verb webhook_gate, alone and in the role's way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.progressive.delivery.plugins.modules.webhook_gate import VERB
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call


@pytest.mark.parametrize(("status", "outcome", "allowed"), [(200, "allowed", True), (403, "refused", False), (503, "no_answer", False)])
def test_alone_one_url_is_asked(run_verb: Any, foreign: Any, behaviour: Any, status: int, outcome: str, allowed: bool) -> None:
    foreign.behave(behaviour.reply(status, "why\nso"))
    result = run_verb(VERB, url=foreign.url)
    assert (result["allowed"], result["changed"]) == (allowed, False)
    assert "failed" not in result
    answer, = result["answers"]
    assert answer.pop("seconds") < 5
    assert answer == {"index": 0, "name": "gate", "type": "rollout", "outcome": outcome, "status": status, "body": "why so"}


def test_alone_the_options_become_the_payload(run_verb: Any, foreign: Any) -> None:
    run_verb(VERB, url=foreign.url, canary_name="podinfo", canary_namespace="test", phase="Waiting", checksum="85d5",
             metadata={"cmd": "hey", "times": 3})
    assert foreign.seen[0].json == {
        "name": "podinfo", "namespace": "test", "phase": "Waiting", "checksum": "85d5", "metadata": {"cmd": "hey", "times": "3"}}


def test_alone_without_options_the_payload_is_whole_all_the_same(run_verb: Any, foreign: Any) -> None:
    run_verb(VERB, url=foreign.url)
    assert foreign.seen[0].json == {"name": "", "namespace": "", "phase": "Progressing", "checksum": ""}


def test_alone_the_lines_say_what_was_answered(run_verb: Any, foreign: Any, behaviour: Any) -> None:
    foreign.behave(behaviour.reply(403, "Forbidden"))
    result = run_verb(VERB, url=foreign.url, type="confirm-promotion", name="gate", canary_name="podinfo", canary_namespace="test")
    assert result["lines"] == ["test/podinfo: confirm-promotion gate: refused (403): Forbidden"]


@pytest.mark.parametrize(("fail_when", "status", "failed"), [
    (["never"], 403, False), (["refused"], 403, True), (["refused"], 503, False), (["no_answer"], 503, True),
    (["refused", "no_answer"], 200, False),
])
def test_ansible_24_it_fails_only_when_told_to_and_tells_all_the_same(
        run_verb: Any, foreign: Any, behaviour: Any, fail_when: list[str], status: int, failed: bool) -> None:
    foreign.behave(behaviour.reply(status, "closed"))
    result = run_verb(VERB, url=foreign.url, name="gate", fail_when=fail_when)
    assert result.get("failed", False) is failed
    assert len(result["answers"]) == 1
    said = result.get("msg", "")
    assert (said.startswith("rollout gate: ") and said.endswith("closed")) is (status != 200)


def test_ansible_22_in_check_mode_hooks_are_listed_and_not_called(run_verb: Any, foreign: Any) -> None:
    result = run_verb(VERB, check_mode=True, url=foreign.url.replace("//", "//u:s3cret@") + "/gate?key=s3cret", type="confirm-rollout")
    assert not foreign.seen
    assert (result["answers"], result["allowed"]) == ([], True)
    assert result["listed"] == [{"index": 0, "name": "gate", "type": "confirm-rollout", "url": foreign.url + "/gate?key=***"}]
    assert result["lines"] == [f"confirm-rollout gate: would be called at {foreign.url}/gate?key=***"]


@pytest.mark.parametrize(("options", "words"), [
    ({}, "one of the following is required: document, url"),
    ({"url": "http://h", "document": {}, "hooks": []}, "mutually exclusive"),
    ({"document": {}}, "required together: document, hooks"),
    ({"url": "loadtester/gate"}, "url: 'loadtester/gate' has no scheme"),
    ({"url": "http://u:s3cret@h:port/"}, "url: "),
    ({"url": "http://h", "type": "gate"}, "value of type must be one of"),
    ({"url": "http://h", "timeout": 0}, "accepted: seconds above 0"),
    ({"url": "http://h", "retries": -1}, "a number of retries from 0"),
])
def test_wrong_options_are_refused_in_words(run_verb: Any, options: dict[str, Any], words: str) -> None:
    result = run_verb(VERB, **options)
    assert result["failed"]
    assert words in result["msg"]
    assert "s3cret" not in result["msg"]


def hooks(url: str, *kinds: str) -> list[dict[str, Any]]:
    return [{"type": kind, "name": f"hook-{number}", "url": f"{url}/{number}", "metadata": {"n": str(number)}} for number, kind in enumerate(kinds)]


def test_hooks_of_a_document_are_called_by_index_in_its_order(run_verb: Any, foreign: Any, frozen: Any) -> None:
    document = frozen(webhooks=hooks(foreign.url, "rollout", "confirm-promotion", "rollback", "rollout"))
    result = run_verb(VERB, document=document, hooks=[3, 0, 2], phase="Progressing", checksum="85d5")
    assert [answer["index"] for answer in result["answers"]] == [0, 3, 2]
    assert foreign.seen[0].json == {
        "name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d5", "metadata": {"n": "0"}}
    assert "lines" not in result


def test_ansible_11_no_hooks_are_no_answers_and_allowed(run_verb: Any, frozen: Any) -> None:
    result = run_verb(VERB, document=frozen(), hooks=[], phase="Progressing")
    assert result == {"changed": False, "answers": [], "allowed": True, "listed": []}


def test_a_hook_that_is_not_in_the_document_is_refused(run_verb: Any, frozen: Any) -> None:
    result = run_verb(VERB, document=frozen(webhooks=hooks("http://h", "rollout")), hooks=[4], phase="")
    assert result["msg"] == "hooks: there is no webhook 4 (the document has 1, counted from 0)"


def test_ansible_08_no_client_is_ever_made(run_verb: Any, foreign: Any) -> None:
    assert run_verb(VERB, url=foreign.url, kubeconfig="/nowhere")["allowed"]


@pytest.mark.parametrize(("off", "told"), [(True, ["insecure_skip_verify is true: the certificate of URL is not verified"]), (False, [])])
def test_whoever_turns_verification_off_is_warned(foreign: Any, off: bool, told: list[str]) -> None:
    defaults = {name: option.get("default") for name, option in VERB.options.items()}
    call = Call({**defaults, "url": foreign.url, "name": "gate", "insecure_skip_verify": off})
    assert VERB.run(call)["allowed"] is True
    assert call.warnings == [text.replace("URL", foreign.url) for text in told]
