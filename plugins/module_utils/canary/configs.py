# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ConfigMaps and Secrets that pods read: which of them belong to a revision, what they mean, and what the primary's copies of them are called.

One object is named here as the inventory names it, "ConfigMap/name". Digests and names of copies say nothing but whether two contents are equal.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import hashed
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import excerpt

Object = Mapping[str, Any]

CONFIG_MAP = "ConfigMap"
SECRET = "Secret"
KINDS = (CONFIG_MAP, SECRET)

TRACKING = "flagger.app/config-tracking"    # Flagger's annotation on a ConfigMap or Secret; "disabled" takes it out
COPY_OF = marks.PREFIX + "copy-of"          # on a copy: the name of what it was made of
MOST = 50                                   # that one target may refer to: each costs a request a tick, and a copy a promotion

# As in Flagger: what else a Secret may be is credentials of the cluster's own, which nobody releases.
_SECRET_TYPES = frozenset(("", "Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"))
# Controllers put these into every namespace: a new certificate authority is for all pods at once.
_OF_THE_CLUSTER = frozenset(("ConfigMap/kube-root-ca.crt", "ConfigMap/openshift-service-ca.crt"))
_DIGEST = 16
_IN_NAME = 10
_SUFFIX = "-primary-"
_FLAGGERS = "-primary"      # what Flagger puts behind a name for its copy
_LONGEST_NAME = 253
_A_COPY = re.compile(rf"{_SUFFIX}[0-9a-f]{{{_IN_NAME}}}")


@dataclass(frozen=True)
class Configs:
    """What the pods of one template read, as it is now, and whose canary's they are."""

    canary: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)    # of those that are tracked, by "Kind/name"
    objects: Mapping[str, Object] = field(default_factory=dict, repr=False)     # the same, whole: never for anybody's eyes
    untracked: tuple[str, ...] = ()     # there, and left out on purpose
    missing: tuple[str, ...] = ()       # needed, and not there
    unreadable: tuple[str, ...] = ()    # whoever walks may not read them

    @property
    def digest(self) -> str:
        """Of all of them together; empty where there are none."""
        return _hash(self.digests) if self.digests else ""

    @property
    def names(self) -> dict[str, str]:
        """What the primary refers to in the place of each."""
        return {entry: copy_name(self.canary, _split(entry)[1], digest) for entry, digest in self.digests.items()}

    @property
    def lacks(self) -> str:
        """Why pods of the template cannot be judged or cannot start, in words; empty where nothing is missing."""
        missing = f"{in_words(self.missing)} {'does' if len(self.missing) == 1 else 'do'} not exist" if self.missing else ""
        return "; ".join(filter(None, (missing, f"no permission to get {in_words(self.unreadable)}" if self.unreadable else "")))


NONE = Configs()


def references(pods: Object) -> dict[str, bool]:
    """The ConfigMaps and Secrets of a pod's spec, each with whether a pod cannot do without: one reference that says so is enough."""
    found: dict[str, bool] = {}
    for kind, reference, key in _places(pods):
        entry = f"{kind}/{reference[key]}"
        if entry not in _OF_THE_CLUSTER:
            found[entry] = found.get(entry, False) or not reference.get("optional")
    return dict(sorted(found.items()))


def gathered(canary: str, wanted: Mapping[str, bool], found: Mapping[str, Object], unreadable: Iterable[str] = ()) -> Configs:
    """What was ``found`` of the references; of those that are optional, what is not there counts for nothing."""
    denied = tuple(unreadable)
    tracked = {entry: found[entry] for entry in wanted if entry in found and is_tracked(entry, found[entry])}
    return Configs(
        canary,
        digests={entry: digest_of(entry, obj) for entry, obj in tracked.items()},
        objects=tracked,
        untracked=tuple(entry for entry in wanted if entry in found and entry not in tracked),
        missing=tuple(entry for entry, needed in wanted.items() if needed and entry not in found and entry not in denied),
        unreadable=denied,
    )


def is_tracked(entry: str, obj: Object) -> bool:
    """Whether its content is part of a revision: not where its annotation says no, nor for credentials of the cluster's own."""
    if marks.annotations_of(obj).get(TRACKING, "").startswith("disable"):
        return False
    return _split(entry)[0] != SECRET or str(obj.get("type") or "") in _SECRET_TYPES


def digest_of(entry: str, obj: Object) -> str:
    """Equal for equal contents, whatever metadata says: 16 hexadecimal digits of SHA-256."""
    content = {key: obj[key] for key in ("data", "binaryData") if obj.get(key)}
    return _hash({**content, **({"type": obj.get("type") or "Opaque"} if _split(entry)[0] == SECRET else {})})


def copy_name(canary: str, name: str, digest: str) -> str:
    """By name and content, so that another content is another object and an old one is never rewritten (SAFETY 18).

    Several canaries may share what their pods read: each has a copy of its own, and none takes away another's.
    """
    return f"{_stem(name)}{_hash([canary, digest])[:_IN_NAME]}"


