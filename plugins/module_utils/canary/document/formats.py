# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a text of a document has to look like: durations, names, hosts, URLs."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from ansible_collections.progressive.delivery.plugins.module_utils.canary import shown

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_GO_DURATION = re.compile(rf"(?:{_GO_PART.pattern})+")
# GEP-2257: up to four whole numbers with units, no fractions.
_GATEWAY_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}")

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_NO_URL = re.compile(r"[\s\x00-\x1f\x7f<>\"{}|\\^`]")
_URL_HOST = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")

PRIMARY = "-primary"
LONGEST_LABEL = 63


@dataclass(frozen=True)
class Form:
    """``wrong`` says in words why a text does not fit, "" when it does; ``accepted`` what would."""

    accepted: str
    wrong: Callable[[str], str]


def fits(value: Any, form: Form) -> TypeGuard[str]:
    """Whether a value is a text of that form."""
    return isinstance(value, str) and not form.wrong(value)


def seconds(text: str) -> float | None:
    """Seconds of a duration as Go writes it (``30s``, ``1m30s``, ``500ms``, ``1.5h``); None for anything else."""
    if not _GO_DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _GO_PART.findall(text))


def url_shown(text: str) -> str:
    """A URL, or what was meant as one, without its credentials and its query."""
    text = text.partition("?")[0]
    parsed = shown.url(text) if "://" in text else ""
    # What cannot be parsed is cut by hand.
    return parsed if parsed and not _NO_URL.search(parsed) else shown.excerpt(text.rpartition("@")[2])


def _matches(pattern: str, what: str, longest: int = 253, room_for: str = "") -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def wrong(text: str) -> str:
        if not compiled.fullmatch(text):
            return f"is not {what}"
        if len(text) + len(room_for) > longest:
            return f"has {len(text)} characters" + (f", and {room_for} comes behind it" if room_for else "")
        return ""

    return wrong


def _url_wrong(text: str) -> str:
    if _NO_URL.search(text):
        return "holds a character that no URL may hold, such as a space or a brace"
    if "://" not in text:
        return "has no scheme"
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return "has no valid host"
    if parts.scheme not in ("http", "https"):
        return "has a scheme of another kind"
    if not parts.hostname or not _URL_HOST.fullmatch(parts.hostname):
        return "has no valid host"
    try:
        return "has no valid port" if parts.port == 0 else ""
    except ValueError:
        return "has no valid port"


# Compiled here, once: a worker that compiles does it for itself alone, with every task anew.
_WILD_HOST = _matches(rf"(?:\*\.)?{_SUBDOMAIN}", "a host name")
_PORT_LABEL = _matches(_LABEL, "the name of a container's port", 15)
_KEY_NAME, _KEY_PREFIX = re.compile(_QUALIFIED), re.compile(_SUBDOMAIN)


def _host_wrong(text: str) -> str:
    if _ADDRESS.fullmatch(text):
        return "is an address"
    return _WILD_HOST(text)


def _port_name_wrong(text: str) -> str:
    # RFC 6335: letters, digits and single hyphens, at least one letter.
    if "--" in text or not re.search("[a-z]", text):
        return "is not the name of a container's port"
    return _PORT_LABEL(text)


def _key_wrong(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if not _KEY_NAME.fullmatch(name) or (slash and (len(prefix) > 253 or not _KEY_PREFIX.fullmatch(prefix))):
        return "is not the key of a label or annotation"
    return ""


_LOWER = "lower-case letters, digits and '-', a letter or digit at both ends"

NAMESPACE = Form(f"{_LOWER}, at most 63 characters", _matches(_LABEL, "the name of a namespace", 63))
# The record is a ConfigMap of the canary's name with -canary behind it.
CANARY_NAME = Form(f"{_LOWER}, at most 246 characters", _matches(_SUBDOMAIN, "the name of a Kubernetes object", room_for="-canary"))
OBJECT_NAME = Form(f"{_LOWER}, at most 253 characters", _matches(_SUBDOMAIN, "the name of a Kubernetes object"))
TARGET_NAME = Form(
    f"{_LOWER}, at most {LONGEST_LABEL - len(PRIMARY)} characters",
    _matches(_SUBDOMAIN, "the name of a Kubernetes object", LONGEST_LABEL, PRIMARY))
# KEDA writes the name of a ScaledObject into a label.
SCALED_OBJECT_NAME = TARGET_NAME
AUTOSCALER_NAME = Form(
    f"{_LOWER}, at most {253 - len(PRIMARY)} characters", _matches(_SUBDOMAIN, "the name of a Kubernetes object", room_for=PRIMARY))
# RFC 1035: the name of a Service begins with a letter.
SERVICE_NAME = Form(
    f"{_LOWER}, a letter first, at most {LONGEST_LABEL - len(PRIMARY)} characters",
    _matches(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", "the name of a Service", LONGEST_LABEL, PRIMARY))
SERVICE_PORT_NAME = Form(f"{_LOWER}, at most 63 characters", _matches(_LABEL, "the name of a Service's port", 63))
PORT_NAME = Form(
    "a port number, or the name of a container's port: lower-case letters, digits and single '-', at most 15", _port_name_wrong)
GROUP = Form("an API group such as gateway.networking.k8s.io", _matches(_SUBDOMAIN, "an API group"))
KIND = Form("a kind such as Gateway", _matches(r"[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?", "a kind", 63))
HOST = Form("a host name such as app.example.com or *.example.com: lower-case, no port, no address", _host_wrong)
EXACT_HOST = Form("a host name such as app.example.com: lower-case, no port, no wildcard", _matches(_SUBDOMAIN, "a host name"))
URL = Form("a URL with http:// or https:// in front, such as http://example.com:8080/path", _url_wrong)
HTTP_PATH = Form("a path that begins with /", lambda text: "" if text.startswith("/") else "does not begin with /")
METHOD = Form(
    "one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH",
    _matches("GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH", "a method of HTTP"))
HEADER_NAME = Form("the name of an HTTP header, such as x-version", _matches(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a header", 256))
# RFC 6265; of 256 characters at most a route's header still has room for its pattern.
COOKIE_NAME = Form(
    "the name of a cookie, such as stays: letters, digits and !#$%&'*+-.^_`|~", _matches(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a cookie", 256))
COOKIE_ATTRIBUTE = Form(
    "printable characters without spaces and ';'", _matches(r"[!-:<-~]+", "what an attribute of a cookie can be"))
GATEWAY_DURATION = Form(
    "a duration of whole numbers such as 15s or 1m30s", lambda text: "" if _GATEWAY_DURATION.fullmatch(text) else "is not a duration")
GO_DURATION = Form("a duration such as 15s or 24h", lambda text: "is not a duration" if seconds(text) is None else "")
KEY = Form("the key of a label or annotation, such as app or example.com/team", _key_wrong)
LABEL_VALUE = Form(
    "the value of a label: letters, digits, '-', '_' and '.', at most 63 characters",
    _matches(rf"(?:{_QUALIFIED})?", "the value of a label", LONGEST_LABEL))
