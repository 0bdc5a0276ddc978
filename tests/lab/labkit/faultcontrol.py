# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault proxy from a test's point of view: start it, give it rules, read what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit.layout import SOURCE

PROGRAM = SOURCE / "faultproxy.py"


class FaultProxy:
    """A running fault proxy; as a context manager it ends with the block.

    Args:
        behind: whom to forward to; the kubeconfig of an API server (JSON, with a token), or the URL of any other server.
        folder: gets the proxy's log, and its kubeconfig where it stands before an API server.
        options: further command-line options, such as ``--bodies``.

    The caller has to be inside the lab's network namespace.
    """

    def __init__(self, behind: Path | str, folder: Path, options: Sequence[str] = ()) -> None:
        whom = f"--upstream={behind}" if isinstance(behind, str) else f"--kubeconfig={behind}"
        command = [sys.executable, str(PROGRAM), whom, f"--folder={folder}", *options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the fault proxy ended with status {self._process.wait()}")
        addresses = json.loads(line)
        self.url: str = addresses["url"]
        self.kubeconfig = Path(addresses.get("kubeconfig", ""))
        self._control: str = addresses["control"]

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def rule(self, action: str, **settings: Any) -> str:
        """Put a rule in force (see labkit/faults.py); its name."""
        return str(self._ask("POST", "/rules", {"action": action, **settings})["name"])

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force, with how many requests fitted, were struck and are held."""
        found: list[dict[str, Any]] = self._ask("GET", "/rules")
        return found

    def wait(self, name: str, seconds: float = 30.0) -> bool:
        """Wait until a rule has struck; whether it has."""
        return bool(self._ask("GET", f"/wait?name={name}&seconds={seconds}", patience=seconds + 10)["struck"])

    def release(self, name: str | None = None) -> int:
        """Let go what a rule, or every rule, holds; how many requests."""
        return int(self._ask("POST", f"/release?name={name}" if name else "/release")["released"])

    def clear(self) -> int:
        """Take all rules out of force and let go what they hold; how many requests."""
        return int(self._ask("DELETE", "/rules")["released"])

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """What was requested, in the order of ending."""
        found: list[dict[str, Any]] = self._ask("GET", f"/log?since={since}")
        return found

    def stop(self) -> None:
        """End the proxy."""
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout:
            self._process.stdout.close()

    def _ask(self, method: str, path: str, document: Any = None, patience: float = 10.0) -> Any:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._control + path, data=data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=patience) as response:
            return json.load(response)
