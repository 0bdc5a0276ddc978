# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run test stages and say at the end how each went: `stages.py all`, or `stages.py sanity units ...`.

Every stage runs, also after one has failed. The lab is built and started beside the stages that do not need it, and stopped
at the end unless it was up before; with `--cluster own` there is no lab, and e2e runs in a cluster of the user's. Each stage's output is kept in `.build/logs`.
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
import typing

import yaml

import flagger_program
import own_cluster
import prepare
import tree
from background_lab import Lab, LabError

LOGS = prepare.BUILD / "logs"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One line of the summary. Where `assembled`, it runs in the copy made for ansible-test; where `lab`, inside its network.

    `closing` finds the runner's closing lines, of which the last `closing_lines` count; `nothing` finds what it says when it passed
    because it looked at nothing. Where `flagger`, FLAGGER names Flagger's own controller, which is built for it.
    """

    name: str
    command: str
    closing: str | None = None
    closing_lines: int = 1
    nothing: str | None = None
    assembled: bool = False
    lab: bool = False
    flagger: bool = False
    takes_arguments: bool = False


STAGES = {
    stage.name: stage
    for stage in (
        Stage("yamllint", "yamllint --strict ."),
        Stage("ansible-lint", "ansible-lint --offline", closing=r"Passed|Failed"),
        Stage("docs", "antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all .", assembled=True),
        Stage("changelog", "antsibull-changelog lint", assembled=True),
        Stage(
            "sanity", f"ansible-test sanity --local --python {PYTHON} --color no", assembled=True,
            closing=r"^(FATAL|ERROR): ", nothing="All targets skipped",
        ),
        # One run for modules and what they import, with nothing else of Ansible in reach, and one for the rest.
        Stage(
            "units", f"ansible-test units --local --python {PYTHON} --color no", assembled=True,
            closing=r"^=+ .* in [\d.]+s", closing_lines=2,
        ),
        Stage("pytest", "python -m pytest --numprocesses 2", closing=r"^=* ?\d+ .* in [\d.]+s", takes_arguments=True),
        Stage(
            "integration", f"ansible-test integration --local --python {PYTHON} --color no --continue-on-error", assembled=True, lab=True,
            closing=r"ok=\d+|^=+ .* in [\d.]+s|^FATAL: ",
        ),
        Stage(
            "chaos", "python -m pytest tests/chaos -n {workers} --dist worksteal", lab=True, takes_arguments=True,
            closing=r"^=* ?\d+ .* in [\d.]+s|^tried: ", closing_lines=40,
        ),
        Stage("conformance", "python -m pytest tests/conformance", lab=True, flagger=True, takes_arguments=True, closing=r"^=* ?\d+ .* in [\d.]+s"),
        Stage("e2e", "python -m pytest tests/e2e -n {workers} -m 'not wide'", closing=r"^=* ?\d+ .* in [\d.]+s", lab=True, takes_arguments=True),
    )
}


@dataclasses.dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    seconds: float
    closing: str


def main() -> int:
    asked, arguments = parse()
    stages = list(STAGES.values()) if "all" in asked.stages else [STAGES[name] for name in asked.stages]
    os.environ["PATH"] = f"{prepare.VENV / 'bin'}:{os.environ['PATH']}"
    os.environ.pop(own_cluster.SWITCH, None)
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(prepare.BUILD / "tree")
    signal.signal(signal.SIGTERM, lambda *frame: sys.exit(143))
    LOGS.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        needs_lab = asked.cluster == "lab" and any(stage.lab for stage in stages)
        lab = stack.enter_context(Lab(asked.lab, LOGS / "lab.log")) if needs_lab else None
        copy = stack.enter_context(tree.assembled_tree()) if any(stage.assembled for stage in stages) else None
        for stage in sorted(stages, key=lambda stage: stage.lab):
            command = [*shlex.split(stage.command.format(workers=asked.workers)), *(arguments if stage.takes_arguments else [])]
            results.append(run(stage, command, copy, lab))
    print(summary(results))
    return 0 if all(result.passed for result in results) else 1


def parse() -> tuple[argparse.Namespace, list[str]]:
    ours, pytests = sys.argv[1:], []
    if "--" in ours:
        at = ours.index("--")
        ours, pytests = ours[:at], ours[at + 1:]
    parser = argparse.ArgumentParser(description="Run test stages.", epilog="What follows -- is given to pytest.")
    parser.add_argument("stages", nargs="+", choices=["all", *STAGES], metavar="STAGE", help=", ".join(["all", *STAGES]))
    parser.add_argument("--lab", default="", help="name of the lab that integration and e2e use, where it is not the usual one")
    parser.add_argument("--cluster", choices=["lab", own_cluster.OWN], default="lab", help="own: e2e runs in the cluster of KUBECONFIG instead of the lab")
    parser.add_argument("--workers", type=int, default=2, help="e2e tests at a time (default: %(default)s)")
    asked = parser.parse_args(ours)
    for_lab_alone = [name for name in asked.stages if name == "all" or STAGES[name].lab and name != "e2e"]
    if asked.cluster == own_cluster.OWN and for_lab_alone:
        parser.error(f"{for_lab_alone[0]} runs in the lab alone; with a cluster of your own there is e2e")
    return asked, pytests


def run(stage: Stage, command: list[str], copy: pathlib.Path | None, lab: Lab | None) -> Result:
    started = time.monotonic()
    print(f"\n--- {stage.name}: {shlex.join(command)}", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "PY_COLORS")}
    environment.update(NO_COLOR="1", ANSIBLE_NOCOLOR="1")
    try:
        if stage.lab and lab is None:
            environment = own_environment(environment)
        elif stage.lab:
            assert lab is not None
            exports = lab.environment()
            command = [*shlex.split(exports["LAB_EXEC"]), *command]
            environment.update(exports)
            if stage.flagger:
                environment["FLAGGER"] = str(flagger_program.path())
            if stage.assembled:
                assert copy is not None
                write_integration_config(copy, exports)
    except (LabError, flagger_program.LabError, own_cluster.OwnClusterError) as error:
        print(error, flush=True)
        return Result(stage.name, False, time.monotonic() - started, str(error).splitlines()[0])
    if stage.assembled:
        environment = tree.ansible_test_environment(environment)
    folder = copy if stage.assembled else prepare.ROOT
    log = LOGS / f"{stage.name}.log"
    code = stream(command, folder, environment, log)
    said = log.read_text(encoding="utf-8")
    nothing = closing_line(stage.nothing, said, 1)
    closing = nothing or closing_line(stage.closing, said, stage.closing_lines)
    return Result(stage.name, code == 0 and not nothing, time.monotonic() - started, closing)


def own_environment(given: typing.Mapping[str, str]) -> dict[str, str]:
    """For a cluster of the user's own. Raises OwnClusterError."""
    found = own_cluster.environment(given, "KUBECONFIG", "GATEWAY", "GATEWAY_URL", "PROMETHEUS_URL")
    print(f"in your own cluster: {own_cluster.described(found)}", flush=True)
    return found


