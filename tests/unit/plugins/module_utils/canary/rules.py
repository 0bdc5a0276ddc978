# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold of everything that reached a simulated world, however it came to that. Each rule is one function over its log."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary import stage as stages
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis
from ansible_collections.progressive.delivery.plugins.module_utils.canary.steps import at_top, next_promotion, sequence
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import Done, World


def _raised(world: World) -> list[Done]:
    return [one for one in world.done if one.weight is not None and one.weight > one.live]


def _copied(world: World) -> list[Done]:
    return [one for one in world.done if one.copies is not None and one.copies > one.live_copies]


def _promoted(world: World) -> list[Done]:
    return [one for one in world.done if one.workload and one.workload.promote]


def no_raise_to_somebody_who_is_not_ready(world: World) -> None:
    """SAFETY 10, 16."""
    for one in _raised(world):
        for side in (one.seen.target, one.seen.primary):
            assert side is not None and side.ready and side.endpoints > 0, f"canary from {one.live} to {one.weight} while {side}"


def no_copies_to_somebody_who_is_not_ready(world: World) -> None:
    """SAFETY 10."""
    for one in _copied(world):
        for side in (one.seen.target, one.seen.primary):
            assert side is not None and side.ready and side.endpoints > 0, f"copies of {one.copies}% while {side}"


def nobody_is_served_by_the_canary_and_copied_to_it_at_once(world: World) -> None:
    assert not [one.traffic for one in world.done if one.weight and one.copies]


def copies_are_those_that_the_document_asks_for(world: World) -> None:
    for one in world.done:
        assert one.copies in (None, 0, one.canary.analysis.mirror) or one.again, f"copies of {one.copies}%"


def users_meet_a_canary_after_copies_of_their_requests(world: World) -> None:
    """SAFETY 12: where the document mirrors, nobody is served before a whole interval of copies was judged."""
    for one in _raised(world):
        if one.canary.analysis.mirror and one.live == 0 and not one.again and not one.canary.analysis.match:
            assert one.record.run in world.copied, f"{one.traffic} without copies before"


def an_analysis_has_one_cookie_and_the_primary_one_for_each_weight(world: World) -> None:
    """Weak spot 27."""
    made: dict[object, set[str]] = {}
    for one in world.done:
        split, affinity = (one.traffic.split if one.traffic else None), one.canary.analysis.affinity
        if split is None or affinity is None:
            continue
        assert bool(split.cookie) == (split.canary > 0), split
        assert bool(split.primary_cookie) == (split.canary > 0 and bool(affinity.primary_cookie_name)), split
        if split.canary:
            made.setdefault(one.record.run, set()).add(split.cookie)
            made.setdefault((one.record.run, split.canary), set()).add(split.primary_cookie)
    assert all(len(found) == 1 for found in made.values()), made


def no_traffic_back_to_a_primary_that_does_not_answer(world: World) -> None:
    """SAFETY 16, 30."""
    for one in world.done:
        if one.weight is not None and one.seen.route and one.seen.route.split and one.weight < one.live:
            assert one.seen.primary and one.seen.primary.endpoints > 0, f"canary from {one.live} to {one.weight} while {one.seen.primary}"


def pods_go_only_without_weight_and_drained(world: World) -> None:
    """SAFETY 11; as far as anybody has looked."""
    for one in world.done:
        if one.workload is None or one.workload.scale_target != 0:
            continue
        split = one.seen.route.split if one.seen.route else None
        assert split is None or not split.reaches_canary, f"the canary is scaled to 0 while it gets {split}"
        stopped = max((at for at, reached in world.reached if at <= one.at and not reached and at > world.reached[0][0]), default=None)
        drain = one.canary.options.drain
        # What people put there and took away again while nobody looked has no time that anybody could know.
        unknown = world.by_hand or one.at >= world.copied_by_hand
        assert stopped is None or unknown or one.at - stopped >= drain, f"the canary is scaled to 0 only {one.at - stopped} s after its last request"
        served = [(at, weight) for at, weight in world.weights if at <= one.at]
        lowered = max((at for (at, weight), (_before, previous) in zip(served[1:], served, strict=False)
                       if weight == 0 and previous > 0 and previous not in world.by_hand), default=None)
        assert lowered is None or one.at - lowered >= drain, f"the canary is scaled to 0 only {one.at - lowered} s after it lost its traffic"


