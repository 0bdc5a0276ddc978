# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""``analysis.sessionAffinity``: the cookies by which users stay with the side that they met first."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity

# As Flagger: a day, also for 0.
MAX_AGE = 86400
_ACCEPTED = "a mapping with cookieName, and if wanted maxAge, primaryCookieName, domain, path, httpOnly, secure, partitioned, sameSite"


def read_affinity(analysis: Fields) -> Affinity | None:
    """None where the document asks for none."""
    said = analysis.mapping("sessionAffinity", _ACCEPTED)
    if not said.unread:
        return None
    same_site = said.choice("sameSite", ("Strict", "Lax", "None"))
    read = Affinity(
        cookie_name=said.text("cookieName", formats.COOKIE_NAME, required=True),
        max_age=said.whole("maxAge", 0, accepted="seconds, a whole number from 1") or MAX_AGE,
        primary_cookie_name=said.text("primaryCookieName", formats.COOKIE_NAME),
        domain=said.text("domain", formats.COOKIE_ATTRIBUTE),
        path=said.text("path", formats.COOKIE_ATTRIBUTE),
        same_site=same_site,
        http_only=said.flag("httpOnly"),
        partitioned=said.flag("partitioned"),
        secure=said.flag("secure"),
    )
    if read.cookie_name and read.cookie_name == read.primary_cookie_name:
        said.refuse("primaryCookieName", f"'{read.primary_cookie_name}' is the canary's cookie too", "accepted: another name, or nothing")
    for name, asked in (("partitioned", read.partitioned), ("sameSite", same_site == "None")):
        if asked and not read.secure:
            said.warn(name, "counts in browsers only beside secure: true; without it they drop the cookie, and nobody stays with the canary")
    said.refuse_rest()
    return read
