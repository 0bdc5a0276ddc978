# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a verb runs in process, and that it is honestly the same there: one test for each rule that was learnt by experiment."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

SECRET = "bearer-sesame-4711"

# What a task says that is to take the module way, whatever else holds.
AS_MODULE = {"vars": {"progressive_delivery_in_process": False}}

# A host that is there by name only: whoever tries to reach it fails.
ELSEWHERE = "elsewhere ansible_host=127.0.0.1 ansible_port=9 ansible_connection=ssh"


@pytest.fixture
def asks(gate: str) -> Callable[..., dict[str, Any]]:
    """A task that asks an open gate, which needs neither a cluster nor anything else."""
    def task(name: str = "ask", **keywords: Any) -> dict[str, Any]:
        return {"name": name, "progressive.delivery.webhook_gate": {"url": f"{gate}/open"}, **keywords}
    return task


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> Callable[..., str]:
    def write(*hosts: str) -> str:
        (tmp_path / "hosts").write_text("\n".join(hosts) + "\n", encoding="utf-8")
        return "hosts"
    return write


def looks(name: str = "look", options: Mapping[str, Any] | None = None, **keywords: Any) -> dict[str, Any]:
    """A task that asks the API server for one record."""
    return {"name": name, "progressive.delivery.canary_info": {"name": "nobody", "namespace": "default", **(options or {})}, **keywords}


def checks(address: str, **options: Any) -> dict[str, Any]:
    """A task that asks a Prometheus."""
    return {"name": "check", "progressive.delivery.metric_check": {"address": address, "query": "up", **options}}


