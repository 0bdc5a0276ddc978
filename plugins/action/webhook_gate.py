# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the verb in the controller's process where that is the same as its module."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.modules.webhook_gate import VERB
from ansible_collections.progressive.delivery.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    verb = VERB
