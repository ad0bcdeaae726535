"""PHP's bracket notation, both ways (facts/biconnector 5.1, facts/platform 4)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import brackets

ENCODED: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"table": "sales", "limit": 100}, [("table", "sales"), ("limit", "100")]),
    ({"select": ["ID", "A B"]}, [("select[0]", "ID"), ("select[1]", "A B")]),
    ({"connection": {"a[b]": "s&c"}}, [("connection[a[b]]", "s&c")]),
    ({"filter": {"=A": False}}, [("filter[=A]", "0")]),
    ({"filter": {"=A": True}}, [("filter[=A]", "1")]),
    ({"searchString": None, "connection": {}}, []),
    ({"searchString": ""}, [("searchString", "")]),
    (
        {"filter": {"0": {"LOGIC": "OR", "0": {"=STATUS": ["new", "won"]}}}},
        [
            ("filter[0][LOGIC]", "OR"),
            ("filter[0][0][=STATUS][0]", "new"),
            ("filter[0][0][=STATUS][1]", "won"),
        ],
    ),
]


@pytest.mark.parametrize(("data", "pairs"), ENCODED)
def test_encoding_is_that_of_http_build_query(data: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    """facts/biconnector 5.1: false arrives as 0, null is left out."""
    assert brackets.encode(data) == pairs


DECODED: list[tuple[str, dict[str, Any]]] = [
    ("a=1&a=2", {"a": "2"}),
    ("a[]=1&a[]=2", {"a": ["1", "2"]}),
    ("a[5]=x&a[]=y", {"a": {"5": "x", "6": "y"}}),
    ("a[1]=x&a[0]=y", {"a": {"1": "x", "0": "y"}}),
    ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
    ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
    ("a=1&a[b]=2", {"a": {"b": "2"}}),
    ("a[b=1", {"a[b": "1"}),
    ("[b]=1", {"[b]": "1"}),
    ("a]=1", {"a]": "1"}),
    ("a[b]c=1", {"a": {"b": "1"}}),
    ("filter[%3E%3DSUM]=5&filter[0][LOGIC]=OR", {"filter": {">=SUM": "5", "0": {"LOGIC": "OR"}}}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "data"), DECODED)
def test_decoding_follows_php(text: str, data: dict[str, Any]) -> None:
    assert brackets.decode(parse_qsl(text, keep_blank_values=True)) == data


NAMES = st.text(st.characters(blacklist_characters="[]", blacklist_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.isdigit()
)
TREES = st.recursive(
    st.text(st.characters(blacklist_categories=["Cs"])),
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(NAMES, inner, min_size=1, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_what_was_encoded_is_decoded(data: dict[str, Any]) -> None:
    wire = urlencode(brackets.encode(data))
    assert brackets.decode(parse_qsl(wire, keep_blank_values=True)) == data
