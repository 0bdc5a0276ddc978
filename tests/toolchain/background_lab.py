# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as the test stages use it: built and started beside them, stopped at the end unless it was up before."""
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading

import prepare

LAB = prepare.ROOT / "tests" / "lab" / "lab.py"
TAIL = 40


class LabError(Exception):
    """The lab did not come up; the text ends with the last lines of what it said."""


class Lab:
    """`with Lab(name, log) as lab:` starts it in the background; `lab.environment()` waits until it is there.

    One that is up gets what tests need beside what it has, and is started anew where a part of it has ended. An empty name is the lab's own default.
    """

    def __init__(self, name: str, log: pathlib.Path) -> None:
        self.name = name
        self.log = log
        # Not `status`, which also fails for a lab that is up and unwell: that one is not ours to stop.
        self.was_up = self._call("env").returncode == 0
        self._failed: str | None = None
        self._running: subprocess.Popen[str] | None = None
        self._stopping = False
        self._starting = False
        self._thread = threading.Thread(target=self._start, daemon=True)

    def __enter__(self) -> Lab:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping = True
        if self._running is not None and self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGTERM)
        self._thread.join()
        if self.was_up or not self._starting:
            return
        result = self._call("down")
        if result.returncode:
            print(f"the lab could not be stopped:\n{result.stdout}", file=sys.stderr)

    def environment(self) -> dict[str, str]:
        """The variables that `lab-env` exports. Raises LabError."""
        if self._thread.is_alive():
            print(f"waiting for the lab ({self.log})", flush=True)
        self._thread.join()
        if self._failed:
            raise LabError(self._failed)
        said = self._call("env")
        if said.returncode:
            raise LabError(f"the lab does not say its environment\n{said.stdout}")
        # From a nearly empty environment, to tell what the lab sets from what was set already.
        evaluate = ["env", "-i", f"PATH={os.environ['PATH']}", "bash", "-c", 'eval "$1"; env -0', "bash", said.stdout]
        result = subprocess.run(evaluate, capture_output=True, text=True, check=True)
        variables = dict(entry.split("=", 1) for entry in result.stdout.split("\0") if entry)
        return {name: value for name, value in variables.items() if name not in ("_", "PWD", "SHLVL")}

    def _start(self) -> None:
        with open(self.log, "w", encoding="utf-8") as log:
            # Only the build is niced: what `up` starts would keep the low priority for as long as it lives.
            for step, prefix in (("build", ["nice", "-n", "10"]), ("up", [])):
                if self._stopping:
                    return
                self._starting = step == "up"
                command = [*prefix, *self._command(step), "--for", "tests"]
                self._running = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True
                )
                if self._running.wait():
                    last = "".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-TAIL:])
                    self._failed = f"lab.py {step} failed\n{last}"
                    return

    def _call(self, verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(verb), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    def _command(self, verb: str) -> list[str]:
        return [sys.executable, str(LAB), verb, *(["--name", self.name] if self.name else [])]
