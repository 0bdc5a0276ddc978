# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flagger and we, side by side in the lab: ``make conformance`` walks every document; without ``--full`` the quick ones are walked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

import cluster  # noqa: E402
from comparing import Comparison, compare  # noqa: E402
from documents import DOCUMENTS, Document  # noqa: E402
from recorded import Recorded  # noqa: E402

DOCUMENT = "document"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="walk every document, not only the quick ones")
    parser.addoption("--at-once", type=int, default=9, help="documents that are walked at the same time (default: %(default)s)")
    parser.addoption("--recorded", action="store_true", help="compare what an earlier run saw, without a lab")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if DOCUMENT in metafunc.fixturenames:
        metafunc.parametrize(DOCUMENT, [one for one in DOCUMENTS if metafunc.config.getoption("--full") or one.quick], ids=str)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--recorded"):
        return
    if cluster.missing():
        pytest.exit(cluster.missing(), returncode=3)
    if not os.environ.get("FLAGGER"):
        pytest.exit("FLAGGER names no program of Flagger's controller: make conformance builds one in the lab's cache", returncode=3)


@pytest.fixture(scope="session")
def walked(lab: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Document], Comparison]]:
    """Walks all documents of this run, some at the same time since most of it is waiting, and gives the comparison of one.

    It begins when all have been walked: pytest changes the environment with each test, which a walk must not read at the same time.
    """
    kept = Recorded(Path(str(request.config.rootpath)) / ".build" / "conformance")
    chosen = [item.callspec.params[DOCUMENT] for item in request.session.items if DOCUMENT in getattr(getattr(item, "callspec", None), "params", {})]
    folder = tmp_path_factory.mktemp("conformance")
    walk = kept.both if request.config.getoption("--recorded") else lambda document: kept.walk(document, folder / document.name)
    with ThreadPoolExecutor(request.config.getoption("--at-once")) as pool:
        futures: dict[str, Future] = {document.name: pool.submit(walk, document) for document in sorted(chosen, key=lambda one: not one.quick)}
        try:
            _tell_of(futures, request.config)
            yield lambda document: compare(document, *futures[document.name].result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _tell_of(futures: Mapping[str, Future], config: pytest.Config) -> None:
    """Wait for all of them, with a line for each."""
    names, plugins = {future: name for name, future in futures.items()}, config.pluginmanager
    terminal, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    for number, future in enumerate(as_completed(names), 1):
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(f"{number}/{len(names)} {names[future]}{' did not come to an end' if future.exception() else ''}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [value for reports in terminalreporter.stats.values() for report in reports if getattr(report, "when", "") == "call"
            for key, value in report.user_properties if key == "conformance"]
    for name, verdict in rows:
        terminalreporter.write_line(f"{name:<42} {verdict}")
