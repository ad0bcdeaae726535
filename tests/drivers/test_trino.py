"""What Trino's driver asks, and what it believes of pages (facts/security 1 and 6)."""

# ruff: noqa: DTZ001 - moments are without zone on purpose: they are in the connection's

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from drivers.base import Description, Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.columns import Column, Form
from drivers.errors import Broken, LoginFailed, QueryRefused, TooBig
from drivers.query import Between, Comparison, Condition, Contains, Like, OneOf, TableName, TableQuery, Value
from drivers.trino.protocol import trino_row
from egress.errors import TargetError, Timeout
from egress.policy import Policy
from tests.drivers.http_server import Asked, Played, answer
from tests.drivers.servers import Canary
from tests.waiting import HANG, eventually

TABLE = TableName("shop", 'de"als')
DESCRIBED = Description(
    TABLE,
    (
        Column("id", Form.INTEGER, "bigint"),
        Column("amount", Form.EXACT, "decimal(38,4)"),
        Column("score", Form.FLOAT, "double"),
        Column("title", Form.TEXT, "varchar"),
        Column("day", Form.DATE, "date"),
        Column("moment", Form.DATETIME, "timestamp(3)"),
        Column("instant", Form.INSTANT, "timestamp(6) with time zone"),
    ),
)
ROWS = [[2**63 - 1, "12345678901234567890.1000", 0.1, 'a"\n\u2028', "2025-12-31", "2025-12-31 23:59:59", None]]
JSON = (
    b'[9223372036854775807,12345678901234567890.1000,0.1,"a\\"\\n\xe2\x80\xa8","2025-12-31","2025-12-31 23:59:59",null]'
)
PATIENT = Limits(connect_seconds=HANG, seconds=HANG)
Page = dict[str, Any] | bytes
Pages = list[Page]


class Coordinator:
    """Plays Trino: transactions and the version by itself, statements on tables by the pages given."""

    def __init__(self, pages: Pages, host: str = "127.0.0.1:1") -> None:
        self.pages, self.host = pages, host
        self.numbers = itertools.count(1)
        #: Pages for statements with a word, before all others.
        self.special: dict[str, Iterable[Page]] = {}
        self.running: dict[str, Iterator[Page]] = {}
        self.server = Played(self.play)

    def play(self, asked: Asked) -> bytes:
        if asked.method == "DELETE":
            return answer(b"", 204)
        if asked.method == "POST":
            query = f"q{next(self.numbers)}"
            self.running[query] = iter(self.script(asked.body))
            return self.page({"data": None}, query, "QUEUED")
        query = asked.path.split("/")[3]
        page = next(self.running[query])
        if isinstance(page, bytes):
            return page
        return self.page(page, query, "RUNNING")

    def script(self, statement: str) -> Iterable[Page]:
        for word, pages in self.special.items():
            if word in statement:
                return pages
        if statement.startswith("START TRANSACTION"):
            return [{"last": True, "started": "tx-1"}]
        if "version()" in statement:
            return [{"data": [["476"]]}, {"last": True}]
        if "information_schema" in statement or statement == "ROLLBACK":
            return [{"last": True}]
        return self.pages

    def page(self, page: dict[str, Any], query: str, state: str) -> bytes:
        given = dict(page)
        last, started = given.pop("last", False), given.pop("started", "")
        text: dict[str, Any] = {"id": query, "stats": {"state": "FINISHED" if last else state}}
        if not last:
            text["nextUri"] = f"https://{self.host}/v1/statement/{query}/{next(self.numbers)}?slug=x"
        headers = {"X_Trino_Started_Transaction_Id": started} if started else {}
        return answer(json.dumps({**text, **given}).encode(), 200, **headers)

    def open(self, limits: Limits | None = None, **more: str) -> Session:
        settings = {
            "host": "127.0.0.1",
            "port": str(self.server.port),
            "database": 'hi"ve',
            "username": "Аня",
            "tls": "disable",
            **more,
        }
        guards = Guards(Policy(allow=[f"127.0.0.1:{self.server.port}"]), limits=limits or PATIENT)
        return DRIVERS["trino"].open(settings, guards)

    @property
    def statements(self) -> list[str]:
        return [asked.body for asked in self.server.asked if asked.method == "POST"]


@pytest.fixture
def coordinator() -> Iterator[Callable[..., Coordinator]]:
    opened: list[Coordinator] = []

    def start(pages: Pages, host: str = "127.0.0.1:1") -> Coordinator:
        opened.append(Coordinator(pages, host))
        return opened[-1]

    yield start
    for one in opened:
        one.server.close()


Start = Callable[..., Coordinator]


