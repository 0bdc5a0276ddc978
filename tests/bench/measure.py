# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All measurements, from inside the lab's network: started by bench.py."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("e2e", "lab")]

import flagger  # noqa: E402
import idle  # noqa: E402
import instant_prometheus  # noqa: E402
import machine  # noqa: E402
import memory  # noqa: E402
import releasing  # noqa: E402
import starting  # noqa: E402
import steady  # noqa: E402
from figures import Figure, Unmeasured, table  # noqa: E402

FLAGGER = "flagger"
SLOW = ("release", "memory", FLAGGER)


def groups(prometheus: str) -> dict[str, Callable[[], list[Figure]]]:
    return {
        "tick": lambda: steady.in_process(prometheus),
        "modules": lambda: steady.as_modules(prometheus),
        "object": lambda: steady.with_object(prometheus),
        "idle": lambda: idle.figures(prometheus),
        "start": lambda: starting.figures(prometheus),
        "release": releasing.figures,
        "memory": lambda: memory.figures(prometheus),
        FLAGGER: flagger.figures,
    }


def wanted(asked: argparse.Namespace) -> list[str]:
    """The groups that were asked for."""
    return [name for name in groups("") if name in asked.only or not (asked.only or (asked.quick and name in SLOW))]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure every budget of the design in the lab.")
    parser.add_argument("--quick", action="store_true", help=f"leave out what takes minutes: {', '.join(SLOW)}")
    parser.add_argument("--only", action="append", default=[], choices=list(groups("")), help="one group of figures; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--lab", default="", help="name of the lab, where it is not the usual one")
    return parser.parse_args(arguments)


def main() -> int:
    asked = parse()
    every = groups(instant_prometheus.start())
    about = machine.describe()
    print("\n".join(f"{name:<22}{value}" for name, value in about.items()), flush=True)
    found: list[Figure] = []
    failed: list[str] = []
    for name in wanted(asked):
        before = machine.load()
        print(f"measuring: {name} (load {before:.1f})", flush=True)
        try:
            taken = [dataclasses.replace(one, load=(before, machine.load())) for one in every[name]()]
        except (Unmeasured, AssertionError, OSError, KeyError, IndexError) as error:
            failed.append(name)
            print(f"could not be measured: {name}: {error}", file=sys.stderr)
            if not isinstance(error, (Unmeasured, AssertionError)):
                traceback.print_exc()
        else:
            found += taken
            print(table(taken), flush=True)
    print(f"\n{table(found)}", flush=True)
    if asked.json:
        taken = [{**dataclasses.asdict(one), "verdict": one.verdict} for one in found]
        asked.json.write_text(json.dumps({"about": about, "unmeasured": failed, "figures": taken}, indent=2) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
