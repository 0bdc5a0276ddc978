# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role in playbooks as other people write them (ANSIBLE 1-9, 14-21): ``strangers/``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness import Receiver, Release, Walk, wait_for

STRANGERS = Path(__file__).parent / "strangers"
OLD, NEW = "lab.local/testapp:1", "lab.local/testapp:2"
# Nothing to measure: what these tests are about is the playbook.
SHORT: dict[str, Any] = {"interval": "1s", "maxWeight": 50, "stepWeight": 50, "metrics": []}
QUICKLY = {"canary_min_interval": 1, "canary_settle": 1, "canary_drain": 1}

pytestmark = pytest.mark.wide


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Release]]:
    """Two apps, each in a namespace of its own that only its own kubeconfig can reach."""
    both = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        both.append(Release(f"stranger-{number}-{uuid.uuid4().hex[:5]}", tmp_path / str(number), replicas=1))
    with ThreadPoolExecutor(2) as at_once:
        list(at_once.map(lambda one: one.start_app(VERSION="1"), both))
    for one in both:
        one.write_document(**SHORT)
    yield both
    for one in both:
        one.cleanup()


def play(book: str, folder: Path, inventory: str, *arguments: str, **variables: Any) -> Walk:
    """One of the strangers' playbooks. The environment of the process names no cluster: what the play says has to be enough."""
    (folder / "hosts").write_text(inventory)
    extra, log = folder / "extra.json", folder / f"{book}-{uuid.uuid4().hex[:5]}.log"
    extra.write_text(json.dumps({**QUICKLY, "say_to": str(folder / "said"), **variables}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("K8S_AUTH_")}
    environment.update(KUBECONFIG="/nowhere/kubeconfig", ANSIBLE_NOCOLOR="1", ANSIBLE_SHOW_CUSTOM_STATS="1", PYTHONUNBUFFERED="1")
    with log.open("w") as out:
        process = subprocess.Popen(
            ["ansible-playbook", "-vvv", "-i", "hosts", "-e", f"@{extra}", *arguments, str(STRANGERS / f"{book}.yml")],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, env=environment, cwd=folder)
    return Walk(process, log).wait()


def said(folder: Path, host: str = "") -> dict[str, Any]:
    return json.loads((folder / f"said{host}").read_text())


def statistics(walk: Walk) -> dict[str, Any]:
    """``canary_results`` as the next job of a workflow gets it."""
    found = re.search(r"^\tRUN: (\{.*\})$", walk.output, re.MULTILINE)
    assert found, walk.output[-3000:]
    return json.loads(found[1])["canary_results"]


def ways(walk: Walk) -> set[str]:
    """Which ways the verbs of this run took."""
    return set(re.findall(r"progressive\.delivery\.\w+ runs (in process|as a module)", walk.output))


def outcomes(results: dict[str, Any]) -> dict[str, str]:
    return {name: result["outcome"] for name, result in results.items()}


def test_two_canaries_by_item_among_variables_of_common_names(pair: list[Release], tmp_path: Path) -> None:
    def run(image: str) -> Walk:
        canaries = [{"namespace": one.namespace, "file": str(one.folder / "canary.yml"), "kubeconfig": str(one.kubeconfig), "image": image} for one in pair]
        host = "shop ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
        walk = play("loop", tmp_path, host, "--tags", "release", canaries=canaries)
        assert walk.rc == 0, walk.output[-4000:]
        assert ways(walk) == {"in process"}
        return walk

    names = [f"{one.namespace}/podinfo" for one in pair]
    run("")
    assert [one.phase() for one in pair] == ["Initialized", "Initialized"]
    released = run(NEW)
    told = said(tmp_path)
    assert outcomes(told["ours"]) == outcomes(statistics(released)) == dict.fromkeys(names, "promoted")
    assert told["last"] == told["ours"][names[1]]
    assert (set(told["theirs"]), told["item"], told["preflight"]) == ({"theirs"}, "none", "theirs")
    for one in pair:
        assert one.images() == {"podinfo": NEW, "podinfo-primary": NEW}
    again = run(NEW)
    assert outcomes(said(tmp_path)["ours"]) == dict.fromkeys(names, "unchanged")
    assert again.recap["failed"] == 0 and not again.lines("TASK [progressive.delivery.canary_walk")


def test_hosts_that_stand_for_canaries_wait_at_the_gate_between_two_plays(pair: list[Release], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as at_once:
        list(at_once.map(lambda one: one.initialise(**SHORT), pair))
    hosts = "".join(f"one{number} ansible_host=192.0.2.{number} canary_namespace={one.namespace} canary_file={one.folder / 'canary.yml'} "
                    f"kubeconfig={one.kubeconfig}\n" for number, one in enumerate(pair))
    walk = play("fleet", tmp_path, f"[fleet]\n{hosts}", canary_name="podinfo", image=NEW)
    assert walk.rc == 0, walk.output[-4000:]
    assert ways(walk) == {"in process"}
    for number, one in enumerate(pair):
        told = said(tmp_path, f"-one{number}")
        assert (told["gate"]["outcome"], told["gate"]["weight"]) == ("waiting", 50)
        assert told["end"]["outcome"] == "promoted"
        assert one.images() == {"podinfo": NEW, "podinfo-primary": NEW}
    assert outcomes(statistics(walk)) == {f"{one.namespace}/podinfo": "promoted" for one in pair}


def test_a_rescue_knows_what_was_rolled_back_also_as_another_user_with_another_python(release: Release) -> None:
    receiver = Receiver()
    release.start_app(VERSION="1")
    release.initialise(**SHORT)
    release.write_document(**SHORT, webhooks=[{"name": "back", "type": "rollback", "url": receiver.url}])
    # Another path is another Python, whatever it ends at.
    python = release.folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    walk = play("rescue", release.folder, f"bastion ansible_connection=local ansible_python_interpreter={python}\n",
                canary_file=str(release.folder / "canary.yml"), kubeconfig=str(release.kubeconfig), image=NEW)
    assert walk.rc == 0, walk.output[-4000:]
    assert ways(walk) == {"as a module"}
    told = said(release.folder)
    assert (told["end"]["outcome"], told["task"]) == ("rolled_back", "Fail when the release did not reach its users")
    assert told["msg"] == f"{release.namespace}/podinfo rolled back: {told['end']['why']}"
    assert outcomes(told["all"]) == {f"{release.namespace}/podinfo": "rolled_back"}
    refused = said(release.folder, "-refused")
    assert refused["msg"].startswith("canary_release.images.nobody: ")
    assert refused["end"]["outcome"] == "", "the result of the run before is not taken for that of a run that never began"
    assert refused["all"] == told["all"]
    assert release.images() == {"podinfo": NEW, "podinfo-primary": OLD}
    wait_for("the canary to be gone", lambda: release.get("deployment", "podinfo")["spec"]["replicas"] == 0)


def test_a_plan_is_of_what_would_be_released_and_nothing_is(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(**SHORT)
    before = release.get("deployment", "podinfo")["metadata"]["generation"]
    planned = release.playbook("canary", "--check", "--diff", canary_release={"images": {"app": NEW}}).wait()
    assert planned.rc == 0, planned.output[-4000:]
    assert planned.lines("would release revision")
    steps = [int(weight) for weight in re.findall(r"in +\d+ s +\w+ +(\d+)%", planned.output)]
    assert max(steps) == 50 and steps[-1] == 0, planned.output[-4000:]
    assert release.get("deployment", "podinfo")["metadata"]["generation"] == before
    refused = release.playbook("canary", canary_release={"images": {"application": NEW}}).wait()
    assert (refused.rc, release.get("deployment", "podinfo")["metadata"]["generation"]) == (2, before)
    assert refused.lines(f"canary_release.images.application: Deployment {release.namespace}/podinfo has no container of this name (accepted: app)")
    walk = release.playbook("canary", canary_release={"images": {"app": NEW}}).wait()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert release.images() == {"podinfo": NEW, "podinfo-primary": NEW}
