"""What each driver's rows have to equal byte for byte: the same cells, one by one, put together by `json_rows`.

Drivers let their database write whole rows as JSON. Here the database is asked for every cell as a text of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from psycopg.adapt import Buffer, Loader

from drivers.base import Description, Session
from drivers.clickhouse.driver import ClickHouseSession
from drivers.clickhouse.driver import dialect as clickhouse_dialect
from drivers.columns import Column
from drivers.files.session import DIALECT as FILE_DIALECT
from drivers.files.session import FileSession, _fitted
from drivers.mysql.driver import DIALECT as MYSQL_DIALECT
from drivers.mysql.driver import MySQLSession
from drivers.postgresql.driver import PostgreSQLSession
from drivers.query import TableQuery
from drivers.rows import json_rows
from drivers.sql import Sql
from drivers.sqlite.driver import SQLiteSession

Cells = Iterable[Sequence[bytes | None]]


def rows_by_cell(session: Session, query: TableQuery) -> bytes:
    """The rows of a query as JSON, as `Session.rows` gives them."""
    description = session.describe(query.table)
    columns = [description.column(name) for name in query.columns]
    return b",\n".join(chunk.data for chunk in json_rows(_cells(session, query, description, columns), columns))


@functools.singledispatch
def _cells(session: Session, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    """The texts of all cells."""
    raise NotImplementedError(type(session))


class _Bytes(Loader):
    """Texts as the server sent them."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


@_cells.register
def _(session: PostgreSQLSession, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    cell = f"convert_to(({{x}})::text, '{session._encoding.sent}')"
    statement = session._dialect.select(query, description, cell)
    with session._connection.cursor() as cursor:
        cursor.adapters.register_loader("text", _Bytes)
        cursor.execute(statement.with_markers("%s").encode(), statement.values)
        return cursor.fetchall()


@_cells.register
def _(session: MySQLSession, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    statement = MYSQL_DIALECT.select(query, description)
    for block in session._blocks(statement.with_markers("%s"), statement.values):
        yield from map(_packet_cells, block)


def _packet_cells(packet: bytes) -> list[bytes | None]:
    """The cells of a row: each a number of bytes in 1, 3, 4 or 9 bytes, or 0xFB for NULL, and the text."""
    found: list[bytes | None] = []
    position = 0
    while position < len(packet):
        first = packet[position]
        position += 1
        if first == 0xFB:
            found.append(None)
            continue
        wide = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
        length = int.from_bytes(packet[position : position + wide], "little") if wide else first
        position += wide
        found.append(packet[position : position + length])
        position += length
    return found


@_cells.register
def _(session: SQLiteSession, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    statement = session._dialect.select(query, description, session._bytes("CAST({x} AS TEXT)"))
    for row in session._execute(statement.with_markers("?"), statement.values):
        yield [session._encoded(cell) for cell in row]


@_cells.register
def _(session: FileSession, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    number = "CASE WHEN ({x}) IS NOT NULL THEN CAST(to_json({x}) AS VARCHAR) END"
    statement = FILE_DIALECT.select(_fitted(query, description), description, "CAST({x} AS VARCHAR)", number)
    for row in session._connection.execute(statement.with_markers("?"), list(statement.values)).fetchall():
        yield [None if cell is None else cell.encode() for cell in row]


@_cells.register
def _(session: ClickHouseSession, query: TableQuery, description: Description, columns: list[Column]) -> Cells:
    spoken = clickhouse_dialect(session._zone, False)
    items = ", ".join(f"CAST({spoken.shown(column)} AS Nullable(String))" for column in columns)
    statement = spoken.tail(Sql(f"SELECT {items}"), query, description)
    blocks = session._send(statement, {"default_format": "RowBinary"}).blocks(256 * 1024)
    return _binary_rows(b"".join(blocks), len(columns))


def _binary_rows(data: bytes, width: int) -> Iterator[list[bytes | None]]:
    """Cells of `Nullable(String)` in RowBinary: a byte that is 1 for NULL, a length in LEB128, the text."""
    cells: list[bytes | None] = []
    position = 0
    while position < len(data):
        position += 1
        if data[position - 1]:
            cells.append(None)
        else:
            length = shift = 0
            while True:
                length |= (data[position] & 0x7F) << shift
                shift += 7
                position += 1
                if data[position - 1] < 0x80:
                    break
            cells.append(data[position : position + length])
            position += length
        if len(cells) == width:
            yield cells
            cells = []
