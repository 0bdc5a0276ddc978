# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab knows about itself between two commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from labkit import processes
from labkit.errors import LabError
from labkit.layout import Lab

STARTING = "starting"
UP = "up"


@dataclass(frozen=True)
class State:
    """Whether the lab is complete, what it was started for, and where its programs are."""

    phase: str
    purposes: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    built: dict[str, str] = field(default_factory=dict)

    def folders(self) -> dict[str, Path]:
        """Recipe name -> folder with what was made."""
        return {name: Path(folder) for name, folder in self.built.items()}


def read(lab: Lab) -> State | None:
    """The lab's state, or None when there is nothing of it, or only what a crash left."""
    try:
        document = json.loads(lab.state.read_text(encoding="utf-8"))
        return State(document["phase"], tuple(document["purposes"]), tuple(document["gateways"]), document["built"])
    except (OSError, ValueError, KeyError):
        return None


def write(lab: Lab, state: State) -> None:
    """Replace the lab's state."""
    beside = lab.state.with_suffix(".writing")
    beside.write_text(json.dumps(asdict(state)), encoding="utf-8")
    beside.rename(lab.state)


def require_up(lab: Lab) -> State:
    """The state of a lab that is up.

    Its files outlive its daemons where something ended them all at once: a machine that was frozen and copied, a container that was stopped.

    Raises:
        LabError: it is not.
    """
    state = read(lab)
    start = f"Start it with: python3 tests/lab/lab.py up --name {lab.name}"
    if state is None or state.phase != UP:
        raise LabError(f"The lab {lab.name} is not up. {start}")
    if not any(processes.alive(daemon) for daemon in processes.noted(lab)):
        raise LabError(f"The lab {lab.name} is not up: all that it ran has ended. {start}")
    return state
