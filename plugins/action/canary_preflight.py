# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.modules import canary_preflight
from ansible_collections.progressive.delivery.plugins.plugin_utils import documents, versions
from ansible_collections.progressive.delivery.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """Runs the module of the same name, in the controller's process where it can."""

    verb = canary_preflight.VERB

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        wrong = versions.problem(versions.kubernetes_core())
        return {"failed": True, "changed": False, "msg": wrong} if wrong else super().run(tmp, task_vars)

    def completed(self, given: dict[str, Any]) -> dict[str, Any]:
        return documents.with_text(self, given)
