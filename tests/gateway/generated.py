"""A table with adversarial rows, and filters that portals could ask of it, made from a seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from tests.gateway.bodies import FORM, JSON, form_body
from tests.gateway.oracle import SITE_FORMATS, Oracle, Shown

# Published code -> portal type; `FLAG` is a boolean column, which is `int`, 0 or 1.
TYPES = {
    "ID": "int",
    "BIG": "int",
    "AMOUNT": "double",
    "RATIO": "double",
    "NAME": "string",
    "IMYA_KLIENTA": "string",
    "DAY": "date",
    "MOMENT": "datetime",
    "FLAG": "int",
}
# The database's own names, in the same order.
REAL_NAMES = ("id", "Big", "amount", "ratio", "name", "Имя клиента", "day", "Moment", "flag")

WORDS = [
    "",
    "new",
    "NEW",
    "new ",
    "won",
    "100%",
    "a_b",
    "a\\b",
    "it's",
    'say "hi"',
    "Ёлка",
    "ёлка",
    "Straße",
    "😀 ok",
    "0",
]
WORDS += ["a|b", "%", "_", "\\", "ab", "tab\there", "line\nbreak", "é", "e", "Z", "a", "1", "null", "2025-01-01"]
BIGS = [0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 10, 9, 100]
CENTS = [0, 1, -1, 1250, 1249, 999999999999, -999999999999, 10, 100000]
RATIOS = [0.0, 0.5, -0.5, 0.1, 1e300, -1e-300, 2.5, 100.0, 1 / 3]
FIRST_DAY = date(2024, 12, 28)


@dataclass(frozen=True)
class Row:
    """A row as it is stored: amounts in cents, moments with microseconds."""

    id: int
    big: int | None
    cents: int | None
    ratio: float | None
    name: str | None
    client: str | None
    day: date | None
    moment: datetime | None
    flag: bool | None

    @cached_property
    def shown(self) -> dict[str, Shown]:
        """The row as the portal is shown it: by published codes, seconds whole, booleans as numbers."""
        moment = self.moment.replace(microsecond=0) if self.moment else None
        amount = None if self.cents is None else Fraction(self.cents, 100)
        flag = None if self.flag is None else int(self.flag)
        values = (self.id, self.big, amount, self.ratio, self.name, self.client, self.day, moment, flag)
        return dict(zip(TYPES, values, strict=True))


def rows(count: int = 120, seed: int = 24) -> list[Row]:
    """The rows of the table, the same for every database."""
    pick = random.Random(seed)
    made = []
    for number in range(1, count + 1):
        day = FIRST_DAY + timedelta(days=pick.randrange(8))
        seconds = timedelta(
            seconds=pick.choice([0, 1, 43200, 86398, 86399]), microseconds=pick.choice([0, 0, 1, 999999])
        )
        values = [
            *(pick.choice(BIGS), pick.choice(CENTS), pick.choice(RATIOS), pick.choice(WORDS), pick.choice(WORDS)),
            *(day, datetime.combine(FIRST_DAY + timedelta(days=pick.randrange(8)), datetime.min.time()) + seconds),
            pick.random() < 0.5,
        ]
        made.append(Row(number, *(None if pick.random() < 0.2 else value for value in values)))  # type: ignore[arg-type]
    return made


@dataclass(frozen=True)
class Asked:
    """A filter, the language of its portal, and the body that carries it."""

    filter: dict[str, Any]
    language: str
    body: bytes
    content_type: str


def filters(count: int, seed: int) -> list[Asked]:
    """`count` filters: all operators, shapes, groups, nulls, lists, and dates of every site format."""
    pick = random.Random(seed)
    return [_Maker(pick).asked() for _ in range(count)]


class _Maker:
    def __init__(self, pick: random.Random) -> None:
        self.pick = pick
        self.language = pick.choice(sorted(SITE_FORMATS))
        self.json = pick.random() < 0.4

    def asked(self) -> Asked:
        filter_ = self._group(0)
        call = {"table": "t", "select": ["ID"], "filter": filter_}
        body = json.dumps(call).encode() if self.json else form_body(call)
        return Asked(filter_, self.language, body, JSON if self.json else FORM)

    def _group(self, depth: int) -> dict[str, Any]:
        group: dict[str, Any] = {}
        if depth and self.pick.random() < 0.8:
            group[self.pick.choice(["LOGIC", "LOGIC", "logic"])] = self.pick.choice(["AND", "OR", "OR", "or"])
        for number in range(self.pick.randint(1, 3)):
            kind = self.pick.random()
            if kind < 0.25 and depth < 4:
                group[str(number)] = self._group(depth + 1)
            elif kind < 0.35:
                group[str(number)] = self._listed()
            else:
                key, value = self._keyed()
                group.setdefault(key, value)
        return group

    def _keyed(self) -> tuple[str, Any]:
        column = self.pick.choice(list(TYPES))
        if self.pick.random() < 0.12:
            return self._null_test(column)
        operator = self._operator(column)
        negated = "!" if self.pick.random() < 0.3 else ""
        if self.pick.random() < 0.1:
            return column, self._spelled(column, operator, negated)
        if operator == "=" and self.pick.random() < 0.3:
            operator = ""
        return negated + operator + column, self._values(column, operator or "=")

    def _null_test(self, column: str) -> tuple[str, Any]:
        key = self.pick.choice(["=", "!=", "", "!"]) + column
        return key, self.pick.choice([False, "", "0"]) if self.json else self.pick.choice(["", "0"])

    def _operator(self, column: str) -> str:
        operators = ["=", ">", ">=", "<", "<=", "@", "><"]
        if TYPES[column] == "string":
            operators += ["%", "%", "=%", "%="]
        elif column in ("ID", "BIG", "DAY"):
            operators += ["%"]
        return self.pick.choice(operators)

    def _values(self, column: str, operator: str) -> Any:
        if operator == "><":
            return [self._text(column, operator), self._text(column, operator)]
        shape = self.pick.random()
        if shape < 0.08 and self.json:
            return []
        if shape < 0.4:
            text = self._text(column, operator)
            # Under `=` a scalar false is the null test, so equality to it comes as a list (facts/biconnector 5.11).
            return [text] if operator == "=" and text in ("", "0") else text
        return [self._text(column, operator) for _ in range(self.pick.choice([1, 1, 2, 3]))]

    def _spelled(self, column: str, operator: str, negated: str) -> dict[str, Any]:
        if operator == "><":
            low, high = self._values(column, operator)
            return {"operator": negated + operator, "from": low, "to": high}
        values = self._values(column, operator)
        return {"operator": negated + operator, "value": values}

    def _listed(self) -> dict[str, Any]:
        column = self.pick.choice(list(TYPES))
        words = ["EQUALS", "IN_LIST", "BETWEEN", "NUMERIC_GREATER_THAN", "NUMERIC_LESS_THAN_OR_EQUAL"]
        words += {"string": ["CONTAINS"], "date": ["DATE_GREATER_THAN_OR_EQUAL"]}.get(TYPES[column], ["IS_NULL"])
        word = self.pick.choice(words)
        operator = {"BETWEEN": "><", "CONTAINS": "%"}.get(word, ">")
        asked: dict[str, Any] = {"COLUMN": column, "OPERATOR": self.pick.choice(["", "NOT_"]) + word}
        if word != "IS_NULL":
            asked["VALUE"] = self._values(column, operator)
        elif self.json:
            asked["VALUE"] = None
        return asked

    def _text(self, column: str, operator: str) -> str:
        if operator in ("%", "=%", "%="):
            return self._piece(column, operator)
        match column:
            case "ID":
                return str(self.pick.choice([1, 2, 60, 120, 121, 0, -5, "60.5", "59.0"]))
            case "FLAG":
                return self.pick.choice(["0", "1", "1", "2", "0.5"])
            case "BIG":
                return str(self.pick.choice([*BIGS, 2**53 + 2, 2**64, -(2**70), "9007199254740992.5"]))
            case "AMOUNT":
                return self.pick.choice(
                    ["0", "0.01", "-0.01", "12.5", "12.50", "12.495", "9999999999.99", "1e3", "1000"]
                )
            case "RATIO":
                return self.pick.choice(["0", "0.5", "-.5", "0.1", "1e300", "2.5", "100", "-1E-300", "99.999"])
            case "DAY" | "MOMENT":
                return self._date(column)
        return self.pick.choice([*WORDS, "zzz", "NEW ", "É"])

    def _piece(self, column: str, operator: str) -> str:
        if column in ("ID", "BIG"):
            return self.pick.choice(["1", "0", "00", "-", "99", "25"])
        if column == "DAY":
            return self.pick.choice(["2025", "-01-", "2024-12-3", "31"])
        word = self.pick.choice([*WORDS, "ЁЛ", "STRASS", "N", "w"])
        start = self.pick.randrange(len(word) + 1)
        piece = word[start : start + self.pick.randint(0, 4)]
        if operator == "%":
            return piece
        # A pattern that ends in the escape character has no meaning of its own.
        piece = piece.rstrip("\\")
        return self.pick.choice([piece, f"%{piece}%", f"{piece}%", f"_{piece}%", f"%{piece}", r"%\%%", r"a\_b", "%"])

    def _date(self, column: str) -> str:
        day_form, moment_form = self.pick.choice([SITE_FORMATS[self.language], SITE_FORMATS["sc"]])
        day = FIRST_DAY + timedelta(days=self.pick.randint(-1, 8))
        moment = datetime.combine(day, datetime.min.time())
        if self.pick.random() < 0.4:
            return self._written(moment, day_form)
        seconds = self.pick.choice([0, 1, 43200, 86398, 86399])
        text = self._written(moment + timedelta(seconds=seconds), moment_form)
        return self.pick.choice([text, text.lower()])

    def _written(self, moment: datetime, form: str) -> str:
        return moment.strftime(form)


def expected(asked: Asked, table: list[Row]) -> list[int]:
    """What the oracle says: the ids that `asked` selects."""
    selects = Oracle(TYPES, asked.language).selecting(asked.filter)
    return [row.id for row in table if selects(row.shown)]
