# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab is up while something of it runs, whatever its files say."""
from __future__ import annotations

import json
import os
import subprocess

import pytest
from labkit import cli, layout, processes, state as states


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "RUN", tmp_path)
    lab = layout.lab_named("unit")
    lab.pids.mkdir(parents=True)
    states.write(lab, states.State(states.UP, ("tests",), ("contour",)))
    return lab


def note_daemon(lab, pid, started):
    (lab.pids / "apiserver.json").write_text(json.dumps({"name": "apiserver", "pid": pid, "started": started, "log": "", "argv": []}))


def test_a_lab_whose_daemons_have_all_ended_is_not_up(lab, capsys):
    with subprocess.Popen(["sleep", "60"]) as process:
        note_daemon(lab, process.pid, processes.start_time(process.pid))
        assert cli.main(["env", "--name", lab.name]) == 0
        assert "KUBECONFIG" in capsys.readouterr().out
        process.kill()
    assert cli.main(["env", "--name", lab.name]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "lab: The lab unit is not up: all that it ran has ended. Start it with: python3 tests/lab/lab.py up --name unit\n")


def test_a_process_that_got_the_number_of_a_daemon_is_not_the_daemon(lab, capsys):
    note_daemon(lab, os.getpid(), processes.start_time(os.getpid()) - 1)
    assert cli.main(["env", "--name", lab.name]) == 1
    assert "all that it ran has ended" in capsys.readouterr().err
