"""What is in a condition: its leaves and times, and what is refused since a server would read it otherwise."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal

from drivers.base import Description
from drivers.columns import Column, Form
from drivers.errors import QueryRefused
from drivers.query import Between, Comparison, Condition, Group, Leaf, OneOf, TextSearch


def comparisons_in(condition: Condition | None) -> Iterator[Leaf]:
    """All conditions on columns within a condition."""
    if isinstance(condition, Group):
        for inner in condition.conditions:
            yield from comparisons_in(inner)
    elif condition is not None:
        yield condition


def datetimes_in(condition: Condition | None) -> Iterator[dt.datetime]:
    """All times that a condition compares with."""
    for leaf in comparisons_in(condition):
        values: tuple[object, ...] = ()
        match leaf:
            case Comparison():
                values = (leaf.value,)
            case OneOf():
                values = leaf.values
            case Between():
                values = (leaf.low, leaf.high)
        yield from (value for value in values if isinstance(value, dt.datetime))


def is_ambiguous(moment: dt.datetime, zone: zoneinfo.ZoneInfo) -> bool:
    """Whether the zone has this local time twice, or never: then instants say another thing than what is shown."""
    local = moment.replace(tzinfo=zone)
    return local.utcoffset() != local.replace(fold=1).utcoffset()


def refuse_float_texts(condition: Condition | None, description: Description) -> None:
    """Raise `QueryRefused("value_type")` for a search in the text of floating numbers, which the server writes in a
    way of its own."""
    for leaf in comparisons_in(condition):
        if isinstance(leaf, TextSearch) and description.column(leaf.column).form is Form.FLOAT:
            raise QueryRefused("value_type", leaf.column)


def as_double(value: int | Decimal, column: Column) -> float:
    """A number as a double. Raises `QueryRefused("value_type")` for one beyond all doubles."""
    try:
        return float(value)
    except OverflowError:
        raise QueryRefused("value_type", column.name) from None
