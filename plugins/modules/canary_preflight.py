#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary_preflight
short_description: Check a canary's document and surroundings before anything is written
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - The first step of a run. Reads the Canary document from wherever it is, refuses in words what is wrong with it, and freezes it together with
    the options for the verbs that follow, such as M(progressive.delivery.canary_observe).
  - Says cheaply whether there is anything to do at all.
  - When a walk is about to begin it looks at the cluster as well - the target, its autoscaler, Services and route, the gateway, permissions, the metric server,
    other tools that would undo the walk's changes - and refuses with everything that is in the way, one line each.
  - It writes nothing, except reviews of its own permissions, which the API server does not keep.
  - In check mode it says in addition what a walk would do, step by step.
  - The document is taken from O(spec), O(text) or O(file); when neither is given, from the Canary object O(canary_name) in the cluster; when there is none,
    from the record of the canary, which keeps the document that it was walked by.
options:
  canary_name:
    description: Name of the canary. May be left out when the document says it.
    type: str
    default: ""
  canary_namespace:
    description: Namespace of the canary, its target, Services, route and record. May be left out when the document says it.
    type: str
    default: ""
  spec:
    description:
      - The Canary document, or only what stands under its C(spec).
      - "Queries with Flagger's C({{ }}) templates have to be marked C(!unsafe) in a playbook; or use O(text)."
    type: dict
  text:
    description:
      - "The text of a YAML file with the Canary document; MetricTemplates and AlertProviders may stand beside it. It is read raw: templates in queries
        stay as they are."
      - Documents of other kinds are left alone, with a warning.
    type: str
  file:
    description:
      - Path, on the controller, of the file that O(text) is read from when O(text) is left out. A relative one is looked for beside the playbook,
        in its folder C(files), and then in the present folder. The file may be encrypted with Ansible Vault.
      - Beside O(text) it only says where that comes from, for messages.
    type: str
  templates:
    description: MetricTemplate documents. Those that the document names and that are neither here nor in O(text) are read from the cluster.
    type: list
    elements: dict
    default: []
  alert_providers:
    description:
      - AlertProvider documents. Those that the document names and that are neither here nor in O(text) are read from the cluster.
      - Besides Flagger's types they may have the type V(webhook), which gets plain JSON.
    type: list
    elements: dict
    default: []
  options:
    description:
      - The variables of the role progressive.delivery.canary that say how to walk, without C(canary_) in front, such as C(drain).
        Those left out have the role's defaults.
      - While a walk is under way, and when the document comes from the record, options left at their default are as in the run before.
    type: dict
    default: {}
  mode:
    description:
      - V(walk) goes on to the end.
      - V(tick) does one tick if it is due; only then RV(glance) may be V(not_due).
    type: str
    choices: [walk, tick]
    default: walk
  abort:
    description:
      - The run is an abort. Where the record cannot be read, or there is none, that is no reason to refuse, and the surroundings are not looked at.
      - The document is then the given one, else the one that stands beside the damaged record, else the Canary object.
    type: bool
    default: false
  state:
    description:
      - V(present) prepares a walk, V(absent) the removal of the canary. Only a removal needs the permission to delete, and only it asks for that.
      - A canary that was removed begins anew when a walk with O(mode=walk) brings its document along, by O(spec), O(text), O(file) or a Canary
        object.
        Else RV(glance) is V(unchanged).
    type: str
    choices: [present, absent]
    default: present
  keep:
    description: With O(state=absent), whose pod template the target serves with afterwards, for the plan in check mode.
    type: str
    choices: [primary, target]
    default: primary
  deep:
    description: Whether to look at the cluster when a walk is about to begin. Without it, only the document is checked.
    type: bool
    default: true
  credentials:
    description:
      - Return only the credentials that addresses and headers of the document hold, for the options of that name of M(progressive.delivery.canary_observe),
        M(progressive.delivery.webhook_gate) and M(progressive.delivery.metric_check). For a task with C(no_log=true).
    type: bool
    default: false
  gitops_ignored:
    description:
      - Say that no GitOps tool puts back what a walk changes, because it was told to ignore these fields.
      - Left out, a tool whose marks are on these fields of the target, the apex Service or the route is a reason to refuse, with the setting that it needs.
    type: bool
    default: false
  release:
    description:
      - What M(progressive.delivery.canary_release) is going to do to the target, C(images) or C(patch). All checks, RV(asked), RV(glance) and the plan
        are then about the target as it would be; what this cannot be done to is a reason to refuse.
      - Left out, they are about the target as it is.
    type: dict
    default: {}
  take_over:
    description: Whether the run is going to release, and to walk, also while a living run walks the canary. Only with O(release).
    type: bool
    default: false
  flagger_is_gone:
    description:
      - Say that Flagger's controller no longer runs, or no longer looks at this namespace.
      - Left out, a Canary object whose status was last written by Flagger, and which is not suspended, is a reason to refuse.
    type: bool
    default: false
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
attributes:
  check_mode:
    description: Checks all the same, and says what a walk would do; it is C(changed) where a walk would do something.
    support: full
  diff_mode:
    description: In check mode, shows the plan of the walk.
    support: full
