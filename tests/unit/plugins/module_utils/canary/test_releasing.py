# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.canary import gitops, record as states, releasing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.gitops import Entry
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record

CONTAINERS = ("spec", "template", "spec", "containers")
# As the API server writes it for a manifest that says nothing but the image of app, and a nodeSelector, which is one field.
OWNS_IMAGE = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {".": {}, "f:image": {}, "f:name": {}}}, "f:nodeSelector": {}}}}}


def target(manager: str = "", owned: Any = None, **annotations: str) -> dict[str, Any]:
    managed = [{"manager": manager, "operation": "Update", "fieldsV1": owned or OWNS_IMAGE}] if manager else []
    return {
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": "podinfo", "namespace": "test", "annotations": annotations, "managedFields": managed},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "podinfo"}}, "template": {
            "metadata": {"labels": {"app": "podinfo"}},
            "spec": {"nodeSelector": {"disk": "fast"},
                     "initContainers": [{"name": "migrate", "image": "app:1"}],
                     "containers": [{"name": "app", "image": "app:1", "env": [{"name": "LEVEL", "value": "info"}], "args": ["-v"]},
                                    {"name": "proxy", "image": "proxy:1"}]}}},
    }


def image_to(image: str, before: dict[str, Any]) -> dict[str, Any]:
    after = copy.deepcopy(before)
    after["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return after


def refusal_of(given: Any, option: str = "canary_release") -> str:
    with pytest.raises(SpecError) as refused:
        releasing.template_patch(releasing.read(given, option), target(), option)
    return str(refused.value)


def test_images_become_a_patch_of_the_containers_that_they_name() -> None:
    patch = releasing.template_patch(releasing.read({"images": {"app": "app:2", "migrate": "app:2"}}), target())
    assert patch == {"spec": {"containers": [{"name": "app", "image": "app:2"}], "initContainers": [{"name": "migrate", "image": "app:2"}]}}


def test_a_patch_of_the_template_stays_as_it_is_written() -> None:
    labels = {"app": "podinfo", "tier": "web"}
    patch = {"metadata": {"annotations": {"change": "4711"}, "labels": labels}, "spec": {"containers": [{"name": "app", "args": []}]}}
    assert releasing.template_patch(releasing.read({"patch": patch}), target()) == patch


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": {"ap": "app:2"}},
         "canary_release.images.ap: Deployment test/podinfo has no container of this name (accepted: app, migrate, proxy)"),
        ({"images": {"app": ""}}, "canary_release.images.app: '' is not an image (accepted: a text such as registry/app:1.2)"),
        ({"images": {"app": 1.2}}, "canary_release.images.app: 1.2 is not an image (accepted: a text such as registry/app:1.2)"),
        ({"images": "app:2"}, "canary_release.images: is not a mapping (accepted: a mapping)"),
        ({"image": {"app": "app:2"}}, "canary_release.image: is no part of a release (accepted: images, or patch)"),
        ({"images": {"app": "app:2"}, "patch": {"spec": {}}}, "canary_release: says both images and patch (accepted: "),
        ({"images": {}}, "canary_release: says neither images nor patch (accepted: "),
        ({"patch": {"replicas": 3}}, "canary_release.patch.replicas: is not in a pod template (accepted: metadata and spec, "),
        ({"patch": {"$patch": "replace", "spec": {}}}, "canary_release.patch.$patch: is not in a pod template (accepted: "),
        ({"patch": {"spec": {"replicas": 3}}}, "canary_release.patch.spec.replicas: belongs to the Deployment, "),
        ({"patch": {"spec": {"template": {"spec": {}}}}}, "canary_release.patch.spec.template: belongs to the Deployment, "),
        ({"patch": {"spec": None}}, "canary_release.patch.spec: is not a mapping (accepted: a mapping)"),
        ({"patch": {"metadata": {"name": "x"}}}, "canary_release.patch.metadata.name: cannot be released (accepted: annotations and labels)"),
        ({"patch": {"metadata": {"labels": {"app": "other"}}}},
         "canary_release.patch.metadata.labels.app: Deployment test/podinfo selects its pods by app=podinfo (leave this label as it is)"),
        ({"patch": {"metadata": {"labels": {"app": None}}}}, "canary_release.patch.metadata.labels.app: Deployment test/podinfo selects its pods by "),
    ],
)
def test_what_is_no_release_of_a_pod_template_is_refused_in_words(given: Any, words: str) -> None:
    assert refusal_of(given).startswith(words)


def test_a_refusal_names_the_option_of_the_verb_where_it_is_used_alone() -> None:
    assert refusal_of({"images": {"ap": "app:2"}}, "").startswith("images.ap: ")
    assert refusal_of({"patch": {"replicas": 3}}, "").startswith("patch.replicas: ")
    assert refusal_of({}, "").startswith("images: says neither images nor patch")


def paths(after: dict[str, Any]) -> list[str]:
    return [one.dotted for one in releasing.changed(target(), after)]


