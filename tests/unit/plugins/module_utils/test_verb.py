# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verb gives back, whichever way it runs, and the module way of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.progressive.delivery.plugins.module_utils import verb as verbs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import MissingLibrary, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.verb import WAIT_VARIABLE, Call, Verb

TOKEN = "bearer-sesame-4711"


def a_verb(execute: Callable[[Call], dict[str, Any]], **more: Any) -> Verb:
    options = {"name": {"type": "str"}, "namespace": {"type": "str"}, "token": {"type": "str", "no_log": True}, "steps": {"type": "int"}}
    return Verb("a_verb", options, execute, **more)


def raising(error: Exception) -> Callable[[Call], dict[str, Any]]:
    def execute(call: Call) -> dict[str, Any]:
        raise error
    return execute


def test_a_result_says_changed_even_where_the_verb_does_not() -> None:
    assert a_verb(lambda call: {"weight": 5}).run(Call({})) == {"changed": False, "weight": 5}


def test_ansible_04_dataclasses_and_tuples_become_plain_json() -> None:
    result = a_verb(lambda call: {"split": Split(90, 10), "steps": (1, 2)}).run(Call({}))
    nothing = {"mirror": 0, "cookie": "", "primary_cookie": "", "previous_cookie": ""}
    assert result == {"changed": False, "split": {"primary": 90, "canary": 10, **nothing}, "steps": [1, 2]}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_ansible_04_a_number_that_is_not_finite_becomes_null_and_is_named(number: float) -> None:
    call = Call({})
    result = a_verb(lambda call: {"checks": [{"value": number}]}).run(call)
    assert result["checks"] == [{"value": None}]
    assert "result.checks[0].value" in call.warnings[0]


def test_ansible_04_what_has_no_json_form_is_a_failure_not_a_crash() -> None:
    result = a_verb(lambda call: {"thing": object()}).run(Call({}))
    assert result["failed"] and result["error"] == "TypeError"


def test_ansible_06_an_error_of_ours_is_its_sentence() -> None:
    result = a_verb(raising(SpecError("spec.analysis.threshold", "is 'many'", "a whole number"))).run(Call({}))
    assert result == {"failed": True, "changed": False, "error": "SpecError", "msg": "spec.analysis.threshold: is 'many' (a whole number)"}


def test_ansible_06_an_unexpected_error_gives_its_type_and_place_and_nothing_of_its_text() -> None:
    def execute(call: Call) -> dict[str, Any]:
        try:
            raise KeyError(TOKEN)
        except KeyError as error:
            raise ValueError(f"Authorization: Bearer {TOKEN}") from error

    result = a_verb(execute).run(Call({}))
    assert TOKEN not in json.dumps(result)
    assert "a_verb met an unexpected ValueError" in result["msg"]


def test_ansible_06_the_place_of_an_unexpected_error_is_the_innermost_line_of_ours() -> None:
    result = a_verb(lambda call: {"api": call.left(1)}).run(Call({}))  # type: ignore[call-arg]
    assert "plugins/module_utils/verb.py:" in result["msg"]


def test_ansible_03_a_missing_library_rises_for_the_way_to_deal_with() -> None:
    with pytest.raises(MissingLibrary):
        a_verb(raising(MissingLibrary("requests"))).run(Call({}))


def test_ansible_08_a_verb_that_does_not_ask_for_the_api_makes_no_client() -> None:
    nowhere = {"kubeconfig": "/nowhere/kubeconfig"}
    assert "failed" not in a_verb(lambda call: {}).run(Call(nowhere))
    assert "failed" in a_verb(lambda call: {"api": call.api.host}).run(Call(nowhere))


def test_lines_said_before_a_failure_are_kept() -> None:
    def execute(call: Call) -> dict[str, Any]:
        call.say("looking")
        raise SpecError("a", "is wrong")

    assert a_verb(execute).run(Call({}))["lines"] == ["looking"]


def test_a_result_does_not_grow_with_the_length_of_a_wait() -> None:
    def execute(call: Call) -> dict[str, Any]:
        for number in range(1000):
            call.say(str(number))
        return {}

    lines = a_verb(execute).run(Call({}))["lines"]
    assert (len(lines), lines[-1]) == (verbs.KEPT_LINES, "999")


def test_ansible_23_a_line_names_the_canary_and_cannot_forge_another_line() -> None:
    shown: list[str] = []
    call = Call({"namespace": "test", "name": "podinfo"}, show=shown.append)
    call.say("gate says \x1b[31mno\x1b[0m\r\nok: [localhost]")
    assert call.lines == shown == ["test/podinfo: gate says no ok: [localhost]"]


