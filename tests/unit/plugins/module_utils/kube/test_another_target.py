# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A document that names another target than its canary walks, between two walks (weak spot 57): refused, until the canary is removed."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import given
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Orders
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import IDLE, PHASES, Record, another_target, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.kube import preflight, record as store, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.modules import canary_preflight
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import good, template
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import A, Objects, document, walked
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.test_rounds import ordered, walk

OURS, OTHERS = {"target": "Deployment/podinfo", "service": "podinfo"}, {"target": "Deployment/frontend", "service": "podinfo"}
REFUSED = "spec.targetRef: names Deployment frontend, and by its record podinfo walks Deployment podinfo, whose primary serves the users"


def idle(phase: str = "Succeeded", **more: Any) -> Record:
    return Record("podinfo", "test", phase=phase, identity=OURS, **more)


@pytest.mark.parametrize("phase", IDLE)
@pytest.mark.parametrize("wanted", ["Deployment/frontend", "DaemonSet/podinfo", "Service/podinfo"])
def test_weak_spot_57_another_target_is_refused_between_two_walks_with_the_ways_out(phase: str, wanted: str) -> None:
    problem = another_target(idle(phase), {**OURS, "target": wanted})
    assert problem and problem.path == "spec.targetRef"
    assert f"names {wanted.replace('/', ' ')}" in str(problem) and "name Deployment podinfo again" in str(problem)
    assert "progressive.delivery.remove -e canary_name=podinfo -e canary_namespace=test" in str(problem)


@pytest.mark.parametrize("record", [
    None, *(idle(phase) for phase in ("", *PHASES) if phase not in IDLE), dataclasses.replace(idle(), identity={}),
])
def test_weak_spot_57_a_canary_that_nobody_walked_or_that_was_removed_may_have_any_target(record: Record | None) -> None:
    assert another_target(record, OTHERS) is None


def test_weak_spot_57_what_else_the_document_says_may_change_between_two_walks() -> None:
    assert another_target(idle(), {**OURS, "service": "shop", "provider": "contour", "autoscaler": "HorizontalPodAutoscaler/podinfo"}) is None


# By whoever observes

@pytest.fixture
def kept(server: Any) -> Objects:
    """At rest, and the document names another target than was walked."""
    canary = document()
    return walked(server, canary, 0, time.time() - 60, identity={**canary.identity, "target": "Deployment/former"}, phase="Succeeded", pinned=None,
                  last_applied=revision_of(A), due=0.0)


def test_safety_08_weak_spot_57_an_observation_refuses_it_before_it_writes(server: Any, kept: Objects) -> None:
    with pytest.raises(SpecError, match="spec.targetRef: names Deployment podinfo, and by its record podinfo walks Deployment former"):
        walk(server, document()).run()
    assert kept.written == []


@pytest.mark.parametrize("order", ["", "abort", "remove"])
def test_safety_08_weak_spot_57_no_order_makes_another_target_the_records(server: Any, kept: Objects, order: str) -> None:
    """Who takes something back has the document that was walked; another one would be kept in its place."""
    if order:
        ordered(kept, order)
    with pytest.raises(SpecError, match="Deployment former"):
        walk(server, document(), abort=order != "remove", take_over=True, mode="tick").run()
    assert kept.written == []


# By preflight

def named(target: str, **metadata: Any) -> dict[str, Any]:
    made = good()
    made["metadata"].update(metadata)
    made["spec"]["targetRef"]["name"] = target
    made["spec"]["service"]["name"] = "podinfo"
    return made


def recorded(server: Any, phase: str = "Succeeded", orders: Orders = Orders()) -> Stored:
    """The record of a canary whose target is podinfo."""
    found = preflight.find(server.api(), given.from_spec(named("podinfo"), [template()], "", ""), {}, Stored("test", "podinfo"))
    return Stored("test", "podinfo", Record("podinfo", "test", phase=phase, identity=found.canary.identity), resource_version="5", document=found.frozen,
                  orders=orders)


def keep(server: Any, stored: Stored) -> Objects:
    kept = Objects(server)
    assert stored.record
    kept.put(store.record_ref("test", "podinfo"), {"metadata": {"labels": {store.LABEL: "podinfo"}},
                                                   "data": {store.KEY: dumps(stored.record), store.DOCUMENT_KEY: json.dumps(stored.document)}})
    return kept


def test_weak_spot_57_preflight_refuses_it_before_the_first_write(server: Any, run_verb: Any) -> None:
    kept = keep(server, recorded(server))
    result = run_verb(canary_preflight.VERB, host=server.url, api_key="sesame-4711", spec=named("frontend"), templates=[template()], deep=False)
    assert result["failed"] and result["msg"].startswith(REFUSED), result
    assert kept.written == []


def test_safety_30_weak_spot_57_an_abort_goes_by_the_document_that_was_walked_whoever_has_obeyed_its_order(server: Any, run_verb: Any) -> None:
    keep(server, recorded(server))
    result = run_verb(canary_preflight.VERB, host=server.url, api_key="sesame-4711", spec=named("frontend"), templates=[template()], deep=False, abort=True)
    assert not result.get("failed") and result["document"]["canary"]["spec"]["targetRef"]["name"] == "podinfo", result


def test_weak_spot_57_a_removal_goes_by_the_document_that_was_walked(server: Any) -> None:
    stored = recorded(server)
    request = given.from_spec(named("frontend"), [template()], "", "")
    assert preflight.find(server.api(), request, {}, stored).canary.target == "frontend"
    for found in (preflight.find(server.api(), request, {}, stored, takes_back=True),
                  preflight.find(server.api(), request, {}, recorded(server, orders=Orders(remove="by me"))),
                  preflight.find(server.api(), request, {}, recorded(server, orders=Orders(abort="by me")))):
        assert found.canary.target == "podinfo" and "names another provider, target or service" in found.told[-1]


def test_weak_spot_57_what_was_walked_has_its_templates_whatever_came_with_another_document(server: Any) -> None:
    other = template()
    other["metadata"]["name"] = "latency-of-the-frontend"
    spec = named("frontend")
    for check in spec["spec"]["analysis"]["metrics"]:
        if check.get("templateRef"):
            check["templateRef"]["name"] = "latency-of-the-frontend"
    found = preflight.find(server.api(), given.from_spec(spec, [other], "", ""), {}, recorded(server), takes_back=True)
    assert found.canary.target == "podinfo"


def test_weak_spot_57_so_does_the_removal_of_a_canary_object_that_was_deleted(server: Any) -> None:
    stored, kept = recorded(server), Objects(server)
    kept.put(refs.canary("test", "podinfo"), named("frontend", deletionTimestamp="2026-11-30T12:00:00Z", finalizers=["finalizer.flagger.app"]))
    request = given.by_name("podinfo", "test", [template()])
    assert preflight.find(server.api(), request, {}, stored).canary.target == "podinfo"
