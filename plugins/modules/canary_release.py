#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_release
short_description: Give the target of a canary a new version
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Sets images in the pod template of a Deployment or DaemonSet, or patches the template, and changes nothing else. The walk that follows brings the
    new version to its users, or back.
  - The role P(progressive.delivery.canary#role) does this by its variable C(canary_release), after all checks and before the walk; alone, this module
    is for playbooks that release and walk at different times.
  - It refuses, and changes nothing, where a GitOps tool owns the fields that would change, since that tool would put them back.
  - It refuses where a living run walks the canary that the target belongs to; when nobody walks it now, the next run begins the analysis
    again with the new version.
  - Every change rests on the resourceVersion that was read for it. What would change is asked of the API server by a dry run, also outside check mode.
options:
  target:
    description: Name of the workload.
    type: str
  kind:
    description: Kind of O(target). Of no meaning with O(document), which names it.
    type: str
    choices: [Deployment, DaemonSet]
    default: Deployment
  namespace:
    description: Namespace of O(target).
    type: str
  images:
    description: An image by the name of each container, or init container, that gets a new one.
    type: dict
  patch:
    description:
      - A strategic merge patch of the pod template, as it stands under C(spec.template) of the workload - C(metadata) with labels and annotations, and
        C(spec). Containers and volumes are merged by their names.
      - Fields that the API server does not know are refused.
    type: dict
  take_over:
    description:
      - Release also while a living run walks the canary. Its analysis begins again with the new version, and it ends as superseded, or as lost_lock where
        the run that released takes the canary over, as the role does with C(canary_take_over).
    type: bool
    default: false
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it, in place of O(target) and O(namespace).
    type: dict
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
attributes:
  diff_mode:
    support: full
seealso:
  - module: progressive.delivery.canary_preflight
  - module: progressive.delivery.primary_workload
"""

EXAMPLES = r"""
- name: A new image for podinfo
  progressive.delivery.canary_release:
    target: podinfo
    namespace: test
    images:
      podinfo: ghcr.io/stefanprodan/podinfo:6.14.1

- name: Another log level, and a note of who asked for it
  progressive.delivery.canary_release:
    target: podinfo
    namespace: test
    patch:
      metadata:
        annotations:
          example.com/change: "4711"
      spec:
        containers:
          - name: podinfo
            env:
              - name: PODINFO_LEVEL
                value: debug
"""

RETURN = r"""
before:
  description: The workload before the task.
  type: dict
  returned: always
  contains: &workload
    name:
      description: Its name.
      type: str
      returned: always
      sample: podinfo
    replicas:
      description: The replicas it should have; of a DaemonSet 1, or 0 where no node runs it.
      type: int
      returned: always
      sample: 0
    revision:
      description: A hash of what its pod template means.
      type: str
      returned: always
      sample: 3ee3ded144dbb9582016a85f1a2eecc4d90be098e60da2eee9fdcd391e1c7415
    promoted:
      description: Empty for a target.
      type: str
      returned: always
      sample: ""
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
restarts:
  description: What the new version does to the walk that is under way, in words; empty where there is none.
  type: str
  returned: always
  sample: the analysis of revision 9f86d08188, Progressing at 20%, is given up, and begins again with 3ee3ded144
"""

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, releasing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import LostLock, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.releasing import Release
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import short
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import DAEMONSET, DEPLOYMENT, Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import look, record as store, releasing as releases
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import place as place_of_target, target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import Work
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "target": {"type": "str"},
    "kind": {"type": "str", "choices": [DEPLOYMENT, DAEMONSET], "default": DEPLOYMENT},
    "namespace": {"type": "str"},
    "images": {"type": "dict"},
    "patch": {"type": "dict"},
    "take_over": {"type": "bool", "default": False},
    "document": {"type": "dict"},
}
ALONE = ("target", "namespace")


def execute(call: Call) -> dict[str, Any]:
    return _in_role(call) if call.params["document"] is not None else _alone(call)


def _in_role(call: Call) -> dict[str, Any]:
    canary = thaw(call.params["document"])
    call.subject = f"{canary.namespace}/{canary.name}"
    releasing.refuse_kind(canary.target_kind, "canary_release")
    return _released(call, target_ref(canary), canary.name, "canary_release", canary)


def _alone(call: Call) -> dict[str, Any]:
    call.subject = f"{call.params['namespace']}/{call.params['target']}"
    return _released(call, place_of_target(call.params["kind"], call.params["namespace"], call.params["target"]), "", "")


def _released(call: Call, place: Ref, name: str, option: str, canary: Canary | None = None) -> dict[str, Any]:
    release = releasing.read({key: call.params[key] for key in ("images", "patch")}, option)
    live = call.api.get(place)
    if live is None:
        raise SpecError("spec.targetRef.name" if option else "target", f"there is no {place.kind} '{place.name}' in namespace {place.namespace}",
                        f"accepted: the name of a {place.kind} that exists there")
    owner = name or marks.annotations_of(live).get(marks.CANARY, "")
    stored = store.read(call.api, place.namespace, owner) if owner else Stored(place.namespace, owner)
    work = _put(call, place, live, release, stored, option)
    result = work.result()
    after = look.revision(call.api, canary, work.after) if canary else result["after"]["revision"]
    told = releases.restarts(stored, after) if result["changed"] else ""
    if result["changed"]:
        _say(call, work, after, told)
        for text in releasing.warnings(releasing.changed(live, work.after)):
            call.warn(text)
    if not call.diff:
        del result["diff"]
    return {**result, "restarts": told}


def _put(call: Call, place: Ref, live: dict[str, Any], release: Release, stored: Stored, option: str) -> Work:
    """Nothing changes in mid-walk of somebody alive, unless that is meant; asking again for what is there is no change."""
    held = "" if call.params["take_over"] else releases.held_by_the_living(call.api, stored)
    work = releases.put(call.api, place, live, release, stored.name, option, call.check_mode or bool(held))
    if held and work.changes[0].changed:
        raise LostLock(f"{held}: nothing was released, wait until it has ended, or set {'canary_' if option else ''}take_over: true")
    return work


def _say(call: Call, work: Work, revision: str, told: str) -> None:
    images = releasing.images_line(work.before or {}, work.after)
    line = f"{'would release' if call.check_mode else 'released'} revision {short(revision)}" + (f" ({images})" if images else "")
    call.say(f"{line}; {told}" if told else line)


VERB = Verb(
    name="canary_release",
    options=OPTIONS,
    execute=execute,
    mutually_exclusive=(*((one, "document") for one in ALONE), ("images", "patch")),
    required_together=(ALONE,),
    required_one_of=(("target", "document"), ("images", "patch")),
)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