def only_what_was_analysed_is_promoted(world: World) -> None:
    """SAFETY 17."""
    for one in _promoted(world):
        order, pinned = one.workload.promote, one.record.pinned
        if one.record.phase == states.INITIALIZING and not one.seen.apex_on_primary:
            continue                    # a first release mended before anybody was served by the primary
        assert pinned and (order["revision"], order["replicaset"], order["uid"]) == (pinned.revision, pinned.replicaset, pinned.replicaset_uid)
        assert one.seen.primary and one.seen.primary.revision != order["revision"] or one.again or one.seen.primary.promoted != order["revision"]
        if one.canary.skip_analysis or world.promote_ordered:
            continue
        judged = [int(key.rpartition("@")[2]) for key in world.passed if key.startswith(f"{order['revision']}@")]
        assert any(not one.canary.splits or at_top(one.canary.analysis, weight) for weight in judged), f"{order['revision'][:4]} was judged at {judged}"


def nothing_unanalysed_is_ever_in_the_primary(world: World) -> None:
    """SAFETY 17: a template that is given back to the primary was its own before."""
    promoted = {one.workload.promote["revision"] for one in _promoted(world)} | world.first | world.edited
    for one in world.done:
        if one.workload and one.workload.restore is not None:
            assert one.workload.restore["revision"] in promoted, f"{one.workload.restore} was never the primary's"


def one_direction_at_a_time(world: World) -> None:
    """SAFETY 9."""
    for _at, where, decision in world.decisions:
        assert decision.traffic is None or decision.workload is None, where


def weights_sum_to_100(world: World) -> None:
    for one in world.done:
        if one.traffic and one.traffic.split:
            split = one.traffic.split
            assert split.primary + split.canary == 100 and 0 <= split.canary <= 100, split


def nothing_moves_while_it_is_suspended(world: World) -> None:
    """But down: what was going down already, an abort, a weight that somebody raised by hand; and a removal, which a person ordered."""
    for one in world.done:
        if not one.seen.halted or one.record.removing:
            continue
        assert one.weight is None or one.weight <= one.live, f"canary from {one.live} to {one.weight}"
        assert one.copies is None or one.copies <= one.live_copies, f"copies from {one.live_copies}% to {one.copies}%"
        order = one.workload or WorkloadOrder()
        assert order.promote is None and order.create_primary is None and not order.scale_target, order


def ticks_come_neither_early_nor_in_bursts(world: World) -> None:
    """SAFETY 12: what a weight is judged by is a whole interval of its own, however long nobody looked, unless a person opened its gate."""
    judged = [(at, decision) for at, where, decision in world.decisions if where == stages.JUDGE]
    shortest = min([world.canary.analysis.interval, *(one.canary.analysis.interval for one in world.done)])
    for (before, first), (at, second) in zip(judged, judged[1:], strict=False):
        if first.record.run == second.record.run and not any(before <= approved <= at for approved in world.approved_at):
            assert at - before >= shortest, f"{second.record.run} was judged again after {at - before} s: {second.why}"


def weights_are_those_of_the_plan(world: World) -> None:
    """SAFETY, last section: no weight that the undisturbed walk lacks."""
    for one in _raised(world):
        assert one.weight in sequence(one.canary.analysis), f"canary from {one.live} to {one.weight}"


def weights_fall_to_known_ones(world: World) -> None:
    earlier = {one.weight for one in _raised(world)}
    for one in world.done:
        if one.weight is not None and one.weight < one.live:
            allowed = {0, *_returning(one.canary.analysis, {one.live, *earlier, *world.by_hand}), *earlier, *world.by_hand}
            assert one.weight in allowed, f"canary from {one.live} to {one.weight}"


def _returning(analysis: Analysis, weights: set[int]) -> set[int]:
    """Every weight on the way back to the primary from one of these."""
    found = set()
    while weights:
        weights = {next_promotion(analysis, weight) for weight in weights} - {0}
        found |= weights
    return found


