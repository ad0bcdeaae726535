"""One table from database types to the portal's types, and what a value of each looks like (facts/field 5.26).

A database type has a `Form`: what its values are to the portal and in filters. Values of every driver are shown alike:

    BOOLEAN    int       0 or 1
    INTEGER    int       all digits, also above 2^53
    EXACT      double    decimals with all digits; NaN and infinities are null
    FLOAT      double    the shortest text that means the same double; NaN and infinities are null
    TEXT       string    as it is; bytes that are no valid UTF-8 become U+FFFD
    RENDERED   string    uuid, json, arrays (as JSON), intervals (ISO 8601), times, networks, enums, geometry (WKT)
    BINARY     string    lower-case hexadecimal
    DATE       date      YYYY-MM-DD; outside the years 1 to 9999, zero dates and infinities are null
    DATETIME   datetime  YYYY-MM-DD HH:MM:SS, fractions cut off; until 1900-01-01 00:00:00 (facts/field 0.9) and after
                         9999 null
    INSTANT    datetime  the same, in the connection's time zone
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

PortalType = Literal["int", "string", "double", "date", "datetime"]


class Form(StrEnum):
    """What a column's values are, whichever database they come from."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    EXACT = "exact"
    FLOAT = "float"
    TEXT = "text"
    RENDERED = "rendered"
    BINARY = "binary"
    DATE = "date"
    DATETIME = "datetime"
    INSTANT = "instant"


PORTAL_TYPES: Mapping[Form, PortalType] = {
    Form.BOOLEAN: "int",
    Form.INTEGER: "int",
    Form.EXACT: "double",
    Form.FLOAT: "double",
    Form.TEXT: "string",
    Form.RENDERED: "string",
    Form.BINARY: "string",
    Form.DATE: "date",
    Form.DATETIME: "datetime",
    Form.INSTANT: "datetime",
}


def holds_any(text: str) -> bool:
    """Any text is held."""
    return True


def holds_three_bytes(text: str) -> bool:
    """A text is held whose letters take three bytes of UTF-8 at most, which leaves out emoji."""
    return text.isascii() or max(text) < "\U00010000"


@dataclass(frozen=True)
class Column:
    """A column as its database names it; `native` is the database's own name of the type.

    `expression` is the SQL for its value, with `{c}` for the quoted name: a cast for types that need one. `spelling`
    gives a text as the database shows it, where a value can be spelt in several ways: filters compare what is shown.
    `source` is the database's name where `name` is another one, since a query may ask for one column in two types.
    `holds` says whether the column can hold a text at all: one that it cannot is equal to nothing. `text` is the SQL
    for its texts as they are stored, where `expression` reads something else from them.
    """

    name: str
    form: Form
    native: str
    nullable: bool = True
    comment: str = ""
    expression: str = "{c}"
    spelling: Callable[[str], str] = str
    source: str = ""
    holds: Callable[[str], bool] = holds_any
    text: str = ""

    @property
    def own_name(self) -> str:
        """What the database calls it."""
        return self.source or self.name

    @property
    def type(self) -> PortalType:
        """The portal's type of the column."""
        return PORTAL_TYPES[self.form]

    @property
    def is_number(self) -> bool:
        """Whether values stand in JSON without quotes."""
        return self.type in ("int", "double")


class ColumnCasts(Protocol):
    """How columns are delivered in other types than their own; `drivers/casts.py` has it for what speaks SQL."""

    def choices(self, column: Column) -> tuple[PortalType, ...]:
        """The types in which a column can be delivered, its own first."""

    def can(self, column: Column, wanted: PortalType) -> bool:
        """Whether there is a cast of this column."""

    def delivered(
        self, column: Column, wanted: PortalType, misfits: Literal["refuse", "null"], key: str, code: str
    ) -> Column:
        """The column under the name `key` and in the type `wanted`.

        Values that do not fit are null, or an error of the database that calls the column `code` (`misfit_in`).
        """

    def count(self, column: Column, wanted: PortalType) -> Column:
        """The number of a column's values that do not fit, as the column of an aggregate."""

    def unshown(self, column: Column) -> Column | None:
        """The number of a column's values that cannot be shown, as the column of an aggregate; None where all can."""

    def example(self, column: Column, wanted: PortalType) -> Column:
        """One of the values that do not fit, as the column of an aggregate."""


