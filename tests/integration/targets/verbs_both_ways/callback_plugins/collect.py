# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes each result of a play as a line of JSON, for the tests beside it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: collect
type: aggregate
short_description: Collect results for tests
description: Appends each result as a line of JSON to the file that C(COLLECT_INTO) names.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "collect"

    def _write(self, status, result):
        line = json.dumps({"task": result._task.get_name(), "status": status, "result": result._result}, default=str)
        with open(os.environ["COLLECT_INTO"], "a", encoding="utf-8") as collected:
            collected.write(f"{line}\n")

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("failed", result)

    def v2_runner_on_skipped(self, result):
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_item_on_failed(self, result):
        self._write("failed", result)
