# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every patch still applies, so that whoever changes what a patch is about learns of it at once; ``make mutants`` shows what its test says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATCHES = sorted(HERE.glob("*.patch"))
pytestmark = pytest.mark.exhaustive


def test_there_are_patches() -> None:
    assert PATCHES


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_patch_applies(patch: Path) -> None:
    done = subprocess.run(["git", "apply", "--check", str(patch)], cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}write it anew (README.md beside it says how)"
