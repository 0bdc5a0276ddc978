# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start daemons that outlive their starter, and end them by number and start time, never by name."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import cgroups
from labkit.errors import LabError
from labkit.layout import Lab


@dataclass(frozen=True)
class Daemon:
    """One process that a lab started.

    ``started`` is its start time in clock ticks since boot (field 22 of /proc/PID/stat): with it a number that the kernel gave to somebody else is told apart.
    """

    name: str
    pid: int
    started: int
    log: str
    argv: list[str]


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> int | None:
    """The start time of a living process in ticks, or None when there is none; a zombie does not live."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return int(fields[19])


def descendants(pid: int) -> list[int]:
    """All that came of a process and still have it, or one of them, as their parent, whatever groups and sessions they lead."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found[1:]


def kill_all(pid: int) -> None:
    """SIGKILL to a process and to all that came of it, at one moment, as the end of a node or of a container does it."""
    stopped: list[int] = []
    # Whoever is stopped makes no more children; when nobody new is found, these are all.
    while new := [one for one in (pid, *descendants(pid)) if one not in stopped]:
        for one in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        stopped += new
    for one in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def alive(daemon: Daemon) -> bool:
    """Whether that very process still runs."""
    return start_time(daemon.pid) == daemon.started


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process in MB, 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def start(lab: Lab, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Daemon:
    """Start ``argv`` as a daemon of the lab and note it down.

    It is free of the terminal, has init as parent (some programs die with the process that started them), no input, a log file, and
    the lab's cgroup for daemons.

    Args:
        environment: added to the caller's.
        folder: working directory, by default the lab's.

    Raises:
        LabError: the program cannot be run.
    """
    log = lab.logs / f"{name}.log"
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        _become_daemon(lab, writer, log, argv, {**os.environ, **(environment or {})}, folder or lab.root)
    os.close(writer)
    os.waitpid(middle, 0)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    number, _newline, trouble = said.partition("\n")
    if trouble or not number:
        raise LabError(f"{name} cannot be started: {trouble or 'it ended at once'} (command: {' '.join(argv[:3])} ...)")
    daemon = Daemon(name, int(number), start_time(int(number)) or 0, str(log), list(argv))
    (lab.pids / f"{name}.json").write_text(json.dumps(asdict(daemon)), encoding="utf-8")
    return daemon


def _become_daemon(lab: Lab, writer: int, log: Path, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """The two forked generations of ``start``; never returns. The pipe closes itself at exec."""
    try:
        os.setsid()
        middle = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == middle:
            time.sleep(0.001)
        os.write(writer, f"{os.getpid()}\n".encode())
        cgroups.join_daemons(lab)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.chdir(folder)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(argv[0], list(argv), dict(environment))
    except OSError as error:
        os.write(writer, str(error).encode())
    finally:
        os._exit(127)


def noted(lab: Lab) -> list[Daemon]:
    """All daemons that the lab has noted down, oldest first."""
    daemons = []
    for path in lab.pids.glob("*.json"):
        try:
            daemons.append(Daemon(**json.loads(path.read_text(encoding="utf-8"))))
        except ValueError:
            continue  # written by a starter that died half-way; the cgroup knows its process
    return sorted(daemons, key=lambda daemon: (daemon.started, daemon.pid))


def find(lab: Lab, name: str) -> Daemon | None:
    """The living daemon of that name, if there is one."""
    return next((daemon for daemon in noted(lab) if daemon.name == name and alive(daemon)), None)


def stop(daemons: Iterable[Daemon], grace: float) -> None:
    """End daemons together: SIGTERM, up to ``grace`` seconds for all of them, then SIGKILL. With no grace, SIGKILL at once."""
    handles: dict[int, Daemon] = {}
    for daemon in daemons:
        try:
            handle = os.pidfd_open(daemon.pid)
        except OSError:
            continue
        if alive(daemon):
            handles[handle] = daemon
        else:
            os.close(handle)
    if grace > 0:
        _signal(handles, signal.SIGTERM)
        _wait(handles, grace)
    _signal(handles, signal.SIGKILL)
    _wait(handles, 5.0)
    for handle in handles:
        os.close(handle)


def forget(lab: Lab, daemons: Sequence[Daemon]) -> None:
    """End daemons and strike them from the notes."""
    stop(daemons, 2.0)
    for daemon in daemons:
        (lab.pids / f"{daemon.name}.json").unlink(missing_ok=True)


def _signal(handles: dict[int, Daemon], number: signal.Signals) -> None:
    for handle in handles:
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue


def _wait(handles: dict[int, Daemon], seconds: float) -> None:
    """Wait until every process has ended; ended ones leave ``handles``."""
    deadline = time.monotonic() + seconds
    while handles and time.monotonic() < deadline:
        poll = select.poll()
        for handle in handles:
            poll.register(handle, select.POLLIN)
        for handle, _event in poll.poll(max(1, int((deadline - time.monotonic()) * 1000))):
            os.close(handle)
            del handles[handle]


def log_tail(path: str | Path, lines: int = 12) -> str:
    """The last lines of a log, for a message about why something failed."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])
