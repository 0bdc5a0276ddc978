# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd, API server, controller-manager and scheduler, all from the one binary ``kube``."""

from __future__ import annotations

import json
from pathlib import Path

from labkit import kubeapi, network, processes
from labkit.layout import API_PORT, NODE_IP, SERVICE_CIDR, Lab
from labkit.pki import FRONT_PROXY, FRONT_PROXY_CA

ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259

PORTS = {
    ETCD_PORT: "etcd",
    ETCD_PEER_PORT: "etcd",
    API_PORT: "apiserver",
    CONTROLLER_MANAGER_PORT: "controller-manager",
    SCHEDULER_PORT: "scheduler",
}

AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}


def start_store_and_api(lab: Lab, kube: Path) -> None:
    """Start etcd and the API server; they find each other."""
    network.require_free(PORTS)
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    processes.start(lab, "etcd", [
        str(kube), "etcd", f"--data-dir={lab.root / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
    ])
    policy = lab.root / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")
    pki = lab.pki
    processes.start(lab, "apiserver", [
        str(kube), "apiserver", f"--etcd-servers={client}", "--bind-address=0.0.0.0", f"--advertise-address={NODE_IP}", f"--secure-port={API_PORT}",
        f"--tls-cert-file={pki / 'apiserver.crt'}", f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}", f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--token-auth-file={pki / 'tokens.csv'}", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        f"--audit-policy-file={policy}", f"--audit-log-path={lab.audit_log}", "--audit-log-maxsize=500", "--audit-log-maxbackup=1",
        "--kubelet-preferred-address-types=InternalIP", f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}", *_as_front_proxy(pki),
    ])


def _as_front_proxy(pki: Path) -> list[str]:
    """How the API server tells one behind it, such as the metrics API's, who asks; also in a lab that has none, since it may get one later."""
    return [
        f"--requestheader-client-ca-file={pki / f'{FRONT_PROXY_CA}.crt'}", f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / f'{FRONT_PROXY}.crt'}", f"--proxy-client-key-file={pki / f'{FRONT_PROXY}.key'}",
    ]


def start_controllers(lab: Lab, kube: Path) -> None:
    """Start the controller-manager, with an autoscaler quick enough for tests, and the scheduler."""
    pki = lab.pki
    processes.start(lab, "controller-manager", [
        str(kube), "controller-manager", f"--kubeconfig={pki / 'controller-manager.kubeconfig'}", "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}", f"--root-ca-file={pki / 'ca.crt'}", f"--secure-port={CONTROLLER_MANAGER_PORT}",
        "--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-downscale-stabilization=10s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=2s", "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
    ])
    processes.start(lab, "scheduler", [
        str(kube), "scheduler", f"--kubeconfig={pki / 'scheduler.kubeconfig'}", "--leader-elect=false", f"--secure-port={SCHEDULER_PORT}",
    ])


def wait_until_api_ready(lab: Lab, api: kubeapi.Api, seconds: float = 180.0) -> None:
    """Wait for the API server; a dead one is reported with the end of its log."""

    def explain() -> str:
        return "\n".join(f"{name}.log: {processes.log_tail(lab.logs / (name + '.log'), 6)}" for name in ("etcd", "apiserver"))

    kubeapi.wait_for("The API server's readiness", seconds, api.ready, explain)
