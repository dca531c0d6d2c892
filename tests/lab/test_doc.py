"""YAML with its lines: values as kubectl reads them, and refusals with their places."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.lab.doc import path_text, read, read_all


def errors(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_all(text, "lab.yaml")
    return caught.value.text("en")


def test_values_are_those_of_yaml_1_1_without_dates_and_base_60() -> None:
    text = """
on: [yes, No, true, 0777, 0x10, 1_000, 1.5, .5, 1e3]
off: [2026-11-21, "10:20:30", 10:20:30, 0a:58:0a:f4:01:05, ~, null, "", 'yes']
"""
    assert read(text, "f").value == {
        "on": [True, False, True, 511, 16, 1000, 1.5, 0.5, 1000.0],
        "off": ["2026-11-21", "10:20:30", "10:20:30", "0a:58:0a:f4:01:05", None, None, "", "yes"],
    }


def test_lines_are_those_of_keys_and_items() -> None:
    doc = read("nodes:\n  - name: a\n  - {name: b,\n     ip: x}\n", "lab.yaml")
    assert doc.where(("nodes", 1, "ip")) == "lab.yaml:4: nodes[1].ip"
    assert doc.where(("nodes", 0, "nothing")) == "lab.yaml:2: nodes[0].nothing"
    assert doc.where(()) == "lab.yaml:1"


def test_anchors_and_merges_are_expanded() -> None:
    doc = read("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}\nd: *a\n", "f")
    assert doc.value["b"] == {"x": 1, "y": 3}
    assert doc.value["c"] == {"x": 1, "y": 2, "z": 4}
    assert doc.value["d"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n\t- b", "lab.yaml:2: a tab stands where YAML wants spaces; indent with spaces"),
        ("a: 1\nb: 2\na: 3\n", "lab.yaml:3: a: the key 'a' is here twice (first in line 1); keep one"),
        (
            "a:\n  - {b: 1, b: 2}\n",
            "lab.yaml:2: a[0].b: the key 'b' is here twice (first in line 2); keep one",
        ),
        ("x: *y", "lab.yaml:1: x: *y refers to an anchor that is not defined above it; write &y first"),
        (
            "x: &x [*x]",
            "lab.yaml:1: x[0]: *x refers to an anchor that is not defined above it; write &x first",
        ),
        (
            "x: !!python/object/apply:os.system [ls]",
            "lab.yaml:1: x: the tag tag:yaml.org,2002:python/object/apply:os.system is not accepted; "
            "write the value without a tag",
        ),
        ("? [a]\n: b", "lab.yaml:1: a key must be a word, found a list"),
        ("x: {<<: 3}", "lab.yaml:1: x.<<: `<<` merges a mapping or a list of mappings, found 3"),
        ("[" * 100, "lab.yaml:1: [0][0][0][0]: nested deeper than 64 levels; no lab needs that"),
    ],
)
def test_refusals_name_the_place_and_what_to_do(text: str, error: str) -> None:
    assert errors(text) == error


def test_every_duplicate_key_is_named_at_once() -> None:
    assert len(errors("a: 1\na: 2\nb: 1\nb: 2\n").splitlines()) == 2


def test_a_yaml_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "is this a YAML bomb?" in errors("\n".join(lines))


def test_path_text() -> None:
    assert path_text(("nodes", 2, "ip", 0)) == "nodes[2].ip[0]"


@given(st.text())
def test_no_text_gives_a_traceback(text: str) -> None:
    try:
        docs = read_all(text, "f")
    except InputError as error:
        assert error.text("en")
        assert error.text("ko")
    else:
        json.dumps([d.value for d in docs])


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                ":",
                " ",
                "\n",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                "&x ",
                "*x",
                "<<",
                "!!str",
                "|",
                ">",
                "'",
                '"',
                "#",
                "\t",
                "---\n",
                "? ",
            ]
        )
    )
)
def test_no_heap_of_yaml_signs_gives_a_traceback(parts: list[str]) -> None:
    try:
        read_all("".join(parts), "f")
    except InputError as error:
        assert error.problems