"""

EXAMPLES = r"""
- name: Check and freeze the Canary object of the cluster
  progressive.delivery.canary_preflight:
    canary_name: podinfo
    canary_namespace: test
  register: preflight

- name: Say what a walk would do
  progressive.delivery.canary_preflight:
    canary_name: podinfo
    canary_namespace: test
    options:
      drain: 5
  check_mode: true
  diff: true
"""

RETURN = r"""
canary:
  description: Namespace and name of the canary.
  type: str
  returned: success
  sample: test/podinfo
server:
  description: Address of the API server; together with RV(canary) it says which canary is meant, among all hosts of a play.
  type: str
  returned: success
  sample: https://10.0.0.1:6443
document:
  description:
    - The frozen document with its templates, alert providers and options, for the verbs of the walk.
    - Without the credentials that addresses and headers in it hold, so that neither output nor record shows them.
  type: dict
  returned: success, without O(credentials)
withheld:
  description: Where RV(document) has no credentials that the document has. O(credentials) gives them.
  type: list
  elements: str
  returned: success, without O(credentials)
  sample: [canary/spec/analysis/webhooks/0/url]
credentials:
  description: The texts with credentials that RV(document) is without, by their place in it.
  type: dict
  returned: with O(credentials)
  sample: {"canary/spec/analysis/webhooks/0/url": "https://gate.example.com/?token=..."}
holder:
  description: Who walks, for M(progressive.delivery.canary_observe) and M(progressive.delivery.canary_decide); new for every call.
  type: dict
  returned: success
  sample: {"run": "0d5f5f0b6a884c2f8a1f5b1d1c6f3b0e", "host": "ci-7", "boot": "", "pid_namespace": "", "pid": 4711, "started": 1,
           "since": 0, "renewed": 0, "until": 0}
asked:
  description:
    - The revision of the target's present pod template and of what its pods read (RV(tracked)), which a walk that begins now is for.
    - Empty when there is no target.
  type: str
  returned: success
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
glance:
  description:
    - Empty when the canary has to be walked. Else how a run ends that need not even begin.
    - V(unchanged) when the target runs what was promoted or rejected before, and the canary has no traffic.
    - V(rolled_back) or V(aborted) instead, with O(mode=walk), when what the target runs was rejected before.
    - V(not_due), only with O(mode=tick), when the next tick is more than 15 seconds away.
    - V(lost_lock), only with O(release), when a living run walks the canary and the release would change its target.
  type: str
  returned: success
  sample: ""
why:
  description: RV(glance) in words.
  type: str
  returned: success
  sample: "Succeeded: nothing changed"
phase:
  description: The phase of the canary, in Flagger's words; empty when it was never walked.
  type: str
  returned: success
  sample: Succeeded
release:
  description: O(release) as it was understood, for M(progressive.delivery.canary_release); empty when there is nothing to release.
  type: dict
  returned: success
  sample: {"images": {"podinfo": "ghcr.io/stefanprodan/podinfo:6.14.1"}}
initialise:
  description:
    - Whether a walk has to initialise the canary with what serves its users now, before RV(release) is done - the canary has no primary yet, and the target
      has pods that are available. RV(asked) is about that walk then.
  type: bool
  returned: success
  sample: false
