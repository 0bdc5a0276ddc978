# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: a private data directory of its own for each, and ansible-runner on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PLAYBOOK = """\
- name: Release
  hosts: all
  gather_facts: false
  tasks:
    - name: Walk the canary
      ansible.builtin.include_role:
        name: progressive.delivery.canary
"""

# AWX writes its inventories as scripts that print them.
INVENTORY = """\
#!/usr/bin/env python3
print({text!r})
"""
HOSTS = {
    "all": {"hosts": ["localhost"]},
    "_meta": {"hostvars": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}},
}

# What AWX sets for every job (awx/main/tasks/jobs.py), as far as Ansible looks at it.
JOB_ENVIRONMENT = {
    "ANSIBLE_FORCE_COLOR": "True", "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False", "MAX_EVENT_RES": "700000",
}


class _Extra(yaml.SafeDumper):
    """Extra vars as AWX writes them: what a person typed into a survey or a launch is text, and marked as unsafe."""


_Extra.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text, style="'"))


def prepare(folder: Path, document: Mapping[str, Any] | Sequence[Mapping[str, Any]], extra_vars: Mapping[str, Any], kubeconfig: str,
            cmdline: str = "", **settings: Any) -> Path:
    """A private data directory: project, inventory, and what stands in ``env``. ``settings`` are those of ansible-runner."""
    files = {
        "project/release.yml": PLAYBOOK,
        "project/canary.yml": yaml.safe_dump_all([document] if isinstance(document, Mapping) else document),
        "inventory/hosts": INVENTORY.format(text=json.dumps(HOSTS)),
        "env/extravars": yaml.dump({"canary_file": "canary.yml", **extra_vars}, Dumper=_Extra),
        "env/settings": json.dumps({"suppress_ansible_output": True, "job_timeout": 600, **settings}),
        "env/cmdline": cmdline,
        "credential/kubeconfig": kubeconfig,
    }
    environment = {**JOB_ENVIRONMENT, "KUBECONFIG": str(folder / "credential" / "kubeconfig"), "AWX_PRIVATE_DATA_DIR": str(folder)}
    files["env/envvars"] = json.dumps(environment)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    (folder / "inventory" / "hosts").chmod(0o700)
    return folder


@dataclass
class Job:
    """A running or finished job, and what it left as AWX reads it."""

    process: subprocess.Popen
    folder: Path

    @classmethod
    def start(cls, folder: Path, run_as: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Job:
        command = [*run_as, "ansible-runner", "run", str(folder), "--playbook", "release.yml", "--ident", "1"]
        with (folder / "runner.log").open("w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                       env={**os.environ, **(environment or {})}, cwd=folder)
        return cls(process, folder)

    def wait(self, seconds: float = 240.0) -> Job:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise AssertionError(f"the job did not end in {seconds} s:\n{self.stdout[-4000:]}") from None
        return self

    def cancel(self) -> None:
        """As a person's cancel: SIGTERM to the runner, which kills the whole process group of Ansible by SIGKILL."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def vanish(self) -> None:
        """As when the node of the job dies: nobody gets to say anything."""
        self.process.kill()
        self.process.wait(30)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts" / "1"

    def told(self, name: str) -> str:
        path = self.artifacts / name
        return path.read_text() if path.exists() else ""

    @property
    def status(self) -> str:
        return self.told("status")

    @property
    def rc(self) -> int:
        return int(self.told("rc"))

    @property
    def stdout(self) -> str:
        return self.told("stdout") or (self.folder / "runner.log").read_text(errors="replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events in their order. Raises ValueError for one that is no strict JSON, which a database would refuse."""
        found = [json.loads(path.read_text(), parse_constant=_refuse) for path in self.artifacts.glob("job_events/*[0-9a-f].json")]
        return sorted(found, key=lambda event: event["counter"])

    def lines(self, canary: str) -> list[str]:
        """The lines about the canary, each of which is the whole output of one event."""
        return [event["stdout"] for event in self.events if event["event"] == "verbose" and f" {canary}: " in event["stdout"]]

    @property
    def statistics(self) -> dict[str, Any]:
        """What ``set_stats`` left: AWX shows it as the job's artifacts and hands it to the next node of a workflow."""
        (stats,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return stats["event_data"]["artifact_data"]


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
