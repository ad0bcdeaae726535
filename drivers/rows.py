r"""Rows to JSON, cell by cell; rows that a database writes as JSON itself equal these byte for byte (`tests/suite/`).

A cell arrives as the text that the database shows, or None. Strings are escaped in one way everywhere: `\"`, `\\`,
`\b`, `\f`, `\n`, `\r`, `\t`, other control characters as `\u00xx` in lower case, all else as UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import orjson

from drivers.base import Chunk
from drivers.columns import Column

CHUNK_BYTES = 256 * 1024
CHUNK_ROWS = 1000

_ESCAPES = [orjson.dumps(chr(code))[1:-1] for code in range(32)]
_UPPER = re.compile(rb"\\u00[01][A-F]")
_UPPER_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*\\u00[01])([A-F])")


def json_rows(rows: Iterable[Sequence[bytes | None]], columns: Sequence[Column]) -> Iterator[Chunk]:
    """Chunks of the rows whose cells are UTF-8 texts."""
    numbers = [column.is_number for column in columns]
    parts: list[bytes] = []
    size = 0
    for row in rows:
        cells = (_cell(cell, number) for cell, number in zip(row, numbers, strict=True))
        parts.append(b"[" + b",".join(cells) + b"]")
        size += len(parts[-1])
        if size >= CHUNK_BYTES:
            yield Chunk(b",\n".join(parts), len(parts))
            parts, size = [], 0
    if parts:
        yield Chunk(b",\n".join(parts), len(parts))


def _cell(cell: bytes | None, number: bool) -> bytes:
    if cell is None:
        return b"null"
    return cell if number else orjson.dumps(cell.decode("utf-8", "replace"))


def escape_controls(text: bytes, present: Iterable[int]) -> bytes:
    """JSON text whose strings hold these control characters raw, with them escaped."""
    for code in present:
        text = text.replace(bytes([code]), _ESCAPES[code])
    return text


def lower_escapes(text: bytes) -> bytes:
    r"""JSON text with `\u001F` written as `\u001f`."""
    if _UPPER.search(text) is None:
        return text
    return _UPPER_ESCAPE.sub(lambda found: found[1] + found[2].lower(), text)


def valid_utf8(text: bytes) -> bytes:
    """The text itself, or with U+FFFD for what is no valid UTF-8."""
    if text.isascii():
        return text
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode("utf-8")
    return text
