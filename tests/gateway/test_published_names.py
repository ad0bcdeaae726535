"""What a portal was told of a table holds, one change at a time (facts/field 0 item 8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from drivers.query import TableName
from errors import InvalidInput
from models import Base
from services.contract.ledger import ColumnChoice, Ledger
from services.contract.names import PublishedTable
from tests.gateway.hosting import Connected, Host, hosting


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as ready:
        yield ready


@pytest.fixture
def database(tmp_path: Path) -> apsw.Connection:
    return apsw.Connection(str(tmp_path / "sales.db"))


@pytest.fixture
def connected(host: Host, database: apsw.Connection) -> Connected:
    database.execute("CREATE TABLE keeps (the INT, file INT)")
    return host.connect("sqlite", {"path": "sales.db"})


def described(connected: Connected, table: str) -> dict[str, str]:
    answer = connected.call("urlTableDescription", {"table": table})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return {column["code"]: column["type"] for column in json.loads(answer.data)}


def values(connected: Connected, table: str, code: str) -> list[object]:
    return [row[0] for row in connected.data(table=table, select=[code])[1:]]


def refusal(connected: Connected, host: Host, table: str, code: str) -> str:
    answer = connected.call("urlData", {"table": table, "select": [code]})
    assert answer.status_code == 400, answer.get_data(as_text=True)
    return host.calls()[-1].code


def test_a_dropped_column_does_not_let_others_take_over_its_name(
    connected: Connected, host: Host, database: apsw.Connection
) -> None:
    names = [f"revenue_from_existing_customers_{year}" for year in (2023, 2024, 2025)]
    database.execute(f"CREATE TABLE r ({', '.join(f'{name} INT' for name in names)})")
    database.execute("INSERT INTO r VALUES (23, 24, 25)")
    codes = list(described(connected, "r"))
    assert [values(connected, "r", code) for code in codes] == [[23], [24], [25]]
    database.execute(f"ALTER TABLE r DROP COLUMN {names[0]}")
    assert refusal(connected, host, "r", codes[0]) == "published_column_gone"
    assert [values(connected, "r", code) for code in codes[1:]] == [[24], [25]]
    assert list(described(connected, "r")) == codes[1:]


def test_a_new_column_never_gets_the_name_of_one_that_is_gone(
    connected: Connected, host: Host, database: apsw.Connection
) -> None:
    database.execute('CREATE TABLE s ("Sum a" INT, x INT)')
    database.execute("INSERT INTO s VALUES (1, 0)")
    assert list(described(connected, "s")) == ["SUM_A", "X"]
    database.execute('ALTER TABLE s RENAME COLUMN "Sum a" TO sum_a')
    assert list(described(connected, "s")) == ["SUM_A_2", "X"]
    assert refusal(connected, host, "s", "SUM_A") == "published_column_gone"
    assert values(connected, "s", "SUM_A_2") == [1]
    database.execute('ALTER TABLE s RENAME COLUMN sum_a TO "Sum a"')
    assert values(connected, "s", "SUM_A") == [1]


def test_the_code_of_a_table_opens_no_other_one(connected: Connected, host: Host, database: apsw.Connection) -> None:
    database.execute('CREATE TABLE "Order Items" (n INT)')
    database.execute('INSERT INTO "Order Items" VALUES (1)')
    listed = json.loads(connected.call("urlTableList", {"searchString": "items"}).data)
    assert [row["code"] for row in listed] == ["order_items"]
    assert list(described(connected, "order_items")) == ["N"]
    database.execute("CREATE TABLE order_items (n INT)")
    database.execute("INSERT INTO order_items VALUES (2)")
    host.services.table_lists.outdate(host.services.connections.get(connected.issued.id))
    assert values(connected, "order_items", "N") == [1]
    listed = json.loads(connected.call("urlTableList", {"searchString": "items"}).data)
    assert [values(connected, row["id"], "N") for row in listed] == [[1], [2]]
    database.execute('DROP TABLE "Order Items"')
    host.services.table_lists.outdate(host.services.connections.get(connected.issued.id))
    assert refusal(connected, host, "order_items", "N") == "published_table_gone"


def test_a_column_that_became_text_is_refused_and_says_which(connected: Connected, host: Host, tmp_path: Path) -> None:
    (tmp_path / "rest.csv").write_text("NAME,REST\nTea,9\nJuice,12\n")
    of_file = host.connect("file", {"path": "rest.csv"})
    assert described(of_file, "rest") == {"NAME": "string", "REST": "int"}
    (tmp_path / "rest.new").write_text("NAME,REST\nTea,9\nJuice,n/d\n")
    (tmp_path / "rest.new").rename(tmp_path / "rest.csv")
    answer = of_file.call("urlData", {"table": "rest", "filter": {">REST": "10"}})
    assert answer.status_code == 400
    assert (host.calls()[-1].code, host.calls()[-1].reason) == (
        "type_changed",
        "REST (REST): int, string, row 2: 'n/d'",
    )
    assert values(of_file, "rest", "NAME") == ["Tea", "Juice"]


def test_whole_numbers_go_on_as_the_fractions_that_they_were_published_as(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE p (price DOUBLE)")
    database.execute("INSERT INTO p VALUES (1.5)")
    assert described(connected, "p") == {"PRICE": "double"}
    database.execute("DROP TABLE p")
    database.execute("CREATE TABLE p (price INTEGER)")
    database.execute("INSERT INTO p VALUES (2)")
    assert [row[0] for row in connected.data(table="p", filter={">PRICE": "1.5"})[1:]] == [2]


def test_a_later_description_does_not_loosen_the_type_of_a_dataset(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE q (n INTEGER)")
    connection, publishing = host.services.connections.get(connected.issued.id), host.services.publishing
    table, columns = publishing.describe(connection, "q")
    publishing.hold(connection, table, columns)
    database.execute("DROP TABLE q")
    database.execute("CREATE TABLE q (n TEXT)")
    assert described(connected, "q") == {"N": "int"}
    assert refusal(connected, host, "q", "N") == "type_changed"


def test_the_operator_sees_what_does_not_hold_and_accepts_what_is_there(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
    described(connected, "t")
    database.execute("DROP TABLE t")
    database.execute("CREATE TABLE t (a TEXT, c INTEGER)")
    runner, number = host.app.test_cli_runner(), str(connected.issued.id)
    told = json.loads(runner.invoke(args=["connections", "contract", number, "--json"]).output)
    (table,) = told["tables"]
    assert (table["code"], table["table"], table["problem"]) == ("t", "t", "")
    assert [(row["code"], row["name"], row["type"], row["now"], row["problem"]) for row in table["columns"]] == [
        ("A", "a", "int", "string", "type_changed"),
        ("B", "b", "int", None, "published_column_gone"),
    ]
    assert runner.invoke(args=["connections", "accept", number, "t"]).exit_code == 0
    (table,) = json.loads(runner.invoke(args=["connections", "contract", number, "--json"]).output)["tables"]
    assert [(row["code"], row["type"], row["problem"]) for row in table["columns"]] == [
        ("A", "string", ""),
        ("B", "int", ""),
        ("C", "int", ""),
    ]
    assert values(connected, "t", "A") == []
    assert refusal(connected, host, "t", "B") == "published_column_gone"
    wrong = runner.invoke(args=["connections", "accept", number, "nowhere"])
    assert wrong.exit_code == 1
    assert "nowhere" in wrong.output


def test_names_are_deleted_with_their_connection(host: Host, connected: Connected) -> None:
    described(connected, "keeps")
    host.services.connections.remove(connected.issued.id)
    with host.services.engine.connect() as rows:
        for table in ("contract_tables", "contract_columns"):
            assert rows.execute(Base.metadata.tables[table].select()).all() == []


def test_a_column_that_became_numbers_goes_on_as_the_text_that_it_was_published_as(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE w (code TEXT)")
    database.execute("INSERT INTO w VALUES ('A1')")
    assert described(connected, "w") == {"CODE": "string"}
    hold(host, connected, "w")
    database.execute("DROP TABLE w")
    database.execute("CREATE TABLE w (code INTEGER)")
    database.execute("INSERT INTO w VALUES (9), (10), (NULL)")
    assert described(connected, "w") == {"CODE": "string"}
    assert values(connected, "w", "CODE") == ["9", "10", None]
    assert [row[0] for row in connected.data(table="w", filter={"=CODE": "10"})[1:]] == ["10"]
    # Of texts, as which they were published, `10` comes before `9`.
    assert [row[0] for row in connected.data(table="w", filter={"<CODE": "2"})[1:]] == ["10"]
    assert [row[0] for row in connected.data(table="w", filter={"=CODE": ""})[1:]] == [None]


def hold(host: Host, connected: Connected, table: str) -> None:
    connection, publishing = host.services.connections.get(connected.issued.id), host.services.publishing
    publishing.hold(connection, *publishing.describe(connection, table))


def choose(host: Host, connected: Connected, table: str, choices: dict[str, ColumnChoice]) -> None:
    """Make a table's contract as a publication does."""
    connection, publishing = host.services.connections.get(connected.issued.id), host.services.publishing
    found, columns = publishing.describe(connection, table)
    today = [(row.column.name, row.column.now or row.column.type) for row in columns]
    host.services.table_lists.ledger.choose(connection.ledger_owner, found, today, choices)
    hold(host, connected, table)


