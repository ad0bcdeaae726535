"""What a filter selects, in plain Python, and random filters over a table of adversarial rows."""

# ruff: noqa: DTZ001 - moments are without zone on purpose: they are in the connection's

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from drivers.columns import Form
from drivers.query import Between, Comparison, Condition, Contains, Group, IsNull, Like, OneOf, Operator, Value

Row = Mapping[str, Any]

COLUMNS: dict[str, Form] = {
    "id": Form.INTEGER,
    "big": Form.INTEGER,
    "amount": Form.EXACT,
    "score": Form.FLOAT,
    "title": Form.TEXT,
    "day": Form.DATE,
    "moment": Form.DATETIME,
    "flag": Form.BOOLEAN,
}
TEXTS = [
    *("abc", "ABC", "Abc", "abcd", "ab", "a", "", " ", "abc ", " abc", "ábc", "abć", "ÁBC", "äbc", "aebc"),
    *("Сделка", "СДЕЛКА", "сделка 1", "ёлка", "елка", "100%", "100", "1000", "a_c", "a%c", "a\\c", "a|c", "||"),
    *("it's", 'say "hi"', "line\nbreak", "tab\tbed", "😀 smile", "😀", "null", "NULL", "0", "false", "z\x01y"),
    *("'; DROP TABLE canary; --", "%s", "{x}", "?", ":1", "$1", "日本語", "e\u0301", "é", "\u2028"),
]
DAYS = [dt.date(2025, 12, 31), dt.date(2026, 1, 1), dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
MOMENTS = [
    dt.datetime(2025, 12, 31, 23, 59, 59),
    dt.datetime(2025, 12, 31, 23, 59, 59, 700000),
    dt.datetime(2025, 12, 31),
    dt.datetime(2026, 1, 1, 0, 0, 0, 1),
    dt.datetime(1900, 1, 1, 0, 0, 1),
    dt.datetime(1900, 1, 1, 0, 0, 0, 500000),
    dt.datetime(1800, 6, 1, 12),
    dt.datetime(9999, 12, 31, 23, 59, 59),
]
#: What every database can store: ClickHouse knows the years 1900 to 2299.
KEPT_DAYS = [dt.date(1900, 1, 1) if day.year == 1 else min(day, dt.date(2299, 12, 31)) for day in DAYS]
KEPT_MOMENTS = [min(moment, dt.datetime(2299, 12, 31, 23, 59, 59, 999999)) for moment in MOMENTS]
NUMBERS = [0, 1, -1, 2, 10, 100, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
AMOUNTS = [Decimal(text) for text in ("0", "0.1", "0.3", "-0.5", "1.5", "99.9999", "100", "1234567.25")]
SCORES = [0.0, 0.1, 0.30000000000000004, 0.3, 1.5, -2.25, 1e20, 1e-7, 1e300]


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Random rows over these values, a sixth of them NULL, with an own id each."""
    rng = random.Random(seed)

    def pick(values: Sequence[Any]) -> Any:
        return None if rng.random() < 1 / 6 else rng.choice(values)

    return [
        {
            "id": number,
            "big": pick(NUMBERS),
            "amount": pick(AMOUNTS),
            "score": pick(SCORES),
            "title": TEXTS[number] if number < len(TEXTS) else pick(TEXTS),
            "day": pick(KEPT_DAYS),
            "moment": pick(KEPT_MOMENTS),
            "flag": pick([True, False]),
        }
        for number in range(count)
    ]


def shown(row: Row) -> dict[str, Any]:
    """A row as drivers show it: whole seconds, nothing before 1900, booleans as 0 and 1."""
    seen = dict(row)
    if row["moment"] is not None:
        whole = row["moment"].replace(microsecond=0)
        seen["moment"] = whole if whole > dt.datetime(1900, 1, 1) else None
    seen["flag"] = None if row["flag"] is None else int(row["flag"])
    return seen


def matches(condition: Condition, row: Row) -> bool:
    """Whether a shown row is selected (meanings: `drivers/query.py`)."""
    if isinstance(condition, Group):
        decisions = [matches(inner, row) for inner in condition.conditions]
        return all(decisions) if condition.logic == "AND" else any(decisions)
    value = row[condition.column]
    if isinstance(condition, IsNull):
        return (value is None) != condition.negated
    if value is None:
        return False
    match condition:
        case Comparison():
            return _compare(value, condition.operator, condition.value)
        case OneOf():
            return any(_compare(value, "=", other) for other in condition.values) != condition.negated
        case Between():
            inside = _compare(value, ">=", condition.low) and _compare(value, "<=", condition.high)
            return inside != condition.negated
        case Contains():
            return (condition.text.lower() in text(value).lower()) != condition.negated
        case Like():
            pattern = re.compile(_expression(condition.pattern.lower()), re.DOTALL)
            return bool(pattern.fullmatch(text(value).lower())) != condition.negated


def text(value: Any) -> str:
    """A value as it is shown."""
    return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)


def _compare(value: Any, operator: Operator, other: Any) -> bool:
    if isinstance(value, float):
        other = float(other)
    match operator:
        case "=":
            return bool(value == other)
        case "!=":
            return bool(value != other)
        case ">":
            return bool(value > other)
        case ">=":
            return bool(value >= other)
        case "<":
            return bool(value < other)
        case "<=":
            return bool(value <= other)


def _expression(pattern: str) -> str:
    result, characters = "", iter(pattern)
    for character in characters:
        if character == "\\":
            result += re.escape(next(characters, "\\"))
        else:
            result += {"%": ".*", "_": "."}.get(character, re.escape(character))
    return result


def random_condition(rng: random.Random, depth: int = 3) -> Condition:
    """A condition over `COLUMNS`, of every kind, with values that fit and often occur."""
    if depth and rng.random() < 0.3:
        inner = tuple(random_condition(rng, depth - 1) for _ in range(rng.randint(0, 3)))
        return Group(rng.choice(("AND", "OR")), inner)
    column = rng.choice(list(COLUMNS))
    negated = rng.random() < 0.4
    kind = rng.randrange(6)
    if kind == 0:
        return IsNull(column, negated)
    if kind == 1:
        return OneOf(column, tuple(_value(rng, column) for _ in range(rng.randint(0, 4))), negated)
    if kind == 2:
        return Between(column, _value(rng, column), _value(rng, column), negated)
    if kind in (3, 4) and column in ("title", "id", "day", "moment"):
        return _text_condition(rng, column, negated, contains=kind == 3)
    return Comparison(column, rng.choice(("=", "!=", ">", ">=", "<", "<=")), _value(rng, column))


def _text_condition(rng: random.Random, column: str, negated: bool, contains: bool) -> Condition:
    whole = rng.choice(TEXTS) if column == "title" else rng.choice(["2025-12-31", "1", "00:00", "9", "23:59:59"])
    start = rng.randint(0, len(whole))
    part = whole[start : start + rng.randint(0, 5)]
    if contains:
        return Contains(column, rng.choice((part, part.upper(), part.lower())), negated)
    pieces = ["%", "_", part, part.swapcase(), "\\%", "\\_", "\\\\", "a", "\\"]
    return Like(column, "".join(rng.choice(pieces) for _ in range(rng.randint(0, 4))), negated)


def _value(rng: random.Random, column: str) -> Value:
    values: Sequence[Value]
    match COLUMNS[column]:
        case Form.INTEGER if column == "id":
            values = (rng.randint(-2, 80), Decimal(rng.randint(0, 160)) / 2)
        case Form.INTEGER:
            values = (*NUMBERS, Decimal("0.5"), Decimal("1E+30"), 2**64, -(10**30))
        case Form.EXACT:
            values = (*AMOUNTS, 1, 100, Decimal("0.30"))
        case Form.FLOAT:
            values = (*(Decimal(repr(score)) for score in SCORES), 0, 1, Decimal("0.2"))
        case Form.DATE:
            values = DAYS
        case Form.DATETIME:
            values = [moment.replace(microsecond=0) for moment in MOMENTS]
        case Form.BOOLEAN:
            values = (0, 1, 2)
        case _:
            values = (*TEXTS, "abc  ", "ZZZ", "\uffff")
    return rng.choice(values)
