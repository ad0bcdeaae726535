"""The texts of a DuckDB result as they lie in memory, without a Python object for each of a million rows.

A result's only column comes in batches through Arrow's C data interface, an ABI that never changes
(https://arrow.apache.org/docs/format/CDataInterface.html, https://arrow.apache.org/docs/format/CStreamInterface.html):
64-bit offsets and one buffer with all texts of the batch, end to end.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from drivers.errors import TooBig

BATCH_ROWS = 2048


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

#: What DuckDB's messages begin with, of the errors that `drivers.files.driver.translated` tells from others.
_KINDS: tuple[tuple[str, type[duckdb.Error]], ...] = (
    ("INTERRUPT", duckdb.InterruptException),
    ("Invalid Input", duckdb.InvalidInputException),
    ("Conversion", duckdb.ConversionException),
)


def text_batches(
    connection: duckdb.DuckDBPyConnection, statement: str, values: Sequence[Any], cap: int, ending: int = 0
) -> Iterator[tuple[bytes, int]]:
    """The texts of a statement's only column, none of them NULL: up to 2,048 end to end, and how many they are.

    The last `ending` bytes of a batch, which every text ends with, are left out. The connection must have
    `arrow_large_buffer_size` on. Raises `duckdb.Error`, and `TooBig("row_bytes")` for a text of more than `cap` bytes.
    """
    # What `__arrow_c_stream__` of a relation calls, with batches of 122,880 rows, which would fill the memory.
    result = connection._submit(statement, list(values), "stream", BATCH_ROWS)
    capsule = result.arrow_capsule()
    stream = ctypes.cast(_pointer_of(capsule, b"arrow_array_stream"), ctypes.POINTER(_Stream))
    _check_format(stream)
    while True:
        batch = _Array()
        if stream.contents.get_next(stream, ctypes.byref(batch)):
            raise _error(stream)
        if not batch.release:
            return
        try:
            yield _texts(batch.children[0].contents, cap, ending)
        finally:
            batch.release(ctypes.byref(batch))


def _check_format(stream: Any) -> None:
    schema = _Schema()
    if stream.contents.get_schema(stream, ctypes.byref(schema)):
        raise _error(stream)
    try:
        found = schema.children[0].contents.format
        if schema.n_children != 1 or found != b"U":
            raise duckdb.InternalError(f"expected one column of long texts and got {found!r}")
    finally:
        schema.release(ctypes.byref(schema))


def _texts(column: Any, cap: int, ending: int) -> tuple[bytes, int]:
    count = column.length
    first = column.buffers[1] + 8 * column.offset
    offsets = (ctypes.c_int64 * (count + 1)).from_address(first)
    start, end = offsets[0], offsets[count]
    if end - start > cap:
        ends = list(offsets)
        if max(map(int.__sub__, ends[1:], ends)) > cap:
            raise TooBig("row_bytes", cap)
    return ctypes.string_at((column.buffers[2] or 0) + start, end - start - ending), count


def _error(stream: Any) -> duckdb.Error:
    said = (stream.contents.get_last_error(stream) or b"").decode("utf-8", "replace")
    for beginning, kind in _KINDS:
        if said.startswith(beginning):
            return kind(said)
    return duckdb.Error(said)
