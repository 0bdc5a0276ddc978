# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be made for a demo and what for tests."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labkit import cache, images
from labkit.cache import Recipe, Workshop
from labkit.layout import SOURCE
from labkit.progress import Report
from labkit.versions import FLAGGER, GATEWAY_API, HEY, KEDA, KUBERNETES, METRICS_SERVER, PODINFO

DEMO = "demo"
TESTS = "tests"
PURPOSES = (DEMO, TESTS)

MAJOR, MINOR, _PATCH = KUBERNETES.split(".")
SAYS = {"gitVersion": f"v{KUBERNETES}", "gitMajor": MAJOR, "gitMinor": MINOR, "gitTreeState": "clean"}
VERSION_FLAGS = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in SAYS.items())
PODINFO_MODULE = "github.com/stefanprodan/podinfo"
FLAGGER_MODULE = "github.com/fluxcd/flagger"
KEDA_MODULE = "github.com/kedacore/keda/v2"
METRICS_SERVER_MODULE = "sigs.k8s.io/metrics-server"
GATEWAY_API_MODULE = "sigs.k8s.io/gateway-api"
UPGRADE_GUARD = "gateway.networking.k8s.io_vap_safeupgrades.yaml"
"""An admission policy, no CRD; it would only forbid changing the channel."""


def _files(folder: str, *patterns: str) -> tuple[Path, ...]:
    """Sources of a Go program, its tests apart."""
    return tuple(path for pattern in patterns for path in (SOURCE / folder).rglob(pattern) if not path.name.endswith("_test.go"))


def _kube(workshop: Workshop, folder: Path) -> None:
    workshop.go_build(".", folder / "kube", SOURCE / "kube", VERSION_FLAGS)


def _testapp(workshop: Workshop, folder: Path) -> None:
    workshop.go_build(".", folder / "testapp", SOURCE / "app")
    workshop.go_build("./pause", folder / "pause", SOURCE / "app")


def _podinfo(workshop: Workshop, folder: Path) -> None:
    for program in ("podinfo", "podcli"):
        workshop.go_install(f"{PODINFO_MODULE}/cmd/{program}", PODINFO, folder)


def _images(workshop: Workshop, folder: Path) -> None:
    made = workshop.made
    programs = images.of_the_lab(made["testapp"] / "pause", made["podinfo"] / "podinfo", made["testapp"] / "testapp")
    images.write_archive(programs, folder / "images.tar")


def _gateway_api(workshop: Workshop, folder: Path) -> None:
    source = workshop.go_module_files(GATEWAY_API_MODULE, GATEWAY_API) / "config" / "crd" / "experimental"
    for path in sorted(source.glob("gateway.networking.k8s.io_*.yaml")):
        if path.name == UPGRADE_GUARD:
            continue
        shutil.copyfile(path, folder / path.name)


def _hey(workshop: Workshop, folder: Path) -> None:
    workshop.go_install("github.com/rakyll/hey", HEY, folder)


def _flagger(workshop: Workshop, folder: Path) -> None:
    source = workshop.go_module_files(FLAGGER_MODULE, FLAGGER)
    shutil.copyfile(source / "artifacts" / "flagger" / "crd.yaml", folder / "crd.yaml")
    # What its docs, charts and tests hold of documents, for tests that parse them all.
    for path in source.rglob("*"):
        if path.suffix in (".md", ".sh", ".yaml") and "kind: " in (text := path.read_text(encoding="utf-8", errors="replace")):
            kept = folder / "documents" / path.relative_to(source)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, encoding="utf-8")


def _flagger_program(workshop: Workshop, folder: Path) -> None:
    workshop.go_install(f"{FLAGGER_MODULE}/cmd/flagger", FLAGGER, folder)


def _loadtester(workshop: Workshop, folder: Path) -> None:
    workshop.go_install(f"{FLAGGER_MODULE}/cmd/loadtester", FLAGGER, folder)


def _keda(workshop: Workshop, folder: Path) -> None:
    """Of ScaledObjects alone: nothing else of KEDA's is ever asked for."""
    name = "keda.sh_scaledobjects.yaml"
    shutil.copyfile(workshop.go_module_files(KEDA_MODULE, KEDA) / "config" / "crd" / "bases" / name, folder / name)


def _metrics_server(workshop: Workshop, folder: Path) -> None:
    workshop.go_install(f"{METRICS_SERVER_MODULE}/cmd/metrics-server", METRICS_SERVER, folder)


KUBE = Recipe("kube", _kube, (VERSION_FLAGS,), _files("kube", "*.go", "go.mod", "go.sum"), gibibytes=3)
TESTAPP = Recipe("testapp", _testapp, (), _files("app", "*.go", "go.mod", "go.sum"))
PODINFO_PROGRAMS = Recipe("podinfo", _podinfo, (PODINFO,))
IMAGES = Recipe("images", _images, (PODINFO,), (SOURCE / "labkit" / "images.py", *TESTAPP.sources))
GATEWAY_CRDS = Recipe("gateway-api", _gateway_api, (GATEWAY_API,), uses_go=False)
HEY_PROGRAM = Recipe("hey", _hey, (HEY,))
FLAGGER_CRDS = Recipe("flagger-crds", _flagger, (FLAGGER,), uses_go=False)
FLAGGER_PROGRAM = Recipe("flagger", _flagger_program, (FLAGGER,))
"""For no lab: benchmarks run it beside us."""
LOADTESTER = Recipe("loadtester", _loadtester, (FLAGGER,))
KEDA_CRD = Recipe("keda-crd", _keda, (KEDA,), uses_go=False)
METRICS = Recipe("metrics-server", _metrics_server, (METRICS_SERVER,), gibibytes=1)

FOR_DEMO = (KUBE, TESTAPP, PODINFO_PROGRAMS, IMAGES)
FOR_TESTS = (*FOR_DEMO, HEY_PROGRAM, FLAGGER_CRDS, KEDA_CRD, LOADTESTER, METRICS)


def wanted(purpose: str) -> tuple[Recipe, ...]:
    """The recipes of a purpose, in the order of making, gateways apart."""
    return FOR_TESTS if purpose == TESTS else FOR_DEMO


def make_all(recipes: tuple[Recipe, ...], workshop: Workshop, report: Report, quiet: bool) -> dict[str, Path]:
    """Make what is missing; recipe name -> folder. ``quiet`` says nothing of the steps, for when all is there.

    The first one, by far the longest, is made beside all others: while one downloads, the other compiles.

    Raises:
        LabError: one of them failed; the other is not waited for.
    """
    def make(number: int, bench: Workshop) -> None:
        recipe = recipes[number - 1]
        if quiet:
            workshop.made[recipe.name], _fresh = cache.obtain(recipe, bench)
            return
        with report.step(number, len(recipes), recipe.name) as made_now:
            workshop.made[recipe.name], fresh = cache.obtain(recipe, bench)
            made_now(fresh)

    beside = workshop.beside()
    with ThreadPoolExecutor(1) as pool:
        longest = pool.submit(make, 1, beside)
        try:
            for number in range(2, len(recipes) + 1):
                if longest.done():
                    longest.result()
                make(number, workshop)
        except BaseException:
            beside.stop()
            raise
        longest.result()
    return dict(workshop.made)
