"""Tables that exist and that the user may not read, as far as servers tell of them, and statements that let it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from drivers.query import TableName


@dataclass(frozen=True)
class HiddenTables:
    """The tables, by schema and name, and on each line a statement, after all of which the user may read them."""

    tables: tuple[TableName, ...] = ()
    grants: str = ""

    def __bool__(self) -> bool:
        return bool(self.tables)


NOTHING_HIDDEN = HiddenTables()


def hidden_tables(
    tables: Iterable[TableName],
    quote: Callable[[str], str],
    user: str,
    *,
    closed_schemas: Collection[str] = (),
    readable: Collection[TableName] = (),
) -> HiddenTables:
    """Hidden tables with their statements; `user` is spelled as it stands in them.

    Nothing of `closed_schemas` can be read without a right on the schema itself, which is all that those of `tables`
    lack that are `readable` by themselves.
    """
    listed = sorted(tables, key=lambda table: (table.schema, table.name))
    opened = (f"GRANT USAGE ON SCHEMA {quote(schema)} TO {user};" for schema in sorted(closed_schemas))
    read = (
        f"GRANT SELECT ON {quote(table.schema)}.{quote(table.name)} TO {user};"
        for table in listed
        if table not in readable
    )
    return HiddenTables(tuple(listed), "\n".join([*opened, *read]))
