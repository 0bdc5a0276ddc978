# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import freeze, thaw
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import good, template


def canary(*writes: tuple[str, str], suspend: bool = False, means: str = "") -> dict[str, Any]:
    """``writes`` are field managers of the status with the time of their last write."""
    managed = [{"manager": manager, "subresource": "status", "time": time} for manager, time in writes]
    return {
        "metadata": {"name": "podinfo", "managedFields": [{"manager": "flagger", "time": "2030-01-01T00:00:00Z"}, *managed],
                     "annotations": {takeover.SUSPEND: means} if means else {}},
        "spec": {"suspend": suspend, "targetRef": {"kind": "Deployment", "name": "podinfo"}},
    }


@pytest.mark.parametrize(
    ("obj", "live"),
    [
        (canary(), False),
        (canary(("flagger", "2026-01-01T10:00:00Z")), True),
        (canary(("flagger", "2026-01-01T10:00:00Z"), ("progressive-delivery", "2026-01-01T11:00:00Z")), False),
        (canary(("flagger", "2026-01-01T12:00:00Z"), ("progressive-delivery", "2026-01-01T11:00:00Z")), True),
        (canary(("flagger", "2026-01-01T10:00:00Z"), suspend=True), False),
        (canary(("kubectl-edit", "2026-01-01T10:00:00Z")), False),
    ],
)
def test_safety_25_flagger_is_live_until_it_is_suspended_or_we_wrote_last(obj: Any, live: bool) -> None:
    assert takeover.is_live(obj) is live


BEFORE, AFTER = ("flagger", "2026-01-01T10:00:00Z"), ("progressive-delivery", "2026-01-01T11:00:00Z")


@pytest.mark.parametrize(
    ("writes", "status", "rejects"),
    [
        ([BEFORE], {"phase": "Failed", "lastAppliedSpec": "5d8fbcd5c"}, True),
        ([BEFORE], {"phase": "Progressing", "lastAppliedSpec": "5d8fbcd5c"}, False),
        ([BEFORE], {}, False),
        ([BEFORE, AFTER], {"phase": "Failed", "lastAppliedSpec": "b" * 64}, True),
        ([BEFORE, AFTER], {"phase": "Failed", "lastAppliedSpec": "a" * 64}, False),
    ],
)
def test_safety_25_a_canary_that_flagger_left_in_failed_rejects_the_present_template(writes: Any, status: Any, rejects: bool) -> None:
    assert takeover.rejects({**canary(*writes), "status": status}, "b" * 64) is rejects


def test_safety_07_only_a_canary_object_of_flagger_is_taken_from_the_owners() -> None:
    flaggers = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
    others = {"apiVersion": "example.com/v1", "kind": "Canary", "name": "podinfo"}
    metadata = {"name": "podinfo", "labels": {"app": "podinfo"}}
    both = {"kind": "Service", "metadata": {**metadata, "ownerReferences": [flaggers, others]}, "spec": {}}
    assert takeover.freed(both) == {"kind": "Service", "metadata": {**metadata, "ownerReferences": [others]}, "spec": {}}
    assert takeover.freed({"metadata": {**metadata, "ownerReferences": [flaggers]}}) == {"metadata": metadata}
    nobodys = {"metadata": {**metadata, "ownerReferences": [others]}}
    assert takeover.freed(nobodys) is nobodys
    assert takeover.freed(nobodys, "podinfo") is nobodys


def test_safety_25_what_flagger_made_is_known_as_ours_once_it_is_freed() -> None:
    owners = [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}]
    made = {"metadata": {"name": "podinfo-primary", "labels": {"app": "podinfo-primary"}, "ownerReferences": owners}}
    freed = takeover.freed(made, "podinfo")
    assert marks.is_ours(freed, "podinfo") and freed["metadata"]["labels"]["app"] == "podinfo-primary"
    assert not marks.is_ours(made, "podinfo")


@pytest.mark.parametrize(
    ("obj", "suspended"), [(canary(), False), (canary(suspend=True), True), (canary(suspend=True, means="flagger"), False)])
def test_safety_25_our_annotation_makes_suspend_mean_flagger_alone(obj: Any, suspended: bool) -> None:
    assert takeover.is_suspended(obj) is suspended


@pytest.mark.parametrize(("annotations", "suspended"), [({}, True), ({takeover.SUSPEND: "flagger"}, False), ({takeover.SUSPEND: "all"}, True)])
def test_safety_25_it_does_so_too_where_the_canary_object_is_gone_and_the_walk_goes_by_its_record(annotations: Any, suspended: bool) -> None:
    document = good()
    document["metadata"]["annotations"] = annotations
    document["spec"]["suspend"] = True
    frozen = freeze(document, templates=[template()], options={}, source="object")
    assert thaw(frozen).suspend is suspended
