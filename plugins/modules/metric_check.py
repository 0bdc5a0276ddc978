#!/usr/bin/python
# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_check
short_description: Check metrics against their ranges
version_added: 0.1.0
author: The progressive.delivery authors (@progressive-delivery)
description:
  - Asks Prometheus, or what speaks its HTTP API, one query for each check and compares its value with a range. Changes nothing, and asks in check
    mode too.
  - There are three outcomes. V(pass) and V(fail) say that there was a value; V(unknown) says that there was none, because the query found no
    data, gave several series, or was not answered.
  - Alone it takes O(address) with one O(query) or several O(metrics). In the role it takes the checks of a frozen O(document).
  - Checks are asked at the same time, and all of them are told; a failed one does not hide the others.
  - The task fails only as O(fail_when) says, so that RV(passed) can be used with C(until) and C(when).
options:
  address:
    description:
      - URL of the Prometheus, with a path in front of its API if it has one. Redirects are not followed.
      - Userinfo in the URL is sent as basic authentication, and never shown.
    type: str
  query:
    description:
      - A PromQL query that gives one number. Several series are an V(unknown) outcome; aggregate them.
      - Jinja fills in what is in double braces before the query comes here. To send Flagger's V({{ interval }}) through, mark the text C(!unsafe).
    type: str
  name:
    description: What the check is called in its outcome, with O(query).
    type: str
    default: metric
  min:
    description: The least value that passes, with O(query). Left out, there is no lower limit.
    type: float
  max:
    description: The largest value that passes, with O(query). Left out, there is no upper limit.
    type: float
  metrics:
    description: Several checks, asked of the same O(address).
    type: list
    elements: dict
    suboptions:
      name:
        description: What the check is called in its outcome.
        type: str
        required: true
      query:
        description: As O(query).
        type: str
        required: true
      min:
        description: As O(min).
        type: float
      max:
        description: As O(max).
        type: float
      interval:
        description: As O(interval), which is used when this is left out.
        type: str
  interval:
    description: What V({{ interval }}) stands for in a query, a duration such as V(30s) or V(1m30s).
    type: str
    default: 1m
  headers:
    description: Headers to send with every query, for example the tenant of a Prometheus that has several.
    type: dict
    default: {}
  token:
    description: Bearer token to authenticate with. Left out, none is sent.
    type: str
  url_username:
    description: User of basic authentication.
    type: str
  url_password:
    description: Password of basic authentication.
    type: str
  secret_name:
    description:
      - A Secret with the key C(token), or with C(username) and C(password), to authenticate with. It is read from the cluster; without it, and
        without such a Secret in O(document), no connection to the cluster is made.
    type: str
  secret_namespace:
    description: Namespace of O(secret_name).
    type: str
  insecure_skip_verify:
    description: Do not verify the certificate of O(address). It has nothing to do with the cluster's certificate.
    type: bool
    default: false
  timeout:
    description: Seconds that one query may take, connection and answer included. With O(document) it is 5.
    type: float
    default: 5
  document:
    description: The frozen document, as M(progressive.delivery.canary_preflight) returns it.
    type: dict
  credentials:
    description:
      - What RV(progressive.delivery.canary_preflight#module:document) is without, as RV(progressive.delivery.canary_preflight#module:credentials) gives it.
      - Left out, whatever needs a credential of the document is not asked, and counts as without an answer.
    type: dict
  checks:
    description: Indexes of the entries of C(spec.analysis.metrics) to check, with O(document). Left out, all are checked.
    type: list
    elements: int
  window:
    description:
      - Seconds since the present weight was confirmed. A check looks back over its interval, but not further than this, so that it does not judge
        traffic of an earlier weight. Left out, or 0, every check looks back over its whole interval.
    type: float
    default: 0
  fail_when:
    description: Outcomes of a check that make the task fail. RV(outcomes) is returned all the same.
    type: list
    elements: str
    choices: [fail, unknown, never]
    default: [never]
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - progressive.delivery.attributes
  - progressive.delivery.attributes.cluster
"""

EXAMPLES = r"""
- name: Is there anything to scrape
  progressive.delivery.metric_check:
    address: "{{ lookup('ansible.builtin.env', 'PROMETHEUS_URL') }}"
    name: targets
    query: count(up)
    min: 1
  register: targets

- name: Wait until scraping is quick again, then go on
  progressive.delivery.metric_check:
    address: "{{ lookup('ansible.builtin.env', 'PROMETHEUS_URL') }}"
    name: slowest-scrape
    query: max(scrape_duration_seconds)
    max: 2
  register: scraping
  until: scraping.passed
  retries: 10
  delay: 3

- name: Stop here unless both are in their ranges
  progressive.delivery.metric_check:
    address: "{{ lookup('ansible.builtin.env', 'PROMETHEUS_URL') }}"
    metrics:
      - name: scraped-samples
        query: sum(scrape_samples_scraped)
        min: 1
      - name: samples-lost
        query: sum(scrape_samples_scraped - scrape_samples_post_metric_relabeling)
        max: 0
    fail_when: [fail, unknown]
"""

RETURN = r"""
outcomes:
  description: One entry for each check, in the order of the checks.
  type: list
  elements: dict
  returned: always
  sample:
    - index: 0
      name: request-success-rate
      outcome: fail
      value: 80.0
      minimum: 99.0
      maximum: null
      why: request-success-rate 80.00% < 99%
      unit: "%"
      window: 60.0
  contains:
    index:
      description: Place of the check in the document, or in O(metrics).
      type: int
      returned: always
      sample: 0
    name:
      description: Name of the check.
      type: str
      returned: always
      sample: request-success-rate
    outcome:
      description: V(pass), V(fail), or V(unknown) when there was no value to judge.
      type: str
      returned: always
      sample: fail
    value:
      description: The value, in the unit of the range; null when there was none, or when it is infinite.
      type: float
      returned: always
      sample: 80.0
    minimum:
      description: The least value that passes; null without a lower limit.
      type: float
      returned: always
      sample: 99.0
    maximum:
      description: The largest value that passes; null without an upper limit.
      type: float
      returned: always
      sample: 500.0
    why:
      description: >-
        The comparison that failed, or what was in the way of one: begins with V(no_data) or V(query_error) when the outcome is V(unknown).
      type: str
      returned: always
      sample: request-success-rate 80.00% < 99%
    unit:
      description: V(%) and V(ms) for the built-in checks, else empty.
      type: str
      returned: always
      sample: "%"
    window:
      description: Seconds of the past that the query looked at.
      type: float
      returned: always
      sample: 60.0
passed:
  description: >-
    Whether every check passed. With O(document), a check without data, or with a query error, counts as passed where C(on_no_data=pass) or
    C(on_query_error=pass) says so.
  type: bool
  returned: always
  sample: false
outcome:
  description: V(fail) when a check failed, else V(unknown) when one could not be told, else V(pass).
  type: str
  returned: always
  sample: fail
msg:
  description: What stood in the way, in words.
  type: str
  returned: when a check did not pass
  sample: request-success-rate 80.00% < 99%
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.canary import words
from ansible_collections.progressive.delivery.plugins.module_utils.canary.document import formats
from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import CanaryError, SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.frozen import thaw
from ansible_collections.progressive.delivery.plugins.module_utils.canary.model import FAIL, PASS, UNKNOWN, Outcome
from ansible_collections.progressive.delivery.plugins.module_utils.canary.spec import Canary, Check, MetricProvider, Options
from ansible_collections.progressive.delivery.plugins.module_utils.canary.verdict.threshold import policy_of
from ansible_collections.progressive.delivery.plugins.module_utils.kube import secrets
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.evaluate import Context, Secrets, context_of, measure_all
from ansible_collections.progressive.delivery.plugins.module_utils.verb import Call, Verb

NEVER = "never"

METRIC = {
    "name": {"type": "str", "required": True},
    "query": {"type": "str", "required": True},
    "min": {"type": "float"},
    "max": {"type": "float"},
    "interval": {"type": "str"},
}

OPTIONS = {
    "address": {"type": "str"},
    "query": {"type": "str"},
    "name": {"type": "str", "default": "metric"},
    "min": {"type": "float"},
    "max": {"type": "float"},
    "metrics": {"type": "list", "elements": "dict", "options": METRIC},
    "interval": {"type": "str", "default": "1m"},
    "headers": {"type": "dict", "default": {}},
    "token": {"type": "str", "no_log": True},
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "secret_name": {"type": "str"},
    "secret_namespace": {"type": "str", "no_log": False},
    "insecure_skip_verify": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 5},
    "document": {"type": "dict"},
    "credentials": {"type": "dict", "no_log": False},      # nobody prints it; with no_log every word in it would vanish from results
    "checks": {"type": "list", "elements": "int"},
    "window": {"type": "float", "default": 0},
    "fail_when": {"type": "list", "elements": "str", "choices": [FAIL, UNKNOWN, NEVER], "default": [NEVER]},
}

