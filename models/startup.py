"""What is checked of the app's own database when the app starts."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from errors import ConfigurationError
from models.base import Base, Sessions
from models.deployment import deployment_of
from models.key_checks import note_keys, wrong_keys
from models.revisions import known_revisions, revision_of
from models.vault import Vault

log = logging.getLogger(__name__)

UPGRADE_COMMAND = "db-upgrade"
FORGET_COMMAND = "keys forget"
Fault = Literal["revision", "keys", "uploads"]
"""What stops the start, but for the command that mends it."""


def check_database(engine: Engine, sessions: Sessions, vault: Vault, *, tolerated: Collection[Fault] = ()) -> bool:
    """Refuse a key ring that lacks a key, or has another one under its id, and a database that does not fit this code.

    Whether the database says to which deployment it belongs; one without any tables does not, and may be started with.
    """
    try:
        lacking, is_empty = _lacking_columns(engine)
        with engine.connect() as connection:
            revision = revision_of(connection)
        with sessions() as session:
            missing = vault.missing_keys(session, lacking=lacking)
            # Rows of an earlier revision cannot be read; it is migrated first, and then checked.
            wrong = set() if lacking else wrong_keys(session, vault)
        if not (wrong or missing or lacking):
            note_keys(sessions, vault)
            with sessions() as session:
                wrong = wrong_keys(session, vault)
        deployment = None if "deployment.uid" in lacking else deployment_of(sessions)
    except SQLAlchemyError as problem:
        raise ConfigurationError(f"DATABASE_URL: the database does not answer ({type(problem).__name__}).") from None
    finally:
        # Workers fork after the start, and a connection must not be shared between processes.
        engine.dispose()
    if "keys" not in tolerated:
        _judge_keys(wrong, missing)
    if revision is not None and revision not in known_revisions():
        _judge_newer(revision, deployment.oldest_code if deployment else None)
    elif "revision" not in tolerated:
        _judge_older(revision, lacking, is_empty=is_empty)
    return deployment is not None


def _judge_keys(wrong: set[str], missing: set[str]) -> None:
    if wrong:
        raise ConfigurationError(
            f"SECRET_KEYS: the key under {_named(wrong)} is not the one that encrypted stored secrets. Put "
            "that one back, and give the new one an id of its own. If it is lost for good, run "
            f"`flask {FORGET_COMMAND} {min(wrong)}`, which says what has to be typed again."
        )
    if missing:
        raise ConfigurationError(
            f"SECRET_KEYS lacks {_named(missing)}, with which stored secrets are encrypted. "
            "Put the key back, or run `flask keys rotate` with it before it is dropped. If it is lost for good, run "
            f"`flask {FORGET_COMMAND} {min(missing)}`, which says what has to be typed again."
        )


def _judge_newer(revision: str, oldest_code: str | None) -> None:
    """A database that newer code has changed: this code may go on with it if that code says so."""
    newest = known_revisions()[-1]
    if oldest_code is None or oldest_code > newest:
        raise ConfigurationError(
            f"DATABASE_URL: the database is at revision {revision} and no longer works with this code, which knows "
            f"revisions up to {newest}. Run the newer code, or restore a backup of before it."
        )
    log.warning(
        "The database is at revision %s of newer code; this code, of revision %s, works with it.", revision, newest
    )


def _judge_older(revision: str | None, lacking: set[str], *, is_empty: bool) -> None:
    """A database that lacks what this code asks for."""
    if lacking and is_empty:
        log.warning("The database lacks tables or columns: run `flask %s`.", UPGRADE_COMMAND)
    elif lacking or revision not in (None, known_revisions()[-1]):
        raise ConfigurationError(
            f"DATABASE_URL: the database is older than this code (revision {revision or 'unknown'} instead of "
            f"{known_revisions()[-1]}). Run `flask {UPGRADE_COMMAND}`."
        )


def _named(key_ids: set[str]) -> str:
    return ", ".join(sorted(key_ids))


def _lacking_columns(engine: Engine) -> tuple[set[str], bool]:
    """Columns (`table.column`) of the models that the database does not have, and whether it has none of them."""
    found = inspect(engine).get_multi_columns()
    there = {f"{table}.{column['name']}" for (_, table), columns in found.items() for column in columns}
    ours = {str(column) for table in Base.metadata.tables.values() for column in table.columns}
    return ours - there, not ours & there
