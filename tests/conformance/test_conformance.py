# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same Canary walked by Flagger and by us: what is done is the same, but for what differs on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from comparing import Comparison
from differences import TABLE
from documents import Document

Walked = Callable[[Document], Comparison]


def test_we_do_what_flagger_does(document: Document, walked: Walked, request: pytest.FixtureRequest) -> None:
    found = walked(document)
    request.node.user_properties.append(("conformance", (document.name, found.verdict)))
    if document.known_bug:
        assert found.wrong, f"the bug is gone: {document.known_bug}"
        pytest.xfail(document.known_bug)
    if found.wrong:
        pytest.fail("\n".join(found.wrong), pytrace=False)


def test_every_difference_on_purpose_shows_somewhere(request: pytest.FixtureRequest, walked: Walked) -> None:
    """By the documents of this run; of a part of them nothing can be said."""
    chosen = [item.callspec.params["document"] for item in request.session.items if hasattr(item, "callspec")]
    if not request.config.getoption("--full") or request.config.getoption("-k"):
        pytest.skip("not every document is walked")
    shown = {name for document in chosen for name in walked(document).used}
    assert shown == {one.name for one in TABLE if one.everywhere} | {name for document in chosen for name in document.differs}
