# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switch the rules of docs/safety.md off, one after the other, and see the test of each fail: `mutants.py`, or `mutants.py 07 12_b`.

A rule's test is worth something only if it goes red without the rule. README.md beside this file says how a patch is written.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "toolchain"))

import prepare  # noqa: E402
import tree  # noqa: E402
from background_lab import Lab, LabError  # noqa: E402

RULES = range(1, 33)
# Rules that nothing builds yet, and why: a patch comes with the feature.
WAITING: dict[int, str] = {}

AT_ONCE = 2
LONGEST = 300.0             # seconds that the tests of one patch may take
WHERE = ("plugins/", "roles/")
# A patch that only breaks the code shows nothing about the rule.
BROKEN = re.compile(r"^(NameError|UnboundLocalError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError)\b|^collection failure")


class MutantError(Exception):
    """Something is wrong with a patch or with a test, in one sentence."""


@dataclass(frozen=True)
class Test:
    file: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Test:
        file, separator, name = text.partition("::")
        if not separator or "[" in name:
            raise MutantError(f"'{text}' is not <file>::<name of a test function>")
        return cls(file, name)


@dataclass(frozen=True)
class Mutant:
    """One patch, and what its first lines say of it."""

    path: Path
    rule: int
    says: str
    tests: tuple[Test, ...]
    needs_lab: bool

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass
class Ran:
    """What tests came to: cases by the name of their function, and of the failed ones the first line of why."""

    cases: dict[str, int] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    said: str = ""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *frame: sys.exit(143))
    asked = parse()
    started = time.monotonic()
    try:
        mutants = [read(path) for path in chosen(asked.mutants)]
        passed, failed = try_all(mutants, asked)
    except MutantError as error:
        print(error, file=sys.stderr)
        return 1
    for rule in RULES:
        if rule in WAITING and (not asked.mutants or rule in {split(word)[0] for word in asked.mutants}):
            print(f"{stem(rule):<12} waits: {WAITING[rule]}")
        elif not asked.mutants and not any(mutant.rule == rule for mutant in mutants):
            failed += 1
            print(f"{stem(rule):<12} HAS NO PATCH")
    print(f"{passed} passed, {failed} failed in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def try_all(mutants: Sequence[Mutant], asked: argparse.Namespace) -> tuple[int, int]:
    """How many were killed and how many were not, each told in a line."""
    passed = failed = 0
    with ExitStack() as stack:
        needs_lab = any(mutant.needs_lab for mutant in mutants)
        lab = stack.enter_context(Lab(asked.lab, log("mutants-lab.log"))) if needs_lab else None
        base = stack.enter_context(copied())
        healthy = unmutated(base, mutants, lab)
        pool = stack.enter_context(ThreadPoolExecutor(asked.jobs))
        for mutant, (killed, words, why) in zip(mutants, pool.map(lambda one: judge(one, base, healthy, lab), mutants)):
            print(f"{mutant.name:<12} {words}", flush=True)
            if asked.why and why:
                print(f"{'':<12} {why}", flush=True)
            if killed:
                passed += 1
            else:
                failed += 1
                print(f"{'':<12} switched off: {mutant.says}", flush=True)
    return passed, failed


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Switch each rule of docs/safety.md off and see its test fail.")
    parser.add_argument("mutants", nargs="*", metavar="NN", help="rules, such as 07, or one patch, such as 07_b (default: all)")
    parser.add_argument("--lab", default="", help="name of the lab for patches that need one, where it is not the usual one")
    parser.add_argument("--why", action="store_true", help="say what the test that failed said")
    parser.add_argument("--jobs", type=int, default=AT_ONCE, help="patches tried at a time (default: %(default)s)")
    return parser.parse_args()


def stem(rule: int) -> str:
    return f"safety_{rule:02d}"


def chosen(wanted: Sequence[str]) -> list[Path]:
    """The patches of these rules, of all where none is named; none for a rule that waits. Raises MutantError for one that there is not."""
    there = sorted(HERE.glob("safety_*.patch"))
    found = [] if wanted else there
    for word in wanted:
        rule, letter = split(word)
        paths = [path for path in there if split(path.stem) == (rule, letter) or (not letter and split(path.stem)[0] == rule)]
        if not paths and rule not in WAITING:
            raise MutantError(f"there is no patch {stem(rule)}{'_' if letter else ''}{letter} in {HERE}")
        found += [path for path in paths if path not in found]
    return found


def split(word: str) -> tuple[int, str]:
    """Rule and letter of 7, 07_b or safety_07_b; the letter is empty for a rule's first patch. Raises MutantError for anything else."""
    parts = re.fullmatch(r"(?:safety_)?(\d+)(?:_([a-z]))?", word)
    if parts is None:
        raise MutantError(f"'{word}' is neither a rule, such as 07, nor a patch, such as 07_b")
    return int(parts[1]), parts[2] or ""


def read(path: Path) -> Mutant:
    """Raises MutantError when the first lines do not say what they have to, or the patch changes more than what is shipped."""
    text = path.read_text(encoding="utf-8")
    prose, separator, patch = text.partition("\ndiff --git ")
    said: dict[str, list[str]] = {}
    for line in prose.splitlines():
        key, colon, value = line.partition(": ")
        said.setdefault(key, []).append(value.strip())
    if not re.fullmatch(r"safety_\d\d(_[a-z])?", path.stem) or not patch:
        raise MutantError(f"{path.name} is not a patch named safety_NN.patch or safety_NN_b.patch")
    rule, unused = split(path.stem)
    tests = tuple(Test.parse(text) for text in said.get("Test", ()))
    if len(said.get("Rule", ())) != 1 or not tests:
        raise MutantError(f"{path.name} has to begin with one line 'Rule: ...' and at least one line 'Test: ...'")
    unnumbered = [test.name for test in tests if stem(rule) not in test.name]
    if unnumbered:
        raise MutantError(f"{path.name}: {unnumbered[0]} does not carry {stem(rule)} in its name")
    elsewhere = [name for name in re.findall(r"^\+\+\+ b/(\S+)", text, re.MULTILINE) if not name.startswith(WHERE)]
    if elsewhere:
        raise MutantError(f"{path.name} changes {elsewhere[0]}, which is in none of {', '.join(WHERE)}")
    return Mutant(path, rule, said["Rule"][0], tests, "lab" in said.get("Needs", ()))


def log(name: str) -> Path:
    logs = prepare.BUILD / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return logs / name


@contextmanager
def copied(source: Path | None = None) -> Iterator[Path]:
    """A throw-away copy of the checkout (or of such a copy) with a collection tree of its own, in which it stands in the checkout's place."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "delivery"
        if source:
            shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(".build", ".hypothesis", "__pycache__", "report.xml"))
        else:
            for name in tree.checkout_files():
                target = copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(prepare.ROOT / name, target, follow_symlinks=False)
        collections = copy / ".build" / "tree" / "ansible_collections"
        (collections / "progressive").mkdir(parents=True)
        (collections / "progressive" / "delivery").symlink_to(copy)
        (collections / "kubernetes").symlink_to((prepare.COLLECTIONS / "kubernetes").resolve())
        yield copy


def unmutated(base: Path, mutants: Sequence[Mutant], lab: Lab | None) -> Ran:
    """All tests once without a patch, so that a test that is red anyway counts for nothing."""
    healthy = Ran()
    for needs_lab in (False, True):
        tests = [test for mutant in mutants if mutant.needs_lab == needs_lab for test in mutant.tests]
        # Without a lab the patches that need one fail, each by itself, and all others are tried.
        with suppress(LabError):
            ran = run(base, tests, lab if needs_lab else None) if tests else Ran()
            healthy.cases.update(ran.cases)
            healthy.failed.update(ran.failed)
            healthy.said += ran.said
    return healthy


def judge(mutant: Mutant, base: Path, healthy: Ran, lab: Lab | None) -> tuple[bool, str, str]:
    """Whether a test of the rule's number saw the patch, in words which one, and what that one said."""
    try:
        if lab is not None and mutant.needs_lab:
            lab.environment()
        check_health(mutant, healthy)
        with copied(base) as copy:
            apply(mutant.path, copy)
            ran = run(copy, mutant.tests, lab if mutant.needs_lab else None)
    except (MutantError, LabError) as error:
        return False, f"ERROR: {error}", ""
    red = {test.name: ran.failed[test.name] for test in mutant.tests if ran.failed.get(test.name)}
    if not red and any(BROKEN.match(why) for reasons in ran.failed.values() for why in reasons):
        return False, f"ERROR: the patch breaks the code, its tests are not collected\n{ran.said}", ""
    ended = [test.name for test in mutant.tests if ran.cases.get(test.name) != healthy.cases[test.name]]
    if not red and ended:
        return False, f"ERROR: {ended[0]} did not run with the patch\n{ran.said}", ""
    if not red:
        return False, f"SURVIVED {' and '.join(test.name for test in mutant.tests)}", ""
    if all(BROKEN.match(why) for reasons in red.values() for why in reasons):
        return False, f"ERROR: the patch breaks the code instead of switching the rule off: {next(iter(red.values()))[0]}", ""
    killers = " and ".join(f"{name}{_of_cases(len(reasons), ran.cases[name])}" for name, reasons in red.items())
    return True, f"killed by {killers}", next(iter(red.values()))[0]


def _of_cases(failed: int, cases: int) -> str:
    return f" ({failed} of {cases} cases)" if cases > 1 else ""


def check_health(mutant: Mutant, healthy: Ran) -> None:
    for test in mutant.tests:
        if not healthy.cases.get(test.name):
            raise MutantError(f"there is no test {test.file}::{test.name}, or it was skipped\n{healthy.said}")
        if healthy.failed.get(test.name):
            raise MutantError(f"{test.name} fails without the patch too: {healthy.failed[test.name][0]}")


def apply(patch: Path, copy: Path) -> None:
    # Outside of any repository: seen from the checkout's, the copy would be ignored and the patch skipped in silence.
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)}
    result = subprocess.run(["git", "apply", str(patch)], cwd=copy, env=outside, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MutantError(f"the patch does not apply any more: {result.stderr.strip().splitlines()[0]}")


def run(copy: Path, tests: Iterable[Test], lab: Lab | None) -> Ran:
    """Run these tests in a copy of the tree. Raises MutantError when they do not end, LabError without a lab."""
    tests = list(tests)
    report = copy / "report.xml"
    names = " or ".join(dict.fromkeys(test.name for test in tests))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}", "-k", names,
               *dict.fromkeys(test.file for test in tests)]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS", "CI")}
    if lab is not None:
        exports = lab.environment()
        command = [*shlex.split(exports["LAB_EXEC"]), *command]
        environment.update(exports)
    environment.update(_of_its_own(copy))
    try:
        result = subprocess.run(command, cwd=copy, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace", timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        raise MutantError(f"its tests did not end within {LONGEST:.0f} s") from None
    return reported(report, result.stdout)


def _of_its_own(copy: Path) -> Mapping[str, str]:
    return {"ANSIBLE_COLLECTIONS_PATH": str(copy / ".build" / "tree"), "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / ".hypothesis")}


def reported(report: Path, said: str) -> Ran:
    """What pytest wrote into its report; skipped cases did not run."""
    ran = Ran(said=said)
    if not report.exists():
        return ran
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = str(case.get("name", "")).partition("[")[0]
        reasons = [one for kind in ("failure", "error") for one in case.findall(kind)]
        if case.find("skipped") is None:
            ran.cases[name] = ran.cases.get(name, 0) + 1
        if reasons:
            ran.failed.setdefault(name, []).append(str(reasons[0].get("message") or "failed").splitlines()[0])
    return ran


if __name__ == "__main__":
    sys.exit(main())
