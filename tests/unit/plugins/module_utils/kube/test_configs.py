# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ConfigMaps and Secrets of a target and the primary's copies of them, by request; the like against a real API server is in the integration targets."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, Removal, flagger_status, loads
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Options
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs as kept_configs, documents, look, record as store, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import apply_workload
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import Objects, document, template, walked

CANARY = document()
TARGET = refs.deployment("test", "podinfo")
PRIMARY = refs.deployment("test", "podinfo-primary")
APP, KEY = refs.config_map("test", "app"), refs.secret("test", "key")
SECRET = "sesame-4711"
DATA = {APP: {"data": {"message": "one"}}, KEY: {"data": {"token": base64.b64encode(SECRET.encode()).decode()}, "type": "Opaque"}}
NAMES = ("ConfigMap/app", "Secret/key")


def reading(made: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same template, whose pods read ConfigMaps; and the Secret."""
    made = copy.deepcopy(made)
    made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": name}} for name in names or ("app",)]
    if not names:
        made["spec"]["volumes"] = [{"name": "key", "secret": {"secretName": "key"}}]
    return made


B = reading(template("podinfo:B"))


@pytest.fixture
def kept(server: Any) -> Objects:
    """Revision B, whose pods read both, under analysis; the primary has revision A, whose pods read nothing."""
    kept = walked(server, CANARY, 10, time.time() - 60)
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=copy.deepcopy(B)))
    for place, obj in DATA.items():
        kept.put(place, obj)
    server.asked.clear()
    return kept


def found(server: Any) -> configs.Configs:
    return kept_configs.read(server.api(), CANARY, B["spec"])


def order(server: Any) -> WorkloadOrder:
    read = found(server)
    server.asked.clear()
    return WorkloadOrder(promote={"replicaset": "podinfo-1", "uid": "uid-podinfo-1", "revision": revision_of(B, read.digests), "configs": read.digest})


def copies(kept: Objects, server: Any) -> dict[str, Any]:
    """By what they are copies of; None for one that is not there."""
    return {entry: kept.get(kept_configs.place_of("test", f"{entry.partition('/')[0]}/{name}")) for entry, name in found(server).names.items()}


def write_of(server: Any) -> list[str]:
    return [f"{one.method} {one.path.rpartition('/')[2]}" for one in server.asked if one.method != "GET"]


# The promotion

def test_safety_18_copies_are_there_before_the_primary_refers_to_them(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    assert write_of(server) == ["POST configmaps", "POST secrets", "PATCH podinfo-primary"]
    made, primary = copies(kept, server), kept.get(PRIMARY)
    assert all(made.values()) and primary
    assert set(configs.references(primary["spec"]["template"]["spec"])) == {f"{obj['kind']}/{obj['metadata']['name']}" for obj in made.values()}
    assert {entry: {key: obj[key] for key in ("data", "type") if key in obj} for entry, obj in made.items()} == dict(zip(NAMES, DATA.values()))
    for obj in made.values():
        assert obj["immutable"] is True and "ownerReferences" not in obj["metadata"]
        assert marks.is_ours(obj, "podinfo") and marks.epoch_of(obj) == 3
    assert marks.annotations_of(primary)[marks.PROMOTED] == revision_of(B, found(server).digests)
    for place, obj in DATA.items():
        assert {key: (kept.get(place) or {})[key] for key in obj} == obj, "the user's own stays"


def test_safety_17_promoting_twice_changes_nothing(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    before = {**copies(kept, server), "primary": kept.get(PRIMARY)}
    work = apply_workload(server.api(), CANARY, order(server), 3)
    assert not work.result()["changed"]
    assert {**copies(kept, server), "primary": kept.get(PRIMARY)} == before


def test_safety_18_another_content_gets_another_copy_and_the_former_stays_for_the_pods_that_read_it(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    before = copies(kept, server)
    kept.change(APP, lambda live: live.update(data={"message": "two"}))
    apply_workload(server.api(), CANARY, order(server), 3)
    now = copies(kept, server)
    assert now["ConfigMap/app"]["data"] == {"message": "two"} and now["Secret/key"] == before["Secret/key"]
    former = before["ConfigMap/app"]
    assert kept.get(refs.config_map("test", former["metadata"]["name"])) == former


@pytest.mark.parametrize("place", [APP, KEY])
def test_safety_17_what_says_something_else_since_the_decision_is_not_promoted(server: Any, kept: Objects, place: refs.Ref) -> None:
    decided, before = order(server), kept.get(PRIMARY)
    kept.change(place, lambda live: live.update(data={"other": "eA=="}))
    work = apply_workload(server.api(), CANARY, decided, 3)
    assert not work.result()["changed"] and write_of(server) == []
    assert kept.get(PRIMARY) == before


def test_safety_18_what_somebody_else_made_under_that_name_is_not_taken_for_a_copy(server: Any, kept: Objects) -> None:
    name = found(server).names["ConfigMap/app"]
    kept.put(refs.config_map("test", name), {"data": {"message": "evil"}})
    before = kept.get(PRIMARY)
    with pytest.raises(CanaryError, match=f"ConfigMap test/{name} exists and is no copy that was made for the canary podinfo"):
        apply_workload(server.api(), CANARY, order(server), 3)
    assert kept.get(PRIMARY) == before


def test_safety_18_a_copy_with_another_content_than_its_name_says_is_refused(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    name = found(server).names["ConfigMap/app"]
    kept.change(refs.config_map("test", name), lambda live: live.update(data={"message": "evil"}))
    with pytest.raises(CanaryError, match="does not hold what its name says"):
        apply_workload(server.api(), CANARY, order(server), 3)


def test_safety_01_a_copy_that_nobody_names_is_made_anew_so_that_a_late_deletion_misses_it(server: Any, kept: Objects) -> None:
    decided = order(server)
    apply_workload(server.api(), CANARY, decided, 3)
    kept.change(PRIMARY, lambda live: live["spec"].update(template=template("podinfo:A")))
    server.asked.clear()
    apply_workload(server.api(), CANARY, decided, 3)
    names = found(server).names
    assert write_of(server)[:3] == ["POST configmaps", f"DELETE {names['ConfigMap/app']}", "POST configmaps"]
    deletions = [json.loads(one.body) for one in server.asked if one.method == "DELETE"]
    assert all({"uid", "resourceVersion"} == set(one["preconditions"]) for one in deletions)


def interrupted(server: Any, kept: Objects, *forbidden: str) -> WorkloadOrder:
    """A promotion that made its copies and came no further; of copies, the methods that are forbidden to whoever goes on with it."""
    decided = order(server)
    apply_workload(server.api(), CANARY, decided, 3)
    kept.change(PRIMARY, lambda live: live["spec"].update(template=template("podinfo:A")))
    kept.forbids = lambda method, path: method in forbidden and "-primary-" in path.rpartition("/")[2]
    server.asked.clear()
    return decided


def test_a_copy_that_is_there_and_may_not_be_looked_at_is_believed_where_our_replicasets_name_it(server: Any, kept: Objects) -> None:
    decided = order(server)
    apply_workload(server.api(), CANARY, decided, 3)
    kept.forbids = lambda method, path: method in ("GET", "DELETE") and "-primary-" in path.rpartition("/")[2]
    assert not apply_workload(server.api(), CANARY, decided, 3).result()["changed"]


def test_safety_18_a_copy_that_may_not_be_looked_at_is_not_believed_by_its_name_and_the_ways_out_are_said(server: Any, kept: Objects) -> None:
    decided, before = interrupted(server, kept, "GET", "DELETE"), kept.get(PRIMARY)
    with pytest.raises(KubeError) as refused:
        apply_workload(server.api(), CANARY, decided, 3)
    name = found(server).names["ConfigMap/app"]
    assert f"ConfigMap test/{name} is there already" in str(refused.value) and "configs.yml in examples/rbac" in str(refused.value)
    assert (refused.value.status, kept.get(PRIMARY)) == (403, before)
    for entry, name in found(server).names.items():
        kept.drop(kept_configs.place_of("test", f"{entry.partition('/')[0]}/{name}"))
    assert apply_workload(server.api(), CANARY, decided, 3).result()["changed"], "as soon as somebody has deleted it"


def test_safety_18_a_promotion_that_was_interrupted_is_gone_on_with_by_whoever_may_look_at_copies(server: Any, kept: Objects) -> None:
    decided = interrupted(server, kept, "DELETE")
    before = copies(kept, server)
    assert apply_workload(server.api(), CANARY, decided, 3).result()["changed"]
    primary = kept.get(PRIMARY)
    assert primary and set(configs.references(primary["spec"]["template"]["spec"])) == {f"{obj['kind']}/{obj['metadata']['name']}" for obj in before.values()}
    assert copies(kept, server) == before


def test_safety_18_what_a_secret_holds_is_in_no_result_and_in_no_refusal(server: Any, kept: Objects) -> None:
    planned = apply_workload(server.api(), CANARY, order(server), 3, check_mode=True)
    done = apply_workload(server.api(), CANARY, order(server), 3)
    for result in (planned.result(), done.result()):
        said = json.dumps(result)
        assert SECRET not in said and DATA[KEY]["data"]["token"] not in said and "one" not in json.dumps(result["diff"])
    kept.change(PRIMARY, lambda live: live["spec"].update(template=template("podinfo:A")))
    kept.change(KEY, lambda live: live.update(data={"other": "eA=="}))
    decided = order(server)
    answer = server.status(422, "Invalid", f"data: Invalid value: {DATA[KEY]['data']['token']}")
    server.says(lambda handler: (answer if handler.command == "POST" and handler.path.partition("?")[0].endswith("/secrets") else kept)(handler))
    with pytest.raises(KubeError) as refused:
        apply_workload(server.api(), CANARY, decided, 3)
    assert "create Secret test/key-primary-" in str(refused.value) and "(422)" in str(refused.value)
    assert DATA[KEY]["data"]["token"] not in str(refused.value)


def test_safety_28_a_primary_is_made_with_copies_that_are_there_before_it(server: Any, kept: Objects) -> None:
    kept.drop(PRIMARY)
    apply_workload(server.api(), CANARY, WorkloadOrder(create_primary=2), 3)
    assert write_of(server)[-3:] == ["POST configmaps", "POST secrets", "POST deployments"]
    primary = kept.get(PRIMARY)
    assert primary and configs.references(primary["spec"]["template"]["spec"]).keys().isdisjoint(NAMES)


def test_safety_28_no_primary_is_made_whose_pods_would_not_start(server: Any, kept: Objects) -> None:
    kept.drop(PRIMARY)
    kept.drop(KEY)
    with pytest.raises(CanaryError, match="podinfo-primary was not made, its pods would not start: Secret key does not exist"):
        apply_workload(server.api(), CANARY, WorkloadOrder(create_primary=2), 3)
    assert kept.get(PRIMARY) is None and not [write for write in write_of(server) if write.startswith("POST")]


# The look

def seen_with(server: Any, **changes: Any) -> Any:
    return look.look(server.api(), CANARY, Record("podinfo", "test", phase="Progressing", **changes))


def test_safety_18_a_changed_content_is_another_revision_and_said_by_name(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    before = seen_with(server)
    assert (before.same_as_primary, before.same_template, before.changed_configs) == (True, True, "")
    kept.change(KEY, lambda live: live.update(data={"token": "eA=="}))
    now = seen_with(server)
    assert (now.same_as_primary, now.same_template, now.changed_configs) == (False, True, "Secret key")
    assert now.target.revision != before.target.revision and now.target.replicaset == before.target.replicaset == "podinfo-1"


def test_what_is_not_there_or_may_not_be_read_makes_a_target_unready_and_hinders_no_look(server: Any, kept: Objects) -> None:
    kept.drop(APP)
    kept.forbids = lambda method, path: path == KEY.path
    target = seen_with(server).target
    assert (target.ready, target.why) == (False, "ConfigMap app does not exist; no permission to get Secret key")


def test_without_tracking_none_is_read(server: Any, kept: Objects) -> None:
    seen = look.look(server.api(), dataclasses.replace(CANARY, options=Options(config_tracking=False)), Record("podinfo", "test", phase="Progressing"))
    assert seen.target.revision == revision_of(B) and seen.target.configs == ""
    assert not [one.path for one in server.asked if one.path in (APP.path, KEY.path)]


def test_safety_19_a_primary_from_before_they_were_tracked_starts_nothing_until_one_of_them_changes(server: Any, kept: Objects) -> None:
    selector = {"app": "podinfo-primary"}
    made = copy.deepcopy(B)
    made["metadata"]["labels"] = selector
    kept.change(PRIMARY, lambda live: (live["spec"].update(template=made), live["metadata"]["annotations"].update({marks.PROMOTED: revision_of(B)})))
    assert seen_with(server, last_promoted=revision_of(B)).same_as_primary
    assert look.look(server.api(), CANARY).same_as_primary, "nor where the record was lost"
    noted = seen_with(server, last_promoted=revision_of(B)).target.revision
    kept.change(APP, lambda live: live.update(data={"message": "two"}))
    now = seen_with(server, last_promoted=noted)
    assert not now.same_as_primary and now.target.revision != noted


def crowd(kept: Objects, count: int) -> tuple[str, ...]:
    """So many ConfigMaps with long names, read by the target's pods."""
    names = tuple(f"{number:03d}-{'long' * 50}" for number in range(count))
    for name in names:
        kept.put(refs.config_map("test", name), {"data": {"name": name}})
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=reading(template("podinfo:B"), *names)))
    return names


