# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight finds around a canary, by request."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs, surroundings
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import Objects, document

FORMER = document()
MADE = ("Deployment/podinfo-primary", "Service/podinfo-primary", "Service/podinfo-canary", "Service/podinfo", "Route/podinfo")
RENAMED = {
    "target": (dataclasses.replace(FORMER, target="frontend"), ("Deployment/podinfo-primary",)),
    "service": (dataclasses.replace(FORMER, service=dataclasses.replace(FORMER.service, name="frontend")),
                ("Service/podinfo-primary", "Service/podinfo-canary", "Service/podinfo")),
    "nothing": (FORMER, ()),
}


@pytest.fixture
def kept(server: Any) -> Objects:
    objects = Objects(server)
    ours = {"metadata": {"labels": {marks.CANARY: "podinfo"}}}
    objects.put(refs.deployment("test", "podinfo-primary"), ours)
    for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
        objects.put(refs.service("test", name), ours)
    return objects


@pytest.mark.parametrize("renamed", RENAMED)
def test_weak_spot_57_what_another_name_leaves_behind_is_named(server: Any, kept: Objects, renamed: str) -> None:
    canary, left = RENAMED[renamed]
    assert surroundings.left_behind(server.api(), canary, Record("podinfo", "test", inventory=MADE)) == left
    assert all(entry in words.left_behind(left) for entry in left) and bool(words.left_behind(left)) is bool(left)


def test_weak_spot_57_what_somebody_deleted_or_took_as_his_own_is_not_left_behind(server: Any, kept: Objects) -> None:
    kept.put(refs.service("test", "podinfo"), {"metadata": {"labels": {}}})
    kept.put(refs.service("test", "podinfo-canary"), {"metadata": {"labels": {marks.CANARY: "another"}}})
    canary, _left = RENAMED["service"]
    made = (*MADE, "Service/gone")
    assert surroundings.left_behind(server.api(), canary, Record("podinfo", "test", inventory=made)) == ("Service/podinfo-primary",)


@pytest.mark.parametrize("kind", [HPA, SCALED_OBJECT])
def test_weak_spot_57_the_copy_of_an_autoscaler_that_has_another_name_now_is_left_behind(server: Any, kept: Objects, kind: str) -> None:
    ref = refs.disposable("test", f"{kind}/podinfo-primary")
    assert ref
    kept.put(ref, {"metadata": {"labels": {marks.CANARY: "podinfo"}}})
    record = Record("podinfo", "test", inventory=(*MADE, f"{kind}/podinfo-primary"))
    for autoscaler in (None, Autoscaler(kind, "another")):
        canary = dataclasses.replace(FORMER, autoscaler=autoscaler)
        assert surroundings.left_behind(server.api(), canary, record) == (f"{kind}/podinfo-primary",)
    assert surroundings.left_behind(server.api(), dataclasses.replace(FORMER, autoscaler=Autoscaler(kind, "podinfo")), record) == ()
