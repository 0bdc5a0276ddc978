# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users who stay with the side that they met first: their browsers keep a cookie while the release goes on, and are told to forget it at its end."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request

import pytest

from harness import Release, wait_for
from routing import CONTOUR, TRAEFIK

AFFINITY = {"cookieName": "stays", "primaryCookieName": "rests", "maxAge": 3600, "path": "/"}

by_cookie = pytest.mark.parametrize("routing", [TRAEFIK, pytest.param(CONTOUR, marks=pytest.mark.wide)], ids=str)


class Browser:
    """One user, who keeps cookies as they are told to."""

    def __init__(self, release: Release) -> None:
        self.request = (f"{release.routing.url}/", {"Host": release.host, "Connection": "close"})
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar))

    def get(self) -> str:
        """The version that answered, be it with an error."""
        url, headers = self.request
        try:
            answer = self.opener.open(urllib.request.Request(url, headers=headers), timeout=5)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return str(json.loads(answer.read())["version"])

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: f"{cookie.name}={cookie.value}" for cookie in self.jar}


def _somebody_who_met(release: Release, old: str) -> Browser | None:
    """A new user's browser, if the first answer is not of the old version."""
    browser = Browser(release)
    return browser if browser.get() != old and "stays" in browser.cookies else None


@by_cookie
def test_who_met_the_canary_stays_with_it_while_weights_move_and_forgets_it_after_the_promotion(release: Release) -> None:
    release.start_app(VERSION="1", ON_TERM="drain")
    release.initialise(maxWeight=60, stepWeight=20, sessionAffinity=AFFINITY)
    users = release.load()
    old = Browser(release).get()
    release.set_template("lab.local/testapp:2", VERSION="2", ON_TERM="drain")
    walk = release.walk()
    browser = wait_for("somebody meets the canary", lambda: _somebody_who_met(release, old))
    cookie = browser.cookies["stays"]
    walk.kill()
    walk = release.walk()
    met: set[str] = set()

    def at_the_top() -> bool:
        met.add(browser.get())
        return release.weight() >= 60

    wait_for("the last weight", at_the_top)
    assert len(met) == 1 and old not in met, "the user was led back to the old version in mid-walk"
    assert release.record()["status"]["sessionAffinityCookie"] == cookie == browser.cookies["stays"], "whoever went on with the walk made the same cookie"
    walk.wait()
    counted = users.stop()
    assert (walk.rc, walk.result["outcome"]) == (0, "promoted"), walk.output[-4000:]
    assert release.lost(counted) == []
    status = release.record()["status"]
    assert (status["sessionAffinityCookie"], status["previousSessionAffinityCookie"]) == ("", cookie)
    wait_for("the cookie is forgotten", lambda: browser.get() in met and "stays" not in browser.cookies)
    fresh = Browser(release)
    assert fresh.get() in met and fresh.cookies == {}
    again = release.walk().wait()
    assert (again.rc, again.result["outcome"], again.recap["changed"]) == (0, "unchanged", 0), again.output[-3000:]


@by_cookie
def test_who_met_a_bad_canary_is_led_back_with_all_others_and_forgets_the_cookie(release: Release) -> None:
    release.start_app(VERSION="1")
    release.initialise(maxWeight=60, stepWeight=20, sessionAffinity=AFFINITY)
    users = release.load()
    old = Browser(release).get()
    release.set_template("lab.local/testapp:2", VERSION="2", ERROR_SHARE="0.2")
    walk = release.walk()
    browser = wait_for("somebody meets the canary", lambda: _somebody_who_met(release, old))
    walk.wait()
    users.stop()
    assert (walk.rc, walk.result["outcome"]) == (2, "rolled_back"), walk.output[-4000:]
    wait_for("the cookie is forgotten", lambda: browser.get() == old and "stays" not in browser.cookies)
    assert release.get("deployment", "podinfo")["spec"]["replicas"] == 0
