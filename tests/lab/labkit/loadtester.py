# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flagger's own load tester as a process of the lab: a real peer for webhooks and gates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labkit import kubeapi, network, processes
from labkit.layout import LOADTESTER_PORT, Lab

NAME = "loadtester"
URL = f"http://127.0.0.1:{LOADTESTER_PORT}"
HEALTH = f"{URL}/healthz"


def start(lab: Lab, built: Mapping[str, Path], path: str) -> None:
    """Start it with the lab's programs on its PATH, for the commands that a webhook sends."""
    network.require_free({LOADTESTER_PORT: NAME})
    command = [str(built[NAME] / "loadtester"), f"-port={LOADTESTER_PORT}", "-log-level=info", "-timeout=1h"]
    processes.start(lab, NAME, command, {"PATH": path, "KUBECONFIG": str(lab.kubeconfig)})
    kubeapi.wait_for("The load tester", 60.0, lambda: network.answers(LOADTESTER_PORT), lambda: processes.log_tail(lab.logs / f"{NAME}.log", 6))
