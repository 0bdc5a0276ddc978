# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kind ScaledObject, where there is no KEDA: by a CRD that accepts any spec. Nobody scales; what is compared is who changes which objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NAME = "scaledobjects.keda.sh"
PATIENCE = "60s"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": NAME},
    "spec": {"group": "keda.sh", "scope": "Namespaced", "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
             "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                 "type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}


@contextmanager
def scaled_objects() -> Iterator[None]:
    """They can be made, and are gone afterwards unless they were there before."""
    made = not _kubectl("get", "crd", NAME, "--ignore-not-found", "-o", "name").strip()
    if made:
        _kubectl("apply", "-f", "-", given=json.dumps(CRD))
    _kubectl("wait", "crd", NAME, "--for=condition=Established", f"--timeout={PATIENCE}")
    try:
        yield
    finally:
        if made:
            _kubectl("delete", "crd", NAME)


def _kubectl(*arguments: str, given: str = "") -> str:
    return subprocess.run(["kubectl", *arguments], input=given, check=True, stdout=subprocess.PIPE, text=True).stdout
