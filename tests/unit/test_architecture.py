# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may know whom in plugins/ (docs/architecture.md), read from the import statements."""
from __future__ import annotations

import ast
import collections.abc
import dataclasses
import pathlib
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.progressive.delivery.plugins"

PURE = frozenset({"canary", "routers"})
TEXT = frozenset({"tidy"})
SERVERS = frozenset({"kube", "metrics", "alerts", "webhooks"})

# room -> rooms that it may import from, besides itself. A file of module_utils that stands alone is a room of its own name.
MAY_KNOW: dict[str, frozenset[str]] = {
    "canary": frozenset(),
    "routers": frozenset({"canary"}),
    "tidy": frozenset({"canary"}),
    "third_party": frozenset({"canary"}),
    "exchange": frozenset({"canary", "third_party", *TEXT}),
    "metrics": frozenset({"canary", "exchange", "third_party", *TEXT}),
    "alerts": frozenset({"canary", "exchange", "third_party", *TEXT}),
    "webhooks": frozenset({"canary", "exchange", "third_party", *TEXT}),
    "kube": frozenset({"canary", "routers", "third_party", "walker", *TEXT}),
    "walker": frozenset({"canary"}),
    "options": frozenset({"canary"}),
    "manifests": frozenset({"canary", "third_party", *TEXT}),
    "verb": frozenset({"canary", "kube", "third_party", *TEXT}),
    "modules": frozenset({*PURE, *SERVERS, "third_party", "verb", "options", "manifests", "walker", *TEXT}),
    "plugin_utils": frozenset({"canary", "verb", *TEXT}),
    "action": frozenset({"modules", "plugin_utils"}),
    "doc_fragments": frozenset(),
}

# What may be imported beside the standard library and our own: file or room -> beginnings of dotted names.
MAY_USE: dict[str, tuple[str, ...]] = {
    "module_utils/third_party.py": ("requests", "jmespath", "yaml"),
    "module_utils/kube/client.py": ("kubernetes", "urllib3", "ansible_collections.kubernetes.core"),
    "verb": ("ansible.module_utils",),
    "modules": ("ansible.module_utils",),
    "plugin_utils": ("ansible",),
    "action": ("ansible",),
}


@dataclasses.dataclass(frozen=True)
class Import:
    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"plugins/{self.file}:{self.line} imports {self.name}"


def room_of(file: str) -> str:
    """The room of a path below plugins/: the folder, or in module_utils the folder or file below it."""
    parts = pathlib.PurePosixPath(file).with_suffix("").parts
    return parts[1] if parts[0] == "module_utils" and len(parts) > 1 else parts[0]


def imports_of(file: str, source: str) -> collections.abc.Iterator[Import]:
    """Each imported dotted name, `from x import y` as x.y, relative ones made absolute."""
    package = [*OURS.split("."), *pathlib.PurePosixPath(file).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, f"{base}.{alias.name}")


def is_within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def objection(found: Import) -> str | None:
    """Why this import is not allowed, or None."""
    room = room_of(found.file)
    if is_within(found.name, OURS):
        known = room_of(found.name.removeprefix(f"{OURS}.").replace(".", "/"))
        if known == room or known in MAY_KNOW[room]:
            return None
        return f"{found}: {room} may know {', '.join(sorted(MAY_KNOW[room])) or 'nobody'}"
    if found.name.partition(".")[0] in sys.stdlib_module_names:
        return None
    allowed = (*MAY_USE.get(room, ()), *MAY_USE.get(found.file, ()))
    if any(is_within(found.name, prefix) for prefix in allowed):
        return None
    return f"{found}: besides the standard library, {found.file} may use {', '.join(allowed) or 'nothing'}"


def python_files() -> list[str]:
    return sorted(path.relative_to(PLUGINS).as_posix() for path in PLUGINS.rglob("*.py"))


def names_in(folder: str) -> set[str]:
    return {path.stem for path in (PLUGINS / folder).glob("*.py")} - {"__init__"}


def test_every_file_belongs_to_a_room_of_the_table():
    homeless = [file for file in python_files() if room_of(file) not in MAY_KNOW]
    assert not homeless, "enter them in MAY_KNOW and in docs/architecture.md"


