"""facts/biconnector 1.1 and 1.6: values as portals write them, read leniently."""

from __future__ import annotations

import json
from typing import Any

import pytest

from errors import PortalRefused, PortalUnreachable
from services.bi.listing import boolean, id_of, integer, item_of, text
from services.portal_api import Reply
from services.portal_api.replies import judge


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("11", 11),
        (11, 11),
        ("-3", -3),
        ("", 0),
        (None, 0),
        ("one", 0),
        ("1.5", 0),
        ("٣", 0),
        (True, 0),
        ([], 0),
        ("--1", 0),
        ("9" * 21, 0),
    ],
)
def test_numbers_may_be_texts(value: Any, number: int) -> None:
    assert integer(value) == number


@pytest.mark.parametrize(
    ("value", "flag"), [(True, True), ("Y", True), ("1", True), (1, True), ("N", False), (False, False), (None, False)]
)
def test_flags_may_be_letters(value: Any, flag: bool) -> None:
    assert boolean(value) is flag


def test_null_is_an_empty_text() -> None:
    assert (text(None), text(5), text("x")) == ("", "5", "x")


@pytest.mark.parametrize("sign", [0xD800, 0xDFFF, 0])
def test_what_no_page_can_hold_is_replaced(sign: int) -> None:
    """JSON's escapes carry halves of surrogate pairs, which cannot be sent to a browser."""
    value = f"a{chr(sign)}b"
    assert text(value) == "a\N{REPLACEMENT CHARACTER}b"
    answer = {"error": "VALIDATION_UNKNOWN_PARAMETERS", "error_description": f"Unknown parameters: {value}"}
    with pytest.raises(PortalRefused) as refused:
        judge("biconnector.connector.add", Reply(200, {}, json.dumps(answer).encode()))
    assert refused.value.description == "Unknown parameters: a\N{REPLACEMENT CHARACTER}b"


def test_whole_pairs_stay() -> None:
    assert text("\N{GRINNING FACE} д") == "\N{GRINNING FACE} д"


@pytest.mark.parametrize("result", [{"id": 4}, {"id": "4"}, 4])
def test_the_id_of_a_new_object_stands_in_result_id(result: Any) -> None:
    """facts/api 1.3: a table says that `result` itself is the id."""
    assert id_of(result) == 4


@pytest.mark.parametrize("result", [True, {}, {"id": None}, {"id": 0}, [], "x", None])
def test_an_add_without_an_id_is_a_broken_answer(result: Any) -> None:
    with pytest.raises(PortalUnreachable):
        id_of(result)


@pytest.mark.parametrize("result", [True, {}, {"item": None}, [], None])
def test_a_get_without_an_item_is_a_broken_answer(result: Any) -> None:
    with pytest.raises(PortalUnreachable):
        item_of(result)
