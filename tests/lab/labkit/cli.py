# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from addons import ADDONS, DEFAULT
from labkit import cache, debian, down as teardown, environment, layout, locks, node, preflight, recipes, state as states, status as health, up as startup
from labkit.cache import Workshop
from labkit.errors import LabError
from labkit.progress import Report

DESCRIPTION = "A one-node Kubernetes with gateway, Prometheus and load generator, in a network namespace of its own."
SHELL_PROMPT = "({name}) "


def main(arguments: Sequence[str]) -> int:
    """Run one verb; the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        preflight.linux()
        status: int = options.verb(options)
        return status
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _interrupt(_number: int, _frame: object) -> None:
    """Let a termination undo a half start as an interruption by hand does."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help=f"which lab; by default $LAB_NAME, else {layout.DEFAULT_NAME}")
    purpose = argparse.ArgumentParser(add_help=False)
    purpose.add_argument("--for", dest="purpose", choices=recipes.PURPOSES, default=recipes.TESTS,
                         help="demo leaves out what only tests need; default: %(default)s")
    purpose.add_argument("--gateway", dest="gateways", action="append", choices=sorted(ADDONS),
                         help=f"which gateway, may be given several times; default: {_defaults()}")
    parser = argparse.ArgumentParser(prog="lab.py", description=DESCRIPTION)
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, function: Callable[[argparse.Namespace], int], text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, parents=[common, *parents])
        added.set_defaults(verb=function)
        return added

    verb("build", _build, "make and download everything, once", purpose)
    verb("up", _up, "start the lab, building first what is missing", purpose)
    verb("down", _down, "end the lab and remove all of it")
    verb("status", _status, "show the lab's parts and addresses")
    verb("env", _env, "print export lines for a shell: eval \"$(... env)\"")
    verb("shell", _shell, "open a shell inside the lab")
    inside = verb("exec", _exec, "run a command inside the lab: exec -- COMMAND ...")
    inside.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    tag = verb("image-tag", _image_tag, "make a further version of an image: image-tag REPO:TAG REPO:NEWTAG")
    tag.add_argument("old")
    tag.add_argument("new")
    return parser


def _defaults() -> str:
    """Which gateways a lab has when nobody says which, in words."""
    return "; ".join(f"{' and '.join(names)} for {purpose}" for purpose, names in DEFAULT.items())


def _made(options: argparse.Namespace, report: Report) -> dict[str, Path]:
    """Everything that the options need, made or downloaded where it is missing."""
    wanted = list(recipes.wanted(options.purpose))
    for name in options.gateways or DEFAULT[options.purpose]:
        wanted += [recipe for recipe in ADDONS[name].recipes if recipe not in wanted]
    missing = debian.missing()
    if missing:
        preflight.superuser()
    go = cache.go_for_builds(report.say)
    unmade = [recipe for recipe in wanted if not cache.place(recipe, go).is_dir()]
    if unmade:
        preflight.disk(layout.cache_root(), sum(recipe.gibibytes for recipe in unmade), f"Building {', '.join(recipe.name for recipe in unmade)}")
    with ThreadPoolExecutor(1) as pool:         # nothing that is built needs what is installed
        if missing:
            report.headline(f"Installing {' '.join(missing)}")
        installed = pool.submit(debian.install, missing, layout.cache_root() / "log" / "apt.log") if missing else None
        built = recipes.make_all(tuple(wanted), Workshop(go, report.say), report, quiet=not unmade)
        if installed:
            installed.result()
    return built


def _build(options: argparse.Namespace) -> int:
    report = Report()
    _made(options, report)
    report.headline(f"Everything for {options.purpose} is there after {report.seconds():.0f} s.")
    return 0


def _up(options: argparse.Namespace) -> int:
    preflight.superuser()
    lab = layout.lab_named(options.name)
    built = _made(options, Report())
    report = Report()
    with locks.held(lab.lock, lambda: report.say(f"waiting for another command on the lab {lab.name}")):
        startup.up(lab, options.purpose, options.gateways or DEFAULT[options.purpose], built, report)
    return 0


def _down(options: argparse.Namespace) -> int:
    preflight.superuser()
    lab = layout.lab_named(options.name)
    report = Report()
    with locks.held(lab.lock, lambda: report.say(f"waiting for another command on the lab {lab.name}")):
        was_there = teardown.down(lab)
    layout.remove_run_folder()
    report.headline(f"The lab {lab.name} is down after {report.seconds():.1f} s." if was_there else f"There is no lab {lab.name}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    preflight.superuser()
    lab = layout.lab_named(options.name)
    table, well = health.report(lab, states.require_up(lab))
    print(table)
    return 0 if well else 1


def _env(options: argparse.Namespace) -> int:
    lab = layout.lab_named(options.name)
    print(environment.exports(lab, states.require_up(lab)), end="")
    return 0


def _shell(options: argparse.Namespace) -> int:
    preflight.superuser()
    lab = layout.lab_named(options.name)
    state = states.require_up(lab)
    os.environ["PS1"] = SHELL_PROMPT.format(name=lab.name) + os.environ.get("PS1", r"\w\$ ")
    environment.run_inside(lab, state, [os.environ.get("SHELL", "/bin/sh")])
    return 1


def _exec(options: argparse.Namespace) -> int:
    preflight.superuser()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise LabError("Say which command to run inside the lab: exec -- COMMAND ...")
    lab = layout.lab_named(options.name)
    environment.run_inside(lab, states.require_up(lab), command)
    return 1


def _image_tag(options: argparse.Namespace) -> int:
    preflight.superuser()
    lab = layout.lab_named(options.name)
    states.require_up(lab)
    node.tag_image(lab, options.old, options.new)
    return 0
