# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who walks: the identity of the playbook's process, and whether another one is still alive (SAFETY 3)."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _status(pid: int) -> tuple[int, int]:
    """Process group and start time (clock ticks since boot) of a process; zeros when it is gone or a zombie."""
    text = _read(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split()    # the command's name may hold anything, it ends at the last bracket
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return 0, 0
    return int(fields[2]), int(fields[19])


def me(run: str, pid: int = 0) -> Holder:
    """This run as a holder. ``pid`` is the playbook's own process, 0 where it cannot be known (a module on another host)."""
    return Holder(run=run, host=socket.gethostname(), boot=boot(), pid_namespace=_pid_namespace(),
                  pid=pid, started=_status(pid)[1] if pid else 0)


def person() -> str:
    """Who runs this process, as ``alice@ci-7``; the number of the user where it has no name, as in many containers."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def boot() -> str:
    """The kernel's boot id, empty where there is none."""
    return _read("/proc/sys/kernel/random/boot_id")


def has_our_clock(holder: Holder) -> bool:
    """Whether its monotonic clock is ours: all processes since one boot have the same."""
    return bool(holder.boot) and holder.boot == boot()


def is_gone(holder: Holder) -> bool:
    """True only when this very machine can see that the holder's process, and every one of its group, has ended."""
    here = me("")
    same_place = bool(holder.boot) and (holder.host, holder.boot, holder.pid_namespace) == (here.host, here.boot, here.pid_namespace)
    if not same_place or not holder.pid or not holder.started:
        return False
    return _status(holder.pid)[1] != holder.started and not _group_lives(holder)


def is_orphan(holder: Holder) -> bool:
    """True when this process worked for a playbook that was killed: Ansible's workers lead groups of their own, so a kill of the
    playbook's group leaves them behind, and nobody would carry out what they decide.
    """
    return bool(holder.pid) and os.getppid() != holder.pid


def _group_lives(holder: Holder) -> bool:
    """Whether a process of the holder's group that is no older than the holder still runs, such as a forked worker."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            group, started = _status(int(entry))
            if group == holder.pid and started >= holder.started:
                return True
    return False
