# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's packages that the lab runs: installed where missing, their services neither started nor enabled."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from labkit.errors import LabError
from labkit.versions import DEBIAN_PACKAGES

POLICY = Path("/usr/sbin/policy-rc.d")
ASIDE = Path("/usr/sbin/policy-rc.d.before-lab")
MARK = "# made by the lab of progressive.delivery for the time of one installation"
SERVICES = ("containerd", "prometheus", "prometheus-node-exporter")


def missing() -> list[str]:
    """Packages that are not installed.

    Raises:
        LabError: this is no Debian.
    """
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        raise LabError(f"The lab takes {', '.join(DEBIAN_PACKAGES)} from a Debian-like distribution by apt-get, which is missing here.")
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *DEBIAN_PACKAGES]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    rows = [line.split() for line in done.stdout.splitlines()]
    installed = {row[0] for row in rows if row[1:] == ["installed"]}
    return [name for name in DEBIAN_PACKAGES if name not in installed]


def install(packages: list[str], log: Path) -> None:
    """Install packages; the package lists are fetched only when the first try fails.

    Raises:
        LabError: apt-get failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as output, _services_held_back():
        if _apt(output, "install", "--yes", "--no-install-recommends", *packages):
            _apt(output, "update")
            if _apt(output, "install", "--yes", "--no-install-recommends", *packages):
                tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
                raise LabError(f"apt-get cannot install {' '.join(packages)}:\n{tail}\nThe whole log: {log}")
        for service in SERVICES:
            if service in packages:
                _disable(service, output)


def _apt(output: TextIO, *arguments: str) -> int:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(["apt-get", "--option=DPkg::Lock::Timeout=120", *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=output,
                          stderr=subprocess.STDOUT, check=False).returncode


@contextlib.contextmanager
def _services_held_back() -> Iterator[None]:
    """Debian asks policy-rc.d whether a package may start its service; for the time of the body the answer is no."""
    _restore_policy()
    if POLICY.exists():
        POLICY.rename(ASIDE)
    POLICY.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        _restore_policy()


def _restore_policy() -> None:
    """Put the machine's own policy back, also the one that an interrupted installation left aside."""
    if POLICY.exists() and MARK in POLICY.read_text(encoding="utf-8", errors="replace"):
        POLICY.unlink()
    if ASIDE.exists():
        ASIDE.rename(POLICY)


def _disable(service: str, output: TextIO) -> None:
    """Keep a service that came with the lab from starting at the next boot."""
    for command in (["systemctl", "--quiet", "disable", f"{service}.service"], ["update-rc.d", service, "disable"]):
        if shutil.which(command[0]) and (command[0] != "update-rc.d" or Path(f"/etc/init.d/{service}").exists()):
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
