#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_observe
short_description: Look at a canary, and wait until a tick of its walk is due
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - The first step of every tick of the role M(progressive.delivery.canary_decide) decides for. Claims the record when there is something to do,
    reads back what was ordered before, tells about it (Kubernetes Events, event hooks, alerts, the status of a Canary object, one line for people),
    waits until the next tick is due, and says what that tick has to ask.
  - With O(mode=tick) it does not wait for evidence. A tick that is not due claims nothing and writes nothing.
  - An alert that cannot be delivered is a warning, and nothing waits for it longer than ten seconds.
  - It changes no workload and no traffic.
  - In check mode it is skipped, since a look that claims nothing is what M(progressive.delivery.canary_info) gives, and a plan what
    M(progressive.delivery.canary_preflight) gives.
options:
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
    required: true
  credentials:
    description:
      - What RV(progressive.delivery.canary_preflight#module:document) is without, as RV(progressive.delivery.canary_preflight#module:credentials) gives it.
      - Left out, whatever needs a credential of the document is not asked, and counts as without an answer.
    type: dict
  holder:
    description: Who walks, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
    required: true
  mode:
    description:
      - V(walk) waits for what is due.
      - V(tick) ends the run when nothing is due.
    type: str
    choices: [walk, tick]
    default: walk
  on_wait:
    description: Whether a walk waits at a closed gate, or ends there with the outcome V(waiting).
    type: str
    choices: [wait, end]
    default: wait
  take_over:
    description: Take the record over even from a run that is alive. What that run still sends is refused. For aborts.
    type: bool
    default: false
  abort:
    description:
      - The run is an abort. Where the record cannot be read, or there is none, all traffic is taken back to a primary that can answer, pods and
        record are left alone, and the outcome is V(held).
    type: bool
    default: false
  asked:
    description: The revision that this run was started for. When another one is promoted instead, the outcome is V(superseded).
    type: str
    default: ""
  anew:
    description: Begin again from the start where the canary was removed before. Without it, what is removed stays removed.
    type: bool
    default: false
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
attributes:
  check_mode:
    description: Is skipped in check mode.
    support: none
"""

EXAMPLES = r"""
- name: Freeze the document
  progressive.delivery.canary_preflight:
    canary_name: podinfo
    canary_namespace: test
  register: preflight

- name: Wait until a tick is due
  progressive.delivery.canary_observe:
    document: "{{ preflight.document }}"
    holder: "{{ preflight.holder }}"
  register: observed
  timeout: 0
"""

RETURN = r"""
tick:
  description: What is due now, or how the run ended.
  type: dict
  returned: always
  contains:
    due:
      description: Whether there is something to do now.
      type: bool
      returned: always
      sample: true
    outcome:
      description: >-
        How the run ended: promoted, rolled_back, aborted, waiting, held, superseded, lost_lock, not_due, unchanged or removed. Empty while it goes on.
      type: str
      returned: always
      sample: ""
    why:
      description: The outcome in words.
      type: str
      returned: when the run ended
      sample: analysis completed
    phase:
      description: The phase, in Flagger's words.
      type: str
      returned: always
      sample: Progressing
    weight:
      description: The canary's confirmed share of the traffic, in percent.
      type: int
      returned: always
      sample: 20
    epoch:
      description: The fence of this claim; whoever writes with an older one is refused.
      type: int
      returned: always
      sample: 3
    asks:
      description: Indexes of the webhooks to ask before the checks, of the checks, and of the webhooks to ask after them.
      type: dict
      returned: always
      sample: {"before": [1], "checks": [0, 1], "after": []}
    open:
      description: Orders of an earlier decision that were not seen done yet; they are carried out before anything else.
      type: dict
      returned: always
      sample: {}
    seen:
      description: What the cluster showed, for M(progressive.delivery.canary_decide).
      type: dict
      returned: always
    window:
      description: Seconds of evidence there are at the present weight.
      type: float
      returned: always
      sample: 10.0
    checksum:
      description: The checksum that webhooks are sent.
      type: str
      returned: always
      sample: 85d557f47b
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import webhooks
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import messages_of
from ansible_collections.progressive.delivery.plugins.module_utils.alerts.sending import send
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import LostLock
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Holder, Record, Told
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import secrets
from ansible_collections.progressive.delivery.plugins.module_utils.kube.rounds import Round
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "document": {"type": "dict", "required": True},
    "credentials": {"type": "dict", "no_log": False},      # nobody prints it; with no_log every word in it would vanish from results
    "holder": {"type": "dict", "required": True},
    "mode": {"type": "str", "choices": ["walk", "tick"], "default": "walk"},
    "on_wait": {"type": "str", "choices": ["wait", "end"], "default": "wait"},
    "take_over": {"type": "bool", "default": False},
    "abort": {"type": "bool", "default": False},
    "asked": {"type": "str", "default": ""},
    "anew": {"type": "bool", "default": False},
}


def execute(call: Call) -> dict[str, Any]:
    canary = thaw(call.params["document"], call.params["credentials"])
    call.subject = f"{canary.namespace}/{canary.name}"
    one = Round(
        call.api, canary, load(Holder, call.params["holder"]), call.say, _announcer(canary, call),
        mode=call.params["mode"], on_wait=call.params["on_wait"], take_over=call.params["take_over"], asked=call.params["asked"], anew=call.params["anew"],
        abort=call.params["abort"], impatient=call.impatient, document=call.params["document"])
    try:
        tick = one.run()
    except LostLock as error:
        tick = {"due": False, "outcome": "lost_lock", "why": str(error), "phase": "", "weight": 0, "epoch": 0,
                "asks": {"before": [], "checks": [], "after": []}, "open": {}, "seen": {}, "window": 0.0, "checksum": ""}
    if tick.pop("again", False):
        return {"changed": one.changed, "again": True}
    return {"changed": one.changed, "tick": tick}


def _announcer(canary: Canary, call: Call) -> Callable[[Record, Sequence[Told]], None]:
    """Event hooks are told everything that becomes a Kubernetes Event, and alerts what people should know at once.

    Neither decides anything (WS 49: bounded, and never in a rollback's way). When it was is told by the API server's clock, as in everything
    else that is told (SAFETY 27).
    """
    def announce(record: Record, messages: Sequence[Told]) -> None:
        hooks, api = canary.analysis.of_type("event"), call.api
        if hooks:
            webhooks.announce(canary, hooks, record.phase, messages, now=api.now())
        if canary.analysis.alerts:
            told = messages_of(canary, record.phase, messages, api.now())
            for problem in send(canary.analysis.alerts, told, functools.partial(secrets.of_alerts, api)):
                call.warn(problem)
    return announce


VERB = Verb(name="canary_observe", options=OPTIONS, execute=execute, supports_check_mode=False)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
