# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with a canary's document: found where the user of a playbook expects it, read raw, decrypted by vault (ANSIBLE 18)."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line

_COLLECTION = pathlib.Path(__file__).resolve().parents[2]
# Searched by Ansible as any role and any playbook's folder is, but nobody's documents are there.
_OURS = (_COLLECTION / "roles", _COLLECTION / "playbooks")

FIELD = "canary_file"
_ACCEPTED = "accepted: a file with the Canary document, by its whole path or relative to the playbook"


def with_text(action: ActionBase, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the text of ``file``, since a module may run where the file is not.

    Raises SpecError for a file that is not there, cannot be read or decrypted, or stands beside another document.
    """
    path = given.get("file")
    if not path or given.get("text"):
        return given
    if given.get("spec"):
        raise SpecError(FIELD, "canary_spec is a document as well", "accepted: only one of the two")
    return {**given, "text": _text(action, str(path))}


def _text(action: ActionBase, path: str) -> str:
    found = _found(action, path)
    if not found:
        raise SpecError(FIELD, f"there is no file '{path}' beside the playbook, in its folder files, or in {os.getcwd()}", _ACCEPTED)
    if os.path.isdir(found):
        raise SpecError(FIELD, f"'{path}' is a folder", _ACCEPTED)
    real = ""
    try:
        real = action._loader.get_real_file(found, decrypt=True)
        return pathlib.Path(real).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(FIELD, f"'{path}' is not a text in UTF-8", _ACCEPTED) from None
    except OSError as error:
        raise SpecError(FIELD, f"'{path}' cannot be read: {error.strerror or type(error).__name__}", _ACCEPTED) from None
    except AnsibleError as error:
        raise SpecError(FIELD, f"'{path}' cannot be decrypted: {one_line(str(error))}", "accepted: one that the vault secrets of this run open") from None
    finally:
        action._loader.cleanup_tmp_file(real)       # only removes what get_real_file made


def _found(action: ActionBase, path: str) -> str:
    """The first file of that name where Ansible looks for a task's files; then, for playbooks of the collection, in the present folder."""
    places = [place for place in action._task.get_search_path() if not _is_ours(place)]
    try:
        found = str(action._loader.path_dwim_relative_stack(places, "files", path))
    except AnsibleError:
        found = ""
    here = os.path.abspath(path)
    return found if found and not _is_ours(found) else here if os.path.exists(here) else ""


def _is_ours(place: str) -> bool:
    resolved = pathlib.Path(place).resolve()
    return any(resolved == folder or folder in resolved.parents for folder in _OURS)
