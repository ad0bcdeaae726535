"""What a filter selects, in plain Python: written from the facts, knowing neither SQL nor the gateway.

Sources: facts/biconnector 5.9 to 5.12, and what `drivers.query` promises. A row is a mapping of column names to the
values that the portal is shown; `None` is null. Dates come in the site format of one language.
"""

from __future__ import annotations

import operator as op
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

Shown = int | float | Fraction | str | date | datetime | None
Selects = Callable[[Mapping[str, Shown]], bool]
"""Whether a row is selected."""

KEY = re.compile(r"(?P<negated>!?)(?P<operator>><|>=|<=|=%|%=|=|>|<|%|@|)(?P<column>.*)", re.DOTALL)
WORDS = {
    "EQUALS": "=",
    "IN_LIST": "@",
    "CONTAINS": "%",
    "BETWEEN": "><",
    "NUMERIC_GREATER_THAN": ">",
    "NUMERIC_GREATER_THAN_OR_EQUAL": ">=",
    "NUMERIC_LESS_THAN": "<",
    "NUMERIC_LESS_THAN_OR_EQUAL": "<=",
    "DATE_GREATER_THAN_OR_EQUAL": ">=",
    "DATE_LESS_THAN_OR_EQUAL": "<=",
    "IS_NULL": "null",
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": op.eq,
    "@": op.eq,
    ">": op.gt,
    ">=": op.ge,
    "<": op.lt,
    "<=": op.le,
}
SITE_FORMATS = {
    "ru": ("%d.%m.%Y", "%d.%m.%Y %H:%M:%S"),
    "en": ("%m/%d/%Y", "%m/%d/%Y %I:%M:%S %p"),
    "br": ("%d/%m/%Y", "%d/%m/%Y %H:%M:%S"),
    "sc": ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"),
}
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True)
class Oracle:
    """Answers for one table: its columns and their portal types, and the language of the portal that asks."""

    types: Mapping[str, str]
    language: str

    def selecting(self, filter_: Mapping[str, Any]) -> Selects:
        """Whether a row is selected by a filter in any of the three shapes, which is read once for all rows."""
        logic, conditions = "AND", []
        for key, value in filter_.items():
            if key in ("LOGIC", "logic"):
                logic = value.upper()
            elif key.isdigit():
                conditions.append(self._listed(value) if "OPERATOR" in value else self.selecting(value))
            else:
                conditions.append(self._keyed(key, value))
        combined = any if logic == "OR" else all
        return lambda row: combined(condition(row) for condition in conditions)

    def _listed(self, asked: Mapping[str, Any]) -> Selects:
        word = asked["OPERATOR"]
        operator = WORDS[word.removeprefix("NOT_")]
        return self._holding(asked["COLUMN"], operator, word.startswith("NOT_"), asked.get("VALUE"))

    def _keyed(self, key: str, value: Any) -> Selects:
        parts = KEY.fullmatch(key)
        assert parts is not None
        column, operator, negated = parts["column"], parts["operator"] or "=", bool(parts["negated"])
        if isinstance(value, Mapping):
            inner = KEY.fullmatch(value["operator"])
            assert inner is not None
            operator, negated = inner["operator"] or "=", bool(inner["negated"])
            value = [value["from"], value["to"]] if "from" in value else value["value"]
        elif operator == "=" and (value is False or value in ("", "0")) and not isinstance(value, list):
            operator = "null"
        return self._holding(column, operator, negated, value)

    def _holding(self, column: str, operator: str, negated: bool, value: Any) -> Selects:
        if operator == "null":
            return lambda row: (row[column] is None) != negated
        values = value if isinstance(value, list) else [value]
        if operator == "><":
            low, high = values
            combined, fits = all, [self._fitting(column, ">=", low), self._fitting(column, "<=", high)]
        else:
            combined, fits = any, [self._fitting(column, operator, item) for item in values]

        def holds(row: Mapping[str, Shown]) -> bool:
            shown = row[column]
            return shown is not None and combined(fit(shown) for fit in fits) != negated

        return holds

    def _fitting(self, column: str, operator: str, item: str) -> Callable[[Any], bool]:
        if operator == "%":
            return lambda shown: item.lower() in str(shown).lower()
        if operator in ("=%", "%="):
            pattern = re.compile(like_pattern(item.lower()), re.DOTALL)
            return lambda shown: pattern.fullmatch(str(shown).lower()) is not None
        compare, value = COMPARISONS[operator], self._value(column, item)

        def fits(shown: Any) -> bool:
            # A double is shown as the shortest text that means it, and asked for by that text.
            asked = float(item) if isinstance(shown, float) else value
            return compare(self._comparable(shown), asked)

        return fits

    def _comparable(self, shown: Any) -> Any:
        whole_day = isinstance(shown, date) and not isinstance(shown, datetime)
        return datetime.combine(shown, time()) if whole_day else shown

    def _value(self, column: str, item: str) -> Any:
        match self.types[column]:
            case "int" | "double":
                return Fraction(item)
            case "string":
                return item
        for form in (*SITE_FORMATS[self.language], *ISO):
            try:
                return datetime.strptime(item, form)  # noqa: DTZ007 - portals write no zone
            except ValueError:
                continue
        raise AssertionError(item)


def like_pattern(pattern: str) -> str:
    r"""SQL's wildcards as a regular expression: `%`, `_`, and `\` before what stands for itself."""
    result, characters = "", iter(pattern)
    for character in characters:
        if character == "\\":
            result += re.escape(next(characters, "\\"))
        else:
            result += {"%": ".*", "_": "."}.get(character, re.escape(character))
    return result