def write_integration_config(copy: pathlib.Path, exports: typing.Mapping[str, str]) -> None:
    """ansible-test hands no variables of the environment to its targets; they find KUBECONFIG as `lab_kubeconfig` and so on."""
    variables = {f"lab_{name.lower().removeprefix('lab_')}": value for name, value in exports.items() if name != "PATH"}
    config = copy / "tests" / "integration" / "integration_config.yml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(variables), encoding="utf-8")


def stream(command: list[str], folder: pathlib.Path | None, environment: typing.Mapping[str, str], log: pathlib.Path) -> int:
    """Run `command`, passing its output on as it comes and keeping it in `log`. Returns the exit code."""
    with open(log, "w", encoding="utf-8") as kept, subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                kept.write(line)
        except BaseException as error:
            # An interrupt from the keyboard reached the runner too. Either way it may put away what its tests made.
            if not isinstance(error, KeyboardInterrupt):
                process.send_signal(signal.SIGINT)
            process.wait()
            raise
    return process.returncode


def closing_line(pattern: str | None, text: str, wanted: int) -> str:
    """The last lines in which `pattern` is found, as one and without their frames of = signs."""
    lines = [" ".join(line.strip("= ").split()) for line in text.splitlines() if pattern and re.search(pattern, line)]
    return "; ".join(lines[-wanted:])


def summary(results: list[Result]) -> str:
    rows = [("stage", "result", "seconds", ""), *(
        (result.name, "passed" if result.passed else "FAILED", f"{result.seconds:.1f}", result.closing) for result in results
    )]
    lines = [f"{name:<14}{outcome:<8}{seconds:>8}  {closing}".rstrip() for name, outcome, seconds, closing in rows]
    failed = [result.name for result in results if not result.passed]
    verdict = f"{len(failed)} of {len(results)} stages failed: {', '.join(failed)}" if failed else f"all {len(results)} stages passed"
    return "\n".join(["", *lines, "", f"{verdict} in {sum(result.seconds for result in results):.0f} s"])


if __name__ == "__main__":
    sys.exit(main())
