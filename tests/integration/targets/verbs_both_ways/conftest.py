# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tiny playbooks, run by the real ansible-playbook, and the foreign servers that their tasks ask."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import kubernetes
import pytest
import yaml

HERE = pathlib.Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """One task's result; ``way`` and ``because`` are what -vvv adds to it."""

    status: str
    result: Mapping[str, Any]

    @property
    def way(self) -> str:
        return self.result["invocation"]["ran"]

    @property
    def because(self) -> str:
        return self.result["invocation"].get("because", "")

    @property
    def said(self) -> dict[str, Any]:
        """The result without how it came about, and without what differs from run to run."""
        return _lasting({key: value for key, value in self.result.items() if key not in ("invocation", "exception") and key[0] != "_"})


@dataclass(frozen=True)
class Play:
    code: int
    output: str
    ran: Mapping[str, list[Ran]]

    def __getitem__(self, task: str) -> Ran:
        assert task in self.ran, self.output
        return self.ran[task][0]


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lasting(item) for key, item in value.items() if key not in ("seconds", "now", "latest", "holder")}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


class Stage:
    """A folder with one playbook at a time in it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def play(
        self,
        *tasks: Mapping[str, Any],
        inventory: str = "",
        play: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        verbosity: str = "-vvv",
    ) -> Play:
        """Run the tasks one after the other, also after a failure. Each wants a ``name``."""
        head = {"hosts": "all" if inventory else "localhost", "gather_facts": False, "ignore_errors": True}
        book = [{**head, **(play or {}), "tasks": list(tasks)}]
        (self.folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False), encoding="utf-8")
        collected = self.folder / f"{uuid.uuid4().hex}.jsonl"
        collected.touch()
        command = ["ansible-playbook", verbosity, *(["-i", inventory] if inventory else []), *arguments, "play.yml"]
        # Where HOME is not that of the user, Ansible looks for asynchronous jobs elsewhere than it put them.
        folders = {"COLLECT_INTO": str(collected), "ANSIBLE_ASYNC_DIR": str(self.folder / "async")}
        finished = subprocess.run(
            command, cwd=self.folder, env={**_environment(), **folders, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )
        ran: dict[str, list[Ran]] = {}
        for line in collected.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            ran.setdefault(entry["task"], []).append(Ran(entry["status"], entry["result"]))
        return Play(finished.returncode, finished.stdout, ran)


def _environment() -> dict[str, str]:
    """That of the tests, without what would decide for a task which cluster it talks to, or how it runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "KUBECONFIG", "PROGRESSIVE_DELIVERY_"))}
    kept.pop("ANSIBLE_PYTHON_INTERPRETER", None)
    return {
        **kept,
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "collect",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), kept.get("PATH", "")]),
    }


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(scope="session")
def stage_in() -> type[Stage]:
    """To make a stage in a folder of one's own."""
    return Stage


@pytest.fixture(scope="session")
def verbs() -> set[str]:
    """The names of all modules of the collection."""
    command = ["ansible-doc", "--list", "--json", "progressive.delivery"]
    listing = subprocess.run(command, env=_environment(), capture_output=True, check=True)
    return {name.rpartition(".")[2] for name in json.loads(listing.stdout)}


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The lab's: from ansible-test's configuration, else from the environment."""
    config = HERE.parents[1] / "integration_config.yml"
    configured = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    path = configured.get("lab_kubeconfig") or os.environ.get("KUBECONFIG", "")
    assert path and os.path.exists(path), "these tests need the lab: make test-integration, or KUBECONFIG and the lab's network"
    return path


Answers = Mapping[str, tuple[int, str]]


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Answers], str]]:
    """Starts a server that gives these answers (path -> status, body; everything else is 404), and returns its URL."""
    running: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            wbufsize = 65536
            disable_nagle_algorithm = True

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = answers.get(self.path.partition("?")[0], (404, ""))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = answer

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(httpd)
        threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{httpd.server_port}"

    yield start
    for httpd in running:
        httpd.shutdown()
        httpd.server_close()


@pytest.fixture(scope="session")
def make_namespace(kubeconfig: str) -> Iterator[Callable[..., str]]:
    """Makes namespaces of the lab with a Deployment ``app`` that has no pods; with a route, an HTTPRoute ``app`` for two Services."""
    made: list[str] = []
    with kubernetes.config.new_client_from_config(kubeconfig) as client:
        core = kubernetes.client.CoreV1Api(client)

        def make(route: bool = False) -> str:
            made.append(f"verbs-{uuid.uuid4().hex[:8]}")
            core.create_namespace({"metadata": {"name": made[-1]}})
            kubernetes.client.AppsV1Api(client).create_namespaced_deployment(made[-1], DEPLOYMENT)
            if route:
                objects = kubernetes.client.CustomObjectsApi(client)
                objects.create_namespaced_custom_object("gateway.networking.k8s.io", "v1", made[-1], "httproutes", ROUTE)
            return made[-1]

        yield make
        for name in made:
            core.delete_namespace(name)


@pytest.fixture(scope="session")
def namespace(make_namespace: Callable[..., str]) -> str:
    return make_namespace(route=True)


DEPLOYMENT = {
    "metadata": {"name": "app"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "app"}},
        "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}},
    },
}
BACKENDS = [{"name": "app-primary", "port": 80, "weight": 80}, {"name": "app-canary", "port": 80, "weight": 20}]
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "app"},
    "spec": {"parentRefs": [{"name": "nobody"}], "rules": [{"backendRefs": BACKENDS}]},
}


@pytest.fixture(scope="session")
def prometheus(serve: Callable[[Answers], str]) -> str:
    """Answers every query with 12.5."""
    return serve({"/api/v1/query": (200, sample("12.5"))})


def sample(value: str) -> str:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]}]}})


@pytest.fixture(scope="session")
def as_prometheus() -> Callable[[str], str]:
    """What Prometheus answers when the value is this text."""
    return sample


@pytest.fixture(scope="session")
def gate(serve: Callable[[Answers], str]) -> str:
    return serve({"/open": (200, ""), "/closed": (403, "not today")})
