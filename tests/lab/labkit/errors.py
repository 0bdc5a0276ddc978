# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that people see: a sentence, never a traceback."""

from __future__ import annotations


class LabError(Exception):
    """A reason why the lab cannot do what was asked, written for the person who asked."""
