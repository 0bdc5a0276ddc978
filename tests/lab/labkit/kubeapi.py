# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the lab's API server, and kubectl for what it does better."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labkit import pki
from labkit.errors import LabError
from labkit.layout import API_PORT, Lab


class Api:
    """Requests to the API server as the lab's admin; only from inside the lab's network namespace."""

    def __init__(self, lab: Lab) -> None:
        self._token = pki.token_of(lab.kubeconfig)
        self._tls = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))

    def _open(self, path: str, seconds: float) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", API_PORT, timeout=seconds, context=self._tls)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"})
        return connection.getresponse()

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            with self._open("/readyz", 2.0) as response:
                return response.status == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """The object or list at ``path``, or None where there is none or no answer."""
        try:
            with self._open(path, 5.0) as response:
                body = response.read()
                return json.loads(body) if response.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def watch(self, path: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Watch events of the list at ``path``, until the server ends the watch or is silent for ``seconds``.

        Raises:
            OSError, http.client.HTTPException, ValueError: the connection broke.
        """
        with self._open(path, seconds) as response:
            if response.status != 200:
                raise OSError(f"watch {path}: {response.status}")
            for line in response:
                yield json.loads(line)


def kubectl(lab: Lab, kube: Path, *arguments: str, stdin: str | None = None) -> str:
    """What kubectl prints.

    Raises:
        LabError: kubectl failed.
    """
    command = [str(kube), "kubectl", f"--kubeconfig={lab.kubeconfig}", f"--cache-dir={lab.root / 'kubectl-cache'}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"kubectl {' '.join(arguments[:3])} failed: {done.stderr.strip()}")
    return done.stdout


def wait_for(what: str, seconds: float, condition: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> None:
    """Poll until the condition holds.

    Raises:
        LabError: it did not within ``seconds``; ``explain`` adds why.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            reason = explain()
            raise LabError(f"{what} did not come about within {seconds:g} s." + (f"\n{reason}" if reason else ""))
        time.sleep(0.05)


def is_ready(resource: dict[str, Any] | None, condition: str = "Ready") -> bool:
    """Whether a condition of an object is True."""
    conditions = ((resource or {}).get("status") or {}).get("conditions") or []
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)