def script(path: pathlib.Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


# 1: in process only where it is the same


def test_ansible_01_on_localhost_a_verb_runs_in_process(stage, asks):
    assert stage.play(asks())["ask"].way == "in_process"


def test_ansible_01_on_a_local_host_of_the_inventory_without_interpreter_a_verb_runs_in_process(stage, asks, inventory):
    assert stage.play(asks(), inventory=inventory("here ansible_connection=local"))["ask"].way == "in_process"


def test_ansible_01_with_the_playbooks_own_interpreter_a_verb_runs_in_process(stage, asks):
    assert stage.play(asks(vars={"ansible_python_interpreter": "{{ ansible_playbook_python }}"}))["ask"].way == "in_process"


def test_ansible_01_with_another_interpreter_a_verb_runs_as_a_module(stage, asks, tmp_path):
    other = script(tmp_path / "python", f'exec {sys.executable} "$@"')
    asked = stage.play(asks(vars={"ansible_python_interpreter": other}))["ask"]
    assert (asked.status, asked.way) == ("ok", "module")
    assert f"ansible_python_interpreter is {other}" in asked.because


def test_ansible_01_an_interpreter_set_by_configuration_counts_too(stage, asks, inventory, tmp_path):
    other = script(tmp_path / "python", f'exec {sys.executable} "$@"')
    here = inventory("here ansible_connection=local")
    asked = stage.play(asks(), inventory=here, environment={"ANSIBLE_PYTHON_INTERPRETER": other})["ask"]
    assert (asked.status, asked.way) == ("ok", "module")


def test_ansible_01_with_become_a_verb_runs_as_a_module(stage, asks):
    asked = stage.play(asks(become=True, become_method="ansible.builtin.su"))["ask"]
    assert (asked.status, asked.way) == ("ok", "module")
    assert "become" in asked.because


def test_ansible_01_with_become_switched_off_again_a_verb_runs_in_process(stage, asks):
    assert stage.play(asks(become=False), play={"become": True})["ask"].way == "in_process"


def test_ansible_01_on_a_remote_host_a_verb_runs_as_a_module_there(stage, asks, inventory):
    played = stage.play(asks(), inventory=inventory(ELSEWHERE))
    assert played["ask"].status == "unreachable"
    assert "runs as a module: the connection is ssh, not local" in played.output


def test_ansible_01_delegated_to_a_remote_host_a_verb_runs_as_a_module_there(stage, asks, inventory):
    both = inventory("here ansible_connection=local", ELSEWHERE)
    played = stage.play(asks(delegate_to="elsewhere"), inventory=both, arguments=["--limit", "here"])
    assert played["ask"].status == "unreachable"
    assert "runs as a module: the connection is ssh, not local" in played.output


def test_ansible_01_delegated_from_a_remote_host_to_localhost_a_verb_runs_in_process(stage, asks, inventory):
    assert stage.play(asks(delegate_to="localhost"), inventory=inventory(ELSEWHERE))["ask"].way == "in_process"


@pytest.mark.parametrize("switch", [
    {"environment": {"PROGRESSIVE_DELIVERY_IN_PROCESS": "0"}},
    {"play": {"vars": {"progressive_delivery_in_process": "false"}}},
])
def test_ansible_01_who_wants_modules_gets_modules(stage, asks, switch):
    assert stage.play(asks(), **switch)["ask"].way == "module"


# 2: the task's environment


@pytest.mark.parametrize("variable", ["K8S_AUTH_KUBECONFIG", "KUBECONFIG"])
def test_ansible_02_the_tasks_environment_says_which_cluster(stage, variable):
    played = stage.play(
        looks("one", environment={variable: "/nowhere/{{ which }}"}, vars={"which": "one"}),
        looks("two", environment={variable: "/nowhere/two"}, **AS_MODULE),
        play={"environment": {variable: "/nowhere/of-the-play"}},
    )
    assert (played["one"].way, played["two"].way) == ("in_process", "module")
    assert "/nowhere/one" in played["one"].result["msg"]
    assert "/nowhere/two" in played["two"].result["msg"]


def test_ansible_02_each_item_of_a_loop_has_its_own_environment(stage):
    items = [{"K8S_AUTH_HOST": "http://127.0.0.1:9", "K8S_AUTH_API_KEY": "key-of-one"}, {"K8S_AUTH_KUBECONFIG": "/nowhere/two"}]
    played = stage.play(looks(environment="{{ item }}", loop=items))
    messages = [ran.result["msg"] for ran in played.ran["look"][:2]]
    assert "127.0.0.1:9" in messages[0] and "/nowhere/two" in messages[1]


def test_ansible_02_an_environment_that_only_a_starting_python_reads_asks_for_a_module(stage, asks):
    asked = stage.play(asks(environment={"PYTHONPATH": "/nowhere"}))["ask"]
    assert (asked.status, asked.way) == ("ok", "module")
    assert "PYTHONPATH" in asked.because


# 3: libraries that are not there


@pytest.fixture
def without_requests(tmp_path: pathlib.Path) -> dict[str, str]:
    """An environment in which ``import requests`` fails."""
    folder = tmp_path / "shadow" / "requests"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('no requests here')\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder.parent)}


def test_ansible_03_a_missing_library_falls_back_to_the_module_which_names_it(stage, asks, without_requests):
    played = stage.play(asks(), {"name": "after", "ansible.builtin.debug": {}}, environment=without_requests)
    assert (played["ask"].status, played["ask"].way) == ("failed", "module")
    assert "requests" in played["ask"].result["msg"] and "ansible_python_interpreter" in played["ask"].result["msg"]
    assert played["after"].status == "ok"


# 4: JSON on the way in and out


def test_ansible_04_a_value_that_is_not_finite_is_null_with_a_why(stage, serve, as_prometheus):
    address = serve({"/api/v1/query": (200, as_prometheus("NaN"))})
    checked = stage.play(checks(address))["check"]
    assert checked.way == "in_process"
    assert checked.result["outcomes"][0]["value"] is None
    assert checked.result["outcomes"][0]["why"]


def test_ansible_04_a_number_that_is_not_finite_is_refused_by_the_name_of_its_option(stage, prometheus):
    checked = stage.play(checks(prometheus, max=float("inf")))["check"]
    assert checked.status == "failed"
    assert "max: " in checked.result["msg"]


def test_ansible_04_results_are_plain_data_for_the_next_task(stage, prometheus):
    played = stage.play(
        {**checks(prometheus, query="{{ query }}"), "register": "checked", "vars": {"query": "up"}},
        {"name": "use", "ansible.builtin.debug": {"msg": "{{ (checked | to_json | from_json).outcomes[0].value + 1 }}"}},
    )
    assert played["use"].result["msg"] == 13.5


