# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of the machine that have to exist as mount points; those that a lab made go with the last lab."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from labkit import locks, mounts
from labkit.layout import RUN

NOTE = RUN / ".made.json"
LOCK = RUN / ".made.lock"


def provide(folders: Iterable[Path]) -> None:
    """Make the folders that are missing, and note which."""
    with locks.held(LOCK):
        made = _made()
        for folder in folders:
            for path in reversed([folder, *folder.parents]):
                if not path.is_dir():
                    made.append(str(path))
                    NOTE.write_text(json.dumps(made), encoding="utf-8")
                    path.mkdir()


def give_back() -> None:
    """Remove what was made, where no lab is left and nobody else put something in."""
    with locks.held(LOCK):
        if any(path.is_dir() for path in RUN.iterdir()):
            return
        for folder in reversed(_made()):
            _remove(Path(folder))
        NOTE.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a folder that nobody has put anything into; iproute2 mounts its own over itself."""
    try:
        if not any(folder.iterdir()):
            if mounts.is_mounted(folder):
                subprocess.run(["umount", str(folder)], capture_output=True, check=False)
            folder.rmdir()
    except OSError:
        pass  # somebody else uses it by now


def _made() -> list[str]:
    try:
        noted: list[str] = json.loads(NOTE.read_text(encoding="utf-8"))
        return noted
    except (OSError, ValueError):
        return []
