# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.modules import canary_release
from ansible_collections.progressive.delivery.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """Runs the module of the same name, in the controller's process where it can."""

    verb = canary_release.VERB
