# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/bad-day.md says that a person can type when the usual way is gone."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from harness import PORT, RATE, REPOSITORY, Release, wait_for
from routing import CONTOUR, PROXY, SERVICE, TRAEFIK, Routing

PARTS = {TRAEFIK: "gatewayapi", CONTOUR: "gatewayapi", PROXY: "contour", SERVICE: "traefik"}


def _typed(release: Release, beginning: str) -> None:
    """Run the command of the page that stands below (or is) the line that begins so."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "docs" / "bad-day.md").read_text(), re.MULTILINE | re.DOTALL)
    found = [part for block in blocks for part in re.split(r"\n(?=#|kubectl)|\n\n", block) if part.startswith(beginning)]
    assert len(found) == 1, f"{len(found)} commands begin with {beginning}"
    command = found[0] if found[0].startswith("kubectl") else next(
        part for block in blocks for before, part in re.findall(r"^(# .*)\n(kubectl(?:.|\n(?=  ))*)", block, re.MULTILINE) if before.startswith(beginning))
    subprocess.run(["bash", "-c", command.replace("-n test ", f"-n {release.namespace} ")], check=True, timeout=60)


@pytest.mark.parametrize("routing", [TRAEFIK, SERVICE, *(pytest.param(one, marks=pytest.mark.wide) for one in (CONTOUR, PROXY))], ids=str)
def test_one_command_of_kubectl_takes_all_traffic_back_and_a_walk_respects_it(release: Release, routing: Routing) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20)
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    _typed(release, f"# {PARTS[routing]}:")
    wait_for("the walk waits for a person", lambda: "somebody lowered the canary to 0%" in walk.output)
    assert release.routing.weights(release.get(routing.resource, "podinfo"))["podinfo-canary"] == 0
    assert release.playbook("abort").wait().rc == 0
    walk.wait()
    assert release.phase() == "Failed"
    assert release.lost(load.stop()) == []


def test_one_command_of_kubectl_takes_back_what_reaches_the_canary_over_services_alone(release: Release) -> None:
    """No walk leads the apex to the canary there; somebody did, where a walk that is suspended leaves it. A Service sends
    new connections elsewhere: what is sent on a former one goes where that went."""
    release.start_app(VERSION="1", ON_TERM="drain")
    release.let_walk("kubernetes")
    release.initialise(iterations=2, metrics=[], stepWeight=None, maxWeight=None, spec__provider="kubernetes", spec__service={"port": 80, "targetPort": PORT})
    load = release.load(RATE, "--url", f"http://{release.get('service', 'podinfo')['spec']['clusterIP']}:80/", "--host", "podinfo",
                        "--header", "Connection: close")
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk()
    wait_for("its pods are there", lambda: release.record()["status"].get("iterations") == 1)
    _typed(release, "kubectl -n test annotate configmap podinfo-canary progressive.delivery/halt=")
    wait_for("it is held", lambda: "suspended by a person" in walk.output)
    release.kubectl("patch", "service", "podinfo", "--type=merge", "-p", '{"spec": {"selector": {"app": "podinfo"}}}')
    before = time.time()
    wait_for("users meet it", lambda: release.last_request("podinfo") > before)
    _typed(release, "# kubernetes:")
    taken_back = time.time()
    wait_for("users are on the primary", lambda: release.last_request("podinfo-primary") > taken_back + 3)
    assert release.last_request("podinfo") < taken_back + 3
    assert release.playbook("abort").wait().rc == 0
    walk.wait()
    assert release.get("service", "podinfo")["spec"]["selector"] == {"app": "podinfo-primary"}
    assert (release.phase(), release.lost(load.stop())) == ("Failed", [])


def test_two_commands_of_kubectl_take_back_those_too_who_stay_with_the_canary_by_a_cookie(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20, sessionAffinity={"cookieName": "stays", "primaryCookieName": "rests", "path": "/"})
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    _typed(release, "# gatewayapi:")
    _typed(release, "# cookies, gatewayapi:")
    wait_for("the walk waits for a person", lambda: "somebody lowered the canary to 0%" in walk.output)
    rule, = release.get("httproute", "podinfo")["spec"]["rules"]
    assert [(entry["name"], entry["weight"]) for entry in rule["backendRefs"]] == [("podinfo-primary", 100), ("podinfo-canary", 0)]
    assert release.playbook("abort").wait().rc == 0
    walk.wait()
    assert (release.phase(), release.lost(load.stop())) == ("Failed", [])


@pytest.mark.parametrize("routing", [PROXY, pytest.param(CONTOUR, marks=pytest.mark.wide)], ids=str)
def test_one_command_of_kubectl_stops_the_copies_and_a_walk_respects_it(release: Release, routing: Routing) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=40, stepWeight=20, mirror=True, interval="8s")
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk(canary_metrics_from="app")
    wait_for("requests are copied", lambda: release.record()["walk"].get("mirror") == 100)
    _typed(release, f"# copies, {PARTS[routing]}:")
    wait_for("the walk waits for a person", lambda: "somebody lowered the copies of requests to 0%" in walk.output)
    assert release.playbook("abort").wait().rc == 0
    walk.wait()
    assert (release.phase(), release.lost(load.stop())) == ("Failed", [])


def test_safety_04_a_halt_by_kubectl_holds_a_walk_within_two_seconds_and_lets_it_go_on(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=20, stepWeight=20, interval="8s")
    load = release.load()
    release.set_template("lab.local/testapp:2", VERSION="2")
    walk = release.walk()
    wait_for("it has traffic", lambda: release.weight() == 20)
    _typed(release, "kubectl -n test annotate configmap podinfo-canary progressive.delivery/halt=")
    wait_for("it is held", lambda: "suspended by a person: who and why" in walk.output, 2.5)
    _typed(release, "kubectl -n test annotate configmap podinfo-canary progressive.delivery/halt-")
    assert walk.wait().rc == 0, walk.output[-4000:]
    assert walk.result["outcome"] == "promoted"
    assert release.lost(load.stop()) == []
