# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new version on the target: what the target would be, and the one fenced patch that makes it so."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils import walker
from ansible_collections.progressive.delivery.plugins.module_utils.canary import marks, record as states, releasing
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import KubeError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.releasing import Release
from ansible_collections.progressive.delivery.plugins.module_utils.canary.revision import revision_of, short
from ansible_collections.progressive.delivery.plugins.module_utils.kube import record as store
from ansible_collections.progressive.delivery.plugins.module_utils.kube.api import Api
from ansible_collections.progressive.delivery.plugins.module_utils.kube.record import Stored
from ansible_collections.progressive.delivery.plugins.module_utils.kube.refs import Ref
from ansible_collections.progressive.delivery.plugins.module_utils.kube.waits import existing
from ansible_collections.progressive.delivery.plugins.module_utils.kube.workloads import Work
from ansible_collections.progressive.delivery.plugins.module_utils.kube.writing import MOST_TRIES, Change, worth_another_try

Object = dict[str, Any]


def would_be(api: Api, place: Ref, live: Object, release: Release, option: str = "") -> Object:
    """The target after the release, as the server itself says it, by a dry run; nothing is kept.

    Raises SpecError for a container that it has not, and where a GitOps tool owns what would change (SAFETY 23).
    """
    # Without a fence: a controller that writes the status meanwhile is nothing to a question.
    body = _body(live, release, option)
    try:
        after = api.patch_strategic(place, body, dry_run=True)
    except KubeError as error:
        raise KubeError(_without_patch(str(error)), error.status, error.reason) from None
    objection = releasing.objection(releasing.changed(live, after), option)
    if objection is not None:
        raise objection
    return after


def put(api: Api, place: Ref, live: Object, release: Release, canary: str, option: str, check_mode: bool) -> Work:
    """The release on the target; nothing is written where it says so already. Raises as ``would_be`` does."""
    first = after = live
    for attempt in range(MOST_TRIES):
        marks.check(live, canary, 0)
        try:
            after = would_be(api, place, live, release, option)
            if _template(after) == _template(live):
                return _work(place, first, live, _template(live) != _template(first))
            if not check_mode:
                fence = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}}
                after = api.patch_strategic(place, {**fence, **_body(live, release, option)})
            return _work(place, first, after, True)
        except KubeError as error:
            if not worth_another_try(error, attempt):
                raise
        live = existing(api, place)
        if revision_of(_template(live)) not in (revision_of(_template(first)), revision_of(_template(after))):
            raise KubeError(f"the pod template of {place} was changed by somebody else while it was to be changed; nothing was done to it", 409, "Conflict")
    raise AssertionError("unreachable")


def held_by_the_living(api: Api, stored: Stored) -> str:
    """Who walks the canary now, in words; empty where nobody does whose lease still runs (SAFETY 3)."""
    holder = stored.record.holder if stored.record else None
    if stored.record is None or holder is None or walker.is_gone(holder) or api.now() >= holder.until:
        return ""
    return store.held_by(stored.record)


def restarts(stored: Stored, revision: str) -> str:
    """What a new revision does to the walk that is under way, in words; empty where there is none, or it is of this revision."""
    record = stored.record
    if record is None or record.phase not in states.ANALYSING or record.pinned is None or record.pinned.revision == revision:
        return ""
    return (f"the analysis of revision {short(record.pinned.revision)}, {record.phase} at {record.canary_weight}%, is given up, "
            f"and begins again with {short(revision)}")


def _body(live: Object, release: Release, option: str) -> Object:
    return {"spec": {"template": releasing.template_patch(release, live, option)}}


def _without_patch(text: str) -> str:
    """The API server repeats a whole patch in which it does not know a field, and variables of containers may hold what nobody else should read."""
    before, repeated, rest = text.partition('Invalid value: "map[')
    unknown = rest.rpartition("strict decoding error: ")[2] if "strict decoding error: " in rest else "it holds a field that there is not"
    return f"{before}{unknown}" if repeated else text


def _work(place: Ref, first: Object, after: Object, changed: bool) -> Work:
    # Shown is what we did, not what a controller wrote beside it.
    wanted = {**first, "spec": {**first["spec"], "template": _template(after)}}
    return Work(place, first, after, [Change(place, first, after, changed, wanted)])


def _template(deployment: Object) -> Object:
    return deployment["spec"]["template"]
