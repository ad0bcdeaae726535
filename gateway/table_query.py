"""What a table publishes: its columns, and the query that a call asks for."""

from __future__ import annotations

from drivers.errors import TooBig
from drivers.query import TableQuery
from gateway.calls import DataCall
from gateway.filters import read_filter
from services.contract.delivery import Delivery
from services.contract.names import MOST_COLUMNS, PublishedColumn


def query_of(call: DataCall, delivery: Delivery, language: str) -> tuple[list[str], TableQuery]:
    """The header and the query that a call asks for; raises `CallRefused`, `NameRefused` and `TooBig`.

    The header echoes the names as they were asked for; without `select` it holds the codes (facts/biconnector 5.7a).
    The query is one of `delivery.description`.
    """
    select = [column.code for column in delivery.columns.all] if call.select is None else call.select
    wanted: list[tuple[str, PublishedColumn]] = [(asked, delivery.resolve(asked)) for asked in select]
    if len(wanted) > MOST_COLUMNS:
        raise TooBig("columns", MOST_COLUMNS)
    where = read_filter(call.filter, delivery.resolve, language)
    names = tuple(column.name for _, column in wanted)
    return [asked for asked, _ in wanted], TableQuery(delivery.description.table, names, where, call.limit)
