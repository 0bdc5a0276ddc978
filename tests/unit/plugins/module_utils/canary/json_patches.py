# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a JSON patch does to a document, for tests that have no API server to do it."""

from __future__ import annotations

import copy
from typing import Any


def applied(document: Any, steps: list[dict[str, Any]]) -> Any:
    """What an API server does with a patch (RFC 6902), for the three operations that we use."""
    document = copy.deepcopy(document)
    for step in steps:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place = document
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key: Any = int(last) if isinstance(place, list) else last
        if step["op"] == "remove":
            del place[key]
        else:
            assert step["op"] == "add" or key in (range(len(place)) if isinstance(place, list) else place)
            place[key] = step["value"]
    return document
