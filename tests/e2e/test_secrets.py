# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets wherever they may stand, and everything that runs leave behind, at the highest verbosity: nothing of it holds one."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
import yaml

from harness import Receiver, Release, Walk

LOUD = ("-vvvv", "--diff")
AS_MODULES = {"PROGRESSIVE_DELIVERY_IN_PROCESS": "0"}
SECRETS = {name: f"sesame-{name}-{number}" for number, name in enumerate(
    ("hookpassword", "hookquery", "serverpassword", "templatequery", "header", "username", "password", "wrongtoken", "gonepassword"), start=4711)}
LEFT = "configmaps,events,deployments,replicasets,services,httproutes,poddisruptionbudgets,canaries.flagger.app"


def _echo(request: BaseHTTPRequestHandler) -> bytes:
    """A far end that tells everything it was told."""
    return f"you came with {request.headers.get('Authorization')} to {request.path}".encode()


def _with_password(url: str, password: str, query: str = "") -> str:
    return url.replace("http://", f"http://walker:{SECRETS[password]}@").rstrip("/") + query


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    """By what they are asked for; whoever asks for a rollback gets none at first."""
    made = {name: Receiver() for name in ("gate", "rollback")}
    made["rollback"].status = 403
    for receiver in made.values():
        receiver.says = _echo
    yield made
    for receiver in made.values():
        receiver.shutdown()


def _write(release: Release, receivers: dict[str, Receiver]) -> None:
    query = f"/?token={SECRETS['hookquery']}"
    hooks = [{"name": name, "type": kind, "url": _with_password(url, "hookpassword", query), "timeout": "1s"} for name, kind, url in (
        ("gate", "rollout", receivers["gate"].url), ("rollback", "rollback", receivers["rollback"].url), ("silent", "event", "http://127.0.0.1:1"))]
    provider = {"type": "prometheus", "address": f"{os.environ['PROMETHEUS_URL']}?key={SECRETS['templatequery']}", "secretRef": {"name": "prometheus"},
                "headers": {"X-Key": [SECRETS["header"]]}}
    template = {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "error-rate", "namespace": release.namespace},
                "spec": {"provider": provider, "query": "vector(1)"}}
    checks = [{"name": "errors", "templateRef": {"name": "error-rate"}, "interval": "1s", "thresholdRange": {"max": 2}},
              {"name": "up", "query": "vector(1)", "interval": "1s", "thresholdRange": {"max": 2}}]
    document = release.document(interval="1s", maxWeight=20, stepWeight=20, metrics=checks, webhooks=hooks,
                                spec__metricsServer=_with_password(os.environ["PROMETHEUS_URL"], "serverpassword"))
    (release.folder / "canary.yml").write_text(yaml.safe_dump_all([document, template]))


def _every_form() -> dict[str, str]:
    """What must not be found: the secrets, and what HTTP makes of a user and password."""
    forms = dict(SECRETS)
    for user, password in (("walker", "hookpassword"), ("walker", "serverpassword"), (SECRETS["username"], "password")):
        forms[f"basic {password}"] = base64.b64encode(f"{user}:{SECRETS[password]}".encode()).decode()
    return forms


def _ended(walk: Walk, rc: int, *words: str) -> None:
    walk.wait()
    assert walk.rc == rc and all(word in walk.output for word in words), walk.output[-4000:]


def test_no_secret_is_printed_recorded_or_told(release: Release, receivers: dict[str, Receiver]) -> None:
    release.start_app(VERSION="1")
    literals = [f"--from-literal={key}={SECRETS[key]}" for key in ("username", "password")]
    release.kubectl("create", "secret", "generic", "prometheus", *literals)
    _write(release, receivers)
    quick = {"canary_min_interval": 0.5, "canary_settle": 0.3, "canary_drain": 1}

    _ended(release.playbook("canary", *LOUD, **quick), 0)
    release.set_template("lab.local/testapp:2", VERSION="2")
    _ended(release.playbook("canary", "--check", *LOUD, **quick), 0)
    promoted = release.playbook("canary", *LOUD, environment=AS_MODULES, **quick)
    _ended(promoted, 0, "runs as a module", "up 1 (<= 2) ok")
    assert promoted.result["outcome"] == "promoted"
    receivers["rollback"].status = 200
    release.set_template("lab.local/testapp:3", VERSION="3")
    _ended(release.playbook("canary", *LOUD, **quick), 2, "rolled back")

    # By its name alone it has no credentials: nobody is asked without them, and that is said.
    release.set_template("lab.local/testapp:2", VERSION="by-name")
    _ended(release.playbook("canary", *LOUD, canary_file=None), 2, "no record keeps the credentials of a document")
    gone = release.document(spec__metricsServer=f"http://walker:{SECRETS['gonepassword']}@127.0.0.1:1/?token={SECRETS['gonepassword']}")
    _ended(release.playbook("canary", *LOUD, environment=AS_MODULES, canary_file=None, canary_spec=gone), 2, "no Prometheus answers at http://127.0.0.1:1")
    wrong = release.folder / "wrong"
    config = json.loads(release.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": SECRETS["wrongtoken"]}
    wrong.write_text(json.dumps(config))
    _ended(release.playbook("canary", *LOUD, environment={"KUBECONFIG": str(wrong)}), 2, "does not accept the credentials")

    assert receivers["gate"].asked and receivers["rollback"].asked, "nobody had a secret to tell"
    forms = {**_every_form(), "token": json.loads(release.kubeconfig.read_text())["users"][0]["user"]["token"]}
    places = {path.name: path.read_text(errors="replace") for path in release.folder.glob("*.log")}
    places["cluster"] = release.kubectl("get", LEFT, "-o", "json")
    assert "you came with" in json.dumps(release.record()) + "".join(places.values()), "what the far ends said was not shown"
    assert {(place, name) for place, text in places.items() for name, secret in forms.items() if secret in text} == set()


def test_whoever_turns_the_verification_of_certificates_off_is_warned(release: Release) -> None:
    release.start_app(VERSION="1")
    provider = {"type": "prometheus", "address": os.environ["PROMETHEUS_URL"], "insecureSkipVerify": True}
    template = {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "error-rate", "namespace": release.namespace},
                "spec": {"provider": provider, "query": "vector(1)"}}
    check = {"name": "errors", "templateRef": {"name": "error-rate"}, "interval": "1m", "thresholdRange": {"max": 2}}
    hook = {"name": "gate", "type": "rollout", "url": "https://127.0.0.1:1/", "timeout": "1s", "disableTLS": True}
    document = release.document(metrics=[check], webhooks=[hook])
    (release.folder / "canary.yml").write_text(yaml.safe_dump_all([document, template]))
    began = release.playbook("canary", "--check", environment={"K8S_AUTH_VERIFY_SSL": "false"}).wait()
    assert began.rc == 0, began.output[-4000:]
    told = " ".join(began.output.split())
    for words in ("spec.analysis.webhooks[0].disableTLS is true: the certificate of https://127.0.0.1:1/ is not verified",
                  f"MetricTemplate {release.namespace}/error-rate spec.provider.insecureSkipVerify is true: the certificate of",
                  "validate_certs is false: the certificate of the API server"):
        assert words in told, began.output[-4000:]
