# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every part of a lab with its process, health, memory and address."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence

from addons import ADDONS
from labkit import controlplane, environment, loadtester, metrics, network, node, pki, processes, prometheus
from labkit.layout import API_PORT, NODE_IP, Lab
from labkit.processes import Daemon
from labkit.state import State

URLS = {
    "etcd": f"http://127.0.0.1:{controlplane.ETCD_PORT}/health",
    "apiserver": f"https://127.0.0.1:{API_PORT}/readyz",
    "controller-manager": f"https://127.0.0.1:{controlplane.CONTROLLER_MANAGER_PORT}/healthz",
    "scheduler": f"https://127.0.0.1:{controlplane.SCHEDULER_PORT}/healthz",
    "kubelet": f"http://127.0.0.1:{node.KUBELET_HEALTH_PORT}/healthz",
    "kube-proxy": f"http://{NODE_IP}:{node.PROXY_HEALTH_PORT}/livez",
    "prometheus": prometheus.HEALTH,
    loadtester.NAME: loadtester.HEALTH,
    metrics.NAME: metrics.HEALTH,
}


def report(lab: Lab, state: State) -> tuple[str, bool]:
    """A table of all parts and the lab's addresses; whether every part is well. Enters the lab's network namespace."""
    network.enter(lab)
    urls = {**URLS, **{daemon: url for name in state.gateways for daemon, url in ADDONS[name].health.items()}}
    rows = [("PART", "PID", "HEALTH", "MB", "ADDRESS")]
    well = True
    for daemon in processes.noted(lab):
        health = _health(lab, daemon, urls.get(daemon.name))
        well = well and health in ("ok", "running")
        megabytes = f"{processes.resident_megabytes(daemon.pid):.0f}" if processes.alive(daemon) else "-"
        rows.append((daemon.name, str(daemon.pid), health, megabytes, urls.get(daemon.name, "")))
    total = sum(processes.resident_megabytes(daemon.pid) for daemon in processes.noted(lab) if processes.alive(daemon))
    rows.append(("all parts", "", "ok" if well else "not well", f"{total:.0f}", ""))
    names = ("PROMETHEUS_URL", "GATEWAY_URL", "LOADTESTER_URL", "KUBECONFIG", "LAB_AUDIT_LOG", "LAB_EXEC")
    known = environment.variables(lab, state)
    addresses = [f"{name:<15} {known[name]}" for name in names if name in known]
    head = f"Lab {lab.name}, up for {' and '.join(state.purposes)}; logs in {lab.logs}; its addresses answer inside its network namespace."
    return "\n".join([head, "", *_columns(rows), "", *addresses]), well


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _health(lab: Lab, daemon: Daemon, url: str | None) -> str:
    if not processes.alive(daemon):
        return "ended"
    if url is None:
        return "running"
    request = urllib.request.Request(url)
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # some of them sign their own certificates; only their health is read
        if f":{API_PORT}/" in url:
            request.add_header("Authorization", f"Bearer {pki.token_of(lab.kubeconfig)}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=3.0) as response:
            return "ok" if response.status == 200 else f"says {response.status}"
    except urllib.error.HTTPError as error:
        return f"says {error.code}"
    except (OSError, http.client.HTTPException):
        return "silent"
