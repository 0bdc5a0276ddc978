# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the virtual environment and the collection tree: `prepare.py runtime` or `prepare.py tests`.

What is already as the requirement files ask is left alone, so a second run costs next to nothing.
Runs on whatever `python3` the machine has, to be able to say in words why that one will not do.
"""
from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "toolchain"
VENV = ROOT / ".venv"
BUILD = ROOT / ".build"
COLLECTIONS = BUILD / "tree" / "ansible_collections"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "progressive-delivery"

OLDEST_PYTHON = (3, 11)
REQUIREMENTS = {
    "runtime": ["constraints.txt", "requirements-runtime.txt"],
    "tests": ["constraints.txt", "requirements-runtime.txt", "requirements.txt"],
}
COLLECTION_REQUIREMENTS = HERE / "requirements-collections.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare .venv and .build/tree.")
    parser.add_argument("what", choices=sorted(REQUIREMENTS))
    what = parser.parse_args().what
    check_python()
    BUILD.mkdir(exist_ok=True)
    with one_at_a_time():
        ensure_packages(what)
        ensure_kubernetes_core()
        ensure_link(COLLECTIONS / "progressive" / "delivery", ROOT)


def check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            "Python %d.%d or newer is required, %s is %d.%d: name another one, for example `make setup PYTHON3=python3.12`."
            % (OLDEST_PYTHON + (sys.executable,) + sys.version_info[:2])
        )
    # Debian's python3 comes without these two.
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        sys.exit("Python's venv module is missing: `apt-get install python3-venv` installs it.")


@contextlib.contextmanager
def one_at_a_time():
    with open(BUILD / "prepare.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_packages(what: str) -> None:
    # An activated .venv must not be the one that makes .venv anew.
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    interpreter = f"{sys.version} at {python}"
    environment = digest(interpreter.encode())
    if stamp("environment") != environment:
        say(f"making .venv with Python {sys.version.split()[0]}")
        subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=True)
        write_stamp("environment", environment)

    if stamp(what) == digest_of_requirements(what):
        return
    started = time.monotonic()
    say(f"installing the Python packages ({what})")
    pip("install", "--constraint", str(HERE / "constraints.txt"), "--requirement", str(HERE / REQUIREMENTS[what][-1]))
    for contained in REQUIREMENTS:
        if set(REQUIREMENTS[contained]) <= set(REQUIREMENTS[what]):
            write_stamp(contained, digest_of_requirements(contained))
    say(f"installed in {time.monotonic() - started:.0f} s")


def ensure_kubernetes_core() -> None:
    """Copy kubernetes.core from the cache; fill that from the wheel of the `ansible` package when it is not there."""
    wanted = digest(COLLECTION_REQUIREMENTS.read_bytes())
    placed = COLLECTIONS / "kubernetes" / "core"
    if (placed / f".from-{wanted}").exists():
        return
    cached = CACHE / "collections" / wanted / "kubernetes" / "core"
    if not cached.exists():
        say("fetching kubernetes.core")
        with scratch_folder(cached.parents[1]) as scratch:
            pip("download", "--no-deps", "--require-hashes", "--requirement", str(COLLECTION_REQUIREMENTS), "--dest", str(scratch))
            unpack(next(scratch.glob("ansible-*.whl")), "ansible_collections/kubernetes/core/", scratch / "core")
            place(scratch / "core", cached)
    with scratch_folder(placed.parents[1]) as scratch:
        shutil.copytree(cached, scratch / "core")
        (scratch / "core" / f".from-{wanted}").touch()
        place(scratch / "core", placed)


def unpack(wheel: pathlib.Path, prefix: str, destination: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(prefix) and not entry.is_dir():
                target = destination / entry.filename[len(prefix):]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))


@contextlib.contextmanager
def scratch_folder(beside: pathlib.Path):
    """A folder on the same file system as its contents' final place, so that moving them there is one rename."""
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=beside) as folder:
        yield pathlib.Path(folder)


def place(source: pathlib.Path, destination: pathlib.Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if destination.exists():
        shutil.rmtree(destination)
    source.rename(destination)


def ensure_link(link: pathlib.Path, target: pathlib.Path) -> None:
    """Point `link` at the checkout, so that the tree is never older than what is being edited."""
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    link.symlink_to(relative)


def pip(*arguments: str) -> None:
    environment = dict(os.environ)
    environment.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    command = [str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    result = subprocess.run(command, env=environment, check=False)
    if result.returncode:
        sys.exit(f"pip could not {arguments[0]} the packages; its own message is above.")


def digest_of_requirements(what: str) -> str:
    return digest(*((HERE / name).read_bytes() for name in REQUIREMENTS[what]))


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def stamp(name: str) -> str | None:
    path = VENV / f".stamp-{name}"
    return path.read_text(encoding="utf-8") if path.exists() else None


def write_stamp(name: str, value: str) -> None:
    (VENV / f".stamp-{name}").write_text(value, encoding="utf-8")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    main()