tracked:
  description:
    - The ConfigMaps and Secrets of the target's pods that belong to its revision, C(Kind/name) each. A change in one of them is a new revision, and the
      primary reads copies of them.
    - Not those with Flagger's annotation C(flagger.app/config-tracking=disabled), nor Secrets of other types than opaque ones and credentials of
      basic-auth, ssh-auth and tls.
  type: list
  elements: str
  returned: success, without O(credentials)
  sample: [ConfigMap/podinfo, Secret/podinfo]
anew:
  description: Whether the canary was removed before and this walk begins it again, for M(progressive.delivery.canary_observe).
  type: bool
  returned: success
  sample: false
hooks:
  description: Indexes of the document's webhooks that a tick may have to ask, which are all but those of type event.
  type: list
  elements: int
  returned: success
  sample: [0, 1]
gates:
  description: Those of RV(hooks) that are gates.
  type: list
  elements: int
  returned: success
  sample: [0]
plan:
  description: What a walk would do, when every check passes and every gate opens.
  type: list
  elements: dict
  returned: in check mode
  sample:
    - {"after": 13.0, "phase": "Progressing", "weight": 20, "what": "all checks passed: canary to 30%", "waits": ""}
"""

import dataclasses
import functools
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import manifests, third_party, walker
from ansible_collections.progressive.delivery.plugins.module_utils.alerts import destination
from ansible_collections.progressive.delivery.plugins.module_utils.canary import document as documents, given as inputs, permissions, releasing
from ansible_collections.progressive.delivery.plugins.module_utils.canary import targets, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.configs import NONE, Configs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.surroundings.findings import Findings
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.flagger import FINALIZER
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, RecordError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.given import Given
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.outline import hooks_lines, plan_line
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import another_target, is_initialised
from ansible_collections.progressive.delivery.plugins.module_utils.canary.removing import DELETED
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import EVENT, GATES
from ansible_collections.progressive.delivery.plugins.module_utils.kube import configs, documents as in_cluster, look, preflight, record as store
from ansible_collections.progressive.delivery.plugins.module_utils.kube import releasing as releases, secrets, surroundings
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import FORBIDDEN
from ansible_collections.progressive.delivery.plugins.module_utils.kube.preflight import Found, Glance
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import ready
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "canary_name": {"type": "str", "default": ""},
    "canary_namespace": {"type": "str", "default": ""},
    "spec": {"type": "dict"},
    "text": {"type": "str"},
    "file": {"type": "str"},
    "templates": {"type": "list", "elements": "dict", "default": []},
    "alert_providers": {"type": "list", "elements": "dict", "default": []},
    "options": {"type": "dict", "default": {}},
    "mode": {"type": "str", "choices": ["walk", "tick"], "default": "walk"},
    "abort": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "keep": {"type": "str", "choices": ["primary", "target"], "default": "primary"},
    "deep": {"type": "bool", "default": True},
    "credentials": {"type": "bool", "default": False},
    "gitops_ignored": {"type": "bool", "default": False},
    "release": {"type": "dict", "default": {}},
    "take_over": {"type": "bool", "default": False},
    "flagger_is_gone": {"type": "bool", "default": False},
}
RELEASE = "canary_release"              # the role's name of the option release

NOBODY_WALKED_IT = (
    "{canary}: the Canary object is being deleted and waits for {finalizer}, but no record of a walk says what there is to give back (accepted: the Flagger "
    "that made it finishes; or it goes as it is by kubectl patch canary {name} -n {namespace} --type merge -p '{{\"metadata\": {{\"finalizers\": null}}}}', "
    "and what was made for it stays)")


@dataclass(frozen=True)
class Target:
    """The target as a run finds it, or would find it once it has released."""

    obj: dict[str, Any] | None
    refused: SpecError | None = None    # why it cannot be released
    held: str = ""                      # by whom it is walked, where that is in the way of a release
    release: Mapping[str, Any] = field(default_factory=dict)
    differs: bool = False               # from what is there
    before: dict[str, Any] | None = None    # what is there, where it has to be walked before the release
    revision: str = ""                  # of ``obj``; empty as well where its ConfigMaps and Secrets may not be read, which is said with all else
    configs: Configs = NONE             # what its pods read

    @property
    def walked_first(self) -> dict[str, Any] | None:
        """The target of the walk that begins."""
        return self.before or self.obj


def execute(call: Call) -> dict[str, Any]:
    given = _given(call)
    call.subject = f"{given.namespace}/{given.name}"
    try:
        return _checked(call, given)
    except KubeError as error:
        if error.status != FORBIDDEN:
            raise
        refusal = _lacks(call, given) or str(error)
    raise KubeError(refusal, FORBIDDEN)


def _lacks(call: Call, given: Given) -> str:
    """What the user may not do, where it was noticed before the document was understood: by the names that it says, as far as it can be read."""
    document = given.document if given.document is not None else in_cluster.readable_canary(call.api, given.namespace, given.name)
    objects = permissions.objects_in(given.name, document, call.params["options"])
    needed = {given.namespace: permissions.walk(objects) + (permissions.canary_object(given.name) if given.document is None else ())}
    if call.params["state"] == "absent":
        needed[given.namespace] += permissions.removal(objects)
    for places, beside, make in ((documents.template_refs(document or {}), given.templates, permissions.templates),
                                 (documents.alert_provider_refs(document or {}), given.alert_providers, permissions.alert_providers)):
        have = set(map(preflight.place_of, beside))
        for namespace, name in places:
            if (namespace, name) not in have:
                needed[namespace] = needed.get(namespace, ()) + make([name])
    lacks = surroundings.missing(call.api, needed)
    begins = lacks and call.params["state"] == "present" and not surroundings.is_begun(call.api, given.namespace, objects)
    to_begin = surroundings.missing(call.api, {given.namespace: permissions.create(objects)}) if begins else ""
    return surroundings.permission_error(lacks, to_begin) if lacks else ""


def _checked(call: Call, given: Given) -> dict[str, Any]:
    if call.params["credentials"]:
        return {"credentials": preflight.find(call.api, given, call.params["options"], _stored(call, given), _takes_back(call)).credentials}
    try:
        stored = store.read(call.api, given.namespace, given.name)
        problem = "" if stored.exists else "there is no record of a walk"
    except RecordError as error:
        if not call.params["abort"]:
            raise
        stored, problem = store.salvaged(call.api, given.namespace, given.name), str(error)
    if call.params["abort"] and problem:
        return _to_abort(call, given, stored, problem)
    if call.params["state"] == "absent":
        return _checked_for_removal(call, given, stored, preflight.find(call.api, given, call.params["options"], stored, takes_back=True))
    found = preflight.remembered(stored, call.params["mode"]) if given.document is None else None
    if found is not None:
        target = _target(call, found, stored)
        seen = _glance(call, found, stored, target)
        if seen.verdict:
            return _result(call, found, stored, target, seen)
    found = preflight.find(call.api, given, call.params["options"], stored, _takes_back(call))
    if in_cluster.is_deleted(found.canary_object) and not call.params["abort"]:
        return _checked_for_removal(call, given, stored, found)
    retargeted = another_target(stored.record, found.canary.identity) if preflight.begins(stored) and not call.params["abort"] else None
    if retargeted:
        raise retargeted                # before its target is looked at, which whoever walks the other one may have no right to
    target = _target(call, found, stored)
    anew = preflight.begins_anew(given, found, stored, call.params["mode"])
    seen = _glance(call, found, stored, target, anew)
    if not seen.verdict:
        _look_around(call, given, found, stored, target)
    return _result(call, found, stored, target, seen, anew=anew)


def _takes_back(call: Call) -> bool:
    return call.params["abort"] or call.params["state"] == "absent"


def _stored(call: Call, given: Given) -> store.Stored:
    """The record, or what can be had of one that cannot be read."""
    try:
        return store.read(call.api, given.namespace, given.name)
    except RecordError:
        return store.salvaged(call.api, given.namespace, given.name)


def _checked_for_removal(call: Call, given: Given, stored: store.Stored, found: Found) -> dict[str, Any]:
    """A removal needs nothing to be well, only the permission to delete, and that no route of the user's own needs what it deletes."""
    if in_cluster.is_deleted(found.canary_object):
        if stored.record is None:
            raise CanaryError(NOBODY_WALKED_IT.format(canary=call.subject, finalizer=FINALIZER, name=given.name, namespace=given.namespace))
        stored = dataclasses.replace(stored, orders=dataclasses.replace(stored.orders, remove=DELETED))
    for text in found.told:
        call.warn(text)
    target = _as_it_is(call, found)
    seen = preflight.glance_at_removal(call.api, found.canary, stored)
    if not seen.verdict:
        copies = preflight.copied_budgets(call.api, found.canary)
        deletes = permissions.removal(permissions.objects_of(found.canary), copies) + permissions.old_copies(preflight.copied_configs(stored))
        reads = tuple(rule for rule in configs.needed(found.canary, target.obj, target.configs) if rule.verbs != permissions.CREATE)
        needed = {**found.needed, given.namespace: found.needed[given.namespace] + permissions.budgets(copies, copies) + deletes + reads}
        lacks = surroundings.missing(call.api, needed)
        if lacks:
            raise KubeError(surroundings.permission_error(lacks), FORBIDDEN)
    return _result(call, found, stored, target, seen)


