# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus over the annotated pods of the lab and over its gateways."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from labkit import network, processes
from labkit.layout import PROMETHEUS_PORT, SOURCE, Lab

SCRAPE_INTERVAL = "1s"
HEALTH = f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"


def start(lab: Lab, gateways: dict[str, Iterable[str]]) -> None:
    """Start Prometheus, and the watcher that tells it about pods.

    Args:
        gateways: name -> addresses to scrape, host:port or host:port/path.
    """
    network.require_free({PROMETHEUS_PORT: "prometheus"})
    folder = lab.root / "prometheus"
    (folder / "targets").mkdir(parents=True)
    add_gateways(lab, gateways)
    (folder / "prometheus.json").write_text(json.dumps(_config(lab), indent=1), encoding="utf-8")
    processes.start(lab, "prometheus", [
        "prometheus", f"--config.file={folder / 'prometheus.json'}", f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=6h",
        f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--web.enable-admin-api", "--web.enable-lifecycle", "--query.lookback-delta=30s",
        "--log.level=warn",
    ])
    processes.start(lab, "targets", [sys.executable, str(SOURCE / "targets.py"), lab.name])


def add_gateways(lab: Lab, gateways: dict[str, Iterable[str]]) -> None:
    """Let Prometheus scrape gateways, also ones that are started later."""
    for name, addresses in gateways.items():
        groups = []
        for address in addresses:
            host, _slash, path = address.partition("/")
            groups.append({"targets": [host], "labels": {"job": name, "__metrics_path__": f"/{path or 'metrics'}"}})
        write_targets(lab, f"gateway-{name}", groups)


def write_targets(lab: Lab, name: str, groups: list[dict[str, Any]]) -> None:
    """Replace one file of targets; Prometheus notices by itself and never reads half of it."""
    final = lab.root / "prometheus" / "targets" / f"{name}.json"
    beside = final.with_suffix(".writing")
    beside.write_text(json.dumps(groups), encoding="utf-8")
    beside.rename(final)


def _config(lab: Lab) -> dict[str, Any]:
    files = lab.root / "prometheus" / "targets" / "*.json"
    job = {"job_name": "lab", "file_sd_configs": [{"files": [str(files)], "refresh_interval": "1s"}]}
    return {"global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL, "evaluation_interval": "5s"}, "scrape_configs": [job]}
