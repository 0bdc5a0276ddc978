# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we do otherwise than Flagger, on purpose, each with its reason: docs/flagger-differences.md has them in words for users.

An entry about objects recognises a value that differs; one about a sequence says what becomes of Flagger's. Whatever is not explained by an entry is wrong,
and so is an entry that explains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from answers import nth
from documents import Document

Rewrite = Callable[[list[Any], Document], list[Any]]


@dataclass(frozen=True)
class Leaf:
    """One value of one object: "ended Deployment/podinfo-primary spec.replicas"; None where a side does not have it."""

    path: str
    theirs: Any
    ours: Any

    @property
    def only_theirs(self) -> bool:
        return self.ours is None

    @property
    def only_ours(self) -> bool:
        return self.theirs is None


@dataclass(frozen=True)
class Difference:
    """One thing that differs on purpose.

    Attributes:
        weak_spots: of the list of those of Flagger, where it is one.
        everywhere: in every document that can show it; else in those that name it.
        leaf: whether it explains this value.
        objects: what becomes of Flagger's values, by path, where recognising one is not enough.
        ours: what of our values, by path, is Flagger's under another name.
        sequences: by the name of a sequence of a trace, what Flagger's becomes.
    """

    name: str
    why: str
    weak_spots: tuple[int, ...] = ()
    everywhere: bool = False
    leaf: Callable[[Leaf, Document], bool] | None = None
    objects: Callable[[dict[str, Any], Document], dict[str, Any]] | None = None
    ours: Callable[[dict[str, Any], Document], dict[str, Any]] | None = None
    sequences: Mapping[str, Rewrite] = field(default_factory=dict)


# -- ways to say what becomes of a sequence --

def without(*patterns: str) -> Rewrite:
    """Flagger's lines whose last text fits one of the patterns are not said here."""
    return lambda lines, document: [line for line in lines if not _fits(line, patterns)]


def phase_of(phases: Mapping[str, str]) -> Rewrite:
    """Events are told with another phase; by patterns of the message."""
    def rewrite(lines: list[Any], document: Document) -> list[Any]:
        return [next(((phase, *line[1:]) for pattern, phase in phases.items() if re.match(pattern, line[-1])), line) for line in lines]
    return rewrite


