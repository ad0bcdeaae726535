"""What each endpoint writes into its answer, given an open session (facts/biconnector 5.5-5.7)."""

from __future__ import annotations

import orjson

from drivers.base import Session
from gateway.incoming import CheckCall, DataCall, TableDescriptionCall, TableListCall
from gateway.rows import write_rows
from gateway.spool import Spool
from gateway.tables import TableLists, published, query_of
from services.connections import Opened
from services.names import PublishedTable

# What a dataset's `externalCode` and `externalName` hold (facts/biconnector 4.6).
LONGEST_EXTERNAL = 512


def write_check(call: CheckCall, opened: Opened, session: Session, lists: TableLists, spool: Spool) -> int:
    """Any body will do, if only the login worked and the server answers."""
    session.check()
    spool.write(b'{"status":"OK"}')
    return 0


def write_tables(call: TableListCall, opened: Opened, session: Session, lists: TableLists, spool: Spool) -> int:
    """Tables and views that match the search, with the exact name as `id`."""
    found = lists.fresh(opened.uid, session).matching(call.search)
    spool.write(orjson.dumps([_item(table) for table in found]))
    return len(found)


def write_description(
    call: TableDescriptionCall, opened: Opened, session: Session, lists: TableLists, spool: Spool
) -> int:
    """The table's columns; code and name are the same (facts/field 0 item 8)."""
    table = lists.find(opened.uid, session, call.table)
    columns = published(session.describe(table.table)).all
    spool.write(orjson.dumps([{"code": each.code, "name": each.code, "type": each.type} for each in columns]))
    return len(columns)


def write_data(call: DataCall, opened: Opened, session: Session, lists: TableLists, spool: Spool) -> int:
    """Header and rows; every row, where no limit is asked for."""
    table = lists.find(opened.uid, session, call.table)
    description = session.describe(table.table)
    header, query = query_of(call, description, opened.language)
    return write_rows(header, session.rows(query, description), spool)


def _item(table: PublishedTable) -> dict[str, str]:
    """One table of the list. Portals refuse the whole list where PHP calls a title empty, and `0` is empty to it."""
    own = table.table.name if table.plain else ".".join(filter(None, (table.table.schema, table.table.name)))
    title = own if own not in ("", "0") and len(own) <= LONGEST_EXTERNAL else table.code
    item = {"code": table.code, "title": title}
    if len(table.id) <= LONGEST_EXTERNAL and table.id != "0":
        item["id"] = table.id
    return item