def test_no_room_knows_more_than_the_table_allows():
    files = [file for file in python_files() if room_of(file) in MAY_KNOW]
    found = [one for file in files for one in imports_of(file, (PLUGINS / file).read_text(encoding="utf-8"))]
    assert found, "the check saw no import at all"
    assert not [words for one in found if (words := objection(one))]


def test_every_room_of_the_table_has_a_file():
    assert not MAY_KNOW.keys() - {room_of(file) for file in python_files()}


@pytest.mark.parametrize(
    ("file", "statement", "allowed"),
    [
        ("module_utils/canary/steps.py", f"from {OURS}.module_utils.kube import client", False),
        ("module_utils/canary/steps.py", f"from {OURS}.module_utils.routers import x", False),
        ("module_utils/canary/steps.py", f"from {OURS}.module_utils import kube", False),
        ("module_utils/canary/steps.py", "from ..kube import client", False),
        ("module_utils/canary/steps.py", "from .. import kube", False),
        ("module_utils/canary/steps.py", "from . import spec", True),
        ("module_utils/canary/verdict/threshold.py", "from ..spec import Check", True),
        ("module_utils/canary/steps.py", "import yaml", False),
        ("module_utils/canary/steps.py", "from ansible.module_utils.basic import AnsibleModule", False),
        ("module_utils/canary/steps.py", "def f():\n    import requests", False),
        ("module_utils/canary/steps.py", "try:\n    import jmespath\nexcept ImportError:\n    pass", False),
        ("module_utils/canary/steps.py", "import math, json", True),
        ("module_utils/canary/steps.py", "import math, kubernetes", False),
        ("module_utils/routers/istio.py", f"from {OURS}.module_utils.canary.model import Split", True),
        ("module_utils/routers/istio.py", f"from {OURS}.module_utils.kube.refs import Ref", False),
        ("module_utils/kube/routes.py", f"from {OURS}.module_utils import routers", True),
        ("module_utils/kube/routes.py", f"from {OURS}.module_utils import webhooks", False),
        ("module_utils/kube/routes.py", "from kubernetes.dynamic import exceptions", False),
        ("module_utils/kube/client.py", "from kubernetes.dynamic import exceptions", True),
        ("module_utils/kube/client.py", "import requests", False),
        ("module_utils/kube/client.py", "from ansible_collections.kubernetes.core.plugins.module_utils import x", True),
        ("module_utils/alerts/slack.py", f"from {OURS}.module_utils.canary.spec import ERROR", True),
        ("module_utils/alerts/sending.py", f"from {OURS}.module_utils import exchange", True),
        ("module_utils/alerts/sending.py", f"from {OURS}.module_utils.kube import secrets", False),
        ("module_utils/alerts/slack.py", f"from {OURS}.module_utils.metrics import evaluate", False),
        ("module_utils/canary/turn.py", f"from {OURS}.module_utils.alerts import message", False),
        ("module_utils/metrics/prometheus.py", "import requests", False),
        ("module_utils/metrics/prometheus.py", f"from {OURS}.module_utils import third_party", True),
        ("module_utils/third_party.py", "import requests", True),
        ("modules/traffic_weight.py", f"from {OURS}.module_utils.kube import routes", True),
        ("modules/traffic_weight.py", f"from {OURS}.plugin_utils import in_process", False),
        ("modules/traffic_weight.py", "from ansible.plugins.action import ActionBase", False),
        ("modules/traffic_weight.py", "from ansible.module_utils.basic import AnsibleModule", True),
        ("action/traffic_weight.py", f"from {OURS}.modules import traffic_weight", True),
        ("action/traffic_weight.py", f"from {OURS}.module_utils.kube import client", False),
        ("action/traffic_weight.py", "from ansible.plugins.action import ActionBase", True),
        ("plugin_utils/in_process.py", f"from {OURS}.action import traffic_weight", False),
    ],
)
def test_the_check_itself_tells_right_from_wrong(file, statement, allowed):
    objections = [objection(found) for found in imports_of(file, statement)]
    assert all(found is None for found in objections) is allowed


def test_every_module_has_an_action_and_is_in_the_action_group():
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    group = {entry for entry in runtime["action_groups"]["canary"] if isinstance(entry, str)}
    modules = names_in("modules")
    assert modules, "no module was found"
    assert names_in("action") == modules
    assert group == modules
