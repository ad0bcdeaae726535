"""What ClickHouse's driver sends, and what it believes of an answer; its SQL and types are proved on the engine."""

from __future__ import annotations

import functools
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.base import Description, Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.clickhouse.column_types import clickhouse_row, fraction_digits, is_nullable, plain
from drivers.clickhouse.driver import quote
from drivers.clickhouse.protocol import QueryParameter, with_parameters
from drivers.columns import Column, Form
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, TooBig
from drivers.query import Comparison, Like, OneOf, TableName, TableQuery
from drivers.sql import MARK, Sql
from egress.errors import TargetError, Timeout
from egress.policy import Policy
from tests.drivers.clickhouse_server import form_fields
from tests.drivers.http_server import Asked, Played, answer, chunked
from tests.drivers.old_clickhouse import PROGRAM, old_clickhouse
from tests.waiting import HANG, eventually

TABLE = TableName("shop", "deals")
DESCRIBED = Description(TABLE, (Column("id", Form.INTEGER, "Int64"), Column("title", Form.TEXT, "String")))
QUERY = TableQuery(TABLE, ("id", "title"))
ROWS = b'[1,"a"]\n[2,"b\\nc"]\n[3,null]'
Rows = Callable[[Asked, bytes], bytes | None]


def mark(asked: Asked) -> bytes:
    return asked.parameters["format_custom_result_after_delimiter"].encode()


def whole(asked: Asked, rows: bytes = ROWS) -> bytes:
    return chunked(rows + mark(asked))


def login(server: Played, limits: Limits | None = None, **more: str) -> Session:
    settings = {"host": "127.0.0.1", "port": str(server.port), "database": "shop", "username": "u", "tls": "disable"}
    guards = Guards(Policy(allow=[f"127.0.0.1:{server.port}"]), limits=limits or Limits())
    return DRIVERS["clickhouse"].open({**settings, **more}, guards)


@pytest.fixture
def clickhouse() -> Iterator[Callable[..., tuple[Session, Played]]]:
    """A session on a server that lets everybody in and answers statements on tables as told."""
    opened: list[tuple[Session, Played]] = []

    def start(rows: Rows, limits: Limits | None = None) -> tuple[Session, Played]:
        def script(asked: Asked) -> bytes | None:
            if "version()" in asked.body:
                return answer(b'["26.9.2.1"]' + mark(asked))
            return answer(b"") if asked.body.startswith("KILL") else rows(asked, mark(asked))

        server = Played(script)
        opened.append((login(server, limits or Limits(connect_seconds=HANG, seconds=HANG)), server))
        return opened[-1]

    yield start
    for session, server in opened:
        session.__exit__(None, None, None)
        server.close()


Start = Callable[..., tuple[Session, Played]]


def read(session: Session) -> list[list[object]]:
    text = b",".join(chunk.data for chunk in session.rows(QUERY, DESCRIBED))
    rows: list[list[object]] = json.loads(b"[" + text + b"]")
    return rows


def test_every_request_is_read_only_limited_and_told_to_fail_where_a_profile_would_cut(clickhouse: Start) -> None:
    """facts/security 1 rows 12 and 15; facts/field 1 V2: level 2, overflow throws."""
    session, server = clickhouse(lambda asked, end: whole(asked))
    assert read(session) == [[1, "a"], [2, "b\nc"], [3, None]]
    for asked in server.asked:
        sent = asked.parameters
        assert asked.method == "POST"
        assert (sent["readonly"], sent["limit"], sent["offset"], sent["extremes"]) == ("2", "0", "0", "0")
        assert {sent[f"{what}_overflow_mode"] for what in ("result", "read", "timeout", "sort")} == {"throw"}
        assert 1 <= int(sent["max_execution_time"]) <= HANG
        assert sent["database"] == "shop"
        assert sent["output_format_json_quote_64bit_integers"] == sent["output_format_json_quote_decimals"] == "0"
        assert asked.headers["authorization"].startswith("Basic ")
        assert asked.headers["accept-encoding"] == "identity"
    marks = [sent["format_custom_result_after_delimiter"] for sent in (asked.parameters for asked in server.asked)]
    assert len(set(marks)) == len(marks)