# 5: one specification


def test_ansible_05_values_of_no_log_options_are_hidden_in_process(stage):
    looked = stage.play(looks(options={"host": f"http://127.0.0.1:9/{SECRET}", "api_key": SECRET}))
    assert looked["look"].way == "in_process"
    assert SECRET not in json.dumps(looked["look"].result)
    assert "********" in looked["look"].result["msg"]


def test_ansible_05_defaults_of_the_action_group_reach_verbs_in_process_and_kubernetes_core(stage):
    defaults = {"group/progressive.delivery.canary": {"kubeconfig": "/nowhere/of-the-group"}}
    theirs = {"name": "theirs", "kubernetes.core.k8s_info": {"kind": "Namespace"}}
    played = stage.play(looks(), theirs, play={"module_defaults": defaults})
    assert played["look"].way == "in_process"
    assert "/nowhere/of-the-group" in played["look"].result["msg"]
    assert "/nowhere/of-the-group" in played["theirs"].result["msg"]


# 6: errors

# Stands in for requests: whatever is asked of it fails, with a secret in the error and in its cause.
BROKEN_LIBRARY = f"""
def __getattr__(name):
    try:
        raise KeyError('{SECRET}')
    except KeyError as cause:
        raise RuntimeError('Authorization: Bearer {SECRET}') from cause
"""


@pytest.mark.parametrize("in_process", [True, False])
def test_ansible_06_an_unexpected_error_never_prints_its_text_or_its_cause(stage, asks, tmp_path, in_process):
    folder = tmp_path / "shadow" / "requests"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(BROKEN_LIBRARY, encoding="utf-8")
    played = stage.play(asks(vars={"progressive_delivery_in_process": in_process}), environment={"PYTHONPATH": str(folder.parent)})
    assert played["ask"].status == "failed"
    assert "unexpected RuntimeError" in played["ask"].result["msg"]
    assert SECRET not in played.output


# 7: async and waits


def test_ansible_07_a_verb_runs_asynchronously(stage, asks):
    played = stage.play(asks(**{"async": 60, "poll": 1}))
    assert played["ask"].status == "ok", played.output
    assert played["ask"].result["allowed"] is True
    assert "runs as a module: the task is asynchronous" in played.output


def test_ansible_07_a_wait_as_a_module_is_cut_into_chunks_that_show_life(stage, namespace, kubeconfig):
    options = {"name": "app", "namespace": namespace, "primary": "app-primary", "canary": "app-canary", "weight": 20, "kubeconfig": kubeconfig}
    task = {"name": "wait", "progressive.delivery.traffic_weight": {**options, "wait_timeout": 27}}
    waited = stage.play({**task, **AS_MODULE})
    # The module is sent twice: a chunk lasts 25 s. Nobody ever accepts the route of this test.
    assert waited.output.count("Using module file") == 2
    assert waited.output.count(f"[localhost] {namespace}/app: waiting: ") == 1
    assert "within 27 s" in waited["wait"].result["msg"]


# 8: kubeconfig, and no client without need


def test_ansible_08_a_kubeconfig_is_found_in_files_beside_the_playbook(stage, kubeconfig, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "lab.yml").write_bytes(pathlib.Path(kubeconfig).read_bytes())
    looked = stage.play(looks(options={"kubeconfig": "lab.yml"}), looks("as a module", {"kubeconfig": "lab.yml"}, **AS_MODULE))
    assert (looked["look"].status, looked["as a module"].status) == ("ok", "ok"), looked.output


