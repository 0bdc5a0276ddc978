# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own branch of the cgroup tree: pods below it by the kubelet, daemons in a leaf beside them.

The leaf makes a teardown complete after any crash: whatever a daemon of the lab has forked is in it, noted down or not.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from labkit.errors import LabError
from labkit.layout import Lab

ROOT = Path("/sys/fs/cgroup")
DAEMONS = "daemons"
PROCESS_HIERARCHY = "pids"
CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")


def unified() -> bool:
    """Whether this machine has only cgroup v2."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """The mount points that the lab makes its branch in: one on v2, one for each controller on v1."""
    if unified():
        return [ROOT]
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _dash, tail = line.partition(" - ")
        if tail.split()[0] == "cgroup":
            found.append(Path(fields.split()[4]))
    if not found:
        raise LabError("No cgroup hierarchy is mounted under /sys/fs/cgroup; the kubelet needs one.")
    return found


def _all_mounts() -> list[Path]:
    extra = ROOT / "unified"
    return hierarchies() + ([extra] if not unified() and extra.is_dir() else [])


def daemons_folder(lab: Lab) -> Path:
    """The cgroup that all daemons of the lab are in."""
    if unified():
        return ROOT / lab.cgroup / DAEMONS
    preferred = ROOT / PROCESS_HIERARCHY
    return (preferred if preferred.is_dir() else hierarchies()[0]) / lab.cgroup / DAEMONS


def create(lab: Lab) -> None:
    """Make the lab's branch in every hierarchy.

    Raises:
        LabError: the kernel or a surrounding container does not allow it.
    """
    try:
        for mount in hierarchies():
            levels = [mount]
            for part in Path(lab.cgroup).parts:
                levels.append(levels[-1] / part)
                levels[-1].mkdir(exist_ok=True)
            for parent, child in zip(levels, levels[1:]):
                _inherit_cpuset(parent, child)
            if unified():
                for level in levels:
                    _delegate(level)
        daemons_folder(lab).mkdir(exist_ok=True)
    except OSError as error:
        raise LabError(f"The lab cannot make its cgroups: {error}. In a container it needs --privileged and a cgroup namespace of the host.") from error


def _inherit_cpuset(parent: Path, child: Path) -> None:
    """On v1 a new cpuset is empty, and nothing can run in an empty one."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        target = child / name
        if not unified() and target.exists() and not target.read_text(encoding="ascii").strip():
            target.write_text((parent / name).read_text(encoding="ascii"), encoding="ascii")


def _delegate(level: Path) -> None:
    """On v2 a controller is available below a cgroup only when that cgroup hands it down."""
    available = (level / "cgroup.controllers").read_text(encoding="ascii").split()
    wanted = [name for name in CONTROLLERS if name in available]
    (level / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted), encoding="ascii")


def join_daemons(lab: Lab) -> None:
    """Move the calling process into the cgroup for daemons."""
    (daemons_folder(lab) / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def members(lab: Lab) -> set[int]:
    """Numbers of all processes in the lab's branch: daemons, what they forked, and pods."""
    found: set[int] = set()
    for mount in _all_mounts():
        for path in (mount / lab.cgroup).rglob("cgroup.procs"):
            try:
                found.update(int(number) for number in path.read_text(encoding="ascii").split())
            except OSError:
                continue
    return found - {os.getpid(), 0}


def kill(lab: Lab, seconds: float = 10.0) -> None:
    """Kill every process in the lab's branch.

    Raises:
        LabError: some are still there after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while left := members(lab):
        if time.monotonic() > deadline:
            raise LabError(f"Processes of the lab do not end: {sorted(left)}.")
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def remove(lab: Lab) -> None:
    """Remove the lab's branch; the branch of all labs goes with the last one."""
    for mount in _all_mounts():
        branch = mount / lab.cgroup
        if branch.is_dir():
            for folder in sorted((path for path in branch.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts)):
                _rmdir(folder)
            _rmdir(branch)
        if branch.parent.is_dir() and not any(path.is_dir() for path in branch.parent.iterdir()):
            _rmdir(branch.parent)


def _rmdir(folder: Path, attempts: int = 50) -> None:
    """Remove a cgroup; the kernel says busy for a moment after its last process has ended."""
    for _attempt in range(attempts):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
    folder.rmdir()
