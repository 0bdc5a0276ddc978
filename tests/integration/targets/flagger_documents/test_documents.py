# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each Canary, MetricTemplate and AlertProvider that Flagger 1.44 shows to people is accepted, or refused for a reason that is known here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import frozen, given as inputs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger as vocabulary, parse, parse_options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from documents import ALERT_PROVIDER, CANARY, TEMPLATE, Found

# What Flagger keeps in flags of its controller; which provider that is, the page or the test says by its name.
SETTINGS = {"metrics_server": "http://prometheus.test:9090"}
PROVIDERS = {"gatewayapi": "gatewayapi:v1", "contour": "contour", "traefik": "traefik", "kubernetes": "kubernetes"}

# Those that templates of Flagger's ask for.
VARIABLES = ("destination", "direction", "path", "reporter")

# Beginning of a refusal -> why it is right.
WAITING = "not supported yet, and said so"
FRAGMENT = "a part of a document, shown to explain one field"
REASONS = {
    r"spec\.provider: .* not supported yet": WAITING,
    r"spec\.(ingressRef|routeRef|upstreamRef): .*not supported yet": WAITING,
    r"spec\.targetRef\.apiVersion: 'serving\.knative\.dev/v1' is not supported yet": WAITING,
    r"spec\.targetRef\.apiVersion: 'v1' is not known": "a Deployment under the apiVersion of a Service, which nobody reads there",
    r"spec\.targetRef: is missing": FRAGMENT,
    r"canary_name: is missing, and no document says metadata\.name": FRAGMENT,
    r"MetricTemplate \S+ spec\.query: the query uses \{\{ printf": "a Go template beyond functions and variables, for Skipper, which is not supported yet",
    r"MetricTemplate \S+ spec\.provider\.type: .* not supported yet": WAITING,
    r"MetricTemplate \S+ spec\.(provider\.type|query): is missing": FRAGMENT,
}


def of_kind(found: Sequence[Found], kind: str, place: str = "") -> list[dict[str, Any]]:
    """Each namespace and name once, those of a place first: pages show the same object several times, and another one of the same name."""
    named: dict[Any, dict[str, Any]] = {}
    for item in sorted(found, key=lambda item: item.place != place):
        metadata = item.document.get("metadata") or {}
        if item.readable and item.document["kind"] == kind and metadata.get("name"):
            named.setdefault((metadata.get("namespace", "test"), metadata["name"]), item.document)
    return list(named.values())


def provider_of(item: Found) -> str:
    default = next((provider for word, provider in PROVIDERS.items() if word in item.place), "istio")
    return str((item.document.get("spec") or {}).get("provider", default))


def judged(item: Found, found: Sequence[Found]) -> str:
    """Empty for a Canary that can be walked, else the refusal."""
    canary = {**item.document, "spec": {**(item.document.get("spec") or {}), "provider": provider_of(item)}}
    return verdict(canary, of_kind(found, TEMPLATE, item.place), of_kind(found, ALERT_PROVIDER, item.place))


def verdict(canary: dict[str, Any], templates: list[dict[str, Any]], alert_providers: list[dict[str, Any]]) -> str:
    namespace = "" if canary.get("metadata", {}).get("namespace") else "test"
    try:
        one = inputs.from_manifests([canary], templates, "", namespace, alert_providers=alert_providers)
        assert one.document is not None
        read = parse(one.document, templates=one.templates, alert_providers=one.alert_providers, options=parse_options(SETTINGS))
        kept = frozen.freeze(one.document, templates=one.templates, alert_providers=one.alert_providers, options=SETTINGS, source="spec")
        assert frozen.thaw(kept) == read, "what travels between tasks means something else"
        return ""
    except SpecError as error:
        assert error.path and error.problem
        return str(error)


def reason(refusal: str) -> str:
    return next((why for pattern, why in REASONS.items() if re.match(pattern, refusal)), "")


