"""The four endpoints against real databases, called as portals call them (facts/biconnector 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.gateway.bodies import FORM, JSON
from tests.gateway.databases import DATABASES
from tests.gateway.generated import TYPES, expected, filters, rows
from tests.gateway.hosting import Connected, Host, hosting

TABLE = rows(count=3000)
CODES = list(TYPES)


@pytest.fixture(scope="module", params=sorted(DATABASES))
def orders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    folder = tmp_path_factory.mktemp("hosted")
    with DATABASES[request.param](TABLE, folder) as source, hosting(folder) as host:
        yield host.connect(source.driver, source.settings)


def refused(orders: Connected, **fields: Any) -> str:
    """The code that the app's page shows for a refused call; the portal sees a coarse word only."""
    answer = orders.call("urlData", fields)
    assert answer.status_code == 400
    said = answer.get_json()
    assert said.keys() == {"error", "ref"}
    assert said["error"] == "request_refused"
    record = next(call for call in Host(orders.app).calls() if call.ref == said["ref"])
    assert record.status == 400
    return record.code


def test_a_connection_that_works_is_checked(orders: Connected) -> None:
    answer = orders.call("urlCheck")
    assert answer.status_code == 200
    assert answer.data


def test_no_address_of_ours_redirects_and_a_get_is_no_success(orders: Connected) -> None:
    """facts/biconnector 5.2, 5.2a: a proxy's 302 makes a GET of a portal's POST, and every 200 counts as a success."""
    client = orders.app.test_client()
    for url in orders.issued.urls.values():
        path = urlsplit(url).path
        assert client.get(path).status_code == 405
        for bent in (f"{path}/", path.upper()):
            assert client.post(bent).status_code == 404


def test_the_list_is_what_portals_take(orders: Connected) -> None:
    # facts/biconnector 5.5: code and title non-empty; the exact name becomes the dataset's externalCode
    for search in ({}, {"searchString": ""}, {"searchString": "QUOTED"}, {"searchString": "orders__q"}):
        # A database server may have tables of others, which are listed after those that need no schema before them.
        items = orders.call("urlTableList", search).get_json()
        assert all(item["code"] and item["title"] for item in items)
        assert items[0]["code"] == "orders__quoted"
        assert items[0]["title"] == 'Orders "quoted'
        assert items[0]["id"].endswith('"Orders ""quoted"')
    assert orders.call("urlTableList", {"searchString": "missing"}).get_json() == []


@pytest.mark.parametrize("parameter", ["table", "name"])
def test_the_description_is_what_portals_take(orders: Connected, parameter: str) -> None:
    # facts/biconnector 5.6; facts/field 0 item 8: code and name are the same
    described = orders.call("urlTableDescription", {parameter: "orders__quoted"}).get_json()
    assert described == [{"code": code, "name": code, "type": type_} for code, type_ in TYPES.items()]


@pytest.mark.parametrize("fields", [{}, {"limit": ""}, {"limit": "0"}, {"limit": "3000"}, {"limit": "99999999"}])
def test_without_a_limit_all_rows_come(orders: Connected, fields: dict[str, Any]) -> None:
    # facts/biconnector 5.7; facts/field 1: the peers silently answer 100 rows
    data = orders.data(table="orders__quoted", select=["ID"], **fields)
    assert data[0] == ["ID"]
    assert sorted(row[0] for row in data[1:]) == [row.id for row in TABLE]


def test_a_limit_is_kept(orders: Connected) -> None:
    assert len(orders.data(table="orders__quoted", limit=20)) == 1 + 20


def test_without_select_the_header_holds_the_codes(orders: Connected) -> None:
    # facts/biconnector 5.8: a preview sends a limit only
    assert orders.data(table="orders__quoted", limit=1)[0] == CODES


def test_the_header_comes_also_when_no_row_matches(orders: Connected) -> None:
    assert orders.data(table="orders__quoted", filter={"=ID": ["-1"]}) == [CODES]
    assert orders.data(table="orders__quoted", filter={"=ID": ["-1"]}, select=["FLAG", "ID"]) == [["FLAG", "ID"]]


def test_every_value_is_what_the_oracle_shows(orders: Connected) -> None:
    by_id = {row[0]: row for row in orders.data(table="orders__quoted")[1:]}
    for row in TABLE:
        shown: dict[str, Any] = dict(row.shown)
        for code in ("DAY", "MOMENT"):
            shown[code] = shown[code] and str(shown[code])
        shown["AMOUNT"] = None if shown["AMOUNT"] is None else float(shown["AMOUNT"])
        assert by_id[row.id] == list(shown.values())


def test_numbers_keep_their_digits(orders: Connected) -> None:
    answer = orders.call("urlData", {"table": "orders__quoted", "select": ["BIG"], "filter": {">BIG": [str(2**62)]}})
    assert str(2**63 - 1).encode() in answer.data


@pytest.mark.parametrize(
    ("select", "extra"),
    [
        (["AMOUNT", "ID"], {}),
        (["ID", "ID", "NAME"], {}),
        (["id", "Имя клиента"], {}),  # the database's own names
        (["NUMBER", "CLIENT"], {"mapFields": {"ID": "NUMBER", "IMYA_KLIENTA": "CLIENT"}}),
    ],
)
def test_the_header_echoes_the_names_as_they_were_asked_for(
    orders: Connected, select: list[str], extra: dict[str, Any]
) -> None:
    # facts/biconnector 5.7a
    data = orders.data(table="orders__quoted", select=select, limit=3, **extra)
    assert data[0] == select
    assert len(data) == 4


