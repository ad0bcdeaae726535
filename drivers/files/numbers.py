"""Filters on whole numbers and decimals, with values that a column's own type can hold.

DuckDB compares a decimal with a value of another type as doubles, which tell no two neighbours of twenty digits apart.
A value between two that the type can hold is moved to the lower one, and the comparison with it; a value beyond all of
them selects everything or nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, Context, Decimal

from drivers.base import Description
from drivers.columns import Column, Form
from drivers.query import Between, Comparison, Condition, Group, IsNull, OneOf, Operator, Value
from drivers.sql import check_value

_WHOLE: dict[str, tuple[int, int]] = {
    **{name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in (("TINYINT", 8), ("SMALLINT", 16))},
    **{name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in (("INTEGER", 32), ("BIGINT", 64))},
    **{name: (0, 2**bits - 1) for name, bits in (("UTINYINT", 8), ("USMALLINT", 16), ("UINTEGER", 32))},
    **{name: (0, 2**bits - 1) for name, bits in (("UBIGINT", 64), ("UHUGEINT", 128))},
    "HUGEINT": (-(2**127), 2**127 - 1),
    "BOOLEAN": (0, 1),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
#: More digits before the point than any type has.
_BEYOND = 60


def fitted(condition: Condition, description: Description) -> Condition:
    """The same condition, its numbers such that the columns' types hold them. Raises `QueryRefused`."""
    if isinstance(condition, Group):
        return replace(condition, conditions=tuple(fitted(inner, description) for inner in condition.conditions))
    if isinstance(condition, Comparison | OneOf | Between):
        kind = _Type.of(description.column(condition.column))
        if kind is not None:
            return kind.fitted(condition)
    return condition


class _Type:
    """A column's type: multiples of a power of ten, from the lowest to the highest."""

    def __init__(self, column: Column, low: int, high: int, scale: int) -> None:
        self._column, self._low, self._high, self._scale = column, low, high, scale

    @classmethod
    def of(cls, column: Column) -> _Type | None:
        """The type of whole numbers and decimals, None for others."""
        if column.form in (Form.INTEGER, Form.BOOLEAN) and column.native in _WHOLE:
            return cls(column, *_WHOLE[column.native], 0)
        found = _DECIMAL.fullmatch(column.native) if column.form is Form.EXACT else None
        if found is None:
            return None
        most = 10 ** int(found[1]) - 1
        return cls(column, -most, most, int(found[2]))

    def fitted(self, condition: Comparison | OneOf | Between) -> Condition:
        """The condition with values of the type."""
        match condition:
            case Comparison():
                return self._comparison(condition.operator, condition.value)
            case OneOf():
                found = ((step, exact) for step, exact in map(self._step, condition.values))
                held = tuple(self._value(step) for step, exact in found if exact and self._low <= step <= self._high)
                return replace(condition, values=held)
            case Between():
                return self._between(condition)

    def _comparison(self, operator: Operator, value: Value) -> Condition:
        step, exact = self._step(value)
        if operator in ("=", "!="):
            if exact and self._low <= step <= self._high:
                return Comparison(self._column.name, operator, self._value(step))
            return self._all() if operator == "!=" else self._none()
        below = operator in ("<", "<=")
        if exact and operator in ("<", ">="):
            step -= 1
        if step < self._low:
            return self._none() if below else self._all()
        if step >= self._high:
            return self._all() if below else self._none()
        return Comparison(self._column.name, "<=" if below else ">", self._value(step))

    def _between(self, condition: Between) -> Condition:
        first, exact = self._step(condition.low)
        first = max(first if exact else first + 1, self._low)
        last = min(self._step(condition.high)[0], self._high)
        if first > last:
            return self._all() if condition.negated else self._none()
        return replace(condition, low=self._value(first), high=self._value(last))

    def _step(self, value: Value) -> tuple[int, bool]:
        """The last multiple that is not above the value, and whether it is the value itself."""
        check_value(value, self._column)
        number = Decimal(value)  # type: ignore[arg-type]  # `checked` leaves numbers only
        if not number:
            return 0, True
        if number.adjusted() > _BEYOND:
            return (self._low - 1 if number < 0 else self._high + 1), False
        context = Context(prec=len(number.as_tuple().digits), Emax=MAX_EMAX, Emin=MIN_EMIN)
        scaled = number.scaleb(self._scale, context)
        step = scaled.to_integral_value(ROUND_FLOOR)
        return int(step), step == scaled

    def _value(self, step: int) -> int | Decimal:
        return step if self._column.form is not Form.EXACT else Decimal(f"{step}E-{self._scale}")

    def _all(self) -> Condition:
        return IsNull(self._column.name, negated=True)

    def _none(self) -> Condition:
        return OneOf(self._column.name, ())
