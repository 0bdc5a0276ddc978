# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases as AWX jobs: what a job shows and leaves, what ends it, and who goes on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import awx
from awx import Job
from harness import REPOSITORY, Receiver, Release, wait_for

NOBODY = 65534
QUICK = {"canary_min_interval": "1", "canary_settle": "1", "canary_drain": "2"}
HOOK_TOKEN, HOOK_PASSWORD, METRIC_TOKEN, GONE_PASSWORD = "sesame-hook-4711", "sesame-pass-4712", "sesame-metric-4713", "sesame-gone-4714"

pytestmark = pytest.mark.wide


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="private-data-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def _job(release: Release, folder: Path, *more_documents: dict[str, Any], document: dict[str, Any], cmdline: str = "",
         settings: dict[str, Any] | None = None, **extra_vars: Any) -> Job:
    place = folder / f"job-{time.monotonic_ns()}"
    awx.prepare(place, [document, *more_documents], {**QUICK, **extra_vars}, release.kubeconfig.read_text(), cmdline, **(settings or {}))
    job = Job.start(place)
    release.on_cleanup.append(lambda: job.process.poll() is None and job.cancel())
    return job


def test_a_job_shows_a_line_a_tick_and_leaves_its_outcome_to_the_next_node(release: Release, folder: Path) -> None:
    document = release.document(maxWeight=20, stepWeight=10, metrics=[])
    release.start_app(VERSION="1")
    first = _job(release, folder, document=document).wait()
    assert (first.status, first.rc) == ("successful", 0), first.stdout[-4000:]
    release.set_template("lab.local/testapp:2", VERSION="2")
    job = _job(release, folder, document=document).wait()
    assert (job.status, job.rc) == ("successful", 0), job.stdout[-4000:]
    (result,) = job.statistics["canary_results"].items()
    assert result[0] == f"{release.namespace}/podinfo" and result[1]["outcome"] == "promoted" and result[1]["phase"] == "Succeeded"
    lines = job.lines(f"{release.namespace}/podinfo")
    weights = [int(found[1]) for line in lines if (found := re.search(r"\] +(\d+)% \|", line))]
    changes = [weight for index, weight in enumerate(weights) if not index or weights[index - 1] != weight]
    assert changes == [0, 10, 20, 0], lines
    assert all("\n" not in line.strip() for line in lines), "a line for people is one line of one event"
    assert len(set(lines)) == len(lines), "nothing is said twice"


def test_texts_of_a_survey_mean_what_they_say(release: Release, folder: Path) -> None:
    document = release.document(maxWeight=20, stepWeight=20, spec__progressDeadlineSeconds=5)
    left_out = dict.fromkeys(
        ("canary_name", "canary_namespace", "canary_provider", "canary_metrics_server", "canary_manual_gates", "canary_label_prefixes", "canary_lease",
         "canary_take_over", "canary_check_gates", "canary_on_wait", "canary_mode", "canary_on_no_data", "canary_spec"), "")
    release.start_app(VERSION="1")
    first = _job(release, folder, document=document, **left_out, canary_fail_on_rollback="true").wait()
    assert first.rc == 0, first.stdout[-4000:]
    release.set_template("lab.local/testapp:unready", VERSION="2")
    lenient = _job(release, folder, document=document, **left_out, canary_fail_on_rollback="false").wait()
    (result,) = lenient.statistics["canary_results"].values()
    assert (lenient.rc, result["outcome"]) == (0, "rolled_back"), lenient.stdout[-4000:]
    as_texts = " ".join(f"{name}=" for name in left_out)
    strict = _job(release, folder, document=document, cmdline=f"-e '{as_texts}'", canary_fail_on_rollback="true").wait()
    assert (strict.rc, strict.status) == (2, "failed"), strict.stdout[-4000:]


def test_ansible_17_a_number_of_a_survey_is_a_number(release: Release, folder: Path) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20, interval="1s")
    watch = release.watch_route()
    release.set_template("lab.local/testapp:2", VERSION="2")
    document = release.document(maxWeight=20, stepWeight=20, interval="1s", metrics=[])
    job = _job(release, folder, document=document, canary_min_interval="10").wait()
    watch.stop()
    assert job.rc == 0, job.stdout[-4000:]
    times = {canary: when for when, _primary, canary in watch.seen}
    assert times[0] - times[20] >= 10, "the interval of one second was raised to ten"


