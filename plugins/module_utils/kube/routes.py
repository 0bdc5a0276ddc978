# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routing object in the cluster: read, change by a fenced patch, wait until the router's controller has taken it over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, services, takeover, words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Route, Split, TrafficOrder, dump
from ansible_collections.progressive.delivery.plugins.module_utils.canary.primary import selector_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary
from ansible_collections.progressive.delivery.plugins.module_utils.kube import removal, writing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.services import ensure_services, has_endpoints
from ansible_collections.progressive.delivery.plugins.module_utils.kube.targets import target_ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing, until
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import Change, Writer, change, ensure, shown
from ansible_collections.progressive.delivery.plugins.module_utils.routers import router_for
from ansible_collections.progressive.delivery.plugins.module_utils.routers.around import AROUND


PROXY_LEARNS = 1.0          # seconds in which a proxy gets to know who answers behind a Service that a route has begun to name


@dataclass
class Traffic:
    """What an order for traffic came to."""

    changes: list[Change] = field(default_factory=list)
    before: Split | None = None
    after: Split | None = None
    accepted: bool = True
    why: str = ""                       # why it is not accepted, or was not done
    waits: bool = False                 # the time limit is not over, the wait was left before
    route: dict[str, Any] = field(default_factory=dict)  # the routing object as it is after the order

    @property
    def changed(self) -> bool:
        return any(one.changed for one in self.changes)

    def await_accepted(self, api: Api, canary: Canary, seconds: float, leave: Callable[[str], bool]) -> None:
        """Wait until the router's controllers have accepted the route, at most ``seconds``, or until ``leave(why)`` says to come back later."""
        router = router_for(canary)
        self.route, self.waits = until(api, ref(canary), self.route, lambda live: router.accepted(live, canary)[0], seconds,
                                       lambda live: leave(router.accepted(live, canary)[1]))
        self.accepted, self.why = router.accepted(self.route, canary)

    def result(self) -> dict[str, Any]:
        """As the verb returns it; ``services`` are the names of those that were made or changed."""
        return {
            "changed": self.changed,
            "before": _told(self.before),
            "after": _told(self.after),
            "services": [one.ref.name for one in self.changes if one.changed and one.ref.kind == "Service"],
            "accepted": self.accepted,
            "why": self.why,
            "diff": shown(self.changes),
        }


def ref(canary: Canary) -> Ref:
    place = router_for(canary).ref(canary)
    return Ref(place["group"], place["version"], place["plural"], canary.namespace, place["name"], place["kind"])


def read_route(api: Api, canary: Canary) -> Route | None:
    """The routing object as it is now, None when there is none."""
    live = api.get(ref(canary))
    return None if live is None else route_of(live, canary)


def route_of(live: dict[str, Any], canary: Canary) -> Route:
    """Raises CanaryError when it belongs to another canary (SAFETY 8)."""
    router = router_for(canary)
    marks.check(live, canary.name, 0)
    accepted, why = router.accepted(live, canary)
    owned = router.owned(live, canary)
    return Route(router.read(live, canary), accepted, why, owned, bool(takeover.owners_of(live)), tuple(router.differs(live, canary)) if owned else (),
                 held=canary.adopted and marks.are_on(live))


def hold(api: Api, canary: Canary, epoch: int) -> None:
    """Fence and claim a route of the user's own for the length of a walk; one that we made carries both for good (SAFETY 1, 8)."""
    if canary.adopted:
        writing.fence(Writer(api, canary.name, epoch), ref(canary), claim=True)


def let_go(api: Api, canary: Canary, epoch: int) -> bool:
    """The end of a walk on a route of the user's own: nothing of ours is left in it. Whoever writes late then finds no canary that answers (SAFETY 16)."""
    return canary.adopted and writing.let_go(Writer(api, canary.name, epoch), ref(canary))


