# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a lab up: the ground, the cluster on it, then what was asked for beside it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from addons import ADDONS
from addons.interface import Addon
from labkit import (cgroups, controlplane, down, environment, kubeapi, loadtester, metrics, mounts, network, node, pki, preflight, processes, prometheus,
                    recipes, state as states)
from labkit.errors import LabError
from labkit.layout import Lab, cache_root
from labkit.progress import Report
from labkit.state import State

TMPFS_MEGABYTES = 3072
MEMORY_GIBIBYTES = 2.0


def up(lab: Lab, purpose: str, gateways: Sequence[str], built: dict[str, Path], report: Report) -> None:
    """Bring the lab up, or to what is asked beyond what it is up for.

    Raises:
        LabError: it cannot be; what was started then is ended again.
    """
    state = states.read(lab)
    if state is not None and state.phase == states.UP and _complete(lab):
        network.enter(lab)
        _extend_running(lab, state, purpose, gateways, built, report)
        return
    if lab.root.exists():
        dead = [daemon.name for daemon in processes.noted(lab) if not processes.alive(daemon)]
        why = f", of which {', '.join(dead)} ended" if dead else ""
        report.headline(f"Removing what is left of an earlier lab {lab.name}{why}.")
        down.down(lab)
    elif network.exists(lab):
        raise LabError(f"There is a network namespace {lab.name} that is no lab's. Choose another name: --name NAME")
    try:
        _start(lab, purpose, gateways, built, report)
    except BaseException as error:
        kept = _keep_logs(lab)
        down.down(lab)
        if isinstance(error, LabError) and kept:
            raise LabError(f"{error}\nThe logs of this start: {kept}") from error
        raise
    report.headline(f"The lab {lab.name} is up after {report.seconds():.1f} s.")


def _complete(lab: Lab) -> bool:
    """Whether every daemon that was started still runs."""
    daemons = processes.noted(lab)
    return bool(daemons) and all(processes.alive(daemon) for daemon in daemons)


def _extend_running(lab: Lab, state: State, purpose: str, gateways: Sequence[str], built: dict[str, Path], report: Report) -> None:
    """Add what is asked for to a lab that is up; what cannot be added leaves it as it was."""
    before = {daemon.name for daemon in processes.noted(lab)}
    try:
        added = _extend(lab, state, purpose, gateways, built, report)
    except BaseException:
        processes.forget(lab, [daemon for daemon in processes.noted(lab) if daemon.name not in before])
        raise
    report.headline(f"The lab {lab.name} now has what was asked for." if added else f"The lab {lab.name} is up already.")


def _keep_logs(lab: Lab) -> Path | None:
    """Copy the logs of a start that failed to where its teardown does not reach; the folder."""
    if not lab.logs.is_dir():
        return None
    kept = cache_root() / "log" / f"failed-start-{lab.name}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(lab.logs, kept)
    return kept


def _start(lab: Lab, purpose: str, gateways: Sequence[str], built: dict[str, Path], report: Report) -> None:
    preflight.memory(MEMORY_GIBIBYTES)
    mounts.create_tmpfs(lab, TMPFS_MEGABYTES)
    for folder in (lab.logs, lab.pids):
        folder.mkdir()
    state = State(states.STARTING, built={name: str(folder) for name, folder in built.items()})
    states.write(lab, state)
    cgroups.create(lab)
    network.create(lab)
    kube = built["kube"] / "kube"
    pki.create(lab)
    node.prepare(lab)
    node.start_containerd(lab)
    controlplane.start_store_and_api(lab, kube)
    report.say("etcd, the API server and containerd are started")
    node.import_images(lab, built["images"] / "images.tar")
    api = kubeapi.Api(lab)
    controlplane.wait_until_api_ready(lab, api)
    controlplane.start_controllers(lab, kube)
    node.start_kubelet_and_proxy(lab, kube)
    environment.write_programs(lab, built)
    prometheus.start(lab, {})
    report.say("the API server is ready; the node starts")
    node.wait_until_ready(lab, api)
    report.say("the node is ready")
    _extend(lab, state, purpose, gateways, built, report)


def _extend(lab: Lab, state: State, purpose: str, gateways: Sequence[str], built: dict[str, Path], report: Report) -> bool:
    """Start what is asked for and not there yet; whether there was anything. A lab keeps the programs that it was started with."""
    new_gateways = [name for name in gateways if name not in state.gateways]
    new_purpose = purpose not in state.purposes and not (purpose == recipes.DEMO and recipes.TESTS in state.purposes)
    other = sorted(name for name, folder in built.items() if state.built.get(name, str(folder)) != str(folder))
    if other:
        report.say(f"there are newer builds of {', '.join(other)}; the lab takes them after down and up")
    if not new_gateways and not new_purpose and state.phase == states.UP:
        return False
    state = replace(state, built={**{name: str(folder) for name, folder in built.items()}, **state.built})
    new_tests = new_purpose and purpose == recipes.TESTS
    if new_tests:
        metrics.start(lab, state.folders())     # first of all, so that nobody waits for it below
    crds = [path for name in new_gateways for path in ADDONS[name].crds(state.folders())]
    _apply_crds(lab, state, list(dict.fromkeys(crds)))
    for name in new_gateways:
        _add_gateway(lab, state, ADDONS[name])
        state = replace(state, gateways=(*state.gateways, name))
        states.write(lab, state)
        report.say(f"the gateway {name} is ready")
    if new_tests:
        _add_peers(lab, state)
        report.say("the CRDs of Flagger and KEDA, the load tester and the metrics API are there")
    states.write(lab, replace(state, phase=states.UP, purposes=tuple(sorted({*state.purposes, purpose}))))
    return True


def _add_gateway(lab: Lab, state: State, addon: Addon) -> None:
    network.require_free(dict(addon.ports))
    addon.start(lab, state.folders())
    prometheus.add_gateways(lab, {addon.name: addon.metrics})


def _add_peers(lab: Lab, state: State) -> None:
    built = state.folders()
    environment.write_programs(lab, built)
    _apply_crds(lab, state, [built["flagger-crds"] / "crd.yaml", *built["keda-crd"].glob("*.yaml")])
    loadtester.start(lab, built, environment.path_for(lab))
    metrics.register(lab, built["kube"] / "kube")


def _apply_crds(lab: Lab, state: State, files: list[Path]) -> None:
    """Apply manifests of CRDs (large, hence on the server's side) and wait until they are served."""
    if not files:
        return
    kube = state.folders()["kube"] / "kube"
    arguments = [f"--filename={path}" for path in files]
    kubeapi.kubectl(lab, kube, "apply", "--server-side", "--force-conflicts", *arguments)
    kubeapi.kubectl(lab, kube, "wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
