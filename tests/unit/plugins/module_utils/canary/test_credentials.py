# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.credentials import WITHHELD, restored, withheld

PLACES = {
    "canary/spec/metricsServer": ("http://u:sesame@p:9090/x", f"http://{WITHHELD}@p:9090/x"),
    "canary/spec/analysis/webhooks/1/url": ("https://h/?a=sesame&b&c=sesame", f"https://h/?a={WITHHELD}&b={WITHHELD}&c={WITHHELD}"),
    "canary/spec/canaryAnalysis/webhooks/0/url": ("http://sesame@h", f"http://{WITHHELD}@h"),
    "options/metrics_server": ("http://p?key=sesame", f"http://p?key={WITHHELD}"),
    "templates/0/spec/provider/address": ("http://u:sesame@p", f"http://{WITHHELD}@p"),
    "templates/0/spec/provider/headers/X-One": ("sesame", WITHHELD),
    "templates/0/spec/provider/headers/X-Many/1": ("sesame too", WITHHELD),
    "alert_providers/0/spec/address": ("https://hooks.slack.com/services/T0/sesame", f"https://hooks.slack.com/{WITHHELD}"),
    "alert_providers/0/spec/proxy": ("http://u:sesame@proxy:3128", f"http://{WITHHELD}@proxy:3128"),
    "alert_providers/1/spec/address": ("https://u:sesame@chat.googleapis.com/v1?key=sesame#sesame", f"https://chat.googleapis.com/{WITHHELD}"),
}


def frozen() -> dict[str, Any]:
    return {
        "canary": {"metadata": {"name": "podinfo"}, "spec": {
            "metricsServer": PLACES["canary/spec/metricsServer"][0],
            "analysis": {"webhooks": [{"name": "plain", "url": "http://h/path"}, {"url": PLACES["canary/spec/analysis/webhooks/1/url"][0]}]},
            "canaryAnalysis": {"webhooks": [{"url": PLACES["canary/spec/canaryAnalysis/webhooks/0/url"][0]}]}}},
        "templates": [{"spec": {"provider": {"address": "http://u:sesame@p", "headers": {"X-One": "sesame", "X-Many": [WITHHELD, "sesame too"]}}}}],
        "alert_providers": [
            {"spec": {"type": "slack", "address": "https://hooks.slack.com/services/T0/sesame", "proxy": "http://u:sesame@proxy:3128"}},
            {"spec": {"address": "https://u:sesame@chat.googleapis.com/v1?key=sesame#sesame"}},
            {"spec": {"address": "http://plain:8080/"}}, {"spec": {"secretRef": {"name": "plain"}}}],
        "options": {"metrics_server": "http://p?key=sesame", "drain": 5},
        "source": "spec",
    }


def test_every_credential_is_taken_out_and_put_back() -> None:
    document, before = frozen(), frozen()
    kept, texts = withheld(document)
    assert texts == {place: text for place, (text, _shown) in PLACES.items()}
    assert "sesame" not in json.dumps(kept)
    assert restored(kept, texts) == document == before


@pytest.mark.parametrize("place", PLACES)
def test_the_rest_of_a_text_stays_to_be_shown(place: str) -> None:
    found: Any = withheld(frozen())[0]
    for step in place.split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    assert found == PLACES[place][1]


def test_what_was_taken_out_once_is_taken_out() -> None:
    kept, _texts = withheld(frozen())
    assert withheld(kept) == (kept, {})


@pytest.mark.parametrize("document", [
    {}, {"canary": None}, {"canary": {"spec": []}}, {"canary": {"spec": {"analysis": {"webhooks": "x"}}}},
    {"canary": {"spec": {"metricsServer": 5, "analysis": {"webhooks": [1, {"url": None}, {"url": ["http://a:b@c"]}]}}}},
    {"templates": [{"spec": {"provider": {"headers": ["x"], "address": {}}}}, None]},
    {"alert_providers": [{"spec": {"address": ["https://a/b"]}}, {"spec": None}, 5, {}]}, {"alert_providers": {"address": "https://a/b"}},
])
def test_what_is_no_document_is_left_as_it_is(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    assert withheld(document) == (before, {})
    assert restored(document, {"canary/spec/metricsServer": "http://a:b@c", "nowhere/0": "x"}) == before


def test_an_address_without_credentials_is_not_touched() -> None:
    document = {"canary": {"spec": {"metricsServer": "HTTP://Prometheus:9090/?#x"}}}
    assert withheld(document) == (document, {})


def test_an_address_that_is_none_is_not_shown() -> None:
    kept, texts = withheld({"canary": {"spec": {"metricsServer": "http://[sesame"}}})
    assert withheld({"alert_providers": [{"spec": {"address": "hooks/sesame"}}]})[0] == {"alert_providers": [{"spec": {"address": WITHHELD}}]}
    assert kept == {"canary": {"spec": {"metricsServer": WITHHELD}}} and texts == {"canary/spec/metricsServer": "http://[sesame"}
