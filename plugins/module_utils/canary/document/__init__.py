# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a Canary document and the role's variables to ``spec.py``'s dataclasses, or to a refusal that names the field.

entry: the whole document. service, analysis, metrics, webhooks, alerts: one section of it each. options: the role's variables.
fields: typed reading of mappings. formats: what a text has to look like. flagger: names that only Flagger gives a meaning.
"""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.entry import alert_provider_refs, parse, problems, template_refs
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.options import parse_options

__all__ = ("alert_provider_refs", "parse", "parse_options", "problems", "template_refs")
