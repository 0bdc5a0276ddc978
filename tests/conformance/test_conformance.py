# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same Canary walked by Flagger and by us: what is done is the same, but for what differs on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from comparing import Comparison
from documents import Document


def test_we_do_what_flagger_does(document: Document, walked: Callable[[Document], Comparison], request: pytest.FixtureRequest) -> None:
    found = walked(document)
    assert not found.wrong, "\n" + "\n".join(found.wrong)
