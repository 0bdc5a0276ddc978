# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo in a cluster of the user's own: podinfo's public images, app.yml and canary.yml rewritten for it, and users without a load generator of the lab."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "toolchain"))

import own_cluster  # noqa: E402

RATE = 20                               # requests a second; the lab's load generator does more
MARK = "progressive.delivery/demo"      # a label: this namespace was made by the demo, and only such a one is ever deleted
IMAGES = {"DEMO_FIRST": "6.9.0", "DEMO_GOOD": "6.9.1", "DEMO_BAD": "6.9.2"}
ERRORS = "PODINFO_RANDOM_ERROR"         # makes podinfo answer a third of all requests with an error


@dataclass(frozen=True)
class Own:
    """What the demo needs to know of the cluster; without Prometheus nothing catches a bad release, and there is none."""

    environment: dict[str, str]
    host: str
    first: str
    good: str
    bad: str
    judged: bool

    def release(self, image: str, faulty: bool) -> str:
        """An extra variable for release.yml, in place of the image that it sets: whether the app fails on purpose is a setting there."""
        container = {"name": "podinfo", "image": image, "env": [{"name": ERRORS, "value": str(faulty).lower()}]}
        return json.dumps({"canary_release": {"patch": {"spec": {"containers": [container]}}}})

    def load_command(self) -> list[str]:
        return [sys.executable, str(HERE.parent / "toolchain" / "users.py")]


def found(given: Mapping[str, str]) -> Own:
    """From the environment. Raises OwnClusterError."""
    variables = own_cluster.environment(given, "KUBECONFIG", "GATEWAY", "GATEWAY_URL")
    print(f"Your own cluster: {own_cluster.described(variables)}", flush=True)
    images = [variables.get(name) or f"ghcr.io/stefanprodan/podinfo:{tag}" for name, tag in IMAGES.items()]
    return Own(variables, variables.get("DEMO_HOST") or "podinfo.example.com", *images, judged=bool(variables.get("PROMETHEUS_URL")))


def refuse_foreign(variables: Mapping[str, str], namespace: str) -> None:
    """The demo begins by deleting its namespace. Raises OwnClusterError where there is one that it did not make."""
    command = ["kubectl", "get", "namespace", namespace, "--ignore-not-found", "-o", "json"]
    said = subprocess.run(command, env=dict(variables), capture_output=True, text=True, check=False)
    if said.returncode:
        raise own_cluster.OwnClusterError(f"kubectl get namespace {namespace}: {said.stderr.strip()}")
    if said.stdout.strip() and MARK not in json.loads(said.stdout)["metadata"].get("labels", {}):
        raise own_cluster.OwnClusterError(f"the namespace {namespace} exists and was not made by the demo (it has no label {MARK}); the demo would delete it")


def write_files(own: Own, folder: Path) -> tuple[Path, Path]:
    """app.yml and canary.yml as they have to be here; where they are."""
    import yaml     # not there for `make demo-down` before any set-up

    app, canary = (yaml.safe_load((HERE / name).read_text(encoding="utf-8")) for name in ("app.yml", "canary.yml"))
    app["spec"]["template"]["spec"]["containers"][0].update(image=own.first, imagePullPolicy="IfNotPresent")
    namespace, name = own.environment["GATEWAY"].split("/")
    canary["spec"]["service"].update(hosts=[own.host], gatewayRefs=[{"name": name, "namespace": namespace}])
    canary["spec"].pop("metricsServer")
    if own.judged:
        canary["spec"]["metricsServer"] = own.environment["PROMETHEUS_URL"]
    else:
        canary["spec"]["analysis"]["metrics"] = []
    paths = folder / "app.yml", folder / "canary.yml"
    for path, document in zip(paths, (app, canary)):
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return paths


def down(given: Mapping[str, str], namespace: str) -> int:
    """Remove what the demo made. Raises OwnClusterError."""
    variables = own_cluster.environment(given, "KUBECONFIG", "GATEWAY", "GATEWAY_URL")
    print(f"Your own cluster: {own_cluster.described(variables)}", flush=True)
    refuse_foreign(variables, namespace)
    command = ["kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=90s"]
    return subprocess.run(command, env=variables, check=False).returncode
