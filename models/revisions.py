"""Revisions of the app's database: those that this code knows, the one that a database has, and who may change it.

New revisions only add (docs/develop/how-to.md), so that the code before them goes on with the database after them:
while machines are updated one by one, and when the new code has to be taken back. One that takes something away says in
its variable `oldest_code` which revision the code has to know that can do without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from errors import ConfigurationError
from models.deployment import ONLY, Deployment

ROOT = Path(__file__).parent.parent
LONGEST_WAIT = 600.0
"""Seconds that an upgrade waits for another one."""
LOOK_SECONDS = 1.0
LOCK = "bi-connectors db-upgrade"
LOCK_NUMBER = 0x62692D7570
"""The same for PostgreSQL, whose locks have numbers."""
FIRST_CHECKED = "0013"
"""No earlier code asks whether it works with a database."""


def migrations() -> Config:
    """Alembic's configuration, independent of the current folder."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this code, oldest first."""
    scripts = ScriptDirectory.from_config(migrations()).walk_revisions()
    return tuple(reversed([script.revision for script in scripts]))


@cache
def oldest_code() -> str:
    """The newest revision of the oldest code that works with a database of this code."""
    scripts = ScriptDirectory.from_config(migrations()).walk_revisions()
    return max((getattr(script.module, "oldest_code", FIRST_CHECKED) for script in scripts), default=FIRST_CHECKED)


def revision_of(connection: Connection) -> str | None:
    """The revision of a database; None if no `db-upgrade` has made it."""
    return MigrationContext.configure(connection).get_current_revision()


def bring_up_to_date(
    engine: Engine, *, say: Callable[[str], None] = lambda _: None, longest_wait: float = LONGEST_WAIT
) -> str:
    """Run the revisions that the database lacks; gives back the revision that it has now.

    One process at a time does so: another one waits, which `say` is told. A database of newer code stays as it is.
    Raises `ConfigurationError` after `longest_wait` seconds.
    """
    config = migrations()
    with engine.begin() as connection, _alone(connection, say, longest_wait):
        revision = revision_of(connection)
        if revision is not None and revision not in known_revisions():
            return revision
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        with Session(connection) as session:
            session.merge(Deployment(id=ONLY, oldest_code=oldest_code()))
            session.flush()
        return known_revisions()[-1]


@contextmanager
def _alone(connection: Connection, say: Callable[[str], None], longest_wait: float) -> Iterator[None]:
    """Be the only one who changes the database; the lock ends with the connection, also if the process dies."""
    end, told = time.monotonic() + longest_wait, False
    while not _locked(connection):
        if time.monotonic() >= end:
            raise ConfigurationError(
                f"Another `flask db-upgrade` has not ended within {longest_wait:.0f} seconds; nothing was changed here."
            )
        if not told:
            say("Another `flask db-upgrade` is changing the database: waiting.")
            told = True
        time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        if connection.dialect.name in ("mariadb", "mysql"):
            connection.execute(text("SELECT RELEASE_LOCK(CONCAT(DATABASE(), :name))"), {"name": f" {LOCK}"})


def _locked(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":
        taken = connection.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
    elif connection.dialect.name == "sqlite":
        taken = _locked_file(connection)
    else:
        # Names are the server's, which may have several such databases.
        taken = connection.scalar(text("SELECT GET_LOCK(CONCAT(DATABASE(), :name), 0)"), {"name": f" {LOCK}"})
    return bool(taken)


def _locked_file(connection: Connection) -> bool:
    """SQLite's own lock for writers, which also makes all revisions one transaction."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as problem:
        if "locked" in str(problem.orig):
            return False
        raise
    return True
