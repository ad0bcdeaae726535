"""Databases that stay open between calls: one session each, and never for another file or setting."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from drivers.base import Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.files import session as session_of
from drivers.files.engine_pool import Warm
from drivers.query import TableName, TableQuery
from egress.errors import TargetError, Timeout
from egress.policy import Policy
from tests.waiting import eventually

TABLE = TableName("", "sales")


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warm]:
    fresh = Warm()
    monkeypatch.setattr(session_of, "WARM", fresh)
    yield fresh
    while (database := fresh.take("anything")) is not None:
        database.close()


@pytest.fixture
def path(tmp_path: Path, warm: Warm) -> Path:
    written = tmp_path / "sales.csv"
    written.write_text("day,sum\n2025-01-02 03:04:05Z,1\n")
    return written


def opened(path: Path, limits: Limits | None = None, **settings: str) -> Session:
    guards = Guards(Policy(), local_files=path.parent, limits=limits or Limits())
    return DRIVERS["file"].open({"path": path.name, **settings}, guards)


def read(session: Session) -> list[list[object]]:
    text = b",".join(chunk.data for chunk in session.rows(TableQuery(TABLE, ("day", "sum"))))
    rows: list[list[object]] = json.loads(b"[" + text + b"]")
    return rows


def database_of(session: Session) -> duckdb.DuckDBPyConnection:
    assert isinstance(session, session_of.FileSession)
    assert session._database is not None
    return session._database


def test_the_next_session_gets_the_same_database(path: Path) -> None:
    with opened(path) as first:
        used = database_of(first)
        expected = read(first)
    with opened(path) as second:
        assert database_of(second) is used
        assert read(second) == expected == [["2025-01-02 03:04:05", 1]]


def test_two_sessions_at_once_have_two_databases(path: Path) -> None:
    with opened(path) as first, opened(path) as second:
        assert database_of(first) is not database_of(second)
        assert read(first) == read(second)


def test_a_changed_file_is_read_anew(path: Path) -> None:
    with opened(path) as session:
        assert read(session) == [["2025-01-02 03:04:05", 1]]
    before = path.stat()
    path.write_text("day,sum\n2025-01-02 03:04:05Z,2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with opened(path) as session:
        assert read(session) == [["2025-01-02 03:04:05", 2]]


def test_another_zone_is_another_database(path: Path) -> None:
    with opened(path) as session:
        assert read(session) == [["2025-01-02 03:04:05", 1]]
    with opened(path, timezone="Asia/Tokyo") as session:
        assert read(session) == [["2025-01-02 12:04:05", 1]]
    with opened(path, timezone="Asia/Tokyo") as session:
        assert read(session) == [["2025-01-02 12:04:05", 1]]


def test_a_warm_database_is_as_closed_as_a_new_one(path: Path) -> None:
    other = path.with_name("other.csv")
    other.write_text("a\n1\n")
    with opened(path):
        pass
    with opened(path) as session:
        connection = database_of(session).cursor()
        for statement in (f"SELECT * FROM read_csv('{other}')", "SET enable_external_access = true", "SET threads = 9"):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_what_failed_or_was_stopped_is_not_used_again(path: Path) -> None:
    gone = threading.Event()
    with opened(path, Limits(is_wanted=lambda: not gone.is_set())) as session:
        used = database_of(session)
        gone.set()
        with pytest.raises(Timeout):
            eventually(session.deadline.check)
        with pytest.raises(TargetError):
            read(session)
    with opened(path) as session:
        assert database_of(session) is not used


def test_of_too_many_the_oldest_are_closed() -> None:
    warm, databases = Warm(most=2), [duckdb.connect(":memory:") for _ in range(3)]
    for number, database in enumerate(databases):
        warm.give(number, database)
    with pytest.raises(duckdb.ConnectionException):
        databases[0].execute("SELECT 1")
    assert warm.take(0) is None
    assert [warm.take(1), warm.take(2)] == databases[1:]
    assert warm.take(1) is None
    for database in databases:
        database.close()


def test_what_is_too_old_is_closed() -> None:
    warm, database = Warm(seconds=-1), duckdb.connect(":memory:")
    warm.give("key", database)
    assert warm.take("other") is None
    with pytest.raises(duckdb.ConnectionException):
        database.execute("SELECT 1")
