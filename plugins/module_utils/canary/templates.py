# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of Go's text/template that Flagger's queries use: ``{{ function }}`` and ``{{ variables.key }}``.

White space inside the braces is free, and ``{{-`` and ``-}}`` trim the text beside them, as in Go. Everything else of
text/template (pipes, printf, if, range, ``.Field``, comments) is refused by name: a wrong query is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import TemplateError

FUNCTIONS = ("name", "namespace", "target", "service", "ingress", "route", "interval")

_FUNCTION = re.compile(r"[A-Za-z_]\w*")
_VARIABLE = re.compile(r"variables\.(\w+)")
# What Go's template package takes for white space.
_SPACE = " \t\r\n"
# What is left of {{ namespace }}, {{ range }}, {{ lipsum }} or {{ cycler }} when Jinja has rendered it (ANSIBLE 18).
_JINJA = re.compile(r"<class '[^']*'>|<(?:function|bound method|built-in function|module) [^<>]*>|<[\w.]+ object at 0x[0-9a-f]+>")


def render(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """The query with every action replaced: functions from ``values``, ``variables.key`` from ``variables``.

    Raises TemplateError for a construct or function that is not supported, and for a variable that has no value.
    """
    return "".join(literal + (_value(word, values, variables) if word else "") for literal, word in _split(text))


def names(text: str) -> tuple[str, ...]:
    """What the template asks for, once each and in order of appearance: ``namespace``, ``variables.key`` ...

    Raises TemplateError for what ``render`` would never accept, whatever the values.
    """
    found = dict.fromkeys(word for _literal, word in _split(text) if word)
    for word in found:
        if word not in FUNCTIONS and not _VARIABLE.fullmatch(word):
            raise _unknown(word, FUNCTIONS)
    return tuple(found)


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of literal text and the word of the action that follows it; the last pair has no word."""
    _refuse_jinja(text)
    position, trim = 0, False
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start)
        if end < 0:
            raise TemplateError(f"the query has an unclosed {_quoted(text[start:start + 40])}")
        body, literal = text[start + 2:end], text[position:start]
        # The marker belongs to the brace and has white space on its other side: {{-3}} is a number.
        left, right = body[:1] == "-" and body[1:2] in _SPACE, body[-1:] == "-" and body[-2:-1] in _SPACE
        literal = literal.lstrip(_SPACE) if trim else literal
        yield literal.rstrip(_SPACE) if left else literal, _word(body[left:len(body) - right])
        position, trim = end + 2, right
    rest = text[position:]
    yield rest.lstrip(_SPACE) if trim else rest, ""


def _word(body: str) -> str:
    word = body.strip(_SPACE)
    if _VARIABLE.fullmatch(word) or _FUNCTION.fullmatch(word):
        return word
    raise TemplateError(f"the query uses {_action(word[:60])}, which is not supported; {_accepted(FUNCTIONS)}")


def _value(word: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    variable = _VARIABLE.fullmatch(word)
    if variable is None:
        if word not in values:
            raise _unknown(word, values)
        return values[word]
    if variable[1] not in variables:
        known = ", ".join(sorted(variables)) or "none"
        raise TemplateError(f"the query uses {_action(word)}, but templateVariables has no {_quoted(variable[1])}; it has: {known}")
    return variables[variable[1]]


def _refuse_jinja(text: str) -> None:
    found = _JINJA.search(text)
    if found is not None:
        raise TemplateError(
            f"the query holds {_quoted(found[0][:60])}, which is what Ansible makes of a {{{{ }}}} of its own; "
            "mark the query !unsafe, or give the document by canary_file or as an object of the cluster")


def _unknown(word: str, functions: Iterable[str]) -> TemplateError:
    return TemplateError(f"the query uses {_action(word)}, which is not a function here; {_accepted(functions)}")


def _accepted(functions: Iterable[str]) -> str:
    return "accepted: " + ", ".join(_action(word) for word in (*functions, "variables.key"))


def _action(word: str) -> str:
    return "{{ " + " ".join(word.split()) + " }}"


def _quoted(text: str) -> str:
    return '"' + " ".join(text.split()) + '"'