def read(session: Session, *columns: str, where: Condition | None = None) -> bytes:
    names = columns or tuple(column.name for column in DESCRIBED.columns)
    return b",\n".join(chunk.data for chunk in session.rows(TableQuery(TABLE, names, where), DESCRIBED))


def test_rows_of_all_pages_arrive_with_all_their_digits(coordinator: Start) -> None:
    trino = coordinator([{"data": ROWS}, {}, {"data": ROWS + ROWS}, {"last": True}])
    with trino.open() as session:
        assert read(session) == b",\n".join([JSON] * 3)
        assert session.check().version == "476"


def test_statements_run_in_a_read_only_transaction_that_is_rolled_back(coordinator: Start) -> None:
    trino = coordinator([{"last": True}])
    with trino.open() as session:
        assert read(session) == b""
    assert trino.statements[0] == "START TRANSACTION READ ONLY"
    assert trino.statements[-1] == "ROLLBACK"
    posts = [asked.headers for asked in trino.server.asked if asked.method == "POST"]
    assert [sent["x-trino-transaction-id"] for sent in posts] == ["NONE"] + ["tx-1"] * (len(posts) - 1)
    for sent in posts:
        assert sent["x-trino-user"] == "Аня"
        assert sent["x-trino-catalog"] == 'hi"ve'
        assert sent["x-trino-session"].startswith("query_max_run_time=")
        assert "authorization" not in sent


def test_after_an_error_a_new_transaction_begins(coordinator: Start) -> None:
    """Trino ends a transaction with the first error in it."""
    error = {"errorName": "COLUMN_NOT_FOUND", "message": "Column 'x' cannot be resolved"}
    trino = coordinator([{"error": error, "last": True}])
    with trino.open() as session:
        with pytest.raises(QueryRefused) as refusal:
            read(session)
        assert refusal.value.code == "unknown_column"
        assert session.check().product == "Trino"
    assert trino.statements.count("START TRANSACTION READ ONLY") == 2


def test_the_next_page_is_asked_of_the_checked_server_whatever_address_it_names(coordinator: Start) -> None:
    """facts/security 1 row 8: a server must not send us to other places."""
    with Canary(["127.0.0.1"]) as canary:
        trino = coordinator([{"data": ROWS}, {"last": True}], f"127.0.0.1:{canary.port}")
        with trino.open() as session:
            assert read(session) == JSON
        assert canary.connections == 0


@pytest.mark.parametrize(
    "page",
    [
        {"nextUri": "http://127.0.0.1/metadata"},
        {"nextUri": "/v1/../statement"},
        {"nextUri": ["x"]},
        {"data": {"a": 1}},
        {"data": [{"a": 1}]},
        {"data": [[1, 2]]},
        {"data": [[True, "1", 1.0, "a", "b", "c", "d"]]},
        {"data": [["1; DROP", "1", 1.0, "a", "b", "c", "d"]]},
        {"data": [[1, "NaN", 1.0, "a", "b", "c", "d"]]},
        {"data": [[1, "1", 1.0, 5, "b", "c", "d"]]},
        {"data": [[1, "1", 1.0, ["x"], "b", "c", "d"]]},
        {"last": True, "stats": {"state": "FAILED"}},
        {"last": True, "stats": {"state": "RUNNING"}},
        {"last": True, "stats": None},
        answer(b""),
        answer(b"[]"),
        answer(b'{"id": "q"}'),
        answer(b'{"id": "q", "stats": {"state": "FINISHED"}, "data": [[NaN]]}'),
        answer(b"<html>"),
        answer(b"gone", 410),
        answer(b"error", 500),
    ],
)
def test_a_page_that_is_none_is_broken(coordinator: Start, page: dict[str, Any] | bytes | None) -> None:
    trino = coordinator([{"data": ROWS}, page, {"last": True}])
    with trino.open() as session, pytest.raises(Broken):
        read(session)


def test_a_page_that_ends_anywhere_before_its_end_is_broken(coordinator: Start) -> None:
    """facts/security 6: 0 answers that look whole and are not."""
    page = json.dumps({"id": "q", "stats": {"state": "FINISHED"}, "data": ROWS}).encode()
    for end in range(0, len(page), 3):
        for cut in (answer(page, Connection="close")[: end - len(page)], answer(page[:end])):
            trino = coordinator([cut])
            with trino.open() as session, pytest.raises(Broken):
                read(session)


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("TABLE_NOT_FOUND", QueryRefused, "unknown_table"),
        ("PERMISSION_DENIED", QueryRefused, "no_permission"),
        ("NUMERIC_VALUE_OUT_OF_RANGE", QueryRefused, "value_type"),
        ("EXCEEDED_TIME_LIMIT", Timeout, "deadline"),
        ("EXCEEDED_GLOBAL_MEMORY_LIMIT", Broken, "server_error"),
        ("SOMETHING_NEW", Broken, "server_error"),
    ],
)
def test_an_error_after_rows_is_told_by_its_name(
    coordinator: Start, name: str, kind: type[TargetError], word: str
) -> None:
    error = {"errorName": name, "message": "because", "errorCode": 1}
    trino = coordinator([{"data": ROWS}, {"error": error, "last": True}])
    with trino.open() as session, pytest.raises(kind) as problem:
        read(session)
    assert problem.value.code == word
    assert problem.value.detail == f"{name}: because"


