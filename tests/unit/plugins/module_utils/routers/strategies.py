# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every router's properties are tried with: splits, and what a user may have written into a routing object beside them."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import Split
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_LEAVES = st.one_of(st.integers(), st.booleans(), st.text(max_size=5), st.none())
FOREIGN = st.recursive(_LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)), max_leaves=6)
SPLITS = st.integers(min_value=0, max_value=100).map(lambda canary: Split(100 - canary, canary))
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
