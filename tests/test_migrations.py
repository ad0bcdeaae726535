"""Migrations make exactly the tables of the models, on every database that the product supports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, inspect, select, text
from sqlalchemy.orm import Session

from app import create_app
from cli.database import ROOT, bring_up_to_date, migrations
from errors import ConfigurationError
from models import Base, FormNonce, Portal, UserSession, UserToken, Vault, connect
from services import wiring
from tests.doors import key, settings_for
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


def test_an_earlier_revision_is_started_with_a_warning_and_never_without_the_keys_of_its_secrets(
    any_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    at_revision_0002(any_database)
    wiring.build(settings_for(any_database, secret_keys=OLD)).engine.dispose()
    assert "The database lacks tables or columns: run `flask db-upgrade`." in caplog.messages
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
