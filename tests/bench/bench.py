# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every budget of the design, measured in the lab: `make bench`, or `make bench ARGS='--quick --json FILE'`.

The lab is started when it is not up, and stopped again then. A value over its budget is reported, and is no failure; a value that could not
be measured is one.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "toolchain"), str(HERE.parent / "e2e"), str(HERE.parent / "lab")]

import flagger_program  # noqa: E402
import prepare  # noqa: E402
from background_lab import Lab, LabError  # noqa: E402
from measure import FLAGGER, parse, wanted  # noqa: E402


def main() -> int:
    asked = parse()
    log = prepare.BUILD / "logs" / "bench-lab.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Lab(asked.lab, log) as lab:
        try:
            exports = lab.environment()
        except LabError as error:
            print(error, file=sys.stderr)
            return 1
        command = [*shlex.split(exports["LAB_EXEC"]), sys.executable, str(HERE / "measure.py"), *sys.argv[1:]]
        if FLAGGER in wanted(asked):
            exports["FLAGGER"] = str(flagger_program.path())
        return subprocess.run(command, env={**os.environ, **exports}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
