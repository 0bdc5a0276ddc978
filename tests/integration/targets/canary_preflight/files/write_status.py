# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the status of a Canary object as Flagger's controller does: kubeconfig, namespace, name."""

from __future__ import annotations

import sys

import kubernetes

kubeconfig, namespace, name = sys.argv[1:]
STATUS = {"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "5d5bc7b9b8"}

with kubernetes.config.new_client_from_config(kubeconfig) as client:
    kubernetes.client.CustomObjectsApi(client).patch_namespaced_custom_object_status(
        "flagger.app", "v1beta1", namespace, "canaries", name, {"status": STATUS}, field_manager="flagger")
