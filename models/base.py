"""The declarative base, the engine and sessions of the app's own database."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from errors import ConfigurationError

# Named constraints, so that migrations can change them on every database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables of the application."""

    metadata = MetaData(naming_convention=NAMES)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, aware in Python whatever the database keeps."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store naive UTC; a naive value is a bug, since it could mean any zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("moments carry a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware moment."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The present moment in UTC, to whole seconds as every supported database keeps it."""
    return datetime.now(UTC).replace(microsecond=0)


def new_uid() -> str:
    """A random identity for a row, known before the row is written."""
    return uuid.uuid4().hex


Sessions = sessionmaker[Session]


def connect(database_url: str) -> Engine:
    """An engine for `database_url`; a SQLite file gets its folder, foreign keys and a write-ahead log.

    Raises `ConfigurationError` for an address that nothing here can open.
    """
    try:
        return _engine(make_url(database_url))
    except (ArgumentError, ImportError):
        raise ConfigurationError(
            "DATABASE_URL is not an address of a database that this installation has a driver for; "
            "examples: sqlite:///instance/app.db, postgresql+psycopg://user:password@host/name."
        ) from None
    except OSError as problem:
        raise ConfigurationError(f"DATABASE_URL: the folder of the file cannot be made ({problem.strerror}).") from None


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        # Writers wait for each other instead of failing at once.
        options["connect_args"] = {"timeout": 15}
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def servers_of(database_url: str) -> list[tuple[str, int]]:
    """Hosts and ports of a database; none for a file or a socket of this machine."""
    url = make_url(database_url)
    usual = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}.get(url.get_backend_name())
    if usual is None:
        return []
    given = url.query.get("host", ())
    several = [place for each in ((given,) if isinstance(given, str) else given) for place in each.split(",")]
    places = [(url.host, url.port)] if url.host else [_host_and_port(place) for place in several]
    return [(host, port or usual) for host, port in places if host and not host.startswith("/")]


def _host_and_port(place: str) -> tuple[str, int | None]:
    host, _, port = place.rpartition(":") if re.fullmatch(r"[^:]+:\d+|\[.+\]:\d+", place) else (place, "", "")
    return host.strip("[]"), int(port) if port else None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def sessions_for(engine: Engine) -> Sessions:
    """A factory of short sessions; objects stay readable after commit."""
    return sessionmaker(engine, expire_on_commit=False)
