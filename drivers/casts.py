"""Columns delivered in another type than their database's: the SQL for each value, and what does not fit.

A value is read from the text that the driver shows of it. A number is digits with a point or a comma before fractions
and blanks between thousands, of at most 18 digits where whole and 15 otherwise, so that a double holds it; a comma
before exactly three digits means two things and fits neither. A day is `2025-12-31` or `31.12.2025`; a moment has
`10:00` or `10:00:00` after it. Blank texts are no value. Whatever else fits not: it is null where the analyst chose so,
and an error that names column and value otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from drivers.base import Description, Session
from drivers.columns import Column, ColumnCasts, Form, PortalType
from drivers.query import TableName, TableQuery
from drivers.sql import Dialect

Misfits = Literal["refuse", "null"]

LONGEST_VALUE = 80

_WHOLE = "(0*[0-9]{1,18}|[0-9]{1,3}( [0-9]{3}){1,5})"
_ANY = "([0-9]+|[0-9]{1,3}( [0-9]{3})+)"
_INT = f"^ *[-+]?{_WHOLE}([.]0+)? *$"
_DOUBLE = f"^ *[-+]?{_ANY}([.][0-9]+|,([0-9]{{1,2}}|[0-9]{{4,}}))? *$"
_FIFTEEN_DIGITS = "^[^1-9]*([0-9][^0-9]*){0,15}$"

_LEAP = "(0[48]|[2468][048]|[13579][26])"
_LEAP_CENTURY = "(0[48]|[2468][048]|[13579][26])00"


def _real_days(day: Callable[[str, str, str], str], years: str, leap_years: str) -> str:
    """The pattern of days that exist, as `day` puts year, month and day together."""
    return "(" + "|".join(
        (
            day(years, "(0[13578]|1[02])", "(0[1-9]|[12][0-9]|3[01])"),
            day(years, "(0[469]|11)", "(0[1-9]|[12][0-9]|30)"),
            day(years, "02", "(0[1-9]|1[0-9]|2[0-8])"),
            day(leap_years, "02", "29"),
        )
    ) + ")"  # fmt: skip


def _days(years: str, leap_years: str) -> str:
    iso = _real_days(lambda year, month, day: f"{year}-{month}-{day}", years, leap_years)
    dotted = _real_days(lambda year, month, day: f"{day}[.]{month}[.]{year}", years, leap_years)
    return f"({iso}|{dotted})"


_DATE = (
    "^ *"
    + _days("(000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])", f"([0-9][0-9]{_LEAP}|{_LEAP_CENTURY})")
    + "([ T]00:00(:00([.]0+)?)?)? *$"
)
# What the portal can take begins with 1900-01-01 00:00:01 (`drivers/columns.py`).
_DATETIME = (
    "^ *"
    + _days(
        "(19(0[1-9]|[1-9][0-9])|[2-9][0-9][0-9][0-9])", f"((19|[2-9][0-9]){_LEAP}|(2[048]|[3579][26]|[468][048])00)"
    )
    + "([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?)? *$"
)
PATTERNS: Mapping[PortalType, tuple[str, ...]] = {
    "int": (_INT,),
    "double": (_DOUBLE, _FIFTEEN_DIGITS),
    "date": (_DATE,),
    "datetime": (_DATETIME,),
}
_CHOICES: Mapping[PortalType, tuple[PortalType, ...]] = {
    "int": ("int", "double", "string"),
    "double": ("double", "int", "string"),
    "string": ("string", "int", "double", "date", "datetime"),
    "date": ("date", "datetime", "string"),
    "datetime": ("datetime", "date", "string"),
}


def is_castable(now: PortalType, wanted: PortalType) -> bool:
    """Whether values of one type can be delivered as those of another, where they allow it."""
    return wanted in _CHOICES[now]


def fits(text: str, wanted: PortalType) -> bool:
    """Whether a text can be delivered in a type; blank texts can."""
    if wanted == "string" or not text.strip(" "):
        return True
    return all(re.fullmatch(pattern, text, re.ASCII) for pattern in PATTERNS[wanted])


@dataclass(frozen=True)
class TextConversion:
    """How a database converts a text that fits, `{t}`: to which form, and what it calls the type."""

    form: Form
    sql: str
    native: str = ""
    also: str = ""
    """What has to hold besides, of the value `{v}` and its text `{t}`, where the type holds less than the pattern."""
    refuse: str = ""
    """What fails for any text, `{t}`; the conversion itself unless something is given."""


@dataclass(frozen=True)
class CastSql:
    """What of casts differs between databases.

    `matches` is true for a text `{t}` that fits the pattern `{p}`; `message` puts a text `{m}` before `{t}`, for an
    error that repeats it. `texts` are those of forms whose text is not what the dialect compares texts with; forms that
    are `silent` have none that is what is shown.
    """

    matches: str
    conversions: Mapping[PortalType, TextConversion]
    message: str = "concat('{m} ', substr({t}, 1, 80), ' (misfit)')"
    texts: Mapping[Form, str] = field(default_factory=dict)
    silent: frozenset[Form] = frozenset()


class Casts:
    """The casts of one dialect."""

    def __init__(self, dialect: Dialect, sql: CastSql) -> None:
        self._dialect, self._sql = dialect, sql

    def choices(self, column: Column) -> tuple[PortalType, ...]:
        """The types in which a column can be delivered, its own first."""
        return tuple(wanted for wanted in _CHOICES[column.type] if self.can(column, wanted))

    def can(self, column: Column, wanted: PortalType) -> bool:
        """Whether there is a cast of this column."""
        if column.type == wanted or (column.type, wanted) == ("int", "double"):
            return True
        return (
            wanted in _CHOICES[column.type]
            and column.form not in self._sql.silent
            and (column.form is not Form.BINARY or wanted == "string")
            and (wanted == "string" or wanted in self._sql.conversions)
        )

    def delivered(self, column: Column, wanted: PortalType, misfits: Misfits, key: str, code: str) -> Column:
        """The column under the name `key` and in the type `wanted`; errors call it `code`."""
        moved = replace(column, name=key, source=column.own_name)
        if column.type == wanted or (column.type, wanted) == ("int", "double"):
            return moved
        text = self._text(column)
        if wanted == "string":
            return replace(moved, form=Form.RENDERED, native="", expression=text, spelling=str)
        cast = self._sql.conversions[wanted]
        converted = cast.sql.replace("{t}", _normalised(text, wanted))
        other = ""
        if misfits == "refuse":
            said = self._sql.message.replace("{m}", f"misfit({code})").replace("{t}", text)
            other = " ELSE " + (cast.refuse or cast.sql).replace("{t}", said)
        return replace(
            moved,
            form=cast.form,
            native=cast.native,
            spelling=str,
            expression=f"CASE WHEN {self._fits(text, wanted)} THEN {converted} "
            f"WHEN {text} IS NULL OR trim({text}) = '' THEN NULL{other} END",
        )

    def count(self, column: Column, wanted: PortalType) -> Column:
        """The number of a column's values that do not fit, as the column of an aggregate."""
        return replace(column, form=Form.INTEGER, native="", expression=f"count({self._misfit(column, wanted, '1')})")

    def unshown(self, column: Column) -> Column | None:
        """The number of a column's values that cannot be shown, as the column of an aggregate; None where all can."""
        shape = self._dialect.shapes[column.form]
        shown = shape.shown.replace("{x}", column.expression)
        if shape.present:
            shown = f"CASE WHEN {shape.present.replace('{x}', column.expression)} THEN {shown} END"
        if column.type == "string" or (shown == column.expression and column.type not in ("date", "datetime")):
            return None
        counted = f"count(CASE WHEN {{c}} IS NOT NULL AND ({shown}) IS NULL THEN 1 END)"
        return replace(column, form=Form.INTEGER, native="", expression=counted, spelling=str)

    def example(self, column: Column, wanted: PortalType) -> Column:
        """One of the values that do not fit, as the column of an aggregate."""
        text = f"substr({self._text(column)}, 1, {LONGEST_VALUE})"
        misfit = self._misfit(column, wanted, text)
        return replace(column, form=Form.RENDERED, native="", expression=f"min({misfit})", spelling=str)

    def misfit(self, column: Column, wanted: PortalType) -> str:
        """The SQL for the text of a value that does not fit, and NULL for others."""
        text = f"substr({self._text(column)}, 1, {LONGEST_VALUE})"
        return self._misfit(column, wanted, text).replace("{c}", self._dialect.quote(column.own_name))

    def _misfit(self, column: Column, wanted: PortalType, shown: str) -> str:
        text = self._text(column)
        return (
            f"CASE WHEN {self._fits(text, wanted)} THEN NULL "
            f"WHEN {text} IS NULL OR trim({text}) = '' THEN NULL ELSE {shown} END"
        )

    def _fits(self, text: str, wanted: PortalType) -> str:
        tests = [self._sql.matches.replace("{p}", pattern).replace("{t}", text) for pattern in PATTERNS[wanted]]
        cast = self._sql.conversions[wanted]
        if cast.also:
            normal = _normalised(text, wanted)
            tests.append(cast.also.replace("{v}", cast.sql).replace("{t}", normal))
        return " AND ".join(tests)

    def _text(self, column: Column) -> str:
        """The text that is shown of a value, or that it is read from, with `{c}` for the column."""
        if column.text or column.form is Form.TEXT:
            return column.text or column.expression
        shape = self._dialect.shapes[column.form]
        template = self._sql.texts.get(column.form, self._dialect.text.replace("{x}", shape.shown))
        text = template.replace("{x}", column.expression)
        if not shape.present:
            return text
        return f"CASE WHEN {shape.present.replace('{x}', column.expression)} THEN {text} END"


