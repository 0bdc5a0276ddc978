# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for an object by watching it, within a limit, and in chunks where the caller has to come back in between (ANSIBLE 7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref

WATCHED = 5.0               # seconds of one watch, before the caller is asked whether to go on waiting

Object = dict[str, Any]


def until(api: Api, place: Ref, live: Object, over: Callable[[Object], bool], seconds: float, leave: Callable[[Object], bool]) -> tuple[Object, bool]:
    """The object when it is ``over``, or the time is; and whether ``leave`` ended the wait before. Raises CanaryError when it is deleted."""
    end = time.monotonic() + seconds
    while not over(live) and (left := end - time.monotonic()) > 0:
        if leave(live):
            return live, True
        for event in api.watch(place, min(left, WATCHED), live["metadata"]["resourceVersion"]):
            if event["type"] == "DELETED":
                raise CanaryError(f"{place} was deleted while it was waited for")
            live = event["object"]
            if over(live):
                break
        else:
            # Nothing came for a while: a connection that died without a word looks the same.
            live = existing(api, place)
    return live, False


def existing(api: Api, place: Ref) -> Object:
    """Raises CanaryError when there is no such object."""
    live = api.get(place)
    if live is None:
        raise CanaryError(f"{place} does not exist")
    return live


class Limit:
    """The time limit of a wait over all its chunks; ``memory`` is what one chunk leaves to the next (verb.Call)."""

    def __init__(self, memory: dict[str, Any], seconds: float) -> None:
        self._memory = memory
        # The chunks of a wait run on one machine, and this clock is the machine's.
        self._end: float = memory.setdefault("end", time.monotonic() + seconds)

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def whole(self, result: Mapping[str, Any], first: Sequence[str]) -> dict[str, Any]:
        """The result of all chunks so far: what the first one changed is not forgotten by those that only waited.

        ``first`` are the keys that the first chunk knows best.
        """
        made = dict(result)
        if "result" in self._memory:
            earlier = self._memory["result"]
            made["changed"] = made["changed"] or earlier["changed"]
            made["diff"] = {side: {**earlier["diff"][side], **made["diff"][side]} for side in ("before", "after")}
            made.update({key: earlier[key] for key in first})
            if "services" in made:
                made["services"] = [*earlier["services"], *(name for name in made["services"] if name not in earlier["services"])]
        self._memory["result"] = made
        return made
