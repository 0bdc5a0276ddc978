# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The room `kube` against the lab's API server, on a line that can be cut, held and listened to."""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import api as rest, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import UNKNOWN_KIND, Api, Reply
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import make_api

HERE = pathlib.Path(__file__).parent
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Line:
    """Carries requests to the real server. What it does with the next writes is set by the test."""

    def __init__(self, carrier: Any) -> None:
        self._carrier = carrier
        self.host = carrier.host
        self.verified = carrier.verified
        self.stream = carrier.stream
        self.sent: list[tuple[str, str]] = []
        self.held: list[Callable[[], Reply]] = []
        self.meanwhile: Callable[[], None] | None = None    # happens once, just before the next write is sent
        self.holding = False                                # writes hang: nobody answers, and they may arrive later
        self.losing = 0                                     # so many writes are carried out, and their answers lost

    def send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str, seconds: float) -> Reply:
        if method in WRITES:
            if self.meanwhile:
                happen, self.meanwhile = self.meanwhile, None
                happen()
            if self.holding:
                self.held.append(lambda: self._carrier.send(method, path, query, body, content_type, seconds))
                raise KubeError("no answer", reason="Timeout")
        self.sent.append((method, path))
        reply = self._carrier.send(method, path, query, body, content_type, seconds)
        if method in WRITES and self.losing:
            self.losing -= 1
            raise KubeError("the answer was lost", reason="Cut")
        return reply

    def release(self) -> list[int]:
        """What the server says to the writes that hung, now that they arrive."""
        self.holding = False
        return [deliver().status for deliver in self.held]

    @property
    def written(self) -> list[tuple[str, str]]:
        return [(method, path.rpartition("/")[2]) for method, path in self.sent if method in WRITES]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_BACKOFF", (0.01,) * 5)


@pytest.fixture(scope="session")
def lab() -> Mapping[str, str]:
    """kubeconfig and gateway of the lab: from ansible-test's configuration, else from the environment."""
    config = HERE.parents[1] / "integration_config.yml"
    configured = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    found = {"kubeconfig": configured.get("lab_kubeconfig") or os.environ.get("KUBECONFIG", ""),
             "gateway": configured.get("lab_gateway") or os.environ.get("LAB_GATEWAY", "")}
    assert all(found.values()), "these tests need the lab: make test-integration, or its variables and its network"
    return found


@pytest.fixture
def connect(lab: Mapping[str, str]) -> Callable[..., Api]:
    return lambda **params: make_api({"kubeconfig": lab["kubeconfig"], **params})


@pytest.fixture
def others(connect: Callable[..., Api]) -> Api:
    """Everybody else: another run, a person, a controller."""
    return connect()


@pytest.fixture
def line(connect: Callable[..., Api]) -> Line:
    return Line(connect()._sender)


@pytest.fixture
def ours(line: Line) -> Api:
    return Api(line)


@pytest.fixture
def namespace(others: Api) -> Iterator[str]:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    place = refs.Ref("", "v1", "namespaces", "", name, "Namespace")
    others.create(place, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    with contextlib.suppress(KubeError):
        others.delete(place)


@pytest.fixture
def served(others: Api) -> Callable[[Canary], Canary]:
    """The canary itself, where the API server knows the kind of its routing object."""
    def known(canary: Canary) -> Canary:
        place = routes.ref(canary)
        try:
            others.list(place)
        except KubeError as error:
            if error.reason != UNKNOWN_KIND and error.status != 404:
                raise
            pytest.skip(f"the lab has no {place.kind}, which is a kind of the provider {canary.provider}")
        return canary
    return known


@pytest.fixture
def canary(namespace: str, lab: Mapping[str, str]) -> Canary:
    place, unused, name = lab["gateway"].partition("/")
    return Canary(
        name="podinfo", namespace=namespace, provider="gatewayapi:v1", target="podinfo", target_kind="Deployment",
        service=Service(name="podinfo", port=9898, gateway_refs=({"namespace": place, "name": name},), hosts=(f"{namespace}.example.com",)),
        analysis=Analysis(interval=10, threshold=1))


@pytest.fixture
def target(others: Api, namespace: str) -> refs.Ref:
    """A Deployment without pods: what the API server does with writes needs none."""
    place = refs.deployment(namespace, "podinfo")
    others.create(place, {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "podinfo", "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "podinfo"}}, "template": {
            "metadata": {"labels": {"app": "podinfo"}},
            "spec": {"containers": [{"name": "podinfo", "image": "lab.local/podinfo:A", "imagePullPolicy": "Never"}]}}}})
    return place


@pytest.fixture
def answering(others: Api, namespace: str) -> None:
    """Somebody who answers behind the canary's Service, as far as its slices tell."""
    others.create(refs.endpoint_slice(namespace), {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "podinfo-canary-ours", "namespace": namespace, "labels": {"kubernetes.io/service-name": "podinfo-canary"}},
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}], "ports": [{"port": 9898}]})
