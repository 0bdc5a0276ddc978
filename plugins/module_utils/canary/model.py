# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What travels between the rooms: what was seen, what was answered, what is ordered.

Times are seconds since the epoch on the API server's clock (SAFETY 27); weights are percent 0-100.
Every class here becomes a plain mapping by ``dump`` and comes back by ``load``: it crosses Ansible tasks as JSON.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

PASS = "pass"
FAIL = "fail"
UNKNOWN = "unknown"                     # cannot tell: no data, or the query was not answered

ALLOWED = "allowed"
REFUSED = "refused"
NO_ANSWER = "no_answer"


@dataclass(frozen=True)
class Split:
    """Percent of the traffic to each side; the two add up to 100. Beside them what else a route of ours says of both; cookies are name=value."""

    primary: int
    canary: int
    mirror: int = 0                     # percent of the requests of which the canary gets a copy; its answers to them reach nobody
    cookie: str = ""                    # whoever shows it stays with the canary
    primary_cookie: str = ""            # whoever shows it stays with the primary
    previous_cookie: str = ""           # of an analysis that is over: whoever shows it is told to forget it

    @property
    def reaches_canary(self) -> bool:
        """Whether requests, or copies of them, get to the canary; a cookie leads there whatever the weight is."""
        return self.canary > 0 or self.mirror > 0 or bool(self.cookie)

    def exceeds(self, other: Split) -> bool:
        """Whether the canary would get more than by the other one, of the traffic or of copies."""
        return self.canary > other.canary or self.mirror > other.mirror


@dataclass(frozen=True)
class Workload:
    """A target or a primary as the cluster shows it now."""

    name: str
    uid: str
    resource_version: str
    replicas: int                       # spec.replicas; of a kind without that number, 1 where it is to run and 0 where it is parked
    running: int                        # pods that exist
    available: int                      # pods that are available
    ready: bool                         # rolled out (observedGeneration current, enough available), and at least one replica
    why: str                            # why it is not ready, in words; "" when it is
    stuck: bool                         # past a progress deadline of its own
    revision: str                       # revision.py's hash of spec.template, and of the target's ConfigMaps and Secrets
    replicaset: str = ""                # the ReplicaSet (of a DaemonSet the ControllerRevision) of exactly this template, "" when there is none yet
    replicaset_uid: str = ""
    endpoints: int = 0                  # ready addresses in the EndpointSlices of the Service that routes to it
    promoted: str = ""                  # primary only: annotation progressive.delivery/promoted, the revision it runs by our hand
    paused: bool = False                # spec.paused: an edit of its template does not reach its pods
    template: str = ""                  # the hash of spec.template alone
    configs: str = ""                   # target only: one digest of all ConfigMaps and Secrets that belong to the revision
    lacks: str = ""                     # target only: which of them are not there, or may not be read, in words
    serving: str = ""                   # target only, while it is paused: the ReplicaSet of all its ready endpoints, "" where there are several or none
    nodes: int = 0                      # of a DaemonSet: how many it is to run on

    @property
    def wanted(self) -> int:
        """How many pods it is to have."""
        return self.nodes if self.nodes and self.replicas else self.replicas


@dataclass(frozen=True)
class Route:
    """The routing object as it is now."""

    split: Split | None                 # None: it exists, but does not hold our two backends
    accepted: bool                      # by every parent, for the present generation
    why: str = ""                       # why it is not accepted
    owned: bool = True                  # made by us for this canary
    flaggers: bool = False              # a Canary object owns it, as Flagger made it
    drift: tuple[str, ...] = ()         # paths of what is ours in it and differs from the document, weights apart
    held: bool = False                  # it is the user's own, and carries the annotations of a walk


@dataclass(frozen=True)
class Scaler:
    """The primary's autoscaler as it is now."""

    minimum: int                        # fewest replicas
    maximum: int
    held: bool = False                  # its minimum was raised for a walk, and is not put back yet
    ours: bool = True                   # False: Flagger made it for its Canary of our name, which owns it


@dataclass(frozen=True)
class Orders:
    """What people asked for, by annotations on the record (SAFETY 4). Texts say who and why."""

    halt: str = ""
    suspend: str = ""
    abort: str = ""
    promote: str = ""                   # the revision to promote now
    promote_run: str = ""               # with promote: the run that the order is for, "" where it does not say
    promote_by: str = ""                # with promote: who and why
    remove: str = ""                    # give everything back to the target, and take away what was made
    keep: str = ""                      # with remove: "primary" or "target", whose template the target serves with afterwards
    resume: str = ""
    approvals: tuple[Mapping[str, str], ...] = ()  # {gate, revision, run, by}


ORIGINAL = "original"                   # the apex selects what it selected before us; the route leads to the apex
OURS = "ours"                           # the apex selects the primary; the route splits
MISSING = "missing"


@dataclass(frozen=True)
class Remains:
    """What is left of us, looked at only while a canary is removed (SAFETY 29)."""

    objects: tuple[str, ...] = ()       # "Kind/name" of what we made and may take away, and is there still
    apex: str = MISSING                 # ORIGINAL | OURS | MISSING
    apex_has_primary: bool = False      # a pod of the primary is still in the apex's slices
    apex_ready: bool = False            # somebody can answer at the apex
    route: str = MISSING                # ORIGINAL | OURS | MISSING
    held: bool = False                  # target, apex or route still carry our name or our fence
    needed: tuple[str, ...] = ()        # Services that a route of the user's own names: they are not taken away
    paused: bool = False                # the target's autoscaler still thinks that the target rests
    scaler: Scaler | None = None        # the target's own


