# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The cookies of session affinity: made once for an analysis out of its own name, so that whoever makes them again makes the same (WS 27).

A cookie is told as ``name=value``, as Flagger keeps it in the status; its attributes are the document's.
"""

from __future__ import annotations

import hashlib
import re
import string

from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Canary

_LETTERS = 10
_MARKS = re.compile(r"\\([^0-9A-Za-z])")
# What pattern() says, and what Flagger says of the same.
_PATTERNS = (re.compile(r"\^\(\.\*; \?\)\?(?P<name>[^=]+)=(?P<value>[A-Za-z]{10})\(;\.\*\)\?\$"),
             re.compile(r"\.\*(?P<name>.+)\.\*(?P<value>[A-Za-z]{10})\.\*"))


def of_canary(canary: Canary, run: str) -> str:
    """By which users stay with the canary until the analysis ``run`` is over; empty where the document asks for none."""
    affinity = canary.analysis.affinity
    return f"{affinity.cookie_name}={_letters(canary, run, 'canary')}" if affinity else ""


def of_primary(canary: Canary, run: str, weight: int) -> str:
    """By which users stay with the primary; another one with each weight of the canary, so that every step draws anew (WS 27)."""
    affinity = canary.analysis.affinity
    return f"{affinity.primary_cookie_name}={_letters(canary, run, str(weight))}" if affinity and affinity.primary_cookie_name else ""


def header(affinity: Affinity | None, cookie: str, max_age: int) -> str:
    """The text of Set-Cookie, its attributes in Flagger's order. A browser forgets a cookie only by the domain and path that it was set with."""
    said = [cookie, f"Max-Age={max_age}"]
    if affinity is not None:
        said += [f"Domain={affinity.domain}"] if affinity.domain else []
        said += ["HttpOnly"] if affinity.http_only else []
        said += ["Partitioned"] if affinity.partitioned else []
        said += [f"Path={affinity.path}"] if affinity.path else []
        said += [f"SameSite={affinity.same_site}"] if affinity.same_site else []
        said += ["Secure"] if affinity.secure else []
    return "; ".join(said)


def pattern(cookie: str) -> str:
    """A regular expression (RE2) for the header Cookie of whoever shows this one, whole or searched for alike; not for one whose name only ends so."""
    return f"^(.*; ?)?{re.escape(cookie.partition('=')[0])}={cookie.partition('=')[2]}(;.*)?$"


def of_pattern(text: str) -> str:
    """The cookie that a regular expression asks for, ours or Flagger's; empty for any other expression."""
    found = next(filter(None, (known.fullmatch(text) for known in _PATTERNS)), None)
    if found is None:
        return ""
    name = _MARKS.sub(r"\1", found["name"])
    return f"{name}={found['value']}"


def _letters(canary: Canary, run: str, what: str) -> str:
    digest = hashlib.sha256(f"{canary.namespace}/{canary.name} {run} {what}".encode()).digest()
    return "".join(string.ascii_letters[byte % len(string.ascii_letters)] for byte in digest[:_LETTERS])
