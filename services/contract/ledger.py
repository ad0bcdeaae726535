"""The ledger of a connection: the names and types that its tables were described or published with.

A name is written down when its table is first described or asked for, and means the same table and column from then on
(facts/field 0 item 8): it is never given to another one, also after its own has gone. A type is that of the dataset
where this application published one, else what was told last. What is remembered here is only ever too little, never
wrong: codes do not change, and a type that seems not to fit is read again before anything is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from cachetools import TTLCache
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from drivers.columns import PortalType
from drivers.query import TableName
from errors import PortalBusy
from models import ContractColumn, ContractTable, Sessions, identity_of, now
from services.contract.names import KeptColumn, PublishedColumns, PublishedTable

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


class Ledger:
    """The ledgers of all connections."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], datetime] = now) -> None:
        self._sessions, self._clock = sessions, clock
        self._remembered: TTLCache[tuple[str, TableName], tuple[KeptColumn, ...]] = TTLCache(
            TABLES_REMEMBERED, REMEMBERED_SECONDS
        )
        self._lock = threading.Lock()

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
            known = self._remembered.get((owner.uid, table.table))
        if known is not None:
            columns = PublishedColumns(today, map_fields, known)
            if not columns.is_new and all(column.keeps_its_type for column in columns.all):
                return columns
        return PublishedColumns(today, map_fields, self._written(owner, table, today))

    def describe(self, owner: Owner, table: PublishedTable, today: Columns) -> PublishedColumns:
        """The same for a description: types that no dataset has yet are those of today from now on."""
        return PublishedColumns(today, None, self._written(owner, table, today, tell=True))

    def fix(self, owner: Owner, table: PublishedTable, today: Columns, types: Mapping[str, PortalType]) -> None:
        """A dataset has these columns, by their codes, in these types: they hold, whoever describes the table later."""
        self._written(owner, table, today, fixed=types)

    def accept(self, owner: Owner, table: PublishedTable, today: Columns) -> PublishedColumns:
        """Take today's columns and types as the contract; names that are taken stay taken."""
        return PublishedColumns(today, None, self._written(owner, table, today, tell=True, accepted=True))

    def _written(
        self,
        owner: Owner,
        table: PublishedTable,
        today: Columns,
        *,
        tell: bool = False,
        accepted: bool = False,
        fixed: Mapping[str, PortalType] | None = None,
    ) -> tuple[KeptColumn, ...]:
        for _ in range(MOST_TRIES):
            try:
                with self._sessions.begin() as session:
                    row = _row(session, owner, table, self._clock())
                    _add_new(row, today)
                    _update(row, dict(today), tell=tell, accepted=accepted, fixed=fixed or {})
                    session.flush()
                    kept = tuple(map(_kept, row.columns))
            except IntegrityError:
                # Another process wrote the same table at this moment; its names are the names.
                continue
            with self._lock:
                self._remembered[owner.uid, table.table] = kept
            return kept
        raise PortalBusy("PORTAL_UNDER_CHANGE", retry_after=1)


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
        )
        for column in published
        if column.name not in known
    )


def _update(
    row: ContractTable,
    today: Mapping[str, PortalType],
    *,
    tell: bool,
    accepted: bool,
    fixed: Mapping[str, PortalType],
) -> None:
    for column in row.columns:
        if not column.fixed and column.code in fixed:
            column.type, column.fixed = fixed[column.code], True
        here = today.get(column.name)
        if here is None:
            column.retired = column.retired or accepted
            continue
        column.retired = False
        if accepted or (tell and not column.fixed):
            column.type = here


def _kept(column: ContractColumn) -> KeptColumn:
    return KeptColumn(column.code, column.name, cast(PortalType, column.type), column.fixed, column.retired)
