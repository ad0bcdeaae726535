"""Deadlines, cancelling and read-only sessions (facts/security 1 rows 12 and 15)."""

from __future__ import annotations

import threading
import time

import pytest

from drivers.base import Limits, Session
from drivers.columns import Form
from drivers.errors import SettingsWrong
from drivers.query import TableName, TableQuery
from egress.errors import TargetError, Timeout
from tests.suite.databases import Database, read
from tests.waiting import HANG, eventually

#: No cap for what a fast machine reads of an endless file before it is stopped.
ENDLESS_BYTES = 10**12


def exhaust(session: Session, table: TableName) -> None:
    """Read all rows of the endless view and keep none."""
    for _ in session.rows(TableQuery(table, ("id", "note"))):
        pass


@pytest.fixture(scope="module")
def endless(database: Database) -> TableName:
    return database.view("endless", database.endless)


def test_an_endless_query_ends_at_the_deadline(database: Database, endless: TableName) -> None:
    started = time.monotonic()
    limits = Limits(connect_seconds=HANG, seconds=1, bytes=ENDLESS_BYTES)
    with pytest.raises(Timeout), database.open(limits=limits) as session:
        exhaust(session, endless)
    assert time.monotonic() - started < HANG
    database.assert_quiet("endless")


def test_a_query_that_nobody_waits_for_any_more_ends(database: Database, endless: TableName) -> None:
    gone, started = threading.Event(), time.monotonic()
    limits = Limits(connect_seconds=HANG, bytes=ENDLESS_BYTES, is_wanted=lambda: not gone.is_set())
    with database.open(limits=limits) as session:
        threading.Timer(0.5, gone.set).start()
        with pytest.raises(Timeout) as stopped:
            exhaust(session, endless)
    assert stopped.value.code == "cancelled"
    assert time.monotonic() - started < HANG
    database.assert_quiet("endless")


def test_a_session_that_nobody_wants_refuses_everything(database: Database) -> None:
    table = database.create("late", {"n": database.types[Form.INTEGER]}, [[1]])
    gone = threading.Event()
    with database.open(limits=Limits(connect_seconds=HANG, is_wanted=lambda: not gone.is_set())) as session:
        gone.set()
        with pytest.raises(Timeout):
            eventually(session.deadline.check)
        for action in (session.check, session.tables, lambda: session.describe(table)):
            with pytest.raises(Timeout) as stopped:
                action()
            assert stopped.value.code == "cancelled"


@pytest.mark.needs("reads_only")
def test_a_session_cannot_write(database: Database) -> None:
    table = database.create("kept", {"n": database.types[Form.INTEGER]}, [[1]])
    with database.open() as session:
        for statement in database.writing(table):
            with pytest.raises(TargetError):
                session._fetch(statement)  # type: ignore[attr-defined]
        assert read(session, table, ["n"]) == [[1]]


def test_a_zone_that_nobody_knows_is_the_settings_fault(database: Database) -> None:
    with pytest.raises(SettingsWrong) as wrong, database.open(timezone="Europe/Atlantis"):
        pass
    assert (wrong.value.field, wrong.value.code) == ("timezone", "no_such_zone")


def test_a_setting_that_the_driver_does_not_declare_is_refused(database: Database) -> None:
    with pytest.raises(SettingsWrong) as wrong, database.open(hots="127.0.0.1"):
        pass
    assert (wrong.value.field, wrong.value.code) == ("hots", "no_such_setting")


def test_many_open_sessions_end_with_no_thread_left(database: Database) -> None:
    """Of their own: the process has one that keeps all deadlines."""

    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name != "deadlines"}

    before = threads()
    for _ in range(20):
        with database.open() as session:
            session.check()
    eventually(lambda: threads() <= before, threading.enumerate)


def test_a_query_is_refused_once_the_session_is_closed(database: Database) -> None:
    table = database.create("closed", {"n": database.types[Form.INTEGER]}, [[1]])
    with database.open() as session:
        chunks = session.rows(TableQuery(table, ("n",)))
    with pytest.raises(TargetError):
        next(chunks)
