"""The draft of a dataset: the types that a table's columns may be published in, and the values that would not fit.

Values are tested in the database, all of them, by one aggregate. Where that takes too long, the first rows are tested
here instead, and whoever asks is told so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from drivers.base import Description, Guards, Session
from drivers.casts import casts_of, first_misfit, fits
from drivers.columns import Column, Form, PortalType
from drivers.query import TableQuery
from egress.errors import Timeout
from services.connections.access import Access
from services.connections.connection import Connection
from services.connections.table_lists import TableLists
from services.contract.names import PublishedTable
from services.publishing.tables import ListedColumn, listed_columns

TEST_SECONDS = 10.0
"""For testing the values of a table, and again for its first rows."""
FIRST_ROWS = 10_000
_ROWS = Column("count(*)", Form.INTEGER, "", expression="count(*)")


@dataclass(frozen=True)
class Draft:
    """A table, its columns, and the types in which each can be published, by code and with its own type first."""

    table: PublishedTable
    columns: tuple[ListedColumn, ...]
    types: Mapping[str, tuple[PortalType, ...]]


@dataclass(frozen=True)
class TypeTest:
    """How many of `rows` values a type does not hold, one of them, and its row where that is known.

    `is_whole`: all rows of the table were looked at.
    """

    wanted: PortalType
    rows: int
    misfits: int = 0
    example: str = ""
    row: int | None = None
    is_whole: bool = True

    @property
    def needs_an_answer(self) -> bool:
        """Whether there are values, or may be, of which somebody has to say what becomes of them."""
        return self.misfits > 0 or not self.is_whole


class Drafts:
    """Drafts of datasets."""

    def __init__(self, access: Access, guards: Guards, lists: TableLists) -> None:
        self._access, self._guards, self._lists = access, guards, lists

    def draft(self, connection: Connection, table_id: str) -> Draft:
        """The draft of a table; raises `NameRefused` and the driver's errors."""
        with self._access.page_session(connection, self._guards) as session:
            table = self._lists.find(connection, session, table_id)
            description, published = self._lists.describe(connection, session, table)
            casts = casts_of(session)
            types = {row.code: casts.choices(description.column(row.name)) for row in published.all}
        return Draft(table, listed_columns(description, published), types)

    def tested(
        self, connection: Connection, draft: Draft, wanted: Mapping[str, PortalType], seconds: float = TEST_SECONDS
    ) -> dict[str, TypeTest]:
        """What becomes of the values in the types that are `wanted`, by code; columns that need no test are left out.

        Raises the driver's errors.
        """
        names = {row.column.code: row.column.name for row in draft.columns}
        asked = {code: kind for code, kind in wanted.items() if code in names and kind in draft.types[code]}
        try:
            with self._access.page_session(connection, self._guards, seconds) as session:
                return _whole(session, *_columns(session, draft, names, asked))
        except Timeout:
            pass
        try:
            with self._access.page_session(connection, self._guards, seconds) as session:
                return _first_rows(session, *_columns(session, draft, names, asked))
        except Timeout:
            return {code: TypeTest(kind, 0, is_whole=False) for code, kind in asked.items()}


def _columns(
    session: Session, draft: Draft, names: Mapping[str, str], asked: Mapping[str, PortalType]
) -> tuple[Description, dict[str, PortalType]]:
    """The columns that need a test, called by their codes."""
    description = session.describe(draft.table.table)
    own = {code: description.column(names[code]) for code in asked}
    needed = {code: kind for code, kind in asked.items() if kind not in (own[code].type, "string")}
    needed = {code: kind for code, kind in needed.items() if (own[code].type, kind) != ("int", "double")}
    columns = (replace(own[code], name=code, source=own[code].own_name) for code in needed)
    return replace(description, columns=tuple(columns)), needed


def _whole(session: Session, description: Description, wanted: Mapping[str, PortalType]) -> dict[str, TypeTest]:
    if not wanted:
        return {}
    counts = tuple(casts_of(session).count(description.column(code), kind) for code, kind in wanted.items())
    query = TableQuery(description.table, (_ROWS.name, *wanted), limit=1)
    answer = b"".join(chunk.data for chunk in session.rows(query, replace(description, columns=(_ROWS, *counts))))
    rows, *found = json.loads(answer)
    tests = {}
    for (code, kind), misfits in zip(wanted.items(), found, strict=True):
        example, row = _example(session, description, code, kind) if misfits else ("", None)
        tests[code] = TypeTest(kind, int(rows), int(misfits), example, row)
    return tests


def _example(session: Session, description: Description, code: str, wanted: PortalType) -> tuple[str, int | None]:
    column = description.column(code)
    if found := session.first_misfit(description.table, column, wanted):
        return found[1], found[0]
    return first_misfit(session, description.table, column, wanted), None


def _first_rows(session: Session, description: Description, wanted: Mapping[str, PortalType]) -> dict[str, TypeTest]:
    query = TableQuery(description.table, tuple(wanted), limit=FIRST_ROWS)
    data = b",".join(chunk.data for chunk in session.rows(query, description))
    rows = json.loads(b"[" + data + b"]", parse_float=str, parse_int=str)
    tests = {}
    for place, (code, kind) in enumerate(wanted.items()):
        misfits = [row[place] for row in rows if row[place] is not None and not fits(str(row[place]), kind)]
        example = misfits[0] if misfits else ""
        tests[code] = TypeTest(kind, len(rows), len(misfits), str(example), is_whole=False)
    return tests