def test_ansible_10_a_tick_is_small_however_many_there_are_and_each_costs_one_request(server: Any, kept: Objects) -> None:
    def cost() -> int:
        server.asked.clear()
        assert len(json.dumps(dump(seen_with(server)))) < 4000
        return len(server.asked)
    crowd(kept, 1)
    alone = cost()
    crowd(kept, 40)
    assert cost() == alone + 39


def test_ansible_10_a_tick_of_a_removal_is_small_too(server: Any, kept: Objects) -> None:
    names = crowd(kept, 40)
    read = kept_configs.read(server.api(), CANARY, reading(template("podinfo:B"), *names)["spec"])
    kept_configs.ensure_copies(Writer(server.api(), "podinfo", 3), CANARY, read, kept.get(TARGET) or {})
    made = configs.copies_of("podinfo", configs.flaggers(read.digests))
    seen = seen_with(server, removing=Removal("by a person", 1.0), inventory=made)
    assert seen.remains and 0 < len(seen.remains.objects) < len(made)
    assert len(json.dumps({"seen": dump(seen), "open": dump(WorkloadOrder(dispose=seen.remains.objects))})) < 8000


# What is left

def test_safety_29_what_the_primary_reads_goes_after_it(server: Any, kept: Objects) -> None:
    apply_workload(server.api(), CANARY, order(server), 3)
    made = configs.copies_of("podinfo", configs.flaggers(found(server).digests))
    remains = seen_with(server, removing=Removal("by a person", 1.0), inventory=(*made, "Deployment/podinfo-primary")).remains
    assert remains and remains.objects[-3:] == ("Deployment/podinfo-primary", *made)
    # A record that was lost knew none of them: the primary still does.
    assert set(made) < set(seen_with(server, removing=Removal("by a person", 1.0)).remains.objects)
    apply_workload(server.api(), CANARY, WorkloadOrder(dispose=remains.objects), 4)
    assert not any(copies(kept, server).values()) and kept.get(PRIMARY) is None
    assert kept.get(APP) and kept.get(KEY), "the user's own stay"


