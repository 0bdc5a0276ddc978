# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible itself needs for a tick of that many tasks, on this machine and at this moment."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import traces

HERE = Path(__file__).parent


def milliseconds() -> tuple[float, float]:
    """Wall and CPU of a tick whose tasks do nothing."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.jsonl"
        environment = {
            **os.environ, "BENCH_TRACE": str(trace), "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "bench_trace", "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        playbook = HERE / "ansible_alone_play" / "play.yml"
        subprocess.run(["ansible-playbook", str(playbook)], env=environment, cwd=folder, check=True, capture_output=True)
        every = traces.ticks(traces.read(trace))
    return 1000 * statistics.median(tick.ended - tick.began for tick in every), 1000 * statistics.mean(tick.cpu for tick in every)
