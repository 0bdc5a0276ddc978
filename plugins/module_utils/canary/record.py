# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of one canary: what is remembered between ticks, and nothing that can be looked up.

It is stored as one JSON document in the ConfigMap ``<name>-canary``; ``status`` inside it has Flagger's field names,
so that it can be projected into the ``.status`` of a Canary object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import RecordError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Orders, TrafficOrder, WorkloadOrder, dump, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt, one_line
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import GATES

SCHEMA = 1

INITIALIZING = "Initializing"
INITIALIZED = "Initialized"
WAITING = "Waiting"
PROGRESSING = "Progressing"
WAITING_PROMOTION = "WaitingPromotion"
PROMOTING = "Promoting"
FINALISING = "Finalising"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
TERMINATING = "Terminating"
TERMINATED = "Terminated"
IDLE = (INITIALIZED, SUCCEEDED, FAILED)
ANALYSING = (PROGRESSING, WAITING_PROMOTION)
PHASES = (INITIALIZING, INITIALIZED, WAITING, PROGRESSING, WAITING_PROMOTION, PROMOTING, FINALISING, SUCCEEDED, FAILED, TERMINATING, TERMINATED)

PREFIX = "progressive.delivery/"
YES = "yes"                             # an order that says neither who nor why
LONGEST_ORDER = 1000                    # characters of the text of an order, whose reason is told to everybody
ORDER_WORDS = ("halt", "suspend", "abort", "promote", "resume", "remove")
KEEP_PRIMARY = "primary"                # the target gets the promoted template before it serves again
KEEP_TARGET = "target"                  # the target serves with the template that it has
EVIDENCE_KEPT = 10
ORDERS_KEPT = 10                        # of those that were obeyed


@dataclass(frozen=True)
class Holder:
    """Who walks the canary now. ``renewed`` and ``until`` are the API server's clock; the rest tells whether it is alive."""

    run: str                            # id of the ansible-playbook run
    host: str = ""
    boot: str = ""                      # the kernel's boot id
    pid_namespace: str = ""
    pid: int = 0                        # of the playbook's own process; 0 = not known
    started: int = 0                    # its start time in clock ticks since boot, against reuse of the pid
    since: float = 0.0
    renewed: float = 0.0
    until: float = 0.0                  # leased until; a verb that cannot renew needs longer than one lease
    # What this run knows of the API server's clock: it is ahead of the monotonic clock of this boot by something between the two.
    ahead_by_at_least: float = 0.0
    ahead_by_at_most: float = 0.0       # 0: nothing is known


@dataclass(frozen=True)
class Intent:
    """What a decision ordered and nobody has yet seen done (SAFETY 13)."""

    at: float
    revision: str
    lowers: bool                        # lowering is always redone; raising only while it is young
    traffic: TrafficOrder | None = None
    workload: WorkloadOrder | None = None


@dataclass(frozen=True)
class Pinned:
    """The revision under analysis: what is promoted is exactly the template of this ReplicaSet, or ControllerRevision (SAFETY 17)."""

    revision: str
    replicaset: str = ""
    replicaset_uid: str = ""
    configs: str = ""                   # the digest of what its pods read (Workload.configs)


@dataclass(frozen=True)
class Ending:
    """The walk goes down: traffic to the primary, drain, canary to 0."""

    outcome: str                        # rolled_back | aborted | superseded
    why: str
    at: float
    asked: bool = False                 # by a rollback hook: somebody wants it, nothing failed


@dataclass(frozen=True)
class Removal:
    """A person's order to give everything back to the target, obeyed until nothing of ours is left (SAFETY 29)."""

    why: str
    at: float
    keep: str = KEEP_PRIMARY            # KEEP_PRIMARY | KEEP_TARGET


@dataclass(frozen=True)
class Told:
    """One message for people: a Kubernetes Event, ``kind`` is Normal or Warning; and where it has a text for that, an alert of one of SEVERITIES."""

    message: str
    kind: str = "Normal"
    alert: str = ""
    severity: str = ""


