# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.modules import canary_order
from ansible_collections.progressive.delivery.plugins.plugin_utils.in_process import InProcess

# What AWX, and Tower before it, call whoever launched the job; one that a schedule launched has none.
LAUNCHED_BY = ("awx_user_name", "tower_user_name")


class ActionModule(InProcess):
    """Runs the module of the same name, in the controller's process where it can, and says who runs the playbook: a module elsewhere cannot know."""

    verb = canary_order.VERB

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._launched_by = launched_by(task_vars or {})
        return super().run(tmp, task_vars)

    def completed(self, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "by": given.get("by") or self._launched_by or canary_order.person()}


def launched_by(variables: Mapping[str, Any]) -> str:
    """The user of AWX who launched the job, empty where there is none; the text as it is, of which nothing is evaluated."""
    return next((f"{variables[name]} (AWX)" for name in LAUNCHED_BY if variables.get(name)), "")
