"""What each endpoint writes into its answer, given an open session (facts/biconnector 5.5-5.7)."""

from __future__ import annotations

import orjson

from drivers.base import Session
from drivers.errors import QueryRefused
from gateway.calls import CheckCall, DataCall, TableDescriptionCall, TableListCall
from gateway.rows import write_rows
from gateway.spool import Spool
from gateway.table_query import query_of
from services.connections.connection import Credentials
from services.connections.table_lists import TableLists
from services.contract.delivery import Delivery
from services.contract.names import PublishedTable
from services.publishing.tables import external_code, title_of


def write_check(call: CheckCall, credentials: Credentials, session: Session, lists: TableLists, spool: Spool) -> int:
    """Any body will do, if only the login worked and the server answers."""
    session.check()
    spool.write(b'{"status":"OK"}')
    return 0


def write_tables(
    call: TableListCall, credentials: Credentials, session: Session, lists: TableLists, spool: Spool
) -> int:
    """Tables and views that match the search, with the exact name as `id`."""
    found = lists.matching(credentials, session, call.search)
    spool.write(orjson.dumps([_item(table) for table in found]))
    return len(found)


def write_description(
    call: TableDescriptionCall, credentials: Credentials, session: Session, lists: TableLists, spool: Spool
) -> int:
    """The table's columns; code and name are the same (facts/field 0 item 8)."""
    table = lists.find(credentials, session, call.table)
    columns = lists.describe(credentials, session, table, told=True)[1].all
    spool.write(orjson.dumps([{"code": each.code, "name": each.code, "type": each.type} for each in columns]))
    return len(columns)


def write_data(call: DataCall, credentials: Credentials, session: Session, lists: TableLists, spool: Spool) -> int:
    """Header and rows; every row, where no limit is asked for."""
    table = lists.find(credentials, session, call.table)
    description = session.describe(table.table)
    columns = lists.ledger.published(credentials.ledger_owner, table, description.portal_types, call.map_fields)
    delivery = Delivery(session, description, columns)
    header, query = query_of(call, delivery, credentials.connector.language)
    try:
        return write_rows(header, session.rows(query, delivery.description), spool)
    except QueryRefused as problem:
        raise delivery.explained(problem) from problem


def _item(table: PublishedTable) -> dict[str, str]:
    """One table of the list; its `id` becomes the dataset's external code (facts/biconnector 5.5)."""
    return {"code": table.code, "title": title_of(table), "id": external_code(table)}