def test_an_answer_that_ends_anywhere_before_its_end_is_broken(clickhouse: Start) -> None:
    """facts/security 6: a proxy may hide that an answer was cut; the end mark cannot be hidden."""
    length = len(ROWS) + 33
    for end in range(length):
        for hidden in (True, False):
            session, _ = clickhouse(lambda asked, mark, end=end, hidden=hidden: chunked((ROWS + mark)[:end], 7, hidden))
            with pytest.raises(Broken):
                read(session)
    session, _ = clickhouse(lambda asked, end: chunked(ROWS + end))
    assert len(read(session)) == 3


def test_an_answer_with_a_length_is_believed_only_in_whole(clickhouse: Start) -> None:
    def cut(asked: Asked, end: bytes) -> bytes:
        return answer(ROWS + end, Connection="close")[:-5]

    session, _ = clickhouse(cut)
    with pytest.raises(Broken):
        read(session)


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (159, Timeout, "deadline"),
        (394, Timeout, "deadline"),
        (396, TooBig, "rows"),
        (241, Broken, "server_error"),
        (60, QueryRefused, "unknown_table"),
        (47, QueryRefused, "unknown_column"),
        (497, QueryRefused, "no_permission"),
        (53, QueryRefused, "value_type"),
    ],
)
@pytest.mark.parametrize("way", ["status", "header of a 200", "after rows with status 200", "instead of rows"])
def test_an_error_is_told_by_its_code_wherever_it_stands(
    clickhouse: Start, code: int, kind: type[TargetError], word: str, way: str
) -> None:
    text = f"Code: {code}. DB::Exception: Memory limit\nexceeded: [1]. (WORD) (version 26.9.2.1)\n".encode()
    bodies = {
        "status": answer(text, 500, X_ClickHouse_Exception_Code=str(code)),
        "header of a 200": answer(text, 200, X_ClickHouse_Exception_Code=str(code)),
        "after rows with status 200": chunked(ROWS[:-4] + text),
        "instead of rows": chunked(text),
    }
    session, _ = clickhouse(lambda asked, end: bodies[way])
    with pytest.raises(kind) as problem:
        read(session)
    assert problem.value.code == word
    if kind is not TooBig:
        assert f"Code {code}" in problem.value.detail


@pytest.mark.parametrize("line", [b"<html>", b"1,2", b'[1,"a"', b'{"id":1}', b"\x1f\x8b\x08", b""])
def test_lines_that_are_no_rows_are_broken(clickhouse: Start, line: bytes) -> None:
    session, _ = clickhouse(lambda asked, end: chunked(ROWS + b"\n" + line + end))
    with pytest.raises(Broken):
        read(session)


def test_the_end_mark_of_another_request_is_none(clickhouse: Start) -> None:
    marks: list[bytes] = []

    def replay(asked: Asked, end: bytes) -> bytes:
        marks.append(end)
        return chunked(ROWS + marks[0])

    session, _ = clickhouse(replay)
    assert len(read(session)) == 3
    with pytest.raises(Broken):
        read(session)


def always(said: bytes, asked: Asked) -> bytes:
    return said


def test_a_login_says_what_is_wrong() -> None:
    for code, kind, word in (
        (516, LoginFailed, "password"),
        (193, LoginFailed, "password"),
        (81, LoginFailed, "database"),
        (202, LoginFailed, "too_many_connections"),
        (164, SettingsWrong, "readonly_profile"),
        (115, Broken, "server_error"),
    ):
        refusal = answer(f"Code: {code}. DB::Exception: something".encode(), 500)
        server = Played(functools.partial(always, refusal))
        with pytest.raises(kind) as problem:
            login(server)
        assert problem.value.code == word
        server.close()


def of_version(version: str, asked: Asked, *, knows_settings: bool = True) -> bytes:
    if not asked.parameters:
        return answer(version.encode() + b"\n")
    if knows_settings:
        return answer(b'["' + version.encode() + b'"]' + mark(asked))
    return answer(b"Code: 115, e.displayText() = DB::Exception: Unknown setting limit", 404)


@pytest.mark.parametrize("version", ["18.16.1", "9.1", "23.8.16.40", "24.2.3.70"])
@pytest.mark.parametrize("knows_settings", [True, False])
def test_a_server_too_old_is_told_so_by_its_version(version: str, knows_settings: bool) -> None:
    """Also where it refuses what every request asks of it before anything else."""
    server = Played(functools.partial(of_version, version, knows_settings=knows_settings))
    with pytest.raises(SettingsWrong) as problem:
        login(server)
    assert (problem.value.field, problem.value.code) == ("host", "server_too_old")
    assert problem.value.detail == f"ClickHouse {version} answers there; version 24.3 or later is needed."
    server.close()


