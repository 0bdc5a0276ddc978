# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action base, as far as it can be seen without a play."""

from __future__ import annotations

import os

import pytest

from ansible_collections.progressive.delivery.plugins.plugin_utils import in_process


def test_ansible_02_a_tasks_environment_holds_for_its_call_and_not_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_HOST", "https://one")
    monkeypatch.delenv("K8S_AUTH_API_KEY", raising=False)
    with in_process._environment({"K8S_AUTH_HOST": "https://two", "K8S_AUTH_API_KEY": 7}):
        assert (os.environ["K8S_AUTH_HOST"], os.environ["K8S_AUTH_API_KEY"]) == ("https://two", "7")
    assert os.environ["K8S_AUTH_HOST"] == "https://one" and "K8S_AUTH_API_KEY" not in os.environ


def test_ansible_05_truth_values_survive_the_hiding_of_secrets() -> None:
    assert in_process.InProcess._hide({"changed": True, "msg": "True enough", "none": None}, {"True"}) == {
        "changed": True, "msg": "******** enough", "none": None}
