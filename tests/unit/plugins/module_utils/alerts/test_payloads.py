# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each provider is sent: Flagger's payloads, and what is better of them (weak spot 52)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.alerts import PROVIDERS, discord
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import LONGEST, Message, fields_of, messages_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import SEVERITIES, AlertProvider, Analysis, Canary, Options, Service

HALT = Message("podinfo", "test", "Failed checks threshold reached 2", "error", "Progressing", 1_700_000_000.0, (("Target", "Deployment/podinfo.test"),))
CHAT = AlertProvider("slack", "releases", "walker", "https://example.com/hook")
HOSTILE = '<!channel> & "quoted" <b>\\'
WORKFLOW = "https://prod-1.westeurope.logic.azure.com:443/workflows/sesame/triggers/manual/paths/invoke?sig=sesame"


def sent(kind: str, message: Message = HALT, address: str = "https://example.com/hook") -> dict[str, Any]:
    return json.loads(json.dumps(PROVIDERS[kind].payload(message, CHAT, address)))


def severe(severity: str) -> Message:
    return dataclasses.replace(HALT, severity=severity)


def test_every_type_of_flagger_has_a_payload_and_plain_json_besides() -> None:
    assert PROVIDERS.keys() == {*flagger.ALERT_PROVIDERS, flagger.ALERT_WEBHOOK}


@pytest.mark.parametrize(("kind", "color"), [("slack", "danger"), ("discord", "danger"), ("rocket", "#FF0000")])
def test_slack_and_who_reads_its_form_get_one_attachment(kind: str, color: str) -> None:
    assert sent(kind) == {
        "channel": "releases", "username": "walker", "icon_url": "", "icon_emoji": ":rocket:",
        "attachments": [{
            "color": color, "author_name": "podinfo.test", "text": "Failed checks threshold reached 2", "mrkdwn_in": ["text"],
            "fields": [{"title": "Target", "value": "Deployment/podinfo.test", "short": False}]}]}


def test_a_connector_of_teams_gets_a_message_card() -> None:
    assert sent("msteams") == {
        "@type": "MessageCard", "@context": "http://schema.org/extensions", "themeColor": "FF0000", "summary": "podinfo.test",
        "sections": [{"activityTitle": "Failed checks threshold reached 2", "activitySubtitle": "podinfo.test",
                      "facts": [{"name": "Target", "value": "Deployment/podinfo.test"}]}]}


@pytest.mark.parametrize("address", [
    WORKFLOW, "https://default1.ab.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/sesame/triggers/manual/paths/invoke?sig=x",
    "https://prod-1.usgovvirginia.logic.azure.us/workflows/sesame"])
def test_a_workflow_of_teams_gets_an_adaptive_card(address: str) -> None:
    card = sent("msteams", address=address)
    assert (card["type"], [one["contentType"] for one in card["attachments"]]) == ("message", ["application/vnd.microsoft.card.adaptive"])
    content = card["attachments"][0]["content"]
    assert (content["type"], content["$schema"]) == ("AdaptiveCard", "http://adaptivecards.io/schemas/adaptive-card.json")
    title, subtitle, facts = content["body"]
    assert (title["text"], title["color"], subtitle["text"]) == ("Failed checks threshold reached 2", "Attention", "podinfo.test")
    assert facts == {"type": "FactSet", "facts": [{"title": "Target", "value": "Deployment/podinfo.test"}]}


@pytest.mark.parametrize("address", [
    "https://contoso.webhook.office.com/webhookb2/x", "https://x.logic.azure.com.example.com/x", "https://x.logicxazure.com", "http://relay/a.logic.azure.com"])
def test_whoever_is_no_workflow_gets_what_flagger_sends(address: str) -> None:
    assert sent("msteams", address=address)["@type"] == "MessageCard"


def test_google_chat_gets_a_section_for_the_text_and_one_for_each_field() -> None:
    assert sent("gchat", severe("info")) == {"cards": [{
        "header": {"title": "Flagger", "subtitle": "podinfo.test", "imageUrl": "https://flagger.app/favicon.png"},
        "sections": [
            {"widgets": [{"textParagraph": {"text": "<font color=#848484><strong>Failed checks threshold reached 2</strong></font>"}}]},
            {"widgets": [{"textParagraph": {"text": "Target<br><font color=#848484><strong>Deployment/podinfo.test</strong></font>"}}]}]}]}


def test_a_webhook_gets_plain_json() -> None:
    assert sent("webhook") == {
        "name": "podinfo", "namespace": "test", "phase": "Progressing", "severity": "error", "message": "Failed checks threshold reached 2",
        "timestamp": "2023-11-14T22:13:20Z", "fields": {"Target": "Deployment/podinfo.test"}}