@dataclass(frozen=True)
class Observation:
    """Everything that a decision may rest on, read in one tick."""

    now: float                          # of the API server's clock, never later than it
    target: Workload | None
    primary: Workload | None
    same_as_primary: bool               # the target's template means what the primary's template says (SAFETY 19)
    services: tuple[str, ...]           # of -primary, -canary and apex: the names that are missing or differ from what is wanted
    apex_on_primary: bool               # the apex selects the primary, and its slices hold only pods of the primary
    route: Route | None
    orders: Orders = field(default_factory=Orders)
    suspended: bool = False             # the document says so (spec.suspend)
    deleted: bool = False               # the Canary object was, and waits until everything is given back (revertOnDeletion)
    latest: float = 0.0                 # of the same clock, never earlier than it; 0: now
    rejected: bool = False              # the status of the Canary object says that the target's present template failed
    replicasets: tuple[str, ...] = ()   # names of the target's ReplicaSets (ControllerRevisions), to know whether the pinned one still exists
    missing: tuple[str, ...] = ()       # of services: those that do not exist at all
    same_template: bool = False         # the same as same_as_primary, ConfigMaps and Secrets apart
    changed_configs: str = ""           # those whose content the primary's pods do not read, in words
    remains: Remains | None = None      # only while the canary is removed
    scaler: Scaler | None = None        # of the primary, where the document names an autoscaler and its copy is there
    scaler_to_copy: bool = True         # whether there is one to make it from; looked at only where the copy is missing

    def after(self, seconds: float) -> float:
        """When so long has passed, and not a moment less (SAFETY 12)."""
        return max(self.now, self.latest) + seconds

    @property
    def halted(self) -> bool:
        """Whether the document or a person says that nothing is to move."""
        return bool(self.suspended or self.orders.suspend or self.orders.halt)


@dataclass(frozen=True)
class Answer:
    """One gate's or hook's answer."""

    index: int                          # of the hook in the document; -1 for a user's own task
    name: str
    type: str
    outcome: str                        # ALLOWED | REFUSED | NO_ANSWER
    status: int = 0                     # HTTP status, 0 without an answer
    body: str = ""                      # excerpt of the answer, at most 200 characters
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """One check's outcome."""

    index: int                          # of the metric in the document; -1 for a user's own task
    name: str
    outcome: str                        # PASS | FAIL | UNKNOWN
    value: float | None = None          # null when there is none or it is not finite
    minimum: float | None = None
    maximum: float | None = None
    why: str = ""                       # "no_data: ..." or "query_error: ..." when UNKNOWN; the comparison in words when FAIL
    unit: str = ""                      # "%", "ms" or ""
    window: float = 0.0                 # seconds of evidence the query looked at


@dataclass(frozen=True)
class TrafficOrder:
    """A desired state of Services and route. Doing it twice is doing it once."""

    split: Split | None = None          # the route with these weights; None leaves the route alone
    services: bool = False              # the -primary and -canary Services
    apex: bool = False                  # the apex Service, selecting the primary
    apex_back: bool = False             # the apex Service, selecting what it selected before us
    route_back: bool = False            # the route, leading to the apex alone
    raised_from: int | None = None      # of a raise: the canary's weight that it rests on; less by now = somebody lowered it (SAFETY 14)
    mirrored_from: int = 0              # of a raise: the percent of copies that it rests on; less by now = somebody stopped them


@dataclass(frozen=True)
class WorkloadOrder:
    """A desired state of workloads; exactly one field is set."""

    create_primary: int | None = None   # replicas of the primary to make from the target's template
    scale_target: int | None = None     # replicas
    scale_primary: int | None = None    # replicas
    scaler: int | None = None           # the primary's autoscaler, with at least so many replicas; 0: with as many as it has by itself
    target_scaler: int | None = None    # the target's own autoscaler, with at least so many replicas, while it takes over
    pause_target: bool | None = None    # whether an edit of the target waits until the canary has no weight
    promote: Mapping[str, str] | None = None   # {replicaset, uid, revision, configs}: copy exactly this template to the primary, with what its pods read
    restore: Mapping[str, str] | None = None   # {replicaset, revision}: put the primary back to this template
    template_back: Mapping[str, str] | None = None  # {revision}: the target gets the promoted template
    dispose: tuple[str, ...] | None = None     # "Kind/name" of what we made and is to go, in this order; then the target is let go


def dump(value: Any) -> Any:
    """A dataclass, or a container of them, as plain JSON-able data; None fields stay (readers need the keys)."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: dump(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [dump(item) for item in value]
    return value


def load(kind: type[T], data: Mapping[str, Any]) -> T:
    """The dataclass ``kind`` from what ``dump`` gave. Unknown keys are refused, missing ones take their defaults.

    Raises TypeError for a key that the class does not have or lacks a value for.
    """
    hints = _hints(kind)
    return kind(**{key: _load_as(hints.get(key, Any), value) for key, value in data.items()})


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    # Evaluating the annotations anew takes longer than all the rest of a tick's thinking.
    return typing.get_type_hints(kind)


def learn(*kinds: type) -> None:
    """Evaluate the annotations of these dataclasses, and of those inside of them, before ``load`` has to."""
    for kind in kinds:
        for hint in _hints(kind).values():
            learn(*(part for part in (hint, *typing.get_args(hint)) if isinstance(part, type) and dataclasses.is_dataclass(part)))


def _load_as(hint: Any, value: Any) -> Any:
    if value is None or hint is str or hint is int or hint is bool:
        return value
    if hint is float:
        return float(value)
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _load_as(next(item for item in arguments if item is not type(None)), value)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_load_as(arguments[0], item) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return load(hint, value)
    if origin is tuple or dataclasses.is_dataclass(hint):
        raise TypeError(f"{value!r:.40} is no {'list' if origin is tuple else hint.__name__}")
    return value
