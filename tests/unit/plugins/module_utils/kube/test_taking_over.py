# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of ConfigMaps and Secrets that Flagger made, which the primary reads and a Canary object owns: by request."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks, primary as copies, takeover
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, Removal
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, Autoscaler, Options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings import Seen
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs as kept_configs, look, record as store, refs, surroundings
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import Objects, document, template, walked

CANARY = document()
TARGET, PRIMARY = refs.deployment("test", "podinfo"), refs.deployment("test", "podinfo-primary")
APP, KEY = refs.config_map("test", "app"), refs.secret("test", "key")
COPIES = (refs.config_map("test", "app-primary"), refs.secret("test", "key-primary"))
NAMES = ("ConfigMap/app-primary", "Secret/key-primary")
DATA: dict[refs.Ref, dict[str, Any]] = {APP: {"data": {"message": "one"}}, KEY: {"data": {"token": "c2VzYW1l"}, "type": "Opaque"}}


def owner(name: str = "podinfo", controller: bool = True) -> dict[str, Any]:
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": name, "uid": f"uid-{name}", "controller": controller}


def reading(made: dict[str, Any], config_map: str, secret: str) -> dict[str, Any]:
    made = copy.deepcopy(made)
    made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": config_map}}]
    made["spec"]["volumes"] = [{"name": "key", "secret": {"secretName": secret}}]
    return made


B = reading(template("podinfo:B"), "app", "key")


@pytest.fixture
def kept(server: Any) -> Objects:
    """Flagger's: the primary runs what the target has, with copies; there is no record, nor any note of ours."""
    kept = walked(server, CANARY, 0, time.time() - 60)
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=copy.deepcopy(B)))
    made = reading(template("podinfo:B"), "app-primary", "key-primary")
    made["metadata"]["labels"] = {"app": "podinfo-primary"}
    for place in (PRIMARY, refs.replica_set("test", "podinfo-primary-1")):
        kept.change(place, lambda live: live["spec"].update(template=copy.deepcopy(made)))
    kept.change(PRIMARY, lambda live: live["metadata"].update(annotations={}, labels={"app": "podinfo-primary"}, ownerReferences=[owner()]))
    for (place, obj), made_of_it in zip(DATA.items(), COPIES):
        kept.put(place, obj)
        kept.put(made_of_it, {**copy.deepcopy(obj), "metadata": {"labels": {"team": "blue"}, "ownerReferences": [owner()]}})
    kept.drop(store.record_ref("test", "podinfo"))
    server.asked.clear()
    return kept


def adopt(server: Any, epoch: int = 1) -> Any:
    """The order by which a takeover makes the primary ours."""
    return apply_workload(server.api(), CANARY, WorkloadOrder(restore={"replicaset": "podinfo-primary-1", "revision": "r" * 64}), epoch)


def owners(kept: Objects) -> list[Any]:
    return [(kept.get(place) or {})["metadata"].get("ownerReferences", []) for place in (*COPIES, PRIMARY)]


def test_safety_25_what_the_primary_reads_is_freed_before_the_primary_is_ours(server: Any, kept: Objects) -> None:
    before = [kept.get(place) for place in COPIES]
    adopt(server)
    assert kept.written == [("PATCH", "app-primary"), ("PATCH", "key-primary"), ("PATCH", "podinfo-primary")]
    assert owners(kept) == [[], [], []]
    for was, place in zip(before, COPIES):
        live = kept.get(place)
        assert was and live and {key: live[key] for key in DATA[APP if place.kind == "ConfigMap" else KEY]} == {
            key: was[key] for key in DATA[APP if place.kind == "ConfigMap" else KEY]}
        assert marks.is_ours(live, "podinfo") and marks.labels_of(live)["team"] == "blue", "a removal takes it away"
    server.asked.clear()
    assert not adopt(server).result()["changed"] and kept.written == []