@pytest.mark.parametrize("version", ["24.3.1.2672", "24.10.1.11", "26.9.2.1", "100.1", "head"])
def test_a_server_of_another_version_is_let_in_unless_it_refuses_a_setting(version: str) -> None:
    server = Played(functools.partial(of_version, version))
    with login(server) as session:
        assert session.check().version == version
    server.close()
    server = Played(functools.partial(of_version, version, knows_settings=False))
    with pytest.raises(Broken) as problem:
        login(server)
    assert problem.value.code == "server_error"
    server.close()


@pytest.mark.skipif(not PROGRAM, reason="needs Debian's package clickhouse-server")
def test_a_real_server_of_2018_is_told_so_and_refuses_a_user_as_newer_ones_do(tmp_path: Path) -> None:
    with old_clickhouse(tmp_path) as settings:
        guards = Guards(Policy(allow=[f"127.0.0.1:{settings['port']}"]))
        with pytest.raises(SettingsWrong) as problem:
            DRIVERS["clickhouse"].open(settings, guards)
        assert problem.value.code == "server_too_old"
        assert problem.value.detail == "ClickHouse 18.16.1 answers there; version 24.3 or later is needed."
        with pytest.raises(LoginFailed) as refusal:
            DRIVERS["clickhouse"].open({**settings, "username": "nobody_here"}, guards)
        assert refusal.value.code == "password"


def test_a_zone_that_the_server_does_not_know_is_the_settings_fault() -> None:
    def script(asked: Asked) -> bytes:
        if "version()" in asked.body:
            return chunked(b'["24.3"]' + mark(asked))
        return answer(b"Code: 1000. DB::Exception: Cannot load time zone", 500)

    server = Played(script)
    with pytest.raises(SettingsWrong) as problem:
        login(server, timezone="Europe/Kyiv")
    assert (problem.value.field, problem.value.code) == ("timezone", "zone_unknown_to_server")
    server.close()


def test_a_stopped_query_is_killed_on_the_server(clickhouse: Start) -> None:
    """A server that sends nothing does not notice that its caller has gone."""
    running_there, release = threading.Event(), threading.Event()

    def wait(asked: Asked, end: bytes) -> None:
        running_there.set()
        release.wait(HANG)

    limits = Limits(connect_seconds=HANG, seconds=HANG, is_wanted=lambda: not running_there.is_set())
    session, server = clickhouse(wait, limits)
    with pytest.raises(Timeout) as stopped, session:
        read(session)
    # The server has not answered yet: nobody waited for that.
    assert not release.is_set()
    release.set()
    assert stopped.value.code == "cancelled"
    killed = eventually(lambda: [asked for asked in server.asked if asked.body.startswith("KILL QUERY")])
    running = next(asked for asked in server.asked if "`deals`" in asked.body)
    assert killed[0].parameters == {"param_q": running.parameters["query_id"]}


def test_a_connection_that_was_closed_while_idle_is_opened_anew(clickhouse: Start) -> None:
    times = itertools.count()
    session, server = clickhouse(lambda asked, end: None if next(times) == 0 else answer(ROWS + end))
    assert len(read(session)) == 3
    assert len([asked for asked in server.asked if "deals" in asked.body]) == 2
    session, server = clickhouse(lambda asked, end: None)
    with pytest.raises(Broken):
        read(session)
    assert len([asked for asked in server.asked if "deals" in asked.body]) == 2


def fields_of(asked: Asked) -> list[tuple[str, bytes]]:
    """The form that a request brings, as the server takes it apart."""
    kind, _, boundary = asked.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    return form_fields(asked.body.encode(), boundary.encode())


def test_values_travel_apart_from_the_statement_and_from_the_address(clickhouse: Start) -> None:
    nasty = "'; DROP TABLE canary; -- \\ \t\n {p0:String} %s \0".replace("\0", "")
    session, server = clickhouse(lambda asked, end: whole(asked))
    for where in (Comparison("title", "=", nasty), OneOf("title", (nasty, "x")), Like("title", "a|\\%b_\\\\%")):
        list(session.rows(TableQuery(TABLE, ("id", "title"), where), DESCRIBED))
    sent = [dict(fields_of(asked)) for asked in server.asked[1:]]
    for asked, fields in zip(server.asked[1:], sent, strict=True):
        assert "DROP" not in asked.path
        assert b"DROP" not in fields["query"]
    assert sent[0]["param_p0"] == sent[1]["param_p0"] == b"'; DROP TABLE canary; -- \\\\ \\t\\n {p0:String} %s "
    # ClickHouse knows the backslash only: %, a literal |, a literal %, any character, a literal backslash.
    assert sent[2]["param_p0"] == b"a|\\\\%b_\\\\\\\\%"


