# Copyright: (c) 2026, the progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the user's own instead of the lab, for the demo and for e2e: `CLUSTER=own` on the command line of make, and nothing else, asks for it.

KUBECONFIG in somebody's environment means whatever they work on; without that word it is never used.
"""
from __future__ import annotations

import json
import subprocess
import typing

# Tells the tests inside which it is; the lab's own environment does not have it.
SWITCH = "PROGRESSIVE_DELIVERY_CLUSTER"
OWN = "own"

MEANING = {
    "KUBECONFIG": "the cluster, as somebody who may make namespaces and Roles in it",
    "GATEWAY": "its Gateway, as namespace/name",
    "GATEWAY_URL": "where that Gateway answers from here, as http://address:port",
    "PROMETHEUS_URL": "a Prometheus that scrapes pods by their annotations prometheus.io/scrape and prometheus.io/port",
}


class OwnClusterError(Exception):
    """What a cluster of one's own has to be told before, in words."""


def environment(given: typing.Mapping[str, str], *needed: str) -> dict[str, str]:
    """The given environment for such a cluster, without anything of a lab. Raises OwnClusterError."""
    missing = [name for name in needed if not given.get(name)]
    if missing:
        said = "".join(f"\n  {name}: {MEANING[name]}" for name in missing)
        raise OwnClusterError(f"CLUSTER=own needs more variables in the environment:{said}")
    namespace, _slash, name = given["GATEWAY"].partition("/")
    if not namespace or not name or "/" in name:
        raise OwnClusterError(f"GATEWAY is {given['GATEWAY']}; accepted: namespace/name of a Gateway, such as gateway-system/public")
    kept = {key: value for key, value in given.items() if not key.startswith("LAB_")}
    return {**kept, "GATEWAY_URL": given["GATEWAY_URL"].rstrip("/"), SWITCH: OWN}


def described(variables: typing.Mapping[str, str]) -> str:
    """Which cluster that is, for people to see before anything is done to it. Raises OwnClusterError where it does not answer."""
    command = ["kubectl", "config", "view", "--minify", "-o", "json"]
    try:
        view = subprocess.run(command, env=dict(variables), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        subprocess.run(["kubectl", "get", "--raw", "/version", "--request-timeout=10s"], env=dict(variables), stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise OwnClusterError("CLUSTER=own needs kubectl on PATH") from None
    except subprocess.CalledProcessError as error:
        raise OwnClusterError(f"the cluster of KUBECONFIG does not answer: {error.stderr.strip()}") from None
    config = json.loads(view.stdout)
    return f"context {config.get('current-context') or '(unnamed)'} at {config['clusters'][0]['cluster']['server']}"
