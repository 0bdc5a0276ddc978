# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics API tells what the lab uses, and the API server knows ScaledObjects: what autoscalers of tests need."""

from __future__ import annotations

import os
import unittest

from labkit import kubeapi, metrics
from labkit.layout import NODE, Lab

NODES = f"/apis/{metrics.GROUP}/{metrics.VERSION}/nodes/{NODE}"
SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects"


class MetricsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.api = kubeapi.Api(Lab(os.environ["LAB_NAME"]))

    def test_the_node_uses_its_processors(self) -> None:
        kubeapi.wait_for("The second reading of the kubelet", 60.0, lambda: self.api.get(NODES) is not None)
        used = (self.api.get(NODES) or {})["usage"]["cpu"]
        self.assertRegex(used, "^[1-9][0-9]*[num]?$")

    def test_scaled_objects_are_known(self) -> None:
        self.assertEqual((self.api.get(SCALED_OBJECTS) or {}).get("kind"), "ScaledObjectList")


if __name__ == "__main__":
    unittest.main()
