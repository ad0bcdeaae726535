"""Migrations make exactly the tables of the models, on every database that the product supports."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, MetaData, create_engine, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app import create_app
from errors import ConfigurationError
from models import Base, Deployment, FormNonce, Portal, UserSession, UserToken, Vault, connect
from models import revisions as revisions_module
from models.revisions import (
    FIRST_CHECKED,
    ROOT,
    bring_up_to_date,
    known_revisions,
    migrations,
    oldest_code,
    revision_of,
)
from services import wiring
from tests.databases import mariadb_database
from tests.doors import database, key, settings_for
from tests.waiting import HANG

OLD = key("old")


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))


def test_the_migrated_database_is_what_the_models_say(any_database: str) -> None:
    engine = connect(any_database)
    bring_up_to_date(engine)
    assert differences(engine) == []
    engine.dispose()


def test_whatever_belongs_to_a_portal_goes_with_it() -> None:
    """facts/security 1 row 21: deleting the row of a portal deletes its data, whichever tables are added."""
    going = {"portals"}
    for table in Base.metadata.sorted_tables:  # a table comes after those that it refers to
        if any(key.ondelete == "CASCADE" and key.column.table.name in going for key in table.foreign_keys):
            going.add(table.name)
    # Failures are counted for people of all portals; events are deleted by the portal's `member_id`; the others are the
    # deployment's own.
    assert set(Base.metadata.tables) - going == {"strikes", "lifecycle_events", "deployment", "key_checks"}


def test_migrating_twice_changes_nothing(any_database: str) -> None:
    engine = connect(any_database)
    bring_up_to_date(engine)
    tables = set(inspect(engine).get_table_names())
    bring_up_to_date(engine)
    assert set(inspect(engine).get_table_names()) == tables
    engine.dispose()


def test_every_revision_can_be_taken_back(any_database: str) -> None:
    engine = connect(any_database)
    bring_up_to_date(engine)
    config = migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    bring_up_to_date(engine)
    assert differences(engine) == []
    engine.dispose()


def test_revisions_form_one_line() -> None:
    assert len(ScriptDirectory.from_config(migrations()).get_heads()) == 1


def test_db_upgrade_prepares_an_empty_database_and_may_be_run_again(tmp_path: Path) -> None:
    app = create_app(settings_for(f"sqlite:///{tmp_path / 'new' / 'app.db'}"))
    for _ in range(2):
        told = app.test_cli_runner().invoke(args=["db-upgrade"])
        assert (told.exit_code, told.stdout) == (0, "The database is up to date.\n")
    assert "portals" in inspect(app.extensions["services"].engine).get_table_names()
    app.extensions["services"].engine.dispose()


def at_revision_0002(url: str) -> None:
    """A database before `next_key` came, with one secret under the key `old`."""
    engine, config = connect(url), migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        portal = Portal(member_id="acme", state="active")
        Vault(settings_for(url, secret_keys=OLD).secret_keys).put(portal, "application_token", "application-secret")
        # A row of that revision: the model has columns that come later.
        sealed = {"member_id": portal.member_id, "state": portal.state, "application_token": portal.application_token}
        connection.execute(insert(Portal).values(sealed))
    engine.dispose()


def test_the_command_brings_an_earlier_revision_up_to_date_without_telling_to_run_it(any_database: str) -> None:
    """The application is made before the command runs, and so before the columns of its models are there."""
    at_revision_0002(any_database)
    settings = {"DATABASE_URL": any_database, "SECRET_KEYS": OLD, "PUBLIC_URL": "https://bi.example.com"}
    settings |= {"BITRIX24_CLIENT_ID": "app.demo0000000000.00000001", "BITRIX24_CLIENT_SECRET": "canary-client-secret"}
    told = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "db-upgrade"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert (told.returncode, told.stdout) == (0, "The database is up to date.\n"), told.stderr
    assert "lacks" not in told.stderr
    engine = connect(any_database)
    assert differences(engine) == []
    engine.dispose()


def test_an_earlier_revision_is_refused_with_a_sentence_and_first_without_the_keys_of_its_secrets(
    any_database: str,
) -> None:
    at_revision_0002(any_database)
    with pytest.raises(ConfigurationError, match=r"is older than this code \(revision 0002 .*Run `flask db-upgrade`"):
        wiring.build(settings_for(any_database, secret_keys=OLD))
    wiring.build(settings_for(any_database, secret_keys=OLD), tolerated={"revision"}).engine.dispose()
    with pytest.raises(ConfigurationError, match=r"SECRET_KEYS lacks old"):
        wiring.build(settings_for(any_database, secret_keys=key("new")))


def test_dropping_a_column_of_sessions_keeps_them_and_the_forms_that_acted(any_database: str) -> None:
    engine, config = connect(any_database), migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        moment = "2026-01-01 00:00:00"
        for row in (
            "portals (id, member_id, domain, client_endpoint, oauth_url, language, status, version, state, created_at)"
            f" VALUES (1, 'acme', '', '', '', 'en', 'F', 1, 'active', '{moment}')",
            "user_sessions (id, token_hash, portal_id, user_id, is_admin, admin_checked_at, language, created_at,"
            f" seen_at, expires_at) VALUES (1, 'x', 1, 7, true, '{moment}', 'en', '{moment}', '{moment}', '{moment}')",
            f"form_uses (nonce_hash, session_id, created_at) VALUES ('y', 1, '{moment}')",
        ):
            connection.execute(text(f"INSERT INTO {row}"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with Session(engine) as session:
        assert session.query(UserSession).one().user_id == 7
        assert session.query(FormNonce).one().nonce_hash == "y"
    engine.dispose()


def test_what_was_paused_says_why_and_is_tried_again(any_database: str) -> None:
    """facts/platform 3.4, 5.3: a portal that was closed, and an app that was not paid for"""
    engine, config = connect(any_database), migrations()

    def states() -> list[tuple[str, str, bool]]:
        with Session(engine) as session:
            wanted = select(Portal.state, UserToken.state, UserToken.retry_after).join(UserToken)
            rows = session.execute(wanted.order_by(Portal.member_id)).all()
            return [(portal, grant, rests is not None) for portal, grant, rests in rows]

    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        for number, (name, state) in enumerate((("closed", "paused"), ("unpaid", "active")), start=1):
            connection.execute(insert(Portal).values(id=number, member_id=name, state=state))
            connection.execute(insert(UserToken).values(portal_id=number, user_id=1, state="paused"))
        command.upgrade(config, "head")
    assert states() == [("closed", "closed", True), ("active", "unpaid", True)]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    assert [row[:2] for row in states()] == [("paused", "paused"), ("active", "paused")]
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle://x", "mssql+pyodbc://x", "postgresql+psycopg://postgres@127.0.0.1:1/nothing"]
)
def test_a_database_that_cannot_be_used_ends_the_start_with_a_sentence(url: str) -> None:
    with pytest.raises(SystemExit, match=r"The app cannot start\.\nDATABASE_URL"):
        create_app(settings_for(url))


@contextmanager
def server_database(kind: str, folder: Path) -> Iterator[str]:
    """A new database on each kind of server that the app's own can be on, and in a file."""
    if kind == "mariadb":
        with mariadb_database("migrations") as name:
            yield f"mariadb+pymysql://root@127.0.0.1:3306/{name}?charset=utf8mb4"
    else:
        with database(kind, folder) as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with server_database(request.param, tmp_path) as url:
        yield url


