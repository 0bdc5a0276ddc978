# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A canary to be measured: a walker with a user of its own, so that its requests can be told from all others, and a trace of its tasks."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import traces
from audit import AuditLog, Request
from figures import Unmeasured
from harness import WALKER, Release, Walk
from routing import TRAEFIK, Routing

CALLBACKS = Path(__file__).parent / "callback_plugins"
USER = WALKER


class Subject(Release):
    """A release in a namespace of its own, walked under the shipped Roles and nothing more."""

    def prepare(self) -> None:
        self.audit = AuditLog(Path(os.environ["LAB_AUDIT_LOG"]))
        self.user = f"system:serviceaccount:{self.namespace}:{USER}"
        self.kubectl("create", "namespace", self.namespace)
        self.make_walker()

    def playbook(self, playbook: str = "canary", *arguments: str, environment: dict[str, str] | None = None, **variables: Any) -> Walk:
        self.trace = self.folder / f"trace-{self._walks + 1}.jsonl"
        self.trace.touch()
        ours = {
            "BENCH_TRACE": str(self.trace),
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS), "ANSIBLE_CALLBACKS_ENABLED": "bench_trace",
        }
        return super().playbook(playbook, *arguments, environment={**ours, **(environment or {})}, **variables)

    def events(self) -> list[traces.Event]:
        """What the last playbook did so far."""
        return traces.read(self.trace)

    def requests(self, since: float = 0.0, until: float = float("inf")) -> list[Request]:
        return self.audit.of(self.user, since, until)

    def initialise(self) -> None:
        """The first run, by which the primary takes over the users."""
        self.finished(self.walk(canary_drain=0), "promoted")

    def release_new(self, version: int, **settings: str) -> None:
        """The next revision of the app."""
        self.set_template(f"lab.local/testapp:{version}", VERSION=str(version), **settings)

    def finished(self, walk: Walk, outcome: str, seconds: float = 240.0) -> Walk:
        """Raises Unmeasured when the walk ends in another way."""
        walk.wait(seconds)
        if walk.rc != 0 or walk.result["outcome"] != outcome:
            raise Unmeasured(f"the walk ended with {walk.rc}, not as {outcome}:\n{walk.output[-3000:]}")
        return walk

    def wait_until(self, what: str, condition: Any, walk: Walk, seconds: float = 60.0) -> Any:
        """The first true value of ``condition`` while the walk goes on."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if walk.process.poll() is not None or time.monotonic() > deadline:
                raise Unmeasured(f"it did not come to this: {what}\n{walk.output[-3000:]}")
            time.sleep(0.05)
        return value


@contextmanager
def subject(label: str, routing: Routing = TRAEFIK, begin: bool = True, **changes: Any) -> Iterator[Subject]:
    """A canary that is initialised and runs version 1; ``changes`` are those of its document (harness.Release.document)."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    one = Subject(f"bench-{label}-{uuid.uuid4().hex[:5]}", folder, routing=routing)
    try:
        one.prepare()
        one.apply(one.deployment(VERSION="1"), *routing.root(one.namespace, one.name, one.host))
        one.kubectl("rollout", "status", f"deployment/{one.name}", "--timeout=60s")
        one.write_document(**changes)
        if begin:
            one.initialise()
        yield one
    finally:
        one.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
