# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal finds and deletes, as requests."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, refs, removal
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer

CANARY = Canary(name="podinfo", namespace="test", provider="kubernetes", target="podinfo", target_kind="Deployment",
                service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1))
BUDGETS = refs.pod_disruption_budget("test")


def budget(**metadata: Any) -> dict[str, Any]:
    return {"kind": "PodDisruptionBudget", "metadata": {"name": "podinfo-primary", "namespace": "test", "uid": "u-1", "resourceVersion": "7", **metadata}}


def test_safety_29_copies_of_budgets_are_found_by_their_label(server: Any) -> None:
    server.says(server.json(200, {"items": [budget()]}))
    assert removal.made_besides(server.api(), CANARY) == ("PodDisruptionBudget/podinfo-primary",)
    asked, = server.asked
    assert (asked.path, asked.query["labelSelector"]) == (BUDGETS.path, "progressive.delivery/canary=podinfo")


def test_safety_29_a_copy_is_deleted_as_it_was_read_and_one_without_our_label_never(server: Any) -> None:
    ours, theirs = budget(labels={marks.CANARY: "podinfo"}), budget()
    for obj, wanted in ((ours, ["GET", "DELETE", "GET", "GET"]), (theirs, ["GET", "GET", "GET"])):
        server.asked.clear()
        deleted = [server.json(200, {})] if obj is ours else []
        server.says(server.json(200, obj), *deleted, server.status(404, "NotFound"))
        removal.dispose(Writer(server.api(), "podinfo", 3), CANARY, ("PodDisruptionBudget/podinfo-primary",), None)
        assert [one.method for one in server.asked] == wanted
        if obj is ours:
            assert json.loads(server.asked[1].body)["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}


def test_safety_29_who_has_no_record_begins_above_a_removal(server: Any) -> None:
    given_back = marks.released({"metadata": {"name": "podinfo", "annotations": {marks.EPOCH: "12"}}}, "podinfo", 12)
    server.says(server.json(200, given_back))
    assert look.newest_epoch(server.api(), CANARY) == 12