@dataclass(frozen=True)
class Record:
    name: str
    namespace: str
    identity: Mapping[str, str] = field(default_factory=dict)
    # Flagger's status
    phase: str = ""
    canary_weight: int = 0              # confirmed by the router's controller, never merely ordered
    mirror: int = 0                     # percent of the requests of which the canary gets copies, confirmed likewise
    cookie: str = ""                    # name=value by which users stay with the canary, confirmed likewise; "" while it has no weight
    primary_cookie: str = ""            # the same for the primary, another one with each weight
    previous_cookie: str = ""           # that of the last analysis, which browsers are told to forget
    failed_checks: int = 0
    iterations: int = 0
    last_applied: str = ""
    last_promoted: str = ""
    last_transition: float = 0.0
    condition_since: float = 0.0        # since when the condition Promoted has its present status
    tracked: Mapping[str, str] = field(default_factory=dict)   # "configmap/name" of what the target's pods read -> its digest, when it was last looked at
    # the walk
    epoch: int = 0
    holder: Holder | None = None
    run: str = ""                       # id of this analysis; an approval names it
    pinned: Pinned | None = None
    previous: Mapping[str, str] = field(default_factory=dict)  # {replicaset, revision} of the primary before promotion
    intent: Intent | None = None
    ending: Ending | None = None
    restoring: Ending | None = None     # a failed or aborted promotion: the primary is put back before anything else
    removing: Removal | None = None     # everything goes back to the target, and what we made goes away
    confirmed_at: float = 0.0           # when the present weight was seen accepted, or the present iteration began
    due: float = 0.0                    # earliest next tick
    due_why: str = ""
    drain_until: float = 0.0
    ready_since: float = 0.0            # the canary, of the pinned revision
    unready_since: float = 0.0
    hold_since: float = 0.0             # cannot tell since
    pre_rollout_done: bool = False
    settled: bool = False               # the target was drained and scaled to 0 after initialisation
    started_at: float = 0.0             # of this analysis, or of the initialisation
    announced: tuple[str, ...] = ()     # what was told once and is not told again every tick
    untold: tuple[Told, ...] = ()       # messages not yet written as Events
    post_rollout: bool = False          # post-rollout hooks are still to be called
    outcome: str = ""                   # of the last walk
    outcome_why: str = ""
    outcome_revision: str = ""
    outcome_at: float = 0.0
    primary_replicas: int = 0           # at the start of the walk (SAFETY 15)
    scaler_minimum: int = 0             # replicas below which the primary's autoscaler does not go in this walk (SAFETY 15); 0: nothing is held
    paused: bool = False                # we paused the target (SAFETY 22), and it is not yet resumed
    inventory: tuple[str, ...] = ()     # "Kind/name" of what we made, the oldest first (inventory.py)
    evidence: tuple[Mapping[str, Any], ...] = ()
    obeyed: tuple[Mapping[str, Any], ...] = ()  # people's orders: {at, order, said}, the oldest first; ``said`` is who and why
    closed_gate: str = ""               # the gate that is waited for, "" when none is
    aborted_in: str = ""                # the run that obeyed an abort: it begins nothing new
    target_uid: str = ""                # of the target, for the Events about it
    iterations_wanted: int = 0          # how many the document asks for, of which ``iterations`` is the present one
    judged_by: str = ""                 # the run that judged the checks last; a tick-mode run judges once
    report: str = ""                    # what the last decision found and why, not yet said to people
    absent_since: float = 0.0           # somebody should have come back by then and nobody did, found out by the run that came (SAFETY 32)

    @property
    def gathers(self) -> bool:
        """Whether evidence is gathered: at a weight, by copies of requests, or in an iteration without either."""
        return self.reaches_canary or self.iterations > 0

    @property
    def reaches_canary(self) -> bool:
        """Whether the canary was seen to get requests, or copies of them."""
        return self.canary_weight > 0 or self.mirror > 0


_STATUS_FIELDS = {
    "phase": "phase",
    "canaryWeight": "canary_weight",
    "failedChecks": "failed_checks",
    "iterations": "iterations",
    "lastAppliedSpec": "last_applied",
    "lastPromotedSpec": "last_promoted",
}
TRACKED = "trackedConfigs"              # Flagger's field, left out where there is nothing in it


_COOKIE_FIELDS = {
    "sessionAffinityCookie": "cookie",
    "primarySessionAffinityCookie": "primary_cookie",
    "previousSessionAffinityCookie": "previous_cookie",
}


