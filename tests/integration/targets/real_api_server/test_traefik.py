# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TraefikServices and the real CRD of Traefik, where the lab has it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Metadata
from ansible_collections.progressive.delivery.plugins.module_utils.kube import routes
from ansible_collections.progressive.delivery.plugins.module_utils.routers import traefik


@pytest.fixture
def by_traefik(served: Any, canary: Any) -> Any:
    """The canary by Traefik. What of it the API server keeps needs no controller."""
    service = dataclasses.replace(canary.service, gateway_refs=(), hosts=(), apex=Metadata({"team": "blue"}, {"note": "hello"}))
    return served(dataclasses.replace(canary, provider="traefik", service=service))


def named(live: dict[str, Any]) -> list[tuple[str, int]]:
    return [(entry["name"], entry["weight"]) for entry in live["spec"]["weighted"]["services"]]


@pytest.mark.parametrize("split", [Split(100, 0), Split(90, 10)], ids=str)
def test_what_a_document_can_say_is_accepted_by_the_real_crd_and_read_back_without_drift(others: Any, by_traefik: Any, split: Split) -> None:
    assert traefik.refuse(by_traefik) == []
    others.create(routes.ref(by_traefik), traefik.desired(by_traefik, split))
    live = others.get(routes.ref(by_traefik))
    assert traefik.differs(live, by_traefik) == []
    assert traefik.read(live, by_traefik) == split


def test_the_canary_is_named_while_it_has_weight_and_at_no_other_time(ours: Any, others: Any, by_traefik: Any, answering: None) -> None:
    for split, services in (
        (Split(100, 0), [("podinfo-primary", 100)]),
        (Split(80, 20), [("podinfo-primary", 80), ("podinfo-canary", 20)]),
        (Split(0, 100), [("podinfo-primary", 0), ("podinfo-canary", 100)]),
        (Split(100, 0), [("podinfo-primary", 100)]),
    ):
        routes.apply_traffic(ours, by_traefik, TrafficOrder(split=split), 3, wait=0)
        live = others.get(routes.ref(by_traefik))
        assert (named(live), traefik.read(live, by_traefik)) == (services, split)
