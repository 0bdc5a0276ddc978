# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a Python is the playbook's own. The other conditions are tried with real plays: integration target verbs_both_ways."""

from __future__ import annotations

import pathlib
import sys

import pytest

from ansible_collections.progressive.delivery.plugins.plugin_utils import where


def test_ansible_01_the_playbooks_own_python_is_ours() -> None:
    assert where._is_ours(sys.executable)


def test_ansible_01_another_name_in_the_same_folder_is_ours(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3.11").touch()
    (folder / "python").symlink_to("python3.11")
    monkeypatch.setattr(sys, "executable", str(folder / "python3.11"))
    assert where._is_ours(str(folder / "python"))


def test_ansible_01_the_same_folder_by_another_path_is_ours(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv-3").mkdir()
    (tmp_path / "venv-3" / "python").touch()
    (tmp_path / "venv").symlink_to("venv-3")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert where._is_ours(str(tmp_path / "venv-3" / "python"))


def test_ansible_01_two_virtual_environments_of_one_python_are_not_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python3").touch()
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python").symlink_to(tmp_path / "python3")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "ours" / "python"))
    assert not where._is_ours(str(tmp_path / "theirs" / "python"))
    assert not where._is_ours(str(tmp_path / "python3"))


@pytest.mark.parametrize(("name", "at_start"), [
    ("PYTHONPATH", True), ("LD_PRELOAD", True), ("KUBECONFIG", False), ("K8S_AUTH_HOST", False),
])
def test_ansible_02_variables_that_only_a_starting_python_reads_are_known(name: str, at_start: bool) -> None:
    assert bool(where._READ_AT_START.match(name)) is at_start
