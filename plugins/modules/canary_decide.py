#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_decide
short_description: Decide the next step of a canary's walk
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - The only step of a tick that thinks. Takes what M(progressive.delivery.canary_observe) saw, what M(progressive.delivery.webhook_gate) was
    answered and what M(progressive.delivery.metric_check) measured, and writes the next record together with what it intends,
    before anything is touched.
  - An answer or outcome that it needs and does not get means hold, never pass.
  - In check mode it decides and writes nothing.
options:
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
    required: true
  holder:
    description: Who walks, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
    required: true
  tick:
    description: What M(progressive.delivery.canary_observe) returned under RV(progressive.delivery.canary_observe#module:tick).
    type: dict
    required: true
  answers:
    description: The answers of webhook gates, and of users' own tasks in the same shape.
    type: list
    elements: dict
    default: []
  outcomes:
    description: The outcomes of metric checks, and of users' own tasks in the same shape.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
"""

EXAMPLES = r"""
- name: Freeze the document
  progressive.delivery.canary_preflight:
    canary_name: podinfo
    canary_namespace: test
  register: preflight

- name: Look, without waiting
  progressive.delivery.canary_observe:
    document: "{{ preflight.document }}"
    holder: "{{ preflight.holder }}"
    mode: tick
  register: observed
  timeout: 0

- name: Decide
  progressive.delivery.canary_decide:
    document: "{{ preflight.document }}"
    holder: "{{ preflight.holder }}"
    tick: "{{ observed.tick }}"
  register: decided
  when: observed.tick.due and not observed.tick.open
"""

RETURN = r"""
decision:
  description: What is to be done now.
  type: dict
  returned: always
  contains:
    traffic:
      description: The order for M(progressive.delivery.traffic_weight); empty when there is none.
      type: dict
      returned: always
      sample: {"split": {"primary": 80, "canary": 20}, "services": false, "apex": false}
    workload:
      description: The order for M(progressive.delivery.primary_workload); empty when there is none.
      type: dict
      returned: always
      sample: {}
    phase:
      description: The phase after the decision.
      type: str
      returned: always
      sample: Progressing
    why:
      description: The decision in words.
      type: str
      returned: always
      sample: "all checks passed: canary to 20%"
"""

import dataclasses
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import stage as stages, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import LostLock, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.machine import decide, read_back
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Answer, Observation, Outcome, dump, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder
from ansible_collections.progressive.delivery.plugins.module_utils.kube import record as store
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "document": {"type": "dict", "required": True},
    "holder": {"type": "dict", "required": True},
    "tick": {"type": "dict", "required": True},
    "answers": {"type": "list", "elements": "dict", "default": []},
    "outcomes": {"type": "list", "elements": "dict", "default": []},
}


def execute(call: Call) -> dict[str, Any]:
    canary = thaw(call.params["document"])
    holder = load(Holder, call.params["holder"])
    tick = call.params["tick"]
    seen = _load(Observation, tick.get("seen") or {}, "tick.seen")
    answers = [_load(Answer, item, "answers") for item in call.params["answers"]]
    outcomes = [_load(Outcome, item, "outcomes") for item in call.params["outcomes"]]
    stored = store.read(call.api, canary.namespace, canary.name)
    if stored.record is None or not store.is_ours(stored.record, holder.run) or stored.record.epoch != tick.get("epoch"):
        raise LostLock(store.held_by(stored.record)) if stored.record else store.deleted(canary.namespace, canary.name)
    seen = dataclasses.replace(seen, orders=stored.orders)      # what people asked for meanwhile counts too
    record = read_back(canary, stored.record, seen).record
    judged = stages.stage(canary, record, seen) == stages.JUDGE
    decision = decide(canary, record, seen, answers, outcomes)
    why = ", ".join([*words.ordered(stored.record, decision.record, decision.why), decision.why])
    after = dataclasses.replace(decision.record, report=words.report(why, answers, outcomes),
                                judged_by=holder.run if judged else decision.record.judged_by)
    changed = after != stored.record or bool(decision.obeyed)
    if changed and not call.check_mode:
        store.agree(call.api, stored.record)
        now = call.api.now()
        # Nobody renews the lease while the gateway's controller is waited for.
        until = now + canary.options.lease + canary.options.max_time_to_accept if decision.traffic else 0.0
        after = store.held(after, holder, now, canary.options.lease, until, call.api.clock())
        store.write(call.api, stored, after, obeyed=decision.obeyed)
    return {"changed": changed, "decision": {
        "traffic": _order(decision.traffic), "workload": _order(decision.workload), "phase": after.phase, "weight": after.canary_weight,
        "failed_checks": after.failed_checks, "why": decision.why, "waits": decision.waits}}


def _order(order: Any) -> dict[str, Any]:
    return dump(order) if order else {}


def _load(kind: type, data: dict[str, Any], option: str) -> Any:
    try:
        return load(kind, data)
    except TypeError as error:
        raise SpecError(option, f"is not a whole {kind.__name__.lower()}: {error}", "give what the verb that made it returned") from None


VERB = Verb(name="canary_decide", options=OPTIONS, execute=execute)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
