#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_info
short_description: Tell all about one canary, or about those of a namespace
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Reads the record of a canary, by one request, and returns what a person or a playbook may want to know.
  - A canary without record is no error; RV(exists) is false then.
  - Without a name it returns RV(canaries), one short entry for each canary of the namespace. That needs the permission to list ConfigMaps.
options:
  name:
    description:
      - Name of the canary. Its record is the ConfigMap of this name with C(-canary) after it. When left out, all canaries of the namespace are told about.
    type: str
  namespace:
    description:
      - Namespace of the canary. Its target, Services, route and record are all in it.
    type: str
    required: true
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
"""

EXAMPLES = r"""
- name: How is it going
  progressive.delivery.canary_info:
    name: podinfo
    namespace: test
  register: podinfo

- name: Only when the last release reached everybody
  ansible.builtin.debug:
    msg: "{{ podinfo.outcome_why }}"
  when: podinfo.exists and podinfo.outcome == 'promoted'

- name: Which walks of the namespace were left alone
  progressive.delivery.canary_info:
    namespace: test
  register: all

- name: Name them
  ansible.builtin.debug:
    msg: "{{ all.canaries | selectattr('orphaned_since') | map(attribute='name') }}"
"""

RETURN = r"""
canaries:
  description:
    - All canaries of the namespace, by name.
    - One is C(due) when its walk has something to do, and when its Canary object with C(revertOnDeletion) was deleted.
  type: list
  elements: dict
  returned: without a name
  sample:
    - {"name": "podinfo", "phase": "Progressing", "walking": true, "due": true, "weight": 20, "outcome": "", "orphaned_since": "2026-11-23T10:00:00Z",
       "unreadable": ""}
exists:
  description: Whether the canary has a record.
  type: bool
  returned: with a name
  sample: true
phase:
  description: The phase, in Flagger's words.
  type: str
  returned: when it exists
  sample: Progressing
walking:
  description: Whether a release is under way, that is, whether the phase is none of Initialized, Succeeded, Failed and Terminated.
  type: bool
  returned: when it exists
  sample: true
weight:
  description: The canary's confirmed share of the traffic, in percent.
  type: int
  returned: when it exists
  sample: 20
mirror:
  description: Percent of users' requests of which the canary gets copies, as far as it is confirmed; 0 when it gets none.
  type: int
  returned: when it exists
  sample: 0
cookies:
  description:
    - The cookies of session affinity, each as name and value. C(canary) and C(primary) are those by which users stay with a side now, C(previous) is the
      canary's of the last analysis, which browsers are told to forget. What there is none of is left out.
  type: dict
  returned: when it exists
  sample: {"canary": "stays=QweRtzuiop"}
failed_checks:
  description: Failed checks of this analysis.
  type: int
  returned: when it exists
  sample: 0
iteration:
  description: The present iteration of a blue/green release; 0 when there is none.
  type: int
  returned: when it exists
  sample: 0
iterations:
  description: How many iterations there are before users meet the revision; 0 where traffic is raised by weights.
  type: int
  returned: when it exists
  sample: 0
outcome:
  description: How the last walk ended; promoted, rolled_back, aborted, superseded or removed.
  type: str
  returned: when it exists
  sample: promoted
outcome_why:
  description: The outcome in words.
  type: str
  returned: when it exists
  sample: analysis completed
outcome_revision:
  description: The revision that the outcome is about.
  type: str
  returned: when it exists
  sample: 6d1f4c...
revision:
  description: The revision under analysis, or the last one that was.
  type: str
  returned: when it exists
  sample: 6d1f4c...
promoted_revision:
  description: The revision that the primary serves.
  type: str
  returned: when it exists
  sample: 0b7a22...
tracked_configs:
  description:
    - The ConfigMaps and Secrets that belong to the target's revision, as they were when it was last looked at, C(configmap/name) or C(secret/name) each.
    - What they say is shown nowhere. RV(status) has a short digest of each, as with Flagger.
  type: list
  elements: str
  returned: when it exists
  sample: [configmap/podinfo, secret/podinfo]
run:
  description: The id of the analysis, which an approval names.
  type: str
  returned: when it exists
  sample: 6d1f4c00-1780000000
waits_for:
  description: What is waited for, in words, and until when.
  type: dict
  returned: when it exists
  sample: {"why": "gathering evidence at 20%", "until": "2026-11-23T10:00:00Z"}
orders:
  description: People's orders that nobody has obeyed yet.
  type: dict
  returned: when it exists
  sample: {}
obeyed:
  description:
    - The last ten orders of people that were obeyed, the oldest first, and when. C(said) is who and why, as they said it.
    - One that was given by C(kubectl) says what was typed there; whose credentials that was, the audit log of the API server knows.
  type: list
  elements: dict
  returned: when it exists
  sample:
    - {"at": "2026-11-23T10:00:00Z", "order": "approve confirm-promotion", "said": "alice@ci-7: change 4711"}
held_by:
  description: Who walks the canary now, in words; empty when nobody does.
  type: str
  returned: when it exists
  sample: ""
orphaned_since:
  description: Since when somebody should have come back to a walk and nobody did; empty when all is well.
  type: str
  returned: when it exists
  sample: ""
evidence:
  description: What the last ticks found; time, weight, iteration, checks and hooks of each, and while requests were copied how many of them.
  type: list
  elements: dict
  returned: when it exists