def _to_abort(call: Call, given: Given, stored: store.Stored, problem: str) -> dict[str, Any]:
    """An abort whose record cannot be read needs nothing but a document (SAFETY 6)."""
    try:
        found = preflight.find_to_abort(call.api, given, call.params["options"], stored)
    except CanaryError as error:
        refusal = f"{problem}; and no document tells which route to set back: {error}"
    else:
        if call.check_mode:
            call.say(f"{problem}: all traffic would go back to the primary")
        return _result(call, found, stored, _as_it_is(call, found), Glance(), plans=False)
    raise RecordError(refusal)


def _target(call: Call, found: Found, stored: store.Stored) -> Target:
    """The target that the run is about: as it is, or as it would be with what is to be released."""
    return _with_revision(call, found, _released_target(call, found, stored))


def _as_it_is(call: Call, found: Found) -> Target:
    return _with_revision(call, found, Target(preflight.target_of(call.api, found.canary)))


def _with_revision(call: Call, found: Found, target: Target) -> Target:
    if target.obj is None:
        return target
    read = configs.of_target(call.api, found.canary, target.obj)
    return dataclasses.replace(target, configs=read, revision="" if read.unreadable else targets.revision(target.obj, found.canary.target_kind, read.digests))


def _released_target(call: Call, found: Found, stored: store.Stored) -> Target:
    live = preflight.target_of(call.api, found.canary)
    try:
        release = releasing.read(call.params["release"], RELEASE) if call.params["release"] else None
        if live is None or release is None:
            return Target(live)
        releasing.refuse_kind(found.canary.target_kind, RELEASE)
        changed = releases.would_be(call.api, target_ref(found.canary), live, release, RELEASE)
    except SpecError as error:
        return Target(live, refused=error)
    differs = changed["spec"]["template"] != live["spec"]["template"]
    held = releases.held_by_the_living(call.api, stored) if differs and not call.params["take_over"] else ""
    before = live if differs and releasing.after_initialising(stored.record, live) else None
    return Target(changed, held=held, release={key: value for key, value in vars(release).items() if value}, differs=differs, before=before)


