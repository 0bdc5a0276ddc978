# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we made for a canary, as "Kind/name": recorded with the intent that orders it, so that even a late creation is known (SAFETY 1, 7).

An order for something new enters here what it makes. Being in the inventory is no leave to delete: the label on the object is (marks.is_ours).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary import configs, targets
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Observation, TrafficOrder, WorkloadOrder
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HPA, SCALED_OBJECT, Canary

MOST = 700                              # entries that are kept; the newest ones: a primary keeps eleven ReplicaSets, each with copies of its own
AT_ONCE = 2500                          # characters of names that travel between two tasks (ANSIBLE 10)
SERVICE = "Service"
ROUTE = "Route"                         # of whatever kind the provider's is: it stays, leading to the apex


def entry(kind: str, name: str) -> str:
    return f"{kind}/{name}"


def made_by(canary: Canary, seen: Observation, traffic: TrafficOrder | None = None, workload: WorkloadOrder | None = None,
            tracked: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What carrying out these orders creates; ``tracked`` is what the target's pods read, of which the primary gets copies."""
    service = canary.service
    made: list[str] = []
    if workload and (workload.create_primary is not None or workload.promote is not None):
        made += configs.copies_of(canary.name, tracked or {})
    if workload and workload.create_primary is not None:
        made.append(entry(canary.target_kind, canary.primary))
    if workload and workload.scaler is not None and canary.autoscaler and seen.scaler is None:
        made.append(entry(canary.autoscaler.kind, canary.autoscaler.primary))
    if traffic and traffic.services:
        made += [entry(SERVICE, service.primary_name), entry(SERVICE, service.canary_name)]
    makes_apex = traffic and (traffic.apex or (traffic.split and not canary.splits))
    if makes_apex and service.name in seen.missing:
        made.append(entry(SERVICE, service.name))
    if traffic and traffic.split and seen.route is None and canary.splits and not canary.adopted:
        made.append(entry(ROUTE, service.route_name))
    return tuple(made)


def joined(inventory: Iterable[str], made: Iterable[str]) -> tuple[str, ...]:
    """The inventory with what is made now, each once, of bounded length."""
    return tuple(dict.fromkeys([*inventory, *made]))[-MOST:]


def to_dispose(canary: Canary, inventory: Iterable[str]) -> tuple[str, ...]:
    """What removal takes away, in this order: who routes, then what was made besides, then who served, and at last what that read.

    The apex and the route stay, since users call them. What every canary has is asked for even where a record was lost.
    """
    first, last, stay = _of_the_document(canary)
    others = [item for item in inventory if item not in {*first, *last, *stay}]
    return (*first, *(item for item in others if not is_config(item)), *last, *filter(is_config, others))


def is_config(item: str) -> bool:
    """Whether an entry is a copy of a ConfigMap or Secret."""
    return item.partition("/")[0] in configs.KINDS


def at_once(entries: Iterable[str]) -> tuple[str, ...]:
    """As many of the first of them as may travel at a time; the others come when these are gone."""
    found: list[str] = []
    length = 0
    for item in entries:
        length += len(item)
        if found and length > AT_ONCE:
            break
        found.append(item)
    return tuple(found)


def left_behind(canary: Canary, inventory: Iterable[str]) -> tuple[str, ...]:
    """What was made for an earlier document and has another name in this one: nobody leads users to it any more, nor away from it (weak spot 57)."""
    named = {item for items in _of_the_document(canary) for item in items}
    return tuple(item for item in inventory if item not in named and item.partition("/")[0] in (*targets.TARGETS, SERVICE, HPA, SCALED_OBJECT))


def _of_the_document(canary: Canary) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What every canary has, by the name that the document gives it: who routes, who scales and serves, and what users call."""
    service, primary = canary.service, entry(canary.target_kind, canary.primary)
    scaler = (entry(canary.autoscaler.kind, canary.autoscaler.primary),) if canary.autoscaler else ()
    routes = (entry(SERVICE, service.canary_name), entry(SERVICE, service.primary_name))
    return (tuple(item for item in routes if item != primary), (*scaler, primary),
            (entry(SERVICE, service.name), entry(ROUTE, service.route_name)))
