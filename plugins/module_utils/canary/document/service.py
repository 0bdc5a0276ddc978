# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``spec.service``: names, ports, gateways, and what the route says besides weights.

``match``, ``rewrite``, ``headers``, ``mirror`` and ``corsPolicy`` keep the document's shape; the router maps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger, formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.formats import Form
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Metadata, Service

# Limits of the Gateway API's HTTPRoute.
MOST_PARENTS = 32
MOST_HOSTS = 16
HIGHEST_PORT = 65535

_GATEWAY_REFS = "a list of at most 32 gateways, each with a name, such as [{name: public, namespace: ingress}]"
_TRAFFIC_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_REWRITE_TYPES = ("ReplaceFullPath", "ReplacePrefixMatch")
_OF_THE_ROUTE = ("gatewayRefs", "hosts", "match", "timeout", "backendTimeout", "rewrite", "retries", "headers", "mirror", "corsPolicy")
_NOT_EMPTY = Form("a text that is not empty", lambda text: "" if text else "is empty")


def read_service(spec: Fields, target: str, provider: str, adopted: bool = False) -> Service:
    """``spec.service``; the apex takes the target's name where it has none of its own.

    With ``adopted`` the route is the user's, and what the document says of one does not count.
    """
    needs_gateways = provider in flagger.GATEWAY_APIS and not adopted
    service = spec.mapping("service", f"a mapping with at least port{' and gatewayRefs' if needs_gateways else ''}", required=True)
    for key in _OF_THE_ROUTE if adopted else ():
        if service.has(key):
            service.warn(key, "does not count: the route is yours (canary_route: adopted)")
    duration = formats.GATEWAY_DURATION if provider in flagger.GATEWAY_APIS else formats.GO_DURATION
    timeout = service.text("timeout", duration)
    backend_timeout = service.text("backendTimeout", duration)
    _check_timeouts(service, timeout, backend_timeout)
    match = matches(service, ("uri", "method", "headers", "queryParams"))
    read = Service(
        name=_name(service, target),
        port=service.whole("port", 1, HIGHEST_PORT, default=1, required=True),
        port_name=service.text("portName", formats.SERVICE_PORT_NAME, default="http"),
        target_port=_target_port(service),
        app_protocol=service.text("appProtocol", accepted="a protocol such as http or grpc"),
        port_discovery=service.flag("portDiscovery"),
        headless=service.flag("headless"),
        traffic_distribution=service.choice("trafficDistribution", _TRAFFIC_DISTRIBUTIONS),
        timeout=timeout,
        backend_timeout=backend_timeout,
        hosts=_hosts(service),
        gateway_refs=_gateway_refs(service, provider if needs_gateways else ""),
        match=match,
        rewrite=_rewrite(service, match),
        headers=_headers(service),
        mirror=_mirror(service),
        cors_policy=_cors(service),
        retries=_retries(service) if provider == flagger.CONTOUR else {},
        apex=_metadata(service, "apex"),
        primary=_metadata(service, "primary"),
        canary=_metadata(service, "canary"),
        unmanaged_metadata=_unmanaged(service),
    )
    service.refuse_rest(flagger.SERVICE_NOT_YET)
    return read


def _name(service: Fields, target: str) -> str:
    given = service.has("name")
    name = service.text("name", formats.SERVICE_NAME, default=target)
    if not given and target and formats.SERVICE_NAME.wrong(target):
        service.refuse("name", f"is missing, and the target's name '{target}' cannot be that of a Service",
                       f"accepted: {formats.SERVICE_NAME.accepted}")
    return name


def _target_port(service: Fields) -> int | str:
    """A number or the name of a container's port; 0 stands for the same as ``port``."""
    value = service.raw("targetPort")
    if isinstance(value, str) and not value.strip().isdecimal():
        return service.text("targetPort", formats.PORT_NAME) or 0
    return service.whole("targetPort", 0, HIGHEST_PORT, accepted=formats.PORT_NAME.accepted)


def _hosts(service: Fields) -> tuple[str, ...]:
    hosts = service.texts("hosts", formats.HOST)
    if len(hosts) > MOST_HOSTS:
        service.refuse("hosts", f"has {len(hosts)} entries", f"accepted: at most {MOST_HOSTS}")
    return hosts


