# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to the API server: kubernetes.core's configuration, the kubernetes client's pool, our words for what fails.

The one guarded import of kubernetes and kubernetes.core (ANSIBLE 3). Nothing here asks for discovery (ANSIBLE 8): ``get_api_client``
of kubernetes.core would, on a cold cache, so its configuration code is used without its dynamic client.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import ssl
import traceback
import types
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, MissingLibrary
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import NOT_SENT, UNTRUSTED, Api, Reply

# Library as people install it -> text of the failed import.
TRACEBACKS: dict[str, str] = {}

# Filled by load().
kubernetes: Any = None
urllib3: Any = None
kube_config: Any = None
SERVICE_HOST_ENV_NAME: Any = None
SERVICE_TOKEN_FILENAME: Any = None
_create_auth_spec: Any = None
_create_configuration: Any = None
_create_headers: Any = None

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
except ImportError:
    AUTH_ARG_SPEC = {}

# Options of every verb that talks to the API server; documented by the fragment kubernetes.core.k8s_auth_options.
AUTH_OPTIONS: dict[str, Any] = copy.deepcopy(AUTH_ARG_SPEC)

CONNECT_SECONDS = 5.0
USER_AGENT = "progressive-delivery"
_SUFFICIENT = (("username", "password"), ("api_key",), ("cert_file", "key_file"))
_WHERE = "kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG), or host and api_key (K8S_AUTH_HOST, K8S_AUTH_API_KEY)"


@functools.cache
def load() -> None:
    """Import kubernetes, and kubernetes.core's code for it, into this file; what is missing is noted in TRACEBACKS.

    Not while this file is imported: it takes 0.3 s, which a module that asks a gate or a metric server need not spend. Actions call it
    in the process that their workers are forked from.
    """
    global kubernetes, urllib3, kube_config, SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
    global _create_auth_spec, _create_configuration, _create_headers
    try:
        import kubernetes
        import urllib3
        from kubernetes.config import kube_config
        from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
    except ImportError:
        TRACEBACKS["kubernetes"] = traceback.format_exc()
    try:
        from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import (
            _create_auth_spec,
            _create_configuration,
            _create_headers,
        )
    except ImportError:
        TRACEBACKS["kubernetes.core"] = traceback.format_exc()


def prepare() -> None:
    """The imports, and a first TLS context: it makes OpenSSL read its settings, which workers forked afterwards need not do again."""
    load()
    if urllib3 is not None:
        with contextlib.suppress(OSError, ValueError):
            urllib3.util.ssl_.create_urllib3_context()


def require() -> None:
    """Raises MissingLibrary where the kubernetes client or kubernetes.core is not installed."""
    load()
    for library, text in TRACEBACKS.items():
        raise MissingLibrary(library, text)


def make_api(params: Mapping[str, Any]) -> Api:
    """A client from kubernetes.core's options, K8S_AUTH_* variables, a kubeconfig or the pod's service account. It sends nothing yet.

    Raises MissingLibrary, or CanaryError that names the option which is wrong.
    """
    require()
    given = {name: params[name] for name in AUTH_OPTIONS if params.get(name) is not None}
    auth = _create_auth_spec(None, **given)
    if auth.get("host"):
        _check_address("host", auth["host"])
    _choose_kubeconfig(auth)
    with _forgetting_key_files():
        configuration = _configuration(auth)
        _check_address("the server in kubeconfig", configuration.host)
        return Api(Transport(configuration, _create_headers(None, **given)))


