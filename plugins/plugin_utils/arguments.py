# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of a task on their way to a verb: plain data, and a kubeconfig that can be opened (ANSIBLE 4, 8, 17)."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase


def plain(given: Mapping[str, Any], *, keep_empty: bool = False) -> dict[str, Any]:
    """The arguments as JSON gives them back: Ansible's tagged texts and mappings are refused by jmespath and yaml.

    A text without content means that the option was left out, as surveys of a job template send it; once defaults are filled in
    (``keep_empty``), it is a value like others.
    Raises AnsibleActionFail, naming the option, for what has no JSON form.
    """
    return {key: _plain(key, value) for key, value in given.items() if keep_empty or value != ""}


def _plain(key: str, value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_date))
    except (TypeError, ValueError):
        problem = f"{key}: holds something that has no form in JSON, such as a number that is not finite"
    raise AnsibleActionFail(problem)


def _date(value: Any) -> str:
    """YAML makes dates of texts that look like one."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


@contextmanager
def kubeconfig_found(action: ActionBase, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The arguments with ``kubeconfig`` looked up in ``files/`` and vault-decrypted, as kubernetes.core's own actions do.

    Where the verb runs on another host, the path is one of that host and is left alone. So is one of a file that is not there: the
    client has better words for it, and not every verb opens it. Raises AnsibleError for a file that cannot be decrypted.
    """
    paths = given.get("kubeconfig")
    if not isinstance(paths, str) or action._connection.transport != "local":
        yield given
        return
    opened: list[str] = []
    try:
        for path in paths.split(os.pathsep):
            opened.append(_opened(action, path))
        yield {**given, "kubeconfig": os.pathsep.join(opened)}
    finally:
        if not action._task.async_val:
            # Only removes what get_real_file made. A module that runs on by itself still needs the file.
            for path in opened:
                action._loader.cleanup_tmp_file(path)


def _opened(action: ActionBase, path: str) -> str:
    try:
        found = action._find_needle("files", path)
    except AnsibleError:
        return path
    return action._loader.get_real_file(found, decrypt=True)
