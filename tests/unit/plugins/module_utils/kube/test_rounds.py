# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an observation writes, and when: the claim, the lock, people's orders while it waits."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils import walker
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import LostLock, RecordError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, Split, TrafficOrder, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import PREFIX, Holder, Intent, Record, loads
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_TRAFFIC_INCREASE, ROLLOUT, Hook, Options
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, record as store, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.plugins.modules import canary_decide
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import A, B, Objects, document, walked

RECORD = store.record_ref("test", "podinfo")
ROUTE = routes.ref(document())
US = Holder("us")
NOTHING = Observation(0.0, None, None, False, (), True, None)


def walk(server: Any, canary: Any, **how: Any) -> Round:
    return Round(server.api(), canary, US, lambda text: None, lambda record, told: None, **how)


def stored(kept: Objects) -> Record:
    found = kept.get(RECORD)
    assert found
    return loads(found["data"]["record"])


def until_of(kept: Objects) -> float:
    holder = stored(kept).holder
    assert holder
    return holder.until


def somebody(**more: Any) -> Holder:
    """Another run, on another machine."""
    now = time.time()
    return Holder("them", host="elsewhere", **{"since": now - 60, "renewed": now - 1, "until": now + 29, **more})


def after(seconds: float) -> Any:
    """Impatient after so long, so that no test waits for a whole interval."""
    end = time.monotonic() + seconds
    return lambda why: time.monotonic() > end


def ordered(kept: Objects, word: str, text: str = "yes") -> None:
    """kubectl annotate."""
    kept.change(RECORD, lambda live: live["metadata"].setdefault("annotations", {}).update({f"{PREFIX}{word}": text}))


def walked_on_by(kept: Objects, run: str, epoch: int) -> None:
    """Another run claims the record, or renews its lease."""
    now = time.time()

    def claim(live: dict[str, Any]) -> None:
        record = store.held(loads(live["data"]["record"]), Holder(run), now, 30.0)
        live["data"]["record"] = store.dumps(Record(**{**vars(record), "epoch": epoch}))
    kept.change(RECORD, claim)


# The claim

def test_safety_27_within_a_run_no_time_is_before_the_one_that_it_noted_down_last(server: Any) -> None:
    clock = time.time() + 30 - time.monotonic()     # another client of the run knew more than the next Date tells
    kept = walked(server, document(), 10, time.time() - 30, holder=dataclasses.replace(
        walker.me("us"), since=1.0, until=time.time() + 60, ahead_by_at_least=clock, ahead_by_at_most=clock + 0.1))
    before = time.time()
    assert walk(server, document()).run()["seen"]["now"] >= before + 30
    assert stored(kept).holder.since == 1.0


@pytest.mark.parametrize("boot", ["another", ""])
def test_safety_27_a_clock_of_another_machine_says_nothing_here(server: Any, monkeypatch: pytest.MonkeyPatch, boot: str) -> None:
    """Two machines without boot ids are not one because of that."""
    if not boot:
        monkeypatch.setattr(walker, "boot", str)
    clock = time.time() + 30 - time.monotonic()
    walked(server, document(), 10, time.time() - 30, holder=dataclasses.replace(
        walker.me("us"), boot=boot, until=time.time() + 60, ahead_by_at_least=clock, ahead_by_at_most=clock + 0.1))
    assert walk(server, document()).run()["seen"]["now"] < time.time() + 5


def test_safety_12_27_what_is_seen_is_seen_between_two_times(server: Any) -> None:
    """Of the time of day the server says whole seconds: what is to last begins at the later one."""
    kept = walked(server, document(), 10, time.time() - 30)
    before = time.time()
    seen = look.look(server.api(), document(), stored(kept))
    assert seen.now <= time.time() and before <= seen.latest < time.time() + 1.1
    assert seen.after(10) == seen.latest + 10


def test_safety_02_a_tick_that_is_not_due_writes_nothing(server: Any) -> None:
    kept = walked(server, document(analysis={"interval": 300.0}), 10, time.time())
    tick = walk(server, document(analysis={"interval": 300.0}), mode="tick").run()
    assert tick["outcome"] == "not_due"
    assert kept.written == [] and stored(kept).holder is None


