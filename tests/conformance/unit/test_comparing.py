# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing that differs goes unexplained, and no explanation stays that explains nothing."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "bench")]

from comparing import compare  # noqa: E402
from differences import TABLE, Difference  # noqa: E402
from documents import DOCUMENTS, SECTIONS, Document  # noqa: E402

PLAIN = Document("plain", {})
LABEL = Difference("label", "it is ours", everywhere=True, leaf=lambda leaf, document: leaf.only_ours and leaf.path.endswith("labels.ours"))
LATER = Difference("later", "it comes later", sequences={"weights": lambda weights, document: [*weights, 0]})


def _seen(**changes: Any) -> dict[str, Any]:
    service = {"metadata": {"name": "podinfo", "labels": {"app": "podinfo"}, **changes.pop("labels", {})}}
    return {"namespace": "some-namespace", "statuses": [], "conditions": [], "weights": [0, 10], "extras": [""], "calls": [], "events": [],
            "initialised": {"Service/podinfo": service}, "ended": {}, **changes}


def _call(checksum: str, hook: str = "rollout", **metadata: str) -> dict[str, Any]:
    return {"name": "podinfo", "namespace": "some-namespace", "phase": "Progressing", "checksum": checksum, "metadata": {"hook": hook, **metadata}}


def test_what_is_the_same_but_for_names_of_namespaces_and_hashes_is_the_same() -> None:
    theirs, ours = _seen(calls=[_call("aaa"), _call("aaa"), _call("bbb")]), _seen(calls=[_call("12"), _call("12"), _call("34")])
    renamed = {**ours, "namespace": "another", "calls": [{**one, "namespace": "another"} for one in ours["calls"]]}
    assert compare(PLAIN, theirs, renamed, ()).verdict == "same"


def test_one_call_more_is_wrong_and_so_is_another_checksum() -> None:
    theirs = _seen(calls=[_call("aaa"), _call("bbb")])
    for calls in ([_call("aaa")], [_call("aaa"), _call("aaa")], [_call("aaa"), _call("bbb", size="1")]):
        assert compare(PLAIN, theirs, _seen(calls=calls), ()).verdict == "WRONG (1)"


def test_a_value_of_an_object_needs_an_entry() -> None:
    theirs = _seen()
    ours = _seen(initialised={"Service/podinfo": {"metadata": {"name": "podinfo", "labels": {"app": "podinfo", "ours": "yes"}}}})
    assert compare(PLAIN, theirs, ours, ()).wrong == ("initialised Service/podinfo metadata.labels.ours: None there, 'yes' here",)
    explained = compare(PLAIN, theirs, ours, (LABEL,))
    assert (explained.verdict, explained.used) == ("same", ("label",)), "what differs in every document is not said of each"
    assert compare(PLAIN, theirs, theirs, (LABEL,)).used == ()


def test_an_entry_counts_only_for_documents_that_list_it_and_has_to_show_there() -> None:
    lists_it = dataclasses.replace(PLAIN, differs=["later"])
    theirs, ours = _seen(), _seen(weights=[0, 10, 0])
    assert compare(PLAIN, theirs, ours, (LATER,)).verdict == "WRONG (1)"
    assert compare(lists_it, theirs, ours, (LATER,)).verdict == "differs on purpose: later"
    assert compare(lists_it, theirs, theirs, (LATER,)).verdict == "WRONG (1)"
    never = dataclasses.replace(LATER, sequences={"weights": lambda weights, document: weights})
    assert compare(lists_it, theirs, theirs, (never,)).wrong == ("later is listed as a difference of this document, and does not show",)


def test_copies_of_configs_are_compared_by_what_the_primary_reads_whatever_they_are_called() -> None:
    def side(name: str, **more: Any) -> dict[str, Any]:
        reads = {"metadata": {"name": "podinfo-primary"}, "spec": {"template": {"spec": {"volumes": [{"configMap": {"name": name}}]}}}}
        return _seen(initialised={"Deployment/podinfo-primary": reads, f"ConfigMap/{name}": {"data": {"VERSION": "1"}}, **more})

    document = dataclasses.replace(PLAIN, differs=["copies-by-content"])
    former = {"ConfigMap/podinfo-primary-0123456789": {"data": {"VERSION": "0"}}}
    theirs, ours = side("podinfo-primary"), side("podinfo-primary-abcdef0123", **former)
    assert compare(document, theirs, ours).verdict == "differs on purpose: copies-by-content"
    another = side("podinfo-primary-abcdef0123")
    another["initialised"]["ConfigMap/podinfo-primary-abcdef0123"]["data"]["VERSION"] = "2"
    assert compare(document, theirs, another).wrong == ("initialised ConfigMap/podinfo-primary data.VERSION: '1' there, '2' here",)


def test_names_are_used_once_and_documents_list_entries_that_are_there() -> None:
    assert len({one.name for one in DOCUMENTS}) == len(DOCUMENTS) and len({one.name for one in TABLE}) == len(TABLE)
    named = {name for one in DOCUMENTS for name in one.differs}
    assert named == {one.name for one in TABLE if not one.everywhere}, "an entry is for all documents or for those that list it"
    assert all(one.why for one in TABLE)


def test_each_section_is_walked_by_make_test_with_one_document() -> None:
    assert [sum(one.quick for one in section) for section in SECTIONS] == [1] * len(SECTIONS)