def test_safety_29_the_target_gets_its_template_back_with_its_own_names(server: Any, kept: Objects) -> None:
    decided = order(server)
    apply_workload(server.api(), CANARY, decided, 3)
    for place in (TARGET, refs.replica_set("test", "podinfo-1")):
        kept.change(place, lambda live: live["spec"].update(template=template("podinfo:C")))
    apply_workload(server.api(), CANARY, WorkloadOrder(template_back={"revision": decided.promote["revision"]}), 3)
    back = (kept.get(TARGET) or {})["spec"]["template"]
    assert revision_of(back) == revision_of(B)


def tidied(server: Any, *inventory: str) -> tuple[str, ...]:
    return kept_configs.tidied(Writer(server.api(), "podinfo", 3), CANARY, inventory)


@pytest.fixture
def two_generations(server: Any, kept: Objects) -> tuple[str, str]:
    """Copies of two contents of the ConfigMap: of the former one, and of the one that the primary refers to."""
    apply_workload(server.api(), CANARY, order(server), 3)
    former = found(server).names["ConfigMap/app"]
    kept.change(APP, lambda live: live.update(data={"message": "two"}))
    apply_workload(server.api(), CANARY, order(server), 3)
    return f"ConfigMap/{former}", f"ConfigMap/{found(server).names['ConfigMap/app']}"


