# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's network namespace: no way out of it, the addresses of one node, room for one bridge of pods."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from pathlib import Path

from labkit import hostpaths
from labkit.errors import LabError
from labkit.layout import NODE_IP, SERVICE_CIDR, Lab

CLONE_NEWNET = 0x40000000
LISTENING = "0A"


def exists(lab: Lab) -> bool:
    """Whether a network namespace of the lab's name is there."""
    return lab.netns.exists()


def create(lab: Lab) -> None:
    """Make the namespace and its node interface.

    There is no default route in it, so nothing that runs in the lab can reach the outside.

    Raises:
        LabError: a command of iproute2 failed.
    """
    hostpaths.provide([lab.netns.parent])
    _ip("netns", "add", lab.name)
    enter(lab)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "node0", "type", "bridge")
    _ip("address", "add", f"{NODE_IP}/24", "dev", "node0")
    _ip("link", "set", "node0", "up")
    _ip("route", "add", SERVICE_CIDR, "dev", "node0")


def enter(lab: Lab) -> None:
    """Move the calling process, and all that it starts from now on, into the namespace.

    Raises:
        LabError: it is not there or the process may not.
    """
    library = ctypes.CDLL(None, use_errno=True)
    try:
        handle = os.open(lab.netns, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(f"The lab's network namespace cannot be opened: {error}") from error
    try:
        if library.setns(handle, CLONE_NEWNET):
            raise LabError(f"The lab's network namespace cannot be entered: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(handle)


def delete(lab: Lab) -> None:
    """Delete the namespace; its interfaces and rules go with it once its last process has ended."""
    if exists(lab):
        _ip("netns", "delete", lab.name)


def listening_ports() -> set[int]:
    """TCP ports that something listens on in the namespace that the process is in."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def require_free(ports: dict[int, str]) -> None:
    """Raise when one of the ports (number -> who wants it) is taken in the namespace that the process is in."""
    taken = sorted(set(ports) & listening_ports())
    if taken:
        who = ", ".join(f"{port} (for {ports[port]})" for port in taken)
        raise LabError(f"Port in use inside the lab's network namespace: {who}. See who it is with: ss -ltnp")


def answers(port: int, host: str = "127.0.0.1", seconds: float = 0.5) -> bool:
    """Whether a TCP connection to the port can be made."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")