def _normalised(text: str, wanted: PortalType) -> str:
    """The SQL for a text that fits, written as every database reads it."""
    if wanted in ("int", "double"):
        return f"replace(replace(replace({text}, ' ', ''), '+', ''), ',', '.')"
    trimmed = f"trim({text})"
    day = (
        f"CASE WHEN substr({trimmed}, 5, 1) = '-' THEN substr({trimmed}, 1, 10) "
        f"ELSE concat(substr({trimmed}, 7, 4), '-', substr({trimmed}, 4, 2), '-', substr({trimmed}, 1, 2)) END"
    )
    if wanted == "date":
        return day
    clock = (
        f"CASE WHEN length({trimmed}) = 10 THEN '00:00:00' "
        f"WHEN length({trimmed}) = 16 THEN concat(substr({trimmed}, 12, 5), ':00') ELSE substr({trimmed}, 12, 8) END"
    )
    return f"concat({day}, ' ', {clock})"


_NOTHING = Casts(Dialect(str, {}, "", "", ""), CastSql("", {}, silent=frozenset(Form)))


def casts_of(session: Session) -> ColumnCasts:
    """The casts of a session."""
    return session.casts or _NOTHING


def unshown_values(session: Session, description: Description) -> dict[str, int]:
    """How many values of a table cannot be shown, by the names of the columns that have such."""
    casts = casts_of(session)
    counts = tuple(count for column in description.columns if (count := casts.unshown(column)) is not None)
    if not counts:
        return {}
    names = tuple(count.name for count in counts)
    query = TableQuery(description.table, names, None, 1)
    row = json.loads(b"".join(chunk.data for chunk in session.rows(query, Description(description.table, counts))))
    return {name: count for name, count in zip(names, row, strict=True) if count}


def first_misfit(session: Session, table: TableName, column: Column, wanted: PortalType) -> str:
    """The text of a value that a type does not hold, the least in the database's order; empty where all fit."""
    description = Description(table, (casts_of(session).example(column, wanted),))
    answer = b"".join(chunk.data for chunk in session.rows(TableQuery(table, (column.name,), None, 1), description))
    return str(json.loads(answer)[0] or "")
