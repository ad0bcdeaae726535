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
from models.vault import Vault

log = logging.getLogger(__name__)

UPGRADE_COMMAND = "db-upgrade"
FORGET_COMMAND = "keys forget"
Fault = Literal["revision", "keys", "uploads"]
"""What stops the start, but for the command that mends it."""


def check_database(engine: Engine, sessions: Sessions, vault: Vault, *, tolerated: Collection[Fault] = ()) -> bool:
    """Refuse a key ring that lacks a key, or has another one under its id; an earlier revision as far as it goes.

    Whether the database says to which deployment it belongs.
    """
    try:
        lacking = _lacking_columns(engine)
        with sessions() as session:
            missing = vault.missing_keys(session, lacking=lacking)
            # Rows of an earlier revision cannot be read; it is migrated first, and then checked.
            wrong = set() if lacking else wrong_keys(session, vault)
        if not (wrong or missing or lacking):
            note_keys(sessions, vault)
            with sessions() as session:
                wrong = wrong_keys(session, vault)
        is_named = "deployment.uid" not in lacking
        if is_named:
            deployment_of(sessions)
    except SQLAlchemyError as problem:
        raise ConfigurationError(f"DATABASE_URL: the database does not answer ({type(problem).__name__}).") from None
    finally:
        # Workers fork after the start, and a connection must not be shared between processes.
        engine.dispose()
    if wrong and "keys" not in tolerated:
        raise ConfigurationError(
            f"SECRET_KEYS: the key under {_named(wrong)} is not the one that encrypted stored secrets. Put "
            "that one back, and give the new one an id of its own. If it is lost for good, run "
            f"`flask {FORGET_COMMAND} {min(wrong)}`, which says what has to be typed again."
        )
    if missing and "keys" not in tolerated:
        raise ConfigurationError(
            f"SECRET_KEYS lacks {_named(missing)}, with which stored secrets are encrypted. "
            "Put the key back, or run `flask keys rotate` with it before it is dropped. If it is lost for good, run "
            f"`flask {FORGET_COMMAND} {min(missing)}`, which says what has to be typed again."
        )
    # The command needs the application, and would tell its operator to do what he is just doing.
    if lacking and "revision" not in tolerated:
        log.warning("The database lacks tables or columns: run `flask %s`.", UPGRADE_COMMAND)
    return is_named


def _named(key_ids: set[str]) -> str:
    return ", ".join(sorted(key_ids))


def _lacking_columns(engine: Engine) -> set[str]:
    """Columns (`table.column`) of the models that the database does not have, as before it is migrated."""
    found = inspect(engine).get_multi_columns()
    there = {f"{table}.{column['name']}" for (_, table), columns in found.items() for column in columns}
    return {str(column) for table in Base.metadata.tables.values() for column in table.columns} - there