def test_safety_02_what_is_due_is_claimed_before_anything_is_asked(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    tick = walk(server, document()).run()
    assert tick["due"]
    record = stored(kept)
    assert record.holder and (record.holder.run, record.epoch, tick["epoch"]) == ("us", 4, 4)


def test_safety_02_whoever_claimed_in_between_keeps_the_record(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    kept.meanwhile = lambda: walked_on_by(kept, "them", epoch=4)
    with pytest.raises(LostLock, match="held by run them"):
        walk(server, document()).run()
    record = stored(kept)
    assert record.holder and record.holder.run == "them"


def test_safety_02_an_order_of_a_person_in_between_is_no_reason_to_stop(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    kept.meanwhile = lambda: ordered(kept, "promote")
    assert walk(server, document()).run()["due"]
    assert (kept.get(RECORD) or {})["metadata"]["annotations"] == {f"{PREFIX}promote": "yes"}


@pytest.mark.parametrize("changes", [{"holder": Holder("them"), "epoch": 5}, {"holder": Holder("us"), "epoch": 5}, {"holder": None, "epoch": 4}])
def test_safety_02_nothing_is_decided_for_a_record_that_is_not_ours_any_more(server: Any, run_verb: Any, frozen: Any, changes: dict[str, Any]) -> None:
    kept = walked(server, document(), 10, time.time() - 60, **changes)
    decided = run_verb(canary_decide.VERB, host=server.url, api_key="x", document=frozen(), holder=dump(US), tick={"epoch": 4, "seen": dump(NOTHING)})
    assert decided.get("error") == "LostLock"
    assert kept.written == []


# The lock

def test_safety_01_who_takes_a_walk_over_fences_every_object_first(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60, holder=somebody(until=time.time() - 3600), epoch=7)
    walk(server, document(), take_over=True).run()
    places = [ROUTE, refs.deployment("test", "podinfo"), refs.deployment("test", "podinfo-primary"),
              *(refs.service("test", name) for name in ("podinfo", "podinfo-primary", "podinfo-canary"))]
    assert [marks.epoch_of(kept.get(place) or {}) for place in places] == [8] * len(places)


def test_safety_01_who_finds_an_open_order_fences_before_it_is_carried_out(server: Any) -> None:
    intent = Intent(time.time() - 1, revision_of(B), False, traffic=TrafficOrder(split=Split(80, 20)))
    kept = walked(server, document(), 10, time.time() - 60, intent=intent)
    tick = walk(server, document()).run()
    assert tick["open"]["traffic"]["split"]["canary"] == 20
    assert marks.epoch_of(kept.get(ROUTE) or {}) == tick["epoch"] == 4


def test_safety_01_a_walk_on_an_adopted_route_begins_by_fencing_it(server: Any) -> None:
    canary = document(options=Options(route="adopted"))
    kept = walked(server, canary, 10, time.time() - 60)
    kept.change(ROUTE, lambda live: live["metadata"].update(labels={}, annotations={}))
    walk(server, canary).run()
    assert marks.annotations_of(kept.get(ROUTE) or {}) == {marks.CANARY: "podinfo", marks.EPOCH: "4"}


@pytest.mark.parametrize("mode", ["walk", "tick"])
def test_safety_03_a_lease_that_runs_is_not_taken(server: Any, mode: str) -> None:
    kept = walked(server, document(), 10, time.time() - 60, holder=somebody())
    with pytest.raises(LostLock, match="held by run them on elsewhere"):
        walk(server, document(), mode=mode).run()
    assert kept.written == []


def test_safety_03_a_lease_that_is_over_and_renewed_while_it_is_watched_is_not_taken(server: Any) -> None:
    canary = document(options=Options(lease=2.0))
    kept = walked(server, canary, 10, time.time() - 60, holder=somebody(until=time.time() - 5))
    kept.in_a_watch = lambda: walked_on_by(kept, "them", epoch=3)
    with pytest.raises(LostLock, match="held by run them"):
        walk(server, canary).run()
    assert kept.written == []


def test_safety_03_a_lease_that_is_over_and_stands_still_is_taken(server: Any) -> None:
    canary = document(options=Options(lease=0.5))
    kept = walked(server, canary, 10, time.time() - 60, holder=somebody(until=time.time() - 5))
    assert walk(server, canary).run()["due"]
    record = stored(kept)
    assert record.holder and record.holder.run == "us"


def test_safety_03_an_order_of_a_person_is_no_sign_of_the_holders_life(server: Any) -> None:
    canary = document(options=Options(lease=0.5))
    kept = walked(server, canary, 10, time.time() - 60, holder=somebody(until=time.time() - 5))
    kept.in_a_watch = lambda: ordered(kept, "promote")
    assert walk(server, canary).run()["due"]
    record = stored(kept)
    assert record.holder and record.holder.run == "us"


def test_safety_03_a_schedule_wants_a_margin_beyond_the_lease(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60, holder=somebody(until=time.time() - 5))
    with pytest.raises(LostLock, match="held by run them"):
        walk(server, document(), mode="tick").run()
    assert kept.written == []


def test_safety_03_a_holder_that_was_killed_on_this_machine_is_replaced_at_once(server: Any) -> None:
    gone = walker.me("them", 1)
    kept = walked(server, document(), 10, time.time() - 60, holder=Holder(**{
        **vars(gone), "pid": 4_190_000, "started": 1, "since": time.time() - 60, "renewed": time.time(), "until": time.time() + 3600}))
    assert walk(server, document()).run()["due"]
    record = stored(kept)
    assert record.holder and record.holder.run == "us"


def test_safety_03_an_abort_does_not_ask(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60, holder=somebody())
    ordered(kept, "abort")
    assert walk(server, document(), take_over=True).run()["due"]
    record = stored(kept)
    assert record.holder and record.holder.run == "us"


def test_safety_03_a_holder_that_waits_renews_its_lease(server: Any) -> None:
    canary = document(analysis={"interval": 60.0}, options=Options(lease=1.5))
    kept, over = walked(server, canary, 10, time.time()), after(10.0)
    leases: list[float] = []

    def renewed(why: str) -> bool:
        holder = stored(kept).holder
        leases.extend([holder.until] if holder else [])
        return over(why) or len(set(leases)) > 1
    walk(server, canary, impatient=renewed).run()
    assert leases == sorted(leases) and len(set(leases)) == 2


@pytest.mark.parametrize("slow", [Hook(0, ROLLOUT, "slow", "http://gate", timeout=300.0), Hook(0, ROLLOUT, "often", "http://gate", timeout=60.0, retries=4)])
def test_safety_03_a_lease_covers_what_nobody_renews_meanwhile(server: Any, slow: Hook) -> None:
    canary = document(analysis={"hooks": (slow,)})
    kept = walked(server, canary, 10, time.time() - 60)
    assert walk(server, canary).run()["asks"]["before"] == [0]
    assert until_of(kept) > time.time() + 300


def test_safety_03_the_last_write_of_a_run_gives_the_claim_back(server: Any) -> None:
    now = time.time()
    ours = Holder("us", since=now, renewed=now, until=now + 30)
    kept = walked(server, document(), 10, now - 60, holder=ours, announced=("suspended",), obeyed=({"at": now, "order": "halt", "said": ""},))
    ordered(kept, "halt")
    assert walk(server, document(), on_wait="end").run()["outcome"] == "waiting"
    assert stored(kept).holder is None


# A record that is lost, or cannot be read

def test_safety_05_a_record_that_is_made_anew_begins_above_the_epochs_that_the_objects_know(server: Any) -> None:
    kept = walked(server, document(), 10, time.time())
    kept.change(ROUTE, lambda live: live["metadata"].setdefault("annotations", {}).update({marks.EPOCH: "7.2"}))
    kept.drop(RECORD)
    walk(server, document()).run()
    assert stored(kept).epoch == 8


def test_safety_06_a_config_map_of_somebody_else_is_refused_in_words(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    kept.change(RECORD, lambda live: live["metadata"].pop("labels"))
    with pytest.raises(RecordError, match="is not a record of this collection"):
        walk(server, document()).run()
    assert kept.written == []


def test_safety_06_a_damaged_record_is_refused_with_the_way_out(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    kept.change(RECORD, lambda live: live["data"].update(record="{"))
    with pytest.raises(RecordError, match=r"ConfigMap test/podinfo-canary: .* damaged .*abort takes traffic back all the same.*delete it, and run again"):
        walk(server, document()).run()
    assert kept.written == []


def test_safety_06_an_abort_goes_on_without_a_readable_record(server: Any) -> None:
    kept = walked(server, document(), 10, time.time() - 60)
    kept.change(RECORD, lambda live: live["data"].update(record="{"))
    before = kept.get(RECORD)
    tick = walk(server, document(), abort=True, take_over=True).run()
    assert tick["open"] == {"traffic": dump(TrafficOrder(split=Split(100, 0))), "workload": None}
    assert kept.get(RECORD) == before
    assert marks.epoch_of(kept.get(ROUTE) or {}) == tick["epoch"] > 0


# Waiting

def test_safety_04_an_order_is_heard_while_it_waits(server: Any) -> None:
    canary = document(analysis={"interval": 60.0})
    kept, over = walked(server, canary, 10, time.time()), after(8.0)
    kept.in_a_watch = lambda: ordered(kept, "abort")
    assert walk(server, canary, impatient=over).run()["due"]
    assert not over("the wait")


@pytest.mark.parametrize(("key", "before", "after"), [
    ("approve.confirm-promotion", "aaaaaaaa", "bbbbbbbb"), ("abort", "yes", "no, really"), ("remove", "yes", '{"by": "yes", "keep": "target"}')])
def test_safety_04_an_order_that_is_given_anew_while_the_former_is_obeyed_stays(server: Any, key: str, before: str, after: str) -> None:
    kept = walked(server, document(), 10, time.time())
    ordered(kept, key, before)
    ordered(kept, "resume")
    found = store.read(server.api(), "test", "podinfo")
    kept.meanwhile = lambda: ordered(kept, key, after)
    store.write(server.api(), found, Record(**{**vars(stored(kept)), "report": "decided"}), obeyed=[f"{PREFIX}{key}", f"{PREFIX}resume"])
    assert (kept.get(RECORD) or {})["metadata"]["annotations"] == {f"{PREFIX}{key}": after}


def test_safety_04_waiting_and_claiming_leave_peoples_orders_where_they_are(server: Any) -> None:
    canary = document(analysis={"interval": 60.0})
    kept = walked(server, canary, 10, time.time())
    ordered(kept, "halt")
    walk(server, canary, on_wait="end").run()
    assert kept.written and (kept.get(RECORD) or {})["metadata"]["annotations"] == {f"{PREFIX}halt": "yes"}


@pytest.mark.parametrize(("hooks", "outcome"), [((Hook(0, CONFIRM_TRAFFIC_INCREASE, "ticket", "http://127.0.0.1:1"),), ""), ((), "waiting")])
def test_a_run_that_ends_at_closed_gates_asks_a_hook_before_it_ends_there(server: Any, hooks: tuple[Hook, ...], outcome: str) -> None:
    canary = document(analysis={"interval": 1.0, "hooks": hooks}, options=Options(manual_gates=() if hooks else (CONFIRM_TRAFFIC_INCREASE,), min_interval=1.0))
    now = time.time()
    walked(server, canary, 10, now - 60, due=now + 3, due_why="the gate is closed", closed_gate=CONFIRM_TRAFFIC_INCREASE)
    tick = walk(server, canary, on_wait="end").run()
    assert (tick["outcome"], tick["due"]) == (outcome, outcome == "")


def test_safety_12_a_tick_says_how_long_its_weight_has_been_confirmed(server: Any) -> None:
    walked(server, document(), 10, time.time() - 60)
    assert 58 < walk(server, document()).run()["window"] < 65


# What a document walks

@pytest.mark.parametrize(("key", "value"), [("provider", "contour"), ("target", "Deployment/other"), ("service", "other")])
def test_safety_08_what_is_walked_cannot_be_changed_in_mid_walk(server: Any, key: str, value: str) -> None:
    canary = document()
    kept = walked(server, canary, 10, time.time() - 60, identity={**canary.identity, key: value})
    with pytest.raises(SpecError, match=f"{key} of the document: changed from {value}"):
        walk(server, canary).run()
    assert kept.written == []


# An abort's own run

@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_safety_30_an_abort_whose_order_the_walker_obeyed_does_not_walk_what_was_aborted(server: Any, phase: str) -> None:
    """The walker waited for the primary, obeyed and ended; the abort's own run comes after it, and is no run of a release."""
    kept = walked(server, document(), 0, time.time(), phase=phase, aborted_in="the-walker", pinned=None, last_applied=revision_of(A), due=0.0)
    tick = walk(server, document(), abort=True, take_over=True).run()
    assert (tick["due"], tick["outcome"]) == (False, "aborted")
    assert f"revision {revision_of(B)[:8]} was not walked" in tick["why"]
    assert (stored(kept).holder, stored(kept).last_promoted) == (None, revision_of(A))


def test_safety_30_nor_does_it_initialise_what_was_stopped(server: Any) -> None:
    walked(server, document(), 0, time.time(), phase="Initializing", aborted_in="the-walker", pinned=None, last_applied="", last_promoted="")
    tick = walk(server, document(), abort=True, take_over=True).run()
    assert (tick["due"], tick["outcome"], tick["open"]) == (False, "aborted", {})


def test_whoever_is_no_abort_walks_what_another_run_aborted(server: Any) -> None:
    walked(server, document(), 0, time.time(), phase="Succeeded", aborted_in="the-walker", pinned=None, last_applied=revision_of(A), due=0.0)
    tick = walk(server, document()).run()
    assert (tick["due"], tick["outcome"]) == (True, "")
