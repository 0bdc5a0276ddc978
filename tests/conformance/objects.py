# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that stands in a namespace and may have been made or changed for a canary."""

from __future__ import annotations

from typing import Any

from harness import Release, api

KINDS = ("deployment", "daemonset", "service", "configmap", "secret", "horizontalpodautoscaler", "scaledobject", "poddisruptionbudget", "httpproxy",
         "httproute")
# What the API server and Kubernetes' own controllers write, never whoever walks.
SERVERS = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}
ANNOTATIONS = {"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation", "kubectl.kubernetes.io/last-applied-configuration"}
SPEC = {"clusterIP", "clusterIPs"}
STRANGERS = {"kube-root-ca.crt"}


def everything(release: Release) -> dict[str, Any]:
    """By "Kind/name": metadata and whatever says what an object is for, without what the API server adds; the record, which is ours alone, is a name."""
    found = [one for kind in KINDS for one in api(kind).get(namespace=release.namespace).to_dict()["items"]]
    return {f"{one['kind']}/{one['metadata']['name']}": _of(one) for one in found if one["metadata"]["name"] not in STRANGERS}


def events(release: Release) -> list[dict[str, str]]:
    """The Kubernetes Events about the Canary: type, reason and message."""
    found = api("event").get(namespace=release.namespace).to_dict()["items"]
    return [{key: one[key] for key in ("type", "reason", "message")} for one in found if one["involvedObject"]["kind"] == "Canary"]


def _of(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in body["metadata"].items() if key not in SERVERS}
    metadata["annotations"] = {key: value for key, value in metadata.get("annotations", {}).items() if key not in ANNOTATIONS}
    kept: dict[str, Any] = {"metadata": metadata}
    if "spec" in body:
        kept["spec"] = {key: value for key, value in body["spec"].items() if key not in SPEC}
    if "data" in body:
        kept["data"] = {key: "..." for key in body["data"]} if metadata["name"].endswith("-canary") else body["data"]
    return kept
