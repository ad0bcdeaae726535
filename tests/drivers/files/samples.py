"""How tests of the file driver write a file and read its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.errors import SettingsWrong
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


def assert_table(
    folder: Path,
    content: str | bytes,
    settings: Mapping[str, str],
    types: list[str] | None,
    rows: list[list[Any]] | None,
    names: list[str] | None,
) -> None:
    """Fail unless a file is read as these types, rows and names of columns, of which None is any.

    The file's own name may stand among the settings.
    """
    given = {"name": "t.csv", **settings}
    name = given.pop("name")
    written(folder, name, content)
    kinds, read = table_of(folder, "t", path=name, **given)
    found: tuple[list[Any], ...] = (list(kinds.values()), read, list(kinds))
    for there, wanted in zip(found, (types, rows, names), strict=True):
        assert wanted is None or there == wanted, f"{there} instead of {wanted}"


def assert_wrong(folder: Path, content: str | bytes, settings: Mapping[str, str], told: str) -> None:
    """Fail unless the settings of a file are refused, with this somewhere in field, code and detail."""
    given = {"name": "t.csv", **settings}
    name = given.pop("name")
    written(folder, name, content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(folder, path=name, **given)
    said = f"{wrong.value.field} {wrong.value.code} {wrong.value.detail}"
    assert told in said, said


def sent(folder: Path, table: str, columns: tuple[str, ...], where: Condition | None = None, **settings: str) -> str:
    """The JSON that is sent, letter for letter."""
    with opened(folder, **settings) as session:
        query = TableQuery(TableName("", table), columns, where)
        return b",\n".join(chunk.data for chunk in session.rows(query)).decode()