def test_columns_come_in_the_order_that_was_asked_for(orders: Connected) -> None:
    # facts/field 3 item 16
    forward = orders.data(table="orders__quoted", select=["ID", "NAME"], filter={"=ID": ["7"]})[1]
    backward = orders.data(table="orders__quoted", select=["NAME", "ID"], filter={"=ID": ["7"]})[1]
    assert forward == backward[::-1] == [7, TABLE[6].name]


@pytest.mark.parametrize("table", ["orders__quoted", 'Orders "quoted'])
def test_a_table_goes_by_its_code_and_its_own_name(orders: Connected, table: str) -> None:
    assert len(orders.data(table=table, limit=2)) == 3


def test_a_table_goes_by_the_id_of_the_list(orders: Connected) -> None:
    table = orders.call("urlTableList").get_json()[0]["id"]
    assert len(orders.data(table=table, limit=2)) == 3
    assert len(orders.call("urlTableDescription", {"table": table}).get_json()) == len(CODES)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"table": "missing"}, "unknown_table"),
        ({"table": "orders__quoted; DROP TABLE x"}, "unknown_table"),
        ({}, "missing_table"),
        ({"select": ["ID", "MISSING"]}, "unknown_column"),
        ({"select": ["*"]}, "unknown_column"),
        ({"select": ['ID", "NAME']}, "unknown_column"),
        ({"filter": {"=MISSING": ["1"]}}, "unknown_column"),
        ({"filter": {"~ID": ["1"]}}, "unknown_column"),
        ({"filter": {"=ID": ["1 OR 1=1"]}}, "value"),
        ({"filter": {"><ID": ["1"]}}, "value"),
        ({"filter": {"0": {"LOGIC": "OR"}}}, "empty_group"),
        ({"filter": {">=DAY": "05/06/2025"}}, "date_order"),  # nobody knows the language of a local portal
        ({"limit": "ten"}, "parameter"),
    ],
)
def test_what_cannot_be_answered_as_asked_is_refused(orders: Connected, fields: dict[str, Any], code: str) -> None:
    # facts/field 5 item 35: never fewer or more rows by mistake
    if code not in {"unknown_table", "missing_table"}:
        fields = {"table": "orders__quoted", **fields}
    assert refused(orders, **fields) == code


def test_generated_filters_select_what_the_oracle_selects(orders: Connected) -> None:
    path = orders.issued.urls["urlData"].removeprefix("http://app.test")
    asked = [asked for asked in filters(150, seed=7) if asked.language in ("sc", "ru")][:40]
    for each in asked:
        if each.content_type == FORM:
            body = each.body.replace(b"table=t", b"table=orders__quoted&connection[key]=" + orders.issued.key.encode())
        else:
            call = {**json.loads(each.body), "table": "orders__quoted", "connection": {"key": orders.issued.key}}
            body = json.dumps(call).encode()
        answer = orders.post(path, body, each.content_type)
        assert answer.status_code == 200, each
        assert sorted(row[0] for row in answer.get_json()[1:]) == expected(each, TABLE), each


def test_slash_dates_are_read_in_the_language_of_the_portal(orders: Connected) -> None:
    # facts/biconnector 5.10: what a slash date means depends on the language
    host = Host(orders.app)
    (own,) = (row for row in host.services.connections.all() if row.id == orders.issued.id)
    settings = dict(own.settings)
    path = {"select": ["DAY"], "table": "orders__quoted"}
    for language, written in (("en", "01/02/2025"), ("br", "02/01/2025")):
        if host.services.installations.find(f"portal-{language}") is None:
            host.services.installations.add_local(f"portal-{language}", language)
        portal = host.connect(own.driver, settings, f"portal-{language}")
        days = {row[0] for row in portal.data(**path, filter={"><DAY": [written, written]})[1:]}
        assert days == {"2025-01-02"}


def test_json_bodies_are_served_as_well(orders: Connected) -> None:
    # facts/biconnector 5.1: the documentation shows JSON
    body = {"table": "orders__quoted", "limit": 2, "select": None, "connection": {"key": orders.issued.key}}
    path = orders.issued.urls["urlData"].removeprefix("http://app.test")
    answer = orders.post(path, json.dumps(body).encode(), JSON)
    assert answer.status_code == 200
    assert len(answer.get_json()) == 3


def test_a_body_that_is_too_long_is_refused(orders: Connected) -> None:
    path = orders.issued.urls["urlData"].removeprefix("http://app.test")
    assert orders.post(path, b"table=" + b"x" * 2**21, FORM).status_code == 413


def test_answers_are_json_that_nobody_stores(orders: Connected) -> None:
    answer = orders.call("urlData", {"table": "orders__quoted", "limit": 1})
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_the_endpoints_answer_to_post_only(orders: Connected, method: str) -> None:
    path = orders.issued.urls["urlCheck"].removeprefix("http://app.test")
    assert getattr(orders.app.test_client(), method)(path).status_code == 405


def test_more_columns_than_a_row_can_have_are_refused_with_the_reason(orders: Connected) -> None:
    assert len(orders.data(table="orders__quoted", select=["ID"] * 1600, limit="1")[1]) == 1600
    answer = orders.call("urlData", {"table": "orders__quoted", "select": ["ID"] * 1601, "limit": "1"})
    assert (answer.status_code, answer.get_json()["error"]) == (507, "too_large")
    ref = answer.get_json()["ref"]
    assert next(call.code for call in Host(orders.app).calls() if call.ref == ref) == "columns"
