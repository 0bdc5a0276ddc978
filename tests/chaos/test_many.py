# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many walkers of one canary, many canaries of one walker, one that was frozen and thawed, and other people's hands."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import instant_prometheus
import pytest
from harness import Release, Walk, wait_for
from labkit import processes
from sameness import differences
from stand import PROMOTION, QUICK, RATE, STEPS, Stand

HERE = Path(__file__).parent
TOGETHER, BOUNDED = 10, 4   # canaries of one play, with --full and without
CLOCKS = 2.0                # seconds by which a walker may take the API server's clock for earlier than it is
FROZEN_AT = (20, 0, 40)     # weights at which a walker is frozen, with --full; the first one alone without
OFFSETS = (0.0, 2.0, 4.0)   # seconds by which a reverter begins later; the first one alone without --full


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "offset" in metafunc.fixturenames:
        metafunc.parametrize("offset", OFFSETS if metafunc.config.getoption("--full") else OFFSETS[:1])


@pytest.mark.parametrize("walkers", [2, 10])
def test_safety_03_of_many_walkers_started_at_once_exactly_one_walks(stand: Callable[[str], Stand], walkers: int, tried: Callable[[str], None]) -> None:
    one = stand(f"many-{walkers}")
    usual = one.undisturbed(PROMOTION)
    one.begin(PROMOTION)
    asked, watch = len(one.hooks.asked), one.release.watch_route()
    started = [one.start(direct=True) for _walker in range(walkers)]
    for walk in started:
        walk.wait(300)
    outcomes = Counter(walk.result["outcome"] for walk in started)
    # Whoever came when all was done found nothing to do.
    assert outcomes["promoted"] == 1 and {*outcomes} <= {"promoted", "lost_lock", "unchanged"}, outcomes
    assert watch.stop() == usual.weights
    assert one.asked_since(asked) == usual.hooks, "nobody else asked a hook"
    assert differences(usual.end, one.end()) == []
    tried(f"times {walkers} walkers at once")


@pytest.fixture
def many(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Release]]:
    """Apps in namespaces of their own, each of which only its own kubeconfig can reach."""
    apps = []
    for number in range(TOGETHER if request.config.getoption("--full") else BOUNDED):
        (tmp_path / str(number)).mkdir()
        apps.append(Release(f"chaos-many-{number}-{uuid.uuid4().hex[:5]}", tmp_path / str(number), replicas=1, unready_after=5))
    with ThreadPoolExecutor(2) as at_once:
        list(at_once.map(lambda one: one.start_app(VERSION="1"), apps))
    yield apps
    for one in apps:
        one.cleanup()


def test_many_canaries_in_one_play_walk_beside_each_other_and_a_bad_one_harms_no_other(
        many: list[Release], tmp_path: Path, tried: Callable[..., None]) -> None:
    bad, users = many[3], many[0]
    metrics = instant_prometheus.start(lambda query: "0" if bad.namespace in query else instant_prometheus.healthy(query))
    for one in many:
        one.write_document(**STEPS, spec__metricsServer=metrics)
    first = _together(many, tmp_path)
    assert first.rc == 0 and [one.phase() for one in many] == ["Initialized"] * len(many), first.output[-4000:]
    load, watches = users.load(RATE), [one.watch_route() for one in many]
    for one in many:
        one.set_template("lab.local/testapp:2", VERSION="2")
    walk = _together(many, tmp_path)
    assert walk.rc == 2 and {name: result["outcome"] for name, result in walk.results.items()} == {
        f"{one.namespace}/podinfo": "rolled_back" if one is bad else "promoted" for one in many}, walk.output[-4000:]
    for one, watch in zip(many, watches, strict=True):
        assert watch.stop() == ([0, 20, 0] if one is bad else [0, 20, 40, 0]), one.namespace
        assert one.images()["podinfo-primary"] == f"lab.local/testapp:{1 if one is bad else 2}"
    # From the first raise to the last lowering, by the watches.
    walked = [(watch.seen[1][0], watch.seen[-1][0]) for watch in watches]
    assert max(sum(began <= moment <= ended for began, ended in walked) for moment, _ended in walked) > len(many) // 2, f"one after the other: {walked}"
    assert users.lost(load.stop()) == []
    tried("canaries in one play", len(many))


def _together(apps: list[Release], folder: Path) -> Walk:
    """One play over hosts that stand for the canaries. The environment of the process names no cluster."""
    local = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}' canary_name=podinfo"
    (folder / "hosts").write_text("".join(
        f"one{number} {local} canary_namespace={one.namespace} canary_file={one.folder / 'canary.yml'} kubeconfig={one.kubeconfig}\n"
        for number, one in enumerate(apps)))
    log = folder / f"many-{time.monotonic_ns()}.log"
    settings = {"KUBECONFIG": "/nowhere", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            ["ansible-playbook", "-i", "hosts", "-f", str(len(apps)), "-e", json.dumps(QUICK), str(HERE / "many.yml")],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **settings}, cwd=folder)
    return Walk(process, log).wait(300)