def test_no_secret_and_nothing_but_strict_json_gets_into_a_job(release: Release, folder: Path) -> None:
    with_secrets = _document_with_secrets(release)
    release.start_app(VERSION="1")
    release.kubectl("create", "secret", "generic", "prometheus", f"--from-literal=token={METRIC_TOKEN}")
    loud = {"cmdline": "-vvv", "canary_on_no_data": "pass"}
    jobs = [_job(release, folder, *with_secrets[1:], document=with_secrets[0], **loud).wait()]
    release.set_template("lab.local/testapp:2", VERSION="2")
    jobs.append(_job(release, folder, *with_secrets[1:], document=with_secrets[0], **loud).wait())
    assert [job.rc for job in jobs] == [0, 0], jobs[-1].stdout[-4000:]
    lines = " ".join(jobs[-1].lines(f"{release.namespace}/podinfo"))
    assert "nothing no value" in lines and "endless" in lines, "the checks whose values are no finite numbers were measured"
    release.set_template("lab.local/testapp:3", VERSION="3")
    gone = release.document(spec__metricsServer=f"http://walker:{GONE_PASSWORD}@127.0.0.1:1")
    jobs.append(_job(release, folder, document=gone, **loud).wait())
    assert jobs[-1].rc == 2 and "metricsServer" in jobs[-1].stdout, jobs[-1].stdout[-4000:]
    token = yaml.safe_load(release.kubeconfig.read_text())["users"][0]["user"]["token"]
    for job in jobs:
        assert job.events, "every event is strict JSON"
        texts = {path: path.read_text(errors="replace") for path in job.artifacts.rglob("*") if path.is_file()}
        assert any("podinfo" in text for text in texts.values())
        for secret in (token, HOOK_TOKEN, HOOK_PASSWORD, METRIC_TOKEN, GONE_PASSWORD):
            assert [str(path) for path, text in texts.items() if secret in text] == [], secret


def _document_with_secrets(release: Release) -> list[dict[str, Any]]:
    """A document with secrets wherever one may stand, a hook that answers and one that does not, and checks whose values JSON cannot hold."""
    receiver = Receiver()
    release.on_cleanup.append(receiver.shutdown)
    answers = receiver.url.replace("http://", f"http://walker:{HOOK_PASSWORD}@") + f"?token={HOOK_TOKEN}"
    silent = f"http://walker:{HOOK_PASSWORD}@127.0.0.1:1/?token={HOOK_TOKEN}"
    queries = {"nothing": "vector(0) / 0", "endless": "vector(1) / 0"}
    provider = {"type": "prometheus", "address": os.environ["PROMETHEUS_URL"], "secretRef": {"name": "prometheus"}}
    templates = [{"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": name, "namespace": release.namespace},
                  "spec": {"provider": provider, "query": query}} for name, query in queries.items()]
    document = release.document(
        maxWeight=20, stepWeight=20,
        metrics=[{"name": name, "templateRef": {"name": name}, "interval": "1s", "thresholdRange": {"min": 1}} for name in queries],
        webhooks=[{"name": "answers", "type": "rollout", "url": answers}, {"name": "silent", "type": "event", "url": silent, "timeout": "1s"}])
    return [document, *templates]


def test_ansible_07_a_wait_longer_than_the_idle_timeout_is_survived(release: Release, folder: Path) -> None:
    document = release.document(maxWeight=20, stepWeight=20, interval="75s", metrics=[])
    release.start_app(VERSION="1")
    first = _job(release, folder, document=document).wait()
    assert first.rc == 0, first.stdout[-4000:]
    release.set_template("lab.local/testapp:2", VERSION="2")
    job = _job(release, folder, document=document, settings={"idle_timeout": 60}).wait(300)
    assert (job.status, job.rc) == ("successful", 0), job.stdout[-4000:]
    (result,) = job.statistics["canary_results"].values()
    assert result["outcome"] == "promoted"


@pytest.mark.parametrize("ends", ["cancelled", "silent for too long", "its node died"])
def test_safety_32_a_job_that_was_ended_in_mid_walk_is_gone_on_with_by_ticks_of_another_user(release: Release, folder: Path, ends: str) -> None:
    document = release.document(maxWeight=40, stepWeight=20, interval="20s")
    release.start_app(VERSION="1")
    release.write_document(maxWeight=40, stepWeight=20, interval="20s")
    assert release.walk().wait().rc == 0
    watch, load = release.watch_route(), release.load(50)
    release.set_template("lab.local/testapp:2", VERSION="2")
    job = _job(release, folder, document=document, settings={"idle_timeout": 12} if ends == "silent for too long" else {})
    wait_for("it has traffic", lambda: release.weight() == 20)
    if ends == "cancelled":
        job.cancel()
        assert job.status == "canceled", job.stdout[-4000:]
    elif ends == "its node died":
        job.vanish()
    else:
        job.wait(60)
        assert job.status == "timeout", job.stdout[-4000:]
    assert release.phase() == "Progressing"

    other, ticks = folder / "other", []
    other.mkdir()
    deadline = time.monotonic() + 240
    while release.phase() != "Succeeded" and time.monotonic() < deadline:
        place = awx.prepare(other / f"tick-{len(ticks)}", document, {**QUICK, "canary_mode": "tick"}, release.kubeconfig.read_text())
        tick = Job.start(place, *_as_another_user(other)).wait()
        ticks.append(tick)
        assert tick.rc == 0, tick.stdout[-4000:]
    assert release.phase() == "Succeeded", [tick.statistics for tick in ticks]
    assert release.images()["podinfo-primary"] == "lab.local/testapp:2"
    weights = watch.stop()
    assert set(weights) <= {0, 20, 40} and weights[-1] == 0 and 40 in weights, weights
    counted = load.stop()
    assert counted["failed"] == 0, counted["failures"]


def _as_another_user(home: Path) -> tuple[list[str], dict[str, str]]:
    """The prefix of commands, and the environment, of a user who owns ``home`` and nothing else."""
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*prefix, "test", "-r", str(REPOSITORY / "Makefile")], check=False).returncode:
        # A checkout below somebody's own home: let the other user read what is not theirs, and still write nothing.
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return prefix, {"HOME": str(home)}
