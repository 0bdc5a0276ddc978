# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Roles of examples/rbac are enough, and every verb of them is missed: by preflight, in words, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Permission
from ansible_collections.progressive.delivery.plugins.modules import canary_info, canary_preflight
from place import ADOPTED, FLAGGERS, KEDA, KINDS, PROVIDERS, REVERTS, ROUTE, Place, Verbed, verbs_of

PREFLIGHT = canary_preflight.VERB
BESIDES = ("canary-object", "metric-templates", "alert-providers", "secrets", "autoscaler")      # what the document of these tests needs besides
LOOKS = ("preflight", "gateways")
BEGINNING, WALKING = ("podinfo-walk", "podinfo-initialise"), ("podinfo-walk",)
OPTIONAL = {"events", "pods"}

Places = Callable[..., Place]


def _known(place: Place, user: str) -> None:
    """Roles are made in this order, and heard of in it: with the last one, all are known."""
    place.may(user, ("watchdog",))
    place.until_known(user, Permission("list", "", "configmaps"))


def _lacking(place: Place, lacked: Verbed, files: tuple[str, ...], roles: tuple[str, ...], **params: Any) -> dict[str, object]:
    user = f"lacks-{str(lacked).lower()}"
    place.may(user, files, lacked, roles)
    _known(place, user)
    return place.ask(PREFLIGHT, user, **params)