def nothing_is_promoted_at_the_threshold(world: World) -> None:
    """Unless people say so, by an order or a document that skips the analysis: they may lower the threshold in the same edit."""
    for one in _promoted(world):
        asked = one.canary.skip_analysis or world.promote_ordered
        assert asked or one.record.failed_checks < one.canary.analysis.threshold, f"{one.record.failed_checks} failed checks"


def a_raise_has_evidence_of_its_own(world: World) -> None:
    """SAFETY 12: nobody saw another weight within the last interval."""
    for one in _raised(world) + _promoted(world):
        interval = one.canary.analysis.interval
        if one.live == 0 or one.canary.skip_analysis or world.promote_ordered or one.again:
            continue
        if one.record.phase == states.INITIALIZING and not one.seen.apex_on_primary:
            continue            # the primary gets what serves all users already, by whatever route
        changed = max((at for at, _weight in world.weights if at <= one.at), default=0.0)
        assert one.at - changed >= interval, f"{one.traffic or one.workload} after {one.at - changed} s at {one.live}%"


def users_meet_a_canary_after_all_its_iterations(world: World) -> None:
    """SAFETY 12: each of them judged, an interval after the one before; in A/B those who match meet it in them, all others after them."""
    for one in _raised(world) + _promoted(world):
        analysis = one.canary.analysis
        if not analysis.iterations or one.again or one.canary.skip_analysis or world.promote_ordered:
            continue
        if one.record.phase == states.INITIALIZING or (one.weight if analysis.match else one.live):
            continue
        judged = {number: at for at, run, number in world.iterated if run == one.record.run and at <= one.at}
        assert set(range(1, analysis.iterations + 1)) <= set(judged), f"{one.traffic or one.workload} after {judged}"
        times = [judged[number] for number in range(1, analysis.iterations + 1)]
        assert all(later - earlier >= 10 for earlier, later in zip(times, times[1:], strict=False)), times


def a_provider_without_weights_is_never_asked_for_one(world: World) -> None:
    assert not [one for one in world.done if not one.canary.splits and one.weight]


def everything_is_said_in_words(world: World) -> None:
    for _at, where, decision in world.decisions:
        assert decision.why.strip(), where
        assert "None" not in decision.why, decision.why
    assert all(line.strip() for line in world.lines)


def a_line_is_one_line(world: World) -> None:
    for line in [*world.lines, *(one.message for one in world.told)]:
        assert len(line.splitlines()) == 1, repr(line)


def nobody_is_asked_all_the_time(world: World) -> None:
    """The same hook not more than once an interval; people's orders and new runs may ask once more."""
    interval = min([world.canary.analysis.interval, *(one.canary.analysis.interval for one in world.done)])
    for index in {hook for _at, hook in world.asked}:
        times = [at for at, hook in world.asked if hook == index]
        crowded = [(first, third) for first, third in zip(times, times[world.patient_with:], strict=False) if third - first < interval / 2]
        assert not crowded, f"hook {world.canary.analysis.hooks[index].type} was asked {world.patient_with + 1} times from {crowded[0][0]} to {crowded[0][1]}"


def nobody_writes_all_the_time(world: World) -> None:
    """Ten decisions without an order, at the same place within a second, are a loop."""
    for (first, where, _one), (last, there, _two) in zip(world.decisions, world.decisions[10:], strict=False):
        assert where != there or last - first > 2.6, f"ten decisions at {where} from {first} to {last}: {_two.why}"


def phases_are_known(world: World) -> None:
    """What was aborted before it began has none yet, and nothing was ordered for it."""
    for _at, where, decision in world.decisions:
        begun = decision.record.phase or decision.traffic or decision.workload or where != stages.ABORT
        assert not begun or decision.record.phase in states.PHASES, f"phase {decision.record.phase!r} at {where}: {decision.why}"


def at_rest(world: World) -> None:
    """A walk is over: everything on the primary, the canary gone, nothing open."""
    record = world.record
    assert record.phase in states.IDLE, record.phase
    assert record.intent is None and record.ending is None and record.restoring is None
    assert record.settled and not record.post_rollout
    assert world.weight == record.canary_weight == 0
    assert not (world.split and world.split.reaches_canary) and record.mirror == 0 and not record.cookie
    # Whoever gives the primary the target's template by hand ends the walk that was to scale the target down.
    assert world.target is None or world.target.replicas == 0 or world.primary.revision in world.edited
    assert world.primary is not None and world.primary.endpoints(world.now) > 0
    assert not record.scaler_minimum and (world.scaler is None or world.scaler.before is None), "the primary's autoscaler is held"
    assert record.phase != states.SUCCEEDED or world.primary.revision == record.last_promoted or world.target.revision == world.primary.revision \
        or world.primary.revision in world.edited