def apply_traffic(api: Api, canary: Canary, order: TrafficOrder, epoch: int, check_mode: bool = False, *, wait: float | None = None,
                  leave: Callable[[str], bool] = lambda why: False) -> Traffic:
    """Carry out an order, in the order that never leaves users without an answer (SAFETY 28): Services, route, accepted, apex.

    Waits up to ``wait`` seconds (None: the document's option) for the route to be accepted, or until ``leave(why)`` says to come back later.
    A weight is not raised while nobody can answer behind the canary's Service (SAFETY 16): then nothing is changed, and ``why`` says so.
    """
    writer = Writer(api, canary.name, epoch, check_mode)
    limit = canary.options.max_time_to_accept if wait is None else wait
    traffic = Traffic()
    if order.services:
        traffic.changes += ensure_services(writer, canary, (services.PRIMARY, services.CANARY))
    if not canary.splits:
        return _without_route(writer, canary, order, traffic)
    if order.split is not None and not _set_weights(writer, canary, order, order.split, traffic):
        return traffic
    if order.split is not None and not check_mode:
        traffic.await_accepted(api, canary, limit, leave)
    if order.apex_back:
        _give_apex_back(writer, canary, traffic)
    if order.route_back and traffic.accepted and not check_mode and not canary.adopted:
        _name_apex(writer, canary, traffic, limit, leave)
    if order.route_back and traffic.accepted:
        done = removal.route_back(writer, canary, ref(canary))
        traffic.changes.append(done)
        traffic.route = done.after
        if not check_mode:
            traffic.await_accepted(api, canary, limit, leave)
    if order.apex and traffic.accepted:
        traffic.changes += ensure_services(writer, canary, (services.APEX,))
    return traffic


def _name_apex(writer: Writer, canary: Canary, traffic: Traffic, seconds: float, leave: Callable[[str], bool]) -> None:
    """A proxy gets to know who stands behind the apex before users are led there; a route of the user's own names it as its author wants."""
    router = router_for(canary)
    done = change(writer, ref(canary), lambda live: router.beside(live, canary))
    if done.changed:
        traffic.changes.append(done)
        traffic.route = done.after
        traffic.await_accepted(writer.api, canary, seconds, leave)
        time.sleep(PROXY_LEARNS)


def _without_route(writer: Writer, canary: Canary, order: TrafficOrder, traffic: Traffic) -> Traffic:
    """Without a routing object, weights are what the apex selects: the primary gets everything, or the order cannot be carried out."""
    if order.split is not None and order.split.reaches_canary:
        raise CanaryError(f"{words.share(order.split)} for the canary: the provider {canary.provider} has no weights")
    if order.split is not None or order.apex:
        traffic.changes += ensure_services(writer, canary, (services.APEX,))
        traffic.after = order.split
    if order.apex_back:
        _give_apex_back(writer, canary, traffic)
    return traffic


def set_weights(api: Api, canary: Canary, split: Split, check_mode: bool = False) -> Traffic:
    """The weights of a route that is there already, and nothing else. Raises CanaryError when it is not, or does not fit."""
    traffic = Traffic()
    writer = Writer(api, canary.name, 0, check_mode)
    live = existing(api, ref(canary))
    if _may_raise(writer, canary, split, router_for(canary).read(live, canary), traffic):
        _record(traffic, canary, change(writer, ref(canary), _with_weights(canary, split), live=live, still_right=_still_right(canary, split)))
    return traffic


