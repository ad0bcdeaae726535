"""The body of a call becomes a frozen call, whichever of the two spellings it came in (facts/biconnector 5)."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calls import (
    MOST_BYTES,
    CheckCall,
    DataCall,
    TableDescriptionCall,
    TableListCall,
    check_call,
    data_call,
    read_tree,
    table_description_call,
    table_list_call,
)
from gateway.errors import CallRefused
from tests.fuzz import cases
from tests.gateway.bodies import FORM, JSON, form_body


def test_the_documented_form_of_portals_is_read() -> None:
    # facts/biconnector 5.1, letter by letter
    body = b"table=sales&limit=100&select[0]=ID&connection[login]=user&connection[password]=s%26cret"
    assert data_call(body, FORM) == DataCall(
        connection={"login": "user", "password": "s&cret"},
        table="sales",
        select=("ID",),
        filter={},
        limit=100,
        map_fields={},
    )


CALL = {
    "table": "sales",
    "limit": "7",
    "select": ["ORDER_ID", "AMOUNT", "ORDER_ID"],
    "filter": {
        ">=CREATED": "31.12.2025",
        "0": {"LOGIC": "OR", "0": {"=STATUS": ["new", "won"]}, "1": {"!%NAME": ["x&y=z"]}},
    },
    "mapFields": {"Сумма, ₽ [netto]": "AMOUNT"},
    "connection": {"key": "bxs1_abc", "strange ]key[": "a[b]=c&d"},
}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form_body(CALL), FORM),
        (form_body(CALL), FORM + "; charset=UTF-8"),
        (form_body(CALL), ""),
        (json.dumps(CALL).encode(), JSON),
        (json.dumps(CALL).encode(), "application/json; charset=utf-8"),
        (json.dumps(CALL).encode(), FORM),
        (b"\xef\xbb\xbf" + json.dumps(CALL, ensure_ascii=False).encode(), JSON),
    ],
)
def test_form_and_json_mean_the_same(body: bytes, content_type: str) -> None:
    call = data_call(body, content_type)
    assert call.table == "sales"
    assert call.limit == 7
    assert call.select == ("ORDER_ID", "AMOUNT", "ORDER_ID")
    assert call.connection == CALL["connection"]
    assert call.map_fields == CALL["mapFields"]
    assert call.filter == {
        ">=CREATED": "31.12.2025",
        "0": {"LOGIC": "OR", "0": {"=STATUS": {"0": "new", "1": "won"}}, "1": {"!%NAME": {"0": "x&y=z"}}},
    }


def test_brackets_need_not_be_escaped() -> None:
    call = data_call(b"table=t&filter[0][LOGIC]=OR&filter[0][0][=STATUS][0]=a=b&filter[>=DAY]=1=1", FORM)
    assert call.filter == {"0": {"LOGIC": "OR", "0": {"=STATUS": {"0": "a=b"}}}, ">=DAY": "1=1"}


@pytest.mark.parametrize("limit", ["limit=", "limit=0", "limit=000", "x=1"])
def test_no_limit_means_all_rows(limit: str) -> None:
    assert data_call(f"table=t&{limit}".encode(), FORM).limit is None


@pytest.mark.parametrize("limit", [0, None, "", "0"])
def test_no_limit_in_json_means_all_rows(limit: object) -> None:
    assert data_call(json.dumps({"table": "t", "limit": limit}).encode(), JSON).limit is None


@pytest.mark.parametrize("limit", ["-1", "ten", "1.5", "1e3", "9223372036854775808", "٣", "9" * 5000, "0x10", "1_000"])
def test_a_limit_that_is_no_count_is_refused(limit: str) -> None:
    with pytest.raises(CallRefused, match="limit"):
        data_call(form_body({"table": "t", "limit": limit}), FORM)


def test_numbers_of_json_keep_every_digit() -> None:
    tree = read_tree(b'{"a": 9007199254740993, "b": 0.1000000000000000055511151231257827, "c": 1e400}', JSON)
    assert tree == {"a": "9007199254740993", "b": "0.1000000000000000055511151231257827", "c": "1e400"}


@pytest.mark.parametrize("body", [b"", b"select=&filter=&mapFields=&connection="])
def test_everything_but_the_table_may_be_missing(body: bytes) -> None:
    assert data_call(b"table=t&" + body, FORM) == DataCall({}, "t", None, {}, None, {})


@pytest.mark.parametrize("call", [{}, {"table": ""}, {"name": "sales"}, {"table": None}])
def test_data_of_no_table_is_refused(call: dict[str, Any]) -> None:
    with pytest.raises(CallRefused, match="missing_table"):
        data_call(json.dumps(call).encode(), JSON)


@pytest.mark.parametrize("body", [b"table=sales", b"name=sales", b"name=sales&table=", b"table=sales&name=other"])
def test_a_description_takes_table_or_name(body: bytes) -> None:
    # facts/biconnector 5.6
    assert table_description_call(body, FORM) == TableDescriptionCall({}, "sales")


@pytest.mark.parametrize(
    ("body", "search"), [(b"", ""), (b"searchString=", ""), (b"searchString=%D0%B7%25", "з%"), (b"x[y]=1", "")]
)
def test_a_search_may_be_missing_or_empty(body: bytes, search: str) -> None:
    # facts/biconnector 5.5
    assert table_list_call(body, FORM) == TableListCall({}, search)


def test_a_check_carries_the_connection_only() -> None:
    assert check_call(b"connection[key]=k+1", FORM) == CheckCall({"key": "k 1"})
    assert check_call(b'{"connection": {"key": "k", "port": 5432, "left": null}}', JSON) == CheckCall(
        {"key": "k", "port": "5432"}
    )


def test_selected_names_keep_the_order_in_which_they_came() -> None:
    assert data_call(b"table=t&select[1]=B&select[0]=A", FORM).select == ("B", "A")
    assert data_call(b"table=t&select[]=B&select[]=A", FORM).select == ("B", "A")


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"table=t&table=u", FORM, "duplicate_key"),
        (b"table=t&filter[=A]=1&filter[=A]=2", FORM, "duplicate_key"),
        (b"table=t&filter=1&filter[=A]=2", FORM, "duplicate_key"),
        (b"table=t&filter[=A]=2&filter=1", FORM, "duplicate_key"),
        (b'{"table": "t", "table": "u"}', JSON, "duplicate_key"),
        (b'{"table": "t", "filter": {"=A": 1, "=A": 2}}', JSON, "duplicate_key"),
        (b"table=t&filter=ID%3D1", FORM, "parameter"),
        (b"table=t&select=ID", FORM, "parameter"),
        (b"table=t&select[0][x]=ID", FORM, "parameter"),
        (b"table=t&select[0]=", FORM, "parameter"),
        (b"table=t&select[first]=ID", FORM, "parameter"),
        (b"table[0]=t", FORM, "parameter"),
        (b"table=t&filter[a=1", FORM, "form"),
        (b"table=t&filter%5Ba=1", FORM, "form"),
        (b"table=t&[a]=1", FORM, "form"),
        (b"table=t%00", FORM, "encoding"),
        (b"table=%ff", FORM, "encoding"),
        (b"table=\xff", FORM, "encoding"),
        (b'{"table": "\\ud800"}', JSON, "encoding"),
        (b'{"table": "a\\u0000"}', JSON, "encoding"),
        (b'{"table": "t", "limit": NaN}', JSON, "json"),
        (b'{"table": "t"', JSON, "json"),
        (b'["t"]', JSON, "json"),
        (b"", JSON, "json"),
        (b"<call/>", "text/xml", "content_type"),
        (b"table=t", "multipart/form-data; boundary=x", "content_type"),
        (b'{"table": "t", "connection": {"a": {"b": 1}}}', JSON, "parameter"),
        (b'{"table": "t", "connection": {"a": true}}', JSON, "parameter"),
        (b"table=" + b"t" * MOST_BYTES, FORM, "body_too_big"),
        (b"&".join(b"filter[%d]=1" % index for index in range(5001)), FORM, "too_many_keys"),
        (json.dumps({"filter": {str(index): 1 for index in range(5000)}}).encode(), JSON, "too_many_keys"),
        (b"table=t&filter" + b"[0]" * 9 + b"=1", FORM, "body_too_deep"),
        (b'{"table":"t","filter":' + b'{"0":' * 9 + b"1" + b"}" * 10, JSON, "body_too_deep"),
        (b'{"a":' * 400_000, JSON, "json"),
        (b'{"a":' + b"[" * 1_000_000, JSON, "json"),
    ],
)
def test_a_body_with_no_reading_or_two_is_refused(body: bytes, content_type: str, code: str) -> None:
    with pytest.raises(CallRefused) as refusal:
        data_call(body, content_type)
    assert refusal.value.code == code


def test_eight_levels_are_read() -> None:
    form = data_call(b"table=t&filter" + b"[0]" * 8 + b"=1", FORM)
    assert form == data_call(b'{"table":"t","filter":' + b'{"0":' * 8 + b"1" + b"}" * 9, JSON)


def test_a_huge_number_as_key_is_a_key_and_costs_nothing() -> None:
    # facts/security 1 row 17
    tracemalloc.start()
    try:
        call = data_call(b"table=t&filter[999999999999]=1&filter[]=2&filter[" + b"9" * 9000 + b"]=3", FORM)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert list(call.filter) == ["999999999999", "1000000000000", "9" * 9000]


READERS: list[Callable[[bytes, str], object]] = [check_call, table_list_call, table_description_call, data_call]
BYTES = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet='abtle=&[]%0+5BDfilter;{}:",1é\x00', max_size=200).map(lambda text: text.encode()),
)


@given(body=BYTES, content_type=st.sampled_from([FORM, JSON, "", "text/plain"]), reader=st.sampled_from(READERS))
@settings(max_examples=cases(3000))
def test_any_body_is_read_or_refused_and_nothing_else(
    body: bytes, content_type: str, reader: Callable[[bytes, str], object]
) -> None:
    with contextlib.suppress(CallRefused):
        reader(body, content_type)


KEYS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00[]"), min_size=1, max_size=6)
LEAVES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
TREES = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda t: st.dictionaries(KEYS, t, min_size=1, max_size=3)), max_size=4
)


@given(filter_=TREES)
@settings(max_examples=cases(500))
def test_a_form_carries_what_json_carries(filter_: dict[str, Any]) -> None:
    call = {"table": "t", "filter": filter_}

    def outcome(body: bytes, content_type: str) -> object:
        try:
            return data_call(body, content_type)
        except CallRefused as refusal:
            return refusal.code

    assert outcome(form_body(call), FORM) == outcome(json.dumps(call).encode(), JSON)
