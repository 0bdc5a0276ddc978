# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where AlertProviders and their Secrets come from, and what becomes of a run that cannot read them."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import given
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.kube import preflight, record as store, refs, secrets
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.modules import canary_preflight
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import alert_provider, alerted, template
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.kube.objects import Objects

PROVIDER = refs.alert_provider("test", "on-call")
ADDRESS = "https://hooks.slack.com/services/sesame"


def find(server: Any, stored: Stored = Stored("test", "podinfo"), providers: tuple[Mapping[str, Any], ...] = ()) -> preflight.Found:
    document = given.from_spec(alerted(), [template()], "", "", alert_providers=providers)
    return preflight.find(server.api(), document, {}, stored)


def under_way(server: Any) -> Stored:
    """In the middle of a walk that began with an AlertProvider of its own."""
    frozen = find(server, providers=(alert_provider(),)).frozen
    return Stored("test", "podinfo", Record("podinfo", "test", phase="Progressing"), resource_version="5", document=frozen)


def address_of(found: preflight.Found) -> str:
    alert, = found.canary.analysis.alerts
    return alert.provider.address


def test_one_of_the_cluster_is_read_by_its_name_and_asked_for(server: Any) -> None:
    Objects(server).put(PROVIDER, alert_provider())
    found = find(server)
    assert address_of(found) == ADDRESS
    assert Rule("flagger.app", "alertproviders", ("get",), ("on-call",)) in found.needed["test"]
    assert found.credentials == {"alert_providers/0/spec/address": ADDRESS}


def test_one_that_was_given_is_not_asked_of_the_cluster(server: Any) -> None:
    found = find(server, providers=(alert_provider(),))
    assert address_of(found) == ADDRESS and server.asked == []
    assert not [rule for rule in found.needed["test"] if rule.resource == "alertproviders"]


def test_one_that_does_not_exist_is_refused_before_a_walk(server: Any) -> None:
    Objects(server)
    with pytest.raises(SpecError, match="there is no AlertProvider 'on-call' in namespace 'test'"):
        find(server)


def test_a_cluster_without_the_kind_has_none(server: Any) -> None:
    server.says(server.text(404, "404 page not found\n"))
    with pytest.raises(SpecError, match="there is no AlertProvider 'on-call'"):
        find(server)


def test_what_may_not_be_read_is_said_before_a_walk(server: Any) -> None:
    server.says(server.status(403, "Forbidden"))
    with pytest.raises(KubeError):
        find(server)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_no_rollback_waits_for_one_that_is_gone_by_now(server: Any, status: int) -> None:
    stored = under_way(server)
    server.says(server.status(status, "Forbidden" if status == 403 else "NotFound" if status == 404 else "InternalError"))
    assert address_of(find(server, stored)) == "https://hooks.slack.com/__withheld__"


def test_in_mid_walk_one_of_the_cluster_is_taken_as_it_is_now(server: Any) -> None:
    stored, live = under_way(server), alert_provider()
    live["spec"]["address"] = "https://hooks.slack.com/services/other"
    Objects(server).put(PROVIDER, live)
    assert address_of(find(server, stored)) == "https://hooks.slack.com/services/other"


def test_what_was_beside_a_file_needs_no_right_where_the_canary_is_walked_by_its_name(server: Any) -> None:
    frozen = find(server, providers=(alert_provider(),)).frozen
    idle = Stored("test", "podinfo", Record("podinfo", "test", phase="Succeeded"), resource_version="5", document=frozen)
    server.says(server.status(403, "Forbidden"))
    found = preflight.find(server.api(), given.by_name("podinfo", "test"), {}, idle)
    assert [alert.provider.called for alert in found.canary.analysis.alerts] == ["AlertProvider test/on-call"]
    assert not [rule for rule in found.needed["test"] if rule.resource == "alertproviders"]


def test_the_credentials_of_a_walk_are_had_too_where_a_provider_is_gone_by_now(server: Any, run_verb: Any) -> None:
    stored, kept, document = under_way(server), Objects(server), alerted()
    assert stored.record is not None
    kept.put(store.record_ref("test", "podinfo"), {
        "metadata": {"labels": {store.LABEL: "podinfo"}},
        "data": {store.KEY: dumps(dataclasses.replace(stored.record, identity=find(server, providers=(alert_provider(),)).canary.identity)),
                 store.DOCUMENT_KEY: json.dumps(stored.document)}})
    document["spec"]["metricsServer"] = "http://walker:sesame@prometheus:9090"
    result = run_verb(canary_preflight.VERB, host=server.url, api_key="sesame-4711", spec=document, templates=[template()], credentials=True)
    assert result["credentials"] == {"canary/spec/metricsServer": "http://walker:sesame@prometheus:9090"}


# Secrets

def kept(server: Any, **data: str) -> Mapping[str, str] | CanaryError:
    Objects(server).put(refs.secret("test", "chat"), {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}})
    return secrets.of_alerts(server.api(), "test", "chat")


def test_a_secret_holds_address_and_token_and_nothing_else_is_taken(server: Any) -> None:
    assert kept(server, address=ADDRESS, token="t", password="p") == {"address": ADDRESS, "token": "t"}


@pytest.mark.parametrize("data", [{}, {"token": "t"}, {"address": ""}])
def test_a_secret_without_an_address_is_named(server: Any, data: dict[str, str]) -> None:
    assert str(kept(server, **data)) == "the Secret test/chat does not have the key address"


def test_what_is_in_the_way_of_a_secret_is_no_exception(server: Any) -> None:
    Objects(server)
    assert str(secrets.of_alerts(server.api(), "test", "chat")) == "there is no Secret test/chat"
    server.says(server.status(403, "Forbidden"))
    assert isinstance(secrets.of_alerts(server.api(), "test", "chat"), CanaryError)
