# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard around libraries that may be missing."""

from __future__ import annotations

import pytest
import requests

from ansible_collections.progressive.delivery.plugins.module_utils import exchange, third_party
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, MissingLibrary


def test_a_library_that_is_there_is_given() -> None:
    assert third_party.require("requests") is requests


def test_ansible_03_a_missing_library_is_a_typed_error_with_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party, "yaml", None)
    monkeypatch.setitem(third_party.TRACEBACKS, "PyYAML", "ImportError: no yaml")
    with pytest.raises(MissingLibrary) as missing:
        third_party.require("PyYAML")
    assert (missing.value.library, missing.value.traceback) == ("PyYAML", "ImportError: no yaml")
    assert isinstance(missing.value, CanaryError)


def test_ansible_03_a_request_without_its_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party, "requests", None)
    with pytest.raises(MissingLibrary, match="requests"):
        exchange.exchange(exchange.Request("GET", "http://127.0.0.1:1"))
