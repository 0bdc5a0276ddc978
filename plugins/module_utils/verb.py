# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A verb: options and an ``execute`` that run as an ordinary module and, unchanged, inside the controller's process.

``Verb.run`` is what both ways share: it calls ``execute`` and gives a plain mapping, whatever happens. ``Verb.run_module``
is the module way; ``plugin_utils/in_process.py`` is the other one.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.progressive.delivery.plugins.module_utils import tidy
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Answer, Observation, Outcome, learn
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line, printable
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import AUTH_OPTIONS, Api, make_api, prepare

# A module that says nothing for longer trips the idle timeouts of ssh and of job runners (ANSIBLE 7). Seconds.
CHUNK = 25.0

# Lines of one wait that stay in its result; all of them were shown.
KEPT_LINES = 50

# How the action tells a module about the wait it is part of: JSON with ``patience`` and ``memory``. The environment, because
# an option of the module would have to be documented for people, who must not set it.
WAIT_VARIABLE = "PROGRESSIVE_DELIVERY_WAIT"


def preload() -> None:
    """Do now, once, what each worker that is forked from this process would do again."""
    prepare()
    learn(Record, Observation, Answer, Outcome)


class Call:
    """What ``execute`` gets: the options, how it was called, and the few things it may do besides returning a result.

    ``patience`` is how many seconds the call may wait before it has to come back with ``again: true``; infinite in process.
    ``memory`` is what the previous call of the same wait left there; only a wait that was cut into chunks finds something.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        *,
        check_mode: bool = False,
        diff: bool = False,
        in_process: bool = False,
        patience: float = math.inf,
        memory: Mapping[str, Any] | None = None,
        show: Callable[[str], None] | None = None,
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self.diff = diff
        self.in_process = in_process
        self.patience = patience
        self.memory: dict[str, Any] = dict(memory or {})
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.waiting_for = ""
        self.subject = _subject(params)
        self._show = show
        self._api: Api | None = None
        self._started = self._spoke = time.monotonic()

    @property
    def api(self) -> Api:
        """The client of this call, made when it is first asked for: an exec credential plugin may cost a second (ANSIBLE 8)."""
        if self._api is None:
            self._api = make_api(self.params)
            if not self._api.verified:
                self.warn(f"validate_certs is false: the certificate of the API server {self._api.host} is not verified, so anybody on the way may answer in "
                          "its place, and read the credentials")
        return self._api

    def warn(self, text: str) -> None:
        """A warning as Ansible shows them; the same one twice is shown once."""
        text = one_line(text)
        if text not in self.warnings:
            self.warnings.append(text)

    def say(self, line: str) -> None:
        """A line for people (ANSIBLE 23), after ``namespace/name`` of the canary: shown at once in process, else after the module."""
        line = one_line(f"{self.subject}: {line}" if self.subject else line)
        self.lines.append(line)
        self._spoke = time.monotonic()
        if self._show:
            self._show(line)

    def left(self) -> float:
        """Seconds that this call may still wait; never negative, infinite in process."""
        return max(0.0, self.patience - (time.monotonic() - self._started))

    def impatient(self, why: str) -> bool:
        """To be asked in every round of a wait: True when ``execute`` has to return now, with ``again: true`` in its result.

        ``why`` is what is waited for, in words: it becomes the line that shows people, and idle timeouts, that somebody is alive.
        """
        self.waiting_for = why
        if self.left() <= 0:
            return True
        if self.in_process and time.monotonic() - self._spoke >= CHUNK:
            self.say(f"waiting: {why}")
        return False


@dataclass(frozen=True)
class Verb:
    """One verb of the collection: name, options with their constraints, and what it does."""

    name: str
    options: Mapping[str, Any]
    execute: Callable[[Call], Mapping[str, Any]]
    uses_api: bool = True                # adds the options of kubernetes.core that say which cluster, and as whom
    mutually_exclusive: tuple[Any, ...] = ()
    required_together: tuple[Any, ...] = ()
    required_one_of: tuple[Any, ...] = ()
    required_if: tuple[Any, ...] = ()
    required_by: Mapping[str, Any] = field(default_factory=dict)
    supports_check_mode: bool = True

    @property
    def fqcn(self) -> str:
        return f"progressive.delivery.{self.name}"

    @property
    def argument_spec(self) -> dict[str, Any]:
        """A copy that may be changed: AnsibleModule writes into the one it gets."""
        spec = copy.deepcopy(AUTH_OPTIONS) if self.uses_api else {}
        return {**spec, **copy.deepcopy(dict(self.options))}

    @property
    def constraints(self) -> dict[str, Any]:
        """The rest of the one specification that both ways validate with (ANSIBLE 5)."""
        return {
            "mutually_exclusive": list(self.mutually_exclusive),
            "required_together": list(self.required_together),
            "required_one_of": list(self.required_one_of),
            "required_if": list(self.required_if),
            "required_by": dict(self.required_by),
        }

    def run(self, call: Call) -> dict[str, Any]:
        """The result as plain JSON data; a failure is one too, with ``failed`` and ``msg``.

        Raises MissingLibrary alone, because what to do about it differs: the module says so, the action tries the module.
        """
        try:
            result = dict(self.execute(call))
            result.setdefault("changed", False)
            if result.get("again"):
                call.say(f"waiting: {call.waiting_for}")
                result["memory"] = call.memory
            result = tidy.printable(tidy.plain(result, call.warn))
        except MissingLibrary:
            raise
        except CanaryError as error:
            result = {"failed": True, "changed": False, "error": type(error).__name__, "msg": printable(str(error))}
        except Exception as error:
            result = {"failed": True, "changed": False, "error": type(error).__name__, "msg": tidy.unexpected(self.name, error)}
        if call.lines:
            result["lines"] = call.lines[-KEPT_LINES:]
        return result

    def run_module(self) -> None:
        """What ``main`` of the module calls. Never returns: AnsibleModule prints the result and leaves."""
        module = AnsibleModule(argument_spec=self.argument_spec, supports_check_mode=self.supports_check_mode, **self.constraints)
        module.no_log_values = tidy.secrets(module.no_log_values, module.params.get("kubeconfig"))
        wait = json.loads(os.environ.get(WAIT_VARIABLE) or "{}")
        call = Call(
            json.loads(json.dumps(module.params)),
            check_mode=module.check_mode,
            diff=module._diff,
            patience=wait.get("patience") or math.inf,
            memory=wait.get("memory"),
        )
        lacks: MissingLibrary | None = None
        result: dict[str, Any] = {}
        try:
            result = self.run(call)
        except MissingLibrary as error:
            lacks = error
        for warning in call.warnings:
            module.warn(warning)
        # Registered results and the events of a job carry it along: only whoever asks for it by -vvv pays for it.
        result["invocation"] = {"module_args": tidy.shown(call.params)} if module._verbosity >= 3 else {}
        if lacks:
            module.fail_json(msg=missing_required_lib(lacks.library), exception=lacks.traceback, error="MissingLibrary", **result)
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)


def _subject(params: Mapping[str, Any]) -> str:
    """``namespace/name`` where the options say both."""
    name, namespace = params.get("name"), params.get("namespace")
    return f"{namespace}/{name}" if isinstance(name, str) and isinstance(namespace, str) and name and namespace else ""
