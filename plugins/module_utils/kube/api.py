# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server's REST verbs: bounded retries, errors in words, its clock, and watches.

Knows no HTTP library: ``client.Transport`` sends. A write that carries a resourceVersion (or a uid) may be repeated, since the server
refuses the second of two; every other write is sent once (SAFETY 1).
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import ANY
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref

FIELD_MANAGER = "progressive-delivery"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

NOT_SENT = "NotSent"                    # KubeError.reason: the request never reached the server
UNTRUSTED = "Untrusted"                 # KubeError.reason: no TLS connection, and another attempt will not mend it
LONGEST_MESSAGE = 600                   # characters of what the server, or a webhook of its, says
FORBIDDEN = 403                         # KubeError.status: the user may not do that
UNKNOWN_KIND = "UnknownKind"            # KubeError.reason: the server does not serve this kind

REQUEST_SECONDS = 10.0
GLIMPSE_SECONDS = 2.0                   # that a request may take on which nothing depends
GLIMPSE_AGAIN = 10.0                    # seconds for which its answer will do
GLIMPSE_MOST = "100"                    # objects that it looks at
RETRY_SECONDS = 5.0                     # no new attempt is begun later than this after the first
_BACKOFF = (0.1, 0.25, 0.6, 1.2, 2.0)
_RETRIED = frozenset((429, 500, 502, 503, 504))


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. ``date`` and ``retry_after`` are the headers' texts."""

    status: int
    date: str
    retry_after: str
    body: bytes


class Sender(Protocol):
    """What carries requests: see client.Transport."""

    host: str
    verified: bool                      # whether the certificate is looked at, where there is one

    def send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str, seconds: float) -> Reply:
        """One request and its answer."""

    def stream(self, path: str, query: Mapping[str, str], seconds: float) -> AbstractContextManager[tuple[Reply, Iterator[bytes]]]:
        """A GET whose answer comes piece by piece."""


