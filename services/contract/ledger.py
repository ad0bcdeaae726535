"""The ledger of a connection: the names and types that its tables were described or published with.

A name is written down when its table is first described or asked for, and means the same table and column from then on
(facts/field 0 item 8): it is never given to another one, also after its own has gone. A type is that of the dataset
where this application published one, else what was told last. What is remembered here is only ever too little, never
wrong: codes do not change, and a type that seems not to fit is read again before anything is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from cachetools import TTLCache
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from drivers.casts import is_castable
from drivers.columns import PortalType
from drivers.query import TableName
from errors import FieldProblem, InvalidInput, PortalBusy
from models import ContractColumn, ContractTable, Sessions, identity_of, now
from services.contract.names import RESERVED, KeptColumn, PublishedColumns, PublishedTable, Unfit
from services.limits.shared_memory import SharedMemory

REMEMBERED_SECONDS = 600.0
TABLES_REMEMBERED = 2000
MOST_TRIES = 5

Columns = Sequence[tuple[str, PortalType]]
"""Names and types as the database has them today."""


@dataclass(frozen=True)
class Owner:
    """Whose ledger it is: `uid` tells it from all others; `connection_id` is None where credentials are typed."""

    uid: str
    connector_id: int
    connection_id: int | None = None


@dataclass(frozen=True)
class KeptTable:
    """A table of the ledger with its columns, in the order in which they came."""

    code: str
    table: TableName
    columns: tuple[KeptColumn, ...]


@dataclass(frozen=True)
class ColumnChoice:
    """What an analyst chose for a column: its code, its type, and what becomes of values that the type does not hold.

    `unfit` is empty where the type is the column's own.
    """

    code: str
    type: PortalType
    unfit: Unfit = ""


@dataclass(frozen=True)
class Change:
    """What is to be written of a table, beside columns that are new.

    `tell`: types that no dataset has are today's; `told`: a portal is told. `accepted`: all are today's, and what has
    gone is retired. `fixed`: a dataset has these codes in these types.
    """

    tell: bool = False
    told: bool = False
    accepted: bool = False
    fixed: Mapping[str, PortalType] = field(default_factory=dict)
    choices: Mapping[str, ColumnChoice] = field(default_factory=dict)


NO_CHANGE = Change()


class Ledger:
    """The ledgers of all connections."""

    def __init__(
        self, sessions: Sessions, memory: SharedMemory | None = None, *, clock: Callable[[], datetime] = now
    ) -> None:
        self._sessions, self._memory, self._clock = sessions, memory, clock
        self._remembered: TTLCache[tuple[str, TableName], tuple[float, tuple[KeptColumn, ...]]] = TTLCache(
            TABLES_REMEMBERED, REMEMBERED_SECONDS
        )
        self._lock = threading.Lock()

    def _outdate(self, owner: Owner, table: PublishedTable) -> None:
        """No process uses what it remembers of the table."""
        if self._memory is not None:
            moment = time.monotonic() + REMEMBERED_SECONDS
            self._memory.change(_subject(owner, table), lambda _: moment)

    def _outdated(self, owner: Owner, table: PublishedTable) -> float:
        if self._memory is None:
            return 0.0
        return self._memory.moment(_subject(owner, table)) - REMEMBERED_SECONDS

    def codes(self, owner: Owner) -> dict[str, TableName]:
        """The codes of tables that were given out, the oldest first."""
        wanted = select(ContractTable.code, ContractTable.schema, ContractTable.name).where(
            ContractTable.owner == owner.uid
        )
        with self._sessions() as session:
            rows = session.execute(wanted.order_by(ContractTable.id)).all()
        return {row.code: TableName(row.schema, row.name) for row in rows}

    def tables(self, owner: Owner) -> tuple[KeptTable, ...]:
        """Everything that the ledger holds of a connection."""
        wanted = select(ContractTable).where(ContractTable.owner == owner.uid).order_by(ContractTable.id)
        with self._sessions() as session:
            rows = session.scalars(wanted.options(selectinload(ContractTable.columns))).all()
            return tuple(
                KeptTable(row.code, TableName(row.schema, row.name), tuple(map(_kept, row.columns))) for row in rows
            )

    def published(
        self, owner: Owner, table: PublishedTable, today: Columns, map_fields: Mapping[str, str] | None = None
    ) -> PublishedColumns:
        """Today's columns of a table under their names and types of the contract, for a call for data.

        Asks our own database only where something is new or does not fit. Raises `SQLAlchemyError`.
        """
        with self._lock:
            read, known = self._remembered.get((owner.uid, table.table), (0.0, None))
        if known is not None and read >= self._outdated(owner, table):
            columns = PublishedColumns(today, map_fields, known)
            if not columns.is_new and all(column.keeps_its_type for column in columns.all):
                return columns
        return PublishedColumns(today, map_fields, self._written(owner, table, today))

    def describe(self, owner: Owner, table: PublishedTable, today: Columns, *, told: bool = False) -> PublishedColumns:
        """The same for a description: types that no dataset has yet are those of today from now on.

        `told`: a portal asked for it, and may rest a dataset on it.
        """
        return PublishedColumns(today, None, self._written(owner, table, today, Change(tell=True, told=told)))

    def fix(self, owner: Owner, table: PublishedTable, today: Columns, types: Mapping[str, PortalType]) -> None:
        """A dataset has these columns, by their codes, in these types: they hold, whoever describes the table later."""
        self._written(owner, table, today, Change(fixed=types))

    def choose(
        self, owner: Owner, table: PublishedTable, today: Columns, choices: Mapping[str, ColumnChoice]
    ) -> PublishedColumns:
        """What an analyst chose for columns, by their codes of the contract, before a dataset is made of them.

        A code that no portal was told of is renamed. Otherwise its meaning and type stay, and the column gets a further
        code. Raises `InvalidInput` with the codes as fields.
        """
        return PublishedColumns(today, None, self._written(owner, table, today, Change(choices=choices)))

    def accept(self, owner: Owner, table: PublishedTable, today: Columns) -> PublishedColumns:
        """Take today's columns and types as the contract; names that are taken stay taken."""
        return PublishedColumns(today, None, self._written(owner, table, today, Change(tell=True, accepted=True)))

    def _written(
        self, owner: Owner, table: PublishedTable, today: Columns, change: Change = NO_CHANGE
    ) -> tuple[KeptColumn, ...]:
        read = time.monotonic()
        for _ in range(MOST_TRIES):
            try:
                with self._sessions.begin() as session:
                    row = _row(session, owner, table, self._clock())
                    _add_new(row, today)
                    before = [(column.code, column.type, column.unfit) for column in row.columns]
                    _choose(row, change.choices)
                    _update(row, dict(today), change)
                    session.flush()
                    is_same = before == [(column.code, column.type, column.unfit) for column in row.columns]
                    kept = tuple(map(_kept, row.columns))
            except IntegrityError:
                # Another process wrote the same table at this moment; its names are the names.
                continue
            if not is_same:
                self._outdate(owner, table)
                read = time.monotonic()
            with self._lock:
                self._remembered[owner.uid, table.table] = (read, kept)
            return kept
        raise PortalBusy("PORTAL_UNDER_CHANGE", retry_after=1)