@pytest.mark.parametrize("refused", COPIES)
def test_safety_25_a_primary_is_not_ours_as_long_as_what_it_reads_is_not(server: Any, kept: Objects, refused: refs.Ref) -> None:
    kept.forbids = lambda method, path: method == "PATCH" and path == refused.path
    before = kept.get(PRIMARY)
    with pytest.raises(KubeError):
        adopt(server)
    assert kept.get(PRIMARY) == before, "so the next look orders it again"
    kept.forbids = lambda method, path: False
    adopt(server)
    assert owners(kept) == [[], [], []]


def test_safety_25_a_copy_that_several_canaries_share_is_freed_and_is_nobodys(server: Any, kept: Objects) -> None:
    shared = [owner("shop"), owner(controller=False)]
    kept.change(COPIES[0], lambda live: live["metadata"].update(ownerReferences=shared))
    adopt(server)
    live = kept.get(COPIES[0])
    assert live and owners(kept)[0] == [] and not marks.is_ours(live, "podinfo"), "the other canary's primary reads it as well"
    for canary in ("podinfo", "shop"):
        assert takeover.is_copy(live, canary), "for both it goes on meaning what it was made of"
    seen = look.look(server.api(), CANARY)
    assert seen.same_as_primary and seen.primary and seen.primary.promoted
    kept.change(COPIES[0], lambda live: live["metadata"].update(labels={marks.CANARY: "shop"}))
    assert not look.look(server.api(), CANARY).same_as_primary, "what another canary made is no copy of ours"


def test_safety_25_what_only_looks_like_a_copy_of_flaggers_is_left_alone(server: Any, kept: Objects) -> None:
    theirs = {"apiVersion": "example.com/v1", "kind": "Canary", "name": "podinfo", "uid": "u"}
    kept.change(COPIES[0], lambda live: live["metadata"].update(ownerReferences=[theirs]))
    kept.drop(COPIES[1])
    before = kept.get(COPIES[0])
    adopt(server)
    assert kept.get(COPIES[0]) == before and not any(name == "key-primary" for _method, name in kept.written)


def test_safety_25_what_flagger_promoted_is_not_walked_again_where_its_copies_hold_what_the_target_reads(server: Any, kept: Objects) -> None:
    for _taken_over in range(2):
        assert look.look(server.api(), CANARY).same_as_primary
        adopt(server)
    kept.change(APP, lambda live: live.update(data={"message": "two"}))
    seen = look.look(server.api(), CANARY)
    assert (seen.same_as_primary, seen.same_template, seen.changed_configs) == (False, True, "ConfigMap app")
    kept.change(COPIES[0], lambda live: live.update(data={"message": "two"}))
    assert look.look(server.api(), CANARY).same_as_primary
    # Of what is nobody's copy, nobody knows that it means the same.
    kept.change(COPIES[0], lambda live: live["metadata"].update(labels={}, annotations={}))
    assert not look.look(server.api(), CANARY).same_template


def test_safety_25_where_nothing_is_tracked_no_copy_of_flaggers_means_what_the_target_reads(server: Any, kept: Objects) -> None:
    """Nobody knows then what it holds, and what is not known to be the same is walked."""
    untracked = document(options=Options(config_tracking=False))
    assert not look.look(server.api(), untracked).same_as_primary
    kept.change(APP, lambda live: live["metadata"].update(annotations={configs.TRACKING: "disabled"}))
    assert not look.look(server.api(), CANARY).same_as_primary


def test_what_the_target_reads_itself_is_no_copy_whatever_it_is_called(server: Any, kept: Objects) -> None:
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=reading(template("podinfo:B"), "app", "key-primary")))
    kept.change(COPIES[1], lambda live: live["metadata"].update(ownerReferences=[]))
    seen, own = look.look(server.api(), CANARY), kept.get(COPIES[1])
    assert (seen.same_template, seen.changed_configs) == (True, "")
    assert set(kept_configs.owners(server.api(), CANARY, kept.get(PRIMARY), kept.get(TARGET))) == {NAMES[0]}
    Round(server.api(), CANARY, Holder("us"), lambda text: None, lambda record, told: None, mode="tick").run()
    assert NAMES[1] not in store.read(server.api(), "test", "podinfo").record.inventory
    adopt(server)
    assert kept.get(COPIES[1]) == own


