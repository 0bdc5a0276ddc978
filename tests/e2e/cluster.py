# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster offers that the tests run in: the lab, or one of the user's own, where a test that needs more is skipped and says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

OWN = os.environ.get("PROGRESSIVE_DELIVERY_CLUSTER") == "own"
_NEEDED = ("KUBECONFIG", "PROMETHEUS_URL", *(("GATEWAY_URL", "GATEWAY") if OWN else ("LAB_GATEWAYS",)))

SERVED_AFTER = 60.0         # seconds after the lab's start that an API behind its API server may take

_TESTAPP, _PODINFO = "lab.local/testapp", "lab.local/podinfo"
# Which public versions stand for the lab's images of an app without faults.
_PUBLIC = {"1": "6.9.0", "2": "6.9.1", "3": "6.9.2", "A": "6.9.0", "B": "6.9.1", "C": "6.9.2"}
_HARMLESS = {"VERSION", "ON_TERM", "PODINFO_UI_MESSAGE"}       # settings that podinfo may not know
_known_as: dict[str, str] = {}


def missing() -> str:
    """The variables that are not set, and how they are; empty where none is missing."""
    names = [name for name in _NEEDED if not os.environ.get(name)]
    if not names:
        return ""
    how = "make test-e2e CLUSTER=own says what each means" if OWN else 'make lab-up; eval "$(make -s lab-env)"; $LAB_EXEC pytest tests/e2e'
    return f"the cluster's environment is not set ({', '.join(names)}): {how}"


def gateways() -> dict[str, dict[str, str]]:
    """Every gateway by name, with its url and the namespace/name of its Gateway; the one of a user's own stands for the lab's first."""
    if OWN:
        return {"traefik": {"url": os.environ["GATEWAY_URL"], "gateway": os.environ["GATEWAY"]}}
    return json.loads(os.environ["LAB_GATEWAYS"])


def image(name: str, settings: Sequence[str] = ()) -> str:
    """What the lab calls ``name``, in this cluster: the same program where the user has it, else podinfo where that will do."""
    if not OWN:
        return name
    repository, _colon, tag = name.rpartition(":")
    own = os.environ.get({_TESTAPP: "TESTAPP_IMAGE", _PODINFO: "PODINFO_IMAGE"}[repository])
    found = f"{own}:{tag}" if own else _podinfo(name, tag, settings)
    _known_as[found] = name
    return found


def _podinfo(name: str, tag: str, settings: Sequence[str]) -> str:
    strange = sorted(set(settings) - _HARMLESS)
    if tag not in _PUBLIC or strange:
        pytest.skip(f"needs the test app ({name}{' with ' if strange else ''}{', '.join(strange)}), and TESTAPP_IMAGE names no repository of its images")
    return f"ghcr.io/stefanprodan/podinfo:{_PUBLIC[tag]}"


def known_as(found: str) -> str:
    """The name that the tests know an image by."""
    return _known_as.get(found, found)


def pull_policy() -> str:
    return "IfNotPresent" if OWN else "Never"


def admin() -> dict[str, Any]:
    """The kubeconfig of the tests, with only the context in use and nothing that stands in other files."""
    command = ["kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def audit_log() -> Path:
    if OWN:
        pytest.skip("what was asked of the API server is read from the audit log of the lab")
    return Path(os.environ["LAB_AUDIT_LOG"])


def needs_api(version: str, of: str) -> None:
    """``version`` is a group and a version, which the lab serves as a cluster with ``of`` does, soon after its start."""
    deadline = time.monotonic() + (0 if OWN else SERVED_AFTER)
    while (asked := subprocess.run(["kubectl", "get", "--raw", f"/apis/{version}"], capture_output=True, text=True, check=False)).returncode:
        if time.monotonic() < deadline:
            time.sleep(1)
            continue
        (pytest.skip if OWN else pytest.fail)(f"needs {of}: the API server does not serve {version} ({asked.stderr.strip()})")


def load_tester() -> str:
    if not os.environ.get("LOADTESTER_URL"):
        pytest.skip("needs Flagger's load tester, and LOADTESTER_URL names none")
    return os.environ["LOADTESTER_URL"]


def load_generator(arguments: Sequence[str]) -> list[str]:
    if not OWN:
        return ["loadgen"]
    if arguments:
        pytest.skip(f"needs the load generator of the lab ({arguments[0]})")
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "toolchain" / "users.py")]
