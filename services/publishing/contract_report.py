"""What was published of a connection, beside what its database has today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

from drivers.base import Guards, Session
from drivers.columns import PortalType
from drivers.errors import QueryRefused
from services.bi.datasets import Dataset
from services.connections.access import Access
from services.connections.call_log import CallLog
from services.connections.connection import Connection
from services.connections.table_lists import TableLists
from services.contract.ledger import KeptTable
from services.contract.names import NameRefused, PublishedColumns, PublishedTable, PublishedTables, Unfit, table_id

Problem = Literal["", "published_table_gone", "published_column_gone", "type_changed"]


@dataclass(frozen=True)
class ColumnReport:
    """A published column: `type` is the contract's, `now` today's, None where the column is gone."""

    code: str
    name: str
    type: PortalType
    now: PortalType | None
    fixed: bool
    problem: Problem
    unfit: Unfit = ""


@dataclass(frozen=True)
class TableReport:
    """A published table with its real name; `columns` are all that were ever told of it."""

    code: str
    table: str
    problem: Problem
    columns: tuple[ColumnReport, ...]


class ContractReports:
    """Compares ledgers with databases, and takes what is there today as the contract."""

    def __init__(self, access: Access, guards: Guards, lists: TableLists, call_log: CallLog) -> None:
        self._access, self._guards, self._lists, self._call_log = access, guards, lists, call_log

    def report(self, connection: Connection) -> tuple[TableReport, ...]:
        """Every table of the contract; raises the driver's errors."""
        kept = self._lists.ledger.tables(connection.ledger_owner)
        with self._access.session(connection, self._guards) as session:
            tables = self._lists.read(connection, session).tables
            return tuple(_report(session, tables, row) for row in kept)

    def table(self, connection: Connection, asked: str) -> TableReport | None:
        """One table of the contract by its code or exact name, None if it has none; raises the driver's errors."""
        kept = self._lists.ledger.tables(connection.ledger_owner)
        row = next((row for row in kept if asked in (row.code, table_id(row.table))), None)
        if row is None:
            return None
        with self._access.page_session(connection, self._guards) as session:
            return _report(session, self._lists.read(connection, session).tables, row)

    def see(self, connection: Connection, dataset: Dataset) -> None:
        """The portal has a dataset in these types, whoever made it: they hold from now on.

        Types that no column of ours has, and names that nobody was told, are left alone.
        """
        kept = self._lists.ledger.tables(connection.ledger_owner)
        row = next((row for row in kept if dataset.external_code in (row.code, table_id(row.table))), None)
        if row is None:
            return
        loose = {column.code for column in row.columns if not column.fixed}
        types = {
            column.external_code: cast(PortalType, column.type)
            for column in dataset.columns
            if column.external_code in loose and column.type in get_args(PortalType)
        }
        if types:
            table = PublishedTable(row.code, row.code, row.table, plain=True)
            self._lists.ledger.fix(connection.ledger_owner, table, (), types)

    def accept(self, connection: Connection, table: str) -> TableReport:
        """Take a table's columns and types of today as its contract; raises `NameRefused` and the driver's errors.

        Names that were given out stay taken, so nothing that was published can come to mean something else. What was
        refused of the table before says nothing about its health any more.
        """
        with self._access.session(connection, self._guards) as session:
            found = self._lists.find(connection, session, table)
            today = session.describe(found.table).portal_types
            self._lists.ledger.accept(connection.ledger_owner, found, today)
            for name in sorted({found.id, found.code}):  # datasets may have either as their external code
                self._call_log.note_test(connection, asked={"table": name})
            kept = self._lists.ledger.tables(connection.ledger_owner)
            tables = self._lists.read(connection, session).tables
            return next(_report(session, tables, row) for row in kept if row.table == found.table)


def _report(session: Session, tables: PublishedTables, kept: KeptTable) -> TableReport:
    try:
        found: PublishedTable | None = tables.resolve(kept.code)
        today = session.describe(kept.table).portal_types
    except (NameRefused, QueryRefused):
        found, today = None, []
    columns = PublishedColumns(today, None, kept.columns)
    problem: Problem = "" if found else "published_table_gone"
    return TableReport(kept.code, table_id(kept.table), problem, tuple(_columns(kept, columns, dict(today))))


def _columns(kept: KeptTable, columns: PublishedColumns, today: dict[str, PortalType]) -> Iterator[ColumnReport]:
    changed = {column.code for column in columns.all if not column.keeps_its_type}
    for column in kept.columns:
        now = today.get(column.name)
        problem: Problem = ""
        if now is None and not column.retired:
            problem = "published_column_gone"
        elif column.code in changed:
            problem = "type_changed"
        yield ColumnReport(column.code, column.name, column.type, now, column.fixed, problem, column.unfit)
