# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one guarded import of requests, jmespath and PyYAML (kubernetes has its own guard in kube/client.py).

A name is None where its library is missing. Whoever needs one calls ``require`` first, so that a module says
missing_required_lib and an action falls back to its module, instead of dying at import (ANSIBLE 3).
"""

from __future__ import annotations

import traceback
from types import ModuleType

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import MissingLibrary

__all__ = ("TRACEBACKS", "jmespath", "require", "requests", "yaml")

# Library as people install it -> text of the failed import.
TRACEBACKS: dict[str, str] = {}

try:
    import requests
except ImportError:
    requests = None  # type: ignore[assignment]
    TRACEBACKS["requests"] = traceback.format_exc()

try:
    import jmespath
except ImportError:
    jmespath = None
    TRACEBACKS["jmespath"] = traceback.format_exc()

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]
    TRACEBACKS["PyYAML"] = traceback.format_exc()


def require(library: str) -> ModuleType:
    """The library by the name it is installed by: requests, jmespath or PyYAML.

    Raises MissingLibrary, with the traceback of the failed import, where there is none.
    """
    libraries: dict[str, ModuleType | None] = {"requests": requests, "jmespath": jmespath, "PyYAML": yaml}
    module = libraries[library]
    if module is None:
        raise MissingLibrary(library, TRACEBACKS.get(library, ""))
    return module