def _choose_kubeconfig(auth: dict[str, Any]) -> None:
    """Name the kubeconfig that kubernetes.core would take by default, as the environment says *now*.

    The kubernetes library reads KUBECONFIG when it is imported, which in process is long before a task's ``environment`` is applied.
    """
    if auth.get("host") and any(all(auth.get(name) for name in names) for names in _SUFFICIENT):
        return
    in_cluster = bool(os.environ.get(SERVICE_HOST_ENV_NAME)) and os.path.isfile(SERVICE_TOKEN_FILENAME)
    if not auth.get("kubeconfig"):
        if in_cluster and not auth.get("context"):
            return
        auth["kubeconfig"] = os.environ.get("KUBECONFIG") or "~/.kube/config"
    path = auth["kubeconfig"]
    if isinstance(path, str) and not any(os.path.exists(os.path.expanduser(part)) for part in path.split(os.pathsep)):
        raise CanaryError(f"kubeconfig: there is no file {path}; set {_WHERE}")


def _check_address(option: str, address: str) -> None:
    if "@" in address:
        raise CanaryError(f"{option}: holds a user or a password; they belong in username and password, or in api_key")
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise CanaryError(f"{option}: {address!r} is not the address of an API server; accepted: https://name:port")


def _configuration(auth: dict[str, Any]) -> Any:
    # What an earlier task of the same process left behind must not shine through.
    kubernetes.client.Configuration.set_default(None)
    try:
        with _by_libyaml():
            return _create_configuration(auth)
    except Exception as error:  # pylint: disable=broad-except
        # kubernetes.config raises ConfigException, YAML, base64, key and file errors; none of their texts is fit for people.
        raise CanaryError(_why_no_configuration(auth, error)) from None


def _why_no_configuration(auth: Mapping[str, Any], error: Exception) -> str:
    kubeconfig = auth.get("kubeconfig")
    where = kubeconfig if isinstance(kubeconfig, str) else "given as a mapping"
    text = str(error)
    if auth.get("context") and "contexts" in text and str(auth["context"]) in text:
        return f"context: there is no context {auth['context']} in the kubeconfig {where}"
    if hasattr(error, "problem_mark"):
        line = getattr(error.problem_mark, "line", 0) + 1
        return f"kubeconfig: {where} is not YAML (line {line})"
    if isinstance(error, kubernetes.config.ConfigException):
        return f"kubeconfig: {where} cannot be used: {text.removeprefix('Invalid kube-config file. ')}"
    if isinstance(error, OSError):
        return f"kubeconfig: {where} cannot be read: {error.strerror or type(error).__name__}"
    return f"kubeconfig: {where} cannot be used ({type(error).__name__})"


@contextlib.contextmanager
def _by_libyaml() -> Iterator[None]:
    """The kubernetes library reads a kubeconfig by the parser that is written in Python, which takes seven times as long, with each verb anew."""
    yaml = kube_config.yaml
    if hasattr(yaml, "CSafeLoader"):
        kube_config.yaml = types.SimpleNamespace(safe_load=lambda text: yaml.load(text, yaml.CSafeLoader), safe_dump=yaml.safe_dump)
    try:
        yield
    finally:
        kube_config.yaml = yaml


@contextlib.contextmanager
def _forgetting_key_files() -> Iterator[None]:
    """Remove the files into which the kubernetes library writes keys from a kubeconfig.

    It removes them at exit, but a forked Ansible worker never runs exit handlers, so each task would leave a private key in /tmp.
    """
    files = getattr(kube_config, "_temp_files", {})
    before = set(files)
    try:
        yield
    finally:
        for content in set(files) - before:
            with contextlib.suppress(OSError):
                os.remove(files.pop(content))


