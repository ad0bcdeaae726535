"""Filters of the `list` methods: operators as rows of a table, groups with `logic`, values by PHP's rules.

An operator is a prefix of the key; without one it means equality, of texts LIKE (facts/biconnector 1.5e). A list of
numbers under an equality means "any of"; a list of texts is read as a group and refused (1.5a). Comparison follows the
stored type: numbers by value, texts as texts, an absent value like an empty text; dates are read in the site's format,
and anything else is an empty text then (1.5b).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.languages import SiteFormat
from emulator.php_values import as_number, is_array, is_numeric, members
from emulator.rest.replies import ModuleError

Item = Mapping[str, Any]
Test = Callable[[Any, Any], bool]
Filter = list[Any] | dict[str, Any]

PREFIX = re.compile(r"[<>=!@%]*")
LOGIC = {"AND": all, "OR": any}


def _comparable(stored: Any, wanted: Any) -> tuple[Any, Any]:
    """Both sides in one type: numbers if the stored one is a number, texts otherwise."""
    if isinstance(stored, bool):
        return stored, str(wanted).lower() not in ("", "0", "n", "false", "none")
    if isinstance(stored, (int, float)) and is_numeric(wanted):
        return as_number(stored), as_number(wanted)
    return "" if stored is None else str(stored), "" if wanted is None else str(wanted)


def _equal(stored: Any, wanted: Any) -> bool:
    left, right = _comparable(stored, wanted)
    return bool(left == right)


def _any_of(stored: Any, wanted: Any) -> bool:
    return any(_equal(stored, one) for one in (members(wanted) if is_array(wanted) else [wanted]))


def _ordered(compare: Callable[[Any, Any], bool]) -> Test:
    """A test of order, which an absent value never meets."""

    def test(stored: Any, wanted: Any) -> bool:
        return stored is not None and compare(*_comparable(stored, wanted))

    return test


def _contains(stored: Any, wanted: Any) -> bool:
    return stored is not None and str(wanted).casefold() in str(stored).casefold()


def _like(stored: Any, wanted: Any) -> bool:
    pattern = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in str(wanted))
    return stored is not None and re.fullmatch(pattern, str(stored), re.IGNORECASE | re.DOTALL) is not None


def _between(stored: Any, wanted: Any) -> bool:
    bounds = members(wanted) if is_array(wanted) else []
    if len(bounds) != 2:
        return False
    return OPERATORS[">="](stored, bounds[0]) and OPERATORS["<="](stored, bounds[1])


def _not(test: Test) -> Test:
    return lambda stored, wanted: not test(stored, wanted)


OPERATORS: Mapping[str, Test] = {
    "": _any_of,
    "=": _any_of,
    "!": _not(_any_of),
    "!=": _not(_any_of),
    "@": _any_of,
    "!@": _not(_any_of),
    "<": _ordered(operator.lt),
    ">": _ordered(operator.gt),
    "<=": _ordered(operator.le),
    ">=": _ordered(operator.ge),
    "%": _contains,
    "!%": _not(_contains),
    "=%": _like,
    "%=": _like,
    "!=%": _not(_like),
    "!%=": _not(_like),
    "><": _between,
    "!><": _not(_between),
}


@dataclass(frozen=True)
class Condition:
    """One field, one operator, one value or list."""

    title: str
    test: Test
    wanted: Any

    def holds(self, item: Item) -> bool:
        """Whether `item` meets the condition."""
        return self.test(item.get(self.title), self.wanted)


@dataclass(frozen=True)
class Group:
    """Conditions and groups joined by `AND` or `OR`; an empty group lets everything through."""

    logic: str
    parts: tuple[Condition | Group, ...]

    def holds(self, item: Item) -> bool:
        """Whether `item` meets the group."""
        return not self.parts or LOGIC[self.logic](part.holds(item) for part in self.parts)


def check_fields(given: Filter, allowed: Container[str]) -> None:
    """Raise VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER for the first condition on another field.

    A list that is not all numbers is checked as if it were a group (facts/biconnector 1.5a).
    """
    for key, value in _entries(given):
        if _is_group(key, value) or (is_array(value) and not all(is_numeric(each) for each in members(value))):
            check_fields(value, allowed)
        elif key != "logic":
            sign, title = _split(key)
            if title not in allowed or sign not in OPERATORS:
                text = f'Field "{title}" is not allowed in the "filter".'
                raise ModuleError("VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER", text)


def read_filter(given: Filter, types: Mapping[str, str], ignored: Container[str], site: SiteFormat) -> Group:
    """The filter in `given`, whose fields were checked and have `types`. Raises VALIDATION_INVALID_FILTER_LOGIC."""
    parts: list[Condition | Group] = []
    logic = "AND"
    for key, value in _entries(given):
        if key == "logic":
            logic = _logic(value)
        elif _is_group(key, value):
            parts.append(read_filter(value, types, ignored, site))
        else:
            sign, title = _split(key)
            if title not in ignored and value not in ([], {}):
                if types.get(title) == "datetime":
                    value = site.iso(str(value))
                test = _like if sign == "" and types.get(title) == "string" and value != "" else OPERATORS[sign]
                parts.append(Condition(title, test, value))
    return Group(logic, tuple(parts))


def _is_group(key: str, value: Any) -> bool:
    return key.isdigit() and isinstance(value, (list, dict))


def _split(key: str) -> tuple[str, str]:
    """Operator and field of a condition's key."""
    prefix = PREFIX.match(key)
    sign = prefix.group() if prefix else ""
    return sign, key[len(sign) :]


def _entries(given: Filter) -> Iterator[tuple[str, Any]]:
    if isinstance(given, dict):
        yield from given.items()
    else:
        yield from ((str(index), value) for index, value in enumerate(given))


def _logic(value: Any) -> str:
    logic = str(value).upper()
    if logic not in LOGIC:
        raise ModuleError("VALIDATION_INVALID_FILTER_LOGIC", 'Field "logic" must be either "AND" or "OR".')
    return logic