def users_are_never_left_alone(world: World) -> None:
    """SAFETY 29."""
    assert not world.harm, world.harm


def everything_made_is_in_the_inventory(world: World) -> None:
    """SAFETY 1, 7: recorded no later than the order."""
    for one in world.done:
        if one.workload and one.workload.create_primary is not None:
            assert f"Deployment/{one.canary.primary}" in one.record.inventory
        if one.workload and one.workload.scaler is not None and one.seen.scaler is None:
            assert f"{one.canary.autoscaler.kind}/{one.canary.autoscaler.primary}" in one.record.inventory
        if one.traffic and one.traffic.services:
            assert {f"Service/{one.canary.service.primary_name}", f"Service/{one.canary.service.canary_name}"} <= set(one.record.inventory)


def every_copy_is_in_the_inventory(world: World) -> None:
    """SAFETY 18: recorded no later than the order that makes it."""
    for one in _promoted(world):
        if one.workload.promote.get("configs"):
            assert set(configs.copies_of(one.canary.name, {"configmap/app": one.workload.promote["configs"]})) <= set(one.record.inventory)


def is_removed(world: World) -> None:
    """Nothing of ours is left but a small record, and the target serves."""
    record = world.record
    assert record.phase == states.TERMINATED, record.phase
    assert record.intent is None and record.ending is None and record.restoring is None and record.removing is None and record.pinned is None
    kept = {world.canary.service.canary_name} if world.canary.adopted else set()
    assert world.primary is None and world.services <= kept and not world.held and world.scaler is None and not world.resting
    assert world.split is None or not world.canary.splits or (world.canary.adopted and world.weight == 0)
    assert world.target is not None and world.target.endpoints(world.now) > 0 and not world.target.paused


def an_autoscaled_primary_is_not_scaled(world: World) -> None:
    """Its replicas are the autoscaler's."""
    for one in world.done:
        assert one.workload is None or one.workload.scale_primary is None or one.seen.scaler is None, one.workload


def nobody_is_overloaded_by_us(world: World) -> None:
    """SAFETY 15, where autoscalers are at work: they see late what users need, and users come back all at once.

    On the way up the canary has what its own autoscaler gives it.
    """
    crowded = [text for text in world.overloaded if f" {world.canary.primary} " in text or " 100% " in text]
    assert not crowded, crowded[:3]


ALL = (
    an_autoscaled_primary_is_not_scaled,
    users_are_never_left_alone, everything_made_is_in_the_inventory, every_copy_is_in_the_inventory,
    no_raise_to_somebody_who_is_not_ready, no_traffic_back_to_a_primary_that_does_not_answer, pods_go_only_without_weight_and_drained,
    only_what_was_analysed_is_promoted, nothing_unanalysed_is_ever_in_the_primary, one_direction_at_a_time, weights_sum_to_100,
    nothing_moves_while_it_is_suspended, ticks_come_neither_early_nor_in_bursts, weights_are_those_of_the_plan, weights_fall_to_known_ones,
    nothing_is_promoted_at_the_threshold, users_meet_a_canary_after_all_its_iterations,
    no_copies_to_somebody_who_is_not_ready, nobody_is_served_by_the_canary_and_copied_to_it_at_once, copies_are_those_that_the_document_asks_for,
    users_meet_a_canary_after_copies_of_their_requests, an_analysis_has_one_cookie_and_the_primary_one_for_each_weight,
    a_provider_without_weights_is_never_asked_for_one, a_raise_has_evidence_of_its_own, everything_is_said_in_words, a_line_is_one_line,
    nobody_is_asked_all_the_time, nobody_writes_all_the_time, phases_are_known,
)


def hold(world: World) -> None:
    for rule in ALL:
        rule(world)


__all__ = ["ALL", "at_rest", "hold", "stages"]
