# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images made from files, with no registry and no build tool, as one OCI archive that containerd imports.

Images of one program share its layer; they differ in their settings only, so a new version costs a few hundred bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAUSE = "lab.local/pause:3.10"
PODINFO = "lab.local/podinfo"
TESTAPP = "lab.local/testapp"

PODINFO_TAGS = ("A", "B", "C", "D", "E", "F", "6.14.0", "6.14.1", "6.14.2")
TESTAPP_TAGS = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
TESTAPP_FAULTS: dict[str, dict[str, str]] = {
    "bad": {"ERROR_SHARE": "0.2"},
    "slow": {"DELAY": "600ms"},
    "unready": {"READY": "false"},
    "late": {"READY_AFTER": "5s"},
    "abrupt": {"ON_TERM": "exit"},
    "crash": {"CRASH": "true"},
}
"""Versions of the test app with a fault built in, so that changing the image alone releases it."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """One image: a program as entry point, with default environment."""

    name: str
    program: Path
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def of_the_lab(pause: Path, podinfo: Path, testapp: Path) -> list[Image]:
    """All images of the lab from its three programs."""
    images = [Image(PAUSE, pause)]
    images += [Image(f"{PODINFO}:{tag}", podinfo, environment=(("PODINFO_UI_MESSAGE", tag),)) for tag in PODINFO_TAGS]
    images += [_testapp(tag, testapp, {}) for tag in TESTAPP_TAGS]
    images += [_testapp(tag, testapp, settings) for tag, settings in TESTAPP_FAULTS.items()]
    return images


def _testapp(tag: str, program: Path, settings: Mapping[str, str]) -> Image:
    return Image(f"{TESTAPP}:{tag}", program, ("serve",), (("VERSION", tag), *settings.items()))


def write_archive(images: Sequence[Image], archive: Path) -> None:
    """Write an OCI layout of all images as a tar file."""
    blobs: dict[str, bytes] = {}
    layers: dict[Path, tuple[dict[str, Any], str]] = {}
    entries = []
    for image in images:
        if image.program not in layers:
            layers[image.program] = _layer(image.program, blobs)
        layer, contents = layers[image.program]
        config = {
            "architecture": _architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": [f"/bin/{image.program.name}", *image.arguments],
                "Env": ["PATH=/bin", *(f"{name}={value}" for name, value in image.environment)],
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [contents]},
        }
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": _blob(blobs, CONFIG, config), "layers": [layer]}
        entry = _blob(blobs, MANIFEST, manifest)
        entry["platform"] = {"architecture": _architecture(), "os": "linux"}
        entry["annotations"] = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name.rpartition(":")[2]}
        entries.append(entry)
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
        for digest, data in blobs.items():
            _add(tar, f"blobs/sha256/{digest}", data)


def _architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _layer(program: Path, blobs: dict[str, bytes]) -> tuple[dict[str, Any], str]:
    """Descriptor of the layer that holds the program and a /tmp, and the digest of its uncompressed form."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("data", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        _add(tar, f"bin/{program.name}", program.read_bytes(), 0o755)
    plain = raw.getvalue()
    data = gzip.compress(plain, 1, mtime=0)
    return _note(blobs, LAYER, data), "sha256:" + hashlib.sha256(plain).hexdigest()


def _blob(blobs: dict[str, bytes], media_type: str, document: dict[str, Any]) -> dict[str, Any]:
    return _note(blobs, media_type, json.dumps(document).encode())


def _note(blobs: dict[str, bytes], media_type: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    tar.addfile(member, io.BytesIO(data))
