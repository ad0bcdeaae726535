"""Columns as a contract delivers them: where the database has another type today, by a cast of its own SQL."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import Description, Session
from drivers.casts import casts_of, first_misfit
from drivers.columns import Column
from drivers.errors import QueryRefused
from services.contract.names import NameRefused, PublishedColumn, PublishedColumns


class Delivery:
    """The columns of one call for data; `description` has those that are cast beside the database's own."""

    def __init__(self, session: Session, description: Description, columns: PublishedColumns) -> None:
        self.columns, self._session, self._own = columns, session, description
        self._cast: dict[str, Column] = {}
        self._names = {column.name for column in description.columns}

    @property
    def description(self) -> Description:
        """What the query of the call is one of."""
        return replace(self._own, columns=(*self._own.columns, *self._cast.values())) if self._cast else self._own

    def resolve(self, asked: str) -> PublishedColumn:
        """The column that `asked` means, its `name` as in `description`; raises `NameRefused` for none.

        Of a file, a column that has another type today is refused with the first row that does not fit.
        """
        column = self.columns.find(asked)
        if not column.is_cast:
            return column
        own = self._own.column(column.name)
        if not column.keeps_its_type or not casts_of(self._session).can(own, column.type):
            raise column.refusal(asked, self._first_misfit(own, column))
        if column.code not in self._cast:
            key = f"{column.code} ({column.name})"
            while key in self._names:
                key += "'"
            self._cast[column.code] = casts_of(self._session).delivered(
                own, column.type, column.unfit or "refuse", key, column.code
            )
        return replace(column, name=self._cast[column.code].name)

    def explained(self, problem: QueryRefused) -> QueryRefused | NameRefused:
        """The same refusal, of a value that a cast does not take with the column's names, types, and the value."""
        column = next((each for each in self.columns.all if each.code == problem.name), None)
        if problem.code != "value_unfit" or column is None:
            return problem
        own = self._own.column(column.name)
        value = self._first_misfit(own, column) or repr(problem.detail or self._example(own, column))
        return column.refusal(value=value)

    def _first_misfit(self, own: Column, column: PublishedColumn) -> str:
        """The first row that does not fit, where it is cheap to find."""
        if not casts_of(self._session).can(own, column.type):
            return ""
        found = self._session.first_misfit(self._own.table, own, column.type)
        return f"row {found[0]}: {found[1]!r}" if found else ""

    def _example(self, own: Column, column: PublishedColumn) -> str:
        return first_misfit(self._session, self._own.table, own, column.type)
