# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the playbook of the collection as users do, a process for each wrong input and two at a time, each known by name to the API server."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import kubernetes
import pytest
import yaml

HERE = pathlib.Path(__file__).parent
AT_A_TIME = 2
FATAL = re.compile(r"^fatal: \[[^]]*\]: FAILED! => (\{.*\})$", re.MULTILINE)
# These ask the API server, which keeps nothing of it.
REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")


@dataclass(frozen=True)
class Ended:
    """One ansible-playbook that ended: its exit code, all that it printed, and the messages of what failed."""

    code: int
    output: str
    messages: tuple[str, ...]


@pytest.fixture(scope="session")
def lab() -> Mapping[str, str]:
    """From ansible-test's configuration, else from the environment."""
    config = HERE.parents[1] / "integration_config.yml"
    configured = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    names = {"kubeconfig": "KUBECONFIG", "gateway": "LAB_GATEWAY", "prometheus_url": "PROMETHEUS_URL", "audit_log": "LAB_AUDIT_LOG"}
    found = {name: configured.get(f"lab_{name}") or os.environ.get(variable, "") for name, variable in names.items()}
    assert all(found.values()), "these tests need the lab: make test-integration, or its variables and its network"
    return found


@pytest.fixture(scope="session")
def table() -> types.ModuleType:
    """The table of wrong documents that the unit tests go by."""
    first = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
    folder = pathlib.Path(first) / "ansible_collections/progressive/delivery/tests/unit/plugins/module_utils/canary"
    spec = importlib.util.spec_from_file_location("bad_documents", folder / "bad_documents.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module     # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def namespace(lab: Mapping[str, str]) -> Iterator[str]:
    """With Deployments that have no pods, so that nothing changes there by itself, and a Gateway that nobody looks after."""
    name = f"bad-input-{uuid.uuid4().hex[:8]}"
    with kubernetes.config.new_client_from_config(lab["kubeconfig"]) as client:
        core, apps, objects = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client), kubernetes.client.CustomObjectsApi(client)
        core.create_namespace({"metadata": {"name": name}})
        for app, label in (("podinfo", "app"), ("unlabelled", "part")):
            apps.create_namespaced_deployment(name, _deployment(app, {label: app}))
        objects.create_namespaced_custom_object("gateway.networking.k8s.io", "v1", name, "gateways", {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "narrow"},
            "spec": {"gatewayClassName": "nobody", "listeners": [{"name": "web", "port": 80, "protocol": "HTTP", "hostname": "*.example.org"}]}})
        yield name
        core.delete_namespace(name)


def _deployment(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    container = {"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"metadata": {"name": name}, "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}}


class Users:
    """Each case asks the API server as a user of its own, which may do everything; so the audit log says who wrote what."""

    def __init__(self, lab: Mapping[str, str]) -> None:
        self._lab, self._run = lab, uuid.uuid4().hex[:8]

    def name(self, case: Any) -> str:
        return f"bad-input-{self._run}-{case.id}"

    def environment(self, case: Any) -> dict[str, str]:
        return {"KUBECONFIG": self._lab["kubeconfig"], "K8S_AUTH_IMPERSONATE_USER": self.name(case), "K8S_AUTH_IMPERSONATE_GROUPS": "system:masters"}

    def requests(self, case: Any) -> list[str]:
        """What that user asked, as ``verb uri``."""
        user = self.name(case)
        entries = [json.loads(line) for line in pathlib.Path(self._lab["audit_log"]).read_text(encoding="utf-8").splitlines() if user in line]
        return [f"{entry['verb']} {entry['requestURI']}" for entry in entries if entry.get("impersonatedUser", {}).get("username") == user]

    def writes(self, case: Any) -> list[str]:
        return [asked for asked in self.requests(case) if asked.split()[0] not in ("get", "list", "watch") and not any(word in asked for word in REVIEWS)]


@pytest.fixture(scope="session")
def users(lab: Mapping[str, str]) -> Users:
    return Users(lab)


@pytest.fixture(scope="session")
def play(users: Users, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Ended]:
    """Runs one case to its end, in a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "KUBECONFIG", "PROGRESSIVE_DELIVERY_", "ANSIBLE_"))}
    settings = {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), kept.get("PATH", "")]),
    }

    # The base folder is made here: pytest makes it with the first folder asked for, and two threads that ask at once each delete what the other made.
    base = tmp_path_factory.mktemp("cases")

    def run(case: Any) -> Ended:
        folder = base / case.id
        folder.mkdir()
        for name, content in {"variables.json": json.dumps(case.variables).encode(), **case.files}.items():
            (folder / name).write_bytes(content)
        command = ["ansible-playbook", case.playbook, "-e", "@variables.json", *case.arguments]
        ended = subprocess.run(
            command, cwd=folder, env={**settings, **users.environment(case), **case.environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
        return Ended(ended.returncode, ended.stdout, tuple(json.loads(text)["msg"] for text in FATAL.findall(ended.stdout)))

    return run


@pytest.fixture(scope="session")
def ended(request: pytest.FixtureRequest, play: Callable[[Any], Ended]) -> Iterator[Callable[[Any], Ended]]:
    """What a case came to. Those of this session begin together with the first, two at a time, in the order in which they are asked for."""
    started: dict[str, Future[Ended]] = {}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        def of(case: Any) -> Ended:
            if case.id not in started:
                started[case.id] = pool.submit(play, case)
            return started[case.id].result()

        made = request.getfixturevalue("cases")
        for item in request.session.items:
            wanted = getattr(item, "callspec", None) and item.callspec.params.get("name")
            if wanted in made and wanted not in started:
                started[wanted] = pool.submit(play, made[wanted])
        yield of
        for future in started.values():
            future.cancel()


@pytest.fixture(scope="session")
def seen_in_audit_log(users: Users) -> Callable[[Any], list[str]]:
    """The writes of a case, once the log has what it asked: the log is written a little later than the answer."""
    def writes(case: Any) -> list[str]:
        deadline = time.monotonic() + 10
        while not users.requests(case):
            assert time.monotonic() < deadline, f"the audit log knows nothing of {users.name(case)}"
            time.sleep(0.1)
        return users.writes(case)

    return writes