def test_a_long_list_leaves_the_address_short(clickhouse: Start) -> None:
    """Servers, proxies and load balancers on the way read 8 to 64 KiB of an address."""
    session, server = clickhouse(lambda asked, end: whole(asked))
    where = OneOf("title", tuple(f"title {number} of a long list" for number in range(20_000)))
    list(session.rows(TableQuery(TABLE, ("id",), where), DESCRIBED))
    assert max(len(asked.path) for asked in server.asked) < 4096
    fields = fields_of(server.asked[-1])
    assert sum(name.startswith("param_") for name, _ in fields) == 20_000
    # The server reads 128 KiB of a field, and joins those of the query.
    assert max(len(value) for _, value in fields) <= 128 * 1024
    assert b"".join(value for name, value in fields if name == "query").count(b":String}") == 20_000


def test_a_setting_that_a_server_overlooks_beside_a_form_stands_in_the_statement(clickhouse: Start) -> None:
    """It takes `..._format` in the address for the format of a table that the form brings."""
    session, server = clickhouse(lambda asked, end: whole(asked))
    list(session.rows(TableQuery(TABLE, ("id",), Comparison("title", "=", "a")), DESCRIBED))
    query = dict(fields_of(server.asked[-1]))["query"].decode()
    overlooked = {name for name in server.asked[-1].parameters if name.endswith(("_format", "_types", "_structure"))}
    for name in overlooked - {"default_format"}:
        assert f"{name} = '{server.asked[-1].parameters[name]}'" in query.partition("SETTINGS")[2]
    assert "date_time_output_format" in overlooked


def test_a_value_too_long_for_a_field_is_refused(clickhouse: Start) -> None:
    session, server = clickhouse(lambda asked, end: whole(asked))
    with pytest.raises(QueryRefused) as refusal:
        list(session.rows(TableQuery(TABLE, ("id",), Comparison("title", "=", "x" * (128 * 1024 + 1))), DESCRIBED))
    assert refusal.value.code == "filter_too_long"
    assert len(server.asked) == 1


def test_names_are_quoted_with_their_backticks_and_backslashes() -> None:
    assert quote("a`b\\c") == "`a\\`b\\\\c`"
    with pytest.raises(QueryRefused):
        quote("a\0")


def test_each_mark_gets_its_own_parameter() -> None:
    text, parameters = with_parameters(
        Sql(f"a = {MARK} AND b IN ({MARK}, {MARK})", (QueryParameter("Int64", "1"), "x", QueryParameter("String", "y")))
    )
    assert text == "a = {p0:Int64} AND b IN ({p1:String}, {p2:String})"
    assert parameters == {"param_p0": "1", "param_p1": "x", "param_p2": "y"}


@pytest.mark.parametrize(
    ("native", "form", "nullable"),
    [
        ("LowCardinality(Nullable(String))", Form.TEXT, True),
        ("SimpleAggregateFunction(sum, Decimal(38, 2))", Form.EXACT, False),
        ("Array(Nullable(Int64))", Form.RENDERED, False),
        ("Nullable(DateTime64(3, 'Europe/Berlin'))", Form.INSTANT, True),
        ("AggregateFunction(sum, Int64)", Form.BINARY, False),
        ("Enum8('int' = 1)", Form.TEXT, False),
        ("Point", Form.RENDERED, False),
        ("UInt256", Form.INTEGER, False),
        ("Bool", Form.BOOLEAN, False),
        ("SomethingNew(1)", Form.RENDERED, False),
    ],
)
def test_a_type_is_seen_through_what_wraps_it(native: str, form: Form, nullable: bool) -> None:
    assert clickhouse_row(native)[0] is form
    assert is_nullable(native) is nullable


def test_fractions_of_times_are_read_from_the_type() -> None:
    assert fraction_digits("Nullable(DateTime64(9, 'UTC'))") == 9
    assert fraction_digits("DateTime('UTC')") == fraction_digits("Date32") == 0
    assert plain("LowCardinality(Nullable(FixedString(3)))") == "FixedString(3)"
