"""The portal's filters, operator by operator (facts/biconnector 5.9-5.11), and the two other shapes of the field."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from drivers.query import Between, Comparison, Condition, Contains, Group, IsNull, Like, OneOf
from gateway.calls import data_call
from gateway.errors import CallRefused
from gateway.filters import OPERATORS, read_filter
from services.contract.names import NameRefused, PublishedColumns
from tests.gateway.bodies import FORM, JSON, form_body

COLUMNS = PublishedColumns(
    [
        ("id", "int"),
        ("price", "double"),
        ("status", "string"),
        ("day", "date"),
        ("moment", "datetime"),
        ("logic", "int"),
    ]
)


def understood(filter_: Any, language: str = "ru") -> Condition | None:
    call = data_call(form_body({"table": "t", "filter": filter_}), FORM)
    return read_filter(call.filter, COLUMNS.resolve, language)


def understood_json(filter_: str) -> Condition | None:
    call = data_call(b'{"table": "t", "filter": ' + filter_.encode() + b"}", JSON)
    return read_filter(call.filter, COLUMNS.resolve, "ru")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# The operator table of facts/biconnector 5.9 seen from outside: key and value as they arrive, the condition they mean.
ROWS: list[tuple[str, Any, Condition]] = [
    ("ID", "5", Comparison("id", "=", 5)),
    ("=ID", "5", Comparison("id", "=", 5)),
    ("=ID", ["5"], Comparison("id", "=", 5)),
    ("=ID", ["5", "7"], OneOf("id", (5, 7))),
    ("=STATUS", ["new", "won"], OneOf("status", ("new", "won"))),
    ("!ID", "5", Comparison("id", "!=", 5)),
    ("!=ID", ["5"], Comparison("id", "!=", 5)),
    ("!=ID", ["5", "7"], OneOf("id", (5, 7), negated=True)),
    (">ID", ["5"], Comparison("id", ">", 5)),
    (">ID", ["5", "7"], Group("OR", (Comparison("id", ">", 5), Comparison("id", ">", 7)))),
    ("!>ID", ["5"], Comparison("id", "<=", 5)),
    ("!>ID", ["5", "7"], Group("AND", (Comparison("id", "<=", 5), Comparison("id", "<=", 7)))),
    (">=ID", "5", Comparison("id", ">=", 5)),
    ("!>=ID", "5", Comparison("id", "<", 5)),
    ("<ID", ["5"], Comparison("id", "<", 5)),
    ("!<ID", ["5"], Comparison("id", ">=", 5)),
    ("<=PRICE", "12.50", Comparison("price", "<=", Decimal("12.50"))),
    ("!<=PRICE", "1e3", Comparison("price", ">", 1000)),
    # What the endpoint shows of a double can be asked for, up to the largest and down to the smallest one.
    ("PRICE", "1e308", Comparison("price", "=", 10**308)),
    ("PRICE", "-1.7976931348623157e308", Comparison("price", "=", -17976931348623157 * 10**292)),
    ("PRICE", "5e-324", Comparison("price", "=", Decimal("5e-324"))),
    ("PRICE", "0.000e-999", Comparison("price", "=", 0)),
    ("%STATUS", "5%_\\", Contains("status", "5%_\\")),
    ("%STATUS", ["a", "b"], Group("OR", (Contains("status", "a"), Contains("status", "b")))),
    ("!%STATUS", ["a"], Contains("status", "a", negated=True)),
    ("!%STATUS", ["a", "b"], Group("AND", (Contains("status", "a", True), Contains("status", "b", True)))),
    ("%ID", "1", Contains("id", "1")),
    ("=%STATUS", "a%", Like("status", "a%")),
    ("%=STATUS", "a%", Like("status", "a%")),
    ("!=%STATUS", "a%", Like("status", "a%", negated=True)),
    ("!%=STATUS", "a%", Like("status", "a%", negated=True)),
    ("@ID", ["1", "2"], OneOf("id", (1, 2))),
    ("@ID", "1", Comparison("id", "=", 1)),
    ("!@ID", ["1", "2"], OneOf("id", (1, 2), negated=True)),
    ("><ID", ["1", "2"], Between("id", 1, 2)),
    ("!><PRICE", ["1.5", "2"], Between("price", Decimal("1.5"), 2, negated=True)),
    # The null tests (facts/biconnector 5.11): PHP's false is a scalar 0 or nothing; equality comes as a list.
    ("=ID", "0", IsNull("id")),
    ("=STATUS", "", IsNull("status")),
    ("=STATUS", False, IsNull("status")),
    ("DAY", "", IsNull("day")),
    ("!=ID", "0", IsNull("id", negated=True)),
    ("!=STATUS", "", IsNull("status", negated=True)),
    ("!DAY", "0", IsNull("day", negated=True)),
    ("=ID", ["0"], Comparison("id", "=", 0)),
    ("=STATUS", [""], Comparison("status", "=", "")),
    ("!=STATUS", ["0"], Comparison("status", "!=", "0")),
    (">ID", "0", Comparison("id", ">", 0)),
    ("%STATUS", "0", Contains("status", "0")),
    ("%STATUS", "", Contains("status", "")),
    # A date means its midnight; a moment within a day lies between two dates.
    (">=DAY", "31.12.2025", Comparison("day", ">=", date(2025, 12, 31))),
    ("<=DAY", "31.12.2025 23:59:59", Comparison("day", "<=", date(2025, 12, 31))),
    ("<DAY", "31.12.2025 23:59:59", Comparison("day", "<=", date(2025, 12, 31))),
    ("<DAY", "31.12.2025 00:00:00", Comparison("day", "<", date(2025, 12, 31))),
    (">=DAY", "31.12.2025 10:00:00", Comparison("day", ">", date(2025, 12, 31))),
    ("!>=DAY", "31.12.2025 10:00:00", Comparison("day", "<=", date(2025, 12, 31))),
    ("=DAY", ["31.12.2025 10:00:00"], OneOf("day", ())),
    ("!=DAY", ["31.12.2025 10:00:00", "30.12.2025"], Comparison("day", "!=", date(2025, 12, 30))),
    ("><DAY", ["30.12.2025 00:00:01", "31.12.2025 23:59:59"], Between("day", date(2025, 12, 31), date(2025, 12, 31))),
    ("><DAY", ["31.12.9999 00:00:01", "31.12.9999 23:59:59"], OneOf("day", ())),
    ("!><DAY", ["31.12.9999 00:00:01", "31.12.9999 23:59:59"], OneOf("day", (), negated=True)),
    (">=MOMENT", "31.12.2025", Comparison("moment", ">=", moment("2025-12-31"))),
    ("<=MOMENT", "31.12.2025 23:59:59", Comparison("moment", "<=", moment("2025-12-31 23:59:59"))),
    # Between two whole numbers lies no value of an `int` column.
    ("=ID", ["1.5"], OneOf("id", ())),
    ("!@ID", ["1.5", "2.0"], Comparison("id", "!=", 2)),
    (">=ID", "-1.5", Comparison("id", ">", -2)),
    ("!>ID", "9007199254740992.5", Comparison("id", "<=", 9007199254740992)),
    ("><ID", ["0.5", "2.5"], Between("id", 1, 2)),
    # A column called like the portal's word for joining is published under another name.
    ("=LOGIC_2", ["1"], Comparison("logic", "=", 1)),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "condition"), ROWS)
def test_a_condition_means_what_the_facts_say(key: str, value: Any, condition: Condition) -> None:
    assert understood({key: value}) == condition


def test_every_operator_of_the_table_is_tested() -> None:
    def prefix(key: str) -> str:
        return next(key[:length] for length in (3, 2, 1, 0) if key[:length] in OPERATORS)

    assert {prefix(key) for key, _, _ in ROWS} == OPERATORS.keys()


def test_a_dashboards_date_range_and_a_charts_groups_are_joined() -> None:
    # facts/biconnector 5.10 and 5.11 as one call
    body = (
        b"table=t&filter[>%3DMOMENT]=01.12.2025&filter[<%3DMOMENT]=31.12.2025+23:59:59"
        b"&filter[0][LOGIC]=OR&filter[0][0][%3DSTATUS][0]=new&filter[0][0][%3DSTATUS][1]=won&filter[0][1][!%25STATUS][0]=x"
        b"&filter[1][LOGIC]=OR&filter[1][><ID][0]=1&filter[1][><ID][1]=9&filter[1][%3DPRICE]=0"
    )
    assert read_filter(data_call(body, FORM).filter, COLUMNS.resolve, "ru") == Group(
        "AND",
        (
            Comparison("moment", ">=", moment("2025-12-01")),
            Comparison("moment", "<=", moment("2025-12-31 23:59:59")),
            Group("OR", (OneOf("status", ("new", "won")), Contains("status", "x", negated=True))),
            Group("OR", (Between("id", 1, 9), IsNull("price"))),
        ),
    )


@pytest.mark.parametrize(
    ("word", "logic"), [({}, "AND"), ({"LOGIC": "AND"}, "AND"), ({"logic": "or"}, "OR"), ({"LOGIC": "OR"}, "OR")]
)
def test_groups_are_joined_by_their_logic_and_by_and_without_one(word: dict[str, str], logic: str) -> None:
    # facts/field 1: a peer joins the group itself by OR, so that A AND (B OR C) becomes A OR B OR C
    inner = {**word, "=ID": ["1"], "0": {"=STATUS": ["a"]}}
    assert understood({"=PRICE": ["2"], "5": inner}) == Group(
        "AND",
        (
            Comparison("price", "=", 2),
            Group("AND" if logic == "AND" else "OR", (Comparison("id", "=", 1), Comparison("status", "=", "a"))),
        ),
    )


def test_the_root_may_have_a_logic_of_its_own() -> None:
    assert understood({"LOGIC": "OR", "=ID": ["1"], "!ID": ["2"]}) == Group(
        "OR", (Comparison("id", "=", 1), Comparison("id", "!=", 2))
    )


def test_no_filter_is_no_condition() -> None:
    assert understood({}) is None


# Both other shapes (facts/field 0 item 7), with the operator words that their senders use.
SPELLED: list[tuple[Any, Condition]] = [
    ({"ID": {"operator": "=", "value": "5"}}, Comparison("id", "=", 5)),
    ({"ID": {"operator": "=", "value": "0"}}, Comparison("id", "=", 0)),
    ({"STATUS": {"operator": "=", "value": ""}}, Comparison("status", "=", "")),
    ({"ID": {"operator": "<>", "value": "5"}}, Comparison("id", "!=", 5)),
    ({"ID": {"operator": "neq", "value": "5"}}, Comparison("id", "!=", 5)),
    ({"ID": {"operator": "GTE", "value": "5"}}, Comparison("id", ">=", 5)),
    ({"ID": {"OPERATOR": "!>", "VALUE": ["5"]}}, Comparison("id", "<=", 5)),
    ({"ID": {"operator": "NOT IN", "value": ["5", "6"]}}, OneOf("id", (5, 6), negated=True)),
    ({"ID": {"operator": "BETWEEN", "from": "1", "to": "2"}}, Between("id", 1, 2)),
    ({"ID": {"operator": "><", "value": ["1", "2"]}}, Between("id", 1, 2)),
    ({"STATUS": {"operator": "LIKE", "value": "a%"}}, Like("status", "a%")),
    ({"STATUS": {"operator": "NOT LIKE", "value": "a%"}}, Like("status", "a%", negated=True)),
    ({"ID": {"operator": "IS NULL"}}, IsNull("id")),
    ({"ID": {"operator": "IS NOT NULL", "value": ""}}, IsNull("id", negated=True)),
    ([{"COLUMN": "ID", "OPERATOR": "EQUALS", "VALUE": "0"}], Comparison("id", "=", 0)),
    ([{"COLUMN": "ID", "OPERATOR": "NOT_EQUALS", "VALUE": "1"}], Comparison("id", "!=", 1)),
    ([{"COLUMN": "ID", "OPERATOR": "IN_LIST", "VALUE": ["1", "2"]}], OneOf("id", (1, 2))),
    ([{"COLUMN": "ID", "OPERATOR": "NOT_BETWEEN", "VALUE": ["1", "2"]}], Between("id", 1, 2, negated=True)),
    ([{"COLUMN": "ID", "OPERATOR": "NUMERIC_GREATER_THAN", "VALUE": ["1"]}], Comparison("id", ">", 1)),
    ([{"COLUMN": "ID", "OPERATOR": "NOT_NUMERIC_LESS_THAN_OR_EQUAL", "VALUE": ["1"]}], Comparison("id", ">", 1)),
    ([{"COLUMN": "ID", "OPERATOR": "IS_NULL"}], IsNull("id")),
    ([{"column": "ID", "operator": "NOT_IS_NULL", "value": "0"}], IsNull("id", negated=True)),
    (
        [
            {"COLUMN": "MOMENT", "OPERATOR": "DATE_GREATER_THAN_OR_EQUAL", "VALUE": "2025-12-01T00:00:00"},
            {"COLUMN": "MOMENT", "OPERATOR": "DATE_LESS_THAN_OR_EQUAL", "VALUE": "2025-12-31T23:59:59"},
        ],
        Group(
            "AND",
            (
                Comparison("moment", ">=", moment("2025-12-01")),
                Comparison("moment", "<=", moment("2025-12-31 23:59:59")),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("filter_", "condition"), SPELLED)
def test_the_two_other_shapes_are_read(filter_: Any, condition: Condition) -> None:
    assert understood(filter_) == condition


JSON_ROWS: list[tuple[str, Condition]] = [
    ('{"=ID": 0}', IsNull("id")),
    ('{"=ID": false}', IsNull("id")),
    ('{"!=ID": false}', IsNull("id", negated=True)),
    ('{"=ID": [0]}', Comparison("id", "=", 0)),
    ('{"=ID": true}', Comparison("id", "=", 1)),
    ('{"=ID": [true, false]}', OneOf("id", (1, 0))),
    # An empty list selects nothing; its negation leaves nothing out but NULL. A form loses empty lists on the way.
    ('{"=ID": []}', OneOf("id", ())),
    ('{"@ID": []}', OneOf("id", ())),
    ('{">ID": []}', OneOf("id", ())),
    ('{"%STATUS": []}', OneOf("status", ())),
    ('{"!@ID": []}', OneOf("id", (), negated=True)),
    ('{"=PRICE": [0.100000000000000005551115]}', Comparison("price", "=", Decimal("0.100000000000000005551115"))),
    ('{"=ID": [9007199254740993]}', Comparison("id", "=", 9007199254740993)),
    ('[{"COLUMN": "ID", "OPERATOR": "IS_NULL", "VALUE": null}]', IsNull("id")),
]  # fmt: skip


@pytest.mark.parametrize(("filter_", "condition"), JSON_ROWS)
def test_json_means_what_a_form_means(filter_: str, condition: Condition) -> None:
    assert understood_json(filter_) == condition


REFUSED: list[tuple[Any, str]] = [
    # Columns that do not exist are never dropped (facts/biconnector 5.7a).
    ({"=MISSING": ["1"]}, "unknown_column"),
    ({"MISSING": ""}, "unknown_column"),
    ({"=": "1"}, "unknown_column"),
    ({"": "1"}, "filter"),
    ({"0": {"LOGIC": "OR", "=ID": ["1"], "=MISSING": ["1"]}}, "unknown_column"),
    ([{"COLUMN": "MISSING", "OPERATOR": "EQUALS", "VALUE": "1"}], "unknown_column"),
    # Operators that nobody knows are not read as another one.
    ({"==ID": "1"}, "unknown_column"),
    ({"!!ID": "1"}, "unknown_column"),
    ({"<>ID": "1"}, "unknown_column"),
    ({"~ID": "1"}, "unknown_column"),
    ({"=>ID": "1"}, "unknown_column"),
    ({"ID": {"operator": "REGEXP", "value": "1"}}, "operator"),
    ({"ID": {"operator": "NOT_NOT_IN", "value": "1"}}, "operator"),
    ({"ID": {"operator": "", "value": "1"}}, "operator"),
    ({"ID": {"operator": ["="], "value": "1"}}, "operator"),
    ([{"COLUMN": "ID", "OPERATOR": "REGEXP_PARTIAL_MATCH", "VALUE": "1"}], "operator"),
    # Values that do not fit.
    ({"=ID": ["one"]}, "value"),
    ({"=ID": [""]}, "value"),
    ({"=ID": ["1,5"]}, "value"),
    ({"=ID": ["0x10"]}, "value"),
    ({"=ID": ["NaN"]}, "value"),
    ({"=ID": ["1_000"]}, "value"),
    ({"=ID": ["\u0661"]}, "value"),
    ({">PRICE": "inf"}, "value"),
    ({">PRICE": ""}, "value"),
    ({">PRICE": "1e309"}, "value"),
    ({"PRICE": "-1.7976931348623158e308"}, "value"),
    # PostgreSQL fails on a number that is zero to a double and yet is not zero.
    ({"PRICE": "1e-400"}, "value"),
    ({"=ID": ["9" * 400]}, "value"),
    ({"=ID": {"a": "1"}}, "value"),
    ({"=ID": {"0": {"0": "1"}}}, "value"),
    ({"ID": {"value": "1"}}, "value"),
    ({">ID": {"operator": "=", "value": "1"}}, "value"),
    ({"ID": {"operator": "="}}, "value"),
    ({"ID": {"operator": "IS NULL", "value": "5"}}, "value"),
    ([{"COLUMN": "ID", "OPERATOR": "EQUALS"}], "value"),
    # A BETWEEN with one end is not a BETWEEN (facts/field 1: a peer drops it and answers more rows).
    ({"><ID": "1"}, "value"),
    ({"><ID": ["1"]}, "value"),
    ({"><ID": ["1", "2", "3"]}, "value"),
    ({"ID": {"operator": "BETWEEN", "from": "1"}}, "filter"),
    ({"ID": {"operator": "BETWEEN", "from": "1", "to": "2", "value": "3"}}, "filter"),
    ({"ID": {"operator": "=", "value": "1", "extra": "2"}}, "filter"),
    ({"ID": {"operator": "=", "OPERATOR": ">", "value": "1"}}, "filter"),
    # Dates.
    ({">=DAY": "yesterday"}, "date"),
    ({">=MOMENT": "31.02.2025"}, "date"),
    ({">=DAY": ["31/12/2025"], "<=MOMENT": ["12/31/2025"]}, "date_order"),
    # Groups.
    ({"0": "1"}, "filter"),
    ({"0": ""}, "filter"),
    ({"0": {"LOGIC": "OR"}}, "empty_group"),
    ({"LOGIC": "AND"}, "empty_group"),
    ({"0": {"LOGIC": "XOR", "=ID": ["1"]}}, "filter"),
    ({"0": {"LOGIC": ["OR"], "=ID": ["1"]}}, "filter"),
    ({"LOGIC": "OR", "logic": "AND", "=ID": ["1"]}, "filter"),
    ([{"COLUMN": ["ID"], "OPERATOR": "EQUALS", "VALUE": "1"}], "filter"),
    ([{"COLUMN": "ID", "OPERATOR": "EQUALS", "VALUE": "1", "MORE": "1"}], "unknown_column"),
]  # fmt: skip


@pytest.mark.parametrize(("filter_", "code"), REFUSED)
def test_what_is_not_understood_is_refused(filter_: Any, code: str) -> None:
    with pytest.raises((CallRefused, NameRefused)) as refusal:
        understood(filter_)
    assert isinstance(refusal.value, CallRefused | NameRefused)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("filter_", "code"),
    [
        ('{"=ID": null}', "value"),
        ('{"=ID": [1, null]}', "value"),
        ('{"0": null}', "filter"),
        ('{"0": []}', "empty_group"),
        ('{"=STATUS": [true]}', "value"),
        ('{"%STATUS": false}', "value"),
        ('{">=DAY": true}', "value"),
        ('{"LOGIC": true, "=ID": [1]}', "filter"),
    ],
)
def test_what_only_json_can_say_wrongly_is_refused(filter_: str, code: str) -> None:
    with pytest.raises(CallRefused) as refusal:
        understood_json(filter_)
    assert refusal.value.code == code


def test_a_refusal_names_columns_but_never_values() -> None:
    with pytest.raises(CallRefused) as refusal:
        understood({"=ID": ["secret-value"]})
    assert (refusal.value.code, refusal.value.name) == ("value", "ID")
    assert "secret" not in str(refusal.value)


def test_slash_dates_are_read_in_the_portals_language() -> None:
    asked = {">=DAY": "03/04/2025"}
    assert understood(asked, "en") == Comparison("day", ">=", date(2025, 3, 4))
    assert understood(asked, "br") == Comparison("day", ">=", date(2025, 4, 3))
    with pytest.raises(CallRefused, match="date_order"):
        understood(asked, "")


def test_a_text_column_may_hold_what_looks_like_a_date() -> None:
    asked = {"=STATUS": ["31/12/2025"], "%STATUS": ["12/31/2025"], ">=DAY": "03/04/2025"}
    assert understood(asked, "en") == Group(
        "AND",
        (
            Comparison("status", "=", "31/12/2025"),
            Contains("status", "12/31/2025"),
            Comparison("day", ">=", date(2025, 3, 4)),
        ),
    )