def rfc3339(seconds: float) -> str:
    """Epoch seconds as Kubernetes writes times; the empty text for 0."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


_CONDITIONS = {
    INITIALIZING: ("Unknown", "New {kind} detected, starting initialization."),
    INITIALIZED: ("True", "{kind} initialization completed."),
    WAITING: ("Unknown", "Waiting for approval."),
    WAITING_PROMOTION: ("Unknown", "Waiting for approval."),
    PROGRESSING: ("Unknown", "New revision detected, progressing canary analysis."),
    PROMOTING: ("Unknown", "Canary analysis completed, starting primary rolling update."),
    FINALISING: ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    SUCCEEDED: ("True", "Canary analysis completed successfully, promotion finished."),
    FAILED: ("False", "Canary analysis failed, {kind} scaled to zero."),
    TERMINATING: ("Unknown", "The target takes over again."),
    TERMINATED: ("Unknown", "The canary was removed, the target serves by itself."),
}


def condition_status(phase: str) -> str:
    """True, False or Unknown: what the condition Promoted says in a phase."""
    return _CONDITIONS.get(phase, ("Unknown", ""))[0]


def is_initialised(record: Record | None) -> bool:
    """Whether there is a primary that serves the users, as far as the record knows."""
    return record is not None and record.phase not in ("", INITIALIZING, TERMINATED)


def another_target(record: Record | None, identity: Mapping[str, str]) -> SpecError | None:
    """Why a document of this identity cannot be walked between two walks (weak spot 57): nobody would make the primary of another target, and users be
    led to it. None where it can, as long as no walk is under way, in which more is frozen."""
    was, wanted = (of.get("target", "") for of in (record.identity if record else {}, identity))
    if record is None or record.phase not in IDLE or record.removing or was in ("", wanted):
        return None
    return SpecError("spec.targetRef", f"names {_in_words(wanted)}, and by its record {record.name} walks {_in_words(was)}, whose primary serves the users",
                     f"name {_in_words(was)} again; or remove the canary first, as long as that one is there: ansible-playbook progressive.delivery.remove "
                     f"-e canary_name={record.name} -e canary_namespace={record.namespace}, and walk this document then")


def _in_words(target: str) -> str:
    return target.replace("/", " ", 1)


def flagger_status(record: Record) -> dict[str, Any]:
    """The record as the ``.status`` of a Canary object, with the one condition that ``kubectl wait`` reads."""
    status: dict[str, Any] = {key: getattr(record, attribute) for key, attribute in _STATUS_FIELDS.items()}
    if record.tracked:
        status[TRACKED] = dict(record.tracked)
    if any(getattr(record, attribute) for attribute in _COOKIE_FIELDS.values()):
        # All three, since what is left out of a projection stays as it was.
        status.update({key: getattr(record, attribute) for key, attribute in _COOKIE_FIELDS.items()})
    if record.last_transition:
        status["lastTransitionTime"] = rfc3339(record.last_transition)
    if record.phase:
        state, message = _CONDITIONS[record.phase]
        kind = record.identity.get("target", "").partition("/")[0] or "Deployment"
        status["conditions"] = [{
            "type": "Promoted", "status": state, "reason": record.phase, "message": message.format(kind=kind),
            "lastUpdateTime": rfc3339(record.last_transition), "lastTransitionTime": rfc3339(record.condition_since or record.last_transition),
        }]
    return status


def dumps(record: Record) -> str:
    """The stored text. Keys are sorted, so that equal records are equal texts."""
    body = _clean(dump(record))
    for attribute in (*_STATUS_FIELDS.values(), *_COOKIE_FIELDS.values(), "tracked"):
        del body[attribute]
    return json.dumps({"schema": SCHEMA, "status": flagger_status(record), "walk": body}, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _clean(value: Any) -> Any:
    """What others said is kept as one line of what can be printed (ANSIBLE 23)."""
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else one_line(value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


def loads(text: str) -> Record:
    """The record in a stored text. Raises RecordError when it is damaged or of a newer schema (SAFETY 6)."""
    try:
        body = json.loads(text)
        schema = int(body["schema"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise RecordError(f"the record is damaged ({type(error).__name__}): it is not a JSON document with a schema number") from None
    if schema > SCHEMA:
        raise RecordError(f"the record has schema {schema}, this version knows {SCHEMA}: use the version of the collection that wrote it, or a newer one")
    try:
        fields = dict(body["walk"])
        fields.update({attribute: body["status"][key] for key, attribute in _STATUS_FIELDS.items()}, tracked=_texts(body["status"].get(TRACKED)))
        fields.update({attribute: body["status"][key] for key, attribute in _COOKIE_FIELDS.items() if key in body["status"]})
        record = load(Record, fields)
        if record.phase not in ("", *PHASES):
            raise ValueError(f"phase {record.phase!r} is unknown")
        return record
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"the record is damaged ({type(error).__name__}: {error})") from None


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value or {}, Mapping):
        raise TypeError(f"{TRACKED} is no mapping")
    return {str(key): str(text) for key, text in (value or {}).items()}


def orders_of(annotations: Mapping[str, str]) -> Orders:
    """People's orders from the record's annotations. An approval is ``approve.<gate>: "<revision> <run> <by>"`` or JSON."""
    # An annotation without text is still an order.
    words = {word: excerpt(annotations[PREFIX + word], LONGEST_ORDER) or YES for word in ORDER_WORDS if PREFIX + word in annotations}
    approvals = []
    for gate in GATES:
        text = annotations.get(f"{PREFIX}approve.{gate}")
        if text is None:
            continue
        try:
            parsed = json.loads(text) if text.startswith("{") else {"revision": text}
        except (ValueError, RecursionError):
            parsed = {}
        approvals.append({"gate": gate, **{str(key): excerpt(str(value)) for key, value in parsed.items()}})
    if "promote" in words:
        words |= _promotion(annotations[PREFIX + "promote"])
    if "remove" in words:
        words["remove"], words["keep"] = _removal(annotations[PREFIX + "remove"])
    return Orders(approvals=tuple(approvals), **words)


def given_anew(key: str, before: Orders, now: Orders) -> bool:
    """Whether the order of this annotation says something else by now: what was obeyed is the former one."""
    word, unused, gate = key.removeprefix(PREFIX).partition(".")
    if word == "approve":
        return [one for one in before.approvals if one["gate"] == gate] != [one for one in now.approvals if one["gate"] == gate]
    return getattr(before, word) != getattr(now, word) or (word == "remove" and before.keep != now.keep)


def removal_text(reason: str, keep: str) -> str:
    """The annotation's text of an order to remove; only what differs from the usual needs more than the reason."""
    return json.dumps({"keep": keep, "by": reason}, sort_keys=True) if keep != KEEP_PRIMARY else reason or YES