# The place in Secrets for the credentials that the options hold.
OPTIONS_SECRET = ("", "options")


def execute(call: Call) -> dict[str, Any]:
    if call.params["document"] is not None:
        canary = thaw(call.params["document"], call.params["credentials"])
        call.subject = f"{canary.namespace}/{canary.name}"
        checks, context = _chosen(canary, call.params["checks"]), context_of(canary)
        options = canary.options
    else:
        checks, context = _alone(call.params), Context(timeout=call.params["timeout"])
        options = Options()
        if call.params["insecure_skip_verify"]:
            call.warn(f"insecure_skip_verify is true: the certificate of {formats.url_shown(call.params['address'])} is not verified")
    outcomes = measure_all(context, checks, confirmed_for=call.params["window"] or None, secrets=_secrets(call, checks))
    if call.params["document"] is None:
        for outcome in outcomes:
            call.say(words.check_text(outcome))
    return _result(outcomes, options, call.params["fail_when"])


def _chosen(canary: Canary, indexes: Sequence[int] | None) -> list[Check]:
    """The document's checks at these indexes, in the document's order; all of them for None."""
    checks = canary.analysis.checks
    known = {check.index for check in checks}
    unknown = [index for index in indexes or () if index not in known]
    if unknown:
        raise SpecError("checks", f"there is no metric {unknown[0]}", f"the document has {len(checks)}, counted from 0")
    return [check for check in checks if indexes is None or check.index in indexes]


