# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.plugin_utils import versions


def test_ansible_25_the_version_of_kubernetes_core_is_known_and_will_do() -> None:
    assert versions.kubernetes_core() and versions.problem(versions.kubernetes_core()) == ""


@pytest.mark.parametrize("version", ["6.2.0", "6.10.1", "7.0.0-dev0", ""])
def test_ansible_25_these_versions_will_do(version: str) -> None:
    assert versions.problem(version) == ""


@pytest.mark.parametrize("version", ["5.4.1", "6.1.9", "8.0.0", "10.0.0"])
def test_ansible_25_other_versions_are_refused_with_the_command_that_helps(version: str) -> None:
    assert version in versions.problem(version) and "ansible-galaxy collection install" in versions.problem(version)
