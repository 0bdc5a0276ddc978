# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flagger's own controller, for what is run beside it: no part of a lab, but in its cache."""
from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

from labkit import cache, recipes  # noqa: E402
from labkit.errors import LabError  # noqa: E402

__all__ = ["LabError", "path"]


def path() -> pathlib.Path:
    """The program, built now if need be. Raises LabError."""
    folder, _new = cache.obtain(recipes.FLAGGER_PROGRAM, cache.Workshop(cache.go_for_builds(print), print))
    return folder / "flagger"
