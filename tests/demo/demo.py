# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One good and one bad release of a real app under live load, in a lab of its own: `make demo`, `make demo-down`. With CLUSTER=own, in a cluster of yours.

What a newcomer would type stands in app.yml, canary.yml and release.yml beside this file; this file types it, and counts what users saw.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import own
import own_cluster

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".build" / "demo"       # what was measured and logged
LAB = "progressive-demo"                # never the lab that tests use
NAMESPACE, NAME, HOST = "demo", "podinfo", "podinfo.example.com"
RATE = 100                              # requests a second

FIRST, GOOD, BAD = "lab.local/podinfo:A", "lab.local/podinfo:B", "lab.local/testapp:bad"

PREFIX = f"[localhost] {NAMESPACE}/{NAME}: "
# What else matters: a failed task says the same again as an error.
MATTERS = re.compile(r"^(\[WARNING\]|\[ERROR\](?!: Task failed)|fatal: )")


class DemoError(Exception):
    """What went another way than the demo promises, in words."""


def main() -> int:
    parser = argparse.ArgumentParser(description="A good and a bad release of a real app, live, on a Kubernetes of its own.")
    parser.add_argument("--cluster", choices=["lab", own_cluster.OWN], default="lab", help="own: in the cluster of KUBECONFIG instead of a lab")
    parser.add_argument("--down", action="store_true", help="remove all that the demo made")
    parser.add_argument("--verbose", action="store_true", help="show everything that ansible-playbook prints, not only the lines about the walk")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    try:
        if options.cluster == own_cluster.OWN:
            return own.down(os.environ, NAMESPACE) if options.down else demo_in(own.found(os.environ), options.verbose)
        return down() if options.down else demo(options.verbose)
    except (DemoError, own_cluster.OwnClusterError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; `make demo` begins again, `make demo-down` removes everything", file=sys.stderr)
        return 130


def down() -> int:
    code = lab("down", "--name", LAB).returncode
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("What was installed and built stays for the next time: .venv, .build, and ~/.cache/progressive-delivery*")
    return code


def demo(verbose: bool) -> int:
    began = time.monotonic()
    headline("A Kubernetes with gateway and Prometheus; the first time it is built, which takes minutes")
    if lab("up", "--name", LAB, "--for", "demo").returncode:
        raise DemoError("the lab did not come up; its own message is above")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    playbook = Playbook(environment(), verbose)
    start_app(playbook.environment)

    headline("The first run: a copy of podinfo, podinfo-primary, takes over its users")
    playbook.release(FIRST, "promoted")

    with Load(playbook.environment) as load:
        playbook.load = load
        headline(f"Release B, a good one, under {RATE} requests a second")
        good = playbook.release(GOOD, "promoted")
        headline("Release C, a bad one: every fifth answer is a 500")
        bad = playbook.release(BAD, "rolled_back")
    tell(load.result(), good, bad, time.monotonic() - began)
    return 0


# -- the lab and the app --


def lab(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(ROOT / "tests" / "lab" / "lab.py"), *arguments], check=False, text=True, **options)


def environment() -> dict[str, str]:
    """This process's environment with the variables of the lab."""
    said = lab("env", "--name", LAB, stdout=subprocess.PIPE)
    if said.returncode:
        raise DemoError("the lab does not say its environment")
    words = [shlex.split(line)[1] for line in said.stdout.splitlines()]
    return {**os.environ, **dict(word.split("=", 1) for word in words)}


def start_app(variables: Mapping[str, str], app: Path = HERE / "app.yml") -> None:
    """The app in its first version, and nothing left of an earlier demo."""
    headline("An app as any team has it: Deployment podinfo, version A")
    kubectl(variables, f"delete namespace {NAMESPACE} --ignore-not-found --timeout=90s")
    for command in (f"create namespace {NAMESPACE}", f"label namespace {NAMESPACE} {own.MARK}=true", f"apply -f {shown(app)}"):
        print(f"$ kubectl {command}", flush=True)
        kubectl(variables, command)
    kubectl(variables, f"-n {NAMESPACE} rollout status deployment/{NAME} --timeout=90s")


