# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``spec.analysis``: pace, steps and thresholds."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.canary import steps
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import flagger
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.affinity import read_affinity
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.alerts import read_alerts
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.fields import Fields
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.metrics import Surroundings, read_checks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.service import matches
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.values import show
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document.webhooks import read_hooks
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Affinity, Analysis, Options

_ANY = -10**9
# Flagger's own, where a v1alpha3 document leaves the interval out.
INTERVAL = 60.0

_PERCENT = "a whole number from 1 to 100"
_STEPS = "stepWeight, stepWeights such as [5, 10, 50], or iterations (blue/green, or with match A/B)"
_ACCEPTED = f"a mapping with interval, threshold, and {_STEPS}"


def read_analysis(spec: Fields, around: Surroundings, options: Options) -> Analysis:
    """``spec.analysis``, in v1alpha3 ``spec.canaryAnalysis``."""
    # Under the name that the other apiVersion has for it, it is reported already.
    misnamed = any(spec.is_wrong(name) for name in flagger.ANALYSIS.values())
    analysis = spec.mapping(flagger.ANALYSIS[around.api_version], _ACCEPTED, required=not misnamed)
    old = around.api_version == flagger.V1ALPHA3
    interval = _interval(analysis, old, options)
    threshold = _threshold(analysis, old)
    iterations = analysis.whole("iterations", 0, accepted="a whole number from 1")
    step_weights = _step_weights(analysis, iterations)
    match = matches(analysis, ("headers", "queryParams"))
    if match and not iterations and not analysis.is_wrong("iterations"):
        analysis.refuse("match", "stands without iterations", "in Flagger it is left out in silence then, and all users are in the canary's steps; accepted "
                                                              "beside match (A/B): iterations, such as iterations: 10")
    read = Analysis(
        interval=interval,
        threshold=threshold,
        step_weights=step_weights,
        step_weight=_step_weight(analysis, step_weights, iterations),
        max_weight=_max_weight(analysis, step_weights, iterations),
        iterations=iterations,
        match=match,
        mirror=_mirror(analysis, iterations, bool(match)),
        affinity=_affinity(analysis, iterations),
        step_weight_promotion=analysis.whole("stepWeightPromotion", 0, steps.FULL),
        primary_ready_threshold=analysis.whole("primaryReadyThreshold", 0, 100, default=100),
        canary_ready_threshold=analysis.whole("canaryReadyThreshold", 0, 100, default=100),
        checks=read_checks(analysis, around),
        hooks=read_hooks(analysis),
        alerts=read_alerts(analysis, around.namespace, around.alert_providers),
    )
    _warn_of_overshoot(analysis, read)
    analysis.refuse_rest()
    return read


def _interval(analysis: Fields, old: bool, options: Options) -> float:
    interval = analysis.seconds("interval", default=max(INTERVAL, options.min_interval), required=not old)
    if interval < options.min_interval:
        analysis.warn("interval", f"{interval:g}s is raised to {options.min_interval:g}s, the least that canary_min_interval allows")
    return max(interval, options.min_interval)


def _threshold(analysis: Fields, old: bool) -> int:
    """How many failed checks roll back. 0 counts as 1: in v1alpha3 Flagger rolls back at once, later it counts as 1."""
    threshold = analysis.whole("threshold", _ANY if old else 0, default=1, required=not old, accepted="a whole number from 1")
    if threshold < 1:
        analysis.warn("threshold", f"{threshold} counts as 1: the first failed check rolls back")
    return max(threshold, 1)


def _step_weights(analysis: Fields, iterations: int) -> tuple[int, ...]:
    given = analysis.raw("stepWeights")
    weights = analysis.wholes("stepWeights", 1, steps.FULL)
    if isinstance(given, (list, tuple)) and not given and not iterations and not analysis.has("stepWeight"):
        analysis.refuse("stepWeights", "is empty", f"accepted: {_STEPS}")
    if analysis.is_wrong("stepWeights"):
        return weights
    for place, (before, after) in enumerate(zip(weights, weights[1:]), start=1):
        if after <= before:
            analysis.refuse(f"stepWeights[{place}]", f"{after} does not rise above the {before} before it",
                            "in Flagger the canary would stall in silence; accepted: a rising list such as [5, 10, 50]")
            break
    return weights


def _step_weight(analysis: Fields, step_weights: tuple[int, ...], iterations: int) -> int:
    listed = bool(step_weights) or analysis.is_wrong("stepWeights")
    blue_green = bool(iterations) or analysis.is_wrong("iterations")
    given = analysis.has("stepWeight")
    step = analysis.whole("stepWeight", 0, steps.FULL, accepted=_PERCENT)
    if (step or step_weights) and iterations:
        analysis.refuse("iterations", f"{iterations} stands beside {'stepWeight' if step else 'stepWeights'}",
                        "Flagger takes exactly one of iterations, stepWeight and stepWeights; accepted: one of them")
    if step and step_weights:
        analysis.refuse("stepWeights", "stands beside stepWeight", f"accepted: exactly one of {_STEPS}")
    elif given and not step and not listed and not blue_green and not analysis.is_wrong("stepWeight"):
        analysis.refuse("stepWeight", "0 would never move any traffic",
                        f"in Flagger the canary would stall in silence; accepted: {_PERCENT}")
    elif not given and not listed and not blue_green and analysis.present:
        analysis.refuse("stepWeight", "is missing", f"accepted: {_STEPS}")
    return step


def _max_weight(analysis: Fields, step_weights: tuple[int, ...], iterations: int) -> int:
    if iterations and analysis.has("maxWeight"):
        analysis.warn("maxWeight", "does not count beside iterations: all traffic goes to the canary at once")
    if step_weights and analysis.has("maxWeight"):
        analysis.warn("maxWeight", "does not count beside stepWeights, whose last one is the top")
    return analysis.whole("maxWeight", 1, steps.FULL, default=steps.FULL)


def _mirror(analysis: Fields, iterations: int, a_b: bool) -> int:
    """Percent of the requests to be copied; as in Flagger all of them where no weight is given, or 0."""
    mirrors = analysis.flag("mirror")
    percent = analysis.whole("mirrorWeight", 0, steps.FULL)
    if mirrors and a_b and iterations:
        analysis.refuse("mirror", "stands beside match", "in Flagger it means nothing in A/B, where those who match meet the canary at once; accepted: false")
        return 0
    if percent and not mirrors:
        analysis.warn("mirrorWeight", "does not count without mirror: true: no requests are copied")
    return (percent or steps.FULL) if mirrors else 0


def _affinity(analysis: Fields, iterations: int) -> Affinity | None:
    affinity = read_affinity(analysis)
    if affinity is not None and iterations:
        analysis.refuse("sessionAffinity", "stands beside iterations",
                        "by them all users, or all who match, are on one side at a time, and there is nothing to stay with; accepted: stepWeight, stepWeights, "
                        "or no sessionAffinity")
    return affinity


def _warn_of_overshoot(analysis: Fields, read: Analysis) -> None:
    if read.iterations or read.step_weights or not read.step_weight:
        return
    weights = steps.sequence(read)
    if weights and weights[-1] > read.max_weight:
        shown = ", ".join(show(weight) for weight in weights)
        analysis.warn(
            "maxWeight", f"{read.max_weight} is passed by steps of {read.step_weight}: the weights are {shown}, then the promotion")
