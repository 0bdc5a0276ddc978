# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one node: containerd with runc and a bridge for pods, kube-proxy, and the kubelet."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from labkit import hostpaths, kubeapi, mounts, network, processes
from labkit.errors import LabError
from labkit.images import PAUSE
from labkit.layout import NODE, NODE_IP, POD_CIDR, Lab

KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_HEALTH_PORT = 10256
PROXY_METRICS_PORT = 10249
PORTS = {KUBELET_PORT: "kubelet", KUBELET_HEALTH_PORT: "kubelet", PROXY_HEALTH_PORT: "kube-proxy", PROXY_METRICS_PORT: "kube-proxy"}
CNI_PLUGINS = "/usr/lib/cni"

CONTAINERD_CONFIG = """\
version = 2
root = "{root}/containerd/root"
state = "{root}/containerd/state"
oom_score = 0
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{root}/cni"
"""

KERNEL_SETTINGS = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
                   "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}
"""What a kubelet sets for the whole machine when it finds another value; the lab's finds these, in files of its own."""


def wired_in(lab: Lab) -> list[tuple[Path, Path]]:
    """(where the lab keeps it, the path that containerd or the kubelet has wired in)."""
    return [
        (lab.root / "wired" / "containerd", Path("/run/containerd")),
        (lab.root / "wired" / "cni", Path("/var/lib/cni")),
        (lab.root / "wired" / "kubelet", Path("/var/lib/kubelet")),
        (lab.root / "wired" / "containers", Path("/var/log/containers")),
    ]


def prepare(lab: Lab) -> None:
    """Write all configuration of the node, and make the places that are bound over wired-in paths."""
    for folder in ("containerd", "cni", "kubelet", "pods"):
        (lab.root / folder).mkdir()
    for source, _target in wired_in(lab):
        source.mkdir(parents=True)
    hostpaths.provide(target for _source, target in wired_in(lab))
    for name, value in KERNEL_SETTINGS.items():
        path = lab.root / "wired" / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n", encoding="ascii")
    config = CONTAINERD_CONFIG.format(root=lab.root, socket=lab.containerd_socket, pause=PAUSE, cni=CNI_PLUGINS)
    (lab.root / "containerd" / "config.toml").write_text(config, encoding="utf-8")
    _write(lab.root / "cni" / "10-lab.conflist", _pod_network(lab))
    _write(lab.root / "kubelet.json", _kubelet_config(lab))
    _write(lab.root / "kube-proxy.json", _proxy_config(lab))


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _pod_network(lab: Lab) -> dict[str, Any]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": POD_CIDR}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(lab.root / "cni-addresses")}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "promiscMode": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]}


def _kubelet_config(lab: Lab) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(lab.pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{lab.cgroup}",
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{lab.containerd_socket}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "3%", "imagefs.available": "3%"},
        "failSwapOn": False,
        "hairpinMode": "hairpin-veth",
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "nodeStatusReportFrequency": "10s",
        "nodeStatusUpdateFrequency": "1s",
        "podLogsDir": str(lab.root / "pods"),
        "registerNode": True,
        "resolvConf": "",
        "shutdownGracePeriod": "0s",
        "volumePluginDir": str(lab.root / "kubelet" / "volume-plugins"),
    }


def _proxy_config(lab: Lab) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "clientConnection": {"kubeconfig": str(lab.pki / "proxy.kubeconfig")},
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "hostnameOverride": NODE,
    }


def start_containerd(lab: Lab) -> None:
    """Start containerd; its shims and runc share its view of the wired-in paths."""
    command = ["containerd", "--config", str(lab.root / "containerd" / "config.toml")]
    processes.start(lab, "containerd", mounts.with_private_binds(wired_in(lab)[:2], command))


def import_images(lab: Lab, archive: Path, seconds: float = 60.0) -> None:
    """Give containerd all images of the lab, as soon as it answers.

    Raises:
        LabError: it does not answer in time, or refuses.
    """
    done: list[subprocess.CompletedProcess[str]] = []

    def imported() -> bool:
        done.append(ctr(lab, "image", "import", str(archive)))
        return done[-1].returncode == 0

    def explain() -> str:
        return done[-1].stderr.strip()

    kubeapi.wait_for("Importing the images", seconds, imported, explain)


def ctr(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run containerd's client in the namespace that Kubernetes uses."""
    command = ["ctr", "--address", str(lab.containerd_socket), "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def start_kubelet_and_proxy(lab: Lab, kube: Path) -> None:
    """Start kube-proxy and the kubelet."""
    network.require_free(PORTS)
    processes.start(lab, "kube-proxy", [str(kube), "proxy", f"--config={lab.root / 'kube-proxy.json'}"])
    settings = [(lab.root / "wired" / "sys" / name, Path("/proc/sys") / name) for name in KERNEL_SETTINGS if (Path("/proc/sys") / name).exists()]
    command = [
        str(kube), "kubelet", f"--config={lab.root / 'kubelet.json'}", f"--kubeconfig={lab.pki / 'kubelet.kubeconfig'}", f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}", f"--root-dir={lab.root / 'kubelet'}", f"--cert-dir={lab.root / 'kubelet' / 'pki'}",
    ]
    processes.start(lab, "kubelet", mounts.with_private_binds(wired_in(lab)[2:] + settings, command), {"AWS_EC2_METADATA_DISABLED": "true"})


def wait_until_ready(lab: Lab, api: kubeapi.Api, seconds: float = 180.0) -> None:
    """Wait until pods can be made: the node is Ready and the default service account is there."""

    def explain() -> str:
        return "\n".join(f"{name}.log: {processes.log_tail(lab.logs / (name + '.log'), 6)}" for name in ("kubelet", "containerd"))

    kubeapi.wait_for("The node's readiness", seconds, lambda: kubeapi.is_ready(api.get(f"/api/v1/nodes/{NODE}")), explain)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    kubeapi.wait_for("The default service account", seconds, lambda: api.get(account) is not None, explain)


def tag_image(lab: Lab, old: str, new: str) -> None:
    """Give an image a further name.

    Raises:
        LabError: there is no such image, or the new name is taken.
    """
    done = ctr(lab, "image", "tag", old, new)
    if done.returncode:
        raise LabError(f"{old} cannot be tagged as {new}: {done.stderr.strip()}")
