"""Texts of a filter as values of their column's type, and the condition that they form.

Meanings are those of `drivers.query`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from drivers.query import (
    Between,
    Comparison,
    Condition,
    Contains,
    Group,
    IsNull,
    Like,
    OneOf,
    Operator,
    TextSearch,
    Value,
)
from gateway.dates import DateReader
from gateway.errors import CallRefused
from services.contract.names import PublishedColumn

Kind = Literal["=", ">", ">=", "<", "<=", "contains", "like", "in", "between", "null"]
DATES = frozenset({"date", "datetime"})
TEXT_SEARCHES: Mapping[Kind, Callable[[str, str, bool], TextSearch]] = {"contains": Contains, "like": Like}

# What is larger, or so small that it is zero to a double, makes some databases fail when they compare it with one.
LARGEST = Decimal(sys.float_info.max)

_NUMBER = re.compile(r"[+-]?(?:\d{1,100}(?:\.\d{0,100})?|\.\d{1,100})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_OPPOSITE: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!=", "!=": "="}


@dataclass(frozen=True)
class Values:
    """The values of one condition as they came; `single` tells a scalar from a list of one."""

    items: tuple[str | bool, ...]
    single: bool


def condition(column: PublishedColumn, kind: Kind, negated: bool, values: Values, dates: DateReader) -> Condition:
    """The condition on `column`; raises `CallRefused` where the values do not fit its type or the operator.

    Several values mean any of them, and none of them if negated (facts/biconnector 5.9).
    """
    if kind == "null":
        return IsNull(column.name, negated)
    if kind == "contains" or kind == "like":
        return _text_search(column, kind, negated, values)
    if kind == "between":
        return _between(column, negated, values, dates)
    steps = [_step(column, _typed(column, item, dates)) for item in values.items]
    if kind == "=" or kind == "in":
        return _one_of(column, negated, tuple(step.value for step in steps if step.is_exact))
    return _each([_compared(column, kind, negated, step) for step in steps], column, negated)


def _each(conditions: list[Condition], column: PublishedColumn, negated: bool) -> Condition:
    if not conditions:
        return OneOf(column.name, (), negated)
    return conditions[0] if len(conditions) == 1 else Group("AND" if negated else "OR", tuple(conditions))


def _one_of(column: PublishedColumn, negated: bool, values: tuple[Value, ...]) -> Condition:
    if len(values) == 1:
        return Comparison(column.name, "!=" if negated else "=", values[0])
    return OneOf(column.name, values, negated)


def _compared(column: PublishedColumn, kind: Operator, negated: bool, step: _Step) -> Condition:
    operator = _OPPOSITE[kind] if negated else kind
    if not step.is_exact:
        # Nothing lies between this step and the next: above and not below both mean above this step, and so on.
        operator = ">" if operator in {">", ">="} else "<="
    return Comparison(column.name, operator, step.value)


def _between(column: PublishedColumn, negated: bool, values: Values, dates: DateReader) -> Condition:
    if values.single or len(values.items) != 2:
        raise CallRefused("value", column.code)
    low, high = (_step(column, _typed(column, item, dates)) for item in values.items)
    first = low.value
    if not low.is_exact and isinstance(first, int):
        first += 1
    elif not low.is_exact and isinstance(first, date):
        if first == date.max:
            return OneOf(column.name, (), negated)
        first += timedelta(days=1)
    return Between(column.name, first, high.value, negated)


def _text_search(column: PublishedColumn, kind: Kind, negated: bool, values: Values) -> Condition:
    texts = [item for item in values.items if isinstance(item, str)]
    if len(texts) != len(values.items):
        raise CallRefused("value", column.code)
    return _each([TEXT_SEARCHES[kind](column.name, text, negated) for text in texts], column, negated)


@dataclass(frozen=True)
class _Step:
    """A value of a column, or the last one before what was asked for if that is not `is_exact`ly one of its values."""

    value: Value
    is_exact: bool = True


def _step(column: PublishedColumn, value: Value) -> _Step:
    """A date column holds midnights, an `int` column whole numbers; anything may be asked of both."""
    if column.type == "date" and isinstance(value, datetime):
        return _Step(value.date(), value.time() == time())
    if column.type == "int" and isinstance(value, Decimal):
        return _Step(int(value.to_integral_value(ROUND_FLOOR)), is_exact=False)
    return _Step(value)


def _typed(column: PublishedColumn, item: str | bool, dates: DateReader) -> Value:
    """`item` as what is asked of a column of this type; of a date column that is a moment."""
    if isinstance(item, bool):
        # A boolean column is `int`, 0 or 1.
        if column.type != "int":
            raise CallRefused("value", column.code)
        return int(item)
    if column.type == "string":
        return item
    try:
        return _number(item) if column.type in {"int", "double"} else dates.read(item)
    except CallRefused as refusal:
        raise CallRefused(refusal.code, column.code) from None


def _number(text: str) -> Value:
    """An exact number: `int` where it is whole, else `Decimal`; a comma, a word or a blank is refused."""
    if not _NUMBER.fullmatch(text.strip()):
        raise CallRefused("value")
    number = Decimal(text.strip())
    if abs(number) > LARGEST or (number and not float(number)):
        raise CallRefused("value")
    return int(number) if number == number.to_integral_value() else number
