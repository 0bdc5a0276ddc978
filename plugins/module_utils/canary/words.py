# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line for people: what happened in a tick, why, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import ALLOWED, FAIL, PASS, Answer, Outcome, Split
from ansible_collections.progressive.delivery.plugins.module_utils.canary.record import Record, by_a_person
from ansible_collections.progressive.delivery.plugins.module_utils.canary.shown import one_line
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import ROLLBACK

BAR = 20
CLOCKS_AGREE = 15.0         # seconds; the API server's clock is known to a second or two


def weight_bar(weight: int) -> str:
    """``[####................]  20%``"""
    filled = round(weight * BAR / 100)
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {weight:3d}%"


def number(value: float | None) -> str:
    """A number as people write it: at most two decimals, none where they say nothing."""
    return "-" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def check_text(outcome: Outcome) -> str:
    """``request-success-rate 99.8% (>= 99%) ok``"""
    value = f"{number(outcome.value)}{outcome.unit}" if outcome.value is not None else "no value"
    limits = [f">= {number(outcome.minimum)}{outcome.unit}"] if outcome.minimum is not None else []
    limits += [f"<= {number(outcome.maximum)}{outcome.unit}"] if outcome.maximum is not None else []
    verdict = {PASS: "ok", FAIL: "FAIL"}.get(outcome.outcome, "cannot tell")
    reason = f": {outcome.why}" if outcome.outcome not in (PASS, FAIL) and outcome.why else ""
    return f"{outcome.name} {value}" + (f" ({', '.join(limits)})" if limits else "") + f" {verdict}{reason}"


def answer_text(answer: Answer) -> str:
    """``confirm-promotion gate: refused (403)``"""
    return f"{answer.type} {answer.name}: {answer.outcome.replace('_', ' ')}" + (f" ({answer.status})" if answer.status else "")


def clock(now: float) -> str:
    """Time of day in UTC, as Kubernetes shows its times."""
    return datetime.fromtimestamp(now, tz=timezone.utc).strftime("%H:%M:%S")


def clock_off(here: float, there: float) -> str:
    """That the clock of this machine is not the API server's, both in epoch seconds; empty where they agree."""
    off = here - there
    if abs(off) <= CLOCKS_AGREE:
        return ""
    return (f"the clock of this machine is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the API server's; a walk goes by the API server's, "
            "and so do the times that it tells")


def left_behind(objects: Sequence[str]) -> str:
    """A warning, empty where there is nothing to say."""
    if not objects:
        return ""
    return f"{', '.join(objects)}: made for a name that this canary's document had before, and not looked after any more: delete what nobody uses"


def report(why: str, answers: Sequence[Answer] = (), outcomes: Sequence[Outcome] = ()) -> str:
    """What a decision rests on and what it says: checks and gates, then why."""
    judged = [check_text(outcome) for outcome in outcomes]
    judged += [answer_text(answer) for answer in answers if answer.outcome != ALLOWED or answer.type != ROLLBACK]
    return " | ".join([text for text in (", ".join(judged), why) if text])


def order(entry: Mapping[str, Any]) -> str:
    """``approve confirm-promotion (alice@ci-7: change 4711)``"""
    return entry["order"] + (f" ({entry['said']})" if entry["said"] else "")


def ordered(before: Record, after: Record, why: str) -> list[str]:
    """Of people's orders that were obeyed now, those of which ``why`` does not say already whose they are."""
    return [order(entry) for entry in after.obeyed if entry not in before.obeyed and by_a_person(entry["said"].removesuffix("...")) not in why]


def rejected(record: Record) -> str:
    """Why a walk that asks again for what was taken back gets no other answer, and what gives it one."""
    return (f"this revision was {record.outcome.replace('_', ' ')} before ({record.outcome_why}); "
            "change the pod template to try again, as kubectl rollout restart does")


def share(split: Split) -> str:
    """What of the requests gets to the canary: ``20%``, ``0%, and copies of 100%``."""
    return f"{split.canary}%{_copies(split.mirror)}" + (", and whoever has its cookie" if split.cookie and not split.canary else "")


def gathering(record: Record) -> str:
    """What is going on between two decisions of an analysis."""
    return f"gathering evidence at {share(Split(100 - record.canary_weight, record.canary_weight, record.mirror))}"


def _copies(percent: int) -> str:
    return f", and copies of {percent}%" if percent else ""


def _mirror(record: Record) -> str:
    """`` mirror 100%`` while the canary gets copies of so many requests."""
    return f" mirror {record.mirror}%" if record.mirror else ""


def _iteration(record: Record) -> str:
    """`` iteration 3/10`` of a blue/green release, until all its traffic is on the canary."""
    wanted = record.iterations_wanted
    return f" iteration {record.iterations}/{wanted}" if 0 < record.iterations <= wanted else ""


def line(record: Record, now: float, text: str, due: float = 0.0) -> str:
    """One tick in one line: time, phase, weight bar, copies, iteration, the report, when the next tick is due."""
    head = f"{clock(now)} {record.phase or 'new':<16} {weight_bar(record.canary_weight)}{_mirror(record)}{_iteration(record)}"
    return " | ".join([head, one_line(text)] + ([f"next in {max(1, round(due - now))} s"] if due > now else []))
