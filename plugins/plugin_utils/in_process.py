# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action base of every verb: runs it in the controller's process where that is honestly the same, else its module (ANSIBLE 1-9, 23).

A module costs 250 to 700 ms before its first line runs, an action 20. Strategies load the action class in the parent process, so what
is imported here, and by the verb, is imported once and inherited by every forked worker.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.progressive.delivery.plugins.module_utils import tidy
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line
from ansible_collections.progressive.delivery.plugins.module_utils.verb import CHUNK, KEPT_LINES, WAIT_VARIABLE, Call, Verb, preload
from ansible_collections.progressive.delivery.plugins.plugin_utils import arguments, where

display = Display()

preload()

# What modules need where they run. Keep in step with README and galaxy's documentation of the collection.
OLDEST_PYTHON = (3, 11)


class InProcess(ActionBase):
    """Subclasses say only which verb they run."""

    verb: Verb

    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            completed = self.completed(arguments.plain(self._task.args))
        except CanaryError as error:
            return {**result, "failed": True, "changed": False, "error": type(error).__name__, "msg": str(error)}
        with arguments.kubeconfig_found(self, completed) as given:
            result.update(self._run_one_way(given, task_vars or {}))
        return result

    def completed(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments with what only the controller knows, for verbs that need something of it. May raise CanaryError."""
        return given

    def _run_one_way(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        because = where.not_in_process(self, task_vars, environment)
        if not because:
            try:
                display.vvv(f"{self.verb.fqcn} runs in process", host=self._host(task_vars))
                return self._in_process(given, environment, task_vars)
            except MissingLibrary as error:
                because = str(error)
        display.vvv(f"{self.verb.fqcn} runs as a module: {because}", host=self._host(task_vars))
        return self._as_module(given, task_vars, because)

    # In process

    def _in_process(self, given: dict[str, Any], environment: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        checked = ArgumentSpecValidator(self.verb.argument_spec, **self.verb.constraints).validate(given)
        hidden: set[str] = set(checked._no_log_values)
        if checked.error_messages:
            refused = {"failed": True, "changed": False, "msg": self._refusal(checked)}
            return remove_values(_told(refused, given, "in_process"), hidden)
        params = arguments.plain(checked.validated_parameters, keep_empty=True)
        hidden = tidy.secrets(hidden, params.get("kubeconfig"))
        if self._task.check_mode and not self.verb.supports_check_mode:
            skipped = {"skipped": True, "changed": False, "msg": f"remote module ({self.verb.fqcn}) does not support check mode"}
            return _told(skipped, params, "in_process")
        call = Call(
            params,
            check_mode=self._task.check_mode,
            diff=self._task.diff,
            in_process=True,
            show=self._printer(task_vars, hidden),
        )
        with _environment(environment):
            result = self.verb.run(call)
        return self._hide(_told(result, params, "in_process"), hidden) | _warnings(call, checked)

    def _refusal(self, checked: Any) -> str:
        """The words that AnsibleModule would have used."""
        message = checked.errors.msg
        if isinstance(checked.errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self.verb.fqcn}) module: {message}"
        return message

    @staticmethod
    def _hide(result: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
        """The result without the values of ``no_log`` options, as AnsibleModule does it: booleans and nulls stay what they are."""
        kept = {key: value for key, value in result.items() if value is None or isinstance(value, bool)}
        return remove_values(result, hidden) | kept

    # As a module

    def _as_module(self, given: dict[str, Any], task_vars: dict[str, Any], because: str) -> dict[str, Any]:
        """The module, called again for as long as it says that its wait is not over (ANSIBLE 7)."""
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        say = self._printer(task_vars, set())
        wait: dict[str, Any] = {"patience": 0 if wrap_async else CHUNK}
        lines: list[str] = []
        changed = False
        while True:
            result = self._call_module(given, task_vars, wait, wrap_async)
            for line in result.get("lines") or ():
                say(line)
            lines += result.get("lines") or ()
            changed = changed or bool(result.get("changed"))
            wait["memory"] = result.pop("memory", None)
            if not result.pop("again", False):
                break
        if lines:
            result["lines"] = lines[-KEPT_LINES:]
        if "changed" in result:
            result["changed"] = changed
        invocation = result.pop("invocation", None) or {}
        return _told(result, invocation.get("module_args", {}), "module", because)

    def _call_module(self, given: dict[str, Any], task_vars: dict[str, Any], wait: Mapping[str, Any], wrap_async: bool) -> dict[str, Any]:
        self._task.environment.append({WAIT_VARIABLE: json.dumps(wait)})
        try:
            return self._execute_module(module_name=self.verb.fqcn, module_args=dict(given), task_vars=task_vars, wrap_async=wrap_async)
        finally:
            self._task.environment.pop()

    def _update_module_args(self, module_name: str, module_args: dict[str, Any], *more: Any, **options: Any) -> None:
        """As in the base, but the module writes its options into no syslog: documents, headers and URLs hold what must not be there."""
        super()._update_module_args(module_name, module_args, *more, **options)
        module_args["_ansible_no_log"] = True

    def _configure_module(self, module_name: str, module_args: Any, task_vars: Any) -> Any:
        """As in the base, then a look at the Python that the module would get: here its path is known, discovered or set (ANSIBLE 9)."""
        built, path = super()._configure_module(module_name, module_args, task_vars)
        if module_name == self.verb.fqcn:
            where.require_python(self, built.shebang, OLDEST_PYTHON)
        return built, path

    # For people

    def _printer(self, task_vars: Mapping[str, Any], hidden: set[str]) -> Callable[[str], None]:
        """Prints a line of the verb, with the host before it; nothing where the task says no_log."""
        if self._task.no_log:
            return lambda line: None
        host = self._host(task_vars)
        return lambda line: display.display(f"[{host}] {remove_values(one_line(line), hidden)}")

    @staticmethod
    def _host(task_vars: Mapping[str, Any]) -> str:
        return str(task_vars.get("inventory_hostname", "localhost"))


def _told(result: dict[str, Any], params: Mapping[str, Any], ran: str, because: str = "") -> dict[str, Any]:
    """The result with what was asked and which way it ran, for whoever wants to know: registered results stay small otherwise."""
    if display.verbosity >= 3:
        result["invocation"] = {"module_args": tidy.shown(params), "ran": ran, **({"because": because} if because else {})}
    return result


def _warnings(call: Call, checked: Any) -> dict[str, Any]:
    """Warnings and deprecations under the keys that Ansible shows and takes away again."""
    both = [f"Both option {item['option']} and its alias {item['alias']} are set." for item in checked._warnings]
    found = {"warnings": both + call.warnings, "deprecations": list(checked._deprecations)}
    return {key: value for key, value in found.items() if value}


@contextmanager
def _environment(wanted: Mapping[str, Any]) -> Iterator[None]:
    """The task's ``environment`` for the time of the call (ANSIBLE 2); put back, since all items of a loop share one worker."""
    if not wanted:
        yield
        return
    before = dict(os.environ)
    os.environ.update({str(key): str(value) for key, value in wanted.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