def test_a_chosen_type_is_delivered_filtered_and_refused_by_column_and_value(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE bills (amount TEXT, day TEXT)")
    database.execute("INSERT INTO bills VALUES ('9,5', '31.12.2025'), ('10', '2026-01-01'), ('', NULL)")
    choose(
        host,
        connected,
        "bills",
        {"AMOUNT": ColumnChoice("TOTAL", "double", "refuse"), "DAY": ColumnChoice("DAY", "date", "null")},
    )
    assert described(connected, "bills") == {"TOTAL": "double", "DAY": "date"}
    assert connected.data(table="bills")[1:] == [[9.5, "2025-12-31"], [10.0, "2026-01-01"], [None, None]]
    assert [row[0] for row in connected.data(table="bills", filter={">TOTAL": "9.6"})[1:]] == [10.0]
    assert [row[0] for row in connected.data(table="bills", filter={"<=DAY": "2025-12-31"})[1:]] == [9.5]
    database.execute("INSERT INTO bills VALUES (NULL, 'soon')")
    assert connected.data(table="bills", select=["DAY"], filter={"=DAY": ""})[1:] == [[None], [None]]
    database.execute("INSERT INTO bills VALUES ('н/д', '2026-01-02')")
    for fields in ({}, {"filter": {">TOTAL": "9.6"}}, {"select": ["TOTAL"]}):
        answer = connected.call("urlData", {"table": "bills", **fields})
        assert answer.status_code == 400
        assert (host.calls()[-1].code, host.calls()[-1].reason) == (
            "value_unfit",
            "TOTAL (amount): double, string, 'н/д'",
        )
    assert len(values(connected, "bills", "DAY")) == 5


def test_a_code_that_a_portal_was_told_keeps_its_type_beside_the_chosen_one(
    host: Host, connected: Connected, database: apsw.Connection
) -> None:
    database.execute("CREATE TABLE x (n TEXT)")
    database.execute("INSERT INTO x VALUES ('7')")
    assert described(connected, "x") == {"N": "string"}
    with pytest.raises(InvalidInput) as refused:
        choose(host, connected, "x", {"N": ColumnChoice("N", "int", "refuse")})
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [("N", "COLUMN_CODE_HAS_TYPE")]
    choose(host, connected, "x", {"N": ColumnChoice("NUMBER", "int", "refuse")})
    assert described(connected, "x") == {"N": "string", "NUMBER": "int"}
    assert connected.data(table="x", select=["N", "NUMBER"]) == [["N", "NUMBER"], ["7", 7]]
    assert connected.data(table="x", select=["n"]) == [["n"], ["7"]]


def test_another_process_hears_of_a_choice(host: Host, connected: Connected, database: apsw.Connection) -> None:
    database.execute("CREATE TABLE y (n TEXT)")
    database.execute("INSERT INTO y VALUES ('7')")
    assert values(connected, "y", "N") == ["7"]
    connection = host.services.connections.get(connected.issued.id)
    other = Ledger(host.services.sessions, host.services.shared_memory)
    table = PublishedTable("y", "y", TableName("", "y"), plain=True)
    other.choose(connection.ledger_owner, table, [("n", "string")], {"N": ColumnChoice("N", "int", "refuse")})
    assert values(connected, "y", "N") == [7]
