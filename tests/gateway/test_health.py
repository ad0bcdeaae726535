"""What is said about a connection and its tables follows from what portals and people were answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import apsw
import pytest
from sqlalchemy import event

from models import EndpointCall, now
from services.connections.health import STANDS, Health
from tests.gateway.hosting import Connected, Host, hosting


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as host:
        yield host


@pytest.fixture
def database(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A table that is published with two columns, and another one."""
    database = apsw.Connection(str(tmp_path / "shop.sqlite"))
    database.execute("CREATE TABLE sales (old_name INT, amount INT); INSERT INTO sales VALUES (1, 2)")
    database.execute("CREATE TABLE staff (id INT)")
    yield database
    database.close()


@pytest.fixture
def shop(host: Host, database: apsw.Connection) -> Connected:
    shop = host.connect("sqlite", {"path": "shop.sqlite"})
    for table in ("sales", "staff"):
        assert shop.call("urlTableDescription", {"table": table}).status_code == 200
    return shop


def ask(shop: Connected, *select: str, table: str = "sales", **fields: object) -> int:
    return shop.call("urlData", {"table": table, "select": list(select), **fields}).status_code


def of_table(host: Host, shop: Connected, table: str = "sales", later: timedelta = timedelta()) -> str:
    """What stands against a table, or nothing."""
    call = (
        Health(host.services.sessions, clock=lambda: now() + later).tables([shop.issued.id]).of(shop.issued.id, table)
    )
    assert call is not None
    return call.code


def of_connection(host: Host, shop: Connected, later: timedelta = timedelta()) -> str:
    return (
        Health(host.services.sessions, clock=lambda: now() + later).connections([shop.issued.id])[shop.issued.id].code
    )


def drop(database: apsw.Connection) -> None:
    database.execute("ALTER TABLE sales DROP COLUMN old_name")


def test_a_question_for_a_column_that_is_gone_makes_the_dataset_fail_and_names_the_column(
    host: Host, shop: Connected, database: apsw.Connection
) -> None:
    assert (of_table(host, shop), of_connection(host, shop)) == ("", "")
    drop(database)
    assert ask(shop, "OLD_NAME", "AMOUNT") == 400
    assert of_table(host, shop) == of_connection(host, shop) == "published_column_gone"
    assert of_table(host, shop, "staff") == ""
    (failing,) = host.services.health.failing([shop.issued.id])
    assert (failing.asked["table"], failing.reason) == ("sales", "OLD_NAME (old_name)")


def test_one_refused_chart_is_seen_among_many_that_are_answered(
    host: Host, shop: Connected, database: apsw.Connection
) -> None:
    drop(database)
    assert ask(shop, "OLD_NAME") == 400
    assert ask(shop, "AMOUNT") == ask(shop, "ID", table="staff") == 200
    assert of_table(host, shop) == of_connection(host, shop) == "published_column_gone"


def test_the_same_question_answered_ends_it(host: Host, shop: Connected, database: apsw.Connection) -> None:
    drop(database)
    assert ask(shop, "OLD_NAME") == 400
    database.execute("ALTER TABLE sales ADD COLUMN old_name INT")
    assert ask(shop, "OLD_NAME") == 200
    assert (of_table(host, shop), of_connection(host, shop)) == ("", "")
    assert host.services.health.failing([shop.issued.id]) == ()


def test_a_chart_that_nobody_asks_for_any_more_is_forgotten_after_a_day(
    host: Host, shop: Connected, database: apsw.Connection
) -> None:
    drop(database)
    assert ask(shop, "OLD_NAME") == 400
    assert of_connection(host, shop, STANDS) == ""
    assert of_table(host, shop, later=STANDS) == "published_column_gone", "nothing was answered since"
    assert ask(shop, "AMOUNT") == 200
    assert of_table(host, shop, later=STANDS) == ""


def test_accepting_the_table_as_it_is_ends_what_was_refused_before(
    host: Host, shop: Connected, database: apsw.Connection
) -> None:
    drop(database)
    assert ask(shop, "OLD_NAME") == 400
    number = str(shop.issued.id)
    assert host.app.test_cli_runner().invoke(args=["connections", "accept", number, "sales"]).exit_code == 0
    assert (of_table(host, shop), of_connection(host, shop)) == ("", "")
    assert ask(shop, "OLD_NAME") == 400
    assert of_table(host, shop) == "published_column_gone"


@pytest.mark.parametrize(
    ("fields", "code"), [({"filter": {">=AMOUNT": "many"}}, "value"), ({"select": ["NOPE"]}, "unknown_column")]
)
def test_every_refused_question_about_a_table_counts(
    host: Host, shop: Connected, fields: dict[str, object], code: str
) -> None:
    assert shop.call("urlData", {"table": "sales", **fields}).status_code == 400
    assert of_table(host, shop) == code


def test_a_broken_connection_works_again_with_any_answer(
    host: Host, shop: Connected, database: apsw.Connection, tmp_path: Path
) -> None:
    (tmp_path / "shop.sqlite").rename(tmp_path / "away.sqlite")
    assert ask(shop, "AMOUNT") == 502
    assert of_table(host, shop) == of_connection(host, shop) == "not_found"
    (tmp_path / "away.sqlite").rename(tmp_path / "shop.sqlite")
    assert shop.call("urlCheck").status_code == 200
    assert of_connection(host, shop) == ""


def test_tables_that_differ_in_case_only_are_told_apart(host: Host, shop: Connected) -> None:
    assert shop.call("urlData", {"table": "SALES"}).status_code == 400
    assert of_table(host, shop, "SALES") == "unknown_table"
    assert of_table(host, shop) == ""


def test_a_failed_preview_is_remembered_as_long_as_the_portal_shows_it(host: Host, shop: Connected) -> None:
    """facts/biconnector 5.8a"""
    number, health = shop.issued.id, host.services.health
    assert shop.call("urlData", {"table": "SALES", "select": ["A"], "limit": 20}).status_code == 400
    assert not health.failed_preview(number, "SALES")
    assert shop.call("urlData", {"table": "SALES", "limit": 20}).status_code == 400
    assert health.failed_preview(number, "SALES")
    assert not health.failed_preview(number, "sales")
    over = Health(host.services.sessions, clock=lambda: now() + timedelta(hours=1))
    assert not over.failed_preview(number, "SALES")


def test_the_health_of_many_is_read_in_as_few_queries_as_that_of_one(
    host: Host, shop: Connected, database: apsw.Connection
) -> None:
    drop(database)
    assert ask(shop, "OLD_NAME") == 400
    with host.services.sessions.begin() as session:
        (first, *_) = session.query(EndpointCall).limit(1)
        for number in range(200):
            asked = {"table": f"table_{number}"}
            call = EndpointCall(ref=f"r{number}", endpoint="data", asked=asked, status=400, code="value")
            call.portal_id, call.connection_id, call.table_hash = first.portal_id, first.connection_id, f"{number:064}"
            session.add(call)
    queries: list[str] = []
    event.listen(host.services.engine, "before_cursor_execute", lambda *told: queries.append(told[2]))
    assert len(host.services.health.failing([shop.issued.id])) == 201
    assert len(queries) <= 4
