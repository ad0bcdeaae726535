"""Filters on whole numbers and decimals of files, beside Python's own decimals."""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb
import pytest

from drivers.base import Description
from drivers.columns import Column, Form
from drivers.files.numbers import fitted
from drivers.query import Between, Comparison, Condition, IsNull, OneOf, Operator, TableName
from tests.drivers.files.samples import opened
from tests.suite.databases import read

COMPARE: Mapping[Operator, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STORED: Mapping[str, Sequence[Decimal | int]] = {
    "DECIMAL(38,0)": [10**37 + n for n in (-1, 0, 1)] + [-(10**38) + 1, 10**38 - 1, 0],
    "DECIMAL(38,6)": [Decimal(f"12345678901234567890123456.78901{n}") for n in (2, 3)] + [Decimal("-0.000001")],
    "DECIMAL(38,38)": [Decimal(f"0.{'1' * 37}{n}") for n in (1, 2)],
    "DECIMAL(19,2)": [Decimal("12345678901234567.88"), Decimal("12345678901234567.89"), Decimal(-1)],
    "DECIMAL(12,2)": [Decimal("1.50"), Decimal("0.00"), Decimal("-9999999999.99"), Decimal("9999999999.99")],
    "BIGINT": [2**53, 2**53 + 1, -(2**63), 2**63 - 1, 0],
    "UBIGINT": [2**64 - 1, 2**64 - 2, 0],
    "TINYINT": [-128, 127, 0, 1],
    "BOOLEAN": [0, 1],
}


@pytest.fixture
def exactly() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 400
        yield


@pytest.mark.usefixtures("exactly")
@pytest.mark.parametrize("native", STORED)
def test_filters_tell_neighbours_of_any_number_of_digits_apart(tmp_path: Path, native: str) -> None:
    """facts/field 5.26: decimals exact; facts/field 5.35: a filter gives never fewer or more rows."""
    stored = [Decimal(value) for value in STORED[native]]
    rows = ", ".join(f"({number}, '{value:f}'::{native})" for number, value in enumerate(stored))
    target = tmp_path / "n.parquet"
    duckdb.execute(f"COPY (FROM (VALUES {rows}, (-1, NULL)) t(id, n)) TO '{target}' (FORMAT parquet)")
    tiny = Decimal("1E-40")
    asked = [value + step for value in stored for step in (0, tiny, -tiny, Decimal("0.5"), 1, -1)]
    asked += [Decimal("1E+300"), Decimal("-1E+300"), Decimal("1E-300")]
    asked += [value + Decimal("0E-60") for value in stored]
    rng = random.Random(5)

    with opened(tmp_path, path="n.parquet") as session:

        def check(condition: Condition, holds: Callable[[Decimal], bool]) -> None:
            found = {row[0] for row in read(session, TableName("", "n"), ["id"], condition)}
            assert found == {number for number, value in enumerate(stored) if holds(value)}, condition

        for value in asked:
            for word, compare in COMPARE.items():
                check(Comparison("n", word, value), functools.partial(_holds, compare, value))
        for negated in (False, True) * 40:
            some, ends = rng.sample(asked, 3), rng.sample(asked, 2)
            check(OneOf("n", tuple(some), negated), functools.partial(_is_one_of, some, negated))
            check(Between("n", ends[0], ends[1], negated), functools.partial(_is_between, ends, negated))


def _holds(compare: Callable[[Decimal, Decimal], bool], value: Decimal, own: Decimal) -> bool:
    return compare(own, value)


def _is_one_of(values: Sequence[Decimal], negated: bool, own: Decimal) -> bool:
    return (own in values) != negated


def _is_between(ends: Sequence[Decimal], negated: bool, own: Decimal) -> bool:
    return (ends[0] <= own <= ends[1]) != negated


def test_a_value_outside_of_a_type_selects_everything_or_nothing() -> None:
    column = Column("n", Form.INTEGER, "TINYINT")
    description = Description(TableName("", "t"), (column,))
    everything, nothing = IsNull("n", negated=True), OneOf("n", ())
    for condition, meant in (
        (Comparison("n", "<", 128), everything),
        (Comparison("n", ">=", 128), nothing),
        (Comparison("n", ">", -129), everything),
        (Comparison("n", "<=", Decimal("-128.5")), nothing),
        (Comparison("n", "<", Decimal("1.5")), Comparison("n", "<=", 1)),
        (Comparison("n", ">=", Decimal("-1.5")), Comparison("n", ">", -2)),
        (Between("n", Decimal("1.2"), Decimal("1.8")), nothing),
        (Between("n", -500, Decimal("1.8")), Between("n", -128, 1)),
    ):
        assert fitted(condition, description) == meant
