# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils import walker


@pytest.fixture
def other() -> Iterator[subprocess.Popen]:
    """A process that leads a group of its own, as a playbook does."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_safety_03_a_living_holder_is_not_gone(other: subprocess.Popen) -> None:
    assert not walker.is_gone(walker.me("run", other.pid))


def test_safety_03_a_killed_holder_of_this_machine_is_gone_at_once(other: subprocess.Popen) -> None:
    holder = walker.me("run", other.pid)
    other.kill()
    other.wait()
    assert walker.is_gone(holder)


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"boot": "another"}, {"pid_namespace": "another"}, {"pid": 0}, {"started": 0}])
def test_safety_03_nothing_is_known_of_a_holder_elsewhere(other: subprocess.Popen, elsewhere: dict) -> None:
    holder = walker.me("run", other.pid)
    other.kill()
    other.wait()
    assert not walker.is_gone(dataclasses.replace(holder, **elsewhere))


def test_safety_03_a_reused_pid_is_another_process(other: subprocess.Popen) -> None:
    holder = walker.me("run", other.pid)
    assert walker.is_gone(dataclasses.replace(holder, started=holder.started - 100_000)) is False, "its group still lives"
    assert walker.is_gone(dataclasses.replace(holder, started=holder.started + 100_000))


def test_safety_03_a_worker_whose_playbook_was_killed_knows_that_it_is_alone() -> None:
    assert not walker.is_orphan(walker.me("run", os.getppid()))
    assert walker.is_orphan(walker.me("run", os.getpid()))
    assert not walker.is_orphan(walker.me("run", 0)), "a module does not know its playbook"
