"""Tables of a connection: searched, looked at, and published as datasets of the portal.

A dataset keeps the table's exact name as its external code; columns have one spelling for code and name
(facts/field 0 item 8). Publishing a table twice leads to the dataset that is there (facts/field 3 item 22).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from drivers.base import Description, Guards, Session
from drivers.casts import unshown_values
from drivers.columns import PortalType
from drivers.errors import TooBig
from drivers.hidden import NOTHING_HIDDEN, HiddenTables
from drivers.query import TableQuery
from egress.errors import TargetError
from errors import InvalidInput, PortalRefused
from services.bi import datasets, rules
from services.bi.datasets import Dataset
from services.bi.listing import Page
from services.connections.access import PAGE_LIMITS, Access
from services.connections.connection import Connection
from services.connections.portal_sync import PortalContext, PortalSync
from services.connections.table_lists import CALL_SECONDS, PAGE_SECONDS, TableLists
from services.contract.delivery import Delivery
from services.contract.ledger import ColumnChoice
from services.contract.names import (
    MOST_COLUMNS,
    NameRefused,
    PublishedColumn,
    PublishedColumns,
    PublishedTable,
)
from services.portal_api.capabilities import Capabilities
from services.portal_api.client import PortalClient

PAGE_SIZE = 50
SAMPLE_ROWS = 20
MOST_NUMBERS = 20
COUNT_SECONDS = 5.0
"""How long a page waits for what is counted in a whole table."""
NAME_TAKEN = frozenset({"DATASET_ALREADY_EXIST", "NAME_EXISTS"})
LONGEST_NAME = 230
LONGEST_EXTERNAL = 512
"""Of a dataset's `externalCode` and `externalName` (facts/biconnector 4.6)."""


@dataclass(frozen=True)
class ListedTable:
    """A table as it would be published; `is_view` and `comment` are the database's."""

    table: PublishedTable
    is_view: bool
    comment: str


@dataclass(frozen=True)
class TablePage:
    """A page of tables, when the list was read, and which tables the connection's user may not read."""

    page: Page[ListedTable]
    at: datetime
    hidden: HiddenTables


@dataclass(frozen=True)
class ListedColumn:
    """A column as it would be published; `native` is the database's own type."""

    column: PublishedColumn
    native: str
    nullable: bool
    comment: str


@dataclass(frozen=True)
class TableView:
    """One table with its columns and first rows; cells are what the portal would get."""

    table: PublishedTable
    columns: tuple[ListedColumn, ...]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class DatasetChoice:
    """What somebody chose for a dataset; `columns` are codes, and `choices` what was chosen for some of these.

    Without `title` the table's own name is the dataset's.
    """

    name: str
    description: str
    columns: Collection[str]
    title: str = ""
    choices: Mapping[str, ColumnChoice] = field(default_factory=dict)


@dataclass(frozen=True)
class TableInspection:
    """What the database says of a table that was asked for; without columns and error there was no time to ask it.

    `table` is None where the name means none.
    """

    name: str
    table: PublishedTable | None = None
    columns: tuple[ListedColumn, ...] = ()
    error: TargetError | NameRefused | None = None

    @property
    def is_unread(self) -> bool:
        """Whether there was no time to ask."""
        return not self.columns and self.error is None

    @property
    def title(self) -> str:
        """What people call the table; what was asked for where there is none."""
        return title_of(self.table) if self.table else self.name


