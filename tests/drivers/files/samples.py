"""How tests of the file driver write a file and read its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.query import Condition, TableName, TableQuery
from egress.policy import Policy
from tests.suite.databases import read


def opened(folder: Path, **settings: str) -> Session:
    """A session on a file of the folder."""
    return DRIVERS["file"].open(settings, Guards(Policy(), local_files=folder))


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A new file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table_of(folder: Path, table: str, **settings: str) -> tuple[dict[str, str], list[list[Any]]]:
    """Column types by name, and the rows, of one table of a file."""
    with opened(folder, **settings) as session:
        description = session.describe(TableName("", table))
        types: dict[str, str] = {column.name: column.type for column in description.columns}
        return types, read(session, description.table, list(types))


def sent(folder: Path, table: str, columns: tuple[str, ...], where: Condition | None = None, **settings: str) -> str:
    """The JSON that is sent, letter for letter."""
    with opened(folder, **settings) as session:
        query = TableQuery(TableName("", table), columns, where)
        return b",\n".join(chunk.data for chunk in session.rows(query)).decode()
