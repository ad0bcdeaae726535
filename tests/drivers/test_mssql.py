"""What SQL Server's driver sends, and what it believes, by a played server (facts/security 1 rows 8-15)."""

# ruff: noqa: DTZ001 - moments are without zone on purpose: they are in the connection's

from __future__ import annotations

import datetime as dt
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import Description, Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.columns import Column, Form
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, TooBig
from drivers.mssql.driver import MSSQL
from drivers.query import Comparison, Condition, Contains, Like, OneOf, TableName, TableQuery, Value
from egress.errors import TargetError, TargetRefused, Timeout, Unreachable
from egress.policy import Policy
from tests.drivers.http_server import listener
from tests.drivers.servers import Canary, certificates
from tests.drivers.tds_server import NOT_SUPPORTED, OFF, ON, REQUIRED, SqlServer, done, error, routed, rows, text
from tests.ports import kept_port
from tests.waiting import HANG

SECRET = "s3cret-canary-password"
TABLE = TableName("dbo", "de]als")
KINDS = ("int", "decimal", "float", "bytes")
DESCRIBED = Description(
    TABLE,
    (
        Column("id", Form.INTEGER, "bigint"),
        Column("amount", Form.EXACT, "decimal(38,4)"),
        Column("score", Form.FLOAT, "float"),
        Column("title", Form.TEXT, "nvarchar"),
        Column("day", Form.DATE, "date"),
        Column("moment", Form.DATETIME, "datetime2"),
        Column(
            "instant", Form.INSTANT, "datetimeoffset", expression="CAST(SWITCHOFFSET({c}, '+00:00') AS datetime2(7))"
        ),
    ),
)
NAMES = ("id", "amount", "score", "title")
VALUES: list[list[object]] = [
    [2**63 - 1, Decimal("1234567890123456789012345678901234.0123"), 0.1, text('a"\n😀\u2028')],
    [-1, Decimal("-0.5"), 1e300, b"\x00\xd8a\x00"],
    [None, None, None, None],
]
JSON = (
    b'[9223372036854775807,1234567890123456789012345678901234.0123,0.1,"a\\"\\n\xf0\x9f\x98\x80\xe2\x80\xa8"],\n'
    b'[-1,-0.5000,1e+300,"\xef\xbf\xbda"],\n[null,null,null,null]'
)
FAST = Limits(connect_seconds=2, seconds=3)
"""For servers that must be given up."""
PATIENT = Limits(connect_seconds=HANG, seconds=HANG)
"""For servers that say what is wrong, however long a loaded machine takes."""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    files = certificates(tmp_path_factory.mktemp("tls"), "db.example.com")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files.cert_file, files.key_file)
    return made, Path(files.ca_file).read_text()


Tls = tuple[ssl.SSLContext, str]
Start = Callable[..., SqlServer]


@pytest.fixture
def server(context: Tls) -> Iterator[Start]:
    opened: list[SqlServer] = []

    def start(answer: bytes | None = b"", encryption: int = ON, login: bytes | None = None) -> SqlServer:
        tls = None if encryption == NOT_SUPPORTED else context[0]
        opened.append(SqlServer(lambda statement: answer, encryption, tls, login))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def login(port: int, limits: Limits | None = None, **more: str) -> Session:
    settings = {
        "host": "127.0.0.1",
        "port": str(port),
        "database": "shop",
        "username": "reader",
        "password": SECRET,
        "tls": "require",
        **more,
    }
    policy = Policy(allow=[f"127.0.0.1:{port}", f"db.example.com:{port}"], lookup=lambda host, port: ["127.0.0.1"])
    return DRIVERS["mssql"].open(settings, Guards(policy, limits=limits or PATIENT))


def failure(port: int, limits: Limits = PATIENT, /, **more: str) -> TargetError:
    with pytest.raises(TargetError) as problem, login(port, limits, **more) as session:
        session.check()
    assert SECRET not in str(problem.value) + problem.value.detail
    return problem.value


def read(session: Session, *names: str, where: Condition | None = None, limit: int | None = None) -> bytes:
    query = TableQuery(TABLE, names or NAMES, where, limit)
    return b",\n".join(chunk.data for chunk in session.rows(query, DESCRIBED))


def test_rows_arrive_with_all_their_digits_and_broken_texts_spoil_no_other(server: Start) -> None:
    with login(server(rows(KINDS, VALUES) + done()).port) as session:
        assert read(session) == JSON
        assert len(json.loads(b"[" + read(session) + b"]")) == 3


