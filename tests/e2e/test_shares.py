# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What share of users a weight is worth, counted at the pods: the number on the route, the gateway's word and what users meet are the same."""

from __future__ import annotations

import math
import time

import cluster
from harness import Release, RouteWatch, wait_for
from routing import on_every_gateway

STEPS = [10, 50]
RATE = 250                  # requests a second, which two cores bear beside everything else
SETTLE = 2.0                # seconds until a gateway has taken over a weight for sure
COUNTED = 22.0              # seconds of each step
INTERVAL = "30s"            # longer than both
LEAST = 5000                # requests, below which the bounds are too wide to tell anything
Z = 3.8906                  # of the standard normal distribution: 99.99 % lie between -Z and Z


def _bounds(weight: int, requests: int) -> tuple[float, float]:
    """Between which a share lies in 9,999 of 10,000 cases where each request is sent at random, with the chance that the weight says: the normal
    approximation p ± Z sqrt(p (1 - p) / n) of the binomial distribution. A gateway that deals them out in turn stays nearer to p."""
    chance = weight / 100
    deviation = Z * math.sqrt(chance * (1 - chance) / requests)
    return chance - deviation, chance + deviation


def _reached(release: Release, label: str, begin: float) -> int:
    """How many requests reached the pods with this ``app`` label in the seconds that are counted."""
    first, after = round(begin * 10), round((begin + COUNTED) * 10)
    return sum(count for tally in release.tallies(label) for tenth, count in tally["buckets"] if first <= tenth < after)


def _counted_to(watch: RouteWatch, weight: int) -> float:
    return watch.accepted[weight] + SETTLE + COUNTED


@on_every_gateway
def test_a_step_has_the_share_of_requests_that_its_weight_says(release: Release) -> None:
    cluster.load_generator(["--rate"])      # whose rate is kept, and whose clock is that of the pods
    release.unready_after = 3               # what is measured is the shares, not a machine that is busy for a second
    release.start_app(VERSION="1")
    release.initialise(interval=INTERVAL, metrics=[], stepWeights=STEPS, stepWeight=None, maxWeight=None)
    watch, load = release.watch_route(), release.load(RATE)
    release.set_template("lab.local/testapp:2", VERSION="2")
    release.walk(canary_manual_gates=["confirm-promotion"])
    last = STEPS[-1]
    wait_for("the last step is counted", lambda: last in watch.accepted and time.time() > _counted_to(watch, last) + 0.1, 120)
    counted = load.stop()
    assert watch.canary_weights() == [0, *STEPS]
    seen = {weight: when for when, _primary, weight in watch.seen}
    for weight, following in zip(STEPS, STEPS[1:]):
        assert _counted_to(watch, weight) < seen[following] - 1, f"{weight}% did not last as long as it is counted"
    for weight in STEPS:
        begin = watch.accepted[weight] + SETTLE
        canary, primary = _reached(release, "podinfo", begin), _reached(release, "podinfo-primary", begin)
        low, high = _bounds(weight, canary + primary)
        print(f"{weight}%: {canary} of {canary + primary}, {canary / (canary + primary):.2%}")
        assert canary + primary >= LEAST
        assert low <= canary / (canary + primary) <= high, f"{weight}%: {canary} of {canary + primary} requests, not {low:.2%} to {high:.2%}"
    assert release.lost(counted) == []
    assert counted["sent"] >= 0.95 * RATE * (counted["ended"] - counted["started"])
