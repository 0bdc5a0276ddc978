# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's tmpfs, its teardown, and a private view of the few paths that Kubernetes has wired in."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import LabError
from labkit.layout import Lab

WITH_BINDS = """
set -e
while [ "$1" != -- ]; do
  mount --make-private "$(findmnt -n -o TARGET -T "$2" | tail -n 1)"
  mount --bind "$1" "$2"
  shift 2
done
shift
exec "$@"
"""
"""Shell program: pairs SOURCE TARGET, then -- COMMAND. Mounts made private are so only in the new mount namespace."""


def create_tmpfs(lab: Lab, megabytes: int) -> None:
    """Mount the lab's tmpfs; shared, so that what one daemon mounts below it is seen by the others."""
    lab.root.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", f"lab-{lab.name}", str(lab.root))
    _run("mount", "--make-shared", str(lab.root))


def is_mounted(folder: Path) -> bool:
    """Whether something is mounted at exactly that path."""
    return str(folder) in _targets()


def unmount_all(lab: Lab) -> None:
    """Unmount everything at and below the lab's folder, deepest first."""
    below = [target for target in _targets() if target == str(lab.root) or target.startswith(f"{lab.root}/")]
    for target in reversed(below):
        if subprocess.run(["umount", target], capture_output=True, check=False).returncode:
            subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)


def with_private_binds(pairs: Sequence[tuple[Path, Path]], argv: Sequence[str]) -> list[str]:
    """The command that runs ``argv`` (in the same process) where each (source, target) is bound over the target, invisible to all others."""
    flat = [str(path) for pair in pairs for path in pair]
    return ["unshare", "--mount", "--propagation", "unchanged", "--", "sh", "-c", WITH_BINDS, "sh", *flat, "--", *argv]


def _targets() -> list[str]:
    """All mount points in the order of mounting."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line.split()[4].encode().decode("unicode_escape") for line in lines]


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