def test_a_missing_catalog_fails_the_login(coordinator: Start) -> None:
    trino = coordinator([])
    error = {"errorName": "CATALOG_NOT_FOUND", "message": "Catalog 'hive' not found"}
    trino.special["schemata"] = [{"error": error, "last": True}]
    with pytest.raises(LoginFailed) as problem:
        trino.open()
    assert problem.value.code == "database"


def test_a_busy_server_is_asked_again(coordinator: Start) -> None:
    trino = coordinator([answer(b"busy", 503), answer(b"", 502), answer(b"", 429), {"data": ROWS}, {"last": True}])
    with trino.open() as session:
        assert read(session) == JSON


def test_a_server_that_stays_busy_ends_at_the_deadline(coordinator: Start) -> None:
    trino = coordinator([answer(b"busy", 503)] * 1000)
    with pytest.raises(Timeout), trino.open(Limits(connect_seconds=HANG, seconds=1)) as session:
        read(session)
    # It pauses between two questions; a thousand would have been answered.
    assert len(trino.server.asked) < 60


def test_a_stopped_query_is_cancelled_on_the_server(coordinator: Start) -> None:
    running, release = threading.Event(), threading.Event()

    def wait() -> Iterator[dict[str, Any]]:
        running.set()
        release.wait(HANG)
        yield {"last": True}

    trino = coordinator([])
    trino.special["als"] = wait()
    limits = Limits(connect_seconds=HANG, seconds=HANG, is_wanted=lambda: not running.is_set())
    with trino.open(limits) as session:
        with pytest.raises(Timeout) as stopped:
            read(session)
        assert stopped.value.code == "cancelled"
        # The server has not answered yet: nobody waited for that.
        assert not release.is_set()
    gone = eventually(lambda: [asked for asked in trino.server.asked if asked.method == "DELETE"])
    release.set()
    asked = [asked.path for asked in trino.server.asked if asked.method == "GET"]
    assert gone[0].path == asked[-1]


def test_rows_left_in_the_middle_are_cancelled_on_the_server(coordinator: Start) -> None:
    trino = coordinator([{"data": ROWS}] * 5)
    with trino.open() as session:
        next(session.rows(TableQuery(TABLE, ("id", "amount", "score", "title", "day", "moment", "instant")), DESCRIBED))
    methods = eventually(lambda: [asked.method for asked in trino.server.asked if asked.method == "DELETE"])
    assert methods == ["DELETE"]


@pytest.mark.parametrize(
    ("limits", "code"),
    [(Limits(bytes=1000), "bytes"), (Limits(rows=10), "rows"), (Limits(row_bytes=100), "row_bytes")],
)
def test_over_a_cap_the_answer_is_refused_never_cut(coordinator: Start, limits: Limits, code: str) -> None:
    trino = coordinator([{"data": ROWS * 5}, {"data": ROWS * 6}, {"last": True}])
    with trino.open(limits) as session, pytest.raises(TooBig) as refusal:
        read(session)
    assert refusal.value.code == code


def asked_for(coordinator: Start, where: Condition, timezone: str = "UTC") -> str:
    trino = coordinator([{"last": True}])
    with trino.open(timezone=timezone) as session:
        read(session, "id", where=where)
    found: str = next(said for said in trino.statements if said.startswith("EXECUTE IMMEDIATE"))
    return found


@pytest.mark.parametrize(
    ("column", "value", "literal"),
    [
        ("id", -(2**63), "BIGINT '-9223372036854775808'"),
        ("id", 2**63, "DECIMAL '9223372036854775808'"),
        ("id", Decimal("0.5"), "DECIMAL '0.5'"),
        ("amount", Decimal("1E+3"), "BIGINT '1000'"),
        ("score", Decimal("1E+300"), "DOUBLE '1e+300'"),
        ("title", "it''s\\'; DROP TABLE x; -- ? \n", "'it''''s\\''; DROP TABLE x; -- ? \n'"),
        ("day", dt.date(1, 1, 1), "DATE '0001-01-01'"),
        ("moment", dt.datetime(2025, 1, 2, 3, 4, 5), "TIMESTAMP '2025-01-02 03:04:05'"),
        ("instant", dt.datetime(2025, 1, 2, 3, 4, 5), "TIMESTAMP '2025-01-02 03:04:05 UTC'"),
    ],
)
def test_a_value_stands_apart_from_the_statement(coordinator: Start, column: str, value: Value, literal: str) -> None:
    said = asked_for(coordinator, Comparison(column, ">=", value))
    assert said.endswith(f" USING {literal}")
    assert 'FROM "shop"."de""als" WHERE' in said


