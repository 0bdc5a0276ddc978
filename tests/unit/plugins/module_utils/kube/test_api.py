# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The REST verbs against a real server that misbehaves as told; against a real API server they are in the integration targets."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.permissions import ANY
from ansible_collections.progressive.delivery.plugins.module_utils.kube import refs
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import JSON_PATCH, UNKNOWN_KIND, Clock, Permission

ROUTE = refs.http_route("test", "podinfo")
FENCED = {"metadata": {"resourceVersion": "7"}, "spec": {}}


@pytest.mark.parametrize(("ref", "path"), [
    (refs.deployment("test", "podinfo"), "/apis/apps/v1/namespaces/test/deployments/podinfo"),
    (refs.service("test", "podinfo"), "/api/v1/namespaces/test/services/podinfo"),
    (refs.service("test"), "/api/v1/namespaces/test/services"),
    (refs.http_route("test", "a/b"), "/apis/gateway.networking.k8s.io/v1/namespaces/test/httproutes/a%2Fb"),
    (refs.access_review(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
])
def test_known_kinds_have_fixed_paths(ref: refs.Ref, path: str) -> None:
    assert ref.path == path


def test_ansible_08_a_client_is_made_without_any_request(server: Any) -> None:
    api = server.api()
    assert (api.requests, server.asked) == (0, [])
    api.get(ROUTE)
    assert (api.requests, [asked.path for asked in server.asked]) == (1, [ROUTE.path])


def test_every_request_says_who_we_are(server: Any) -> None:
    server.api(impersonate_user="jane", impersonate_groups=["dev", "ops"]).get(ROUTE)
    asked, = server.asked
    assert asked.all_of("authorization") == ["Bearer sesame-4711"]
    assert asked.all_of("user-agent") == ["progressive-delivery"]
    assert asked.all_of("impersonate-user") == ["jane"]
    assert asked.all_of("impersonate-group") == ["dev", "ops"]


def test_a_user_and_password_are_sent_as_basic_authentication(server: Any) -> None:
    server.api(api_key=None, username="jane", password="sesame").get(ROUTE)
    assert server.asked[0].all_of("authorization") == ["Basic amFuZTpzZXNhbWU="]


def test_what_is_not_there_is_none_and_an_unknown_kind_is_an_error(server: Any) -> None:
    server.says(server.status(404, "NotFound"))
    assert server.api().get(ROUTE) is None
    server.says(server.text(404, "404 page not found\n"))
    with pytest.raises(KubeError, match="does not know HTTPRoute of gateway.networking.k8s.io/v1: install its CRD") as caught:
        server.api().get(ROUTE)
    assert caught.value.reason == UNKNOWN_KIND


def test_safety_27_reads_are_never_served_from_a_cache(server: Any) -> None:
    server.says(server.json(200, {"items": []}))
    server.api().list(ROUTE, label_selector="a in (b, c)")
    assert server.asked[0].query == {"labelSelector": "a in (b, c)"}
    assert server.asked[0].path == ROUTE.collection.path


@pytest.mark.parametrize(("status", "reason", "words"), [
    (401, "Unauthorized", "does not accept the credentials (401): check api_key, client_cert"),
    (403, "Forbidden", "no permission to patch HTTPRoute test/podinfo (403): so it is"),
    (404, "NotFound", "patch HTTPRoute test/podinfo: there is no such object (404): so it is"),
    (409, "Conflict", "patch HTTPRoute test/podinfo: somebody changed it meanwhile (409): so it is"),
    (409, "AlreadyExists", "it exists already"),
    (422, "Invalid", "patch HTTPRoute test/podinfo: the API server refuses it (422): so it is"),
    (501, "Odd", "the API server answers 501 Odd: so it is"),
])
def test_refusals_are_told_in_one_sentence(server: Any, status: int, reason: str, words: str) -> None:
    server.says(server.status(status, reason))
    with pytest.raises(KubeError) as caught:
        server.api().patch(ROUTE, FENCED)
    assert words in str(caught.value)
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert "sesame" not in str(caught.value)
    assert len(server.asked) == 1


def test_writes_name_their_field_manager_and_their_kind_of_patch(server: Any) -> None:
    api = server.api()
    api.patch(ROUTE, FENCED)
    api.patch(ROUTE, [{"op": "remove", "path": "/a"}], JSON_PATCH)
    api.patch_scale(ROUTE, {"spec": {"replicas": 0}})
    api.patch_status(ROUTE, {"status": {}})
    api.create(ROUTE, {"a": 1})
    api.replace(ROUTE, FENCED)
    assert [(asked.method, asked.path.removeprefix(ROUTE.collection.path), asked.all_of("content-type")[0]) for asked in server.asked] == [
        ("PATCH", "/podinfo", "application/merge-patch+json"), ("PATCH", "/podinfo", "application/json-patch+json"),
        ("PATCH", "/podinfo/scale", "application/merge-patch+json"), ("PATCH", "/podinfo/status", "application/merge-patch+json"),
        ("POST", "", "application/json"), ("PUT", "/podinfo", "application/json")]
    assert {asked.query["fieldManager"] for asked in server.asked} == {"progressive-delivery"}
    assert json.loads(server.asked[0].body) == FENCED


def test_safety_01_a_delete_carries_uid_and_resource_version(server: Any) -> None:
    assert server.api().delete(ROUTE, uid="u", resource_version="7") == {}
    assert json.loads(server.asked[0].body)["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    server.says(server.status(404, "NotFound"))
    assert server.api().delete(ROUTE) is None


# What is tried again

def broken(server: Any) -> list[Any]:
    return [server.status(503, "Busy"), server.status(500, "Odd"), server.cut, server.status(429, "Slow", Retry_After="0")]


@pytest.mark.parametrize("failure", range(4))
def test_a_read_is_tried_again(server: Any, failure: int) -> None:
    server.says(broken(server)[failure], server.json(200, {"found": True}))
    api = server.api()
    assert api.get(ROUTE) == {"found": True}
    assert (api.requests, len(server.asked)) == (2, 2)


@pytest.mark.parametrize("body", [FENCED, [{"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}]])
@pytest.mark.parametrize("failure", range(4))
def test_safety_01_a_write_that_names_its_resource_version_is_tried_again(server: Any, failure: int, body: Any) -> None:
    server.says(broken(server)[failure], server.json(200, {}))
    server.api().patch(ROUTE, body, JSON_PATCH if isinstance(body, list) else "application/merge-patch+json")
    assert len(server.asked) == 2


@pytest.mark.parametrize(("failure", "ambiguous"), [(0, True), (1, True), (2, True)])
@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
def test_safety_01_any_other_write_is_sent_once_and_said_to_be_ambiguous(server: Any, verb: str, failure: int, ambiguous: bool) -> None:
    server.says(broken(server)[failure], server.json(200, {}))
    api = server.api()
    send = {"create": lambda: api.create(ROUTE, {}), "patch": lambda: api.patch(ROUTE, {"spec": {}}), "delete": lambda: api.delete(ROUTE)}[verb]
    with pytest.raises(KubeError) as caught:
        send()
    assert caught.value.ambiguous is ambiguous
    assert len(server.asked) == 1


def test_a_write_that_was_turned_away_unread_is_tried_again(server: Any) -> None:
    server.says(broken(server)[3], server.json(200, {}))
    server.api().create(ROUTE, {})
    assert len(server.asked) == 2


def test_what_goes_on_failing_is_told_after_a_while(server: Any) -> None:
    server.says(server.status(503, "Busy"))
    with pytest.raises(KubeError, match="get HTTPRoute test/podinfo: the API server answers 503 Busy"):
        server.api().get(ROUTE)
    assert len(server.asked) == 6


# The clock

def at(server: Any, date: str) -> Any:
    return server.json(200, {}, Date=date)


def test_safety_27_the_clock_is_the_servers_and_does_not_run_backwards(server: Any) -> None:
    later, earlier = formatdate(2000000000, usegmt=True), formatdate(1999999000, usegmt=True)
    server.says(at(server, later), at(server, earlier))
    api = server.api()
    api.get(ROUTE)
    first = api.now()
    assert 2000000000 <= first < 2000000005
    api.get(ROUTE)
    assert api.now() >= first
    assert len(server.asked) == 2


def test_safety_27_a_date_has_whole_seconds_so_the_time_lies_between_two(server: Any) -> None:
    server.says(at(server, formatdate(2000000000, usegmt=True)), at(server, formatdate(2000000001, usegmt=True)))
    api = server.api()
    api.get(ROUTE)
    first, last = api.now(), api.now_at_latest()
    assert 2000000000 <= first < 2000000001 <= last < 2000000003
    api.get(ROUTE)          # the second has just begun
    assert 2000000001 <= api.now() <= api.now_at_latest() < 2000000002
    assert api.now_at_latest() - api.now() < last - first


def test_safety_27_what_another_client_knew_of_the_clock_counts_too(server: Any) -> None:
    server.says(*[at(server, formatdate(2000000000, usegmt=True))] * 2)
    one, other = server.api(), server.api()
    one.get(ROUTE)
    known = one.clock()
    other.know(Clock(known.earliest + 0.4, known.latest - 0.4))
    other.get(ROUTE)
    assert other.clock().earliest >= known.earliest + 0.4 and other.clock().latest <= known.latest - 0.4


def test_safety_27_of_two_servers_that_contradict_each_other_the_one_ahead_counts() -> None:
    assert Clock(10.0, 11.0).narrowed(Clock(12.0, 13.0)) == Clock(12.0, 12.0) == Clock(12.0, 13.0).narrowed(Clock(10.0, 11.0))


def test_the_clock_asks_when_nobody_has_asked_before(server: Any) -> None:
    server.says(at(server, formatdate(2000000000, usegmt=True)))
    assert int(server.api().now()) == 2000000000
    assert [asked.path for asked in server.asked] == ["/version"]


def test_a_server_without_a_clock_is_told(server: Any) -> None:
    server.says(at(server, ""))
    with pytest.raises(KubeError, match="sends no Date header"):
        server.api().now()


# Watching

def event(kind: str, version: str) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": "podinfo", "resourceVersion": version}}}


def versions(api: Any, **options: Any) -> list[str]:
    found = []
    for one in api.watch(ROUTE, **options):
        found.append(one["object"]["metadata"]["resourceVersion"])
        if found[-1] == "last":
            break
    return found


def test_a_watch_gives_what_happens_to_one_object(server: Any) -> None:
    server.says(server.events(event("MODIFIED", "8"), event("MODIFIED", "last")))
    assert versions(server.api(), seconds=5, resource_version="7") == ["8", "last"]
    asked = server.asked[0]
    assert asked.path == ROUTE.collection.path
    assert asked.query == {"watch": "1", "timeoutSeconds": "5", "fieldSelector": "metadata.name=podinfo", "resourceVersion": "7"}


def test_a_watch_ends_silently_at_its_time(server: Any) -> None:
    server.says(lambda handler: time.sleep(0.6))
    started = time.monotonic()
    assert not list(server.api().watch(ROUTE, seconds=0.2))
    assert 0.15 < time.monotonic() - started < 2


@pytest.mark.parametrize("failure", ["cut", "expired", "busy", "over"])
def test_a_watch_that_breaks_begins_anew_with_what_is_there(server: Any, failure: str) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    first = {"cut": server.events(event("MODIFIED", "8"), cut=True), "expired": server.events(event("MODIFIED", "8"), gone),
             "busy": server.status(503, "Busy"), "over": server.events(event("MODIFIED", "8"))}[failure]
    server.says(first, server.events(event("ADDED", "last")))
    assert versions(server.api(), seconds=5, resource_version="7") == (["last"] if failure == "busy" else ["8", "last"])
    assert "resourceVersion" not in server.asked[1].query


def test_a_watch_that_is_not_allowed_is_told(server: Any) -> None:
    server.says(server.status(403, "Forbidden"))
    with pytest.raises(KubeError, match="no permission to watch HTTPRoute test/podinfo"):
        versions(server.api(), seconds=5)


# Access

GET_DEPLOYMENTS = Permission("get", "apps", "deployments")
RULES = [
    {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]},
    {"verbs": ["*"], "apiGroups": [""], "resources": ["*"]},
    {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["*/scale"]},
    {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["podinfo"]},
]


@pytest.mark.parametrize(("rule", "allowed"), [
    (GET_DEPLOYMENTS, True), (Permission("delete", "apps", "deployments"), False), (Permission("create", "", "events"), True),
    (Permission("patch", "apps", "deployments/scale"), True), (Permission("patch", "apps", "deployments", "podinfo"), True),
    (Permission("patch", "apps", "deployments", "other"), False), (Permission("patch", "apps", "deployments"), False),
    (Permission("patch", "apps", "deployments", ANY), True), (Permission("watch", "apps", "deployments", ANY), False),
    (Permission("get", "", "pods/log"), True), (Permission("get", "batch", "deployments"), False),
])
def test_one_request_tells_what_is_not_allowed(server: Any, rule: Permission, allowed: bool) -> None:
    server.says(server.json(201, {"status": {"resourceRules": RULES}}))
    assert server.api().access("test", [rule]) == ([] if allowed else [rule])
    assert len(server.asked) == 1


@pytest.mark.parametrize(("name", "asked"), [("podinfo", "podinfo"), (ANY, "")])
@pytest.mark.parametrize("allowed", [True, False])
def test_where_the_list_of_rules_is_not_whole_the_server_is_asked_about_the_rest(server: Any, allowed: bool, name: str, asked: str) -> None:
    rest = Permission("patch", "apps", "deployments/status", name)
    server.says(server.json(201, {"status": {"resourceRules": RULES, "incomplete": True}}), server.json(201, {"status": {"allowed": allowed}}))
    assert server.api().access("test", [GET_DEPLOYMENTS, rest]) == ([] if allowed else [rest])
    assert json.loads(server.asked[1].body)["spec"]["resourceAttributes"] == {
        "namespace": "test", "verb": "patch", "group": "apps", "resource": "deployments", "subresource": "status", "name": asked}


def test_ansible_23_what_a_webhook_of_the_server_says_is_one_bounded_line(server: Any) -> None:
    said = "denied\\x1b[2J: {{ lookup('pipe', 'id') }}\\r\\nfatal: [forged] ".encode().decode("unicode_escape") + "x" * 5000
    server.says(server.json(403, {"kind": "Status", "reason": "Forbidden", "message": said}))
    with pytest.raises(KubeError) as caught:
        server.api().patch(ROUTE, {})
    assert str(caught.value).startswith("no permission to patch HTTPRoute test/podinfo (403): denied: {{ lookup('pipe', 'id') }} fatal: [forged] xxx")
    assert len(str(caught.value)) < 700


def test_a_permission_reads_as_people_say_it() -> None:
    assert str(Permission("patch", "apps", "deployments/scale", "podinfo")) == "patch deployments/scale.apps podinfo"
    assert str(Permission("get", "", "pods")) == "get pods"