def _fits(line: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(re.match(pattern, line[-1]) for pattern in patterns)


def replaced(pattern: str, text: str) -> Rewrite:
    """Some words of the last text of a line are others."""
    return lambda lines, document: [(*line[:-1], re.sub(pattern, text, line[-1])) for line in lines]


def _all_of(*rewrites: Rewrite) -> Rewrite:
    def rewrite(lines: list[Any], document: Document) -> list[Any]:
        for one in rewrites:
            lines = one(lines, document)
        return lines
    return rewrite


# -- what becomes of Flagger's sequences of (phase, weight, iterations, failed checks) --

def _waiting_keeps_its_numbers(lines: list[Any], document: Document) -> list[Any]:
    """Who waits for the promotion's approval has the weight and the iterations that the route and the analysis have."""
    found: list[Any] = []
    for line in lines:
        if line[0] == "WaitingPromotion" or line[0] == "Promoting" and line[2] < 0:
            line = (line[0], *found[-1][1:3], line[3])
        found.append(line)
    return found


def _weight_goes_before_the_phase(lines: list[Any], document: Document) -> list[Any]:
    """At 0 before Finalising and Failed, and before the iterations of another revision."""
    found: list[Any] = []
    for line in lines:
        if found and found[-1][1] > 0 and (line[0] in ("Finalising", "Failed") or line[2] < found[-1][2]):
            found.append((found[-1][0], 0, *found[-1][2:]))
        found.append(line)
    return found


def _iterations_have_the_weight_of_the_route(lines: list[Any], document: Document) -> list[Any]:
    """With a match all that match are on the canary from the first iteration on, without one all users are after the last."""
    from_iteration = 1 if document.changes.get("match") else document.changes["iterations"] + 1
    analysing = ("Progressing", "WaitingPromotion", "Promoting")
    return [(line[0], 100, *line[2:]) if line[2] >= from_iteration and line[0] in analysing else line for line in lines]


def _no_iteration_beyond_the_last(lines: list[Any], document: Document) -> list[Any]:
    """Without a route nothing happens in the iteration after the last one."""
    last = document.changes["iterations"]
    kept = [line for line in lines if not (line[0] == "Progressing" and line[2] > last)]
    return [(line[0], line[1], min(line[2], last), line[3]) for line in kept]


def _back_in_the_tick_that_reaches_the_threshold(lines: list[Any], document: Document) -> list[Any]:
    """The last failed check takes the weight away, not the tick after it."""
    found = list(lines)
    for before, line in zip(range(len(lines)), lines[1:]):
        if line[0] == "Failed" and lines[before][0] in ("Progressing", "WaitingPromotion") and lines[before][3] > 0:
            found[before] = (lines[before][0], 0, *lines[before][2:])
    return found


def _failed_keeps_its_count(lines: list[Any], document: Document) -> list[Any]:
    found: list[Any] = []
    for line in lines:
        found.append((*line[:3], found[-1][3]) if line[0] == "Failed" and found else line)
    return found


def _promoting_and_finalising(lines: list[Any], document: Document) -> list[Any]:
    """Between Progressing and Succeeded."""
    found: list[Any] = []
    for line in lines:
        if line[0] == "Succeeded" and found and found[-1][0] == "Progressing":
            found += [("Promoting", 0, 0, 0), ("Finalising", 0, 0, 0)]
        found.append(line)
    return found


def _promoted_with_weight(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[0] == "Promoting")
    return [*lines[:at], ("Promoting", *lines[at - 1][1:]), *lines[at:]]


def _routed_after_copying(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[-1].startswith("Copying ")) + 1
    return [*lines[:at], ("Promoting", "Normal", "Routing all traffic to primary"), *lines[at:]]


_SKIPPED_CONDITIONS = [("Unknown", "Promoting", "Canary analysis completed, starting primary rolling update."),
                       ("Unknown", "Finalising", "Canary analysis completed, routing all traffic to primary.")]


def _conditions_of_promoting_and_finalising(lines: list[Any], document: Document) -> list[Any]:
    return [one for line in lines for one in ([*_SKIPPED_CONDITIONS, line] if line[1] == "Succeeded" else [line])]


# -- calls of webhooks --

def _phase_that_is(lines: list[Any], document: Document) -> list[Any]:
    """While the promotion is waited for, hooks are told so."""
    found, asked, waiting = [], 0, False
    for line in lines:
        found.append((line[0], "WaitingPromotion", *line[2:]) if waiting and line[1] == "Progressing" else line)
        if line[0] == "confirm-promotion":
            waiting, asked = nth(document.hooks[line[0]], asked) > 202, asked + 1
    return found


def _once_and_beside_the_increase(lines: list[Any], document: Document) -> list[Any]:
    """The gates before users meet the revision; Flagger asks one of them twice, with an analysis in between."""
    first, second = [at for at, line in enumerate(lines) if line[0] == "confirm-promotion"][:2]
    return [*lines[:first], ("confirm-traffic-increase", *lines[first][1:]), lines[first], *lines[second + 1:]]


def _told_once_and_beside_the_increase(lines: list[Any], document: Document) -> list[Any]:
    first, second = [at for at, line in enumerate(lines) if line[-1].startswith("Confirm-promotion ")][:2]
    increase = (*lines[first][:-1], lines[first][-1].replace("onfirm-promotion", "onfirm-traffic-increase"))
    return [*lines[:first + 1], increase, *lines[first + 1:second], *lines[second + 1:]]


def _each_once(lines: list[Any], document: Document) -> list[Any]:
    """What is said again is not."""
    return [line for before, line in zip([None, *lines], lines) if line != before]


def _twice(beginning: str) -> Rewrite:
    """What is said once, is said of the next revision too."""
    return lambda lines, document: [line for line in lines for again in ((1, 2) if _text(line).startswith(beginning) else (1,))]


def _text(line: tuple[Any, ...]) -> str:
    """Of an event or an alert."""
    return str(next(part for part in reversed(line) if isinstance(part, str)))


def _no_iteration_while_waiting(lines: list[Any], document: Document) -> list[Any]:
    return [line for line in lines if not (line[0] == "WaitingPromotion" and line[-1].startswith("Advance "))]


def _gate_before_those_who_match(lines: list[Any], document: Document) -> list[Any]:
    """After the pre-rollout hooks."""
    at = next(at for at, line in enumerate(lines) if line[0] == "pre-rollout")
    return [*lines[:at + 1], ("confirm-traffic-increase", *lines[at][1:]), *lines[at + 1:]]


def _gate_told_before_those_who_match(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[-1].startswith("Pre-rollout check "))
    return [*lines[:at + 1], (*lines[at][:-1], "Confirm-traffic-increase check confirm-traffic-increase passed"), *lines[at + 1:]]


def _as_if_nothing_had_failed(lines: list[Any], document: Document) -> list[Any]:
    found: list[Any] = []
    for line in lines:
        passed = (*line[:3], 0)
        found += [] if found and found[-1] == passed else [passed]
    return found


# -- events and alerts --

def _gate_of_the_promotion(lines: list[Any], document: Document) -> list[Any]:
    """What lets a promotion through is told with it."""
    following = [*lines[1:], ("", "", "")]
    return [("Promoting", *line[1:]) if line[-1].startswith("Confirm-traffic-increase ") and after[-1].startswith(("Confirm-promotion ", "Copying ")) else line
            for line, after in zip(lines, following)]


def _failed_behind_a_failure(lines: list[Any], document: Document) -> list[Any]:
    """What is called once a release has failed is told so."""
    at = next((at for at, line in enumerate(lines) if line[-1].startswith("Canary failed!")), len(lines))
    return [("Failed", *line[1:]) if number > at and line[-1].startswith("Post-rollout ") else line for number, line in enumerate(lines)]


def _starting_when_it_starts(lines: list[Any], document: Document) -> list[Any]:
    """Not before a pre-rollout hook that keeps it from starting."""
    return [line for line, after in zip(lines, [*lines[1:], ("", "", "")]) if not (line[-1].startswith("Starting ") and " pre-rollout check " in after[-1])]


def _warnings_have_a_colour(lines: list[Any], document: Document) -> list[Any]:
    return [("warning", *line[1:]) if line[1].endswith("waiting for approval.") or line[1].startswith("Rolling back manual") else line for line in lines]


def _told_before_the_hooks_after_it(lines: list[Any], document: Document) -> list[Any]:
    """The end of a release is told when it is decided; hooks are called after it."""
    found: list[Any] = []
    for line in lines:
        at = len(found)
        while line[-1].startswith("Promotion completed!") and at and found[at - 1][-1].startswith("Post-rollout "):
            at -= 1
        found.insert(at, line)
    return found


def _with_all_fields(lines: list[Any], document: Document) -> list[Any]:
    """The fields that Flagger gives to its first alert are those of all."""
    fields = next((line[2] for line in lines if line[2]), ())
    return [(*line[:2], fields) for line in lines]


def _most_that_is_meant(lines: list[Any], document: Document) -> list[Any]:
    return [(*line[:2], tuple((title, re.sub(r"max: 0$", "max: 100", value)) for title, value in line[2])) for line in lines]


def _trimmed(lines: list[Any], document: Document) -> list[Any]:
    def shorter(found: re.Match[str]) -> str:
        return f" {found[1].rstrip('0').rstrip('.')} {found[2]} "
    return [(*line[:-1], re.sub(r" (\d+\.\d+) ([<>]) ", shorter, line[-1])) for line in lines]


def _reason_of_the_rollback(lines: list[Any], document: Document) -> list[Any]:
    """What failed last stands behind the threshold that it reached."""
    found: list[Any] = []
    for line in lines:
        if re.match(r"Rolling back \S+ failed checks threshold", line[-1]):
            halts = [one[-1].partition(" advancement ")[2] for one in found if one[-1].startswith("Halt ") and " advancement " in one[-1]]
            line = (*line[:-1], f"{line[-1]}: {halts[-1]}") if halts else line
        found.append(line)
    return found


WAITS = "waiting for rollout to finish: 0 of 1 (readyThreshold 100%) updated replicas are available"


def _deadline_before_it_fails(lines: list[Any], document: Document) -> list[Any]:
    why = f"Rolling back podinfo.NAMESPACE podinfo did not become ready within its progress deadline: {WAITS}"
    return [one for line in lines for one in ([("Progressing", "Warning", why), line] if line[-1].startswith("Canary failed!") else [line])]


def _deadline_last(lines: list[Any], document: Document) -> list[Any]:
    return [*lines, ("danger", f"Progress deadline exceeded {WAITS}", lines[-1][2])]


# -- a target that is set back at 25 % --

SET_BACK = "the target was set back to the promoted revision"


def _ends_at_once(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[1] == 25)
    return [*lines[:at + 1], ("Progressing", 0, 0, 0), lines[-1]]


def _nothing_is_promoted(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[-1].endswith("canary weight 25"))
    return [*lines[:at + 1], ("Progressing", "Warning", f"Rolling back podinfo.NAMESPACE {SET_BACK}"),
            ("Succeeded", "Normal", f"Analysis ended for podinfo.NAMESPACE: {SET_BACK}")]


# -- a weighted canary that is mirrored first: Flagger asks for copies for ever, of a router that makes none --

GOES_ON = (("Progressing", 25, 0, 0), ("Progressing", 50, 0, 0), ("Promoting", 50, 0, 0), ("Promoting", 0, 0, 0), ("Finalising", 0, 0, 0),
           ("Succeeded", 0, 0, 0))
TELLS = (("Progressing", "Advance podinfo.NAMESPACE canary mirror 100"), ("Progressing", "Advance podinfo.NAMESPACE canary weight 25"),
         ("Progressing", "Advance podinfo.NAMESPACE canary weight 50"), ("Promoting", "Copying podinfo.NAMESPACE template spec to podinfo-primary.NAMESPACE"),
         ("Promoting", "Routing all traffic to primary"), ("Succeeded", "Promotion completed! Scaling down podinfo.NAMESPACE"))
FINISHED = "Canary analysis completed successfully, promotion finished."


def _told_of_going_on(lines: list[Any], document: Document) -> list[Any]:
    at = next(at for at, line in enumerate(lines) if line[-1].endswith("canary weight 0"))
    return [*lines[:at], *((phase, "Normal", text) for phase, text in TELLS)]


def _but_for_the_end(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """One side has none."""
    return {path: value for path, value in values.items() if not path.startswith("ended ")}


# -- objects --

def _ab_of_contour(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """The header is a condition of its own beside the prefix, and the route for all others leads to the primary alone."""
    proxy = r"\w+ HTTPProxy/podinfo spec\.routes"
    return {re.sub(rf"^({proxy}\[0\]\.conditions)\[0\]\.header", r"\1[1].header", path): value for path, value in values.items()
            if not re.match(rf"{proxy}\[1\]\.services\[1\]", path)}


COPY = re.compile(r"(?:(?P<when>\w+) (?P<kind>ConfigMap|Secret)/)?(?P<name>\S+-primary)-[0-9a-f]{8,}(?P<rest> .*)?")


def _copies_under_flaggers_names(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """Those that the primary reads; one that only former pods of it read has no like there."""
    read = {(path.split(" ")[0], value) for path, value in values.items() if " Deployment/podinfo-primary spec.template." in path and isinstance(value, str)}
    found: dict[str, Any] = {}
    for path, value in values.items():
        copy = COPY.fullmatch(path)
        if copy and (copy["when"], path.split(" ")[1].partition("/")[2]) in read:
            found[f"{copy['when']} {copy['kind']}/{copy['name']}{copy['rest']}"] = _plain(value) if path.endswith(" metadata.name") else value
        elif not copy:
            found[path] = _plain(value) if (path.split(" ")[0], value) in read else value
    return found


def _plain(value: Any) -> Any:
    copy = COPY.fullmatch(value) if isinstance(value, str) else None
    return copy["name"] if copy else value


# -- cookies: random there, made out of the analysis' name here --

STAYS = re.compile(r"\bstays=[A-Za-z]{10}")
ROUTE = "ended HTTPRoute/podinfo spec.rules"


def _one_cookie(values: dict[str, Any], document: Document) -> dict[str, Any]:
    return {path: STAYS.sub("stays=COOKIE", value) if path.startswith(ROUTE) and isinstance(value, str) else value for path, value in values.items()}


def _forgotten_as_here(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """Who still shows the cookie meets a rule behind the one for everybody, which leads to the primary alone; it takes the cookie back by all that it was
    set with, and fits no other one."""
    moved: dict[str, Any] = {}
    for path, value in values.items():
        if path.startswith(ROUTE):
            first = path.startswith(f"{ROUTE}[0]")
            if first and ".backendRefs[1]" in path:
                continue
            path = f"{ROUTE}[{1 if first else 0}]" + path.removeprefix(f"{ROUTE}[{0 if first else 1}]").replace(".filters[0]", ".backendRefs[0].filters[0]")
            if isinstance(value, str):
                value = re.sub(r"\.\*stays\.\*[A-Za-z]{10}\.\*", "^(.*; ?)?stays=COOKIE(;.*)?$", value)
                value = re.sub(r"stays=[A-Za-z]{10}; Max-Age=-1", "stays=COOKIE; Max-Age=-1" + _attributes(document), value)
        moved[path] = value
    return moved


def _attributes(document: Document) -> str:
    affinity = document.changes["sessionAffinity"]
    return (f"; Domain={affinity['domain']}" if "domain" in affinity else "") + ("; Secure" if affinity.get("secure") else "")


PROVIDERS_ANSWER = "all the metrics providers are available!"
BY_NAME = {"success rate": "request-success-rate", "request duration": "request-duration"}

TABLE: tuple[Difference, ...] = (
    Difference(
        "no-owner", "nothing that serves users is deleted with the Canary (SAFETY 7)", (36,), everywhere=True,
        leaf=lambda leaf, document: leaf.only_theirs and ".ownerReferences" in f".{leaf.path.split(' ')[2]}"),
    Difference(
        "marks", "what is ours, whose it is, and the fence against late writes (SAFETY 1, 8)", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and " metadata.annotations.progressive.delivery/" in leaf.path
        or leaf.only_ours and " metadata.labels.progressive.delivery/canary" in leaf.path),
    Difference(
        "record", "the state is a ConfigMap, since nobody has to have Flagger's CRDs", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and " ConfigMap/podinfo-canary " in leaf.path),
    Difference(
        "no-flagger-id", "promoting twice changes nothing (SAFETY 17)", everywhere=True,
        leaf=lambda leaf, document: leaf.only_theirs and leaf.path.endswith("/podinfo-primary spec.template.metadata.annotations.flagger-id")),
    Difference(
        "waiting-keeps-its-numbers", "the weight in .status is the route's, and an iteration is not taken back", (14,),
        sequences={"statuses": _waiting_keeps_its_numbers}),
    Difference(
        "hooks-are-told-the-phase", "a hook that is asked while the promotion waits is told so", sequences={"calls": _phase_that_is}),
    Difference(
        "gates-say-what-they-answered", "who reads that a gate is closed need not look for its answer", everywhere=True,
        sequences={"events": replaced(r" approval (\S+)$", r" approval \1 \1 answered 403")}),
    Difference(
        "warnings-have-a-colour", "a warning is told from an information", (52,), everywhere=True, sequences={"alerts": _warnings_have_a_colour}),
    Difference(
        "zero-is-written", "a route says 0 in words, which Go leaves out", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and leaf.ours == 0 and leaf.path.endswith("services[1].weight")),
    Difference(
        "status-weight-is-the-routes", "the weight in .status is that of the route, with iterations too",
        sequences={"statuses": _iterations_have_the_weight_of_the_route}),
    Difference(
        "providers-are-asked-before-a-walk", "who does not answer keeps a walk from beginning, instead of a line while initialising", (46,), everywhere=True,
        sequences={"events": without(PROVIDERS_ANSWER)}),
    Difference(
        "told-when-done", "an Event and an alert tell of what has been seen done, so the phase may be the next one already", everywhere=True,
        sequences={"events": _all_of(_gate_of_the_promotion, _failed_behind_a_failure, phase_of({
            "Copying": "Promoting", "Confirm-rollout": "Progressing", "Confirm-promotion": "Promoting",
            r"Halt \S+ advancement waiting for promotion": "WaitingPromotion", r"Halt \S+ advancement waiting for approval": "Waiting"}))}),
    Difference(
        "told-before-hooks-after-it", "the end is told when it is decided, and post-rollout hooks cannot delay it", (49, 51), everywhere=True,
        sequences={"events": _told_before_the_hooks_after_it}),
    Difference(
        "checks-by-their-names", "a check is called what the document calls it", everywhere=True,
        sequences={"events": _all_of(*(replaced(f"advancement {theirs} ", f"advancement {ours} ") for theirs, ours in BY_NAME.items()))}),
    Difference(
        "what-cannot-be-told", "no data and a query error begin with the word by which an option says what becomes of them", (39,),
        sequences={"events": _all_of(
            replaced(r"^Halt advancement no values found for (?:\w+ |custom )?metric:? ([\w-]+).*",
                     r"Halt podinfo.NAMESPACE advancement no_data: \1: the query found no value (no traffic, or no such series)"),
            replaced(r"^Prometheus query failed: running query failed: error response: Status 500 Internal Server Error: (.*)$",
                     r"Halt podinfo.NAMESPACE advancement query_error: request-success-rate: http://ANSWERS answered 500: \1"))}),
    Difference(
        "hooks-by-their-type", "a hook is called by its type, and what it answered stands behind a colon", everywhere=True,
        sequences={"events": _all_of(replaced(r"external check (\S+) failed ", r"rollout check \1 failed: "),
                                     replaced(r"pre-rollout check (\S+) failed (?=\w)", r"pre-rollout check \1 failed: "))}),
    Difference(
        "starting-is-told-once", "an analysis has started when the pre-rollout hooks have let it", (12,), sequences={"events": _starting_when_it_starts}),
    Difference(
        "no-content-is-success", "204 is a success", (48,), sequences={
            "statuses": _as_if_nothing_had_failed, "calls": lambda lines, document: lines[1:], "events": without(r"Halt \S+ advancement ")}),
    Difference(
        "numbers-without-zeros", "1.5 > 1, with as many decimals as tell the two apart", everywhere=True, sequences={"events": _trimmed}),
    Difference(
        "rollback-says-why", "the check that reached the threshold is named where people look first", everywhere=True,
        sequences={"events": _reason_of_the_rollback}),
    Difference(
        "rollback-in-the-same-tick", "users do not stay on a canary that failed for one more interval", (8,), everywhere=True,
        sequences={"statuses": _back_in_the_tick_that_reaches_the_threshold}),
    Difference(
        "weight-before-phase", "that the route has taken the weight is one look, that the next phase begins another", everywhere=True,
        sequences={"statuses": _weight_goes_before_the_phase}),
    Difference(
        "failed-keeps-its-count", "how many checks failed is what people ask then", everywhere=True, sequences={"statuses": _failed_keeps_its_count}),
    Difference(
        "alerts-say-of-what", "every alert says whose release it is about", (52,), everywhere=True, sequences={"alerts": _with_all_fields}),
    Difference(
        "alerts-say-the-most", "without maxWeight the most is 100, which is walked; Flagger's alerts say 0", sequences={"alerts": _most_that_is_meant}),
    Difference(
        "ab-conditions-of-contour", "each condition on its own; who matches nothing has no way to the canary, whatever its weight", objects=_ab_of_contour),
    Difference(
        "services-promote-after-the-last-iteration", "an iteration more than the document says has nothing to show without a route",
        sequences={"statuses": _no_iteration_beyond_the_last}),
    Difference(
        "blue-green-gates", "all traffic to the canary, or the promotion, is an increase, and one approval is enough", (14,),
        sequences={"calls": _once_and_beside_the_increase, "events": _told_once_and_beside_the_increase}),
    Difference(
        "ab-gate-before-users", "those who match meet the revision in the first iteration, which is an increase",
        sequences={"calls": _gate_before_those_who_match, "events": _gate_told_before_those_who_match}),
    Difference(
        "rollback-hooks-are-quiet", "that nothing is to be done is no Event of every interval; which hook wants it is told", (11, 13),
        sequences={"events": _all_of(without("Rollback hook ", "Rollback check "), replaced("manual webhook invoked", "manual webhook rollback invoked"))}),
    Difference(
        "deadline-is-told", "why a release goes back is an Event and an alert, also where it is the progress deadline", (52,),
        sequences={"events": _deadline_before_it_fails, "alerts": _deadline_last}),
    Difference(
        "set-back-ends-the-walk", "what was promoted before is not analysed as if it were new, and an abandoned revision is not called promoted", (6,),
        sequences={
            "statuses": _ends_at_once, "conditions": lambda lines, document: [line for line in lines if line[1] not in ("Promoting", "Finalising")],
            "weights": lambda weights, document: [0, 25, 0], "events": _nothing_is_promoted,
            "alerts": lambda lines, document: [*lines[:-1], ("good", f"Rolling back: {SET_BACK}", lines[-1][2])]}),
    Difference(
        "copies-by-content", "old pods keep old settings, and an undo is one patch (SAFETY 18)", ours=_copies_under_flaggers_names),
    Difference(
        "copies-are-not-reconciled", "a GitOps tool finds nothing of what is copied in its source, and is told so", everywhere=True,
        leaf=lambda leaf, document: leaf.only_ours and leaf.ours == "disabled" and ".toolkit.fluxcd.io/" in leaf.path),
    Difference(
        "users-objects-are-not-stamped", "whether a tool may reconcile an object of the user's is not ours to say (SAFETY 23)",
        leaf=lambda leaf, document: leaf.only_theirs and leaf.theirs == "disabled" and " Service/podinfo metadata.annotations." in leaf.path
        and ".toolkit.fluxcd.io/" in leaf.path),
    Difference(
        "routes-have-the-documents-labels", "the label by which a Service is known is not the route's",
        leaf=lambda leaf, document: leaf.only_theirs and leaf.path.endswith(" HTTPProxy/podinfo metadata.labels.app")),
    Difference(
        "services-without-the-targets-labels", "a copy does not look like the original to other tools (SAFETY 20)",
        leaf=lambda leaf, document: leaf.only_theirs and bool(re.match(r"\w+ Service/podinfo-(primary|canary) metadata\.labels\.team$", leaf.path))),
    Difference(
        "nobody-is-led-to-what-was-rejected", "-canary leads where -primary does (SAFETY 16)",
        leaf=lambda leaf, document: leaf.path == "ended Service/podinfo-canary spec.selector.version" and (leaf.theirs, leaf.ours) == ("2", "1")),
    Difference(
        "cookies-are-forgotten-whole", "a browser takes a cookie back only by the domain and path that it was set with", (27,),
        objects=_forgotten_as_here, ours=_one_cookie),
    Difference(
        "contour-mirrors", "what a document asks for is done, or refused", (17,), sequences={"extras": lambda lines, document: ["", "copies", ""]}),
    Difference(
        "weighted-canaries-are-mirrored", "a stage that the router can do is done, and comes to an end", (17,),
        objects=_but_for_the_end, ours=_but_for_the_end, sequences={
            "statuses": lambda lines, document: [*lines, *GOES_ON], "weights": lambda weights, document: [0, 25, 50, 0],
            "conditions": lambda lines, document: [*lines, *_SKIPPED_CONDITIONS, ("True", "Succeeded", FINISHED)],
            "extras": lambda lines, document: ["", "copies", ""], "events": _told_of_going_on,
            "alerts": lambda lines, document: [*lines, ("good", FINISHED, lines[-1][2])]}),
    Difference(
        "closed-gates-are-told-once", "that a gate is closed is told once for each step, not in every interval", (11,),
        sequences={"events": _each_once, "alerts": _each_once}),
    Difference(
        "each-revision-waits-aloud", "an approval is for one revision, so that of another one people are told again", sequences={
            "events": _twice("Halt "), "alerts": _twice("Canary is waiting for approval.")}),
    Difference(
        "waiting-is-no-iteration", "while the promotion is waited for nothing is counted", (14,),
        sequences={"statuses": _each_once, "events": _no_iteration_while_waiting}),
    Difference(
        "open-gates-are-asked-once", "one approval is enough for a promotion", (14,),
        sequences={"calls": lambda lines, document: lines[:-1], "events": _each_once}),
    Difference(
        "every-post-rollout-hook-is-called", "one that fails does not keep the others from knowing", (51,), sequences={
            "calls": lambda lines, document: [*lines, ("second", *lines[-1][1:])],
            "events": lambda lines, document: [*lines, ("Succeeded", "Normal", "Post-rollout check second passed")]}),
    Difference(
        "skipping-waits-for-the-primary", "skipAnalysis leaves out the analysis, not the wait for a ready primary (SAFETY 31)", (15,),
        sequences={"statuses": _promoting_and_finalising, "conditions": _conditions_of_promoting_and_finalising}),
    Difference(
        "skipping-promotes-as-ever", "who has the revision keeps it while the primary gets it, also where the rest is skipped (SAFETY 16)", (15,),
        sequences={"statuses": _promoted_with_weight, "events": _routed_after_copying}),
)
