# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.routers import contour_around

CANARY = Canary(
    name="podinfo", namespace="test", provider="contour", target="podinfo", target_kind="Deployment",
    service=Service(name="podinfo", port=80), analysis=Analysis(interval=10, threshold=1))


def proxy(name: str = "podinfo", host: str = "", includes: Any = (), status: str = "", *services: str) -> dict[str, Any]:
    spec = {"includes": list(includes), "routes": [{"services": [{"name": service, "port": 80} for service in services]}]}
    return {"kind": "HTTPProxy", "metadata": {"name": name, "namespace": "test"},
            "spec": {**spec, **({"virtualhost": {"fqdn": host}} if host else {})},
            **({"status": {"currentStatus": status, "description": "in its words"}} if status else {})}


ROOT = proxy("root", "app.example.com", [{"name": "podinfo"}])


def rivals(*others: dict[str, Any]) -> list[str]:
    return [str(one) for one in contour_around.rivals(CANARY, None, others)]


@pytest.mark.parametrize("others", [
    [], [proxy()], [ROOT, proxy()], [ROOT, proxy("else", "else.example.com")],
    [proxy("a", "same.example.com"), proxy("b", "same.example.com")],                            # neither is the canary's
    [proxy("a", "same.example.com", [{"name": "podinfo", "namespace": "elsewhere"}]), proxy("b", "same.example.com")],
    [proxy("a"), proxy("b")],
])
def test_proxies_of_other_hosts_are_no_rivals(others: list[dict[str, Any]]) -> None:
    assert rivals(*others) == []


@pytest.mark.parametrize("others", [
    [ROOT, proxy("other", "app.example.com")],
    [ROOT, proxy("other", "APP.example.com")],
    [proxy("podinfo", "app.example.com"), proxy("other", "app.example.com")],
    [proxy("other", "app.example.com", [{"name": "podinfo", "namespace": "test"}]), ROOT],
])
def test_safety_26_two_proxies_of_the_same_host_are_refused_when_one_of_them_leads_to_the_canary(others: list[dict[str, Any]]) -> None:
    (problem,) = rivals(*others)
    assert "both have app.example.com, which makes each of them invalid (accepted: one HTTPProxy for each host)" in problem
    assert "HTTPProxy test/other" in problem


def test_safety_26_an_orphan_may_be_initialised_and_not_walked() -> None:
    orphan = proxy(status="orphaned")
    assert contour_around.standing(CANARY, orphan, walks=False) == []
    (problem,) = contour_around.standing(CANARY, orphan, walks=True)
    assert "HTTPProxy test/podinfo is orphaned, so that no request comes by it: in its words" in str(problem)
    assert "includes: [{name: podinfo, namespace: test}]" in str(problem)


@pytest.mark.parametrize(("status", "refused"), [("valid", 0), ("invalid", 1), ("NotReconciled", 0), ("", 0)])
def test_a_walk_on_what_contour_calls_invalid_is_refused(status: str, refused: int) -> None:
    assert len(contour_around.standing(CANARY, proxy(status=status), walks=True)) == refused


def test_no_object_has_no_standing_and_a_document_names_no_parent() -> None:
    assert contour_around.standing(CANARY, None, walks=True) == []
    assert contour_around.parents(CANARY) == []


def test_it_tells_which_services_get_requests() -> None:
    assert list(contour_around.backends(proxy("a", "", (), "", "web", "db"))) == ["web", "db"]