def kubectl(variables: Mapping[str, str], command: str) -> None:
    done = subprocess.run(["kubectl", *command.split()], cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise DemoError(f"kubectl {command}: {done.stdout}")


# -- users --


class Load:
    """Users: open-loop requests through the gateway, and what became of them."""

    def __init__(self, variables: Mapping[str, str], program: Sequence[str] = ("loadgen",), host: str = HOST, rate: int = RATE) -> None:
        self._out, self._live = FOLDER / "load.json", FOLDER / "live.jsonl"
        self._seen, self._told = 0, {""}
        command = [*program, "--url", variables["GATEWAY_URL"] + "/", "--host", host, "--rate", str(rate), "--duration", "30m",
                   "--out", str(self._out), "--live", str(self._live)]
        self._process = subprocess.Popen(command, env=variables, start_new_session=True)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def since(self) -> str:
        """What users got since the last call, in a line; empty while the same single version answers them all."""
        lines = self._live.read_text(encoding="utf-8").splitlines()[self._seen:] if self._live.exists() else []
        self._seen += len(lines)
        seconds = [json.loads(line) for line in lines]
        versions = by_version(seconds)
        answered, failed = sum(versions.values()), total(seconds, "failed")
        if not answered or (len(versions) == 1 and not failed and set(versions) == self._told):
            return ""
        self._told = set(versions)
        shares = ", ".join(f"{version or 'nobody'} {count} ({100 * count / answered:.0f}%)" for version, count in sorted(versions.items()))
        return f"{'':9}users: {answered} requests, {failed} failed; answered by {shares}"

    def result(self) -> dict[str, Any]:
        if not self._out.exists():
            raise DemoError("the load generator left no result")
        return json.loads(self._out.read_text(encoding="utf-8"))


def by_version(seconds: Iterable[Mapping[str, Any]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for second in seconds:
        counted.update({version: answers["ok"] + answers["failed"] for version, answers in second["versions"].items()})
    return counted


def total(seconds: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(second[key] for second in seconds)


# -- releases --


@dataclass
class Released:
    """One run of the release playbook, in Unix seconds."""

    began: float
    ended: float
    result: Mapping[str, Any]


@dataclass
class Playbook:
    """Runs release.yml inside the lab's network and shows its lines as they come."""

    environment: dict[str, str]
    verbose: bool
    load: Load | None = None
    given: Sequence[str] = ()           # arguments of every run

    def release(self, image: str, promised: str, *more: str) -> Released:
        command = ["ansible-playbook", shown(HERE / "release.yml"), "-e", f"image={image}", *self.given, *more]
        print(f"$ {shlex.join(command)}", flush=True)
        quiet = {"PYTHONUNBUFFERED": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False",
                 "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False"}
        log, began = FOLDER / f"{image.rpartition(':')[2]}.log", time.time()
        with log.open("w", encoding="utf-8") as kept, subprocess.Popen(
                [*shlex.split(self.environment.get("LAB_EXEC", "")), *command], cwd=ROOT, env={**self.environment, **quiet},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
            try:
                for line in process.stdout or ():
                    kept.write(line)
                    self._show(line.rstrip("\n"))
            except BaseException:
                process.terminate()
                raise
        result = _result(log.read_text(encoding="utf-8"))
        if result.get("outcome") != promised:
            raise DemoError(f"this release was to end as {promised}, and ended as {result.get('outcome', 'an error')}: all of its output is in {shown(log)}")
        print(f"=> {promised.replace('_', ' ')}, {result['why']}; ansible-playbook ended with {process.returncode}")
        return Released(began, time.time(), result)

    def _show(self, line: str) -> None:
        users = self.load.since() if self.load and line.startswith(PREFIX) else ""
        if users:
            print(users)
        if self.verbose or MATTERS.match(line):
            print(line, flush=True)
        elif line.startswith(PREFIX):
            print(line.removeprefix(PREFIX), flush=True)


def _result(output: str) -> Mapping[str, Any]:
    """What the role left in the statistics of the run, as the next job of a workflow would read it."""
    found = re.search(r"^\tRUN: (\{.*\})$", output, re.MULTILINE)
    return next(iter(json.loads(found[1])["canary_results"].values()), {}) if found else {}


# -- what happened --


def demo_in(cluster: own.Own, verbose: bool) -> int:
    """The same in a cluster of the user's own, with what that one has."""
    began = time.monotonic()
    own.refuse_foreign(cluster.environment, NAMESPACE)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    app, document = own.write_files(cluster, FOLDER)
    playbook = Playbook(cluster.environment, verbose, given=("-e", f"canary_file={document}"))
    start_app(playbook.environment, app)

    headline("The first run: a copy of podinfo, podinfo-primary, takes over its users")
    playbook.release(cluster.first, "promoted", "-e", cluster.release(cluster.first, faulty=False))

    with Load(playbook.environment, cluster.load_command(), cluster.host, own.RATE) as load:
        playbook.load = load
        headline(f"{cluster.good}, a good release, under {own.RATE} requests a second")
        good = playbook.release(cluster.good, "promoted", "-e", cluster.release(cluster.good, faulty=False))
        bad = None
        if cluster.judged:
            headline(f"{cluster.bad}, a bad one: many of its answers are errors")
            bad = playbook.release(cluster.bad, "rolled_back", "-e", cluster.release(cluster.bad, faulty=True))
        else:
            headline("No bad release: PROMETHEUS_URL is not set, and without metrics nothing would catch it")
    tell_own(load.result(), cluster, good, bad, time.monotonic() - began)
    return 0


def tell_own(load: Mapping[str, Any], cluster: own.Own, good: Released, bad: Released | None, seconds: float) -> None:
    headline("What happened")
    after_good = bad.began if bad else good.ended
    during_good = [second for second in load["timeline"] if good.began <= second["t"] < after_good]
    print(f"good  {total(during_good, 'sent')} requests while it went out, {total(during_good, 'failed')} failed; "
          f"promoted {good.ended - good.began:.0f} s after the playbook began.")
    if bad:
        during_bad = [second for second in load["timeline"] if second["t"] >= bad.began]
        print(f"bad   {total(during_bad, 'sent')} requests, of which {total(during_bad, 'failed')} failed until it was taken back. The playbook failed, "
              "so that whatever called it knows.")
    headline("Look around, and type next")
    print(f"""\
kubectl -n {NAMESPACE} get deployments,services,httproutes,configmaps
kubectl -n {NAMESPACE} get events --field-selector reportingComponent=progressive-delivery --sort-by lastTimestamp
less {shown(HERE / 'release.yml')} {shown(FOLDER / 'canary.yml')}
make demo-down CLUSTER=own      # removes the namespace {NAMESPACE}

All of it took {seconds:.0f} s.""")


def tell(load: Mapping[str, Any], good: Released, bad: Released, seconds: float) -> None:
    headline("What happened")
    during_good = [second for second in load["timeline"] if good.began <= second["t"] < bad.began]
    during_bad = [second for second in load["timeline"] if second["t"] >= bad.began]
    reached = load["versions"].get("bad", {"ok": 0, "failed": 0})
    exposed = [second["t"] for second in during_bad if "bad" in second["versions"]]
    print(f"""\
B  {total(during_good, 'sent')} requests while it went out, {total(during_good, 'failed')} failed; \
promoted {good.ended - good.began:.0f} s after the playbook began.
C  {total(during_bad, 'sent')} requests, of which {sum(reached.values())} reached it and {reached['failed']} failed; \
users met it for {len(exposed) and exposed[-1] - exposed[0] + 1:.0f} s,
   then all of them were back on B. The playbook failed, so that whatever called it knows.
   At once for everybody, a fifth of all requests would have failed until somebody noticed.""")
    headline("Look around")
    print(f"""\
eval "$(make -s lab-env LAB={LAB})"
kubectl -n {NAMESPACE} get deployments,services,httproutes,configmaps
kubectl -n {NAMESPACE} get events --field-selector reportingComponent=progressive-delivery --sort-by lastTimestamp
$LAB_EXEC ansible-playbook progressive.delivery.status -e canary_name={NAME} -e canary_namespace={NAMESPACE}""")
    headline("Type next")
    print(f"""\
less {shown(HERE / 'release.yml')} {shown(HERE / 'canary.yml')}
$LAB_EXEC ansible-playbook {shown(HERE / 'release.yml')} -e image=lab.local/podinfo:D      # Ctrl-C it, and run it again
make demo-down                  # removes everything
make test                       # all tests

All of it took {seconds:.0f} s.""")


def headline(text: str) -> None:
    print(f"\n== {text}", flush=True)


def shown(path: Path) -> str:
    return os.path.relpath(path, ROOT)


if __name__ == "__main__":
    sys.exit(main())
