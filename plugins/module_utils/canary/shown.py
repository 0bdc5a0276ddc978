# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a foreign server may be shown to people and kept in results: short lines, and no credentials (DESIGN 8)."""

from __future__ import annotations

import re
import unicodedata
import urllib.parse
from collections.abc import Iterable

# Colours and cursor movements of terminals: without their escape character their rest would stay behind as text.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~])")

_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

EXCERPT = 200
HIDDEN = "***"
# Shorter values are words of ordinary text: hiding them garbles a message and protects nothing (ANSIBLE 10).
SHORTEST_SECRET = 4


def one_line(text: str) -> str:
    """The text without escape sequences and control characters; line breaks and tabs become spaces (ANSIBLE 23).

    What a gate or a metric server answered ends up on terminals and in job logs, where it must not be able to forge a line.
    """
    if text.isascii() and text.isprintable():
        return text.strip()                 # as nearly all of it is
    text = _BREAKS.sub(" ", _ESCAPES.sub("", text))
    return "".join(character for character in text if unicodedata.category(character) not in ("Cc", "Cf", "Cs")).strip()


def printable(text: str) -> str:
    """The text without escape sequences and control characters, on as many lines as it has: for what was not made of one line only."""
    return text if text.isascii() and text.isprintable() else "\n".join(map(_printable, text.split("\n")))


def _printable(line: str) -> str:
    clean = one_line(line)
    return clean if not line[:1].isspace() else line[:len(line) - len(line.lstrip(" "))] + clean


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """One line of at most ``limit`` characters, without control characters and runs of spaces."""
    line = " ".join(one_line(text).split())
    return line if len(line) <= limit else line[:limit - 3].rstrip() + "..."


def url(text: str) -> str:
    """The URL without userinfo and fragment, and with the values of its query hidden."""
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not a URL)"
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port is not None else ""
    query = "&".join(f"{key.partition('=')[0]}={HIDDEN}" for key in parts.query.split("&") if key)
    return excerpt(urllib.parse.urlunsplit((parts.scheme, place, parts.path, query, "")))


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every one of the secrets hidden, for what a foreign server answered."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text
