# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import parse, problems
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.bad_documents import (
    BAD,
    Bad,
    alert_provider,
    alerted,
    good,
    template,
)


def test_the_document_that_the_rows_make_wrong_is_good() -> None:
    assert problems(good(), templates=[template()]) == []
    assert problems(alerted(), templates=[template()], alert_providers=[alert_provider()]) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_wrong_document_is_refused_at_its_field_and_told_what_is_accepted(bad: Bad) -> None:
    with pytest.raises(SpecError) as refusal:
        parse(bad.document, templates=[bad.template], alert_providers=[bad.alert_provider])
    assert refusal.value.path == bad.path
    assert bad.says in str(refusal.value)


def test_one_mistake_is_one_problem() -> None:
    found = {bad.id: problems(bad.document, templates=[bad.template], alert_providers=[bad.alert_provider]) for bad in BAD}
    assert {name: [problem.path for problem in told] for name, told in found.items()} == {bad.id: [bad.path] for bad in BAD}
    assert [bad.id for bad in BAD if bad.says not in str(found[bad.id][0])] == []


def test_no_rule_is_there_twice() -> None:
    assert len({bad.id for bad in BAD}) == len(BAD) >= 40


def test_no_message_shows_the_address_of_an_alert_provider() -> None:
    told = [str(problem) for bad in BAD for problem in problems(bad.document, templates=[bad.template], alert_providers=[bad.alert_provider])]
    assert len(told) == len(BAD) and not [text for text in told if "sesame" in text]
