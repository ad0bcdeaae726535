"""What one connection publishes: its tables, a table's columns, and the query that a call asks for."""

from __future__ import annotations

import threading

from cachetools import TTLCache

from drivers.base import Description, Session
from drivers.query import TableQuery
from gateway.filters import read_filter
from gateway.incoming import DataCall
from services.names import Columns, NameRefused, PublishedColumn, PublishedTable, Tables

LIST_SECONDS = 60.0
LISTS_KEPT = 200


class TableLists:
    """Table lists of connections, remembered for a minute so that a chart does not ask for the list every time.

    Only names are remembered: what a table's columns are is asked anew with every call, since rows are put together
    by their types.
    """

    def __init__(self, seconds: float = LIST_SECONDS) -> None:
        self._lists: TTLCache[str, Tables] = TTLCache(LISTS_KEPT, seconds)
        self._lock = threading.Lock()

    def fresh(self, connection: str, session: Session) -> Tables:
        """The list as it is now."""
        tables = Tables(session.tables())
        with self._lock:
            self._lists[connection] = tables
        return tables

    def find(self, connection: str, session: Session, asked: str) -> PublishedTable:
        """The table that `asked` means; a name that the remembered list lacks is looked for in a fresh one."""
        with self._lock:
            remembered = self._lists.get(connection)
        if remembered is not None:
            try:
                return remembered.resolve(asked)
            except NameRefused:
                pass
        return self.fresh(connection, session).resolve(asked)


def published(description: Description, call: DataCall | None = None) -> Columns:
    """The columns of a table under their published names."""
    map_fields = call.map_fields if call else None
    return Columns([(column.name, column.type) for column in description.columns], map_fields)


def query_of(call: DataCall, description: Description, language: str) -> tuple[list[str], TableQuery]:
    """The header and the query that a call asks for; raises `CallRefused`, `NameRefused`.

    The header echoes the names as they were asked for; without `select` it holds the codes (facts/biconnector 5.7a).
    """
    columns = published(description, call)
    wanted: list[tuple[str, PublishedColumn]] = (
        [(column.code, column) for column in columns.all]
        if call.select is None
        else [(asked, columns.resolve(asked)) for asked in call.select]
    )
    where = read_filter(call.filter, columns.resolve, language)
    names = tuple(column.name for _, column in wanted)
    return [asked for asked, _ in wanted], TableQuery(description.table, names, where, call.limit)