@pytest.mark.parametrize("encryption", [ON, REQUIRED])
@pytest.mark.parametrize("mode", ["require", "disable"])
def test_all_travels_through_tls_where_the_server_offers_it(server: Start, mode: str, encryption: int) -> None:
    played = server(rows(("nvarchar",), [["16.0.4"]]) + done(), encryption)
    with login(played.port, tls=mode) as session:
        checked = session.check()
    assert (checked.product, checked.version, checked.encrypted) == ("Microsoft SQL Server", "16.0.4", True)
    assert text("SERVERPROPERTY") in played.statements[-1]
    assert text("SERVERPROPERTY") not in played.heard


def test_without_encryption_the_login_still_travels_through_tls(server: Start) -> None:
    """facts/security 1 row 11: a password never travels in clear."""
    played = server(rows(("nvarchar",), [["16.0.4"]]) + done(), OFF)
    with login(played.port, tls="disable") as session:
        assert session.check().encrypted is False
    assert text("reader") in played.login_packet
    assert text("reader") not in played.heard
    assert text("SERVERPROPERTY") in played.heard


def test_no_login_is_sent_to_a_server_without_encryption(server: Start) -> None:
    played = server(encryption=NOT_SUPPORTED)
    assert failure(played.port, tls="disable").code == "unsafe_method"
    for mode in ("require", "verify-ca", "verify-full"):
        for encryption in (NOT_SUPPORTED, OFF):
            played = server(encryption=encryption)
            problem = failure(played.port, tls=mode)
            assert isinstance(problem, SettingsWrong)
            assert (problem.field, problem.code) == ("tls", "not_offered")
            assert played.logins == 0


def test_a_certificate_of_another_name_or_authority_is_refused(server: Start, context: Tls) -> None:
    for more, code in (
        ({"tls": "verify-full", "ca": context[1]}, "certificate_name"),
        ({"tls": "verify-full", "host": "db.example.com"}, "certificate_refused"),
        ({"tls": "verify-ca"}, "certificate_refused"),
    ):
        played = server()
        problem = failure(played.port, **more)
        assert isinstance(problem, SettingsWrong)
        assert (problem.field, problem.code) == ("tls", code)
        assert played.logins == 0
    played = server(rows(("nvarchar",), [["16"]]) + done())
    for mode in ("verify-ca", "verify-full"):
        with login(played.port, tls=mode, ca=context[1], host="db.example.com") as session:
            assert session.check().encrypted


def test_nobody_listening_and_silence_are_unreachable() -> None:
    with kept_port() as port:
        assert failure(port).code == "connect_refused"
    started = time.monotonic()

    def silence(caller: socket.socket) -> None:
        while caller.recv(4096):
            pass

    with listener(silence) as silent:
        problem = failure(silent, FAST)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_timeout"
    assert time.monotonic() - started < HANG / 2


@pytest.mark.parametrize(
    "noise", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"\xff" * 64, b"\x04\x01\x00\x09\0\0\0\0\xff" * 9]
)
def test_a_server_that_speaks_something_else_is_a_failure_of_ours_not_a_crash(noise: bytes) -> None:
    def play(caller: socket.socket) -> None:
        caller.sendall(noise)
        caller.recv(65536)

    with listener(play) as port:
        assert isinstance(failure(port), Unreachable | Broken | SettingsWrong | LoginFailed)


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    with Canary(["127.0.0.1"]) as canary:
        for host in ("127.0.0.1", "localhost", "127.0.0.1,1433", "127.0.0.1\\SQLEXPRESS", "tcp:127.0.0.1", "(local)"):
            settings = {"host": host, "port": str(canary.port), "database": "d", "username": "u"}
            with pytest.raises((TargetRefused, Unreachable, SettingsWrong)):
                DRIVERS["mssql"].open(settings, Guards(Policy(), limits=FAST))
        assert canary.connections == 0