status:
  description: The same in the shape of a Canary object's status.
  type: dict
  returned: when it exists
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import walker
from ansible_collections.progressive.delivery.plugins.module_utils.canary import absence, record as states, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, flagger_status, rfc3339
from ansible_collections.progressive.delivery.plugins.module_utils.kube import documents, record as store
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

GRACE = 15.0                # seconds that a tick waits for a near due (SAFETY 12)

OPTIONS = {"name": {"type": "str"}, "namespace": {"type": "str", "required": True}}


def execute(call: Call) -> dict[str, Any]:
    namespace, name = call.params["namespace"], call.params["name"]
    if not name:
        return _all(call, namespace)
    stored = store.read(call.api, namespace, name)
    if stored.record is None:
        call.say("no record: it was never walked, or its record was deleted")
        return {"changed": False, "exists": False, "phase": "", "outcome": "", "walking": False}
    record, now = stored.record, call.api.now()
    orphaned = _orphaned_since(record, now)
    ended = record.outcome.replace("_", " ") + (f": {record.outcome_why}" if record.outcome_why else "")
    call.say(words.line(record, now, _told(record, now, orphaned, ended), record.due))
    if record.obeyed:
        last = record.obeyed[-1]
        call.say(f"last order of a person: {rfc3339(last['at'])} {words.order(last)}")
    return {
        "changed": False, "exists": True, "phase": record.phase, "walking": _walking(record), "weight": record.canary_weight, "mirror": record.mirror,
        "cookies": _cookies(record),
        "iteration": min(record.iterations, record.iterations_wanted), "iterations": record.iterations_wanted,
        "failed_checks": record.failed_checks, "outcome": record.outcome, "outcome_why": record.outcome_why,
        "outcome_revision": record.outcome_revision, "revision": record.pinned.revision if record.pinned else record.last_applied,
        "promoted_revision": record.last_promoted, "tracked_configs": sorted(record.tracked), "run": record.run,
        "waits_for": {"why": record.due_why, "until": rfc3339(record.due)},
        "orders": {order: text for order, text in vars(stored.orders).items() if text and order in (*states.ORDER_WORDS, "approvals")},
        "obeyed": [{**entry, "at": rfc3339(entry["at"])} for entry in record.obeyed],
        "held_by": store.held_by(record) if record.holder else "", "orphaned_since": orphaned,
        "evidence": [{**entry, "at": rfc3339(entry["at"])} for entry in record.evidence], "status": flagger_status(record),
    }


def _cookies(record: Record) -> dict[str, str]:
    named = {"canary": record.cookie, "primary": record.primary_cookie, "previous": record.previous_cookie}
    return {name: cookie for name, cookie in named.items() if cookie}


def _all(call: Call, namespace: str) -> dict[str, Any]:
    """One line and one entry for each; a record that cannot be read is told about as well."""
    found, unreadable = store.every(call.api, namespace)
    now = call.api.now()
    entries = [_entry(stored.record, now, _is_deleted(call, stored)) for stored in found]
    entries += [{**_entry(Record(name, namespace), now), "unreadable": why} for name, why in unreadable]
    for record in [stored.record for stored in found]:
        orphaned = _orphaned_since(record, now)
        call.say(f"{record.name}: " + words.line(record, now, _told(record, now, orphaned, record.outcome), record.due))
    for name, why in unreadable:
        call.warn(f"{namespace}/{name}: {why}")
    return {"changed": False, "canaries": sorted(entries, key=lambda entry: entry["name"])}


def _is_deleted(call: Call, stored: store.Stored) -> bool:
    """Whether its Canary object waits to be given back; looked for only where the document asks for that."""
    document = stored.document or {}
    reverts = document.get("source") == "object" and _reverts(document)
    return reverts and documents.is_deleted(documents.readable_canary(call.api, stored.namespace, stored.name))


def _reverts(document: Mapping[str, Any]) -> bool:
    try:
        return thaw(document).revert_on_deletion
    except SpecError:
        return False


def _entry(record: Record, now: float, deleted: bool = False) -> dict[str, Any]:
    return {"name": record.name, "phase": record.phase, "walking": _walking(record), "due": deleted or (_walking(record) and record.due <= now + GRACE),
            "weight": record.canary_weight, "outcome": record.outcome, "orphaned_since": _orphaned_since(record, now), "unreadable": ""}


def _told(record: Record, now: float, orphaned: str, ended: str) -> str:
    """What a walk waits for and who walks it, or how the last one ended: its outcome says nothing of a walk that is under way."""
    if not _walking(record):
        return record.due_why or ended
    gathers = record.phase in states.ANALYSING and record.reaches_canary and record.confirmed_at
    why = f"orphaned since {orphaned}" if orphaned else record.due_why or (words.gathering(record) if gathers else "under way")
    return f"{why} | {_held(record, now)}"


def _held(record: Record, now: float) -> str:
    holder = record.holder
    if holder is None:
        return "held by no run"
    if walker.is_gone(holder):
        return f"held by run {holder.run[:8]}, which has ended"
    if now >= holder.until:
        return f"held by run {holder.run[:8]}, without a sign of life since {rfc3339(holder.renewed)}"
    return f"held by {store.run_of(holder)}"


def _walking(record: Record) -> bool:
    return record.phase not in (*states.IDLE, states.TERMINATED, "")


def _orphaned_since(record: Record, now: float) -> str:
    return rfc3339(absence.orphaned_since(record, now))


VERB = Verb(name="canary_info", options=OPTIONS, execute=execute)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