def _glance(call: Call, found: Found, stored: store.Stored, target: Target, anew: bool = False) -> Glance:
    if target.refused:
        return Glance()
    if target.held:
        return Glance("lost_lock", f"{target.held}: nothing was released")
    if anew:
        return Glance()
    return preflight.glance(call.api, found.canary, stored, target.revision, call.params["mode"])


def _look_around(call: Call, given: Given, found: Found, stored: store.Stored, released: Target) -> None:
    """All that is in the way of a walk that is about to begin, in one failure; what people should know, as warnings."""
    target = released.obj
    canary, findings = found.canary, Findings(warnings=list(found.told))
    if released.refused:
        findings.problems.append(released.refused)
    begins = preflight.begins(stored)
    if begins:
        findings.warnings.extend([*_ignored(call, given), *canary.warnings, *filter(None, [words.clock_off(time.time(), call.api.now())])])
    if begins and canary.analysis.alerts:
        third_party.require("requests")
    if begins and call.params["deep"]:
        surroundings.inspect(call.api, canary, target, found.needed, findings, read=released.configs, recorded=stored.exists,
                             initialised=is_initialised(stored.record), gitops_ignored=call.params["gitops_ignored"],
                             flagger_is_gone=call.params["flagger_is_gone"])
        held = {place: secrets.credentials(call.api, *place) for place in ready.secrets_of(canary)}
        problems, warnings = ready.objections(canary, found.frozen["canary"], held)
        findings.problems.extend([*problems, *destination.objections(canary.analysis.alerts, functools.partial(secrets.of_alerts, call.api))])
        findings.warnings.extend(warnings)
        findings.warnings.extend(filter(None, [words.left_behind(surroundings.left_behind(call.api, canary, stored.record))]))
    for text in findings.warnings:
        call.warn(text)
    preflight.refuse_all(findings.problems)


