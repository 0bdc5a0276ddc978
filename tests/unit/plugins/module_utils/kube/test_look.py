# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Services an observation reads one by one, and which it believes by their slices."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record
from ansible_collections.progressive.delivery.plugins.module_utils.canary.services import APEX, CANARY, PRIMARY, ROLES
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.world import canary

WALKING = Record("podinfo", "test", phase=states.PROGRESSING)


def slices(**pods: int | None) -> list[dict[str, Any]]:
    """The slices of podinfo-primary, podinfo-canary and podinfo (apex), with so many ready pods; None = the Service has no slice."""
    found = []
    for name, count in {"primary": 2, "canary": 2, "apex": 2, **pods}.items():
        if count is not None:
            service = "podinfo" if name == "apex" else f"podinfo-{name}"
            found.append({"metadata": {"labels": {"kubernetes.io/service-name": service}},
                          "endpoints": [{"addresses": ["192.0.2.1"], "targetRef": {"kind": "Pod", "name": f"{name}-{number}"}} for number in range(count)]})
    return found


def suspects(replicas: int = 2, only_primary: bool = True, **pods: int | None) -> list[str]:
    return look._suspects(canary(), WALKING, slices(**pods), only_primary, {"spec": {"replicas": replicas}})


def test_services_with_ready_pods_are_believed() -> None:
    assert suspects() == []


@pytest.mark.parametrize(("name", "role"), [("primary", PRIMARY), ("canary", CANARY), ("apex", APEX)])
def test_a_service_without_slices_is_read(name: str, role: str) -> None:
    assert suspects(**{name: None}) == [role]


@pytest.mark.parametrize(("name", "role"), [("primary", PRIMARY), ("canary", CANARY)])
def test_a_service_that_reaches_nobody_is_read(name: str, role: str) -> None:
    """Its selector may have been edited: it has a slice then, and nothing in it."""
    assert suspects(**{name: 0}) == [role]


def test_a_canary_that_rests_reaches_nobody_as_it_should() -> None:
    assert suspects(replicas=0, canary=0) == []


def test_before_the_first_write_all_are_read() -> None:
    assert look._suspects(canary(), None, slices(), True, None) == list(ROLES)