def test_a_server_that_sends_us_elsewhere_is_followed_by_the_guard_only(server: Start) -> None:
    """facts/security 1 row 8: python-tds alone would connect to whatever the server names."""
    with Canary(["127.0.0.1"]) as canary:
        played = server(login=routed("127.0.0.1", canary.port))
        assert isinstance(failure(played.port), TargetRefused)
        assert canary.connections == 0
    played = server()
    played._login = routed("127.0.0.1", played.port)
    assert failure(played.port).code == "bad_answer"
    assert played.logins == 2


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (18456, LoginFailed, "password"),
        (4060, LoginFailed, "database"),
        (10928, LoginFailed, "too_many_connections"),
        (40615, LoginFailed, "refused"),
        (40613, Unreachable, "starting"),
        (99999, LoginFailed, "refused"),
    ],
)
def test_a_failed_login_says_what_is_wrong(server: Start, number: int, kind: type[TargetError], word: str) -> None:
    problem = failure(server(login=error(number) + done(2)).port)
    assert isinstance(problem, kind)
    assert problem.code == word


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (208, QueryRefused, "unknown_table"),
        (207, QueryRefused, "unknown_column"),
        (229, QueryRefused, "no_permission"),
        (8115, QueryRefused, "value_type"),
        (8623, QueryRefused, "filter_too_long"),
        (1205, Broken, "server_error"),
    ],
)
@pytest.mark.parametrize("after_rows", [False, True])
def test_an_error_is_told_by_its_number_also_after_rows(
    server: Start, number: int, kind: type[TargetError], word: str, after_rows: bool
) -> None:
    begin = rows(KINDS, VALUES) if after_rows else b""
    with login(server(begin + error(number) + done(2)).port) as session, pytest.raises(kind) as problem:
        read(session)
    assert problem.value.code == word
    assert "because" in problem.value.detail


def test_an_answer_that_ends_anywhere_before_its_end_is_broken(server: Start) -> None:
    """facts/security 6."""
    whole = rows(KINDS, VALUES) + done()
    for end in range(1, len(whole), 5):
        with login(server(whole[:end]).port) as session, pytest.raises(Broken):
            read(session)


def test_a_lost_connection_is_broken(server: Start) -> None:
    with login(server(None).port) as session, pytest.raises(Broken) as problem:
        read(session)
    assert problem.value.code == "connection_lost"


def test_a_stopped_query_ends_at_once(context: Tls) -> None:
    running, release = threading.Event(), threading.Event()

    def wait(statement: bytes) -> None:
        running.set()
        release.wait(HANG)

    played = SqlServer(wait, ON, context[0])
    limits = Limits(connect_seconds=HANG, seconds=HANG, is_wanted=lambda: not running.is_set())
    with pytest.raises(Timeout, match="cancelled"), login(played.port, limits) as session:
        read(session)
    limits = Limits(connect_seconds=HANG, seconds=1)
    with pytest.raises(Timeout, match="deadline"), login(played.port, limits) as session:
        read(session)
    # The server has not answered yet: nobody waited for that.
    assert not release.is_set()
    release.set()
    played.close()