def test_several_machines_may_upgrade_at_once_and_one_does(each_database: str) -> None:
    engines = [connect(each_database) for _ in range(4)]
    with ThreadPoolExecutor(len(engines)) as pool:
        revisions = list(pool.map(bring_up_to_date, engines))
    assert revisions == [known_revisions()[-1]] * 4
    assert set(inspect(engines[0]).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    for engine in engines:
        engine.dispose()


def test_an_upgrade_waits_for_another_one_says_so_and_not_for_ever(
    each_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions_module, "LOOK_SECONDS", 0.05)
    one, two = (connect(each_database) for _ in range(2))
    entered, leave, said = threading.Event(), threading.Event(), list[str]()

    def held(*_: object) -> None:
        assert not entered.is_set(), "two at once"
        entered.set()
        assert leave.wait(HANG)

    with monkeypatch.context() as patched, ThreadPoolExecutor(1) as pool:
        patched.setattr("alembic.command.upgrade", held)
        first = pool.submit(bring_up_to_date, one)
        assert entered.wait(HANG)
        if one.dialect.name == "sqlite":
            two.dispose()
            two = create_engine(each_database, connect_args={"timeout": 0.05})
        try:
            with pytest.raises(ConfigurationError, match="has not ended within 0 seconds"):
                bring_up_to_date(two, say=said.append, longest_wait=0.2)
        finally:
            leave.set()
        with pytest.raises(DatabaseError):
            first.result()  # the one that held the lock has made no tables
    assert said == ["Another `flask db-upgrade` is changing the database: waiting."]
    assert bring_up_to_date(two, say=said.append) == known_revisions()[-1]
    assert len(said) == 1
    for engine in (one, two):
        engine.dispose()


def set_revision(url: str, revision: str, oldest_code: str | None) -> None:
    """The database looks as code of a later revision leaves it."""
    engine = connect(url)
    bring_up_to_date(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        connection.execute(update(Deployment).values(oldest_code=oldest_code))
    engine.dispose()


def test_code_goes_on_with_a_newer_database_that_works_with_it(
    any_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Machines are updated one by one, and new code may have to be taken back."""
    set_revision(any_database, "9999", known_revisions()[-1])
    app = create_app(settings_for(any_database))
    assert "The database is at revision 9999 of newer code; this code" in caplog.text
    told = app.test_cli_runner().invoke(args=["db-upgrade"])
    assert (told.exit_code, "at revision 9999 of newer code already; nothing was changed" in told.stdout) == (0, True)
    with app.extensions["services"].engine.connect() as connection:
        assert revision_of(connection) == "9999"
    app.extensions["services"].engine.dispose()


@pytest.mark.parametrize("oldest_code", [None, "9998"])
def test_code_that_does_not_work_with_a_newer_database_says_so(any_database: str, oldest_code: str | None) -> None:
    set_revision(any_database, "9999", oldest_code)
    with pytest.raises(SystemExit, match="at revision 9999 and no longer works with this code"):
        create_app(settings_for(any_database))


def test_a_database_says_which_code_is_the_oldest_that_works_with_it(any_database: str) -> None:
    engine = connect(any_database)
    bring_up_to_date(engine)
    with Session(engine) as session:
        first = session.query(Deployment).one()
        assert first.oldest_code == oldest_code()
    bring_up_to_date(engine)
    with Session(engine) as session:
        assert session.query(Deployment).one().uid == first.uid
    engine.dispose()


def expanding() -> list[tuple[str, str]]:
    """Pairs of neighbours among the revisions, of which the second one has to work with the code of the first."""
    scripts = {script.revision: script for script in ScriptDirectory.from_config(migrations()).walk_revisions()}
    pairs = [(before, after) for before, after in pairwise(known_revisions()) if after >= FIRST_CHECKED]
    return [pair for pair in pairs if not hasattr(scripts[pair[1]].module, "oldest_code")]


@pytest.mark.parametrize(("before", "after"), expanding())
def test_the_code_before_a_revision_reads_and_writes_the_database_after_it(
    each_database: str, before: str, after: str
) -> None:
    """Rolling updates: nothing is taken away, and nothing new is wanted, unless the revision says so."""
    engine, config = connect(each_database), migrations()

    def move(revision: str) -> None:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    move(before)
    known = MetaData()
    known.reflect(engine)
    known.remove(known.tables["alembic_version"])
    write_and_read(engine, known, 1)
    move(after)
    write_and_read(engine, known, 2)
    with engine.connect() as connection:
        for table in known.sorted_tables:
            assert len(connection.execute(select(table)).all()) == 2, table.name
    with engine.begin() as connection:
        for table in reversed(known.sorted_tables):
            connection.execute(delete(table))
    engine.dispose()


def write_and_read(engine: Engine, known: MetaData, number: int) -> None:
    """A row in each table with a value in each column, written, changed and read as the earlier code does."""
    with engine.begin() as connection:
        for table in known.sorted_tables:
            values = {column.name: value_for(column, number) for column in table.columns}
            connection.execute(insert(table).values(values))
            mine = [column == values[column.name] for column in table.primary_key.columns]
            connection.execute(update(table).where(*mine).values(values))
            row = connection.execute(select(table).where(*mine)).one()
            texts = {name for name, value in values.items() if isinstance(value, str)}
            assert {name: row._mapping[name] for name in texts} == {name: values[name] for name in texts}


def value_for(column: Column[Any], number: int) -> object:
    """Some value that fits: the same for a column and for those that refer to it."""
    kind = column.type.python_type
    if kind is datetime:
        return datetime.fromisoformat(f"2026-01-0{number}")
    if kind in (int, bool):
        return number if kind is int else True
    return {"a": number} if kind is dict else str(number)


def test_a_revision_that_takes_something_away_is_found_out(tmp_path: Path) -> None:
    """The check above sees what earlier revisions did: 0005 dropped a column that the code before it wrote."""
    engine, config = connect(f"sqlite:///{tmp_path / 'app.db'}"), migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    known = MetaData()
    known.reflect(engine)
    known.remove(known.tables["alembic_version"])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
    with pytest.raises(DatabaseError, match="admin_checked_at"):
        write_and_read(engine, known, 1)
    engine.dispose()
