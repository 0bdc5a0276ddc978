# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both sides did, kept as files: for a look at what differs, and for comparing again without walking again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from documents import Document
from sides import Ours, Theirs

Seen = dict[str, Any]


class Recorded:
    """A folder with one file for each document."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def both(self, document: Document) -> tuple[Seen, Seen]:
        """Theirs and ours as they were seen the last time."""
        kept = json.loads(self._file(document).read_text(encoding="utf-8"))
        return kept["theirs"], kept["ours"]

    def walk(self, document: Document, folder: Path) -> tuple[Seen, Seen]:
        """Theirs and ours, now, both at the same time. Raises AssertionError where one does not come to an end."""
        with ThreadPoolExecutor(2) as pool:
            theirs, ours = (pool.submit(side(document, folder / side.name).seen) for side in (Theirs, Ours))
            found = theirs.result(), ours.result()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file(document).write_text(json.dumps({"theirs": found[0], "ours": found[1]}, indent=1), encoding="utf-8")
        return found

    def _file(self, document: Document) -> Path:
        return self._folder / f"{document.name}.json"