TypeRow = tuple[Form, str]


def uuid_spelling(text: str) -> str:
    """A UUID in small letters, with its hyphens and without brackets; any other text as it is."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text


def spelling_of(native: str) -> Callable[[str], str]:
    """The `spelling` of a column for the name of its type, where the database checks what it stores."""
    return uuid_spelling if native.lower() in ("uuid", "nullable(uuid)", "uniqueidentifier") else str


#: By names in `pg_catalog`; the words SQL itself has for types (`int`, `numeric`) mean these, too.
POSTGRESQL: Mapping[str, TypeRow] = {
    "bool": (Form.BOOLEAN, "{c}::int"),
    "int2": (Form.INTEGER, "{c}"),
    "int4": (Form.INTEGER, "{c}"),
    "int8": (Form.INTEGER, "{c}"),
    "oid": (Form.INTEGER, "{c}::bigint"),
    "numeric": (Form.EXACT, "{c}"),
    "money": (Form.EXACT, "{c}::numeric"),
    # The double that is nearest to what the database shows: 0.1 and not 0.10000000149011612.
    "float4": (Form.FLOAT, "{c}::pg_catalog.text::double precision"),
    "float8": (Form.FLOAT, "{c}"),
    "text": (Form.TEXT, "{c}"),
    "varchar": (Form.TEXT, "{c}"),
    "bpchar": (Form.TEXT, "{c}::pg_catalog.text"),
    "name": (Form.TEXT, "{c}::pg_catalog.text"),
    "bytea": (Form.BINARY, "encode({c}, 'hex')"),
    "date": (Form.DATE, "{c}"),
    "timestamp": (Form.DATETIME, "{c}"),
    "timestamptz": (Form.INSTANT, "{c}::timestamp"),
    # A cast to text would add /32 to the address of a host.
    "inet": (Form.RENDERED, "textin(inet_out({c}))"),
    "array": (Form.RENDERED, "to_json({c})::pg_catalog.text"),
}
POSTGRESQL_OTHERS: TypeRow = (Form.RENDERED, "{c}::pg_catalog.text")

# Above the server's `max_allowed_packet` MySQL's functions give NULL and only warn: the sum makes it an error.
MYSQL_TOO_LONG = "18446744073709551615 + LENGTH({c})"
_HEX = f"IFNULL(LOWER(HEX({{c}})), IF({{c}} IS NULL, NULL, {MYSQL_TOO_LONG}))"
#: Text in a charset that UTF-8 is not.
MYSQL_CONVERTED = f"IFNULL(CONVERT({{c}} USING utf8mb4), IF({{c}} IS NULL, NULL, {MYSQL_TOO_LONG}))"


def _mysql_float() -> str:
    """The double with the fewest digits that is the same number of four bytes: 19.99 and not 19.989999771118164.

    The server shows six digits, which is right unless the number has more; half of the distance to the next number of
    four bytes tells that. Beyond the powers of ten that are exact doubles, rounding would add noise of its own.
    """
    double = "({c}+0e0)"
    shown = "(CAST({c} AS CHAR)+0e0)"
    half = f"COALESCE(POW(2, FLOOR(LOG2(ABS({double}))) - 24), 1)"
    rounded = [f"ROUND({double}, {digits - 1} - FLOOR(LOG10(ABS({double}))))" for digits in (7, 8, 9)]
    tried = " ".join(f"WHEN ABS({text} - {double}) < {half} THEN {text}" for text in rounded[:2])
    return (
        f"CASE WHEN ABS({shown} - {double}) < {half} THEN {shown} "
        f"WHEN ABS({double}) BETWEEN 1e-15 AND 1e22 THEN CASE {tried} ELSE {rounded[2]} END ELSE {double} END"
    )


MYSQL: Mapping[str, TypeRow] = {
    "bit": (Form.INTEGER, "({c}+0)"),
    "tinyint": (Form.INTEGER, "{c}"),
    "smallint": (Form.INTEGER, "{c}"),
    "mediumint": (Form.INTEGER, "{c}"),
    "int": (Form.INTEGER, "{c}"),
    "bigint": (Form.INTEGER, "{c}"),
    "year": (Form.INTEGER, "({c}+0)"),
    "decimal": (Form.EXACT, "{c}"),
    "float": (Form.FLOAT, _mysql_float()),
    "double": (Form.FLOAT, "{c}"),
    "char": (Form.TEXT, "{c}"),
    "varchar": (Form.TEXT, "{c}"),
    "tinytext": (Form.TEXT, "{c}"),
    "text": (Form.TEXT, "{c}"),
    "mediumtext": (Form.TEXT, "{c}"),
    "longtext": (Form.TEXT, "{c}"),
    "enum": (Form.TEXT, "{c}"),
    "set": (Form.TEXT, "{c}"),
    "binary": (Form.BINARY, _HEX),
    "varbinary": (Form.BINARY, _HEX),
    "tinyblob": (Form.BINARY, _HEX),
    "blob": (Form.BINARY, _HEX),
    "mediumblob": (Form.BINARY, _HEX),
    "longblob": (Form.BINARY, _HEX),
    "date": (Form.DATE, "{c}"),
    "datetime": (Form.DATETIME, "{c}"),
    "timestamp": (Form.INSTANT, "CAST({c} AS DATETIME(6))"),
    "geometry": (Form.RENDERED, "ST_AsText({c})"),
    "point": (Form.RENDERED, "ST_AsText({c})"),
    "linestring": (Form.RENDERED, "ST_AsText({c})"),
    "polygon": (Form.RENDERED, "ST_AsText({c})"),
    "multipoint": (Form.RENDERED, "ST_AsText({c})"),
    "multilinestring": (Form.RENDERED, "ST_AsText({c})"),
    "multipolygon": (Form.RENDERED, "ST_AsText({c})"),
    "geometrycollection": (Form.RENDERED, "ST_AsText({c})"),
}
MYSQL_OTHERS: TypeRow = (Form.RENDERED, "CAST({c} AS CHAR)")


def _part(part: str, letter: str) -> str:
    return f"CASE WHEN datepart('{part}', {{c}}) <> 0 THEN datepart('{part}', {{c}}) || '{letter}' ELSE '' END"


# Hours, minutes and seconds are one number with one sign; what is called `microsecond` holds whole seconds, too.
_SECONDS = "datepart('microsecond', {c})"
_FRACTION = f"rtrim('.' || lpad((abs({_SECONDS}) % 1000000)::VARCHAR, 6, '0'), '.0')"
_CLOCK = (
    f"{_part('hour', 'H')} || {_part('minute', 'M')} || CASE WHEN {_SECONDS} <> 0 THEN "
    f"CASE WHEN {_SECONDS} < 0 THEN '-' ELSE '' END || abs({_SECONDS}) // 1000000 || {_FRACTION} || 'S' ELSE '' END"
)
#: An interval as PostgreSQL shows it with `intervalstyle = iso_8601`.
DUCKDB_INTERVAL = (
    "CASE WHEN {c} IS NOT NULL THEN 'P' || "
    f"{_part('year', 'Y')} || {_part('month', 'M')} || {_part('day', 'D')} || "
    f"CASE WHEN {_CLOCK} <> '' THEN 'T' || {_CLOCK} "
    "WHEN datepart('year', {c}) = 0 AND datepart('month', {c}) = 0 AND datepart('day', {c}) = 0 THEN 'T0S' "
    "ELSE '' END END"
)

# Casts of nanoseconds round, up to the next year; division of whole numbers goes towards 1970.
_MICROSECONDS = "epoch_ns({c}) // 1000 - CASE WHEN epoch_ns({c}) % 1000 < 0 THEN 1 ELSE 0 END"

DUCKDB: Mapping[str, TypeRow] = {
    "BOOLEAN": (Form.BOOLEAN, "{c}::INTEGER"),
    "TINYINT": (Form.INTEGER, "{c}"),
    "SMALLINT": (Form.INTEGER, "{c}"),
    "INTEGER": (Form.INTEGER, "{c}"),
    "BIGINT": (Form.INTEGER, "{c}"),
    "HUGEINT": (Form.INTEGER, "{c}"),
    "UTINYINT": (Form.INTEGER, "{c}"),
    "USMALLINT": (Form.INTEGER, "{c}"),
    "UINTEGER": (Form.INTEGER, "{c}"),
    "UBIGINT": (Form.INTEGER, "{c}"),
    "UHUGEINT": (Form.INTEGER, "{c}"),
    "DECIMAL": (Form.EXACT, "{c}"),
    "FLOAT": (Form.FLOAT, "{c}::VARCHAR::DOUBLE"),
    "DOUBLE": (Form.FLOAT, "{c}"),
    "VARCHAR": (Form.TEXT, "{c}"),
    "ENUM": (Form.TEXT, "{c}::VARCHAR"),
    "BLOB": (Form.BINARY, "lower(hex({c}))"),
    "DATE": (Form.DATE, "{c}"),
    "TIMESTAMP": (Form.DATETIME, "{c}"),
    "TIMESTAMP_S": (Form.DATETIME, "{c}::TIMESTAMP"),
    "TIMESTAMP_MS": (Form.DATETIME, "{c}::TIMESTAMP"),
    "TIMESTAMP_NS": (Form.DATETIME, f"make_timestamp({_MICROSECONDS})"),
    "TIMESTAMPTZ_NS": (Form.INSTANT, f"make_timestamptz({_MICROSECONDS})::TIMESTAMP"),
    "TIMESTAMP WITH TIME ZONE": (Form.INSTANT, "{c}::TIMESTAMP"),
    "INTERVAL": (Form.RENDERED, DUCKDB_INTERVAL),
}
DUCKDB_OTHERS: TypeRow = (Form.RENDERED, "{c}::VARCHAR")
DUCKDB_NESTED: TypeRow = (Form.RENDERED, "to_json({c})::VARCHAR")


def mysql_row(data_type: str) -> TypeRow:
    """Form and expression for `information_schema.columns.data_type`."""
    return MYSQL.get(data_type.lower(), MYSQL_OTHERS)


def duckdb_row(type_name: str) -> TypeRow:
    """Form and expression for a type as `DESCRIBE` names it."""
    if type_name.endswith("]") or type_name.startswith(("STRUCT", "MAP", "UNION")):
        return DUCKDB_NESTED
    return DUCKDB.get(type_name.partition("(")[0], DUCKDB_OTHERS)


_SQLITE_RULES: tuple[tuple[re.Pattern[str], Form], ...] = (
    (re.compile("BOOL"), Form.BOOLEAN),
    (re.compile("DATETIME|TIMESTAMP"), Form.DATETIME),
    (re.compile("DATE"), Form.DATE),
    (re.compile("FLOATING"), Form.FLOAT),
    (re.compile("POINT|INTERVAL|PRINT"), Form.RENDERED),
    (re.compile("INT"), Form.INTEGER),
    (re.compile("CHAR|CLOB|TEXT|ENUM"), Form.TEXT),
    (re.compile("BLOB|BINARY"), Form.BINARY),
    (re.compile("REAL|FLOA|DOUB"), Form.FLOAT),
    (re.compile("DEC|NUM|MONEY|CURRENCY|LONG|SERIAL|YEAR"), Form.EXACT),
)


def sqlite_form(declared: str) -> Form | None:
    """The form that a declared type hints at, by SQLite's own rule of substrings; None where only values tell."""
    return next((form for pattern, form in _SQLITE_RULES if pattern.search(declared.upper())), None)