def test_ansible_08_a_vaulted_kubeconfig_is_decrypted_and_no_copy_is_left(stage, kubeconfig, tmp_path):
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    (tmp_path / "lab.yml").write_bytes(pathlib.Path(kubeconfig).read_bytes())
    password = ["--vault-password-file", "password"]
    subprocess.run(["ansible-vault", "encrypt", *password, "lab.yml"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "tmp").mkdir()
    looked = stage.play(
        looks(options={"kubeconfig": "lab.yml"}), looks("as a module", {"kubeconfig": "lab.yml"}, **AS_MODULE),
        arguments=password, environment={"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "TMPDIR": str(tmp_path / "tmp")})
    assert (looked["look"].status, looked["as a module"].status) == ("ok", "ok"), looked.output
    assert looked["look"].way == "in_process"
    assert not [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]


def test_ansible_08_one_client_per_verb_that_needs_one_and_none_for_others(stage, asks, kubeconfig, tmp_path):
    config = yaml.safe_load(pathlib.Path(kubeconfig).read_text(encoding="utf-8"))
    plugin = script(tmp_path / "plugin", f"echo called >> {tmp_path}/calls\necho '{json.dumps(EXEC_CREDENTIAL)}'")
    config["users"] = [{"name": config["users"][0]["name"], "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}}}]
    (tmp_path / "exec.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    defaults = {"group/progressive.delivery.canary": {"kubeconfig": "exec.yml"}}
    stage.play(asks(), play={"module_defaults": defaults})
    assert not (tmp_path / "calls").exists()
    stage.play(looks(), play={"module_defaults": defaults})
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == ["called"]


EXEC_CREDENTIAL = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": SECRET}}


# 9: the Python of the module


def test_ansible_09_a_python_that_is_too_old_is_named_with_the_remedy(stage, asks, tmp_path):
    asked = stage.play(asks(vars={"ansible_python_interpreter": script(tmp_path / "python3.6", "echo python 3 6")}))["ask"]
    assert asked.status == "failed"
    assert "Python 3.6" in asked.result["msg"] and "3.11" in asked.result["msg"] and "ansible_python_interpreter" in asked.result["msg"]


def test_ansible_09_a_python_that_is_not_there_is_named_with_the_remedy(stage, asks):
    asked = stage.play(asks(vars={"ansible_python_interpreter": "/nowhere/python"}))["ask"]
    assert asked.status == "failed"
    assert "/nowhere/python" in asked.result["msg"] and "ansible_python_interpreter" in asked.result["msg"]


# 23: lines for people


@pytest.mark.parametrize("in_process", [True, False])
def test_ansible_23_lines_name_host_and_canary_and_obey_no_terminal(stage, gate, serve, in_process):
    forged = serve({"/closed": (403, "no\x1b[2K\r\nok: [localhost] => all is well")})
    options = {"url": f"{forged}/closed", "canary_name": "podinfo", "canary_namespace": "test"}
    task = {"name": "ask", "progressive.delivery.webhook_gate": options}
    played = stage.play({**task, "vars": {"progressive_delivery_in_process": in_process}})
    assert "\n[localhost] test/podinfo: " in played.output
    assert "\nok: [localhost] => all is well" not in played.output


def test_ansible_23_a_task_with_no_log_shows_no_lines(stage, asks):
    assert "[localhost] rollout" in stage.play(asks()).output
    assert "[localhost] rollout" not in stage.play(asks(no_log=True)).output


# 25: versions


def test_ansible_25_preflight_refuses_a_kubernetes_core_that_is_too_old(stage, tmp_path):
    found = next(pathlib.Path(path) for path in os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep) if path)
    collections = tmp_path / "collections" / "ansible_collections"
    core = collections / "kubernetes" / "core"
    shutil.copytree(found / "ansible_collections" / "kubernetes" / "core", core)
    (collections / "progressive").symlink_to(found / "ansible_collections" / "progressive")
    manifest = json.loads((core / "MANIFEST.json").read_text(encoding="utf-8"))
    manifest["collection_info"]["version"] = "5.0.0"
    (core / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
    task = {"name": "preflight", "progressive.delivery.canary_preflight": {"canary_name": "podinfo", "canary_namespace": "test"}}
    refused = stage.play(task, environment={"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")})["preflight"]
    assert refused.status == "failed"
    assert "kubernetes.core" in refused.result["msg"] and "5.0.0" in refused.result["msg"]


def test_results_say_how_they_came_about_only_to_whoever_asks(stage, asks):
    tasks = [asks("in process"), asks("as a module", **AS_MODULE)]
    loud, quiet = stage.play(*tasks), stage.play(*tasks, verbosity="-v")
    for name in ("in process", "as a module"):
        assert loud[name].result["invocation"]["module_args"]["type"] == "rollout"
        assert "invocation" not in quiet[name].result
