# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Chat: one card, a section for the text and one for each field, with as much HTML as such a paragraph may have."""

from __future__ import annotations

import html
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.alerts.message import Message
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ERROR, INFO, WARN, AlertProvider

# Flagger's grey; what is worse stands out from it (weak spot 52).
COLORS = {INFO: "#848484", WARN: "#FFA500", ERROR: "#FF0000"}


def payload(message: Message, provider: AlertProvider, address: str) -> dict[str, Any]:
    texts = [_strong(message.text, COLORS[message.severity])]
    texts += [f"{_escaped(name)}<br>{_strong(value, COLORS[INFO])}" for name, value in message.fields]
    header = {"title": "Flagger", "subtitle": message.title, "imageUrl": "https://flagger.app/favicon.png"}
    return {"cards": [{"header": header, "sections": [{"widgets": [{"textParagraph": {"text": text}}]} for text in texts]}]}


def _strong(text: str, color: str) -> str:
    return f"<font color={color}><strong>{_escaped(text)}</strong></font>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
