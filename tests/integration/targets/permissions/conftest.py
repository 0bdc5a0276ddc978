# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab, and canaries in it."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.kube.client import make_api

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

from place import KINDS, PROVIDERS, Place  # noqa: E402


@pytest.fixture(scope="session")
def lab() -> Mapping[str, str]:
    """From ansible-test's configuration, else from the environment."""
    config = HERE.parents[1] / "integration_config.yml"
    configured = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    names = {"kubeconfig": "KUBECONFIG", "gateway": "LAB_GATEWAY", "prometheus_url": "PROMETHEUS_URL"}
    found = {name: configured.get(f"lab_{name}") or os.environ.get(variable, "") for name, variable in names.items()}
    assert all(found.values()), "these tests need the lab: make test-integration, or its variables and its network"
    return found


@pytest.fixture(scope="module")
def place_of(lab: Mapping[str, str]) -> Iterator[Callable[..., Place]]:
    """The place for a provider, or for a kind of target over Services alone, initialised or not, with pods that read a ConfigMap and a Secret or not, or
    with what is special of one of SPECIAL; made when it is first asked for."""
    made: dict[tuple[str, bool, bool, str], Place] = {}

    def find(provider: str, initialised: bool, reads: bool = False, how: str = "") -> Place:
        key = (provider, initialised, reads, how)
        if key not in made:
            made[key] = Place(make_api({"kubeconfig": lab["kubeconfig"]}), lab["kubeconfig"], lab, PROVIDERS.get(provider, "kubernetes"),
                              KINDS.get(provider, "Deployment"), reads, how)
            made[key].make()
            if initialised:
                made[key].initialise()
        return made[key]

    yield find
    for place in made.values():
        place.remove()
