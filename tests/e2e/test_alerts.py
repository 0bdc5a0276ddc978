# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts as somebody gets them: of a release that is promoted and of one that is rolled back, while another one's far end never answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import cluster
from harness import Receiver, Release, Walk

QUICK = {"canary_min_interval": 0.5, "canary_settle": 0.3, "canary_drain": 1, "canary_cluster_name": "lab"}
LOUD = ("-vvvv", "--diff")
SILENT = "http://127.0.0.1:1/services/sesame-path"
LEFT = "configmaps,events,deployments,alertproviders.flagger.app"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.says = lambda request: f"{request.path} {request.headers.get('Authorization')} no_service".encode()
    yield made
    made.shutdown()


def _provider(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": {"name": name}, "spec": spec}


def _write(release: Release, result: str) -> None:
    """Three of them: one of the cluster with its Secret, one beside the Canary whose far end is not there, one of a variable."""
    alerts = [{"name": "all", "providerRef": {"name": "on-call"}}, {"name": "nobody", "severity": "info", "providerRef": {"name": "silent"}},
              {"name": "bad", "severity": "error", "providerRef": {"name": "plain"}}]
    check = {"name": "errors", "query": f"vector({result})", "interval": "1s", "thresholdRange": {"max": 2}}
    document = release.document(interval="1s", threshold=1, maxWeight=20, stepWeight=20, metrics=[check], alerts=alerts)
    (release.folder / "canary.yml").write_text(yaml.safe_dump_all([document, _provider("silent", type="slack", address=SILENT)]))


def _walk(release: Release, receiver: Receiver, **how: Any) -> tuple[Walk, list[dict[str, Any]], list[dict[str, Any]]]:
    """The walk, what Slack got of it, and what the plain webhook got."""
    receiver.asked.clear()
    plain = _provider("plain", type="webhook", address=f"{receiver.url}hooks/sesame-plain")
    walk = release.playbook("canary", *LOUD, canary_alert_providers=[plain], **QUICK, **how).wait()
    slack = [one for one in receiver.asked if "attachments" in one]
    return walk, slack, [one for one in receiver.asked if "attachments" not in one]


def _texts(slack: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["attachments"][0]["color"], one["attachments"][0]["text"]) for one in slack]


def test_a_promotion_and_a_rollback_are_told_and_a_silent_provider_is_a_warning(release: Release, receiver: Receiver) -> None:
    release.replicas = 1
    release.start_app(VERSION="1")
    release.apply(_provider("on-call", type="slack", channel="releases", secretRef={"name": "on-call"}))
    release.kubectl("create", "secret", "generic", "on-call", f"--from-literal=address={receiver.url}services/sesame-secret",
                    "--from-literal=token=sesame-token")
    _write(release, "1")
    version = {"images": {"app": cluster.image("lab.local/testapp:2", ["VERSION"])}}
    promoted, slack, plain = _walk(release, receiver, canary_release=version)
    assert (promoted.rc, promoted.result["outcome"], plain) == (0, "promoted", []), promoted.output[-4000:]
    assert _texts(slack) == [("good", "New Deployment detected, initialization completed."), ("good", "New revision detected, progressing canary analysis."),
                             ("good", "Canary analysis completed successfully, promotion finished.")]
    assert slack[0]["channel"] == "releases" and slack[0]["attachments"][0]["author_name"] == f"podinfo.{release.namespace}"
    assert {one["title"]: one["value"] for one in slack[0]["attachments"][0]["fields"]} == {
        "Cluster": "lab", "Target": f"Deployment/podinfo.{release.namespace}", "Failed checks threshold": "1", "Progress deadline": "60s",
        "Traffic routing": "Weight step: 20 max: 20"}

    _write(release, "3")
    release.set_template("lab.local/testapp:3", VERSION="3")
    rolled_back, slack, plain = _walk(release, receiver)
    assert (rolled_back.rc, rolled_back.result["outcome"]) == (2, "rolled_back"), rolled_back.output[-4000:]
    assert _texts(slack) == [("good", "New revision detected, progressing canary analysis."), ("danger", "Failed checks threshold reached 1")]
    assert [(one["severity"], one["message"], one["namespace"], one["fields"]["Cluster"]) for one in plain] == [
        ("error", "Failed checks threshold reached 1", release.namespace, "lab")]

    for run in (promoted, rolled_back):
        told = " ".join(run.output.split())
        assert f"alert nobody was not delivered: AlertProvider {release.namespace}/silent: connection refused" in told, run.output[-4000:]
    places = {path.name: path.read_text(errors="replace") for path in release.folder.glob("*.log")}
    places["cluster"] = release.kubectl("get", LEFT, "-o", "json") + json.dumps(release.record())
    assert [name for name, text in places.items() if "sesame" in text] == []