def test_safety_01_a_walker_that_was_frozen_beyond_its_lease_finds_itself_fenced_off(
        request: pytest.FixtureRequest, stand: Callable[[str], Stand], tried: Callable[[str], None]) -> None:
    one = stand("frozen")
    usual = one.undisturbed(PROMOTION)
    load = one.release.load(RATE)
    for weight in FROZEN_AT if request.config.getoption("--full") else FROZEN_AT[:1]:
        one.begin(PROMOTION)
        asked = len(one.hooks.asked)
        frozen = one.start(direct=True, canary_lease=3)
        wait_for("it walks", lambda weight=weight: one.release.phase() == "Progressing" and one.release.weight() >= weight)
        os.killpg(frozen.process.pid, signal.SIGSTOP)
        workers = processes.descendants(frozen.process.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        one.closing.append(functools.partial(_thaw, workers))
        # Its process is alive, so that only the lease that nobody renews says that it does not walk; it covers the checks and hooks that it may be asking.
        until = one.release.record()["walk"]["holder"]["until"]
        over = False
        while not over:
            over = time.time() > until + CLOCKS         # whoever begins now has to take over
            other = one.start(direct=True, canary_lease=3).wait(120)
            if other.result["outcome"] != "lost_lock":
                break
        assert other.result["outcome"] == "promoted", other.output[-4000:]
        end = one.end()
        assert differences(usual.end, end) == []
        _thaw([*workers, frozen.process.pid])
        frozen.wait(60)
        assert frozen.result["outcome"] in ("lost_lock", "unchanged", "promoted"), frozen.output[-4000:]
        assert differences(end, one.end()) == []
        extra = one.asked_since(asked) - usual.hooks
        # Whoever goes on gives the weight an interval of its own, by whose end the rollout hook is asked.
        rollouts = extra.pop("rollout", 0)
        assert sum(extra.values()) + max(0, rollouts - 1) <= 1, f"more than the hook in flight was repeated: {extra}, and {rollouts} of rollout"
        tried("frozen walkers")
    assert one.release.lost(load.stop()) == []


def _thaw(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def test_safety_23_a_reverter_of_our_fields_does_no_more_than_hold_a_walk_up(
        stand: Callable[[str], Stand], offset: float, tried: Callable[[str], None]) -> None:
    """Somebody's tool puts the route back to 100/0 every five seconds: users are safe, nothing that was not analysed is promoted, and it is told."""
    slowly = dataclasses.replace(PROMOTION, document={**PROMOTION.document, "interval": "4s"})
    one = stand("reverter")
    one.ready(slowly)
    one.begin(slowly)
    load, ended, watch = one.release.load(RATE), threading.Event(), one.release.watch_route()
    promoted = one.release.primary_template()

    def revert() -> None:
        ended.wait(offset)
        while not ended.wait(5.0):
            one.release.set_weight(0)

    threading.Thread(target=revert, daemon=True).start()
    walk = one.start(direct=True, canary_on_wait="end")
    try:
        walk.wait(90)
    except AssertionError:
        pass                                    # it goes on as long as it is held up, until somebody resumes or aborts
    finally:
        ended.set()
        walk.kill()
    weights, failed = watch.stop(), one.release.lost(load.stop())
    assert failed == []
    print(f"seen: {weights}")
    assert "lowered" in walk.output, walk.output[-3000:]
    now = one.release.primary_template()
    analysed = one.release.get("deployment", "podinfo")["spec"]["template"]
    assert now == promoted or now["spec"]["containers"] == analysed["spec"]["containers"]
    tried("reverters")


def test_safety_32_an_image_that_is_set_while_nobody_walks_is_analysed_before_users_get_it(stand: Callable[[str], Stand], tried: Callable[[str], None]) -> None:
    one = stand("stopped")
    usual = one.undisturbed(PROMOTION)
    one.begin(PROMOTION)
    walk = one.start(direct=True)
    wait_for("half of the way is gone", lambda: one.release.weight() == 40)
    walk.kill()
    before = one.release.primary_template()
    one.version += 1
    one.release.set_template("lab.local/testapp:3", VERSION=str(one.version))
    time.sleep(2)
    assert one.release.primary_template() == before
    watch = one.release.watch_route()
    one.tick_to_the_end(PROMOTION)
    weights = watch.stop()
    assert weights[weights.index(0):] == usual.weights, "from the beginning, with the new revision"
    assert one.release.images()["podinfo-primary"] == "lab.local/testapp:3"
    tried("images set by hand in mid-walk")
