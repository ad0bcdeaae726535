"""PostgreSQL behind PgBouncer in transaction mode: a server's session is another client's after each transaction."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from drivers.base import Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong
from drivers.query import Comparison, TableName
from egress.errors import Timeout
from egress.policy import Policy
from tests.databases import POSTGRESQL, postgresql_database
from tests.postgresql_server import PGBOUNCER, pgbouncer
from tests.suite.databases import read
from tests.waiting import HANG, eventually

pytestmark = pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")

SETTINGS = (
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "statement_timeout",
    "lock_timeout",
    "default_transaction_read_only",
    "client_connection_check_interval",
    "idle_in_transaction_session_timeout",
)
TABLE = TableName("public", "t")


class Pool:
    """A database, who administers it, and the pooler's port."""

    def __init__(self, name: str, admin: psycopg.Connection, port: int) -> None:
        self.name, self.admin, self.port = name, admin, port

    def open(self, limits: Limits | None = None, /, **settings: str) -> Session:
        given = {"host": "127.0.0.1", "port": str(self.port), "database": self.name, "username": "postgres"}
        guards = Guards(Policy(allow=[f"127.0.0.1:{self.port}"]), limits=limits or Limits())
        return DRIVERS["postgresql"].open({**given, "tls": "disable", **settings}, guards)

    def program(self) -> psycopg.Connection:
        """A customer's own program, as user and database the same: it shares the server's sessions with us."""
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname={self.name}", autocommit=True, prepare_threshold=None
        )

    def backends(self) -> dict[int, str]:
        """The server's sessions of the pooler, and whether they are in a transaction."""
        found = self.admin.execute(
            "SELECT pid, state FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (self.name,)
        )
        return dict(found.fetchall())


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with (
        postgresql_database("pooled") as name,
        psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as admin,
        pgbouncer("postgres") as port,
    ):
        admin.execute(
            "CREATE TABLE t AS SELECT i AS id, '2024-07-01 10:00+00'::timestamptz AS at FROM generate_series(1, 3) i"
        )
        admin.execute("CREATE VIEW fails AS SELECT i AS id, 1 / (i - 900) AS n FROM generate_series(1, 1000) i")
        admin.execute("CREATE VIEW endless AS SELECT 1 AS id, pg_sleep(600)::text AS note")
        yield Pool(name, admin, port)


def asked(program: psycopg.Connection) -> list[object]:
    row = program.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in SETTINGS)).fetchone()
    assert row
    return list(row)


def use(pool: Pool, how: str) -> None:
    """One session of ours, ended in one way or another."""
    with pool.open(timezone="Asia/Tokyo") as session:
        if how == "check":
            session.check()
        elif how == "tables":
            session.tables()
        elif how == "description":
            session.describe(TABLE)
        elif how == "rows":
            assert read(session, TABLE, ["at"], Comparison("id", "=", 1)) == [["2024-07-01 19:00:00"]]
        elif how == "rows twice":
            for _ in range(2):
                assert read(session, TABLE, ["at"], Comparison("id", "=", 1)) == [["2024-07-01 19:00:00"]]
        elif how == "refused":
            with pytest.raises(QueryRefused):
                session.describe(TableName("public", "nothing"))
        elif how == "failed":
            with pytest.raises(Broken):
                read(session, TableName("public", "fails"), ["n"])


WAYS = ["check", "tables", "description", "rows", "rows twice", "refused", "failed"]


@pytest.mark.parametrize("how", WAYS)
def test_a_call_leaves_nothing_behind_for_who_gets_the_servers_session_next(pool: Pool, how: str) -> None:
    with pool.program() as program:
        before = asked(program)
        backends = pool.backends()
    for _ in range(4):
        use(pool, how)
    assert set(pool.backends().values()) == {"idle"}
    assert set(backends) <= set(pool.backends()), "the pooler had to throw a session away"
    with pool.program() as program:
        assert asked(program) == before
        program.execute("CREATE TABLE IF NOT EXISTS written (n int); INSERT INTO written VALUES (1)")


