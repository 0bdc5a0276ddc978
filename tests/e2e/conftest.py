# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole releases in the lab: run inside its network, with the environment that ``make -s lab-env`` prints."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Release
from routing import TRAEFIK, Routing, gateways


@pytest.fixture(scope="session", autouse=True)
def lab() -> None:
    missing = [name for name in ("KUBECONFIG", "PROMETHEUS_URL", "LAB_GATEWAYS") if not os.environ.get(name)]
    if missing:
        pytest.exit(f"the lab's environment is not set ({', '.join(missing)}): "
                    f"make lab-up; eval \"$(make -s lab-env)\"; $LAB_EXEC pytest tests/e2e", returncode=3)


@pytest.fixture
def routing() -> Routing:
    """Traefik and the Gateway API; ``routing.on_every_gateway`` puts others in its place."""
    return TRAEFIK


@pytest.fixture
def release(request: pytest.FixtureRequest, tmp_path: Path, routing: Routing) -> Iterator[Release]:
    """An app in a namespace of its own; what it is and how it behaves is up to the test."""
    if routing.gateway not in gateways():
        pytest.skip(f"the lab was started without the gateway {routing.gateway}")
    label = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:30].strip("-")
    one = Release(f"{label}-{uuid.uuid4().hex[:5]}", tmp_path, routing=routing)
    yield one
    one.cleanup()
