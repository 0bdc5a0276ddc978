#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: primary_workload
short_description: Make, promote or restore the primary of a Deployment or DaemonSet, or scale its target
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - The primary is a second workload of the same kind, called like the target with C(-primary) after it, that serves users while the target is tried out. This
    module makes it as a copy of the target, and later gives it a template of the target, or one that it had before.
  - The copy selects its pods by one label, whose value is the target's with C(-primary) after it. Anti-affinity and topology spread of the pods among
    themselves follow it. Labels and annotations by which other tools would adopt or prune the copy are left out.
  - The primary's replicas are never changed after it was made. In the role they are its autoscaler's, where the document names one.
  - In the role the primary reads copies of the target's ConfigMaps and Secrets. Alone, this module copies none, and the primary reads those of the target.
  - Alone it works on a O(target). In the role it carries out the O(order) of a decision on a frozen O(document).
  - Every change rests on the resourceVersion that was read for it.
options:
  target:
    description: Name of the workload that gets the new versions.
    type: str
  kind:
    description: Kind of O(target). Of no meaning with O(document), which names it.
    type: str
    choices: [Deployment, DaemonSet]
    default: Deployment
  namespace:
    description: Namespace of O(target).
    type: str
  state:
    description:
      - V(present) makes the primary from the target as it is, with O(replicas) replicas, unless it is there.
      - V(promoted) gives the primary the template that the target has now, or the one of the target's O(replicaset).
      - V(restored) gives the primary the template that it had when O(replicaset), one of its own, was made.
      - V(scaled) gives the target O(replicas) replicas, through the scale subresource. A DaemonSet, which has no such number, is taken off all nodes by 0,
        by a node selector that no node fulfils (C(flagger.app/scale-to-zero), as Flagger does it), and let on its nodes again by any other number.
    type: str
    choices: [present, promoted, restored, scaled]
    default: present
  replicas:
    description:
      - Replicas of the target with O(state=scaled), where it is required.
      - Replicas of a primary to be made with O(state=present). Left out, as many as the target has, at least 1. A DaemonSet has none.
    type: int
  replicaset:
    description: Name of a ReplicaSet, of a DaemonSet of a ControllerRevision, whose template is wanted. Required with O(state=restored).
    type: str
  selector_labels:
    description: Labels that tell target and primary apart. The first one that the target's selector requires is used.
    type: list
    elements: str
    default: [app, name, app.kubernetes.io/name]
  label_prefixes:
    description:
      - Beginnings of the labels and annotations of the target (not of its pods) that the primary gets too. V(*) means all.
      - Left out, it gets none of them.
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait until the workload is rolled out, and to fail when it is not in time. Only without O(document).
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
  order:
    description: What to do, as M(progressive.delivery.canary_decide) returns it under C(decision.workload). Required with O(document).
    type: dict
  epoch:
    description:
      - The fence of the claim, as M(progressive.delivery.canary_observe) returns it. Objects that a later run has fenced are not touched.
        Required with O(document).
    type: int
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
attributes:
  diff_mode:
    support: full
seealso:
  - module: progressive.delivery.traffic_weight
"""

EXAMPLES = r"""
- name: A primary of podinfo
  progressive.delivery.primary_workload:
    target: podinfo
    namespace: test
    wait: true

- name: The target's present version to the users of the primary
  progressive.delivery.primary_workload:
    target: podinfo
    namespace: test
    state: promoted
    wait: true

- name: The target to rest
  progressive.delivery.primary_workload:
    target: podinfo
    namespace: test
    state: scaled
    replicas: 0
"""

RETURN = r"""
before:
  description: The workload that the task is about, before it. Null where there was none.
  type: dict
  returned: always
  contains: &workload
    name:
      description: Its name.
      type: str
      returned: always
      sample: podinfo-primary
    replicas:
      description: The replicas it should have; of a DaemonSet 1, or 0 where no node runs it.
      type: int
      returned: always
      sample: 2
    revision:
      description: A hash of what its pod template means.
      type: str
      returned: always
      sample: 3ee3ded144dbb9582016a85f1a2eecc4d90be098e60da2eee9fdcd391e1c7415
    promoted:
      description: The revision of the target that was promoted to it, empty for a target.
      type: str
      returned: always
      sample: d68bd82e164578cda72b0bd5f68a7022acd53562610ec43ff797edb5cee2f5d1
    images:
      description: The images of its containers, by the containers' names.
      type: dict
      returned: always
      sample: {"podinfo": "ghcr.io/stefanprodan/podinfo:6.14.1"}