def test_the_same_warning_twice_is_shown_once() -> None:
    call = Call({})
    call.warn("careful")
    call.warn("careful")
    assert call.warnings == ["careful"]


def test_ansible_07_in_process_a_wait_is_never_cut_into_chunks() -> None:
    call = Call({}, in_process=True)
    assert not call.impatient("the route to be accepted")
    assert call.left() == math.inf


def test_ansible_07_in_process_a_wait_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "CHUNK", 0.0)
    call = Call({}, in_process=True)
    call.impatient("the route to be accepted")
    assert call.lines == ["waiting: the route to be accepted"]


def test_ansible_07_as_a_module_a_wait_comes_back_when_its_patience_is_over() -> None:
    def execute(call: Call) -> dict[str, Any]:
        call.memory["seen"] = "17"
        assert call.impatient("pods")
        return {"again": True}

    result = a_verb(execute).run(Call({}, patience=1e-9))
    assert result == {"changed": False, "again": True, "memory": {"seen": "17"}, "lines": ["waiting: pods"]}


def test_options_of_a_verb_survive_what_ansible_does_to_its_specification() -> None:
    verb = a_verb(lambda call: {})
    verb.argument_spec["steps"]["type"] = "str"
    assert verb.argument_spec["steps"] == {"type": "int"}


def test_only_a_verb_that_talks_to_a_cluster_takes_its_options() -> None:
    assert "kubeconfig" in a_verb(lambda call: {}).argument_spec
    assert "kubeconfig" not in a_verb(lambda call: {}, uses_api=False).argument_spec


# The module way


def as_module(verb: Verb, capsys: pytest.CaptureFixture[str], **given: Any) -> dict[str, Any]:
    with patch_module_args(given), pytest.raises(SystemExit):
        verb.run_module()
    return json.loads(capsys.readouterr().out)


def test_a_module_prints_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    verb = a_verb(lambda call: {"steps": call.params["steps"] + 1, "check": call.check_mode})
    assert as_module(verb, capsys, steps="4", _ansible_check_mode=True) == {"changed": False, "steps": 5, "check": True, "invocation": {}}


def test_ansible_06_a_module_fails_with_the_sentence_alone(capsys: pytest.CaptureFixture[str]) -> None:
    result = as_module(a_verb(raising(SpecError("a", "is wrong"))), capsys)
    assert result == {"failed": True, "changed": False, "error": "SpecError", "msg": "a: is wrong", "invocation": {}}


def test_ansible_03_a_module_names_the_missing_library(capsys: pytest.CaptureFixture[str]) -> None:
    result = as_module(a_verb(raising(MissingLibrary("jmespath", "ImportError: ..."))), capsys)
    assert "(jmespath)" in result["msg"] and "ansible_python_interpreter" in result["msg"]


def test_ansible_05_values_of_no_log_options_never_leave_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    verb = a_verb(lambda call: {"header": f"Bearer {call.params['token']}"})
    result = as_module(verb, capsys, token=TOKEN, _ansible_verbosity=3)
    assert TOKEN not in json.dumps(result)
    assert result["header"] == "Bearer ********"


def test_options_are_shown_only_to_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    verb = a_verb(lambda call: {})
    assert as_module(verb, capsys, steps=4, _ansible_verbosity=3)["invocation"] == {"module_args": {"steps": 4}}


def test_ansible_10_the_texts_of_a_kubeconfig_do_not_blot_out_results(capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = {"apiVersion": "v1", "users": [{"name": "test", "user": {"token": TOKEN}}]}
    verb = a_verb(lambda call: {"provider": "gatewayapi:v1", "namespace": "test", "said": TOKEN})
    result = as_module(verb, capsys, kubeconfig=kubeconfig, _ansible_verbosity=3)
    assert (result["provider"], result["namespace"], result["said"]) == ("gatewayapi:v1", "test", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")
    assert TOKEN not in json.dumps(result)


def test_ansible_07_a_module_takes_its_patience_and_memory_from_the_action(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WAIT_VARIABLE, json.dumps({"patience": 7, "memory": {"seen": "17"}}))
    result = as_module(a_verb(lambda call: {"patience": call.patience, "seen": call.memory["seen"]}), capsys)
    assert (result["patience"], result["seen"]) == (7, "17")


def test_ansible_07_a_module_that_nobody_calls_again_waits_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    result = as_module(a_verb(lambda call: {"endless": call.patience == math.inf}), capsys)
    assert result["endless"] is True
