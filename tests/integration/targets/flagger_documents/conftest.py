# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab got of Flagger; nothing of it is kept here."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from documents import Found, read_all  # noqa: E402


@pytest.fixture(scope="session")
def flagger() -> pathlib.Path:
    """From ansible-test's configuration, else from the environment."""
    config = pathlib.Path(__file__).resolve().parents[2] / "integration_config.yml"
    configured = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    folder = configured.get("lab_flagger") or os.environ.get("LAB_FLAGGER")
    assert folder, "these tests need what the lab got of Flagger: make test-integration, or eval \"$(make -s lab-env)\""
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def found(flagger: pathlib.Path) -> list[Found]:
    return read_all(flagger / "documents")
