# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program needs to know to work with a lab, and commands inside it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from addons import ADDONS
from labkit import loadtester
from labkit.layout import PROMETHEUS_PORT, REPOSITORY, Lab
from labkit.recipes import TESTS
from labkit.state import State

COLLECTIONS = REPOSITORY / ".build" / "tree"
PYTHON_PROGRAMS = REPOSITORY / ".venv" / "bin"


def path_for(lab: Lab) -> str:
    """PATH with the project's Python programs first and the lab's after them."""
    first = [str(PYTHON_PROGRAMS), str(lab.bin)]
    rest = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part not in first]
    return os.pathsep.join(first + rest)


def variables(lab: Lab, state: State) -> dict[str, str]:
    """The environment variables of a lab, in the order of printing. URLs answer inside its network namespace only."""
    found = {
        "LAB_NAME": lab.name,
        "LAB_DIR": str(lab.root),
        "LAB_EXEC": shlex.join(lab.enter),
        "LAB_AUDIT_LOG": str(lab.audit_log),
        "KUBECONFIG": str(lab.kubeconfig),
        "PROMETHEUS_URL": f"http://127.0.0.1:{PROMETHEUS_PORT}",
    }
    gateways = {name: {"url": ADDONS[name].url, "gateway": ADDONS[name].gateway} for name in state.gateways}
    if gateways:
        first = next(iter(gateways.values()))
        found.update(GATEWAY_URL=first["url"], LAB_GATEWAY=first["gateway"], LAB_GATEWAYS=json.dumps(gateways))
    if TESTS in state.purposes:
        found["LOADTESTER_URL"] = loadtester.URL
        found["LAB_FLAGGER"] = state.built.get("flagger-crds", "")
    found["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
    found["PATH"] = path_for(lab)
    return found


def exports(lab: Lab, state: State) -> str:
    """The variables as lines for a shell to evaluate."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables(lab, state).items())


def run_inside(lab: Lab, state: State, command: list[str]) -> None:
    """Become that command, inside the lab's network namespace; returns only by an exception.

    Raises:
        OSError: there is no such program.
    """
    sys.stdout.flush()
    environment = {**os.environ, **variables(lab, state)}
    argv = [*lab.enter, *command]
    os.execvpe(argv[0], argv, environment)


def write_programs(lab: Lab, built: dict[str, Path]) -> None:
    """Fill the lab's bin folder: a kubectl that enters the namespace by itself, and the programs for load and questions."""
    lab.bin.mkdir(exist_ok=True)
    enter = shlex.join(lab.enter)
    kube = shlex.quote(str(built["kube"] / "kube"))
    cache = shlex.quote(str(lab.root / "kubectl-cache"))
    _script(lab.bin / "kubectl", f'export KUBECONFIG="${{KUBECONFIG:-{lab.kubeconfig}}}"\nexec {enter} {kube} kubectl --cache-dir={cache} "$@"')
    testapp = shlex.quote(str(built["testapp"] / "testapp"))
    _script(lab.bin / "loadgen", f'exec {enter} {testapp} load "$@"')
    for recipe, programs in (("podinfo", ("podcli",)), ("hey", ("hey",)), ("testapp", ("testapp",))):
        for program in programs if recipe in built else ():
            link = lab.bin / program
            link.unlink(missing_ok=True)
            link.symlink_to(built[recipe] / program)


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