def test_patterns_stand_apart_too(coordinator: Start) -> None:
    said = asked_for(coordinator, Contains("title", "50%_'|"))
    assert said.endswith(" USING '%50|%|_''||%'")
    assert "lower(\"title\") LIKE lower(?) ESCAPE ''|''" in said


@pytest.mark.parametrize("value", [10**40, Decimal("1e-40"), Decimal("1E+999999")])
def test_a_number_beyond_all_decimals_is_refused(coordinator: Start, value: Value) -> None:
    with pytest.raises(QueryRefused) as refusal:
        asked_for(coordinator, OneOf("amount", (value,)))
    assert refusal.value.code == "value_type"


@pytest.mark.parametrize("where", [Contains("score", "1"), Like("score", "1%")])
def test_the_text_of_floating_numbers_cannot_be_searched(coordinator: Start, where: Condition) -> None:
    with pytest.raises(QueryRefused) as refusal:
        asked_for(coordinator, where)
    assert (refusal.value.code, refusal.value.name) == ("value_type", "score")


def test_a_time_that_the_zone_has_twice_is_compared_as_it_is_shown(coordinator: Start) -> None:
    zone = "Europe/Berlin"
    once = asked_for(coordinator, Comparison("instant", ">=", dt.datetime(2025, 10, 26, 12)), zone)
    assert "\"instant\" >= ?' USING TIMESTAMP '2025-10-26 12:00:00 Europe/Berlin'" in once.replace(")'", "'")
    for odd in (dt.datetime(2025, 10, 26, 2, 30), dt.datetime(2025, 3, 30, 2, 30)):
        said = asked_for(coordinator, Between("instant", odd, dt.datetime(2026, 1, 1)), zone)
        assert "AT TIME ZONE ''Europe/Berlin'' AS timestamp(6)) >= ?" in said
        assert f"USING TIMESTAMP '{odd}', TIMESTAMP '2026-01-01 00:00:00.999999'" in said


def test_a_filter_too_long_for_trino_is_refused(coordinator: Start) -> None:
    with pytest.raises(QueryRefused) as refusal:
        asked_for(coordinator, OneOf("title", tuple("x" * 100 + str(number) for number in range(10_000))))
    assert refusal.value.code == "filter_too_long"


@pytest.mark.parametrize(
    ("native", "form"),
    [
        ("boolean", Form.BOOLEAN),
        ("tinyint", Form.INTEGER),
        ("decimal(38,10)", Form.EXACT),
        ("real", Form.FLOAT),
        ("varchar", Form.TEXT),
        ("varchar(10)", Form.TEXT),
        ("char(3)", Form.TEXT),
        ("varbinary", Form.BINARY),
        ("date", Form.DATE),
        ("timestamp(3)", Form.DATETIME),
        ("timestamp(12) with time zone", Form.INSTANT),
        ("time(3)", Form.RENDERED),
        ("time(3) with time zone", Form.RENDERED),
        ("array(timestamp(3))", Form.RENDERED),
        ("row(a bigint, b decimal(3,1))", Form.RENDERED),
        ("map(varchar, double)", Form.RENDERED),
        ("uuid", Form.RENDERED),
        ("interval day to second", Form.RENDERED),
        ("HyperLogLog", Form.RENDERED),
    ],
)
def test_a_type_has_its_form(native: str, form: Form) -> None:
    assert trino_row(native)[0] is form


def test_tables_and_columns_come_from_the_catalogs_information_schema(coordinator: Start) -> None:
    trino = coordinator([])
    tables = [["shop", "deals", "BASE TABLE"], ["shop", "open deals", "VIEW"]]
    trino.special[".tables"] = [{"data": tables}, {"last": True}]
    trino.special[".columns"] = [{"data": [["id", "bigint", "NO"], ["day", "date", "YES"]]}, {"last": True}]
    with trino.open() as session:
        assert [(table.name.name, table.kind) for table in session.tables("DEALS")] == [
            ("deals", "table"),
            ("open deals", "view"),
        ]
        described = session.describe(TableName("shop", "o'deals"))
    assert [(column.name, column.type, column.nullable) for column in described.columns] == [
        ("id", "int", False),
        ("day", "date", True),
    ]
    assert any('FROM "hi""ve".information_schema.tables' in said for said in trino.statements)
    assert any(said.endswith("USING 'shop', 'o''deals'") for said in trino.statements)