class Transport:
    """One pool of connections with the credentials on it. Raises KubeError when there is no answer at all."""

    def __init__(self, configuration: Any, headers: Mapping[str, Any]) -> None:
        self._configuration = configuration
        self._headers = headers
        self.host: str = configuration.host
        self.verified = bool(configuration.verify_ssl) or not self.host.startswith("https")
        self._pool = kubernetes.client.ApiClient(configuration).rest_client.pool_manager
        if self.host.startswith("https"):
            _load_tls(self._pool.connection_pool_kw, configuration)

    def send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str, seconds: float) -> Reply:
        """One request and its whole answer, whatever its status. Raises KubeError with status 0 when there is none."""
        with self._in_words(seconds):
            answer = self._open(method, path, query, body, content_type, seconds, preload=True)
        return Reply(answer.status, answer.headers.get("Date", ""), answer.headers.get("Retry-After", ""), answer.data)

    @contextlib.contextmanager
    def stream(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[tuple[Reply, Iterator[bytes]]]:
        """The answer to a GET, and its body piece by piece as it arrives; a silence of ``seconds`` ends it with a KubeError."""
        with self._in_words(seconds):
            answer = self._open("GET", path, query, None, "", seconds, preload=False)
            try:
                yield Reply(answer.status, answer.headers.get("Date", ""), "", b""), answer.stream(None)
            finally:
                answer.close()

    def _open(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str, seconds: float, preload: bool) -> Any:
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)
        return self._pool.request(method, url, body=body, headers=self._request_headers(content_type), timeout=timeout, retries=False,
                                  preload_content=preload, redirect=False)

    def _request_headers(self, content_type: str) -> Any:
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": USER_AGENT})
        if content_type:
            headers["Content-Type"] = content_type
        # Asked for each time: it is where the library renews an expired token.
        for setting in self._configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        if "authorization" not in headers and self._configuration.username and self._configuration.password:
            headers["authorization"] = self._configuration.get_basic_auth_token()
        for name, value in self._headers.items():
            for item in value if isinstance(value, list) else [value]:
                headers.add(name, item)
        return headers

    @contextlib.contextmanager
    def _in_words(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.SSLError as error:
            if any(isinstance(item, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for item in error.args):
                raise self._cut(error) from None
            raise KubeError(f"no trusted TLS connection to the API server {self.host}: {_reason(error)}; set ca_cert (K8S_AUTH_SSL_CA_CERT) to its "
                            "certificate authority, or validate_certs: false", reason=UNTRUSTED) from None
        except urllib3.exceptions.ProxyError as error:
            raise KubeError(f"the API server {self.host} cannot be reached through the proxy (option proxy): {_reason(error)}", reason=NOT_SENT) from None
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise KubeError(f"the API server {self.host} cannot be reached: {_reason(error)}; check host or the server in kubeconfig",
                            reason=NOT_SENT) from None
        except urllib3.exceptions.TimeoutError:
            raise KubeError(f"the API server {self.host} did not answer within {seconds:g} s", reason="Timeout") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._cut(error) from None

    def _cut(self, error: Exception) -> KubeError:
        return KubeError(f"the connection to the API server {self.host} was cut: {_reason(error)}", reason="Cut")


def _load_tls(pool_options: dict[str, Any], configuration: Any) -> None:
    """Read certificates and keys once, now: afterwards the files may vanish, and a second connection need not read them again."""
    context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=pool_options.get("cert_reqs"))
    authority, data = pool_options.pop("ca_certs", None), pool_options.pop("ca_cert_data", None)
    certificate, key = pool_options.pop("cert_file", None), pool_options.pop("key_file", None)
    try:
        if authority or data:
            context.load_verify_locations(cafile=authority, cadata=data)
        else:
            context.load_default_certs()
        if certificate:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        files = ", ".join(str(name) for name in (authority, certificate, key) if name)
        raise CanaryError(f"the TLS files cannot be used ({_reason(error)}): {files}; options ca_cert, client_cert and client_key, "
                          f"or the entries of the kubeconfig for {configuration.host}") from None
    pool_options["ssl_context"] = context


def _reason(error: BaseException) -> str:
    """The innermost cause in few words: a library's message holds object addresses and repeats itself."""
    while True:
        inner = error.__cause__ or error.__context__ or next((item for item in error.args if isinstance(item, BaseException)), None)
        if inner is None or inner is error:
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error.args[-1] if error.args else error) or type(error).__name__
    return text.splitlines()[0][:200] if text else type(error).__name__
