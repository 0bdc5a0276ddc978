# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where and with what a measurement was taken."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def describe() -> dict[str, str]:
    """Date, machine and versions."""
    server = json.loads(_said("kubectl", "version", "-o", "json") or "{}").get("serverVersion", {})
    return {
        "date": datetime.now(tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(os.cpu_count()),
        "cpu": _cpu(),
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "progressive.delivery": " ".join(filter(None, (yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"], _commit()))),
        "ansible-core": importlib.metadata.version("ansible-core"),
        "python": platform.python_version(),
        "kubernetes client": importlib.metadata.version("kubernetes"),
        "kubernetes": server.get("gitVersion", "unknown"),
        "gateway": os.environ.get("LAB_GATEWAY", "unknown"),
        "kernel": platform.release(),
    }


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), platform.machine())


def _commit() -> str:
    """The commit of the checkout, and whether the plugins differ from it; nothing where there is no repository."""
    commit = _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--", "plugins", "roles")
    return f"{commit}{' with changes' if changed else ''}" if commit else ""


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