@pytest.mark.parametrize(("kind", "color"), [
    ("slack", "good"), ("discord", "good"), ("rocket", "#0076D7"), ("msteams", "0076D7"), ("gchat", "#848484")])
def test_an_information_has_the_color_that_it_has_in_flagger(kind: str, color: str) -> None:
    text = json.dumps(sent(kind, severe("info")))
    assert f'"{color}"' in text or f"color={color}>" in text


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("address", ["https://example.com/hook", WORKFLOW])
def test_weak_spot_52_every_severity_looks_different(kind: str, address: str) -> None:
    assert len({json.dumps(sent(kind, severe(severity), address)) for severity in SEVERITIES}) == len(SEVERITIES)


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("address", ["https://example.com/hook", WORKFLOW])
def test_hostile_text_stays_text(kind: str, address: str) -> None:
    said = json.dumps(sent(kind, dataclasses.replace(HALT, text=HOSTILE, fields=(("Cluster", HOSTILE),)), address))
    shown = {"slack": r'&lt;!channel&gt; &amp; \"quoted\" &lt;b&gt;\\', "gchat": r'&lt;!channel&gt; &amp; \"quoted\" &lt;b&gt;\\'}
    assert said.count(shown.get(kind, json.dumps(HOSTILE)[1:-1])) == 2


@pytest.mark.parametrize(("address", "endpoint"), [
    ("https://discord.com/api/webhooks/1/sesame", "https://discord.com/api/webhooks/1/sesame/slack"),
    ("https://discord.com/api/webhooks/1/sesame/", "https://discord.com/api/webhooks/1/sesame/slack"),
    ("https://discord.com/api/webhooks/1/sesame/slack", "https://discord.com/api/webhooks/1/sesame/slack"),
    ("https://discord.com/api/webhooks/1/sesame?thread_id=5", "https://discord.com/api/webhooks/1/sesame/slack?thread_id=5"),
])
def test_discord_is_asked_to_read_slacks_form(address: str, endpoint: str) -> None:
    assert discord.endpoint(address) == endpoint


# The message

def canary(cluster: str = "", **analysis: Any) -> Canary:
    shape = {"step_weight": 10, "max_weight": 50, **analysis}
    return Canary("podinfo", "test", "gatewayapi:v1", "shop", "Deployment", Service("podinfo", 80), Analysis(interval=10, threshold=3, **shape),
                  Options(cluster_name=cluster), progress_deadline=90.0)


def test_the_fields_are_those_of_flagger_the_cluster_first() -> None:
    assert fields_of(canary("east")) == (
        ("Cluster", "east"), ("Target", "Deployment/shop.test"), ("Failed checks threshold", "3"), ("Progress deadline", "90s"),
        ("Traffic routing", "Weight step: 10 max: 50"))


def test_without_a_name_of_the_cluster_there_is_no_such_field() -> None:
    assert dict(fields_of(canary())).keys() == {"Target", "Failed checks threshold", "Progress deadline", "Traffic routing"}


@pytest.mark.parametrize(("analysis", "routing"), [
    ({}, "Weight step: 10 max: 50"),
    ({"step_weight": 0, "step_weights": (1, 2, 10), "max_weight": 100}, "Weight steps: 1,2,10 max: 100"),
    ({"step_weight": 0, "iterations": 5}, "Blue/Green"),
    ({"step_weight": 0, "iterations": 5, "match": ({"headers": {}},)}, "A/B Testing"),
])
def test_the_way_of_the_traffic_is_in_flaggers_words(analysis: dict[str, Any], routing: str) -> None:
    assert dict(fields_of(canary(**analysis)))["Traffic routing"] == routing


def test_weak_spot_52_every_alert_has_the_fields_and_what_is_none_is_left_out() -> None:
    told = [Told("Initialization done!", alert="New Deployment detected", severity="info"), Told("Advance"), Told("Rolling back", "Warning", "Halt", "error")]
    made = messages_of(canary(), "Failed", told, 5.0)
    assert [(one.title, one.text, one.severity, one.phase, one.at) for one in made] == [
        ("podinfo.test", "New Deployment detected", "info", "Failed", 5.0), ("podinfo.test", "Halt", "error", "Failed", 5.0)]
    assert all(one.fields == fields_of(canary()) for one in made)


def test_a_text_has_one_line_and_an_end() -> None:
    made, = messages_of(canary(), "", [Told("", alert="\x1b[2Jforged\n" + "x" * 5000, severity="warn")], 0.0)
    assert made.text.startswith("forged xxx") and len(made.text) == LONGEST
    assert dict(fields_of(canary("east\x1b[2J\nforged")))["Cluster"] == "east forged"
