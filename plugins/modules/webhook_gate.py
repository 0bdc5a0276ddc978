#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_gate
short_description: Ask webhooks whether a release may go on
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Calls gates and hooks as Flagger does, by a POST of JSON with C(name), C(namespace), C(phase), C(checksum) and C(metadata).
  - There are three outcomes. V(allowed) is an answer of 200, 201, 202 or 204. V(refused) is any other answer. V(no_answer) says that nobody
    answered; no connection, a time-out, or 429, 502, 503 and 504, by which a server or the proxy before it says that it does not answer now.
  - Alone it takes one O(url). In the role it takes the hooks of a frozen O(document).
  - The hooks of one type are called in the order of the document, and the first that does not allow ends its type. Hooks of type V(rollback) are
    called until one allows the rollback; hooks of types V(post-rollout) and V(event) are all called.
  - The task fails only as O(fail_when) says, so that RV(allowed) can be used with C(until) and C(when).
  - In check mode nothing is called; RV(listed) says what would be.
options:
  url:
    description:
      - URL of the hook. Redirects are not followed.
      - Userinfo in the URL is sent as basic authentication, and never shown.
    type: str
  type:
    description: What kind of hook O(url) is. It says nothing to the hook, and decides with others how their answers are taken together.
    type: str
    choices:
      - confirm-rollout
      - pre-rollout
      - rollout
      - confirm-traffic-increase
      - confirm-promotion
      - post-rollout
      - rollback
      - event
    default: rollout
  name:
    description: What the hook is called in its answer, with O(url).
    type: str
    default: gate
  timeout:
    description: Seconds that one attempt may take, connection and answer included.
    type: float
    default: 10
  retries:
    description: >-
      Further attempts after a failed connection, 429, or 5xx other than 501; 1, 2, 4 seconds later, and so on, at most 30.
    type: int
    default: 0
  insecure_skip_verify:
    description: Do not verify the certificate of O(url). It has nothing to do with the cluster's certificate.
    type: bool
    default: false
  metadata:
    description: Sent to the hook as C(metadata). Values become texts. Left out, there is no C(metadata).
    type: dict
    default: {}
  canary_name:
    description: Sent to the hook as C(name).
    type: str
    default: ""
  canary_namespace:
    description: Sent to the hook as C(namespace).
    type: str
    default: ""
  phase:
    description: Sent to the hook as C(phase), one of Flagger's phases.
    type: str
    default: Progressing
  checksum:
    description: Sent to the hook as C(checksum), which stays the same while the release under analysis does.
    type: str
    default: ""
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
  credentials:
    description:
      - What RV(progressive.delivery.canary_preflight#module:document) is without, as RV(progressive.delivery.canary_preflight#module:credentials) gives it.
      - Left out, whatever needs a credential of the document is not asked, and counts as without an answer.
    type: dict
  hooks:
    description: Indexes of the entries of C(spec.analysis.webhooks) to call, with O(document).
    type: list
    elements: int
  fail_when:
    description: Outcomes of a hook that make the task fail. RV(answers) is returned all the same.
    type: list
    elements: str
    choices: [refused, no_answer, never]
    default: [never]
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
notes:
  - The options that say which cluster is meant are taken so that the module can stand in the same C(module_defaults) group as the others. No
    connection to the cluster is made.
"""

EXAMPLES = r"""
- name: Ask a gate
  progressive.delivery.webhook_gate:
    url: "{{ lookup('ansible.builtin.env', 'LOADTESTER_URL') }}/gate/approve"
    canary_name: podinfo
    canary_namespace: test
  register: gate

- name: Open the gate
  progressive.delivery.webhook_gate:
    url: "{{ lookup('ansible.builtin.env', 'LOADTESTER_URL') }}/gate/open"
    canary_name: podinfo
    canary_namespace: test
    fail_when: [refused, no_answer]

- name: Wait until somebody opens the gate
  progressive.delivery.webhook_gate:
    url: "{{ lookup('ansible.builtin.env', 'LOADTESTER_URL') }}/gate/check"
    type: confirm-promotion
    canary_name: podinfo
    canary_namespace: test
  register: gate
  until: gate.allowed
  retries: 30
  delay: 2

- name: Have the load tester run a command, and stop here when it fails
  progressive.delivery.webhook_gate:
    url: "{{ lookup('ansible.builtin.env', 'LOADTESTER_URL') }}/"
    type: pre-rollout
    name: acceptance-test
    timeout: 30
    metadata:
      type: bash
      cmd: "true"
    fail_when: refused
"""

RETURN = r"""
answers:
  description: One entry for each hook that was called, in the order in which they were.
  type: list
  elements: dict
  returned: always
  sample:
    - index: 0
      name: acceptance-test
      type: pre-rollout
      outcome: refused
      status: 500
      body: "command npm test failed: 1 of 12 tests"
      seconds: 4.112
  contains:
    index:
      description: Place of the hook in the document; 0 with O(url).
      type: int
      returned: always
      sample: 0
    name:
      description: Name of the hook.
      type: str
      returned: always
      sample: acceptance-test
    type:
      description: Type of the hook.
      type: str
      returned: always
      sample: pre-rollout
    outcome:
      description: V(allowed), V(refused) or V(no_answer).
      type: str
      returned: always
      sample: refused
    status:
      description: HTTP status of the last attempt; 0 when nobody answered.
      type: int
      returned: always
      sample: 500
    body:
      description: The beginning of the answer on one line, or why there is none.
      type: str
      returned: always
      sample: "command npm test failed: 1 of 12 tests"
    seconds:
      description: How long the call took, with all attempts.
      type: float
      returned: always
      sample: 4.112
allowed:
  description: >-
    Whether nothing stands in the way; every hook called allowed, and of rollback hooks one did. True when there was nothing to call, and in check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: What stood in the way, in words.
  type: str
  returned: when a hook did not allow
  sample: "pre-rollout acceptance-test: refused (500): command npm test failed: 1 of 12 tests"
listed:
  description: What would be called, or was; index, name, type and url of each hook, the url without credentials.
  type: list
  elements: dict
  returned: always
  sample:
    - index: 0
      name: acceptance-test
      type: pre-rollout
      url: http://loadtester.test/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import webhooks
from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, NO_ANSWER, REFUSED, Answer
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HOOK_TYPES, ROLLOUT, Canary, Hook
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

NEVER = "never"

OPTIONS = {
    "url": {"type": "str"},
    "type": {"type": "str", "choices": list(HOOK_TYPES), "default": ROLLOUT},
    "name": {"type": "str", "default": "gate"},
    "timeout": {"type": "float", "default": 10},
    "retries": {"type": "int", "default": 0},
    "insecure_skip_verify": {"type": "bool", "default": False},
    "metadata": {"type": "dict", "default": {}},
    "canary_name": {"type": "str", "default": ""},
    "canary_namespace": {"type": "str", "default": ""},
    "phase": {"type": "str", "default": "Progressing"},
    "checksum": {"type": "str", "default": ""},
    "document": {"type": "dict"},
    "credentials": {"type": "dict", "no_log": False},      # nobody prints it; with no_log every word in it would vanish from results
    "hooks": {"type": "list", "elements": "int"},
    "fail_when": {"type": "list", "elements": "str", "choices": [REFUSED, NO_ANSWER, NEVER], "default": [NEVER]},
}


@dataclass(frozen=True)
class Named:
    """Whose hook it is, where there is no document."""

    name: str
    namespace: str


def execute(call: Call) -> dict[str, Any]:
    canary: Canary | Named
    if call.params["document"] is not None:
        canary = thaw(call.params["document"], call.params["credentials"])
        hooks = _chosen(canary, call.params["hooks"])
    else:
        canary = Named(call.params["canary_name"], call.params["canary_namespace"])
        hooks = [_alone(call.params)]
    call.subject = f"{canary.namespace}/{canary.name}".strip("/")
    answers: Sequence[Answer] = ()
    if not call.check_mode:
        answers = webhooks.ask(hooks, lambda hook: webhooks.payload(canary, call.params["phase"], call.params["checksum"], hook.metadata))
    if call.params["document"] is None:
        if call.params["insecure_skip_verify"]:
            call.warn(f"insecure_skip_verify is true: the certificate of {formats.url_shown(call.params['url'])} is not verified")
        _tell(call, hooks, answers)
    return _result(hooks, answers, call.params["fail_when"])


def _chosen(canary: Canary, indexes: Sequence[int]) -> list[Hook]:
    """The document's hooks at these indexes, in the document's order."""
    hooks = canary.analysis.hooks
    known = {hook.index for hook in hooks}
    unknown = [index for index in indexes if index not in known]
    if unknown:
        raise SpecError("hooks", f"there is no webhook {unknown[0]}", f"the document has {len(hooks)}, counted from 0")
    return [hook for hook in hooks if hook.index in indexes]


def _alone(params: Mapping[str, Any]) -> Hook:
    wrong = formats.URL.wrong(params["url"])
    if wrong:
        raise SpecError("url", f"'{formats.url_shown(params['url'])}' {wrong}", f"accepted: {formats.URL.accepted}")
    if params["timeout"] <= 0 or params["retries"] < 0:
        raise SpecError("timeout, retries", f"{params['timeout']:g} and {params['retries']} do not fit",
                        "accepted: seconds above 0, and a number of retries from 0")
    return Hook(
        index=0, type=params["type"], name=params["name"], url=params["url"], timeout=params["timeout"],
        retries=params["retries"], disable_tls=params["insecure_skip_verify"],
        metadata={str(key): str(value) for key, value in params["metadata"].items()})


def _tell(call: Call, hooks: Sequence[Hook], answers: Sequence[Answer]) -> None:
    for answer in answers:
        call.say(words.answer_text(answer) + (f": {answer.body}" if answer.body and answer.outcome != ALLOWED else ""))
    for hook in () if answers else hooks:
        call.say(f"{hook.type} {hook.name}: would be called at {shown.url(hook.url)}")


def _result(hooks: Sequence[Hook], answers: Sequence[Answer], fail_when: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": False,
        "answers": answers,
        "allowed": webhooks.allowed(answers),
        "listed": [{"index": hook.index, "name": hook.name, "type": hook.type, "url": shown.url(hook.url)} for hook in hooks],
    }
    unwilling = [answer for answer in answers if answer.outcome != ALLOWED]
    if unwilling:
        # Also without failing: it is what Ansible shows when an `until` runs out.
        result["msg"] = "; ".join(map(_why, unwilling))
    return {**result, "failed": True} if any(answer.outcome in fail_when for answer in answers) else result


def _why(answer: Answer) -> str:
    return words.answer_text(answer) + (f": {answer.body}" if answer.body else "")


VERB = Verb(
    name="webhook_gate",
    options=OPTIONS,
    execute=execute,
    mutually_exclusive=(("document", "url"),),
    required_one_of=(("document", "url"),),
    required_together=(("document", "hooks"),),
)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