after:
  description: The same workload after the task; in check mode as it would be.
  type: dict
  returned: always
  contains: *workload
ready:
  description: Whether it was rolled out when the task ended, or had gone where no replicas were asked for.
  type: bool
  returned: with O(wait)
  sample: true
"""

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import WorkloadOrder, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, DEPLOYMENT, Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import waits, workloads
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import Work
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Writer
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "target": {"type": "str"},
    "kind": {"type": "str", "choices": [DEPLOYMENT, DAEMONSET], "default": DEPLOYMENT},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "promoted", "restored", "scaled"], "default": "present"},
    "replicas": {"type": "int"},
    "replicaset": {"type": "str"},
    "selector_labels": {"type": "list", "elements": "str", "default": ["app", "name", "app.kubernetes.io/name"]},
    "label_prefixes": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "document": {"type": "dict"},
    "order": {"type": "dict"},
    "epoch": {"type": "int"},
}
ALONE = ("target", "namespace")
IN_ROLE = ("document", "order", "epoch")


def execute(call: Call) -> dict[str, Any]:
    return _in_role(call) if call.params["document"] is not None else _alone(call)


def _in_role(call: Call) -> dict[str, Any]:
    canary = thaw(call.params["document"])
    call.subject = f"{canary.namespace}/{canary.name}"
    try:
        order = load(WorkloadOrder, call.params["order"])
    except TypeError as error:
        raise SpecError("order", f"is not a whole order for a workload: {error}", "give decision.workload as canary_decide returned it") from None
    return _result(call, workloads.apply_workload(call.api, canary, order, call.params["epoch"], call.check_mode).result())


def _alone(call: Call) -> dict[str, Any]:
    canary = _canary(call.params)
    call.subject = f"{canary.namespace}/{canary.target}"
    replicas = call.params["replicas"]
    if replicas is not None and replicas < 0:
        raise SpecError("replicas", f"{replicas} is less than none", "accepted: 0 and more")
    limit = waits.Limit(call.memory, call.params["wait_timeout"])
    work = _work(call, canary)
    _warn_of_walks(call, work)
    result = limit.whole(work.result(), first=("before",))
    if call.params["wait"] and not call.check_mode:
        state, early = workloads.await_rollout(call.api, work.ref, limit.left(), call.impatient)
        if early:
            return {"changed": result["changed"], "again": True}
        result["ready"] = state.ready or result["after"]["replicas"] == 0
        if not result["ready"]:
            within = "" if state.stuck else f" within {call.params['wait_timeout']} s"
            raise CanaryError(f"{work.ref} is not rolled out{within}: {state.why}")
    return _result(call, result)


def _work(call: Call, canary: Canary) -> Work:
    writer = Writer(call.api, canary.name, 0, call.check_mode)
    state, replicaset, replicas = call.params["state"], call.params["replicaset"], call.params["replicas"]
    if state == "scaled":
        return workloads.scale(writer, target_ref(canary), replicas)
    if state == "promoted":
        return workloads.promote_kept(writer, canary, replicaset) if replicaset else workloads.promote_present(writer, canary)
    if state == "restored":
        return workloads.restore_kept(writer, canary, replicaset)
    return workloads.create_primary(writer, canary, replicas)


def _canary(params: dict[str, Any]) -> Canary:
    """As much of a document as a workload needs."""
    options = Options(selector_labels=tuple(params["selector_labels"]), label_prefixes=tuple(params["label_prefixes"]), config_tracking=False)
    return Canary(name="", namespace=params["namespace"], provider="", target=params["target"], target_kind=params["kind"],
                  service=Service(name=params["target"], port=0), analysis=Analysis(interval=0, threshold=1), options=options)


def _warn_of_walks(call: Call, work: Work) -> None:
    for one in work.changes:
        owner = marks.annotations_of(one.after).get(marks.CANARY) or marks.labels_of(one.after).get(marks.CANARY)
        if owner and one.changed:
            call.warn(f"{one.ref} belongs to the canary {owner}: its walk holds, or undoes what this task did")


def _result(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    return result if call.diff else {key: value for key, value in result.items() if key != "diff"}


VERB = Verb(
    name="primary_workload",
    options=OPTIONS,
    execute=execute,
    mutually_exclusive=tuple((one, "document") for one in (*ALONE, "replicas", "replicaset")),
    required_together=(ALONE, IN_ROLE),
    required_one_of=(("target", "document"),),
    required_if=(("state", "scaled", ("replicas",)), ("state", "restored", ("replicaset",))),
)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
