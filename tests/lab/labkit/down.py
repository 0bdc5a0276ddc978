# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a lab away, whatever state it is in, and leave nothing behind."""

from __future__ import annotations

from labkit import cgroups, hostpaths, mounts, network, processes
from labkit.layout import Lab


def down(lab: Lab) -> bool:
    """End the lab; whether there was one.

    What was noted down is killed together, so that nobody restarts anybody. Then everything that is left in the lab's cgroups goes, pods and what a
    crash kept from being noted down. All state is on the lab's tmpfs, so nothing has to be told to tidy up.

    Raises:
        LabError: something does not go away.
    """
    present = lab.root.exists()
    if present:
        processes.stop(processes.noted(lab), 0.0)
    cgroups.kill(lab)
    mounts.unmount_all(lab)
    if present:
        network.delete(lab)
        lab.root.rmdir()
    cgroups.remove(lab)
    hostpaths.give_back()
    return present
