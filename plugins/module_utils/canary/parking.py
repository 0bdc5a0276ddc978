# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a DaemonSet is taken off its nodes: by a node selector of its template that no node fulfils, with Flagger's own key.

It says where pods run, not what they are: it is no part of a revision (SAFETY 19), and never of what is promoted (weak spot 30).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "flagger.app/scale-to-zero"
_VALUE = "true"


def is_parked(template: Mapping[str, Any]) -> bool:
    return KEY in _selector(template)


def parked(template: Mapping[str, Any]) -> dict[str, Any]:
    """The same template on no node."""
    return _with_selector(template, {**_selector(template), KEY: _VALUE})


def unparked(template: Mapping[str, Any]) -> dict[str, Any]:
    """The same template on the nodes that its author wants; itself where it is not parked."""
    if not is_parked(template):
        return dict(template)
    return _with_selector(template, own(_selector(template)))


def own(selector: Mapping[str, Any]) -> dict[str, Any]:
    """The author's part of a node selector."""
    return {key: value for key, value in selector.items() if key != KEY}


def as_parked_as(template: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """A template in the place of ``live``, which stays where it is."""
    return parked(template) if is_parked(live) else unparked(template)


def _selector(template: Mapping[str, Any]) -> Mapping[str, Any]:
    return (template.get("spec") or {}).get("nodeSelector") or {}


def _with_selector(template: Mapping[str, Any], selector: Mapping[str, Any]) -> dict[str, Any]:
    # The API server leaves out what is empty, so that reading it back shows no difference.
    spec = {key: value for key, value in (template.get("spec") or {}).items() if key != "nodeSelector"}
    return {**template, "spec": {**spec, "nodeSelector": dict(selector)} if selector else spec}
