# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new version on the target: one fenced patch of its pod template, and what is in its way (SAFETY 1, 23, 24)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, KubeError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.releasing import Release
from ansible_collections.progressive.delivery.plugins.module_utils.kube.releasing import put, would_be

NEW = Release(images={"podinfo": "lab.local/podinfo:B"})
LEVEL = {"name": "LEVEL", "value": "debug"}


def release(api: Any, place: Any, what: Release = NEW, check_mode: bool = False) -> Any:
    return put(api, place, api.get(place), what, "podinfo", "", check_mode)


def image(target: Any) -> str:
    return target["spec"]["template"]["spec"]["containers"][0]["image"]


def set_template(others: Any, place: Any, **fields: Any) -> None:
    others.patch_strategic(place, {"spec": {"template": {"spec": {"containers": [{"name": "podinfo", **fields}]}}}})


def test_safety_24_the_image_and_nothing_else_changes_under_our_own_name(ours: Any, others: Any, target: Any) -> None:
    before = others.get(target)
    work = release(ours, target)
    after = others.get(target)
    assert work.result()["changed"] is True
    assert image(after) == "lab.local/podinfo:B"
    owners = [entry["manager"] for entry in after["metadata"]["managedFields"]
              if "f:image" in str(entry["fieldsV1"].get("f:spec", {}).get("f:template", {}))]
    assert "progressive-delivery" in owners
    after["spec"]["template"]["spec"]["containers"][0]["image"] = image(before)
    assert after["spec"] == before["spec"]


def test_asking_again_writes_nothing(ours: Any, others: Any, target: Any) -> None:
    release(ours, target)
    before = others.get(target)
    assert release(ours, target).result()["changed"] is False
    assert others.get(target)["metadata"]["generation"] == before["metadata"]["generation"]


def test_check_mode_tells_the_same_and_keeps_nothing(ours: Any, others: Any, target: Any) -> None:
    before = others.get(target)
    checked = release(ours, target, check_mode=True).result()
    assert others.get(target)["metadata"]["generation"] == before["metadata"]["generation"]
    done = release(ours, target).result()
    assert (checked["changed"], checked["after"], checked["diff"]) == (True, done["after"], done["diff"])
    assert done["diff"]["after"][f"Deployment {target.namespace}/podinfo"] == {
        "spec": {"template": {"spec": {"containers": [{"name": "podinfo", "image": "lab.local/podinfo:B"}]}}}}


def test_a_patch_is_merged_by_the_names_of_containers_and_variables(ours: Any, others: Any, target: Any) -> None:
    set_template(others, target, env=[{"name": "COLOUR", "value": "blue"}])
    release(ours, target, Release(patch={"metadata": {"annotations": {"change": "4711"}}, "spec": {"containers": [{"name": "podinfo", "env": [LEVEL]}]}}))
    template = others.get(target)["spec"]["template"]
    assert template["metadata"]["annotations"] == {"change": "4711"}
    assert template["metadata"]["labels"] == {"app": "podinfo"}
    assert sorted(one["name"] for one in template["spec"]["containers"][0]["env"]) == ["COLOUR", "LEVEL"]
    assert image(others.get(target)) == "lab.local/podinfo:A"


@pytest.mark.parametrize(("patch", "words"), [
    ({"spec": {"containerz": []}}, 'unknown field "spec.template.spec.containerz"'),
    ({"spec": {"containers": [{"name": "podinfo", "image": ""}]}}, "image: Required value"),
    ({"metadata": {"labels": {"$patch": "replace", "tier": "web"}}}, "`selector` does not match template `labels`"),
])
def test_what_the_api_server_would_refuse_is_refused_before_the_write(ours: Any, others: Any, target: Any, patch: Any, words: str) -> None:
    before = others.get(target)
    with pytest.raises(KubeError, match="refuses it") as refused:
        release(ours, target, Release(patch=patch))
    assert words in str(refused.value)
    assert others.get(target)["metadata"]["generation"] == before["metadata"]["generation"]