def _subject(owner: Owner, table: PublishedTable) -> str:
    return f"contract {owner.uid} {identity_of(table.table.schema, table.table.name)}"


def _row(session: Session, owner: Owner, table: PublishedTable, moment: datetime) -> ContractTable:
    identity = identity_of(table.table.schema, table.table.name)
    wanted = select(ContractTable).where(ContractTable.owner == owner.uid, ContractTable.identity == identity)
    row = session.scalar(wanted.options(selectinload(ContractTable.columns)))
    if row is None:
        row = ContractTable(
            owner=owner.uid,
            connector_id=owner.connector_id,
            connection_id=owner.connection_id,
            identity=identity,
            schema=table.table.schema,
            name=table.table.name,
            code=table.code,
            created_at=moment,
        )
        session.add(row)
    return row


def _add_new(row: ContractTable, today: Columns) -> None:
    known = {column.name for column in row.columns}
    published = PublishedColumns(today, None, map(_kept, row.columns)).all
    row.columns.extend(
        ContractColumn(
            identity=identity_of(column.name),
            name=column.name,
            code=column.code,
            type=column.type,
            fixed=False,
            retired=False,
            told=False,
            unfit="",
        )
        for column in published
        if column.name not in known
    )


def _choose(row: ContractTable, choices: Mapping[str, ColumnChoice]) -> None:
    by_code = {column.code: column for column in row.columns}
    problems = []
    for code, choice in choices.items():
        column, same = by_code[code], by_code.get(choice.code)
        if choice.code in RESERVED:
            problems.append(FieldProblem(code, "COLUMN_CODE_RESERVED"))
            continue
        if same is not None and same.name != column.name:
            problems.append(FieldProblem(code, "COLUMN_CODE_TAKEN"))
            continue
        if same is None and not (column.told or column.fixed):
            # Nobody knows it by its former code.
            column.code, same = choice.code, column
        elif same is None:
            same = ContractColumn(
                identity=identity_of(column.name, choice.code),
                name=column.name,
                code=choice.code,
                type=choice.type,
                fixed=False,
                retired=False,
                told=False,
                unfit="",
            )
            row.columns.append(same)
        if (same.told or same.fixed) and same.type != choice.type:
            problems.append(FieldProblem(code, "COLUMN_CODE_HAS_TYPE"))
            continue
        same.type, same.unfit = choice.type, choice.unfit
        by_code[choice.code] = same
    if problems:
        raise InvalidInput(problems)


def _update(row: ContractTable, today: Mapping[str, PortalType], change: Change) -> None:
    for column in row.columns:
        if not column.fixed and column.code in change.fixed:
            column.type, column.fixed = change.fixed[column.code], True
        here = today.get(column.name)
        if here is None:
            column.retired = column.retired or change.accepted
            continue
        column.retired = False
        column.told = column.told or change.told
        is_kept = bool(column.unfit) and is_castable(here, cast(PortalType, column.type))
        if not is_kept and (change.accepted or (change.tell and not column.fixed and not column.unfit)):
            column.type, column.unfit = here, ""


def _kept(column: ContractColumn) -> KeptColumn:
    return KeptColumn(
        column.code,
        column.name,
        cast(PortalType, column.type),
        column.fixed,
        column.retired,
        column.told,
        cast(Unfit, column.unfit),
    )
