# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subset of Go's text/template, and what is refused of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import TemplateError
from ansible_collections.progressive.delivery.plugins.module_utils.canary.templates import FUNCTIONS, names, render

VALUES = {"name": "podinfo", "namespace": "test", "target": "podinfo-app", "service": "podinfo-svc", "ingress": "podinfo-ing",
          "route": "podinfo-route", "interval": "60s"}


@pytest.mark.parametrize(("text", "rendered"), [
    ("up", "up"),
    ("", ""),
    ("{{ name }}", "podinfo"),
    ("{{name}}", "podinfo"),
    ("{{\n\tnamespace\n}}", "test"),
    ('x{ns="{{ namespace }}",pod=~"{{ target }}-.+"}[{{ interval }}]', 'x{ns="test",pod=~"podinfo-app-.+"}[60s]'),
    ("{{ service }}/{{ ingress }}/{{ route }}", "podinfo-svc/podinfo-ing/podinfo-route"),
    ("{{ variables.code }}", "5.."),
    ("{{variables.code}}", "5.."),
    ("{{ name }}{{ namespace }}", "podinfotest"),
    ("a {{- name -}} b", "apodinfob"),
    ("a {{- name }} b", "apodinfo b"),
    ("a\n\n{{- name -}}\n\nb", "apodinfob"),
    ("{{ name -}} {{ namespace }}", "podinfotest"),
    ("a }} b", "a }} b"),
    ("x{a=\"b\"}", "x{a=\"b\"}"),
])
def test_renders_as_go_does(text: str, rendered: str) -> None:
    assert render(text, VALUES, {"code": "5.."}) == rendered


@pytest.mark.parametrize(("text", "named"), [
    ("{{ .Namespace }}", "{{ .Namespace }}"),
    ('{{ printf "%s" target }}', '{{ printf "%s" target }}'),
    ("{{ if name }}x{{ end }}", "{{ if name }}"),
    ("{{ name | printf }}", "{{ name | printf }}"),
    ("{{/* a comment */}}", "{{ /* a comment */ }}"),
    ("{{ }}", "{{  }}"),
    ("{{-3}}", "{{ -3 }}"),
    ('{{ index variables "a" }}', '{{ index variables "a" }}'),
    ("{{ variables }}", "{{ variables }}"),
    ("{{ variables.a.b }}", "{{ variables.a.b }}"),
    ("{{ printf }}", "{{ printf }}"),
    ("{{ Namespace }}", "{{ Namespace }}"),
    ("rate(x[{{ interval ]))", "unclosed"),
])
def test_refuses_the_rest_by_name(text: str, named: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(named)):
        render(text, VALUES, {"a": "b"})
    with pytest.raises(TemplateError, match=re.escape(named)):
        names(text)


def test_a_refusal_says_what_is_accepted() -> None:
    with pytest.raises(TemplateError) as refusal:
        names("{{ cluster }}")
    assert all("{{ " + function + " }}" in str(refusal.value) for function in (*FUNCTIONS, "variables.key"))


def test_a_missing_variable_is_named_with_those_there_are() -> None:
    with pytest.raises(TemplateError, match=r'templateVariables has no "code"; it has: color, size'):
        render("{{ variables.code }}", VALUES, {"size": "1", "color": "2"})


def test_a_function_without_a_value_here_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"\{\{ namespace \}\}, which is not a function here; accepted: \{\{ interval \}\}"):
        render("{{ namespace }}", {"interval": "60s"}, {})


def test_names_lists_each_once_in_order() -> None:
    assert names("{{ target }}{{ variables.b }}{{ target }}{{ namespace }}") == ("target", "variables.b", "namespace")


@pytest.mark.parametrize("rendered", [
    "<class 'jinja2.utils.Namespace'>",
    "<function generate_lorem_ipsum at 0x7f2a5c0b8ca0>",
    "<class 'range'>",
    "<class 'jinja2.utils.Cycler'>",
    "<bound method Undefined.x of Undefined>",
    "<jinja2.utils.Joiner object at 0x7f2a5c0b8ca0>",
])
def test_ansible_18_a_rendered_jinja_object_is_refused(rendered: str) -> None:
    with pytest.raises(TemplateError, match="!unsafe"):
        render(f'x{{namespace="{rendered}"}}', VALUES, {})


@pytest.mark.parametrize("text", ["a < b", "a <bool b", "x < on (pod) y > 3", "a<b and c>d"])
def test_comparisons_are_not_taken_for_jinja(text: str) -> None:
    assert render(text, VALUES, {}) == text


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_untouched(text: str) -> None:
    if "<" not in text:
        assert render(text, VALUES, {}) == text


@given(st.lists(st.tuples(st.text(alphabet="ab {}\"'[]\n", max_size=6).filter(lambda text: "{{" not in text and not text.endswith("{")),
                          st.sampled_from(FUNCTIONS))))
def test_every_action_is_replaced_and_nothing_else(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"{literal}{{{{ {word} }}}}" for literal, word in parts)
    assert render(text, VALUES, {}) == "".join(literal + VALUES[word] for literal, word in parts)
