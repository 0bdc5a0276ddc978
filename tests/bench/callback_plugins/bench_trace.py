# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes when each task of a playbook began and ended, with the CPU time and the memory of the process until then."""

from __future__ import annotations

import json
import os
import resource
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: bench_trace
type: aggregate
short_description: Times of tasks, for the bench
description: One line of JSON for each event, into the file that the environment variable BENCH_TRACE names.
"""

PAGE = os.sysconf("SC_PAGE_SIZE")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_trace"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._out = open(os.environ["BENCH_TRACE"], "a", encoding="utf-8", buffering=1)    # pylint: disable=consider-using-with
        self._memory = open("/proc/self/statm", encoding="ascii")                       # pylint: disable=consider-using-with

    def _note(self, event: str, name: str = "") -> None:
        own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        self._memory.seek(0)
        self._out.write(json.dumps({
            "t": time.time(), "event": event, "name": name, "rss": int(self._memory.read().split()[1]) * PAGE,
            "cpu": own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime,
        }) + "\n")

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._note("playbook")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._note("start", task.name)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._note("ok", result.task.name)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._note("failed", result.task.name)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._note("skipped", result.task.name)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._note("end")
