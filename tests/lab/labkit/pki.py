# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates, tokens and kubeconfigs of one lab; made anew at each start, gone with its tmpfs."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

from labkit.errors import LabError
from labkit.layout import API_PORT, NODE, NODE_IP, SERVICE_IP, Lab

DAYS = "30"
USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
}
"""Short name -> Kubernetes user and group."""

CA = "ca"
FRONT_PROXY_CA = "front-proxy-ca"
FRONT_PROXY = "front-proxy-client"
"""Name in the certificate by which an API server behind the lab's own knows whom to believe about users."""

NAMES = f"subjectAltName=IP:127.0.0.1,IP:{NODE_IP},IP:{SERVICE_IP},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc"


def create(lab: Lab) -> None:
    """Write all of it to the lab's ``pki`` folder.

    Raises:
        LabError: openssl failed.
    """
    lab.pki.mkdir(mode=0o700)
    _openssl(lab.pki, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "service-accounts.key")
    _authority(lab.pki, CA)
    _authority(lab.pki, FRONT_PROXY_CA)
    _certificate(lab.pki, "apiserver", "/CN=kube-apiserver", NAMES)
    _certificate(lab.pki, "apiserver-kubelet-client", "/O=system:masters/CN=apiserver-kubelet-client", "basicConstraints=CA:FALSE")
    _certificate(lab.pki, FRONT_PROXY, f"/CN={FRONT_PROXY}", "basicConstraints=CA:FALSE", FRONT_PROXY_CA)
    rows = []
    for short, (user, group) in USERS.items():
        token = secrets.token_hex(16)
        rows.append(f'{token},{user},{short},"{group}"' if group else f"{token},{user},{short}")
        write_kubeconfig(lab.pki / f"{short}.kubeconfig", f"https://127.0.0.1:{API_PORT}", token, lab.pki / "ca.crt")
    (lab.pki / "tokens.csv").write_text("\n".join(rows) + "\n", encoding="ascii")


def write_kubeconfig(path: Path, server: str, token: str, authority: Path | None) -> None:
    """Write a kubeconfig (JSON is YAML) with one cluster and one user; without ``authority`` the server is plain HTTP."""
    cluster: dict[str, str] = {"server": server}
    if authority:
        cluster["certificate-authority"] = str(authority)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def token_of(kubeconfig: Path) -> str:
    """The bearer token in a kubeconfig that ``write_kubeconfig`` wrote."""
    return str(json.loads(kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]["token"])


def _new_key(name: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name]


def _authority(folder: Path, name: str) -> None:
    _openssl(folder, "req", "-x509", *_new_key(f"{name}.key"), "-out", f"{name}.crt", "-days", DAYS, "-subj", f"/CN=lab-{name}")


def serving(lab: Lab, name: str, host: str) -> None:
    """Write ``NAME.crt`` and ``NAME.key`` of a server that is called ``host``, signed by the lab's own authority.

    Raises:
        LabError: openssl failed.
    """
    _certificate(lab.pki, name, f"/CN={host}", f"subjectAltName=DNS:{host}")


def _certificate(folder: Path, name: str, subject: str, extension: str, authority: str = CA) -> None:
    (folder / f"{name}.ext").write_text(extension + "\n", encoding="ascii")
    _openssl(folder, "req", *_new_key(f"{name}.key"), "-out", f"{name}.csr", "-subj", subject)
    _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial",
             "-days", DAYS, "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
