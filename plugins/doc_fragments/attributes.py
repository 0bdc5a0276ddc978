# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every verb says of itself. A module states an attribute again where it differs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and says what would happen without changing anything.
    support: full
  diff_mode:
    description: Shows in diff mode what it changed, or would change.
    support: none
  async:
    description: Can be run with the C(async) keyword. It then runs as an ordinary module.
    support: full
notes:
  - With a local connection, without C(become) and C(async), and with the Python that runs the playbook, the task runs inside the process
    of the playbook, which takes a few milliseconds. Otherwise it runs as an ordinary module, which takes longer and gives the same result.
    With C(-vvv) the task says which way it ran, and why.
"""

    # For the verbs that take the options of kubernetes.core, which say which cluster is meant.
    CLUSTER = r"""
options: {}
attributes:
  action_group:
    description: >-
      Takes the defaults that C(module_defaults) sets for C(group/progressive.delivery.canary), which the modules of
      C(kubernetes.core.k8s) take too.
    support: full
    membership:
      - progressive.delivery.canary
requirements:
  - python >= 3.11
  - kubernetes >= 31
"""
