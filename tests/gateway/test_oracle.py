"""10,000 generated filters select exactly the rows that the oracle selects, on every database (facts/field 5.34)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from drivers import catalogue
from drivers.base import Description, Session
from drivers.query import TableQuery
from gateway.calls import data_call
from gateway.filters import read_filter
from services.contract.names import PublishedColumns, PublishedTables
from tests.gateway.databases import DATABASES, Source
from tests.gateway.generated import TYPES, Asked, expected, filters, rows

TABLE = rows()
SEEDS = range(100)
PER_SEED = 100


@pytest.fixture(scope="module", params=sorted(DATABASES))
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with DATABASES[request.param](TABLE, tmp_path_factory.mktemp("oracle")) as source:
        yield source


@contextlib.contextmanager
def opened(source: Source) -> Iterator[tuple[Session, Description]]:
    with catalogue.DRIVERS[source.driver].open(source.settings, source.guards) as session:
        table = PublishedTables(session.tables()).resolve("orders__quoted")
        yield session, session.describe(table.table)


def selected(session: Session, description: Description, asked: Asked) -> list[int]:
    call = data_call(asked.body, asked.content_type)
    columns = PublishedColumns([(column.name, column.type) for column in description.columns], call.map_fields)
    where = read_filter(call.filter, columns.resolve, asked.language)
    query = TableQuery(description.table, (columns.resolve("ID").name,), where)
    found: list[list[int]] = []
    for chunk in session.rows(query, description):
        found += json.loads(b"[" + chunk.data + b"]")
    return sorted(row[0] for row in found)


def test_the_table_is_published_as_the_oracle_expects(source: Source) -> None:
    with opened(source) as (_, description):
        columns = PublishedColumns([(column.name, column.type) for column in description.columns])
        assert {column.code: column.type for column in columns.all} == TYPES


@pytest.mark.parametrize("seed", SEEDS)
def test_filters_select_exactly_the_rows_of_the_oracle(source: Source, seed: int) -> None:
    with opened(source) as (session, description):
        for asked in filters(PER_SEED, seed):
            assert selected(session, description, asked) == expected(asked, TABLE), asked


def test_the_generated_filters_are_worth_the_trouble() -> None:
    # Neither all nor nothing: most filters select some rows and leave others.
    counts = [len(expected(asked, TABLE)) for seed in range(10) for asked in filters(PER_SEED, seed)]
    assert sum(0 < count < len(TABLE) for count in counts) > 0.6 * len(counts)
