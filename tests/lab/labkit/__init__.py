# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab is made of, one subject a file.

Before there is a lab: errors, versions, layout, preflight, progress, debian, pypi, gotool, cache, recipes, images.
A lab's ground: locks, state, processes, cgroups, mounts, hostpaths, network, pki.
What runs on it: kubeapi, controlplane, node, prometheus, loadtester, and the gateways of ``addons``.
The verbs that people type: cli, up, down, status, environment.
Faults for tests: faults, faultserver, faultcontrol.
"""