def test_each_canary_of_flaggers_own_is_accepted_or_refused_for_a_known_reason(found: list[Found], record_property: Any, capsys: Any) -> None:
    canaries = [item for item in found if item.document["kind"] == CANARY and item.readable]
    verdicts = [(item, judged(item, found)) for item in canaries]
    unexplained = [f"{item.place}: {refusal}" for item, refusal in verdicts if refusal and not reason(refusal)]
    counts = Counter(reason(refusal) if refusal else "accepted" for _item, refusal in verdicts)
    with capsys.disabled():
        print(f"\nof {len(canaries)} Canary documents of Flagger's: " + "; ".join(f"{number} {why}" for why, number in counts.most_common()))
    assert unexplained == []
    assert len(canaries) > 70, "Flagger's documents were not found"


@pytest.mark.parametrize("provider", PROVIDERS.values())
def test_what_flagger_shows_for_a_provider_that_is_here_is_accepted(found: list[Found], provider: str) -> None:
    """But for what waits by name: a Service of Knative."""
    whole = [item for item in found if item.document["kind"] == CANARY and item.readable and provider_of(item) == provider
             and (item.document.get("metadata") or {}).get("name") and "targetRef" in item.document["spec"]]
    refusals = [(item.place, judged(item, found)) for item in whole]
    assert [one for one in refusals if one[1] and reason(one[1]) != WAITING] == []
    assert "" in [refusal for _place, refusal in refusals]


def test_each_template_and_alert_provider_of_flaggers_own_is_accepted_or_refused_for_a_known_reason(found: list[Found], capsys: Any) -> None:
    counts: Counter[str] = Counter()
    unexplained = []
    for kind in (TEMPLATE, ALERT_PROVIDER):
        for item in of_kind(found, kind):
            named = {"name": item["metadata"]["name"], **({"namespace": item["metadata"]["namespace"]} if "namespace" in item["metadata"] else {})}
            uses = ({"metrics": [{"name": "one", "thresholdRange": {"max": 1}, "templateRef": named, "templateVariables": dict.fromkeys(VARIABLES, "in")}]}
                    if kind == TEMPLATE else {"alerts": [{"name": "one", "providerRef": named}]})
            canary = {
                "apiVersion": "flagger.app/v1beta1", "kind": CANARY, "metadata": {"name": "podinfo", "namespace": "test"},
                "spec": {"provider": "contour", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "service": {"port": 80},
                         "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 10, "maxWeight": 50, **uses}}}
            refusal = verdict(canary, [item] if kind == TEMPLATE else [], [item] if kind == ALERT_PROVIDER else [])
            counts[f"{kind}: {reason(refusal) if refusal else 'accepted'}"] += 1
            unexplained += [refusal] if refusal and not reason(refusal) else []
    with capsys.disabled():
        print("\n" + "; ".join(f"{number} {what}" for what, number in counts.most_common()))
    assert unexplained == []
    assert counts[f"{TEMPLATE}: accepted"] and counts[f"{ALERT_PROVIDER}: accepted"]


def test_what_is_no_yaml_is_a_template_of_a_chart(found: list[Found]) -> None:
    """A chart's template is rendered by Helm before anybody can read it."""
    assert {item.place for item in found if not item.readable} == {"charts/podinfo/templates/canary.yaml"}


def test_the_vocabulary_is_flaggers(found: list[Found]) -> None:
    """Each provider that Flagger's documents name is known here, if only to be refused by name."""
    named = {item.document["spec"]["provider"] for item in found if item.readable and item.document["kind"] == CANARY
             and isinstance(item.document.get("spec"), dict) and isinstance(item.document["spec"].get("provider"), str)}
    known = {*vocabulary.PROVIDERS, *vocabulary.OTHER_PROVIDERS}
    assert {provider for provider in named if provider not in known and not provider.startswith(vocabulary.OTHER_PROVIDER_PREFIXES)} == set()
