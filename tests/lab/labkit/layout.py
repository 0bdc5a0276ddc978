# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of a lab lies, and how its parts are called."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError

SOURCE = Path(__file__).resolve().parent.parent
"""The folder tests/lab."""

REPOSITORY = SOURCE.parent.parent
RUN = Path("/run/progressive-delivery-lab")
DEFAULT_NAME = "progressive-lab"
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")

NODE = "node1"
NODE_IP = "10.10.0.1"
POD_CIDR = "10.88.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
SERVICE_IP = "10.96.0.1"
API_PORT = 6443
PROMETHEUS_PORT = 9090
LOADTESTER_PORT = 8070


def cache_root() -> Path:
    """The folder of everything that is built or downloaded, shared by all labs of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "progressive-delivery-lab"


@dataclass(frozen=True)
class Lab:
    """One lab by its name; all of its files are on a tmpfs of its own."""

    name: str

    @property
    def root(self) -> Path:
        return RUN / self.name

    @property
    def lock(self) -> Path:
        return RUN / f"{self.name}.lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.pki / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "containerd" / "containerd.sock"

    @property
    def netns(self) -> Path:
        return Path("/run/netns") / self.name

    @property
    def cgroup(self) -> str:
        """Path of the lab's cgroup below the mount point of each hierarchy."""
        return f"progressive-delivery-lab/{self.name}"

    @property
    def enter(self) -> list[str]:
        """Command prefix that runs a command in the lab's network namespace."""
        return ["nsenter", f"--net={self.netns}", "--"]


def lab_named(name: str | None) -> Lab:
    """The lab of that name, of ``LAB_NAME``, or of the default name.

    The name becomes part of socket paths (at most 107 bytes) and of interface-free kernel names, hence the pattern.

    Raises:
        LabError: the name has other characters or is too long.
    """
    chosen = name or os.environ.get("LAB_NAME") or DEFAULT_NAME
    if not NAME_PATTERN.fullmatch(chosen):
        raise LabError(f"A lab's name has 1 to 30 of a-z, 0-9 and '-', and starts and ends with a letter or digit: {chosen!r} has not.")
    return Lab(chosen)


def remove_run_folder() -> None:
    """Remove the folder of all labs, if it is empty."""
    try:
        RUN.rmdir()
    except OSError:
        pass  # another lab is in it, or it is gone already
