#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_order
short_description: Approve, abort, suspend, resume, promote or remove a canary
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Writes a person's order beside the record of a canary. Whoever walks the canary obeys it within two seconds;
    when nobody walks it, the next run does.
  - An order is an annotation of the record, so C(kubectl annotate configmap podinfo-canary progressive.delivery/abort="who and why") says the same.
options:
  order:
    description:
      - V(approve) opens the gate that waits, for the revision and the run that wait there, and for nothing else.
      - V(abort) takes all traffic back to the primary, drains the canary and scales it to 0.
      - V(suspend) holds the canary where it is; V(resume) goes on, also after somebody lowered the weight by hand.
      - V(promote) promotes the revision under analysis as soon as it is ready, without further checks.
      - V(remove) gives everything back to the target and then deletes what was made for the canary.
        Whoever obeys it needs the permission to delete; P(progressive.delivery.canary#role) with C(canary_state=absent) orders and does it.
    type: str
    required: true
    choices: [approve, abort, suspend, resume, promote, remove]
  gate:
    description: The gate to approve. When left out, the one that waits now.
    type: str
    choices: [confirm-rollout, confirm-traffic-increase, confirm-promotion]
  keep:
    description:
      - With O(order=remove), whose pod template the target serves with afterwards.
      - V(primary) gives it the promoted template back where it has another one. V(target) leaves it the one that it has, tried or not.
    type: str
    choices: [primary, target]
    default: primary
  reason:
    description: Why. It stands in the record, in Events and in the outcome.
    type: str
    default: ""
  by:
    description:
      - Who says so; it stands before O(reason). It is told, not proved, the audit log of the API server knows whose credentials were used.
      - When left out, the user who launched the job in AWX, else the user and the host of the process that runs the playbook.
    type: str
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.canary
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
"""

EXAMPLES = r"""
- name: Let the canary that waits for approval go on
  progressive.delivery.canary_order:
    name: podinfo
    namespace: test
    order: approve
    reason: approved in change 4711

- name: Take everything back
  progressive.delivery.canary_order:
    name: podinfo
    namespace: test
    order: abort
    reason: error budget spent
"""

RETURN = r"""
order:
  description: The annotation as it stands beside the record now.
  type: dict
  returned: always
  sample: {"progressive.delivery/abort": "alice@ci-7: error budget spent"}
phase:
  description: The phase that the order met.
  type: str
  returned: always
  sample: WaitingPromotion
"""

import json
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import record as states
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, RecordError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, order_key
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import CONFIRM_PROMOTION, CONFIRM_ROLLOUT, GATES
from ansible_collections.progressive.delivery.plugins.module_utils.kube import record as store
from ansible_collections.progressive.delivery.plugins.module_utils.options import IDENTITY
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb
from ansible_collections.progressive.delivery.plugins.module_utils.walker import person

OPTIONS = {
    **IDENTITY,
    "order": {"type": "str", "required": True, "choices": ["approve", "abort", "suspend", "resume", "promote", "remove"]},
    "keep": {"type": "str", "choices": [states.KEEP_PRIMARY, states.KEEP_TARGET], "default": states.KEEP_PRIMARY},
    "gate": {"type": "str", "choices": list(GATES)},
    "reason": {"type": "str", "default": ""},
    "by": {"type": "str"},
}
LONGEST_NAME = 100          # characters of who gives an order


def execute(call: Call) -> dict[str, Any]:
    namespace, name, order = call.params["namespace"], call.params["name"], call.params["order"]
    if call.params["gate"] and order != "approve":
        raise SpecError("gate", f"is only for order=approve, not for order={order}", "leave it out")
    stored = store.read(call.api, namespace, name)
    if stored.record is None:
        raise RecordError(f"there is no canary {name} in {namespace}: it has no record ConfigMap {name}-canary, so there is nothing to {order}")
    said = _said(call.params["by"] or person(), call.params["reason"])
    wanted = _annotations(order, stored.record, call.params["gate"], said, call.params["keep"])
    changed = store.annotate(call.api, namespace, name, wanted, check_mode=call.check_mode)
    call.say(f"{stored.record.phase}: {order} ({said})")
    return {"changed": changed, "order": {key: value for key, value in wanted.items() if value is not None}, "phase": stored.record.phase}


def _said(by: str, reason: str) -> str:
    """``alice@ci-7: error budget spent``; who comes first, and is kept where a long reason is cut."""
    return ": ".join(filter(None, (excerpt(by, LONGEST_NAME), excerpt(reason, states.LONGEST_ORDER - LONGEST_NAME - 2))))


def _annotations(order: str, record: Record, gate: str | None, said: str, keep: str) -> dict[str, str | None]:
    """What the annotations are to be; None takes one away."""
    pinned = record.pinned.revision if record.pinned else ""
    if order == "approve":
        gate = gate or _waiting_gate(record)
        if not pinned:
            raise CanaryError(f"{record.name}.{record.namespace} is {record.phase}: no revision waits there for an approval")
        return {order_key("approve", gate): json.dumps({"revision": pinned, "run": record.run, "by": said}, sort_keys=True)}
    if order == "remove":
        return {order_key("remove"): states.removal_text(said, keep)}
    if order == "promote":
        if record.phase not in states.ANALYSING:
            raise CanaryError(f"{record.name}.{record.namespace} is {record.phase}: only a revision under analysis can be promoted")
        return {order_key("promote"): json.dumps({"revision": pinned, "run": record.run, "by": said}, sort_keys=True)}
    if order == "resume":
        return {order_key("suspend"): None, order_key("halt"): None, order_key("resume"): said}
    return {order_key(order): said}


def _waiting_gate(record: Record) -> str:
    """The gate that is closed now. In mid-analysis none may be: the approval would open the next one, which nobody has seen yet."""
    waiting = {states.WAITING: CONFIRM_ROLLOUT, states.WAITING_PROMOTION: CONFIRM_PROMOTION}
    gate = record.closed_gate or waiting.get(record.phase)
    if not gate:
        raise CanaryError(f"{record.name}.{record.namespace} is {record.phase}: it waits at no gate; say which gate to open in advance")
    return gate


VERB = Verb(name="canary_order", options=OPTIONS, execute=execute)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
