"""What a filter selects, in plain Python: written from the facts, knowing neither SQL nor the gateway.

Sources: facts/biconnector 5.9 to 5.12, and what `drivers.query` promises. A row is a mapping of column names to the
values that the portal is shown; `None` is null. Dates come in the site format of one language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

Shown = int | float | Fraction | str | date | datetime | None

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

    def selects(self, filter_: Mapping[str, Any], row: Mapping[str, Shown]) -> bool:
        """Whether `row` is selected by a filter in any of the three shapes."""
        logic, answers = "AND", []
        for key, value in filter_.items():
            if key in ("LOGIC", "logic"):
                logic = value.upper()
            elif key.isdigit():
                answers.append(self._listed(value, row) if "OPERATOR" in value else self.selects(value, row))
            else:
                answers.append(self._keyed(key, value, row))
        return any(answers) if logic == "OR" else all(answers)

    def _listed(self, asked: Mapping[str, Any], row: Mapping[str, Shown]) -> bool:
        word = asked["OPERATOR"]
        operator = WORDS[word.removeprefix("NOT_")]
        return self._holds(asked["COLUMN"], operator, word.startswith("NOT_"), asked.get("VALUE"), row)

    def _keyed(self, key: str, value: Any, row: Mapping[str, Shown]) -> bool:
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
        return self._holds(column, operator, negated, value, row)

    def _holds(self, column: str, operator: str, negated: bool, value: Any, row: Mapping[str, Shown]) -> bool:
        shown = row[column]
        if operator == "null":
            return (shown is None) != negated
        if shown is None:
            return False
        values = value if isinstance(value, list) else [value]
        if operator == "><":
            low, high = values
            inside = self._fits(column, shown, ">=", low) and self._fits(column, shown, "<=", high)
            return inside != negated
        return any(self._fits(column, shown, operator, item) for item in values) != negated

    def _fits(self, column: str, shown: Any, operator: str, item: str) -> bool:
        if operator == "%":
            return item.lower() in str(shown).lower()
        if operator in ("=%", "%="):
            return re.fullmatch(like_pattern(item.lower()), str(shown).lower(), re.DOTALL) is not None
        left, right = self._comparable(shown), self._value(column, item)
        if isinstance(shown, float):
            # A double is shown as the shortest text that means it, and asked for by that text.
            left, right = shown, float(item)
        match operator:
            case "=" | "@":
                return bool(left == right)
            case ">":
                return bool(left > right)
            case ">=":
                return bool(left >= right)
            case "<":
                return bool(left < right)
            case "<=":
                return bool(left <= right)
        raise AssertionError(operator)

    def _comparable(self, shown: Any) -> Any:
        if isinstance(shown, date) and not isinstance(shown, datetime):
            return datetime.combine(shown, time())
        return Fraction(shown) if isinstance(shown, int | float) else shown

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