def test_safety_18_a_copy_goes_when_no_replicaset_names_it_and_not_before(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    former, present = two_generations
    before = kept.get(refs.replica_set("test", "podinfo-primary-1"))
    of_former = copy.deepcopy((kept.get(PRIMARY) or {})["spec"]["template"])
    of_former["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"] = former.partition("/")[2]
    kept.change(refs.replica_set("test", "podinfo-primary-1"), lambda live: live["spec"].update(template=of_former))
    assert tidied(server, former, present, "Deployment/podinfo-primary") == ()
    kept.put(refs.replica_set("test", "podinfo-primary-1"), before or {})
    assert tidied(server, former, present, "Deployment/podinfo-primary") == (former,)
    assert kept.get(kept_configs.place_of("test", former)) is None and kept.get(kept_configs.place_of("test", present))


def test_safety_18_without_the_right_to_delete_old_copies_stay_in_the_inventory(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    kept.forbids = lambda method, path: method == "DELETE"
    assert tidied(server, *two_generations) == ()


def test_safety_18_what_a_primary_read_that_somebody_deleted_stays(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    kept.drop(PRIMARY)
    assert tidied(server, *two_generations) == ()


def test_safety_18_only_what_has_our_label_is_tidied(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    place = kept_configs.place_of("test", two_generations[0])
    kept.change(place, lambda live: live["metadata"].update(labels={}))
    tidied(server, *two_generations)
    assert kept.get(place)


# The record

def test_a_run_notes_what_is_tracked_and_takes_old_copies_away_at_its_end(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    revision = revision_of(B, found(server).digests)
    kept.change(TARGET, lambda live: live["spec"].update(replicas=0))
    record = Record("podinfo", "test", identity=CANARY.identity, phase="Succeeded", last_promoted=revision, last_applied=revision, settled=True, epoch=3,
                    holder=Holder("us", since=time.time(), until=time.time() + 60), inventory=two_generations, target_uid="uid-podinfo")
    kept.change(store.record_ref("test", "podinfo"), lambda live: live["data"].update(record=store.dumps(record)))
    kept.change(refs.http_route("test", "podinfo"), lambda live: [entry.update(weight=100 if entry["name"] == "podinfo-primary" else 0)
                                                                  for entry in live["spec"]["rules"][0]["backendRefs"]])
    assert Round(server.api(), CANARY, Holder("us"), lambda text: None, lambda record, told: None).run()["outcome"] == "unchanged"
    after = loads((kept.get(store.record_ref("test", "podinfo")) or {})["data"]["record"])
    assert after.tracked.keys() == {"configmap/app", "secret/key"} and after.inventory == two_generations[1:]
    assert SECRET not in json.dumps(kept.get(store.record_ref("test", "podinfo")))
    assert flagger_status(after)["trackedConfigs"] == dict(after.tracked)


def test_of_a_removed_canary_nothing_is_tracked_whoever_looks_again(server: Any, kept: Objects) -> None:
    record = Record("podinfo", "test", identity=CANARY.identity, phase="Terminated", outcome="removed", settled=True, epoch=3,
                    holder=Holder("us", since=time.time(), until=time.time() + 60))
    kept.change(store.record_ref("test", "podinfo"), lambda live: live["data"].update(record=store.dumps(record)))
    Round(server.api(), CANARY, Holder("us"), lambda text: None, lambda record, told: None).run()
    after = loads((kept.get(store.record_ref("test", "podinfo")) or {})["data"]["record"])
    assert (after.phase, dict(after.tracked)) == ("Terminated", {})


def test_the_projection_forgets_what_is_not_tracked_any_more(server: Any) -> None:
    kept = Objects(server)
    place = refs.canary("test", "podinfo")
    live = kept.put(place, {"spec": {}, "status": {"phase": "Succeeded", "trackedConfigs": {"configmap/a": "1", "secret/b": "2"}}})
    api = server.api()
    api.patch_status = api.patch
    once = documents.project_status(api, live, {"phase": "Succeeded", "trackedConfigs": {"configmap/a": "3"}})
    assert once["status"]["trackedConfigs"] == {"configmap/a": "3"}
    none = documents.project_status(api, once, {"phase": "Succeeded"})
    assert "trackedConfigs" not in none["status"]
    server.asked.clear()
    documents.project_status(api, none, {"phase": "Succeeded"})
    assert server.asked == []


def test_nothing_is_tidied_where_the_target_has_no_pods_of_its_own(server: Any, kept: Objects, two_generations: tuple[str, str]) -> None:
    """A Service took the place of a Deployment that was a target before: whoever removed that has to see to its copies."""
    of_service = dataclasses.replace(CANARY, target_kind="Service")
    assert kept_configs.tidied(Writer(server.api(), "podinfo", 3), of_service, two_generations) == ()


def test_safety_29_what_may_not_be_looked_at_counts_as_left_and_hinders_no_look(server: Any, kept: Objects) -> None:
    copied = "ConfigMap/podinfo-primary-0123456789"
    kept.forbids = lambda method, path: path.endswith("/podinfo-primary-0123456789")
    record = Record("podinfo", "test", identity=CANARY.identity, inventory=(copied,), removing=Removal("why not", 0.0, "primary"))
    assert copied in look.look(server.api(), CANARY, record).remains.objects
