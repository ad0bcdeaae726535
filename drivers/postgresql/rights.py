"""Which tables of a PostgreSQL database its user may not read, and what each of them lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.hidden import HiddenTables, hidden_tables
from drivers.query import TableName
from drivers.sql import quoting

#: Partitions are read through their parent. Names come as bytes (`statements.TABLES`).
HIDDEN = """
SELECT convert_to(nspname, sent), convert_to(relname, sent), opened, readable, convert_to(current_user, sent) FROM (
  SELECT n.nspname, c.relname, has_schema_privilege(n.oid, 'USAGE') AS opened,
    has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT') AS readable
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND left(n.nspname, 8) <> 'pg_temp_'
) AS known CROSS JOIN (
  SELECT CASE pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding()))
    WHEN 1 THEN getdatabaseencoding() ELSE 'UTF8' END AS sent) AS e
WHERE NOT (opened AND readable)
"""


def of_rows(rows: Sequence[Sequence[Any]]) -> HiddenTables:
    """What the rows of `HIDDEN` tell."""
    quote = quoting('"', '"')
    user = quote(rows[0][4]) if rows else ""
    closed = {schema for schema, _, opened, _, _ in rows if not opened}
    readable = {TableName(schema, name) for schema, name, _, is_readable, _ in rows if is_readable}
    tables = (TableName(schema, name) for schema, name, *_ in rows)
    return hidden_tables(tables, quote, user, closed_schemas=closed, readable=readable)
