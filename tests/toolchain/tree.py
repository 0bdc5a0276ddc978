# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real copy of the checkout, and a home of its own, for ansible-test.

ansible-test resolves symbolic links before it looks where it stands, so the linked tree that serves everything else does not
serve it. And it fetches get-pip.py from a host that many networks cannot reach, unless it finds the file in its home's cache.
"""
from __future__ import annotations

import ast
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing

import prepare

# The pip release that each ansible-core asks get-pip.py for: 2.19, then 2.20 and 2.21.
GET_PIP_VERSIONS = ("24_2", "25_2")

GET_PIP = '''"""Stand-in for get-pip.py: Python's own ensurepip, then the asked release of pip from the package index."""
import subprocess
import sys

# As a process of its own, since ensurepip changes the environment of the one that it runs in.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
subprocess.check_call(
    [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    + [argument for argument in sys.argv[1:] if argument.startswith("pip==")]
)
'''


@contextlib.contextmanager
def assembled_tree() -> typing.Iterator[pathlib.Path]:
    """The folder `.../ansible_collections/progressive/delivery` with the checkout's files as they are now.

    Each caller gets its own, so that two runs at once do not disturb each other.
    """
    parent = prepare.BUILD / "assembled"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        collections = pathlib.Path(folder) / "ansible_collections"
        delivery = collections / "progressive" / "delivery"
        for name in checkout_files():
            target = delivery / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(prepare.ROOT / name, target, follow_symlinks=False)
        # A repository of its own: seen from that of the checkout all of this is ignored, and ansible-test would find nothing to test.
        subprocess.run(["git", "init", "--quiet", str(delivery)], check=True)
        shutil.copytree(prepare.COLLECTIONS / "kubernetes" / "core", collections / "kubernetes" / "core")
        yield delivery


def checkout_files() -> list[str]:
    """What git would carry: tracked files, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=prepare.ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(set(listing.split("\0")) - {""})
    return [name for name in names if os.path.lexists(prepare.ROOT / name)]


def ansible_test_environment(environment: typing.Mapping[str, str]) -> dict[str, str]:
    """`environment` with a home for ansible-test that carries the user's pip settings and the stand-in for get-pip.py.

    ansible-test hands only HOME and PATH down to pip, so settings made by variables would be lost without a file.
    """
    home = prepare.CACHE / "ansible-test"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in GET_PIP_VERSIONS:
        write_if_changed(cache / f"get_pip_{version}.py", GET_PIP)
    write_if_changed(home / ".config" / "pip" / "pip.conf", pip_settings())
    return {**environment, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def pip_settings() -> str:
    """The [global] settings that pip obeys here, from its files and from PIP_ variables, as one file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings = {}
    for line in listing.splitlines():
        key, found, value = line.partition("=")
        scope, dot, name = key.partition(".")
        # pip lists its files before the variables, which override them.
        if found and dot and scope in ("global", ":env:") and name != "cache-dir":
            settings[name] = ast.literal_eval(value).replace("\n", "\n  ")
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(settings.items()))


def write_if_changed(path: pathlib.Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