class Publishing:
    """Opens connections for people who look at their tables, and publishes those."""

    def __init__(self, access: Access, guards: Guards, lists: TableLists, portal_sync: PortalSync) -> None:
        self._access, self._lists, self._guards, self._portal_sync = access, lists, guards, portal_sync

    def tables(self, connection: Connection, search: str = "", number: int = 1, *, fresh: bool = False) -> TablePage:
        """Tables and views whose code, exact name or own name holds `search`, 50 at a time.

        The list may be ten minutes old, unless it is to be `fresh`. Raises the driver's errors.
        """
        if fresh:
            self._lists.outdate(connection)
        known = self._lists.recent(connection, PAGE_SECONDS)
        if known is None or known.hidden is None:
            with self._access.page_session(connection, self._guards) as session:
                known = self._lists.read(connection, session, with_hidden=True)
        found = known.tables.matching(search)
        start = (number - 1) * PAGE_SIZE
        shown = tuple(
            ListedTable(row, known.listed[row.id].kind == "view", known.listed[row.id].comment)
            for row in found[start : start + PAGE_SIZE]
        )
        return TablePage(Page(shown, number, len(found) > start + PAGE_SIZE), known.at, known.hidden or NOTHING_HIDDEN)

    def table(self, connection: Connection, table_id: str) -> TableView:
        """One table by its exact name; raises `NameRefused` and the driver's errors."""
        with self._access.page_session(connection, self._guards) as session:
            found = self._lists.find(connection, session, table_id)
            description = session.describe(found.table)
            columns = self._lists.ledger.published(connection.ledger_owner, found, description.portal_types)
            rows = _sample(session, Delivery(session, description, columns))
        return TableView(found, listed_columns(description, columns), rows)

    def describe(self, connection: Connection, table_id: str) -> tuple[PublishedTable, tuple[ListedColumn, ...]]:
        """A table and its columns without any rows; raises `NameRefused` and the driver's errors."""
        with self._access.page_session(connection, self._guards) as session:
            found = self._lists.find(connection, session, table_id)
            return found, listed_columns(*self._lists.describe(connection, session, found))

    def unshown(self, connection: Connection, table: PublishedTable) -> dict[str, int] | None:
        """How many values of a table cannot be shown, by the columns' own names; None where that takes too long."""
        try:
            with self._access.page_session(connection, self._guards, COUNT_SECONDS) as session:
                return unshown_values(session, session.describe(table.table))
        except TargetError:
            return None

    def inspect(
        self,
        connection: Connection,
        names: Collection[str],
        *,
        seconds: float = PAGE_LIMITS.seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> tuple[TableInspection, ...]:
        """Tables and their columns, in the order in which they were asked for, as far as `seconds` suffice.

        A table that cannot be described leaves the others alone. Raises the driver's errors if nothing can be asked.
        """
        end = clock() + seconds
        found = {name: TableInspection(name) for name in names}
        while any(row.is_unread for row in found.values()) and (left := end - clock()) > 0:
            with self._access.page_session(connection, self._guards, left) as session:
                self._look(connection, session, found, lambda: clock() < end)
        return tuple(found.values())

    def _look(
        self, connection: Connection, session: Session, found: dict[str, TableInspection], in_time: Callable[[], bool]
    ) -> None:
        """Ask for everything that waits, until one question fails: its session may be good for nothing more."""
        waiting = [name for name, row in found.items() if row.is_unread]
        tables = (self._lists.recent(connection, CALL_SECONDS) or self._lists.read(connection, session)).tables
        if not all(tables.has(name) for name in waiting):
            tables = self._lists.read(connection, session).tables
        for name in waiting:
            try:
                found[name] = TableInspection(name, tables.resolve(name))
            except NameRefused as refused:
                found[name] = TableInspection(name, error=refused)
        for name, table in [(name, found[name].table) for name in waiting]:
            if table is None or not in_time():
                continue
            try:
                columns = listed_columns(*self._lists.describe(connection, session, table))
            except TargetError as problem:
                found[name] = TableInspection(name, table, error=problem)
                return
            too_many = TooBig("columns", MOST_COLUMNS) if len(columns) > MOST_COLUMNS else None
            found[name] = TableInspection(name, table, columns, too_many)

    def publish(
        self, portal: PortalContext, connection: Connection, table_id: str, choice: DatasetChoice | None = None
    ) -> tuple[int, bool]:
        """A table's dataset, and whether it was made now; raises `NameRefused`, errors of driver and portal.

        The connection gets its source first, if it has none. Without a choice the dataset has all columns, and the
        table's code as its name, numbered where that is taken.
        """
        source_id, present = self._portal_sync.ready_source(portal, connection)
        found, columns = self.describe(connection, table_id)
        code = external_code(found)
        for known in present:
            if known.external_code == code:
                return known.id, False
        columns = self.renewed(connection, found, columns)
        wanted = [row for row in columns if choice is None or row.column.code in choice.columns]
        if choice is not None and choice.choices:
            wanted = self._chosen(connection, found, wanted, choice.choices)
        fields = fields_of(found, wanted, source_id)
        if choice is None:
            dataset_id = _added(portal.client, portal.caps, found.code, fields)
        else:
            own = {"name": choice.name, "description": choice.description}
            own |= {"externalName": choice.title} if choice.title else {}
            dataset_id = datasets.add(portal.client, portal.caps, {**fields, **own})
        self.hold(connection, found, wanted)
        return dataset_id, True

    def _chosen(
        self,
        connection: Connection,
        table: PublishedTable,
        columns: Sequence[ListedColumn],
        choices: Mapping[str, ColumnChoice],
    ) -> list[ListedColumn]:
        """The columns as they were chosen, which the contract holds now.

        Raises `InvalidInput` with the fields `code-<code>`.
        """
        choices = {code: choices[code] for row in columns if (code := row.column.code) in choices}
        problems = [
            problem for code, choice in choices.items() for problem in rules.column_name(f"code-{code}", choice.code)
        ]
        if problems:
            raise InvalidInput(problems)
        ledger = self._lists.ledger
        try:
            published = ledger.choose(connection.ledger_owner, table, _today(columns), choices)
        except InvalidInput as refused:
            named = [replace(problem, field=f"code-{problem.field}") for problem in refused.problems]
            raise InvalidInput(named) from refused
        chosen = {column.code: column for column in published.all}
        codes = [choices[row.column.code].code if row.column.code in choices else row.column.code for row in columns]
        return [replace(row, column=chosen[code]) for row, code in zip(columns, codes, strict=True)]

    def renewed(
        self, connection: Connection, table: PublishedTable, columns: Sequence[ListedColumn]
    ) -> tuple[ListedColumn, ...]:
        """The columns with today's types, for a table that no dataset has any more: so nothing rests on former ones."""
        if all(row.column.keeps_its_type for row in columns):
            return tuple(columns)
        accepted = self._lists.ledger.accept(connection.ledger_owner, table, _today(columns))
        return tuple(replace(row, column=column) for row, column in zip(columns, accepted.all, strict=True))

    def hold(self, connection: Connection, table: PublishedTable, columns: Sequence[ListedColumn]) -> None:
        """A dataset has these columns now: nothing but their names and types answers to it any more."""
        types = {row.column.code: row.column.type for row in columns}
        self._lists.ledger.fix(connection.ledger_owner, table, _today(columns), types)


def published_datasets(client: PortalClient, caps: Capabilities, connection: Connection) -> dict[str, Dataset]:
    """What is published of a connection, by the codes that the datasets keep of their tables."""
    if connection.source_id is None:
        return {}
    return {row.external_code: row for row in datasets.of_source(client, caps, connection.source_id)}


def external_code(table: PublishedTable) -> str:
    """What the dataset keeps: the exact name where the portal takes it, as the list of tables tells it."""
    return table.id if len(table.id) <= LONGEST_EXTERNAL and table.id != "0" else table.code


def title_of(table: PublishedTable) -> str:
    """The table's own name, where the portal takes it: it refuses what PHP calls empty, and `0` is empty to PHP."""
    own = table.table.name if table.plain else ".".join(filter(None, (table.table.schema, table.table.name)))
    return own if own not in ("", "0") and len(own) <= LONGEST_EXTERNAL else table.code


def fields_of(table: PublishedTable, columns: Sequence[ListedColumn], source_id: int) -> dict[str, Any]:
    """A table as the fields of its dataset, but for the name; raises `NameRefused` for a type that does not hold."""
    for row in columns:
        row.column.check()
    return {
        "externalCode": external_code(table),
        "externalName": title_of(table),
        "sourceId": source_id,
        "fields": [
            {"name": row.column.code, "externalCode": row.column.code, "type": row.column.type} for row in columns
        ],
    }


def listed_columns(description: Description, published: PublishedColumns) -> tuple[ListedColumn, ...]:
    """Published columns with what the database says of them."""
    own = {column.name: column for column in description.columns}
    return tuple(
        ListedColumn(row, own[row.name].native, own[row.name].nullable, own[row.name].comment) for row in published.all
    )


def _today(columns: Sequence[ListedColumn]) -> list[tuple[str, PortalType]]:
    types = {row.column.name: row.column.now or row.column.type for row in columns}
    return list(types.items())


def _sample(session: Session, delivery: Delivery) -> Sequence[Sequence[Any]]:
    """The first rows as they are delivered; of a column that no longer keeps its type, as they are."""
    names = tuple(
        delivery.resolve(column.code).name if column.keeps_its_type else column.name for column in delivery.columns.all
    )
    query = TableQuery(delivery.description.table, names, limit=SAMPLE_ROWS)
    data = b",".join(chunk.data for chunk in session.rows(query, delivery.description))
    # Numbers stay the text they were written as, so that no digit is lost.
    rows: Sequence[Sequence[Any]] = json.loads(b"[" + data + b"]", parse_float=str, parse_int=str)
    return rows


def _added(client: PortalClient, caps: Capabilities, code: str, fields: dict[str, Any]) -> int:
    """A new dataset under the table's code, numbered where the portal has that name already."""
    for number in range(1, MOST_NUMBERS):
        suffix = "" if number == 1 else f"_{number}"
        try:
            name = code[: LONGEST_NAME - len(suffix)] + suffix
            return datasets.add(client, caps, {**fields, "name": name})
        except PortalRefused as taken:
            if taken.code.upper() not in NAME_TAKEN:
                raise
    raise PortalRefused("biconnector.dataset.add", "DATASET_ALREADY_EXIST")