def _gateway_refs(service: Fields, provider: str) -> tuple[Mapping[str, Any], ...]:
    entries = service.mappings("gatewayRefs", _GATEWAY_REFS)
    if not entries and provider in flagger.GATEWAY_APIS and service.present and not service.is_wrong("gatewayRefs"):
        service.refuse("gatewayRefs", "is missing or empty", f"{provider} needs it; accepted: {_GATEWAY_REFS}")
    refs = [_reference(entry, {"sectionName": formats.OBJECT_NAME}) for _index, entry in entries]
    if len(refs) > MOST_PARENTS:
        service.refuse("gatewayRefs", f"has {len(refs)} entries", f"accepted: {_GATEWAY_REFS}")
        return ()
    for place, ref in enumerate(refs):
        if ref["name"] and ref in refs[:place]:
            service.refuse(f"gatewayRefs[{place}]", "is there twice", "accepted: each gateway, or section of it, once")
    return tuple(refs)


def _reference(entry: Fields, more: Mapping[str, Form] = MappingProxyType({})) -> dict[str, Any]:
    """A reference as the Gateway API writes it, with the fields that the document gives."""
    # Left out, the group is that of gateways; the empty text is the core group, of Services.
    core = entry.raw("group") == ""
    ref: dict[str, Any] = {
        "group": entry.text("group", formats.GROUP),
        "kind": entry.text("kind", formats.KIND),
        "name": entry.text("name", formats.OBJECT_NAME, required=True),
        "namespace": entry.text("namespace", formats.NAMESPACE),
        **{key: entry.text(key, form) for key, form in more.items()},
        "port": entry.whole("port", 1, HIGHEST_PORT),
    }
    entry.refuse_rest()
    return {key: value for key, value in ref.items() if value or key == "name" or (core and key == "group")}


def _check_timeouts(service: Fields, timeout: str, backend_timeout: str) -> None:
    whole, part = formats.seconds(timeout) or 0.0, formats.seconds(backend_timeout) or 0.0
    if whole and part > whole:
        service.refuse("backendTimeout", f"'{backend_timeout}' is longer than timeout '{timeout}'", "accepted: at most the timeout")


