"""What Trino says: its types as forms, its rows as JSON, its errors as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from drivers.columns import Form, TypeRow
from drivers.errors import Broken, LoginFailed, QueryRefused
from egress.errors import TargetError, Timeout

TRINO: Mapping[str, TypeRow] = {
    "boolean": (Form.BOOLEAN, "CAST({c} AS integer)"),
    "tinyint": (Form.INTEGER, "{c}"),
    "smallint": (Form.INTEGER, "{c}"),
    "integer": (Form.INTEGER, "{c}"),
    "bigint": (Form.INTEGER, "{c}"),
    "decimal": (Form.EXACT, "{c}"),
    "real": (Form.FLOAT, "CAST(CAST({c} AS varchar) AS double)"),
    "double": (Form.FLOAT, "{c}"),
    "varchar": (Form.TEXT, "{c}"),
    "char": (Form.TEXT, "rtrim(CAST({c} AS varchar))"),
    "varbinary": (Form.BINARY, "lower(to_hex({c}))"),
    "date": (Form.DATE, "{c}"),
    "timestamp": (Form.DATETIME, "{c}"),
    "timestamp with time zone": (Form.INSTANT, "{c}"),
    "json": (Form.RENDERED, "json_format({c})"),
    "array": (Form.RENDERED, "json_format(CAST({c} AS json))"),
    "map": (Form.RENDERED, "json_format(CAST({c} AS json))"),
    "row": (Form.RENDERED, "json_format(CAST({c} AS json))"),
    "Geometry": (Form.RENDERED, "ST_AsText({c})"),
    "interval day to second": (
        Form.RENDERED,
        "concat('PT', CAST(CAST(to_milliseconds({c}) AS decimal(20,3)) / 1000 AS varchar), 'S')",
    ),
    "interval year to month": (
        Form.RENDERED,
        r"regexp_replace(CAST({c} AS varchar), '^(-?)(\d+)-(\d+)$', '$1P$2Y$3M')",
    ),
}
OTHERS: TypeRow = (Form.RENDERED, "CAST({c} AS varchar)")

_LENGTH = re.compile(r"\(.*\)", re.DOTALL)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_CODES: Mapping[str, tuple[type[TargetError], str]] = {
    **dict.fromkeys(("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND"), (QueryRefused, "unknown_table")),
    **dict.fromkeys(("MISSING_TABLE", "MISSING_SCHEMA", "MISSING_CATALOG_NAME"), (QueryRefused, "unknown_table")),
    **dict.fromkeys(("COLUMN_NOT_FOUND", "MISSING_COLUMN_NAME"), (QueryRefused, "unknown_column")),
    "PERMISSION_DENIED": (QueryRefused, "no_permission"),
    "QUERY_TEXT_TOO_LARGE": (QueryRefused, "filter_too_long"),
    **dict.fromkeys(
        ("NUMERIC_VALUE_OUT_OF_RANGE", "INVALID_CAST_ARGUMENT", "TYPE_MISMATCH", "INVALID_LITERAL"),
        (QueryRefused, "value_type"),
    ),
    **dict.fromkeys(("EXCEEDED_TIME_LIMIT", "USER_CANCELED", "ABANDONED_QUERY"), (Timeout, "deadline")),
    "QUERY_QUEUE_FULL": (LoginFailed, "too_many_connections"),
    "SERVER_STARTING_UP": (Broken, "server_error"),
}


def trino_row(data_type: str) -> TypeRow:
    """Form and expression for a type as `information_schema.columns` names it."""
    name = _LENGTH.sub("", data_type).strip()
    return TRINO.get(name, OTHERS)


def json_row(row: object, numbers: Sequence[bool]) -> bytes:
    """A row of a page as JSON. Raises `Broken("bad_answer")` for a row of another length and cells of another kind."""
    if not isinstance(row, list) or len(row) != len(numbers):
        raise Broken("bad_answer", "a row has another length than asked for")
    return b"[" + b",".join(map(_cell, row, numbers)) + b"]"


def _cell(cell: object, number: bool) -> bytes:
    if cell is None:
        return b"null"
    if isinstance(cell, str):
        if not number:
            return orjson.dumps(cell)
        # Decimals come as texts, with all their digits.
        if _NUMBER.fullmatch(cell):
            return cell.encode()
    elif number and isinstance(cell, int | float) and not isinstance(cell, bool):
        return orjson.dumps(cell)
    raise Broken("bad_answer", "a cell is of another type than its column")


def failure(error: Any) -> TargetError:
    """What an error of Trino's means to the caller."""
    known = error if isinstance(error, dict) else {}
    kind, word = _CODES.get(str(known.get("errorName")), (Broken, "server_error"))
    problem = kind(word)
    problem.detail = f"{known.get('errorName')}: {known.get('message')}"[:4096]
    return problem
