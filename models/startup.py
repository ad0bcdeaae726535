"""What is checked of the app's own database when the app starts."""

from __future__ import annotations

import logging
import sys

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from errors import ConfigurationError
from models.base import Base, Sessions
from models.vault import Vault

log = logging.getLogger(__name__)

UPGRADE_COMMAND = "db-upgrade"


def check_keys(engine: Engine, sessions: Sessions, vault: Vault) -> None:
    """Refuse a key ring that lacks a key; a database of an earlier revision is checked as far as it goes."""
    try:
        lacking = _lacking_columns(engine)
        with sessions() as session:
            missing = vault.missing_keys(session, lacking=lacking)
    except SQLAlchemyError as problem:
        raise ConfigurationError(f"DATABASE_URL: the database does not answer ({type(problem).__name__}).") from None
    finally:
        # Workers fork after the start, and a connection must not be shared between processes.
        engine.dispose()
    if missing:
        raise ConfigurationError(
            f"SECRET_KEYS lacks {', '.join(sorted(missing))}, with which stored secrets are encrypted. "
            "Put the key back, or run `flask keys rotate` with it before it is dropped."
        )
    # The command needs the application, and would tell its operator to do what he is just doing.
    if lacking and UPGRADE_COMMAND not in sys.argv:
        log.warning("The database lacks tables or columns: run `flask %s`.", UPGRADE_COMMAND)


def _lacking_columns(engine: Engine) -> set[str]:
    """Columns (`table.column`) of the models that the database does not have, as before it is migrated."""
    found = inspect(engine).get_multi_columns()
    there = {f"{table}.{column['name']}" for (_, table), columns in found.items() for column in columns}
    return {str(column) for table in Base.metadata.tables.values() for column in table.columns} - there
