# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The revision of a pod template: a hash of what it means, not of how it is written (SAFETY 19, weak spot 35).

Two templates with the same revision start the same pods. What the API server fills in by itself, and the order of what
is a set, do not count; labels and annotations do, so that ``kubectl rollout restart`` is a new revision, as in Flagger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import parking

SHORT = 10

# What the API server writes where a template says nothing, by the key under which the object stands.
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3, "initialDelaySeconds": 0}
_FILES = {"defaultMode": 0o644}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "spec": {
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30, "enableServiceLinks": True, "serviceAccountName": "default",
    },
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "ports": {"protocol": "TCP", "hostPort": 0},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "httpGet": {"scheme": "HTTP", "path": "/"},
    "fieldRef": {"apiVersion": "v1"},
    "resourceFieldRef": {"divisor": "0"},
    "securityContext": {"procMount": "Default"},
    "tolerations": {"operator": "Equal"},
    "secret": _FILES,
    "configMap": _FILES,
    "projected": _FILES,
    "downwardAPI": _FILES,
    "serviceAccountToken": {"expirationSeconds": 3600},
}
# Plain booleans of the API: false is not written at all. (Where false and nothing differ, as for
# automountServiceAccountToken, it stays.)
_FALSE_IS_NOTHING = frozenset(("hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "optional"))
# Texts by name: keys and values are the user's, an empty value is a value.
_TEXT_MAPS = frozenset(("labels", "annotations", "matchLabels", "nodeSelector", "volumeAttributes"))
_QUANTITIES = frozenset(("limits", "requests", "overhead"))
# An empty selector selects everything, none selects nothing; an empty class of storage is not the default class.
_EMPTY_IS_SOMETHING = frozenset(("labelSelector", "namespaceSelector", "selector", "storageClassName"))
# Lists whose order says nothing. Not env: later entries may use earlier ones, and win over them.
_SETS = frozenset((
    "ports", "volumes", "volumeMounts", "volumeDevices", "imagePullSecrets", "tolerations", "topologySpreadConstraints",
    "matchExpressions", "matchFields", "values", "namespaces", "items", "add", "drop", "supplementalGroups", "sysctls",
    "resourceClaims", "claims", "readinessGates", "finalizers",
))
_OUR_PREFIX = "progressive.delivery/"
# Not the user's words: what controllers stamp on the pods and templates that they make.
_FOREIGN_LABELS = frozenset(("pod-template-hash", "controller-revision-hash", "pod-template-generation"))
_FOREIGN_ANNOTATIONS = frozenset(("flagger-id",))
_UNITS = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18), "Ki": Decimal(2**10),
    "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}


def canonical(value: Any) -> str:
    """JSON with sorted keys and without white space: equal data, equal text. Raises ValueError for NaN and infinities."""
    return json.dumps(_plain(value), sort_keys=True, allow_nan=False, separators=(",", ":"))


def revision_of(template: Mapping[str, Any], configs: Mapping[str, str] | None = None) -> str:
    """The revision of a pod template (``spec.template`` of a Deployment): 64 hexadecimal digits of SHA-256.

    ``configs`` are the digests of the ConfigMaps and Secrets that belong to it; without any, the revision is that of the template alone.
    """
    return hashed({"template": meaning(template), "configs": configs}) if configs else hashed(meaning(template))


def short(revision: str) -> str:
    """A revision as it is shown to people."""
    return revision[:SHORT]


def checksum(tracked_configs: Mapping[str, str], last_applied: str) -> str:
    """The ``checksum`` of webhook payloads: the same while the configs and the revision under analysis stay the same."""
    return short(hashed({"trackedConfigs": tracked_configs, "lastAppliedSpec": last_applied}))


def meaning(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without defaults, empty fields and what controllers stamp on it, its sets in one fixed order."""
    metadata = template.get("metadata") or {}
    kept = {
        "labels": _own_keys(metadata.get("labels"), _FOREIGN_LABELS),
        "annotations": _own_keys(metadata.get("annotations"), _FOREIGN_ANNOTATIONS),
        "finalizers": metadata.get("finalizers"),
    }
    spec = dict(template.get("spec") or {})
    if spec.get("nodeSelector"):
        spec["nodeSelector"] = parking.own(spec["nodeSelector"])
    # serviceAccount is the old name of the same field; the API server writes both.
    account = spec.pop("serviceAccount", None)
    spec.setdefault("serviceAccountName", account)
    return _without_empty({"metadata": _object("metadata", kept), "spec": _object("spec", spec)}, "")


def hashed(value: Any) -> str:
    """64 hexadecimal digits of SHA-256: equal data, equal text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _own_keys(texts: Mapping[str, Any] | None, foreign: frozenset[str]) -> dict[str, Any]:
    return {key: text for key, text in (texts or {}).items() if key not in foreign and not str(key).startswith(_OUR_PREFIX)}


def _meaning(key: str, value: Any) -> Any:
    """What stands under ``key``, without what says nothing."""
    if key in _TEXT_MAPS:
        return value
    if key in _QUANTITIES and isinstance(value, Mapping):
        return {name: _quantity(amount) for name, amount in value.items()}
    if key == "sizeLimit":
        return _quantity(value)
    if isinstance(value, Mapping):
        return _object(key, value)
    if isinstance(value, (list, tuple)):
        items = [_object(key, item) if isinstance(item, Mapping) else item for item in value]
        return sorted(items, key=canonical) if key in _SETS else items
    return value


def _object(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    defaults = dict(_DEFAULTS.get(key, {}))
    if key in ("containers", "initContainers"):
        defaults["imagePullPolicy"] = _pull_policy(str(value.get("image", "")))
    fields = {name: _meaning(name, item) for name, item in value.items()}
    kept = {name: item for name, item in fields.items() if not _is_default(name, item, defaults)}
    return _without_empty(kept, key)


def _is_default(name: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    if value is False and name in _FALSE_IS_NOTHING:
        return True
    # True equals 1 in Python, but not in a document.
    return name in defaults and defaults[name] == value and isinstance(value, bool) == isinstance(defaults[name], bool)


def _without_empty(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The API server drops empty fields; but the field that a volume has is its kind, and emptyDir the kind of one without."""
    def says_nothing(name: str, value: Any) -> bool:
        if value is None:
            return True
        if name in _EMPTY_IS_SOMETHING or (key == "volumes" and name != "emptyDir"):
            return False
        return value == "" or (isinstance(value, (Mapping, list, tuple)) and not value)

    return {name: value for name, value in fields.items() if not says_nothing(name, value)}


def _pull_policy(image: str) -> str:
    """The default: Always for the tag ``latest``, which an image without tag and digest has; else IfNotPresent."""
    name, _at, digest = image.partition("@")
    _path, _colon, tag = name.rpartition("/")[2].partition(":")
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def _quantity(value: Any) -> Any:
    """One spelling for equal amounts (1000m and 1, 1024Mi and 1Gi); what is no amount stays as it is."""
    text = str(value)
    number = text.rstrip("numkMGTPEi")
    try:
        amount = (Decimal(number) * _UNITS[text[len(number):]]).normalize()
    except (ArithmeticError, KeyError):
        return value
    return str(amount) if amount.is_finite() else value