def test_fields_that_change_are_named_down_to_the_entry_of_a_list() -> None:
    after = image_to("app:2", target())
    pods = after["spec"]["template"]["spec"]
    pods["containers"][0]["env"] = [{"name": "LEVEL", "value": "debug"}, {"name": "COLOUR", "value": "blue"}]
    pods["containers"][0]["args"] = ["-q"]
    del pods["containers"][1], pods["nodeSelector"]
    after["spec"]["template"]["metadata"]["annotations"] = {"change": "4711"}
    after["spec"]["replicas"] = 5
    where = "spec.template.spec.containers"
    assert sorted(paths(after)) == sorted([
        f"{where}[app].image", f"{where}[app].env[LEVEL].value", f"{where}[app].env[COLOUR]", f"{where}[app].args", f"{where}[proxy]",
        "spec.template.spec.nodeSelector", "spec.template.metadata.annotations"])


def test_a_name_that_is_there_twice_hides_no_change() -> None:
    before = target()
    before["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    after = copy.deepcopy(before)
    after["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "3"
    assert [one.dotted for one in releasing.changed(before, after)] == ["spec.template.spec.containers[app].env"]


def test_safety_23_a_release_is_refused_where_a_gitops_tool_owns_the_image() -> None:
    before = target("argocd-controller")
    refused = releasing.objection(releasing.changed(before, image_to("app:2", before)), "canary_release")
    assert str(refused) == (
        "canary_release: Argo CD keeps spec.template.spec.containers[app].image of Deployment test/podinfo, and would put it back "
        "(release it there: change it in git, and walk what Argo CD brings, without canary_release)")


def test_safety_23_what_the_tool_brought_already_is_no_change_and_not_refused() -> None:
    before = target("argocd-controller")
    assert releasing.objection(releasing.changed(before, image_to("app:1", before))) is None


def test_safety_23_fields_that_the_tool_does_not_own_are_ours_to_release() -> None:
    before = target("argocd-controller")
    after = copy.deepcopy(before)
    after["spec"]["template"]["spec"]["containers"][1]["image"] = "proxy:2"
    after["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "COLOUR", "value": "blue"})
    assert releasing.objection(releasing.changed(before, after)) is None


def test_safety_23_a_field_that_is_owned_as_a_whole_is_owned_in_each_part() -> None:
    before = target("kustomize-controller")
    after = copy.deepcopy(before)
    after["spec"]["template"]["spec"]["nodeSelector"]["disk"] = "slow"
    refused = releasing.objection(releasing.changed(before, after))
    assert refused is not None and "keeps spec.template.spec.nodeSelector.disk of Deployment" in str(refused)


@pytest.mark.parametrize(("applied", "is_refused"), [("app", True), ("proxy", False)])
def test_safety_23_a_tool_that_applies_under_another_name_is_known_by_its_marks(applied: str, is_refused: bool) -> None:
    manifest = {"spec": {"template": {"spec": {"containers": [{"name": applied, "image": "x:1"}]}}}}
    marks = {"argocd.argoproj.io/tracking-id": "shop", gitops.LAST_APPLIED: json.dumps(manifest)}
    before = target("kubectl-client-side-apply", **marks)
    assert bool(releasing.objection(releasing.changed(before, image_to("app:2", before)))) is is_refused


def test_a_chart_that_will_say_something_else_is_told() -> None:
    before = target("helm")
    (told,) = releasing.warnings(releasing.changed(before, image_to("app:2", before)))
    assert told.startswith("spec.template.spec.containers[app].image of Deployment test/podinfo is in a Helm chart: ")
    assert not releasing.warnings(releasing.changed(target(), image_to("app:2", target())))


def test_the_owner_of_an_entry_is_the_owner_of_what_is_taken_away_with_it() -> None:
    assert gitops.managers_of(gitops.Field(target("argocd-controller"), (*CONTAINERS, Entry("app")))) == {"argocd-controller"}
    assert gitops.managers_of(gitops.Field(target("argocd-controller"), (*CONTAINERS, Entry("proxy")))) == set()


def test_people_read_which_images_are_new() -> None:
    assert releasing.images_line(target(), image_to("app:2", target())) == "app to app:2"
    assert not releasing.images_line(target(), target())


BY_ITSELF = {states.INITIALIZING, states.TERMINATED}


@pytest.mark.parametrize("record", [None, *(Record("podinfo", "test", phase=phase) for phase in sorted(BY_ITSELF))])
def test_what_serves_users_by_itself_gets_a_primary_before_a_release_changes_it(record: Record | None) -> None:
    assert releasing.after_initialising(record, {**target(), "status": {"availableReplicas": 1}})
    assert not releasing.after_initialising(record, target()), "it serves nobody, and the release may be what mends it"


@pytest.mark.parametrize("phase", sorted(set(states.PHASES) - BY_ITSELF))
def test_what_a_primary_serves_for_is_released_at_once(phase: str) -> None:
    assert not releasing.after_initialising(Record("podinfo", "test", phase=phase), {**target(), "status": {"availableReplicas": 1}})