@dataclass(frozen=True)
class Permission:
    """One thing that the user must be allowed to do; ``resource`` may be ``deployments/scale``, ``name`` ANY for any one object."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")


@dataclass(frozen=True)
class Clock:
    """What is known of the API server's clock minus this machine's monotonic one: it lies between these two, in seconds.

    A Date has whole seconds, so that one answer leaves them up to a second apart; each further answer may bring them nearer.
    """

    earliest: float
    latest: float

    def narrowed(self, other: Clock) -> Clock:
        """What both know together. Several servers whose clocks differ may contradict each other: then whoever is ahead counts."""
        earliest = max(self.earliest, other.earliest)
        return Clock(earliest, max(earliest, min(self.latest, other.latest)))


UNKNOWN = Clock(0.0, 0.0)


class Api:
    """Typed by nothing but Ref: objects are the plain mappings that the API server speaks."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._clock: Clock | None = None
        self.requests = 0
        self._glimpses: dict[tuple[Ref, str], tuple[float, Sequence[Mapping[str, Any]]]] = {}

    @property
    def host(self) -> str:
        return self._sender.host

    @property
    def verified(self) -> bool:
        return self._sender.verified

    # Reads

    def get(self, ref: Ref) -> dict[str, Any] | None:
        """The object as it is now, None when there is none. Raises KubeError, also when the kind is unknown to the server."""
        reply = self._send("get", ref, "GET", ref.path, {}, None, "", repeatable=True)
        if reply.status == 404 and not _unknown_kind(reply):
            return None
        return self._body("get", ref, reply)

    def list(self, ref: Ref, label_selector: str = "", field_selector: str = "") -> dict[str, Any]:
        """The list object of a kind in a namespace, as it is now (never from a cache: SAFETY 27)."""
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {key: value for key, value in query.items() if value}
        return self._body("list", ref, self._send("list", ref, "GET", ref.collection.path, query, None, "", repeatable=True))

    def glimpse(self, ref: Ref, label_selector: str) -> Sequence[Mapping[str, Any]]:
        """Objects of a kind, as they were within the last seconds; none where the server does not give them at once. For what nothing depends on."""
        when, found = self._glimpses.get((ref, label_selector), (-GLIMPSE_AGAIN, ()))
        if time.monotonic() - when < GLIMPSE_AGAIN:
            return found
        self.requests += 1
        try:
            reply = self._sender.send("GET", ref.collection.path, {"labelSelector": label_selector, "limit": GLIMPSE_MOST}, None, "", GLIMPSE_SECONDS)
            found = self._body("list", ref, reply).get("items", [])
        except KubeError:
            found = ()
        self._glimpses[ref, label_selector] = (time.monotonic(), found)
        return found

    def watch(self, ref: Ref, seconds: float, resource_version: str = "") -> Iterator[dict[str, Any]]:
        """Events ``{type, object}`` for at most about ``seconds``, then it ends silently; a cut connection is taken up again.

        Without a resource_version it begins with an ADDED event for what is there, and so does every new beginning after a cut.
        Raises KubeError when the server refuses (401, 403, unknown kind).
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                yield from self._watch_once(ref, left, resource_version)
            except KubeError as error:
                if error.status not in (0, 410) and error.status not in _RETRIED:
                    raise
                time.sleep(max(0.0, min(0.2, end - time.monotonic())))
            resource_version = ""

    # Writes

    def create(self, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as it was made. Raises KubeError 409 when it is there already. Sent once: a late create cannot be refused."""
        return self._write("create", ref, "POST", ref.collection.path, body, "application/json", repeatable=False)

    def replace(self, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._write("update", ref, "PUT", ref.path, body, "application/json", repeatable=_fenced(body))

    def patch(self, ref: Ref, body: Any, content_type: str = MERGE_PATCH, subresource: str = "") -> dict[str, Any]:
        """The object after the patch: a merge patch (mapping) or a JSON patch (list, with JSON_PATCH)."""
        path = f"{ref.path}/{subresource}" if subresource else ref.path
        return self._write("patch", ref, "PATCH", path, body, content_type, repeatable=_fenced(body))

    def patch_strategic(self, ref: Ref, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """The object after a patch whose lists are merged by their keys, as the server alone knows them; a field that there is not is refused.

        With ``dry_run`` the server says what the object would be, and keeps nothing.
        """
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._write("patch", ref, "PATCH", ref.path, body, STRATEGIC_PATCH, repeatable=dry_run or _fenced(body), query=query)

    def patch_status(self, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
        return self.patch(ref, body, subresource="status")

    def patch_scale(self, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
        """The Scale object after the patch. With metadata.resourceVersion in the body it is the workload's that must match."""
        return self.patch(ref, body, subresource="scale")

    def delete(self, ref: Ref, uid: str = "", resource_version: str = "") -> dict[str, Any] | None:
        """What the server says, None when there is no such object. Refused (409) when uid or resourceVersion differ."""
        wanted = {key: value for key, value in {"uid": uid, "resourceVersion": resource_version}.items() if value}
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if wanted:
            body["preconditions"] = wanted
        reply = self._send("delete", ref, "DELETE", ref.path, {}, json.dumps(body).encode(), "application/json", repeatable=bool(wanted))
        if reply.status == 404 and not _unknown_kind(reply):
            return None
        return self._body("delete", ref, reply)

    # About the server

    def now(self) -> float:
        """Epoch seconds on the API server's clock (SAFETY 27), never later than it, and never backwards within one client.

        What is waited for has come when this says so.
        """
        clock = self.clock()        # may ask first
        return time.monotonic() + clock.earliest

    def now_at_latest(self) -> float:
        """The same, never earlier than it, by up to a second: what is to last its whole time begins here (SAFETY 12)."""
        clock = self.clock()
        return time.monotonic() + clock.latest

    def clock(self) -> Clock:
        """Asks the server where nobody has yet. Raises KubeError when it does not say what time it is."""
        if self._clock is None:
            version = Ref("", "v1", "version", "", "", "version")
            self._send("get", version, "GET", "/version", {}, None, "", repeatable=True)
        if self._clock is None:
            raise KubeError(f"the API server {self.host} sends no Date header, so its clock is not known")
        return self._clock

    def know(self, clock: Clock) -> None:
        """What another client of the same run, on the same machine, knew of the server's clock: so that a run agrees with itself."""
        self._clock = clock.narrowed(self._clock) if self._clock else clock

    def access(self, namespace: str, rules: Sequence[Permission]) -> Sequence[Permission]:
        """Those of ``rules`` that the user may not do in ``namespace``; one request where the server's list of rules is complete."""
        review = self.create(refs.rules_review(), {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}})
        status = review.get("status", {})
        missing = [rule for rule in rules if not any(_grants(given, rule) for given in status.get("resourceRules", []))]
        if status.get("incomplete"):
            return [rule for rule in missing if not self._may(namespace, rule)]
        return missing

    def _may(self, namespace: str, rule: Permission) -> bool:
        resource, unused, subresource = rule.resource.partition("/")
        attributes = {"namespace": namespace, "verb": rule.verb, "group": rule.group, "resource": resource,
                      "subresource": subresource, "name": "" if rule.name == ANY else rule.name}
        review = self.create(refs.access_review(), {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}})
        return bool(review.get("status", {}).get("allowed"))

    # Inside

    def _write(self, verb: str, ref: Ref, method: str, path: str, body: Any, content_type: str, repeatable: bool,
               query: Mapping[str, str] | None = None) -> dict[str, Any]:
        data = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        reply = self._send(verb, ref, method, path, {"fieldManager": FIELD_MANAGER, **(query or {})}, data, content_type, repeatable)
        return self._body(verb, ref, reply)

    def _send(self, verb: str, ref: Ref, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str,
              repeatable: bool) -> Reply:
        started = time.monotonic()
        for attempt in itertools.count():
            last = attempt >= len(_BACKOFF) or time.monotonic() - started > RETRY_SECONDS
            wait = _BACKOFF[min(attempt, len(_BACKOFF) - 1)] * random.uniform(0.5, 1.0)
            self.requests += 1
            sent = time.monotonic()
            try:
                reply = self._sender.send(method, path, query, body, content_type, REQUEST_SECONDS)
            except KubeError as error:
                if last or error.reason == UNTRUSTED or not (repeatable or error.reason == NOT_SENT):
                    raise KubeError(f"{verb} {ref}: {error}", error.status, error.reason) from None
            else:
                self._note_time(reply, sent)
                # 429 was turned away before anything was done; the others may have been.
                if last or reply.status not in _RETRIED or not (repeatable or reply.status == 429):
                    return reply
                wait = max(wait, min(2.0, float(reply.retry_after))) if reply.retry_after.isdigit() else wait
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _body(self, verb: str, ref: Ref, reply: Reply) -> dict[str, Any]:
        if reply.status >= 300:
            raise _refusal(verb, ref, reply, self.host)
        return json.loads(reply.body)

    def _note_time(self, reply: Reply, sent: float) -> None:
        """The server wrote that second after ``sent`` and before now."""
        try:
            date = parsedate_to_datetime(reply.date).timestamp()
        except (TypeError, ValueError):
            return
        self.know(Clock(date - time.monotonic(), date + 1.0 - sent))

    def _watch_once(self, ref: Ref, seconds: float, resource_version: str) -> Iterator[dict[str, Any]]:
        query = {"watch": "1", "timeoutSeconds": str(max(1, int(seconds + 0.999)))}
        if ref.name:
            query["fieldSelector"] = f"metadata.name={ref.name}"
        if resource_version:
            query["resourceVersion"] = resource_version
        self.requests += 1
        sent = time.monotonic()
        end = sent + seconds
        with self._sender.stream(ref.collection.path, query, max(0.05, seconds)) as (reply, pieces):
            self._note_time(reply, sent)
            if reply.status != 200:
                raise _refusal("watch", ref, Reply(reply.status, "", "", b"".join(pieces)), self.host)
            for line in _lines(pieces):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    said = shown.excerpt(str(event["object"].get("message", "")), LONGEST_MESSAGE)
                    raise KubeError(f"watch {ref}: {said}", int(event["object"].get("code", 0)))
                yield event
                if time.monotonic() >= end:
                    return


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line.strip())


def _fenced(body: Any) -> bool:
    """True when the body names the resourceVersion that it rests on."""
    if isinstance(body, Mapping):
        return bool((body.get("metadata") or {}).get("resourceVersion"))
    return any(step.get("path") == "/metadata/resourceVersion" and step.get("op") == "replace" for step in body)


def _grants(given: Mapping[str, Any], rule: Permission) -> bool:
    names = given.get("resourceNames") or []
    unused, slash, subresource = rule.resource.partition("/")
    resources = {"*", rule.resource} | ({f"*/{subresource}"} if slash else set())
    return (bool({"*", rule.verb} & set(given.get("verbs", []))) and bool({"*", rule.group} & set(given.get("apiGroups", [])))
            and bool(resources & set(given.get("resources", []))) and (not names or rule.name in (*names, ANY)))


def _status_of(reply: Reply) -> dict[str, Any]:
    """The Status object of a refusal, or an empty mapping: a proxy, or the server's own mux, answers in plain text."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _unknown_kind(reply: Reply) -> bool:
    return not _status_of(reply)


def _refusal(verb: str, ref: Ref, reply: Reply, host: str) -> KubeError:
    status = _status_of(reply)
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or reply.body[:200].decode("utf-8", "replace"))
    message = shown.excerpt(message, LONGEST_MESSAGE)
    if reply.status == 401:
        text = f"the API server {host} does not accept the credentials (401): check api_key, client_cert, or the user of the kubeconfig's context"
    elif reply.status == FORBIDDEN:
        text = f"no permission to {verb} {ref} (403): {message}"
    elif reply.status == 404 and not status:
        reason = UNKNOWN_KIND
        text = f"the API server does not know {ref.kind} of {ref.api_version}: install its CRD"
    elif reply.status == 404:
        text = f"{verb} {ref}: there is no such object (404): {message}"
    elif reply.status == 409 and reason == "AlreadyExists":
        text = f"{verb} {ref}: it exists already"
    elif reply.status == 409:
        text = f"{verb} {ref}: somebody changed it meanwhile (409): {message}"
    elif reply.status in (400, 422):
        text = f"{verb} {ref}: the API server refuses it ({reply.status}): {message}"
    else:
        text = f"{verb} {ref}: the API server answers {reply.status} {reason}: {message}"
    return KubeError(text, reply.status, reason)