@pytest.mark.parametrize("padding", [1, 100])
def test_a_refusal_repeats_no_value_of_the_patch(ours: Any, target: Any, padding: int) -> None:
    secrets = [{"name": f"TOKEN{number}", "value": "sesame-4711"} for number in range(padding)]
    patch = {"spec": {"containerz": [], "containers": [{"name": "podinfo", "env": secrets}]}}
    with pytest.raises(KubeError) as refused:
        release(ours, target, Release(patch=patch))
    assert "sesame" not in str(refused.value)
    assert "refuses it (422): " in str(refused.value)


def test_others_annotations_do_not_get_in_its_way(ours: Any, others: Any, line: Any, target: Any) -> None:
    line.meanwhile = lambda: others.patch(target, {"metadata": {"annotations": {"somebody": "else"}}})
    assert release(ours, target).result()["changed"] is True
    after = others.get(target)
    assert (image(after), after["metadata"]["annotations"]["somebody"]) == ("lab.local/podinfo:B", "else")


def test_safety_14_a_template_that_somebody_else_changes_meanwhile_is_left_alone(ours: Any, others: Any, line: Any, target: Any) -> None:
    line.meanwhile = lambda: set_template(others, target, image="lab.local/podinfo:Z")
    with pytest.raises(KubeError, match="was changed by somebody else while it was to be changed; nothing was done to it"):
        release(ours, target)
    assert image(others.get(target)) == "lab.local/podinfo:Z"


def test_the_same_version_by_somebody_else_meanwhile_is_what_was_asked_for(ours: Any, others: Any, line: Any, target: Any) -> None:
    # Between the dry run and the write.
    line.meanwhile = lambda: setattr(line, "meanwhile", lambda: set_template(others, target, image="lab.local/podinfo:B"))
    assert release(ours, target).result()["changed"] is True
    assert (line.meanwhile, others.get(target)["metadata"]["generation"]) == (None, 2)


def test_safety_01_an_answer_that_got_lost_is_no_second_release(ours: Any, others: Any, line: Any, target: Any) -> None:
    before = others.get(target)["metadata"]["generation"]
    # The second write: the first one is the dry run.
    line.meanwhile = lambda: setattr(line, "meanwhile", lambda: setattr(line, "losing", 1))
    assert release(ours, target).result()["changed"] is True
    assert others.get(target)["metadata"]["generation"] == before + 1


def test_safety_08_the_target_of_another_canary_is_not_ours_to_release(ours: Any, others: Any, target: Any) -> None:
    others.patch(target, {"metadata": {"annotations": {"progressive.delivery/canary": "another"}}})
    with pytest.raises(CanaryError, match="belongs to the canary another"):
        release(ours, target)
    assert image(others.get(target)) == "lab.local/podinfo:A"


@pytest.mark.parametrize("manager", ["argocd-controller", "kustomize-controller", "helm-controller"])
def test_safety_23_what_a_gitops_tool_applied_is_refused_and_left_as_it_is(ours: Any, others: Any, target: Any, manager: str) -> None:
    spec = {"selector": {"matchLabels": {"app": "podinfo"}}, "template": {
        "metadata": {"labels": {"app": "podinfo"}}, "spec": {"containers": [{"name": "podinfo", "image": "lab.local/podinfo:A"}]}}}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "podinfo", "namespace": target.namespace}, "spec": spec}
    applied = others._sender.send("PATCH", target.path, {"fieldManager": manager, "force": "true"}, json.dumps(manifest).encode(),
                                  "application/apply-patch+yaml", 10.0)
    assert applied.status == 200
    with pytest.raises(SpecError, match=r"keeps spec\.template\.spec\.containers\[podinfo\]\.image of Deployment .*, and would put it back"):
        release(ours, target)
    assert image(others.get(target)) == "lab.local/podinfo:A"
    added = release(ours, target, Release(patch={"spec": {"containers": [{"name": "podinfo", "env": [LEVEL]}]}}))
    assert added.result()["changed"] is True, "a field that the tool says nothing of is not its own"
    assert release(ours, target, Release(images={"podinfo": "lab.local/podinfo:A"})).result()["changed"] is False


def test_what_would_be_has_the_revision_that_it_gets(ours: Any, others: Any, target: Any) -> None:
    imagined = would_be(ours, target, others.get(target), NEW)
    release(ours, target)
    assert imagined["spec"]["template"] == others.get(target)["spec"]["template"]