def test_a_server_that_sends_without_end_costs_little_memory(context: Tls) -> None:
    endless = rows(("bytes",), []) + b"\xd1" + b"\xfe" + b"\xff" * 7 + (b"\0\0\x01\0" + b"x" * 65536) * 1000
    played = SqlServer(lambda statement: endless, ON, context[0])
    limits = Limits(connect_seconds=HANG, seconds=HANG, row_bytes=1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with login(played.port, limits) as session, pytest.raises(TooBig) as refusal:
        read(session, "title")
    assert (refusal.value.code, refusal.value.limit) == ("row_bytes", 1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024
    played.close()


@pytest.mark.parametrize(
    ("limits", "code"),
    [(Limits(bytes=100), "bytes"), (Limits(rows=2), "rows"), (Limits(row_bytes=40), "row_bytes")],
)
def test_over_a_cap_the_answer_is_refused_never_cut(server: Start, limits: Limits, code: str) -> None:
    with login(server(rows(KINDS, VALUES) + done()).port, limits) as session, pytest.raises(TooBig) as refusal:
        read(session)
    assert refusal.value.code == code


def asked_for(server: Start, where: Condition | None, timezone: str = "UTC", limit: int | None = None) -> bytes:
    played = server(rows(("int",), []) + done())
    with login(played.port, timezone=timezone) as session:
        read(session, "id", where=where, limit=limit)
    return played.statements[-1]


@pytest.mark.parametrize(
    ("column", "value", "sent"),
    [
        ("id", 7, b"\x26\x04\x04\x07\0\0\0"),
        ("id", -(2**63), b"\x26\x08\x08" + b"\0" * 7 + b"\x80"),
        ("title", "it's'; DROP TABLE x; -- %s", text("it's'; DROP TABLE x; -- %s")),
        ("day", dt.date(1, 1, 1), text("0001-01-01")),
        ("moment", dt.datetime(2025, 1, 2, 3, 4, 5), text("2025-01-02 03:04:05.9999999")),
    ],
)
def test_a_value_travels_apart_from_the_statement(server: Start, column: str, value: Value, sent: bytes) -> None:
    said = asked_for(server, Comparison(column, "<=", value))
    assert sent in said
    assert text("FROM [dbo].[de]]als] WHERE") in said
    assert text("DROP") not in said.replace(sent, b"")


def test_patterns_travel_apart_and_brackets_stand_for_themselves(server: Start) -> None:
    said = asked_for(server, Contains("title", "50%_[a]|"))
    assert text("%50|%|_|[a]||%") in said
    assert text("LIKE LOWER(") in said


def test_a_limit_stands_at_the_beginning(server: Start) -> None:
    assert text("SELECT TOP (20) [id] AS [c0] FROM [dbo].[de]]als]") in asked_for(server, None, limit=20)


def test_equal_texts_are_equal_to_their_last_space_and_case(server: Start) -> None:
    """SQL Server's own `=` knows no difference between `abc` and `ABC `."""
    said = asked_for(server, Comparison("title", "=", "abc"))
    assert text("(CAST([title] AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 + NCHAR(1)) = (@") in said


@pytest.mark.parametrize(
    "where",
    [
        Contains("score", "1"),
        Like("score", "1%"),
        OneOf("amount", (10**40,)),
        Comparison("amount", "=", Decimal("1E-40")),
        Comparison("score", "=", 10**400),
    ],
)
def test_what_cannot_be_compared_rightly_is_refused(server: Start, where: Condition) -> None:
    with pytest.raises(QueryRefused) as refusal:
        asked_for(server, where)
    assert refusal.value.code == "value_type"


def test_more_values_than_a_statement_may_have_are_refused(server: Start) -> None:
    with pytest.raises(QueryRefused) as refusal:
        asked_for(server, OneOf("id", tuple(range(2500))))
    assert refusal.value.code == "filter_too_long"


def test_instants_are_shown_and_compared_in_the_connections_zone(server: Start) -> None:
    zone = "Europe/Berlin"
    said = asked_for(server, Comparison("instant", ">=", dt.datetime(2025, 7, 1, 12)), zone)
    assert text("2025-07-01 10:00:00") in said
    for odd in (dt.datetime(2025, 10, 26, 2, 30), dt.datetime(2025, 3, 30, 2, 30)):
        with pytest.raises(QueryRefused):
            asked_for(server, Comparison("instant", ">=", odd), zone)
    with pytest.raises(QueryRefused):
        asked_for(server, Contains("instant", "12"), zone)
    played = server(rows(("bytes",), [[text("2025-06-30 22:30:00")], [text("9999-12-31 23:30:00")], [None]]) + done())
    with login(played.port, timezone=zone) as session:
        assert read(session, "instant") == b'["2025-07-01 00:30:00"],\n[null],\n[null]'


def test_tables_and_columns_come_from_the_catalogue(server: Start) -> None:
    tables = [["dbo", "deals", "U ", 1], ["sales", "open deals", "V ", 0]]
    with login(server(rows(("nvarchar", "nvarchar", "nvarchar", "int"), tables) + done()).port) as session:
        assert [(table.name, table.kind, table.plain) for table in session.tables()] == [
            (TableName("dbo", "deals"), "table", True),
            (TableName("sales", "open deals"), "view", False),
        ]
    described: list[list[object]] = [
        ["id", "bigint", "bigint", 0, 19, 0],
        ["Сумма", "money", "price", 1, 19, 4],
        ["shape", "geometry", "geometry", 1, 0, 0],
    ]
    kinds = ("nvarchar", "nvarchar", "nvarchar", "int", "int", "int")
    with login(server(rows(kinds, described) + done()).port) as session:
        found = session.describe(TableName("dbo", "deals"))
    assert [(column.name, column.type, column.native, column.nullable) for column in found.columns] == [
        ("id", "int", "bigint", False),
        ("Сумма", "double", "price(19,4)", True),
        ("shape", "string", "geometry", True),
    ]


@pytest.mark.parametrize(
    ("native", "form"),
    [("bit", "boolean"), ("money", "exact"), ("real", "float"), ("ntext", "text"), ("timestamp", "binary")],
)
def test_a_type_has_its_form(native: str, form: str) -> None:
    assert MSSQL[native][0] == form
