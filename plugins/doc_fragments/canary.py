# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which canary a verb is about. The argument spec beside it is ``module_utils/options.py``."""

from __future__ import annotations


class ModuleDocFragment:
    # options.IDENTITY
    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the canary. Its record is the ConfigMap of this name with C(-canary) after it.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the canary. Its target, Services, route and record are all in it.
    type: str
    required: true
"""
