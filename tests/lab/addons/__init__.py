# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways that a lab can have, one file each; this is the table of them.

To add one: copy ``traefik.py``, change what differs, and name it here.
"""

from __future__ import annotations

from addons import contour, traefik
from addons.interface import Addon
from labkit import recipes

ADDONS: dict[str, Addon] = {addon.name: addon for addon in (traefik.ADDON, contour.ADDON)}
DEFAULT = {recipes.DEMO: (traefik.ADDON.name,), recipes.TESTS: (traefik.ADDON.name, contour.ADDON.name)}
"""Purpose -> what a lab for it has when nobody says which; the first is the one that GATEWAY_URL leads to."""
