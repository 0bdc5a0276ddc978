# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects as an API server keeps them, and a canary among them: what the ``server`` of conftest.py answers with.

As far as it goes, and no further: resourceVersions, conflicts, merge and JSON patches, the scale subresource, lists by label, watches of
one object. Whether a real API server does the same is shown in the integration target real_api_server.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.progressive.delivery.plugins.module_utils.canary import primary as copies, services
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Pinned, Record, dumps
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Analysis, Canary, Service
from ansible_collections.progressive.delivery.plugins.module_utils.kube import record as store, refs, routes
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.routers import gatewayapi
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.canary.json_patches import applied

Object = dict[str, Any]

WRITES = ("POST", "PUT", "PATCH", "DELETE")
CONFLICT = (409, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified", "code": 409})
_COLLECTION = re.compile(r"/namespaces/[^/]+/[^/]+$")
FORBIDDEN = (403, {"kind": "Status", "reason": "Forbidden", "message": "not for you", "code": 403})
MISSING = (404, {"kind": "Status", "reason": "NotFound", "message": "not found", "code": 404})


class Objects:
    """``meanwhile`` happens once, just before the next write arrives, ``in_a_watch`` once a watch has begun: somebody else's change.

    ``forbids`` says which method on which path the user has no right to.
    ``prune`` takes away what this server's kinds do not know of an object that is written.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._kept: dict[str, Object] = {}
        self._versions = itertools.count(101)
        self._changed = threading.Condition()
        self.meanwhile: Callable[[], None] | None = None
        self.in_a_watch: Callable[[], None] | None = None
        self.forbids: Callable[[str, str], bool] = lambda method, path: False
        self.prune: Callable[[Object], None] = lambda obj: None
        server.says(self)

    # -- as everybody else changes them --

    def put(self, ref: Ref, obj: Mapping[str, Any]) -> Object:
        with self._changed:
            kept = {"apiVersion": ref.api_version, "kind": ref.kind, **copy.deepcopy(dict(obj))}
            kept["metadata"] = {"uid": f"uid-{ref.name}", **kept.get("metadata", {}), "name": ref.name, "namespace": ref.namespace,
                                "resourceVersion": str(next(self._versions))}
            self._kept[ref.path] = kept
            self._changed.notify_all()
            return kept

    def get(self, ref: Ref) -> Object | None:
        return copy.deepcopy(self._kept.get(ref.path))

    def change(self, ref: Ref, make: Callable[[Object], None]) -> None:
        live = self.get(ref)
        assert live is not None
        make(live)
        self.put(ref, live)

    def drop(self, ref: Ref) -> None:
        with self._changed:
            del self._kept[ref.path]
            self._changed.notify_all()

    @property
    def written(self) -> list[tuple[str, str]]:
        """Method and last part of the path of each write that arrived, refused ones included."""
        return [(one.method, one.path.rpartition("/")[2]) for one in self._server.asked if one.method in WRITES]

    # -- as the API server answers --

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        query = dict(parse_qsl(address.query))
        asked = self._server.asked[-1]
        if handler.command in WRITES and self.meanwhile:
            happen, self.meanwhile = self.meanwhile, None
            happen()
        if "watch" in query:
            if self.in_a_watch:
                happen, self.in_a_watch = self.in_a_watch, None
                happen()
            self._server.events(*self._events(address.path, query))(handler)
            return
        if self.forbids(handler.command, address.path):
            self._server.json(*FORBIDDEN)(handler)
            return
        status, body = self._answer(handler.command, address.path, query, json.loads(asked.body) if asked.body else None)
        self._server.json(status, body)(handler)

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        if method == "POST":
            path = f"{path}/{body['metadata'].get('name') or 'generated'}"
            if path in self._kept and not body["metadata"].get("generateName"):
                return 409, {"kind": "Status", "reason": "AlreadyExists", "message": "already exists", "code": 409}
            return 201, self._keep(path, {**body, "metadata": {"uid": f"uid-{path}", **body["metadata"]}})
        if method == "GET" and path not in self._kept:
            return self._list(path, query.get("labelSelector", "")) if _COLLECTION.search(path) else MISSING
        scaled = path.endswith("/scale")
        path = path.removesuffix("/scale")
        live = self._kept.get(path)
        if live is None:
            return MISSING
        if method == "GET":
            return 200, live
        wanted = body.get("preconditions", {}).get("resourceVersion") if method == "DELETE" else _named_version(body)
        if wanted not in (None, live["metadata"]["resourceVersion"]):
            return CONFLICT
        if method == "DELETE":
            return 200, self._kept.pop(path)
        after = _patched(live, body)
        if scaled:
            after = {**live, "spec": {**live["spec"], "replicas": body["spec"]["replicas"]}}
        return 200, live if after == live else self._keep(path, after)

    def _keep(self, path: str, obj: Object) -> Object:
        with self._changed:
            obj = copy.deepcopy(obj)
            self.prune(obj)
            obj["metadata"]["resourceVersion"] = str(next(self._versions))
            self._kept[path] = obj
            self._changed.notify_all()
            return obj

    def _list(self, path: str, selector: str) -> tuple[int, Any]:
        return 200, {"items": [obj for place, obj in self._kept.items()
                               if place.rpartition("/")[0] == path and _selected(obj["metadata"].get("labels") or {}, selector)]}

    def _events(self, path: str, query: Mapping[str, str]) -> list[Object]:
        place = f"{path}/{query['fieldSelector'].partition('=')[2]}"
        known = query.get("resourceVersion")
        with self._changed:
            self._changed.wait_for(lambda: self._kept[place]["metadata"]["resourceVersion"] != known, timeout=float(query["timeoutSeconds"]))
            live = self._kept[place]
            return [] if live["metadata"]["resourceVersion"] == known else [{"type": "MODIFIED", "object": live}]


def _named_version(body: Any) -> str | None:
    if isinstance(body, list):
        return next((step["value"] for step in body if step["path"] == "/metadata/resourceVersion"), None)
    return (body.get("metadata") or {}).get("resourceVersion")


def _patched(live: Object, body: Any) -> Object:
    return applied(live, body) if isinstance(body, list) else _merged(copy.deepcopy(live), body)


def _merged(live: Any, body: Any) -> Any:
    """RFC 7386."""
    if not isinstance(body, Mapping):
        return body
    made = dict(live) if isinstance(live, Mapping) else {}
    for key, value in body.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    for term in re.findall(r"[^,()]+(?:\([^)]*\))?", selector):
        key, several, values = term.partition(" in ")
        if several and labels.get(key.strip()) not in [value.strip() for value in values.strip("()").split(",")]:
            return False
        key, equals, value = term.partition("=")
        if not several and (labels.get(key) != value if equals else key not in labels):
            return False
    return True


# A canary

def document(**more: Any) -> Canary:
    """podinfo.test on a Gateway: 10, 20 ... 50 percent, every ten seconds, no checks."""
    shape = {"interval": 10.0, "threshold": 3, "max_weight": 50, "step_weight": 10, **more.pop("analysis", {})}
    return Canary("podinfo", "test", "gatewayapi:v1", "podinfo", "Deployment",
                  Service("podinfo", 9898, hosts=("app.example.com",), gateway_refs=({"namespace": "gateways", "name": "main"},)), Analysis(**shape), **more)


def template(image: str) -> Object:
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": {"containers": [{"name": "podinfo", "image": image}]}}


A, B = template("podinfo:A"), template("podinfo:B")


def walked(server: Any, canary: Canary, weight: int, now: float, **changes: Any) -> Objects:
    """Revision B under analysis at a confirmed weight, since ``now``; nobody holds the record. Everybody is ready."""
    kept = Objects(server)
    target = kept.put(refs.deployment("test", "podinfo"), _deployment("podinfo", B, {"app": "podinfo"}))
    primary = copies.new_primary({**target, "spec": {**target["spec"], "template": A}}, canary, 2)
    kept.put(refs.deployment("test", "podinfo-primary"), {**primary, "status": target["status"]})
    selector = copies.selector_of(target, canary.options.selector_labels)
    for name, made in (("podinfo", B), ("podinfo-primary", primary["spec"]["template"])):
        kept.put(refs.replica_set("test", f"{name}-1"), {
            "metadata": {"labels": made["metadata"]["labels"], "ownerReferences": [{"controller": True, "name": name, "uid": f"uid-{name}"}]},
            "spec": {"template": made}})
    for role, name in ((services.APEX, "podinfo-primary"), (services.PRIMARY, "podinfo-primary"), (services.CANARY, "podinfo")):
        service = services.wanted(canary, role, selector, target)
        kept.put(refs.service("test", service["metadata"]["name"]), service)
        kept.put(refs.endpoint_slice("test", service["metadata"]["name"]), {
            "metadata": {"labels": {"kubernetes.io/service-name": service["metadata"]["name"]}},
            "endpoints": [{"targetRef": {"kind": "Pod", "name": f"{name}-1-{letter}"}, "conditions": {"ready": True}} for letter in "xy"]})
    route = gatewayapi.desired(canary, Split(100 - weight, weight))
    parents = [{"parentRef": parent, "conditions": [{"type": kind, "status": "True", "observedGeneration": 1} for kind in ("Accepted", "ResolvedRefs")]}
               for parent in route["spec"]["parentRefs"]]
    route["metadata"]["generation"] = 1
    kept.put(routes.ref(canary), {**route, "status": {"parents": parents}})
    revision = revision_of(B)
    with_record(kept, canary, Record(**{
        "name": "podinfo", "namespace": "test", "identity": canary.identity, "phase": "Progressing", "canary_weight": weight, "epoch": 3,
        "last_promoted": revision_of(A), "last_applied": revision, "run": "run", "pinned": Pinned(revision, "podinfo-1", "uid-podinfo-1"), "confirmed_at": now,
        "due": now + canary.analysis.interval, "ready_since": now, "pre_rollout_done": True, "settled": True, "primary_replicas": 2,
        "target_uid": "uid-podinfo", **changes}))
    return kept


def with_record(kept: Objects, canary: Canary, record: Record) -> None:
    kept.put(store.record_ref(canary.namespace, canary.name), {"metadata": {"labels": {store.LABEL: canary.name}}, "data": {store.KEY: dumps(record)}})


def _deployment(name: str, made: Object, labels: Mapping[str, str]) -> Object:
    return {"metadata": {"generation": 1}, "spec": {"replicas": 2, "selector": {"matchLabels": dict(labels)}, "template": made},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}}
