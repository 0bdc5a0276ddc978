# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked and sent for an autoscaler and its copy."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import autoscalers as pure, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, LostLock
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Scaler, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import KEEP_PRIMARY, Record, Removal
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Autoscaler, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import autoscalers, look, preflight, refs, surroundings
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import B, Objects, document, walked

CANARY = {kind: document(autoscaler=Autoscaler(kind, "podinfo")) for kind in (HPA, SCALED_OBJECT)}
MADE = {HPA: refs.autoscaler("test", "podinfo"), SCALED_OBJECT: refs.scaled_object("test", "podinfo")}
COPY = {kind: place.named("podinfo-primary") for kind, place in MADE.items()}
TARGET = refs.deployment("test", "podinfo")
RECORD = Record("podinfo", "test", phase="Progressing")


def original(kind: str) -> dict[str, Any]:
    bounds = {"minReplicas": 2, "maxReplicas": 8} if kind == HPA else {"minReplicaCount": 2, "maxReplicaCount": 8}
    return {"metadata": {}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "podinfo"}, **bounds}}


@pytest.fixture(params=[HPA, SCALED_OBJECT])
def kind(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def canary(kind: str) -> Canary:
    return CANARY[kind]


@pytest.fixture
def kept(server: Any, kind: str, canary: Canary) -> Objects:
    """A walk at 10 percent, with an autoscaler of the target and none of the primary."""
    kept = walked(server, canary, 10, time.time())
    kept.put(MADE[kind], original(kind))
    server.asked.clear()
    return kept


def ordered(server: Any, canary: Canary, epoch: int = 3, check_mode: bool = False, **order: Any) -> Any:
    return apply_workload(server.api(), canary, WorkloadOrder(**order), epoch, check_mode)


def bounds(kept: Objects, place: refs.Ref) -> tuple[int, int]:
    live = kept.get(place)
    assert live
    return pure.bounds(live)


# Reading

def test_an_observation_asks_one_request_more_for_the_copy_and_no_other(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    look.look(server.api(), document(), RECORD)
    without = len(server.asked)
    ordered(server, canary, scaler=0)
    server.asked.clear()
    seen = look.look(server.api(), canary, RECORD)
    assert len(server.asked) == without + 1
    assert seen.scaler == Scaler(2, 8, held=False, ours=True)


def test_a_copy_that_is_missing_is_told_from_an_original_that_is(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    seen = look.look(server.api(), canary, RECORD)
    assert (seen.scaler, seen.scaler_to_copy) == (None, True)
    kept.drop(MADE[kind])
    seen = look.look(server.api(), canary, RECORD)
    assert (seen.scaler, seen.scaler_to_copy) == (None, False)


@pytest.mark.parametrize("refusal", ["unknown", "forbidden"])
def test_safety_16_what_cannot_be_read_of_a_scaler_stops_nobody(server: Any, refusal: str) -> None:
    """Traffic goes back also where KEDA, or the right to read its objects, was taken away in mid-walk."""
    answer = server.text(404, "404 page not found") if refusal == "unknown" else server.status(403, "Forbidden")
    server.says(answer)
    assert autoscalers.look(server.api(), CANARY[SCALED_OBJECT]) == (None, False)
    assert autoscalers.rest(Writer(server.api(), "podinfo", 3), CANARY[SCALED_OBJECT], True) == []


# The copy

def test_safety_07_a_copy_is_made_with_our_label_owned_by_nothing(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    assert ordered(server, canary, scaler=5).result()["changed"]
    live = kept.get(COPY[kind])
    assert live and marks.is_ours(live, "podinfo") and "ownerReferences" not in live["metadata"]
    assert live["spec"]["scaleTargetRef"]["name"] == "podinfo-primary" and bounds(kept, COPY[kind]) == (5, 8)
    assert kept.get(MADE[kind]) and not marks.annotations_of(kept.get(MADE[kind]) or {}), "the user's own is only read"
    assert not ordered(server, canary, scaler=5).result()["changed"]


def test_safety_15_the_minimum_goes_up_and_back_by_patches_of_the_copy_alone(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    ordered(server, canary, scaler=0)
    server.asked.clear()
    ordered(server, canary, scaler=6)
    assert bounds(kept, COPY[kind]) == (6, 8)
    ordered(server, canary, scaler=0)
    assert bounds(kept, COPY[kind]) == (2, 8)
    assert kept.written == [("PATCH", "podinfo-primary"), ("PATCH", "podinfo-primary")]
    assert len(server.asked) == 4, "a read and a patch each"


def test_in_check_mode_nothing_is_written(server: Any, kept: Objects, canary: Canary) -> None:
    assert ordered(server, canary, check_mode=True, scaler=5).result()["changed"]
    assert kept.written == []


def test_without_an_original_there_is_nothing_to_make(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    kept.drop(MADE[kind])
    with pytest.raises(CanaryError, match="podinfo"):
        ordered(server, canary, scaler=0)


def test_somebody_elses_copy_is_not_touched(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    kept.put(COPY[kind], original(kind))
    with pytest.raises(CanaryError, match="was not made for the canary podinfo"):
        ordered(server, canary, scaler=0)
    assert kept.written == [] and look.look(server.api(), canary, RECORD).scaler is None


def test_safety_01_a_minimum_that_arrives_after_a_takeover_is_refused(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    ordered(server, canary, scaler=0)
    kept.meanwhile = lambda: look.fence(server.api(), canary, 4)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        ordered(server, canary, scaler=6)
    assert bounds(kept, COPY[kind]) == (2, 8)


def test_a_promotion_brings_the_copy_up_to_date_and_leaves_the_replicas_alone(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    ordered(server, canary, scaler=6)
    primary = refs.deployment("test", "podinfo-primary")
    kept.change(primary, lambda live: live["spec"].update(replicas=7))
    kept.change(MADE[kind], lambda live: live["spec"].update({key: 12 for key in live["spec"] if key.startswith("max")}))
    kept.change(COPY[kind], lambda live: live["spec"].update(edited="by hand"))
    ordered(server, canary, promote={"replicaset": "podinfo-1", "uid": "uid-podinfo-1", "revision": revision_of(B)})
    live = kept.get(COPY[kind])
    assert live and "edited" not in live["spec"] and bounds(kept, COPY[kind]) == (6, 12), "held as before"
    assert (kept.get(primary) or {})["spec"]["replicas"] == 7


def test_a_promotion_without_an_original_leaves_the_copy_as_it_is(server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    ordered(server, canary, scaler=6)
    kept.drop(MADE[kind])
    ordered(server, canary, promote={"replicaset": "podinfo-1", "uid": "uid-podinfo-1", "revision": revision_of(B)})
    assert bounds(kept, COPY[kind]) == (6, 8)


# The target

def replicas(kept: Objects) -> int:
    return int((kept.get(TARGET) or {})["spec"]["replicas"])


def test_keda_is_told_that_the_target_rests_before_its_replicas_say_so_and_that_it_works_before_it_grows(
        server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    place = MADE[kind]
    ordered(server, canary, scale_target=0)
    first = next(one.path for one in server.asked if one.method == "PATCH")
    assert (first == place.path) is (kind == SCALED_OBJECT) and replicas(kept) == 0
    assert pure.is_paused(kept.get(place) or {}) is (kind == SCALED_OBJECT)
    ordered(server, canary, scale_target=4)
    assert not pure.is_paused(kept.get(place) or {}) and replicas(kept) == 4
    assert (kept.get(place) or {})["spec"] == original(kind)["spec"]


def test_safety_01_a_pause_that_arrives_after_a_takeover_is_refused(server: Any, kept: Objects) -> None:
    canary = CANARY[SCALED_OBJECT]
    kept.put(MADE[SCALED_OBJECT], original(SCALED_OBJECT))
    kept.meanwhile = lambda: look.fence(server.api(), canary, 4)
    with pytest.raises(LostLock, match="was fenced by a later run"):
        ordered(server, canary, scale_target=0)
    assert not pure.is_paused(kept.get(MADE[SCALED_OBJECT]) or {}) and replicas(kept) == 2


def test_an_autoscaler_that_scales_meanwhile_is_no_person(server: Any, kept: Objects, canary: Canary) -> None:
    """Going down goes on (rule 11: nobody uses it by then)."""
    ordered(server, canary, scale_target=3)
    kept.meanwhile = lambda: kept.change(TARGET, lambda live: live["spec"].update(replicas=5))
    ordered(server, canary, scale_target=0)
    assert replicas(kept) == 0


# Removal

def test_safety_29_the_users_own_is_kept_large_while_the_target_takes_over_and_given_back_as_it_was(
        server: Any, kept: Objects, kind: str, canary: Canary) -> None:
    ordered(server, canary, scaler=0)
    ordered(server, canary, scale_target=0)
    removing = Record("podinfo", "test", phase="Terminating", removing=Removal("", 0.0, KEEP_PRIMARY))
    seen = look.look(server.api(), canary, removing).remains
    assert seen and f"{kind}/podinfo-primary" in seen.objects
    assert seen.paused is (kind == SCALED_OBJECT) and seen.scaler == Scaler(2, 8)
    ordered(server, canary, target_scaler=6)
    assert bounds(kept, MADE[kind]) == (6, 8)
    assert (look.look(server.api(), canary, removing).remains or seen).scaler == Scaler(6, 8, held=True)
    ordered(server, canary, dispose=(f"{kind}/podinfo-primary",))
    live = kept.get(MADE[kind]) or {}
    assert live["spec"] == original(kind)["spec"] and kept.get(COPY[kind]) is None
    assert marks.annotations_of(live) == {marks.RELEASED: "podinfo.3"}


# Preflight

def around(server: Any, canary: Canary) -> list[str]:
    """What preflight has of them."""
    seen = surroundings._look(server.api(), canary, None, NONE, set(), True, True)
    return [name for name in ("scaler", "primary_scaler") if getattr(seen, name) is not None] + [
        name for name in ("scaler_kind", "scaler_readable") if getattr(seen, name)]


def test_preflight_reads_the_autoscaler_and_its_copy_by_name(server: Any, kept: Objects, canary: Canary) -> None:
    assert around(server, canary) == ["scaler", "scaler_kind", "scaler_readable"]
    ordered(server, canary, scaler=0)
    assert around(server, canary) == ["scaler", "primary_scaler", "scaler_kind", "scaler_readable"]


def test_a_canary_whose_copy_is_gone_is_not_at_rest(server: Any, kept: Objects, canary: Canary) -> None:
    assert not autoscalers.is_there(server.api(), canary)
    ordered(server, canary, scaler=0)
    assert autoscalers.is_there(server.api(), canary) and autoscalers.is_there(server.api(), document())
    assert not preflight._at_rest(server.api(), canary), "ten percent of the traffic is on the canary"


def test_safety_05_a_lost_record_takes_the_weight_away_before_anything_else(server: Any) -> None:
    scaled = document(autoscaler=Autoscaler(HPA, "podinfo"))
    walked(server, scaled, 50, time.time() - 30)
    record = Record("podinfo", "test", identity=scaled.identity)
    decision = decide(scaled, record, look.look(server.api(), scaled, record))
    assert decision.traffic is not None and decision.traffic.split.canary == 0, decision.why
