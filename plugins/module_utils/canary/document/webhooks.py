# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``analysis.webhooks``: gates and hooks."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import HOOK_TYPES, ROLLOUT, Hook

TIMEOUT = 10.0
# Waiting 30 seconds before each, nearly an hour.
MOST_RETRIES = 100


def read_hooks(analysis: Fields) -> tuple[Hook, ...]:
    """The hooks in the document's order. Two of one type may not have one name: people could not tell them apart."""
    hooks: list[Hook] = []
    for index, entry in analysis.mappings("webhooks", "a list of mappings with name, type and url"):
        hook = _hook(index, entry)
        if hook.name and any((hook.type, hook.name) == (other.type, other.name) for other in hooks):
            entry.refuse(
                "name", f"{show(hook.name)} is there twice for the type {hook.type}", "accepted: a name of its own for each webhook of a type")
        hooks.append(hook)
    return tuple(hooks)


def _hook(index: int, entry: Fields) -> Hook:
    hook = Hook(
        index=index,
        type=entry.choice("type", HOOK_TYPES, default=ROLLOUT),
        name=entry.text("name", required=True),
        url=entry.text("url", formats.URL, required=True),
        timeout=entry.seconds("timeout", default=TIMEOUT),
        retries=entry.whole("retries", 0, MOST_RETRIES),
        disable_tls=entry.flag("disableTLS"),
        mute_alert=entry.flag("muteAlert"),
        metadata=entry.text_map("metadata", secret=True),
    )
    if hook.disable_tls:
        entry.warn("disableTLS", f"is true: the certificate of {formats.url_shown(hook.url)} is not verified, so anybody on the way may answer in its place")
    entry.refuse_rest()
    return hook