def matches(holder: Fields, kinds: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """The list ``match`` of ``spec.service``, or of the analysis, whose entries match by these kinds of things."""
    entries = holder.mappings("match", f"a list of mappings with {', '.join(kinds[:-1])} or {kinds[-1]}")
    return tuple(_match(entry, kinds) for _index, entry in entries)


def _match(entry: Fields, kinds: Sequence[str]) -> dict[str, Any]:
    # Istio's label of a rule, for people only.
    entry.text("name")
    readers: dict[str, Callable[[Fields], dict[str, Any]]] = {
        "uri": lambda test: _string_match(test, {"exact": formats.HTTP_PATH, "prefix": formats.HTTP_PATH, "regex": _NOT_EMPTY}),
        "method": lambda test: _string_match(test, {"exact": formats.METHOD}),
        "headers": _string_matches,
        "queryParams": _string_matches,
    }
    match = {kind: readers[kind](entry.mapping(kind)) for kind in kinds}
    found = {key: value for key, value in match.items() if value}
    if not found and not entry.unread and not entry.is_wrong():
        entry.findings.refuse(entry.path, "matches on nothing", f"accepted: at least one of {', '.join(kinds)}")
    entry.refuse_rest(flagger.MATCH_NOT_YET)
    return found


def _string_matches(entries: Fields) -> dict[str, dict[str, str]]:
    return {name: _string_match(entries.mapping(name), {"exact": _NOT_EMPTY, "regex": _NOT_EMPTY}) for name in entries.unread}


def _string_match(entry: Fields, kinds: Mapping[str, Form]) -> dict[str, str]:
    """One of Istio's ways to match a text, of those that the Gateway API has for this place."""
    if not entry.present:
        return {}
    accepted = f"accepted: exactly one of {', '.join(kinds)}"
    found = {kind: entry.text(kind, form) for kind, form in kinds.items() if entry.has(kind)}
    others = [kind for kind in ("exact", "prefix", "suffix", "regex") if kind not in kinds and entry.has(kind)]
    for kind in others:
        entry.refuse(kind, "cannot be matched by", accepted)
        entry.take(kind)
    if len(found) + len(others) != 1 and not entry.unread:
        entry.findings.refuse(entry.path, f"says {' and '.join((*found, *others)) or 'nothing'}", accepted)
    entry.refuse_rest()
    return found


def _rewrite(service: Fields, match: tuple[Mapping[str, Any], ...]) -> dict[str, str]:
    rewrite = service.mapping("rewrite")
    read = {
        "uri": rewrite.text("uri", formats.HTTP_PATH),
        "authority": rewrite.text("authority", formats.EXACT_HOST),
        "type": rewrite.choice("type", _REWRITE_TYPES),
    }
    if read["type"] == "ReplacePrefixMatch" and match and not (len(match) == 1 and "prefix" in match[0].get("uri", {})):
        rewrite.refuse("type", "'ReplacePrefixMatch' needs one prefix to replace", "accepted with it: one match, by uri.prefix")
    rewrite.refuse_rest()
    return {key: value for key, value in read.items() if value}


def _headers(service: Fields) -> dict[str, Any]:
    headers = service.mapping("headers")
    read = {}
    for side in ("request", "response"):
        entry = headers.mapping(side)
        changes = {
            "add": entry.text_map("add", formats.HEADER_NAME, _NOT_EMPTY, secret=True),
            "set": entry.text_map("set", formats.HEADER_NAME, _NOT_EMPTY, secret=True),
            "remove": list(entry.texts("remove", formats.HEADER_NAME)),
        }
        entry.refuse_rest()
        read[side] = {key: value for key, value in changes.items() if value}
    headers.refuse_rest()
    return {side: changes for side, changes in read.items() if changes}


def _mirror(service: Fields) -> tuple[Mapping[str, Any], ...]:
    mirrors = []
    for _index, entry in service.mappings("mirror", "a list of mappings with backendRef"):
        backend = entry.mapping("backendRef", "a mapping with name and port of a Service", required=True)
        ref = _reference(backend)
        if backend.present and ref.get("kind", "Service") == "Service" and not ref.get("group") and "port" not in ref:
            if not backend.is_wrong("port"):
                backend.refuse("port", "is missing", f"accepted: the Service's port, from 1 to {HIGHEST_PORT}")
        entry.refuse_rest()
        mirrors.append({"backendRef": ref})
    return tuple(mirrors)


def _cors(service: Fields) -> dict[str, Any]:
    cors = service.mapping("corsPolicy")
    lists = ("allowOrigin", "allowMethods", "allowHeaders", "exposeHeaders")
    read: dict[str, Any] = {key: list(cors.texts(key, _NOT_EMPTY)) for key in lists}
    read["allowCredentials"] = cors.flag("allowCredentials")
    read["maxAge"] = cors.text("maxAge", formats.GO_DURATION)
    cors.refuse_rest(flagger.CORS_NOT_YET)
    return {key: value for key, value in read.items() if value}


def _retries(service: Fields) -> dict[str, Any]:
    retries = service.mapping("retries", "a mapping with attempts, perTryTimeout, retryOn")
    read = {
        "attempts": retries.whole("attempts", 1, required=True),
        "perTryTimeout": retries.text("perTryTimeout", formats.GO_DURATION),
        "retryOn": retries.text("retryOn", accepted="conditions with commas between them, such as 5xx,reset"),
    }
    retries.refuse_rest()
    return {key: value for key, value in read.items() if value}


def _metadata(service: Fields, key: str) -> Metadata:
    entry = service.mapping(key)
    read = Metadata(
        labels=entry.text_map("labels", formats.KEY, formats.LABEL_VALUE),
        annotations=entry.text_map("annotations", formats.KEY))
    entry.refuse_rest()
    return read


def _unmanaged(service: Fields) -> Metadata:
    entry = service.mapping("unmanagedMetadata")
    read = Metadata(
        labels=dict.fromkeys(entry.texts("labels", formats.KEY), ""),
        annotations=dict.fromkeys(entry.texts("annotations", formats.KEY), ""))
    entry.refuse_rest()
    return read
