# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole releases in the lab: run inside its network, with the environment that ``make -s lab-env`` prints."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import cluster
from harness import Release
from routing import TRAEFIK, Routing


@pytest.fixture(scope="session", autouse=True)
def lab() -> None:
    if cluster.missing():
        pytest.exit(cluster.missing(), returncode=3)


@pytest.fixture
def routing() -> Routing:
    """Traefik and the Gateway API; ``routing.on_every_gateway`` puts others in its place."""
    return TRAEFIK


@pytest.fixture
def release(request: pytest.FixtureRequest, tmp_path: Path, routing: Routing) -> Iterator[Release]:
    """An app in a namespace of its own; what it is and how it behaves is up to the test."""
    if routing.gateway not in cluster.gateways():
        pytest.skip(f"there is no gateway {routing.gateway} here")
    label = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:30].strip("-")
    one = Release(f"{label}-{uuid.uuid4().hex[:5]}", tmp_path, routing=routing)
    yield one
    one.cleanup()
