# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways that a lab can have, one file each; this is the table of them.

To add one: copy ``traefik.py``, change what differs, and name it here.
"""

from __future__ import annotations

from addons import traefik
from addons.interface import Addon

ADDONS: dict[str, Addon] = {addon.name: addon for addon in (traefik.ADDON,)}
DEFAULT = (traefik.ADDON.name,)