def copy_of(entry: str, obj: Object, digest: str, canary: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The primary's copy: the same content, which nobody can change, by whatever hand. ``labels`` are those carried over."""
    kind, name = _split(entry)
    content = {key: copy.deepcopy(obj[key]) for key in ("data", "binaryData", "type") if obj.get(key)}
    metadata = {
        "name": copy_name(canary, name, digest), "namespace": namespace, "labels": {**labels, marks.CANARY: marks.label_of(canary)},
        "annotations": {**marks.TOOLKIT, marks.CANARY: canary, COPY_OF: name},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content, "immutable": True}


def rename(pods: dict[str, Any], names: Mapping[str, str]) -> None:
    """Let references of a pod's spec name others; those that ``names`` does not know stay."""
    for kind, reference, key in _places(pods):
        wanted = names.get(f"{kind}/{reference[key]}")
        if wanted is not None:
            reference[key] = wanted     # type: ignore[index]  # the caller's own copy


def originals(pods: Object, entries: Iterable[str], flaggers: Iterable[str] = ()) -> dict[str, str]:
    """Of the references of a primary's pods, those to copies of one of ``entries``, each with the name that it is a copy of; ``flaggers`` are copies that
    Flagger made."""
    tracked = tuple(entries)
    stems = {(kind, _stem(name)): name for kind, name in map(_split, tracked)}
    found = {entry: original_of(entry) for entry in flaggers if entry.removesuffix(_FLAGGERS) in tracked}
    for entry in references(pods):
        kind, name = _split(entry)
        original = stems.get((kind, name[:-_IN_NAME])) if is_copy_name(name) else None
        if original is not None:
            found[entry] = original
    return found


def is_copy_name(name: str) -> bool:
    """Whether a name could be that of a copy; whose it is, its labels say."""
    return _A_COPY.fullmatch(name[-len(_SUFFIX) - _IN_NAME:]) is not None


def copies_in(pods: Object) -> tuple[str, ...]:
    """References of a pod's spec by the names of copies."""
    return tuple(entry for entry in references(pods) if is_copy_name(_split(entry)[1]))


def pods_of(workload: Object) -> Object:
    """The spec of the pods that a workload starts."""
    return workload["spec"]["template"].get("spec") or {}


def flaggers_in(pods: Object, target: Object | None = None) -> tuple[str, ...]:
    """References of a primary's pods by the names that Flagger gives its copies; whether it made them, only the objects say (``takeover.is_copy``).

    What the pods of the ``target`` read too is the user's own, whatever it is called.
    """
    own = references(pods_of(target)) if target else {}
    return tuple(entry for entry in references(pods) if _split(entry)[1].endswith(_FLAGGERS) and entry not in own)


def original_of(entry: str) -> str:
    """The name of what Flagger made a copy of."""
    return _split(entry)[1].removesuffix(_FLAGGERS)


def changed(tracked: Configs, primary: Object, flaggers: Mapping[str, Object]) -> tuple[str, ...]:
    """Of what is tracked, that of which the primary's pods read another content; what they read itself, and not a copy, is the same by necessity.

    ``flaggers`` are copies that Flagger made and the primary's pods read: their names do not tell what they hold.
    """
    read = references(primary)
    same = {entry.removesuffix(_FLAGGERS): digest_of(entry, obj) for entry, obj in flaggers.items()}
    return tuple(entry for entry, name in tracked.names.items()
                 if entry not in read and f"{_split(entry)[0]}/{name}" not in read and same.get(entry) != tracked.digests[entry])


def flaggers(digests: Mapping[str, str]) -> dict[str, str]:
    """The same in the shape of Flagger's ``status.trackedConfigs``: "configmap/name"."""
    return {f"{kind.lower()}/{name}": digest for (kind, name), digest in ((_split(entry), digest) for entry, digest in sorted(digests.items()))}


def copies_of(canary: str, tracked: Mapping[str, str]) -> tuple[str, ...]:
    """The copies that a promotion makes for a canary of what ``status.trackedConfigs`` says."""
    kinds = {kind.lower(): kind for kind in KINDS}
    return tuple(f"{kinds[kind]}/{copy_name(canary, name, digest)}" for (kind, name), digest in ((_split(key), digest) for key, digest in tracked.items())
                 if kind in kinds)


def in_words(entries: Iterable[str], most: int = 5) -> str:
    """``ConfigMap app, Secret key and 3 more``."""
    names = [entry.replace("/", " ", 1) for entry in entries]
    rest = len(names) - most
    return excerpt(", ".join(names[:most]), 400) + (f" and {rest} more" if rest > 0 else "")


def _places(pods: Object) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Kind, reference, and the key in it that has the name. Not imagePullSecrets, nor what drivers of volumes read: the kubelet's, not the pods'."""
    for container in (*(pods.get("containers") or ()), *(pods.get("initContainers") or ())):
        for entry in container.get("envFrom") or ():
            yield from _named(entry, "configMapRef", "secretRef")
        for entry in container.get("env") or ():
            yield from _named(entry.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
    for volume in pods.get("volumes") or ():
        yield from _named(volume, "configMap", "secret", "secretName")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _named(source, "configMap", "secret")


def _named(holder: Object, config_map: str, secret: str, of_secret: str = "name") -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for kind, where, key in ((CONFIG_MAP, config_map, "name"), (SECRET, secret, of_secret)):
        reference = holder.get(where) or {}
        if reference.get(key):
            yield kind, reference, key


def _split(entry: str) -> tuple[str, str]:
    kind, unused, name = entry.partition("/")
    return kind, name


def _stem(name: str) -> str:
    return name[:_LONGEST_NAME - len(_SUFFIX) - _IN_NAME].rstrip("-.") + _SUFFIX


def _hash(value: Any) -> str:
    return hashed(value)[:_DIGEST]
