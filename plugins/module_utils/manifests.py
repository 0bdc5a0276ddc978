# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a manifest file as plain mappings: what YAML has beyond JSON is converted or refused, in words."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import third_party
from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError

ACCEPTED = "accepted: YAML with one Canary, and MetricTemplates and AlertProviders beside it if there are any"


def read(text: str, field: str = "text") -> list[dict[str, Any]]:
    """The documents of a YAML text, with the items of a List one by one; empty documents are left out.

    Raises SpecError naming ``field`` for what is not YAML, holds a key twice, or holds something other than mappings.
    """
    found: list[dict[str, Any]] = []
    for index, document in enumerate(_documents(text, field)):
        if not isinstance(document, dict):
            raise SpecError(field, f"document {index + 1} of the text is not a mapping", ACCEPTED)
        listed = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        found += [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else [document]
    return found


def _documents(text: str, field: str) -> list[Any]:
    yaml = third_party.require("PyYAML")
    try:
        loaded = [document for document in yaml.load_all(text, Loader=_loader(yaml)) if document is not None]  # noqa: S506  # a SafeLoader
        return json.loads(json.dumps(loaded, allow_nan=False, default=_date))
    except yaml.YAMLError as error:
        raise SpecError(field, _why(error), ACCEPTED) from None
    except (TypeError, ValueError, RecursionError):
        raise SpecError(field, "holds something that has no form in JSON, such as .nan, a set or a reference to itself", ACCEPTED) from None


def _loader(yaml: Any) -> Any:
    class Loader(yaml.SafeLoader):
        """Refuses a key that is there twice: YAML takes the last one in silence, and the first one's author never knows."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _value in node.value:
                if key.tag == "tag:yaml.org,2002:merge":
                    continue
                if key.value.__hash__ is not None and key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {shown.excerpt(str(key.value), 60)!r} is there twice", key.start_mark)
                if key.value.__hash__ is not None:
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader


def _why(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"is not YAML that can be read{place}: {shown.excerpt(str(getattr(error, 'problem', None) or 'an unexpected character'), 120)}"


def _date(value: Any) -> str:
    """YAML makes dates of texts that look like one."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def kind_of(document: Mapping[str, Any]) -> str:
    """Kind and name of a manifest, for people."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return shown.excerpt(" ".join(str(part) for part in (document.get("kind") or "a document without kind", name) if part), 80)