def who_and_why(text: str) -> str:
    """What a person said with an order; empty for one that says nothing but that it is one."""
    return "" if text in (YES, "true", "1") else text


def by_a_person(text: str) -> str:
    """``by a person: <who and why>``"""
    said = who_and_why(text)
    return "by a person" + (f": {said}" if said else "")


def _promotion(text: str) -> dict[str, str]:
    """Of an order to promote, which is a bare revision or JSON: the revision, the run that it is for, who and why."""
    said = {key: excerpt(str(value or ""), LONGEST_ORDER) for key, value in _parsed(text, "revision").items()}
    return {"promote": said.get("revision") or YES, "promote_run": said.get("run", ""), "promote_by": said.get("by", "")}


def _removal(text: str) -> tuple[str, str]:
    """(reason, whose template is kept) of an order to remove. What cannot be read keeps what serves."""
    said = _parsed(text, "by")
    return excerpt(str(said.get("by") or ""), LONGEST_ORDER) or YES, KEEP_TARGET if said.get("keep") == KEEP_TARGET else KEEP_PRIMARY


def _parsed(text: str, bare: str) -> dict[str, Any]:
    """What an order says by JSON; any other text is the value of ``bare``."""
    try:
        said: dict[str, Any] = json.loads(text) if text.startswith("{") else {bare: text}
        return said
    except (ValueError, RecursionError):
        return {bare: text}


def order_key(word: str, gate: str = "") -> str:
    """The annotation of one order."""
    return f"{PREFIX}{word}.{gate}" if gate else f"{PREFIX}{word}"
