# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks that are killed, cut off, held up and doubled, in the lab: ``make chaos`` tries everything, ``make test`` a part of it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

import cluster  # noqa: E402
from stand import SLICES, Stand  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="try every point, not a few that are evenly spread")


@pytest.fixture(scope="session", autouse=True)
def lab() -> None:
    if cluster.missing():
        pytest.exit(cluster.missing(), returncode=3)


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Stand]]:
    """Makes stands for experiments, and clears them away."""
    made: list[Stand] = []

    def make(label: str) -> Stand:
        made.append(Stand(label, tmp_path / f"{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``tried(what)``, ``tried(what, number)``: counts what the test tries; the sums are printed at the end."""
    def count(what: str, number: int = 1) -> None:
        request.node.user_properties.append(("tried", (what, number)))
    return count


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(SLICES if metafunc.config.getoption("--full") else 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest of all goes first, so that nobody waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")


class AtOnce:
    """What failed is told when it did: the whole takes longer than anybody waits to hear it."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.write_line(f"\n{report.nodeid}\n{report.longreprtext[-4000:]}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and config.getoption("--full"):
        config.pluginmanager.register(AtOnce(terminal))


@pytest.fixture
def chosen(request: pytest.FixtureRequest) -> Callable[[int, int, int], list[int]]:
    """``chosen(there are, slice, at most)``: points from 1 on; with --full all those of the slice, else some that are evenly spread over all."""
    def choose(there_are: int, part: int, at_most: int) -> list[int]:
        if request.config.getoption("--full"):
            return [point for point in range(1, there_are + 1) if point % SLICES == part]
        return sorted({1 + index * there_are // at_most for index in range(at_most)})
    return choose


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    sums: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for _key, (what, number) in (one for one in report.user_properties if one[0] == "tried"):
                    sums[what] += number
    for what, count in sorted(sums.items()):
        terminalreporter.write_line(f"tried: {count} {what}")
