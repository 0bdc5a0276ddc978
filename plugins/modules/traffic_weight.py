#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_weight
short_description: Shift the weights of a route between two Services
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Changes how a route splits its traffic between a primary and a canary Service, and waits until the router's controller has accepted it.
  - Alone it changes the two weights of a route that is there, and nothing else in it. In the role it carries out the O(order) of a decision,
    which may also make the Services and the route of a frozen O(document).
  - A canary's weight is not raised while its Service has no ready endpoints.
  - Every change rests on the resourceVersion that was read for it. When somebody else changes the weights at the same moment, the task fails and
    theirs stay.
options:
  provider:
    description: What splits the traffic. V(gatewayapi:v1), or V(gatewayapi:v1beta1) in an older cluster, is an HTTPRoute of the Gateway API,
      V(contour) an HTTPProxy, V(traefik) a TraefikService.
    type: str
    choices: ["gatewayapi:v1", "gatewayapi:v1beta1", contour, traefik]
    default: "gatewayapi:v1"
  name:
    description: Name of the routing object.
    type: str
  namespace:
    description: Namespace of the routing object and of both Services.
    type: str
  primary:
    description: Name of the Service that gets what the canary does not get.
    type: str
  canary:
    description: Name of the Service that gets O(weight) percent.
    type: str
  weight:
    description: Percent of the traffic for the canary, 0 to 100. The primary gets the rest.
    type: int
  rule:
    description:
      - Name of the rule in the route. Left out, it is the only rule whose backends are exactly the two Services; where there are several, the
        task fails. Only with the Gateway API, since nothing else has names for them.
    type: str
  wait:
    description:
      - Whether to wait until every parent of the route has accepted it, and to fail when that does not happen in time. Only without O(document).
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait. Only without O(document), whose C(max_time_to_accept) counts there.
    type: int
    default: 30
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
  order:
    description: What to do, as M(progressive.delivery.canary_decide) returns it under C(decision.traffic). Required with O(document).
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
  - module: progressive.delivery.primary_workload
"""

EXAMPLES = r"""
- name: A tenth of the requests to the canary
  progressive.delivery.traffic_weight:
    name: podinfo
    namespace: test
    primary: podinfo-primary
    canary: podinfo-canary
    weight: 10

- name: All of them back
  progressive.delivery.traffic_weight:
    name: podinfo
    namespace: test
    primary: podinfo-primary
    canary: podinfo-canary
    weight: 0
    wait_timeout: 60
"""

RETURN = r"""
before:
  description: Percent of the traffic to each side before; null where the route did not split between them, or the order is not about weights.
  type: dict
  returned: always
  sample: {"primary": 100, "canary": 0}
after:
  description:
    - The same after the task; in check mode what it would be. With O(document) also what else the route says of the two sides, where there is any of it;
      percent of the requests that are copied to the canary as C(mirror), and the cookies of session affinity.
  type: dict
  returned: always
  sample: {"primary": 90, "canary": 10}
services:
  description: Names of the Services that were made or changed. Only an O(order) does that.
  type: list
  elements: str
  returned: always
  sample: []
accepted:
  description:
    - Whether every parent has accepted the route as it is now. Without O(document) it is true or the task fails, unless O(wait) is off. In check
      mode nothing is waited for, and it is true.
  type: bool
  returned: always
  sample: true
why:
  description: Why it is not accepted, or why the weight was not raised. Empty when all is well.
  type: str
  returned: always
  sample: "Gateway infra/gw: Accepted is reported for an older generation of the route"
"""

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split, TrafficOrder, load
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Options, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import routes, waits
from ansible_collections.progressive.delivery.plugins.module_utils.kube.routes import Traffic
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

OPTIONS = {
    "provider": {"type": "str", "choices": [*flagger.GATEWAY_APIS, flagger.CONTOUR, flagger.TRAEFIK], "default": "gatewayapi:v1"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "primary": {"type": "str"},
    "canary": {"type": "str"},
    "weight": {"type": "int"},
    "rule": {"type": "str"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 30},
    "document": {"type": "dict"},
    "order": {"type": "dict"},
    "epoch": {"type": "int"},
}
ALONE = ("name", "namespace", "primary", "canary", "weight")
IN_ROLE = ("document", "order", "epoch")


def execute(call: Call) -> dict[str, Any]:
    return _in_role(call) if call.params["document"] is not None else _alone(call)


def _in_role(call: Call) -> dict[str, Any]:
    canary = thaw(call.params["document"])
    call.subject = f"{canary.namespace}/{canary.name}"
    try:
        order = load(TrafficOrder, call.params["order"])
    except TypeError as error:
        raise SpecError("order", f"is not a whole order for traffic: {error}", "give decision.traffic as canary_decide returned it") from None
    limit = waits.Limit(call.memory, canary.options.max_time_to_accept)
    traffic = routes.apply_traffic(call.api, canary, order, call.params["epoch"], call.check_mode, wait=limit.left(), leave=call.impatient)
    return _result(call, traffic, limit)


def _alone(call: Call) -> dict[str, Any]:
    canary, weight = _canary(call.params), call.params["weight"]
    if not 0 <= weight <= 100:
        raise SpecError("weight", f"{weight} is not a percentage", "accepted: 0 to 100")
    if call.params["primary"] == call.params["canary"]:
        raise SpecError("canary", f"{call.params['canary']} is the primary too", "accepted: the names of two Services")
    if call.params["rule"] and call.params["provider"] not in flagger.GATEWAY_APIS:
        raise SpecError("rule", "only the rules of an HTTPRoute have names", "leave it out, and let only one of them split")
    limit = waits.Limit(call.memory, call.params["wait_timeout"])
    traffic = routes.set_weights(call.api, canary, Split(100 - weight, weight), call.check_mode)
    if traffic.why:
        raise CanaryError(traffic.why)
    _warn_of_walks(call, traffic)
    if call.params["wait"] and not call.check_mode:
        traffic.await_accepted(call.api, canary, limit.left(), call.impatient)
        if not traffic.accepted and not traffic.waits:
            raise CanaryError(f"{routes.ref(canary)} has the weights {100 - weight} and {weight}, but was not accepted within "
                              f"{call.params['wait_timeout']} s: {traffic.why}")
    return _result(call, traffic, limit)


def _canary(params: dict[str, Any]) -> Canary:
    """As much of a document as a route needs."""
    service = Service(name=params["name"], port=0, route=params["name"], route_rule=params["rule"] or "",
                      primary_service=params["primary"], canary_service=params["canary"])
    return Canary(name="", namespace=params["namespace"], provider=params["provider"], target="", target_kind="", service=service,
                  analysis=Analysis(interval=0, threshold=1), options=Options())


def _warn_of_walks(call: Call, traffic: Traffic) -> None:
    for one in traffic.changes:
        owner = marks.annotations_of(one.after).get(marks.CANARY)
        if owner:
            call.warn(f"{one.ref} belongs to the canary {owner}: its walk holds, or changes the weights back")


def _result(call: Call, traffic: Traffic, limit: waits.Limit) -> dict[str, Any]:
    result = limit.whole(traffic.result(), first=("before",))
    if traffic.waits:
        return {"changed": result["changed"], "again": True}
    if not call.diff:
        del result["diff"]
    return result


VERB = Verb(
    name="traffic_weight",
    options=OPTIONS,
    execute=execute,
    mutually_exclusive=tuple((one, "document") for one in (*ALONE, "rule")),
    required_together=(ALONE, IN_ROLE),
    required_one_of=(("name", "document"),),
)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
