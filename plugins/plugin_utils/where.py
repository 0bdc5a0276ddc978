# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a verb runs: whether the controller's process is honestly the same as the module, and whether the module's Python will do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

# For tests and for comparing the two ways: "0" in the environment, or false in the variable, always takes the module.
SWITCH = "PROGRESSIVE_DELIVERY_IN_PROCESS"
SWITCH_VARIABLE = "progressive_delivery_in_process"

# Variables that a program reads only while it starts: setting them in a running one is not the same.
_READ_AT_START = re.compile(r"PYTHON|LD_|VIRTUAL_ENV$|MALLOC_|OPENSSL_CONF$")


def not_in_process(action: ActionBase, task_vars: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """Why the verb must run as a module, in words; "" when it may run in process (ANSIBLE 1)."""
    if _switched_off(action, task_vars):
        return f"{SWITCH_VARIABLE} or {SWITCH} says so"
    if action._connection.transport != "local":
        return f"the connection is {action._connection.transport}, not local"
    if action._connection.become is not None:
        return f"become is on ({action._connection.become.name})"
    if action._task.async_val:
        return "the task is asynchronous"
    interpreter = _interpreter(action, task_vars)
    if interpreter and not _is_ours(interpreter):
        return f"ansible_python_interpreter is {interpreter}, the playbook's own is {sys.executable}"
    at_start = sorted(key for key in environment if _READ_AT_START.match(str(key)))
    if at_start:
        return f"the task's environment sets {', '.join(at_start)}, which Python reads only when it starts"
    return ""


def _switched_off(action: ActionBase, task_vars: Mapping[str, Any]) -> bool:
    wanted = task_vars.get(SWITCH_VARIABLE)
    if wanted is None:
        wanted = os.environ.get(SWITCH)
    if wanted in (None, ""):
        return False
    return not boolean(action._templar.template(wanted))


def _interpreter(action: ActionBase, task_vars: Mapping[str, Any]) -> str:
    """The Python that modules of this task are told to use, by variable, environment or ansible.cfg; "" when nobody said."""
    if action._task.delegate_to:
        task_vars = task_vars.get("ansible_delegated_vars", {}).get(action._task.delegate_to, {})
    value, origin = C.config.get_config_value_and_origin("INTERPRETER_PYTHON", variables=dict(task_vars))
    return "" if origin == "default" else str(action._templar.template(value) or "").strip()


def _is_ours(interpreter: str) -> bool:
    """The same program in the same folder. A virtual environment's Python links to the system's, so the file alone says nothing."""

    def identity(path: str) -> tuple[str, str]:
        return os.path.realpath(os.path.dirname(path)), os.path.realpath(path)

    return identity(interpreter) == identity(sys.executable)


def require_python(action: ActionBase, shebang: str, oldest: tuple[int, int]) -> None:
    """Refuses a Python that is missing or too old for the module, before the module is sent (ANSIBLE 9).

    Raises AnsibleActionFail with the remedy.
    """
    interpreter = shebang.removeprefix("#!").strip()
    if action._connection.transport == "local" and _is_ours(interpreter):
        return
    answer = action._low_level_execute_command(f"{interpreter} -c 'import sys; print(\"python %d %d\" % sys.version_info[:2])'")
    found = re.search(r"^python (\d+) (\d+)\s*$", answer.get("stdout", ""), re.MULTILINE)
    needs = ".".join(map(str, oldest))
    remedy = f"progressive.delivery needs Python {needs} or newer there: set ansible_python_interpreter to one"
    if not found:
        raise AnsibleActionFail(f"{interpreter} does not run as Python on the host of this task; {remedy}")
    version = int(found.group(1)), int(found.group(2))
    if version < oldest:
        raise AnsibleActionFail(f"{interpreter} on the host of this task is Python {version[0]}.{version[1]}; {remedy}")
