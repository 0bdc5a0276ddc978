# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell Prometheus about the pods of a lab that ask to be scraped: ``targets.py NAME``, run by the lab itself.

A pod asks by the annotation ``prometheus.io/scrape: "true"``; ``prometheus.io/port`` (default 9898) and ``prometheus.io/path`` (default /metrics) say where.
Each target has the labels ``kubernetes_namespace`` and ``kubernetes_pod_name`` that Flagger's own queries ask for, ``namespace`` and ``pod`` beside
them, and ``app``.
"""

from __future__ import annotations

import http.client
import sys
import time
from typing import Any

from labkit import kubeapi, prometheus
from labkit.layout import Lab

PODS = "/api/v1/pods"
JOB = "kubernetes-pods"


def target(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The target group of a pod, or None for one that is not to be scraped."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    if annotations.get("prometheus.io/scrape") != "true" or not status.get("podIP") or status.get("phase") != "Running":
        return None
    return {
        "targets": [f"{status['podIP']}:{annotations.get('prometheus.io/port', '9898')}"],
        "labels": {
            "job": JOB,
            "__metrics_path__": annotations.get("prometheus.io/path", "/metrics"),
            "app": labels.get("app", labels.get("app.kubernetes.io/name", "")),
            "kubernetes_namespace": metadata["namespace"],
            "kubernetes_pod_name": metadata["name"],
            "namespace": metadata["namespace"],
            "pod": metadata["name"],
        },
    }


def follow(lab: Lab, api: kubeapi.Api) -> None:
    """Write the targets whenever they change, until the watch ends.

    Raises:
        OSError, http.client.HTTPException, ValueError: the API server could not be read.
    """
    listed = api.get(PODS)
    if listed is None:
        raise OSError("pods cannot be listed")
    pods = {pod["metadata"]["uid"]: target(pod) for pod in listed["items"]}
    written = write(lab, pods)
    version = listed["metadata"]["resourceVersion"]
    for event in api.watch(f"{PODS}?watch=true&timeoutSeconds=300&resourceVersion={version}", 330.0):
        if event["type"] == "ERROR":
            return
        pods[event["object"]["metadata"]["uid"]] = None if event["type"] == "DELETED" else target(event["object"])
        if sorted_targets(pods) != written:
            written = write(lab, pods)


def sorted_targets(pods: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """The targets in an order that does not change by itself."""
    return sorted((group for group in pods.values() if group), key=lambda group: group["targets"])


def write(lab: Lab, pods: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Write the targets, and return what was written."""
    groups = sorted_targets(pods)
    prometheus.write_targets(lab, "pods", groups)
    return groups


def main() -> None:
    """Follow the pods for ever."""
    lab = Lab(sys.argv[1])
    api = kubeapi.Api(lab)
    while True:
        try:
            follow(lab, api)
        except (OSError, http.client.HTTPException, ValueError) as error:
            print(f"pods: {error}; again in a second", flush=True)
            time.sleep(1.0)


if __name__ == "__main__":
    main()
