# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold before anything is built or started, said in words where it does not."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from labkit.errors import LabError

GIB = 1024**3


def linux() -> None:
    """Raise unless this is Linux."""
    if not sys.platform.startswith("linux"):
        raise LabError(f"The lab needs Linux (network namespaces, cgroups, overlayfs); this is {sys.platform}.")


def superuser() -> None:
    """Raise unless the process may make namespaces, mounts and cgroups."""
    if os.geteuid() != 0:
        raise LabError("The lab needs root, because it makes a network namespace, mounts and cgroups: run it by sudo or as root.")


def disk(folder: Path, gibibytes: float, purpose: str) -> None:
    """Raise when the file system of ``folder`` has less than ``gibibytes`` free."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / GIB
    if free < gibibytes:
        raise LabError(f"{purpose} needs {gibibytes:g} GiB free on the file system of {folder}, which has {free:.1f} GiB.")


def memory(gibibytes: float) -> None:
    """Raise when less than ``gibibytes`` of memory can be had without swapping."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024 / GIB
            if available < gibibytes:
                raise LabError(f"A lab needs {gibibytes:g} GiB of memory; {available:.1f} GiB are available.")