@pytest.mark.parametrize("initialised", [False, True], ids=["first-walk", "later-walk"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_roles_are_enough(place_of: Places, provider: str, initialised: bool) -> None:
    place = place_of(provider, initialised)
    place.may("somebody", (provider, *BESIDES, *LOOKS), roles=WALKING if initialised else BEGINNING)
    _known(place, "somebody")
    result = place.ask(PREFLIGHT, "somebody")
    assert not result.get("failed"), result["msg"]
    assert result["glance"] == "" and not [text for text in result["warned"] if "permission" in text.replace(place.namespace, "")], result["warned"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_roles_are_enough_for_the_plan_of_a_first_walk(place_of: Places, provider: str) -> None:
    place = place_of(provider, False)
    place.may("planner", (provider, *BESIDES), roles=BEGINNING)
    _known(place, "planner")
    assert len(place.ask(PREFLIGHT, "planner", check_mode=True)["plan"]) > 3


@pytest.mark.parametrize(("provider", "lacked"), [
    pytest.param(provider, lacked, id=f"{provider}-{lacked}") for provider in PROVIDERS
    for lacked in verbs_of(provider) + ([one for file in BESIDES for one in verbs_of(file)] if provider == "gatewayapi" else [])])
def test_a_verb_that_is_missing_is_named_before_the_first_write(place_of: Places, provider: str, lacked: Verbed) -> None:
    initialised = lacked.role == "podinfo-walk"
    place = place_of(provider, initialised)
    before = place.versions()
    result = _lacking(place, lacked, (provider, *BESIDES), WALKING if initialised else BEGINNING)
    sentence = f"may not {lacked.verb} {lacked.resource} in {place.namespace}"
    if lacked.resource in OPTIONAL:
        assert not result.get("failed"), result["msg"]
        assert [text for text in result["warned"] if sentence in text], result["warned"]
    else:
        assert result.get("failed"), "it was not missed"
        assert sentence in result["msg"] and "examples/rbac" in result["msg"], result["msg"]
        assert result["msg"].count("may not ") == 1, result["msg"]
        assert all(name in result["msg"] for name in lacked.names), result["msg"]
    assert place.versions() == before


def _of_kind(file: str, *words: str) -> tuple[str, ...]:
    return tuple(f"podinfo-{word}{end}" for word in words for end in ("", f"-{file}"))


@pytest.mark.parametrize("initialised", [False, True], ids=["first-walk", "later-walk"])
@pytest.mark.parametrize("file", KINDS)
def test_the_roles_of_a_kind_of_target_stand_for_the_rules_of_deployments(place_of: Places, file: str, initialised: bool) -> None:
    place = place_of(file, initialised)
    place.may("somebody", ("kubernetes", file, *BESIDES, *LOOKS), roles=_of_kind(file, *(("walk",) if initialised else ("walk", "initialise"))))
    _known(place, "somebody")
    result = place.ask(PREFLIGHT, "somebody")
    assert not result.get("failed"), result["msg"]
    assert result["glance"] == "" and not [text for text in result["warned"] if "permission" in text.replace(place.namespace, "")], result["warned"]


@pytest.mark.parametrize(("file", "lacked"), [pytest.param(file, lacked, id=f"{file}-{lacked}") for file in KINDS for lacked in verbs_of(file)])
def test_a_verb_of_a_kind_of_target_that_is_missing_is_named_before_the_first_write(place_of: Places, file: str, lacked: Verbed) -> None:
    word = lacked.role.removeprefix("podinfo-").removesuffix(f"-{file}")
    place = place_of(file, word != "initialise")
    before = place.versions()
    roles = _of_kind(file, "walk", *(("initialise",) if word == "initialise" else ()), *(("remove",) if word == "remove" else ()))
    result = _lacking(place, lacked, ("kubernetes", file, *BESIDES, *(("remove",) if word == "remove" else ())), roles,
                      **({"state": "absent"} if word == "remove" else {}))
    assert result.get("failed"), "it was not missed"
    assert f"may not {lacked.verb} {lacked.resource} in {place.namespace}" in result["msg"], result["msg"]
    assert result["msg"].count("may not ") == 1, result["msg"]
    assert place.versions() == before


@pytest.mark.parametrize("lacked", [lacked for file in LOOKS for lacked in verbs_of(file)], ids=str)
def test_what_preflight_looks_at_is_optional(place_of: Places, lacked: Verbed) -> None:
    place = place_of("gatewayapi", True)
    result = _lacking(place, lacked, ("gatewayapi", *BESIDES, *LOOKS), WALKING)
    assert not result.get("failed"), result["msg"]
    told = [text for text in result["warned"] if "no permission to get Gateway" in text]
    assert len(told) == (lacked.file == "gateways"), result["warned"]


def test_without_any_right_everything_is_named_at_once(place_of: Places) -> None:
    place = place_of("gatewayapi", False)
    result = place.ask(PREFLIGHT, "nobody")
    wanted = [lacked for lacked in verbs_of("gatewayapi") + verbs_of("canary-object")
              if lacked.resource not in OPTIONAL and lacked.resource != "poddisruptionbudgets"]
    said = " ".join(str(result["msg"]).replace(",", " ").split())
    assert [str(lacked) for lacked in wanted if lacked.verb not in said or f" {lacked.resource} in {place.namespace}" not in said] == []


def test_several_that_are_missing_are_named_at_once(place_of: Places) -> None:
    place = place_of("gatewayapi", False)
    place.may("walker", ("gatewayapi", "canary-object"), roles=WALKING)
    place.may("walker", ("metric-templates",))
    place.may("walker", ("alert-providers",), verbs_of("alert-providers")[1])
    _known(place, "walker")
    message = place.ask(PREFLIGHT, "walker")["msg"]
    for resource in ("services", "deployments", "httproutes", "configmaps", "poddisruptionbudgets"):
        assert f"may not create {resource} in {place.namespace}" in message, message
    assert f"may not get secrets in {place.namespace} (on-call, prometheus)" in message, message


@pytest.mark.parametrize("lacked", verbs_of("remove"), ids=str)
def test_a_removal_names_what_it_may_not_delete(place_of: Places, lacked: Verbed) -> None:
    keda = lacked.group == "keda.sh"
    place = place_of("gatewayapi", True, how=KEDA if keda else "")
    before = place.versions()
    result = _lacking(place, lacked, ("gatewayapi", *BESIDES, *(("scaled-object",) if keda else ()), "remove"), WALKING, state="absent")
    assert result.get("failed") and f"may not {lacked.verb} {lacked.resource} in {place.namespace}" in result["msg"], result
    assert place.versions() == before


def test_the_roles_are_enough_for_a_removal(place_of: Places) -> None:
    place = place_of("gatewayapi", True)
    place.may("remover", ("gatewayapi", *BESIDES, "remove"), roles=WALKING)
    _known(place, "remover")
    result = place.ask(PREFLIGHT, "remover", state="absent")
    assert not result.get("failed") and result["glance"] == "", result


# With pods that read ConfigMaps and Secrets

@pytest.mark.parametrize("initialised", [False, True], ids=["first-walk", "later-walk"])
def test_the_roles_are_enough_for_a_target_that_reads_configurations(place_of: Places, initialised: bool) -> None:
    place = place_of("gatewayapi", initialised, reads=True)
    place.may("reader", ("gatewayapi", *BESIDES, "configs"), roles=WALKING if initialised else BEGINNING)
    _known(place, "reader")
    result = place.ask(PREFLIGHT, "reader")
    assert not result.get("failed"), result["msg"]
    assert result["tracked"] == ["ConfigMap/podinfo", "Secret/podinfo"] and "sesame" not in str(result)
    assert not [text for text in result["warned"] if "may not" in text], result["warned"]


# Whoever may look at copies, whose names nobody knows, may get the originals by that right too.
@pytest.mark.parametrize("lacked", [one for one in verbs_of("configs") if not (one.verb == "get" and one.names)], ids=str)
def test_safety_18_what_a_walk_may_not_do_to_configurations_is_named_before_the_first_write(place_of: Places, lacked: Verbed) -> None:
    place = place_of("gatewayapi", True, reads=True)
    before = place.versions()
    result = _lacking(place, lacked, ("gatewayapi", *BESIDES, "configs"), WALKING)
    sentence = f"may not {lacked.verb} {lacked.resource} in {place.namespace}"
    if lacked.verb == "get":
        assert not result.get("failed"), result["msg"]
        assert len([text for text in result["warned"] if sentence in text and "examples/rbac" in text]) == 1, result["warned"]
    else:
        assert result.get("failed"), "it was not missed"
        assert sentence in result["msg"], result["msg"]
        assert result["msg"].count("may not ") == 1, result["msg"]
    assert place.versions() == before


def test_without_tracking_no_right_to_configurations_is_asked_for(place_of: Places) -> None:
    place = place_of("gatewayapi", True, reads=True)
    place.may("blind", ("gatewayapi", *BESIDES), roles=WALKING)
    _known(place, "blind")
    result = place.ask(PREFLIGHT, "blind", options={"config_tracking": "false"})
    assert not result.get("failed") and result["tracked"] == [], result
    assert [text for text in result["warned"] if "which are not tracked (canary_config_tracking is false)" in text], result["warned"]


@pytest.mark.parametrize("lacked", [one for one in verbs_of("remove-configs") if one.verb != "get"], ids=str)    # whoever walked has that one too
def test_a_removal_names_which_copies_it_may_not_take_away(place_of: Places, lacked: Verbed) -> None:
    place = place_of("gatewayapi", True, reads=True)
    result = _lacking(place, lacked, ("gatewayapi", *BESIDES, "configs", "remove", "remove-configs"), WALKING, state="absent")
    assert result.get("failed") and f"may not {lacked.verb} {lacked.resource} in {place.namespace}" in result["msg"], result


def test_the_roles_are_enough_to_remove_a_canary_with_copies(place_of: Places) -> None:
    place = place_of("gatewayapi", True, reads=True)
    place.may("sweeper", ("gatewayapi", *BESIDES, "configs", "remove", "remove-configs"), roles=WALKING)
    _known(place, "sweeper")
    result = place.ask(PREFLIGHT, "sweeper", state="absent")
    assert not result.get("failed") and result["glance"] == "", result


def test_a_watchdog_says_what_it_may_not_list(place_of: Places) -> None:
    place = place_of("gatewayapi", True)
    place.may("dog", ("gatewayapi",), roles=WALKING)
    message = place.ask(canary_info.VERB, "dog", namespace=place.namespace)["msg"]
    assert f"no permission to list ConfigMap objects in {place.namespace} (403)" in message, message


# What only some canaries need

@dataclass(frozen=True)
class Special:
    """One file of the examples, or the rule for a route of the user's own; the place that needs it, what else is needed there, and preflight's options."""

    how: str
    lacks: tuple[Verbed, ...]
    files: tuple[str, ...]
    reads: bool = False
    begins: tuple[str, ...] = ("create",)       # verbs that only a first walk needs
    options: Mapping[str, str] = field(default_factory=dict)


SPECIALS = (
    Special(KEDA, tuple(verbs_of("scaled-object")), (*(file for file in BESIDES if file != "autoscaler"), "scaled-object")),
    Special(REVERTS, tuple(verbs_of("revert-on-deletion")), (*BESIDES, "revert-on-deletion")),
    Special(ADOPTED, tuple(one for one in verbs_of("gatewayapi") if one.resource == "httproutes" and one.role == "podinfo-walk"), BESIDES,
            options={"route": "adopted", "route_name": ROUTE}),
    Special(FLAGGERS, tuple(verbs_of("take-over")), (*BESIDES, "configs", "take-over"), reads=True, begins=("get", "patch")),
)


@pytest.mark.parametrize("special", SPECIALS, ids=lambda special: special.how)
def test_the_roles_are_enough_for_what_only_some_canaries_need(place_of: Places, special: Special) -> None:
    place = place_of("gatewayapi", False, special.reads, special.how)
    place.may("special", ("gatewayapi", *special.files), roles=BEGINNING)
    _known(place, "special")
    result = place.ask(PREFLIGHT, "special", options=special.options)
    assert not result.get("failed") and result["glance"] == "", result
    assert special.how == FLAGGERS or not [text for text in result["warned"] if "may not" in text], result["warned"]


@pytest.mark.parametrize(("special", "lacked"), [
    pytest.param(special, lacked, id=f"{special.how}-{lacked}") for special in SPECIALS for lacked in special.lacks])
def test_a_verb_that_only_some_canaries_need_is_named_before_the_first_write(place_of: Places, special: Special, lacked: Verbed) -> None:
    begins = lacked.verb in special.begins
    place = place_of("gatewayapi", not begins, special.reads, special.how)
    before = place.versions()
    result = _lacking(place, lacked, ("gatewayapi", *special.files), BEGINNING if begins else WALKING, options=special.options)
    assert result.get("failed"), "it was not missed"
    assert f"may not {lacked.verb} {lacked.resource} in {place.namespace}" in result["msg"] and "examples/rbac" in result["msg"], result["msg"]
    assert result["msg"].count("may not ") == 1, result["msg"]
    names = (ROUTE,) if special.how == ADOPTED else lacked.names
    assert all(name in result["msg"] for name in names), result["msg"]
    assert place.versions() == before
