# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages in docs/ tell people to paste is what the collection prints."""
from __future__ import annotations

import pathlib
import re

import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.canary import gitops

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"

FIELDS = [
    gitops.Field({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "podinfo"}}, ("spec", "replicas")),
    gitops.Field({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "podinfo"}}, ("spec", "selector")),
    gitops.Field({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "podinfo"}}, ("spec", "rules")),
]


def pasted(section: str) -> dict:
    """The YAML of a section of the page about GitOps tools."""
    text = (DOCS / "gitops.md").read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])


def printed(tool: gitops.Tool, key: str) -> list:
    """The list that stands after ``key`` in the remedy that a refusal prints."""
    flow = gitops.remedy(tool, FIELDS).partition(f"{key}: ")[2]
    depth = 0
    for end, character in enumerate(flow, 1):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if not depth:
            break
    return yaml.safe_load(flow[:end])


def test_safety_23_the_page_and_the_refusal_say_the_same_to_argo_cd() -> None:
    spec = pasted("Argo CD")["spec"]
    assert len(spec["ignoreDifferences"]) == 3 and spec["ignoreDifferences"] == printed(gitops.ARGO, "ignoreDifferences")
    assert spec["syncPolicy"]["syncOptions"] == printed(gitops.ARGO, "syncOptions")


def test_safety_23_the_page_and_the_refusal_say_the_same_to_flux() -> None:
    detection = pasted("Flux, helm-controller")["spec"]["driftDetection"]
    assert detection["mode"] == "enabled"
    assert len(detection["ignore"]) == 3 and detection["ignore"] == printed(gitops.HELM_RELEASE, "ignore")
    assert "leave spec.replicas out of Deployment podinfo" in gitops.remedy(gitops.KUSTOMIZE, FIELDS)
    (annotation, value), = pasted("Flux, kustomize-controller")["metadata"]["annotations"].items()
    assert f"annotate HTTPRoute podinfo with {annotation}: {value}" in gitops.remedy(gitops.KUSTOMIZE, FIELDS)


def test_each_playbook_is_typed_in_the_readme() -> None:
    playbooks = {path.stem for path in (DOCS.parent / "playbooks").glob("*.yml")}
    assert {"abort", "approve", "promote", "resume", "suspend"} <= playbooks
    assert playbooks == set(re.findall(r"ansible-playbook progressive\.delivery\.(\w+)", (DOCS.parent / "README.md").read_text(encoding="utf-8")))


# -- weak spots of Flagger, as docs/flagger-differences.md counts them --

TESTS = DOCS.parent / "tests"
NAMED = re.compile(r"weak_spot((?:_\d\d)+)")


def test_each_weak_spot_has_a_test_or_a_line_that_says_why_not() -> None:
    tests = {int(number) for kind in ("*.py", "*.yml") for path in TESTS.rglob(kind) for numbers in NAMED.findall(path.read_text(encoding="utf-8"))
             for number in numbers.strip("_").split("_")}
    page = (DOCS / "flagger-differences.md").read_text(encoding="utf-8")
    told = {int(number) for numbers in re.findall(r"^\| ws ([\d, ]+) \|", page, re.MULTILINE) for number in numbers.split(",")}
    assert tests | told == set(range(1, 59)), sorted(set(range(1, 59)) ^ (tests | told))
    in_brackets = {int(number) for number in re.findall(r"\(ws (\d+)\)", page)}
    assert in_brackets <= tests, f"the page promises tests that there are not: {sorted(in_brackets - tests)}"
