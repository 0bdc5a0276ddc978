# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the connection comes from, and what is said when there is none."""

from __future__ import annotations

import base64
import os
import pathlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import client, refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import make_api

ROUTE = refs.http_route("test", "podinfo")
TOKEN = "sesame-4711"


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for name in [*os.environ]:
        if name.startswith("K8S_AUTH_") or name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def kubeconfig(server: str = "http://127.0.0.1:9", user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": user or {"token": TOKEN}}],
    }


@pytest.fixture
def written(tmp_path: pathlib.Path) -> Any:
    def write(content: Any) -> str:
        path = tmp_path / "config"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return str(path)
    return write


def message(**params: Any) -> str:
    """What is said; never with a secret in it."""
    with pytest.raises(CanaryError) as caught:
        make_api(params).get(ROUTE)
    assert caught.value.__cause__ is None
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_anything_it_says_what_can_be_set() -> None:
    assert message() == ("kubeconfig: there is no file ~/.kube/config; set kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG), "
                         "or host and api_key (K8S_AUTH_HOST, K8S_AUTH_API_KEY)")


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    assert message(kubeconfig="/nowhere/config").startswith("kubeconfig: there is no file /nowhere/config;")


def test_a_kubeconfig_that_is_no_yaml_is_named_with_its_line(written: Any) -> None:
    path = written(f"apiVersion: v1\nusers:\n- {{token: {TOKEN}\n")
    assert message(kubeconfig=path).startswith(f"kubeconfig: {path} is not YAML (line ")


@pytest.mark.parametrize(("content", "words"), [
    ({"apiVersion": "v1"}, "cannot be used: Expected key current-context"),
    ({**kubeconfig(), "clusters": []}, "cannot be used: Expected object with name here"),
    (kubeconfig("https://127.0.0.1:9", user={"client-certificate-data": "not base64!"}), "cannot be used"),
])
def test_a_kubeconfig_that_lacks_something_says_what(written: Any, content: Any, words: str) -> None:
    path = written(content)
    said = message(kubeconfig=path)
    assert said.startswith(f"kubeconfig: {path} ")
    assert words in said


def test_a_context_that_there_is_not_is_named(written: Any) -> None:
    path = written(kubeconfig())
    assert message(kubeconfig=path, context="there") == f"context: there is no context there in the kubeconfig {path}"


def test_certificates_that_are_not_there_are_named(written: Any) -> None:
    said = message(kubeconfig=written(kubeconfig("https://127.0.0.1:9")), ca_cert="/nowhere/ca.crt")
    assert said.startswith("the TLS files cannot be used (No such file or directory): /nowhere/ca.crt; options ca_cert, client_cert and client_key")


@pytest.mark.parametrize(("host", "words"), [
    ("http://127.0.0.1:9", "the API server http://127.0.0.1:9 cannot be reached: Connection refused; check host or the server in kubeconfig"),
    ("nonsense", "host: 'nonsense' is not the address of an API server; accepted: https://name:port"),
    ("http://[::1", "host: 'http://[::1' is not the address of an API server"),
    ("https://", "host: 'https://' is not the address"),
    ("https://name:port", "host: 'https://name:port' is not the address"),
    (f"https://me:{TOKEN}@127.0.0.1:9", "host: holds a user or a password; they belong in username and password"),
])
def test_an_api_server_that_is_not_there_is_named(host: str, words: str) -> None:
    assert words in message(host=host, api_key=TOKEN)


def test_a_server_without_tls_is_told_apart_from_one_that_is_not_trusted(server: Any) -> None:
    said = message(host=server.url.replace("http:", "https:"), api_key=TOKEN)
    assert "no trusted TLS connection to the API server https://127.0.0.1" in said
    assert "set ca_cert (K8S_AUTH_SSL_CA_CERT) to its certificate authority, or validate_certs: false" in said


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(listening.accept()[0])
            except OSError:
                pass
        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_does_not_answer_is_told_within_the_limit(silent: str) -> None:
    transport = make_api({"host": silent, "api_key": TOKEN})._sender
    with pytest.raises(KubeError, match=r"did not answer within 0.2 s") as caught:
        transport.send("GET", "/version", {}, None, "", 0.2)
    assert caught.value.ambiguous


# Where it comes from

def reached(server: Any) -> list[str]:
    return server.asked[-1].all_of("authorization")


def test_options_come_before_the_environment_and_that_before_a_kubeconfig(server: Any, written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", written(kubeconfig(server.url, {"token": "of-file"})))
    make_api({}).get(ROUTE)
    assert reached(server) == ["Bearer of-file"]
    monkeypatch.setenv("K8S_AUTH_HOST", server.url)
    monkeypatch.setenv("K8S_AUTH_API_KEY", "of-environment")
    make_api({}).get(ROUTE)
    assert reached(server) == ["Bearer of-environment"]
    make_api({"api_key": "of-option"}).get(ROUTE)
    assert reached(server) == ["Bearer of-option"]


def test_ansible_02_kubeconfig_is_what_the_environment_says_now_and_not_what_it_said_at_import(
        server: Any, written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CanaryError, match="there is no file ~/.kube/config"):
        make_api({})
    monkeypatch.setenv("KUBECONFIG", written(kubeconfig(server.url)))
    make_api({}).get(ROUTE)
    assert len(server.asked) == 1
    monkeypatch.setenv("KUBECONFIG", "/nowhere:" + os.environ["KUBECONFIG"])
    make_api({"context": "here"}).get(ROUTE)
    assert len(server.asked) == 2


def test_what_an_earlier_task_configured_does_not_shine_through(server: Any, written: Any) -> None:
    make_api({"kubeconfig": written(kubeconfig("https://127.0.0.1:9", {"token": "of-file"}, **{"insecure-skip-tls-verify": True}))})
    api = make_api({"host": server.url, "api_key": "of-option"})
    api.get(ROUTE)
    assert reached(server) == ["Bearer of-option"]
    assert api._sender._configuration.verify_ssl


def test_an_inline_kubeconfig_is_taken_as_it_is(server: Any) -> None:
    make_api({"kubeconfig": kubeconfig(server.url)}).get(ROUTE)
    assert reached(server) == [f"Bearer {TOKEN}"]


def test_no_key_of_a_kubeconfig_stays_behind_in_a_file(written: Any) -> None:
    before = set(pathlib.Path(tempfile.gettempdir()).iterdir())
    data = base64.b64encode(b"-----BEGIN NONSENSE-----").decode()
    with pytest.raises(CanaryError, match="the TLS files cannot be used"):
        make_api({"kubeconfig": written(kubeconfig("https://127.0.0.1:9", {"client-certificate-data": data, "client-key-data": data}))})
    left = set(pathlib.Path(tempfile.gettempdir()).iterdir()) - before
    assert not [path for path in left if path.is_file() and b"NONSENSE" in path.read_bytes()]


def test_ansible_03_a_missing_library_is_said_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client.TRACEBACKS, "kubernetes", "Traceback ...")
    with pytest.raises(MissingLibrary) as caught:
        make_api({"host": "http://127.0.0.1:9", "api_key": TOKEN})
    assert (caught.value.library, caught.value.traceback) == ("kubernetes", "Traceback ...")