def _set_weights(writer: Writer, canary: Canary, order: TrafficOrder, split: Split, traffic: Traffic) -> bool:
    router, place = router_for(canary), ref(canary)
    live = writer.api.get(place)
    before = router.read(live, canary) if live else None
    if not _may_raise(writer, canary, split, before, traffic, order):
        return False
    if live is None and canary.adopted:
        raise CanaryError(f"{place} does not exist; it is yours (canary_route: adopted), so put it back")
    if split.mirror > (before.mirror if before else 0):
        _check_copies(canary, live)
    weigh = _with_weights(canary, split)

    def make(now: dict[str, Any]) -> dict[str, Any]:
        # First, since what Flagger made is ours to put right only then: it leads by rules of its own to who shows a cookie.
        return weigh(takeover.freed(now, canary.name))

    if live is None:
        done = ensure(writer, place, lambda: router.desired(canary, split), make, claim=True)
    else:
        done = change(writer, place, make, live=live, still_right=_still_right(canary, split), claim=True)
    _record(traffic, canary, done)
    if traffic.after and traffic.after.mirror > split.mirror:
        # A cluster whose API does not know the share drops it, and without one all requests are copied.
        change(writer, place, _with_weights(canary, Split(split.primary, split.canary)))
        raise CanaryError(f"{place}: the API server does not keep the share of a copied request, so all would be copied in place of {split.mirror}%; "
                          "leave mirrorWeight out, or upgrade the CRDs of the Gateway API to 1.3 or newer")
    return True


def _check_copies(canary: Canary, live: dict[str, Any] | None) -> None:
    """Copies may be an edit of the document in mid-walk, which no preflight has looked at: what holds against them is asked again (SAFETY 16)."""
    objections = AROUND[canary.provider].standing(canary, live, walks=True)
    if objections:
        raise objections[0]


def _record(traffic: Traffic, canary: Canary, done: Change) -> None:
    router = router_for(canary)
    traffic.changes.append(done)
    traffic.route = done.after
    traffic.before = router.read(done.before, canary) if done.before else None
    traffic.after = router.read(done.after, canary)


def _with_weights(canary: Canary, split: Split) -> Callable[[dict[str, Any]], dict[str, Any]]:
    router = router_for(canary)

    def make(live: dict[str, Any]) -> dict[str, Any]:
        wanted = router.write(live, canary, split)
        if router.read(wanted, canary) is None:
            raise CanaryError(router.mismatch(wanted, canary))
        return wanted
    return make


def _still_right(canary: Canary, split: Split) -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    """Lowering is always right; a raise rests on the weights that were read (SAFETY 14)."""
    router = router_for(canary)

    def still_right(first: dict[str, Any], now: dict[str, Any]) -> bool:
        present = router.read(now, canary)
        return present == router.read(first, canary) or (present is not None and not split.exceeds(present))
    return still_right


def _give_apex_back(writer: Writer, canary: Canary, traffic: Traffic) -> None:
    """Users go back to the target only while somebody there can answer (SAFETY 16)."""
    if not has_endpoints(writer.api, canary.namespace, canary.service.canary_name):
        traffic.accepted = False
        traffic.why = f"not pointed at {canary.target}: Service {canary.namespace}/{canary.service.canary_name} has no ready endpoints"
        return
    target = existing(writer.api, target_ref(canary))
    traffic.changes.append(removal.apex_back(writer, canary, selector_of(target, canary.options.selector_labels)))


def _may_raise(writer: Writer, canary: Canary, split: Split, before: Split | None, traffic: Traffic, order: TrafficOrder = TrafficOrder()) -> bool:
    """Whether somebody answers behind the canary's Service (SAFETY 16), and nobody lowered what it gets since the raise was decided (SAFETY 14)."""
    live, name = before or Split(100, 0), canary.service.canary_name
    if not split.exceeds(live):
        return True
    if order.raised_from is not None and live.canary < order.raised_from:
        problem = f"somebody lowered the canary from {order.raised_from}% to {live.canary}%"
    elif live.mirror < order.mirrored_from:
        problem = f"somebody lowered the copies of requests from {order.mirrored_from}% to {live.mirror}%"
    elif not has_endpoints(writer.api, canary.namespace, name):
        problem = f"Service {canary.namespace}/{name} has no ready endpoints"
    else:
        return True
    traffic.before = traffic.after = before
    traffic.accepted = False
    traffic.why = f"not raised to {words.share(split)}: {problem}"
    return False


def _told(split: Split | None) -> dict[str, Any] | None:
    """The two weights, and beside them what else there is."""
    return None if split is None else {key: value for key, value in dump(split).items() if value or key in ("primary", "canary")}
