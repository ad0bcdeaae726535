"""How ClickHouse is spoken to over HTTP: settings, parameters, error codes, and the formats of its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from urllib3.filepost import encode_multipart_formdata

from drivers.errors import Broken, LoginFailed, QueryRefused, TooBig
from drivers.rows import lower_escapes, valid_utf8
from drivers.sql import LIKE_ESCAPE, MARK, Sql
from egress.errors import TargetError, Timeout

OLDEST = (24, 3)
"""The first version that answers as this driver reads."""
_LONGEST_MESSAGE = 4096
_LONGEST_FIELD = 128 * 1024
"""Bytes of one field of a form: the server's own limit, `http_max_field_value_size`."""
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)
_ERROR = re.compile(rb"Code: (\d+)[.,] ?(?:e\.displayText\(\) = )?(DB::[A-Za-z]*Exception: .*)", re.DOTALL)
_TOO_MANY_ROWS = 396
_LINE_SEPARATORS = re.compile(rb"(?<!\\)((?:\\\\)*)\\u202([89])")
_SEPARATOR = {b"8": "\u2028".encode(), b"9": "\u2029".encode()}

#: What every request asks of the server, so that no profile cuts an answer or writes it in another way.
SETTINGS: Mapping[str, str] = {
    "readonly": "2",
    "default_format": "CustomSeparated",
    "timeout_overflow_mode": "throw",
    "result_overflow_mode": "throw",
    "read_overflow_mode": "throw",
    "sort_overflow_mode": "throw",
    "limit": "0",
    "offset": "0",
    "extremes": "0",
    "cancel_http_readonly_queries_on_client_close": "1",
    "max_query_size": str(4 * 1024 * 1024),
    "transform_null_in": "0",
    "prefer_column_name_to_alias": "1",
    "date_time_output_format": "simple",
    "format_custom_escaping_rule": "JSON",
    "format_custom_field_delimiter": ",",
    "format_custom_row_before_delimiter": "[",
    "format_custom_row_after_delimiter": "]",
    "format_custom_row_between_delimiter": "\n",
    "format_custom_result_before_delimiter": "",
    "output_format_decimal_trailing_zeros": "0",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_64bit_floats": "0",
    "output_format_json_quote_decimals": "0",
    "output_format_json_quote_denormals": "0",
    "output_format_json_escape_forward_slashes": "0",
    "output_format_json_named_tuples_as_objects": "1",
}


# With a form the server overlooks settings of the address whose name ends like those of tables that forms may bring.
_OVERLOOKED_IN_FORMS = f"\nSETTINGS date_time_output_format = '{SETTINGS['date_time_output_format']}'"


@dataclass(frozen=True)
class QueryParameter:
    """A value, and the type that ClickHouse is to read it as."""

    type: str
    text: str


class ReadOnlyProfile(Broken):
    """The user's profile allows no settings at all (`readonly = 1`)."""


class ServerBusy(Broken):
    """The server runs as many queries as it may."""


class UnknownSetting(Broken):
    """The server does not know what every request asks of it: it may be too old."""


_CODES: Mapping[int, tuple[type[TargetError], str]] = {
    **dict.fromkeys((60, 81), (QueryRefused, "unknown_table")),
    **dict.fromkeys((10, 16, 47), (QueryRefused, "unknown_column")),
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 53, 69, 70, 72, 407, 457), (QueryRefused, "value_type")),
    **dict.fromkeys((167, 168), (QueryRefused, "filter_too_long")),
    497: (QueryRefused, "no_permission"),
    **dict.fromkeys((192, 193, 194, 516), (LoginFailed, "password")),
    **dict.fromkeys((159, 160, 394), (Timeout, "deadline")),
    115: (UnknownSetting, "server_error"),
    164: (ReadOnlyProfile, "server_error"),
    202: (ServerBusy, "server_error"),
}


def failure(said: bytes, otherwise: str, header: str = "") -> TargetError:
    """What ClickHouse's error text, or the code in its header, means to the caller.

    Words of anything that is no ClickHouse are nobody's business: for them the error says `otherwise`.
    """
    found = _ERROR.search(said)
    if found is None and not (header.isascii() and header.isdigit() and len(header) < 6):
        return Broken("bad_answer", otherwise)
    code = int(found[1][:6]) if found else int(header)
    if code == _TOO_MANY_ROWS:
        return TooBig("rows", 0)
    kind, word = _CODES.get(code, (Broken, "server_error"))
    error = kind(word)
    text = found[2][:_LONGEST_MESSAGE].decode("utf-8", "replace") if found else otherwise
    error.detail = f"Code {code}: {text}"
    return error


def with_parameters(statement: Sql) -> tuple[str, dict[str, str]]:
    """The statement with `{p0:Type}` for each value, and the parameters of the request that hold them."""
    pieces = statement.text.split(MARK)
    text, parameters = pieces[0], {}
    for number, (value, piece) in enumerate(zip(statement.values, pieces[1:], strict=True)):
        # All values went through `bind` but for the patterns of LIKE (`drivers/sql.py`).
        bound = value if isinstance(value, QueryParameter) else text_value(_pattern(value))
        parameters[f"param_p{number}"] = _escape(bound.text)
        text += f"{{p{number}:{bound.type}}}{piece}"
    return text, parameters


def request_body(statement: Sql) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request for a statement: the statement alone, or a form that also holds its values.

    Values stay out of the address, which has to be short and is written into logs on the way. Raises
    `QueryRefused("filter_too_long")` for a value that is longer than a field may be.
    """
    text, values = with_parameters(statement)
    if not values:
        return {}, text.encode("utf-8", "surrogatepass")
    fields = {name: value.encode("utf-8", "surrogatepass") for name, value in values.items()}
    if any(len(value) > _LONGEST_FIELD for value in fields.values()):
        raise QueryRefused("filter_too_long")
    asked = (text + _OVERLOOKED_IN_FORMS).encode("utf-8", "surrogatepass")
    # The server joins fields of this name.
    pieces = [("query", asked[start : start + _LONGEST_FIELD]) for start in range(0, len(asked), _LONGEST_FIELD)]
    body, kind = encode_multipart_formdata([*pieces, *fields.items()])
    return {"Content-Type": kind}, body


def is_too_old(version: str) -> bool:
    """Whether a server of this version answers in other ways than this driver reads; False for what is no number."""
    found = _VERSION.match(version)
    return found is not None and (int(found[1]), int(found[2])) < OLDEST


def text_value(text: str) -> QueryParameter:
    """A text as a value."""
    return QueryParameter("String", text)


def _pattern(pattern: str) -> str:
    """A pattern of ours with the backslash as its escape character, the only one that ClickHouse has."""
    result, characters = "", iter(pattern)
    for character in characters:
        if character == LIKE_ESCAPE:
            character = next(characters)
            result += "\\" + character if character in "%_" else character
        else:
            result += "\\\\" if character == "\\" else character
    return result


def _escape(text: str) -> str:
    """A parameter's text as ClickHouse unescapes it again (TSV)."""
    for raw, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(raw, escape)
    return text


def normalize_escapes(rows: bytes) -> bytes:
    """Rows as every driver writes them."""
    if b"\\u20" in rows:
        rows = _LINE_SEPARATORS.sub(lambda found: found[1] + _SEPARATOR[found[2]], rows)
    return lower_escapes(valid_utf8(rows))