def _place(params: Mapping[str, Any]) -> str:
    """How whoever wrote the text calls where it is."""
    return "canary_file" if params["file"] else "text"


def _ignored(call: Call, given: Given) -> list[str]:
    names = ", ".join(manifests.kind_of(item) for item in given.ignored)
    return [f"{_place(call.params)}: these documents are not applied, nor looked at: {names}"] if names else []


def _given(call: Call) -> Given:
    params = call.params
    name, namespace = params["canary_name"], params["canary_namespace"]
    if params["text"] is not None:
        place = _place(params)
        return inputs.from_manifests(manifests.read(params["text"], place), params["templates"], name, namespace, place,
                                     alert_providers=params["alert_providers"])
    if params["spec"]:
        return inputs.from_spec(params["spec"], params["templates"], name, namespace, alert_providers=params["alert_providers"])
    return inputs.by_name(name, namespace, params["templates"], alert_providers=params["alert_providers"])


def _result(call: Call, found: Found, stored: store.Stored, target: Target, seen: Glance, *, plans: bool = True, anew: bool = False) -> dict[str, Any]:
    result = {
        "canary": call.subject,
        "server": call.api.host,
        "document": found.frozen,
        "withheld": sorted(found.credentials),
        "holder": dump(walker.me(run=uuid.uuid4().hex, pid=os.getppid() if call.in_process else 0)),
        "asked": look.revision(call.api, found.canary, target.before) if target.before else target.revision,
        "glance": seen.verdict,
        "why": seen.why,
        "anew": anew,
        "phase": stored.record.phase if stored.record else "",
        "release": target.release,
        "initialise": target.before is not None,
        "tracked": sorted(target.configs.digests),
        "hooks": [hook.index for hook in found.canary.analysis.hooks if hook.type != EVENT],
        "gates": [hook.index for hook in found.canary.analysis.hooks if hook.type in GATES],
    }
    if call.check_mode and not plans:
        result["plan"] = []
    elif call.check_mode:
        result.update(_planned(call, found, stored, seen, target))
    return result


def _planned(call: Call, found: Found, stored: store.Stored, seen: Glance, target: Target) -> dict[str, Any]:
    """What a walk would do, said to people and returned."""
    absent = call.params["state"] == "absent"
    deleted = in_cluster.is_deleted(found.canary_object)
    removal = ("" if absent else DELETED, call.params["keep"]) if absent or deleted else None
    then = target.revision if target.before else ""
    steps = () if seen.verdict else preflight.plan(call.api, found, stored, target.walked_first if target.differs else None, removal, then)
    lines = [plan_line(step) for step in steps] or [f"{seen.verdict.replace('_', ' ')}: {seen.why}"]
    hooks = hooks_lines(found.canary) if steps and not removal else ()
    # Ansible prints the diff of what would be changed, and of nothing else.
    for line in [*(() if call.diff and steps else lines), *hooks]:
        call.say(line)
    planned: dict[str, Any] = {"plan": [dump(step) for step in steps], "changed": bool(steps)}
    if call.diff:
        now = f"{stored.record.phase} {stored.record.canary_weight}%" if stored.record else "never walked"
        planned["diff"] = {"before_header": f"{call.subject} now", "after_header": f"{call.subject} as planned",
                           "before": f"{now}\n", "after": "".join(f"{line}\n" for line in lines) if steps else f"{now}\n"}
    return planned


VERB = Verb(name="canary_preflight", options=OPTIONS, execute=execute, mutually_exclusive=(("spec", "text"),))


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
