# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents out of Flagger's own docs, charts and tests."""

from __future__ import annotations

import pathlib
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

CANARY, TEMPLATE, ALERT_PROVIDER = KINDS = ("Canary", "MetricTemplate", "AlertProvider")
CODE_BLOCK = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?[^\n]*\n(.*?)^\s*\1\s*$", re.MULTILINE | re.DOTALL)
OF_OURS = re.compile(rf"^\s*kind: ({'|'.join(KINDS)})\s*$", re.MULTILINE)


class Found(NamedTuple):
    """A document, where it stands, and whether it is one at all: charts hold templates of Helm."""

    place: str
    document: dict[str, Any]
    readable: bool = True


def read_all(root: pathlib.Path) -> list[Found]:
    """All that stand under a folder, in the order of their places."""
    return [Found(str(path.relative_to(root)), *read) for path in sorted(root.rglob("*")) if path.is_file() for text in _texts(path) for read in _read(text)]


def _texts(path: pathlib.Path) -> Iterator[str]:
    """The YAML texts of a page, of a shell script, or of a manifest."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        yield text
        return
    for block in [textwrap.dedent(block) for block in CODE_BLOCK.findall(text)] if path.suffix == ".md" else [text]:
        here_documents = [body for _word, body in HERE_DOCUMENT.findall(block)]
        yield from here_documents or ([block] if path.suffix == ".md" else [])


def _read(text: str) -> Iterator[tuple[dict[str, Any], bool]]:
    for one in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        kind = OF_OURS.search(one)
        if not kind:
            continue
        try:
            document = yaml.safe_load(one)
        except yaml.YAMLError:
            yield {"kind": kind[1]}, False
            continue
        # A list, a CRD, or an ownerReference that names a Canary.
        if isinstance(document, dict) and document.get("kind") in KINDS:
            yield document, True