def _alone(params: Mapping[str, Any]) -> list[Check]:
    entries = params["metrics"] if params["metrics"] is not None else [params]
    provider = _provider(params)
    return [
        Check(index=index, name=entry["name"], builtin=False, interval=_interval(entry["interval"] or params["interval"]),
              minimum=entry["min"], maximum=entry["max"], query=entry["query"], provider=provider)
        for index, entry in enumerate(entries)
    ]


def _provider(params: Mapping[str, Any]) -> MetricProvider:
    wrong = formats.URL.wrong(params["address"])
    if wrong:
        raise SpecError("address", f"'{formats.url_shown(params['address'])}' {wrong}", f"accepted: {formats.URL.accepted}")
    namespace, secret = "", ""
    if params["secret_name"]:
        namespace, secret = params["secret_namespace"], params["secret_name"]
    elif params["token"] or params["url_username"]:
        namespace, secret = OPTIONS_SECRET
    return MetricProvider(
        address=params["address"], headers={name: (str(value),) for name, value in params["headers"].items()}, secret=secret,
        namespace=namespace, insecure_skip_verify=params["insecure_skip_verify"])


def _interval(text: str) -> float:
    seconds = formats.seconds(text)
    if not seconds:
        raise SpecError("interval", f"'{text}' is not a duration above 0", "accepted: a duration such as 30s, 1m or 1m30s")
    return seconds


def _secrets(call: Call, checks: Sequence[Check]) -> Secrets:
    """What the Secrets hold that the checks need, each read once; what is in the way of one is the outcome of its checks."""
    given = {"token": call.params["token"], "username": call.params["url_username"], "password": call.params["url_password"]}
    held: dict[tuple[str, str], Mapping[str, str] | CanaryError] = {OPTIONS_SECRET: {key: value for key, value in given.items() if value}}
    for check in checks:
        place = (check.provider.namespace, check.provider.secret)
        if check.provider.secret and place not in held:
            held[place] = secrets.credentials(call.api, *place)
    return held


def _result(outcomes: Sequence[Outcome], options: Options, fail_when: Sequence[str]) -> dict[str, Any]:
    found = [outcome.outcome for outcome in outcomes]
    result: dict[str, Any] = {
        "changed": False,
        "outcomes": outcomes,
        "passed": all(_passes(outcome, options) for outcome in outcomes),
        "outcome": next((word for word in (FAIL, UNKNOWN) if word in found), PASS),
    }
    if result["outcome"] != PASS:
        # Also without failing: it is what Ansible shows when an `until` runs out.
        result["msg"] = "; ".join(outcome.why or outcome.name for outcome in outcomes if outcome.outcome != PASS)
    return {**result, "failed": True} if any(outcome in fail_when for outcome in found) else result


def _passes(outcome: Outcome, options: Options) -> bool:
    return outcome.outcome == PASS or (outcome.outcome == UNKNOWN and policy_of(options, outcome.why) == PASS)


VERB = Verb(
    name="metric_check",
    options=OPTIONS,
    execute=execute,
    mutually_exclusive=(
        ("document", "query", "metrics"),
        ("document", "address"),
        ("token", "url_username", "secret_name"),
    ),
    required_one_of=(("document", "query", "metrics"),),
    required_by={"query": ["address"], "metrics": ["address"], "checks": ["document"]},
    required_together=(("url_username", "url_password"), ("secret_name", "secret_namespace")),
)


def main() -> None:
    VERB.run_module()


if __name__ == "__main__":
    main()