def test_every_call_has_its_own_settings_however_sessions_are_dealt_out(pool: Pool) -> None:
    zones = {"UTC": "10:00:00", "Asia/Tokyo": "19:00:00", "Europe/Berlin": "12:00:00", "America/New_York": "06:00:00"}

    def ask(zone: str) -> str:
        with pool.open(timezone=zone) as session:
            ((shown,),) = read(session, TABLE, ["at"], Comparison("id", "=", 1))
        return str(shown)

    asking = list(zones) * 8
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, asking)) == [f"2024-07-01 {zones[zone]}" for zone in asking]


def test_nothing_is_written_through_a_pooler(pool: Pool) -> None:
    with pool.open() as session:
        for statement in ("INSERT INTO t VALUES (9)", "CREATE TABLE made (n int)", "SET TRANSACTION READ WRITE"):
            session.describe(TABLE)
            with pytest.raises((Broken, QueryRefused)):
                session._fetch(statement)  # type: ignore[attr-defined]
    assert pool.admin.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_a_statement_that_nobody_waits_for_is_stopped_behind_the_pooler(pool: Pool) -> None:
    gone = threading.Event()
    with pool.open(Limits(is_wanted=lambda: not gone.is_set())) as session:
        threading.Timer(0.3, gone.set).start()
        with pytest.raises(Timeout):
            read(session, TableName("public", "endless"), ["id", "note"])
    eventually(lambda: "active" not in pool.backends().values(), pool.backends)


def test_a_zone_that_the_server_lacks_is_told_as_such(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.zones._names", lambda: {"Mars/Olympus"})
    with pool.open(timezone="Mars/Olympus") as session:
        with pytest.raises(SettingsWrong) as wrong:
            session.check()
        assert (wrong.value.field, wrong.value.code) == ("timezone", "zone_unknown_to_server")


@pytest.mark.parametrize(
    ("settings", "asked_for", "code"),
    [
        ("", {"database": "nothing"}, "database"),
        ("", {"username": "nobody"}, "password"),
        ("auth_type = scram-sha-256", {"password": "wrong"}, "password"),
        ("auth_type = scram-sha-256", {}, "password"),
        ("max_client_conn = 1", {}, "too_many_connections"),
    ],
)
def test_a_pooler_that_refuses_says_why(pool: Pool, settings: str, asked_for: dict[str, str], code: str) -> None:
    with pgbouncer("postgres", settings=settings) as port, contextlib.ExitStack() as others:
        refusing = Pool(pool.name, pool.admin, port)
        if "max" in settings:
            others.enter_context(refusing.program())
        with pytest.raises(LoginFailed) as refused:
            refusing.open(**asked_for)
    assert refused.value.code == code


def test_a_pooler_that_knows_no_transactions_is_told_as_such(pool: Pool) -> None:
    with (
        pgbouncer("postgres", settings="pool_mode = statement") as port,
        Pool(pool.name, pool.admin, port).open() as session,
        pytest.raises(Broken) as refused,
    ):
        session.check()
    assert refused.value.code == "server_error"
    assert "transaction" in refused.value.detail


@pytest.mark.parametrize("how", ["check", "tables", "description", "rows"])
def test_a_call_goes_to_the_server_twice_beyond_its_login(pool: Pool, how: str) -> None:
    """Each statement is a way there and back: the first one begins the transaction, the last one ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ways: list[bytes] = []
        port = listener.getsockname()[1]
        passing = threading.Thread(target=_pass_on, args=(listener, 5432, ways))
        passing.start()
        use(Pool(pool.name, pool.admin, port), how)
        passing.join()
    # The startup message and the last word are the connection's own; the other statements are simple queries.
    assert [sent[:1] for sent in ways[1:-1]] == [b"Q", b"Q"]


def _pass_on(listener: socket.socket, port: int, ways: list[bytes]) -> None:
    """One connection to the server, and what its client said each time that it waited for an answer."""
    caller, _ = listener.accept()
    with caller, socket.create_connection(("127.0.0.1", port)) as server:
        ends = {caller: server, server: caller}
        while True:
            ready, _, _ = select.select(list(ends), [], [], HANG)
            for end in ready:
                if not (said := end.recv(65536)):
                    return
                ends[end].sendall(said)
                if end is caller:
                    ways.append(said)


def test_a_server_whose_process_the_pooler_hides_may_compute_until_its_answer_begins(pool: Pool) -> None:
    with pool.open() as session:
        session.check()
        assert session.is_computing(begun=False)
        assert not session.is_computing(begun=True)
