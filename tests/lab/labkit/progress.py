# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that tell people which step is being done and how long it took."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


class Report:
    """Writes to standard error, so that output meant for programs stays clean."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """Write one line at once, with the seconds since the beginning."""
        print(f"{self.seconds():6.1f} s  {text}", file=sys.stderr, flush=True)

    def headline(self, text: str) -> None:
        """Write a line that is no detail."""
        print(text, file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Seconds since the report began."""
        return time.monotonic() - self._begun

    @contextlib.contextmanager
    def step(self, number: int, of: int, name: str) -> Iterator[Callable[[bool], None]]:
        """Tell about one step of making something; the body says whether it was made now or was there already."""
        begun = time.monotonic()
        fresh = True

        def made_now(is_fresh: bool) -> None:
            nonlocal fresh
            fresh = is_fresh

        print(f"[{number}/{of}] {name} ...", file=sys.stderr, flush=True)
        yield made_now
        took = f"made in {time.monotonic() - begun:.0f} s" if fresh else "already made"
        print(f"[{number}/{of}] {name}: {took}", file=sys.stderr, flush=True)
