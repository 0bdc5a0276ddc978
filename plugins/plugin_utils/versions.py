# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the kubernetes.core that is installed will do: dependencies of a collection are not checked at run time (ANSIBLE 25)."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

from ansible.module_utils.compat.version import LooseVersion

OLDEST, TOO_NEW = "6.2.0", "8.0.0"


def kubernetes_core() -> str:
    """The version of kubernetes.core in use; empty when it is not installed, or is a checkout that does not say."""
    try:
        places = import_module("ansible_collections.kubernetes.core").__path__
    except ImportError:
        return ""
    for place in places:
        manifest = Path(place) / "MANIFEST.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return ""


def problem(version: str) -> str:
    """What is wrong with that version, in words; empty when nothing is, or nothing is known."""
    if not version or LooseVersion(OLDEST) <= LooseVersion(version) < LooseVersion(TOO_NEW):
        return ""
    return (f"progressive.delivery needs kubernetes.core {OLDEST} or newer and older than {TOO_NEW}, this is {version}: "
            f"ansible-galaxy collection install 'kubernetes.core:>={OLDEST},<{TOO_NEW}'")
