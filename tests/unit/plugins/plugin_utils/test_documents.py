# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the file with a document is found, and what is said when it will not do. Plays that end so: integration target bad_input."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.plugin_utils import documents

OURS = pathlib.Path(documents.__file__).resolve().parents[2]
TEXT = "kind: Canary\nspec: {query: 'up{ns=\"{{ namespace }}\"}'}\n"


@dataclass
class Task:
    """What of a task says where it stands."""

    places: list[str] = field(default_factory=list)

    def get_search_path(self) -> list[str]:
        return self.places


class Action:
    """An action of a task in a playbook of this folder."""

    def __init__(self, playbook: pathlib.Path, *places: pathlib.Path) -> None:
        self._task = Task([str(place) for place in places])
        self._loader = DataLoader()
        self._loader.set_basedir(str(playbook))


def read(action: Any, path: str) -> str:
    return documents.with_text(action, {"file": path})["text"]


@pytest.mark.parametrize("place", ["", "files"])
def test_ansible_18_a_file_beside_the_playbook_is_read_raw(tmp_path: pathlib.Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "podinfo.yml").write_text(TEXT, encoding="utf-8")
    assert read(Action(tmp_path, OURS / "roles/canary", OURS / "roles/canary/tasks"), "podinfo.yml") == TEXT


def test_ansible_18_a_file_by_its_whole_path_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "podinfo.yml").write_text(TEXT, encoding="utf-8")
    assert read(Action(OURS / "playbooks"), str(tmp_path / "podinfo.yml")) == TEXT


def test_ansible_18_with_a_playbook_of_the_collection_a_file_in_the_present_folder_is_read(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("canary.yml").write_text(TEXT, encoding="utf-8")
    assert (OURS / "playbooks" / "canary.yml").exists()
    assert read(Action(OURS / "playbooks", OURS / "roles/canary"), "canary.yml") == TEXT


def test_ansible_18_a_file_that_the_role_has_itself_is_nobodys_document(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.yml").write_text(TEXT, encoding="utf-8")
    assert read(Action(tmp_path, OURS / "roles/canary", OURS / "roles/canary/tasks"), "main.yml") == TEXT


def test_ansible_18_a_file_closed_by_a_vault_is_opened(tmp_path: pathlib.Path) -> None:
    secrets = [("default", VaultSecret(b"sesame-4711"))]
    (tmp_path / "podinfo.yml").write_bytes(VaultLib(secrets).encrypt(TEXT))
    action = Action(tmp_path)
    action._loader.set_vault_secrets(secrets)
    assert read(action, "podinfo.yml") == TEXT
    assert not action._loader._tempfiles


@pytest.mark.parametrize(("content", "says"), [
    (None, "there is no file 'podinfo.yml' beside the playbook"),
    (b"\xff\xfe", "'podinfo.yml' is not a text in UTF-8"),
    (b"$ANSIBLE_VAULT;1.1;AES256\n3131\n", "'podinfo.yml' cannot be decrypted"),
])
def test_a_file_that_will_not_do_is_refused_by_name(tmp_path: pathlib.Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "podinfo.yml").write_bytes(content)
    with pytest.raises(SpecError) as refused:
        read(Action(tmp_path), "podinfo.yml")
    assert str(refused.value).startswith(f"canary_file: {says}")
    assert "\n" not in str(refused.value)


def test_a_folder_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SpecError, match="^canary_file: '.*' is a folder "):
        read(Action(tmp_path), str(tmp_path))


def test_a_document_by_file_and_by_variable_is_one_too_many(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SpecError, match="^canary_file: canary_spec is a document as well "):
        documents.with_text(Action(tmp_path), {"file": "podinfo.yml", "spec": {"provider": "gatewayapi:v1"}})


@pytest.mark.parametrize("given", [{"canary_name": "podinfo"}, {"text": TEXT}, {"text": TEXT, "file": "elsewhere.yml"}])
def test_without_a_file_to_read_the_arguments_stay_as_they_are(tmp_path: pathlib.Path, given: dict[str, Any]) -> None:
    assert documents.with_text(Action(tmp_path), given) == given
