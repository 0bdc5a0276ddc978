# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics API, by which Kubernetes' own autoscaler sees what pods use: metrics-server as a process of the lab, over its kubelet.

It serves from the second reading of a pod on, ten to twenty seconds after that pod has started.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from labkit import kubeapi, network, pki, processes
from labkit.layout import NODE_IP, Lab

NAME = "metrics-server"
NAMESPACE = "kube-system"
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
PORT = 10251
HEALTH = f"https://{NODE_IP}:{PORT}/livez"
"""Not ``readyz``, which tells whether there are readings already."""

HOST = f"{NAME}.{NAMESPACE}.svc"
"""By which the API server knows it, whatever its address."""

RESOLUTION = "10s"
"""How often the kubelet is read; it takes no less."""


def start(lab: Lab, built: Mapping[str, Path]) -> None:
    """Start it; ``register`` makes it the cluster's."""
    network.require_free({PORT: NAME})
    pki.serving(lab, NAME, HOST)
    processes.start(lab, NAME, [
        str(built[NAME] / NAME), f"--kubeconfig={lab.kubeconfig}", f"--authentication-kubeconfig={lab.kubeconfig}",
        f"--authorization-kubeconfig={lab.kubeconfig}", f"--bind-address={NODE_IP}", f"--secure-port={PORT}",
        f"--tls-cert-file={lab.pki / f'{NAME}.crt'}", f"--tls-private-key-file={lab.pki / f'{NAME}.key'}",
        "--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--kubelet-request-timeout=5s", f"--metric-resolution={RESOLUTION}",
    ])


def register(lab: Lab, kube: Path) -> None:
    """Let the API server pass on what it is asked of metrics. Before it answers, every namespace that is deleted would wait for it."""
    kubeapi.wait_for("The metrics server", 60.0, lambda: network.answers(PORT, NODE_IP), lambda: processes.log_tail(lab.logs / f"{NAME}.log", 6))
    authority = base64.b64encode((lab.pki / f"{pki.CA}.crt").read_bytes()).decode()
    kubeapi.kubectl(lab, kube, "apply", "--server-side", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(authority)}))


def _objects(authority: str) -> list[dict[str, object]]:
    """A Service of an address that no pod has; a slice may not name a loopback address."""
    place = {"name": NAME, "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": {"ports": [{"name": "https", "port": 443, "targetPort": PORT}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**place, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{VERSION}.{GROUP}"},
            "spec": {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100, "service": place, "caBundle": authority},
        },
    ]