def test_safety_07_what_is_freed_is_in_the_inventory_before_it_is(server: Any, kept: Objects) -> None:
    tick = Round(server.api(), CANARY, Holder("us"), lambda text: None, lambda record, told: None, mode="tick").run()
    assert tick["due"] and set(NAMES) <= set(store.read(server.api(), "test", "podinfo").record.inventory)
    assert owners(kept) == [[owner()]] * 3


def promote(server: Any) -> Any:
    read = kept_configs.read(server.api(), CANARY, B["spec"])
    order = {"replicaset": "podinfo-1", "uid": "uid-podinfo-1", "revision": revision_of(B, read.digests), "configs": read.digest}
    return apply_workload(server.api(), CANARY, WorkloadOrder(promote=order), 1)


def test_safety_18_what_flagger_copied_goes_when_no_replicaset_names_it_and_not_before(server: Any, kept: Objects) -> None:
    adopt(server)
    promote(server)
    writer = Writer(server.api(), "podinfo", 1)
    assert kept_configs.tidied(writer, CANARY, NAMES) == ()
    kept.drop(refs.replica_set("test", "podinfo-primary-1"))
    assert kept_configs.tidied(writer, CANARY, NAMES) == NAMES and not any(map(kept.get, COPIES))


def test_safety_29_the_target_gets_its_own_names_back_and_the_copies_go(server: Any, kept: Objects) -> None:
    adopt(server)
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=template("podinfo:C")))
    apply_workload(server.api(), CANARY, WorkloadOrder(template_back={"revision": "r" * 64}), 1)
    back = (kept.get(TARGET) or {})["spec"]["template"]
    assert set(configs.references(back["spec"])) == {"ConfigMap/app", "Secret/key"}
    seen = look.look(server.api(), CANARY, Record("podinfo", "test", phase="Terminating", removing=Removal("by a person", 1.0)))
    assert seen.same_as_primary and seen.remains and set(NAMES) <= set(seen.remains.objects), "also where the record was lost"


def test_safety_25_the_autoscaler_that_flagger_made_is_taken_over_and_freed(server: Any, kept: Objects) -> None:
    canary, copied = document(autoscaler=Autoscaler(HPA, "podinfo")), refs.autoscaler("test", "podinfo-primary")
    for place, target in ((refs.autoscaler("test", "podinfo"), "podinfo"), (copied, "podinfo-primary")):
        kept.put(place, {"metadata": {"labels": {}}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}, "minReplicas": 2, "maxReplicas": 5}})
    kept.change(copied, lambda live: live["metadata"].update(ownerReferences=[owner()]))
    decision = decide(canary, Record("podinfo", "test", identity=canary.identity), look.look(server.api(), canary))
    assert decision.workload and decision.workload.scaler is not None, decision.why
    apply_workload(server.api(), canary, decision.workload, 1)
    live, seen = kept.get(copied), look.look(server.api(), canary).scaler
    assert live and not live["metadata"].get("ownerReferences") and marks.is_ours(live, "podinfo") and seen and seen.ours


# Before it

def test_safety_25_a_takeover_asks_for_the_right_to_free_what_the_primary_reads(server: Any, kept: Objects) -> None:
    primary = kept.get(PRIMARY)
    kept.forbids = lambda method, path: method == "GET" and path == COPIES[1].path
    found = kept_configs.owners(server.api(), CANARY, primary, kept.get(TARGET))
    assert found == {NAMES[0]: ("podinfo",), NAMES[1]: ()}
    rules = (Rule("", "configmaps", ("get", "patch"), ("app-primary",)), Rule("", "secrets", ("get", "patch"), ("key-primary",)))
    assert surroundings.of_takeover(Seen(primary=primary, flaggers=found)) == rules
    ours = copies.restored(primary or {}, (primary or {})["spec"]["template"], "r" * 64)
    assert surroundings.of_takeover(Seen(primary=ours, flaggers=found)) == ()
