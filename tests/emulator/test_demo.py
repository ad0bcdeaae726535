"""The demonstration: deterministic sales data, an endpoint that answers filters rightly, objects over both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse

from emulator import brackets, demo_data
from emulator.config import EmulatorConfig
from emulator.queries import Condition, DataQuery, DateRange
from emulator.server import start
from tests.emulator.portals import EmulatedPortal
from tests.waiting import HANG

CONNECTION = {"login": "demo", "password": "demo"}
ORDERS = demo_data.tables()["sales_orders"]
AT = {column.code: position for position, column in enumerate(ORDERS.columns)}


def ask(emulated: EmulatedPortal, endpoint: str = "data", **form: Any) -> TestResponse:
    """Post a bracketed form to the demonstration endpoint."""
    whole = {"connection": CONNECTION, "table": "sales_orders", **form}
    return emulated.http.post(f"/_demo/{endpoint}", data=dict(brackets.encode(whole)))


def numbers(emulated: EmulatedPortal, **form: Any) -> list[int]:
    """The numbers of the orders that an answer holds."""
    answer = ask(emulated, select=["ORDER_ID"], **form)
    assert answer.status_code == 200, answer.text
    header, *rows = answer.get_json()
    assert header == ["ORDER_ID"]
    return [row[0] for row in rows]


def expected(condition: Callable[[dict[str, Any]], bool]) -> list[int]:
    """The numbers of the orders that meet a condition in plain Python."""
    names = [column.code for column in ORDERS.columns]
    return [row[0] for row in ORDERS.rows if condition(dict(zip(names, row, strict=True)))]


def test_the_data_are_the_same_on_every_start() -> None:
    first = demo_data.tables.__wrapped__()
    assert first == demo_data.tables.__wrapped__()
    assert len(ORDERS.rows) == 800
    days = [row[AT["ORDER_DATE"]] for row in ORDERS.rows]
    assert (min(days).year, max(days).year) == (2024, 2026)
    assert days == sorted(days)
    assert {None} < {row[AT["DELIVERED_ON"]] for row in ORDERS.rows}
    assert all(len(row) == len(table.columns) for table in first.values() for row in table.rows)


@pytest.mark.parametrize("endpoint", ["check", "tables", "description", "data"])
@pytest.mark.parametrize(
    "connection", [{}, {"login": "demo"}, {"login": "demo", "password": "x"}, {"login": "Demo", "password": "demo"}]
)
def test_a_wrong_password_is_403(emulated: EmulatedPortal, endpoint: str, connection: dict[str, str]) -> None:
    """facts/biconnector 5.2: a failed check must not be a 200."""
    assert ask(emulated, endpoint, connection=connection).status_code == 403


def test_check_tables_and_description(emulated: EmulatedPortal) -> None:
    assert ask(emulated, "check").status_code == 200
    assert [table["code"] for table in ask(emulated, "tables", searchString="ORD").get_json()] == ["sales_orders"]
    assert len(ask(emulated, "tables", searchString="").get_json()) == 2
    columns = ask(emulated, "description").get_json()
    assert columns[0] == {"code": "ORDER_ID", "name": "Order number", "type": "int"}
    assert ask(emulated, "description", table=None, name="customers").status_code == 200
    assert ask(emulated, "description", table="nothing").status_code == 404


def test_without_limit_all_rows_with_a_limit_fewer(emulated: EmulatedPortal) -> None:
    """facts/biconnector 5.7"""
    assert len(numbers(emulated)) == 800
    assert len(numbers(emulated, limit=20)) == 20
    assert len(numbers(emulated, limit=0)) == 800
    assert ask(emulated, limit="many").status_code == 400


def test_json_is_served_too(emulated: EmulatedPortal) -> None:
    """facts/api 5, facts/biconnector 5.1"""
    body = {"connection": CONNECTION, "table": "sales_orders", "select": ["ORDER_ID"], "limit": 1}
    assert emulated.http.post("/_demo/data", json=body).get_json() == [["ORDER_ID"], [5001]]


def test_names_come_by_code_or_by_mapping(emulated: EmulatedPortal) -> None:
    """facts/biconnector 5.7a: the header echoes the names as they were asked for."""
    form: dict[str, Any] = {"select": ["NUMBER", "AMOUNT"], "mapFields": {"ORDER_ID": "NUMBER"}, "limit": 1}
    assert ask(emulated, **form).get_json()[0] == ["NUMBER", "AMOUNT"]
    assert ask(emulated, select=["NUMBER"]).status_code == 400


def test_dates_and_moments_have_the_portals_notation(emulated: EmulatedPortal) -> None:
    """facts/biconnector 5.12"""
    row = ask(emulated, select=["ORDER_DATE", "CREATED_AT"], limit=1).get_json()[1]
    assert [len(value) for value in row] == [10, 19]
    assert row[1].startswith(row[0])


FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"STATUS": "new"}, lambda row: row["STATUS"] == "new"),
    ({"=STATUS": ["new", "paid"]}, lambda row: row["STATUS"] in ("new", "paid")),
    ({"@STATUS": ["new"]}, lambda row: row["STATUS"] == "new"),
    ({"!@STATUS": ["new"]}, lambda row: row["STATUS"] != "new"),
    ({"!=STATUS": ["new"]}, lambda row: row["STATUS"] != "new"),
    ({"=STATUS": ["NEW"]}, lambda _row: False),
    ({"%PRODUCT": ["KG"]}, lambda row: "kg" in row["PRODUCT"].lower()),
    ({"!%PRODUCT": ["kg"]}, lambda row: "kg" not in row["PRODUCT"].lower()),
    ({"=%PRODUCT": "Espresso%"}, lambda row: row["PRODUCT"].startswith("Espresso")),
    ({"%=PRODUCT": "%kg"}, lambda row: row["PRODUCT"].endswith("kg")),
    ({">AMOUNT": ["500"]}, lambda row: row["AMOUNT"] > 500),
    ({"!>AMOUNT": ["500"]}, lambda row: row["AMOUNT"] <= 500),
    ({">=QUANTITY": ["3"], "<=QUANTITY": ["5"]}, lambda row: 3 <= row["QUANTITY"] <= 5),
    ({"><QUANTITY": ["3", "5"]}, lambda row: 3 <= row["QUANTITY"] <= 5),
    ({"!><QUANTITY": ["3", "5"]}, lambda row: not 3 <= row["QUANTITY"] <= 5),
    ({"=DISCOUNT": "0"}, lambda row: row["DISCOUNT"] is None),
    ({"!=DISCOUNT": ""}, lambda row: row["DISCOUNT"] is not None),
    ({"!=DISCOUNT": ["5"]}, lambda row: row["DISCOUNT"] == 10),
    ({"<DISCOUNT": ["10"]}, lambda row: row["DISCOUNT"] == 5),
    (
        {"0": {"LOGIC": "OR", "0": {"=STATUS": ["new"]}, "1": {"=REGION": ["North"]}}, ">AMOUNT": ["100"]},
        lambda row: (row["STATUS"] == "new" or row["REGION"] == "North") and row["AMOUNT"] > 100,
    ),
    (
        {"LOGIC": "OR", "0": {"=STATUS": ["new"]}, "1": {"=STATUS": ["paid"], "=REGION": ["East"]}},
        lambda row: row["STATUS"] == "new" or (row["STATUS"] == "paid" and row["REGION"] == "East"),
    ),
]


@pytest.mark.parametrize(("condition", "test"), FILTERS)
def test_filters(emulated: EmulatedPortal, condition: dict[str, Any], test: Callable[[dict[str, Any]], bool]) -> None:
    """facts/biconnector 5.9, 5.11"""
    assert numbers(emulated, filter=condition) == expected(test)


@pytest.mark.parametrize(
    ("language", "first", "last"),
    [
        ("ru", "01.03.2025", "31.03.2025 23:59:59"),
        ("en", "03/01/2025", "03/31/2025 11:59:59 pm"),
        ("fr", "01/03/2025", "31/03/2025 23:59:59"),
        ("tc", "2025-03-01", "2025-03-31 23:59:59"),
    ],
)
@pytest.mark.parametrize("column", ["ORDER_DATE", "CREATED_AT"])
def test_date_ranges_of_all_sites(emulated: EmulatedPortal, language: str, first: str, last: str, column: str) -> None:
    """facts/biconnector 5.10"""
    emulated.control("language", language=language)
    found = numbers(emulated, filter={f">={column}": first, f"<={column}": last})
    assert found == expected(lambda row: (row["ORDER_DATE"].year, row["ORDER_DATE"].month) == (2025, 3))
    assert found


@pytest.mark.parametrize(
    "condition",
    [
        {"NOTHING": "1"},
        {"=ORDER_ID": ["many"]},
        {">=ORDER_DATE": "31.31.2025"},
        {">=ORDER_DATE": "yesterday"},
        {"><QUANTITY": ["1"]},
        {"<>QUANTITY": ["1"]},
        {"0": "x"},
        {"LOGIC": "XOR", "0": {"=STATUS": ["new"]}},
    ],
)
def test_what_cannot_be_understood_is_refused(emulated: EmulatedPortal, condition: dict[str, Any]) -> None:
    assert ask(emulated, filter=condition).status_code == 400


def test_the_demonstration_stands_on_a_running_emulator() -> None:
    """Connector, source with a real check, dataset, and rows for a chart."""
    with start(EmulatorConfig(port=0)) as server:
        answer = requests.post(f"{server.url}/_emulator/demo", timeout=HANG)
        assert answer.json() == {"connector": 1, "source": 1, "dataset": 1}
        again = requests.post(f"{server.url}/_emulator/demo", timeout=HANG)
        assert (again.status_code, "NAME_EXISTS" in again.json()["error"]) == (400, True)
        portal = server.emulator.portal
        assert (portal.source(1).created_by_id, len(portal.dataset(1).columns)) == (2, 12)
        query = DataQuery(
            select=["REGION", "AMOUNT"],
            date_range=DateRange("ORDER_DATE", date(2025, 1, 1), date(2025, 12, 31)),
            groups=[[Condition("STATUS", "EQUALS", ["shipped"])]],
        )
        rows = server.emulator.endpoints.data(portal.dataset(1), query)
        wanted = expected(lambda row: row["ORDER_DATE"].year == 2025 and row["STATUS"] == "shipped")
        assert len(rows.rows) == len(wanted) > 100
        assert len(server.emulator.endpoints.preview(portal.source(1), "sales_orders").rows) == 20
