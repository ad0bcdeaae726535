"""Rows of a PostgreSQL COPY in large blocks.

They are read from libpq's idle socket directly, some hundred kilobytes at a time: libpq hands them out one by one, at a
third of a microsecond and more each. Where the socket is encrypted, libpq reads.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import pq

from drivers.errors import TooBig
from drivers.postgresql.meter import received_bytes
from drivers.rows import CHUNK_BYTES

Connection = psycopg.Connection[tuple[Any, ...]]
Block = tuple[bytes, int]

_RECEIVE_BYTES = 512 * 1024
_WAKE_BYTES = 128 * 1024
_WAKE_MILLISECONDS = 2
_LONGEST_ROW = 2**24 - 16
# What encryption adds, and what the system holds for us meanwhile.
_READ_AHEAD_BYTES = 8 * 1024 * 1024
_ROW_BOUNDARY = b"\nd\0"


def copy_rows(connection: Connection, server: socket.socket, statement: bytes, cap: int) -> Iterator[Block]:
    """Rows of a `COPY ... TO STDOUT (FORMAT csv)` as blocks: rows without line ends, NUL between them, their number.

    `server` is the connection's socket. No text of PostgreSQL holds NUL. Raises `TooBig` for a row over `cap` bytes and
    `psycopg.Error`; what leaves server and libpq out of step closes the connection.
    """
    cap = min(cap, _LONGEST_ROW)
    source = (
        _copy_by_libpq(connection, statement, cap)
        if connection.pgconn.ssl_in_use
        else _copy_by_protocol(server, statement, cap)
    )
    in_step = False
    try:
        yield from source
        in_step = True
    except psycopg.Error as problem:
        in_step = not isinstance(problem, psycopg.OperationalError)
        raise
    finally:
        if not in_step:
            connection.close()


def _copy_by_protocol(server: socket.socket, statement: bytes, cap: int) -> Iterator[Block]:
    """Speak the protocol for one statement, until the server is ready for the next: libpq need not know."""
    server.sendall(b"Q" + struct.pack(">I", len(statement) + 5) + statement + b"\0")
    failure: psycopg.Error | None = None
    rest = b""
    for received in _received_pieces(server):
        data = rest + received
        end = _last_message(data)
        if end and data.startswith(b"d\0") and (block := _rows(data[:end], cap)):
            yield block
            data = data[end:]
        position, rows = 0, []
        while (kind := data[position : position + 1]) and len(data) - position >= 5:
            length = int.from_bytes(data[position + 1 : position + 5], "big")
            if length > cap:
                raise TooBig("row_bytes", cap)
            after = position + 1 + length
            if after > len(data):
                break
            body = data[position + 5 : after]
            position = after
            if kind == b"d":
                rows.append(body[:-1])
            elif kind == b"E":
                failure = _server_error(body)
            elif kind == b"Z":
                if rows:
                    yield b"\0".join(rows), len(rows)
                if failure:
                    raise failure
                return
        if rows:
            yield b"\0".join(rows), len(rows)
        rest = data[position:]
    raise failure or psycopg.OperationalError("server closed the connection unexpectedly")


def _received_pieces(server: socket.socket) -> Iterator[bytes]:
    """What the server sends, in large pieces: a piece waits two milliseconds for more before it is taken."""
    arrivals = select.poll()
    arrivals.register(server, select.POLLIN)
    while True:
        arrivals.poll()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _WAKE_BYTES)
        arrivals.poll(_WAKE_MILLISECONDS)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        if not (received := server.recv(_RECEIVE_BYTES)):
            return
        yield received


def _last_message(data: bytes) -> int:
    r"""Where the last CopyData message in sight begins, if the first one begins at 0; 0 if no other does."""
    boundary = data.rfind(_ROW_BOUNDARY)
    if boundary < 2:
        return 0
    # After `d \0`, what looks like a boundary is the rest of a length: 680,960 bytes and no other number.
    return boundary + 1 if data[boundary - 2 : boundary] != b"d\0" else boundary - 2


def _rows(messages: bytes, cap: int) -> Block | None:
    r"""Many CopyData messages at once, or None where it takes a closer look to tell them apart.

    Each is `d`, four bytes of length, the row and its line end. A row under 16 MiB has `\0` as the first byte of its
    length, and no row holds `\0`: so `\n d \0` is a boundary. Where it is the length itself, a part without a length
    remains; where another kind of message stands between rows, its own `\0` are too many.
    """
    parts = messages[2:-1].split(_ROW_BOUNDARY)
    lengths = list(map(len, parts))
    if max(lengths) > cap:
        raise TooBig("row_bytes", cap)
    text = b"\0".join([part[3:] for part in parts])
    if min(lengths) < 3 or text.count(b"\0") != len(parts) - 1:
        return None
    return text, len(parts)


def _server_error(body: bytes) -> psycopg.Error:
    """An ErrorResponse as psycopg would raise it: one letter and one text for each field."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    state, message = fields.get(b"C", ""), fields.get(b"M", "")
    with contextlib.suppress(KeyError):
        return psycopg.errors.lookup(state)(message)
    return psycopg.DatabaseError(f"{state} {message}")


def _copy_by_libpq(connection: Connection, statement: bytes, cap: int) -> Iterator[Block]:
    """The same through libpq, which knows TLS."""
    libpq = connection.pgconn
    libpq.nonblocking = 0
    result = libpq.exec_(statement)
    if result.status != pq.ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(result)
    block: list[bytes] = []
    size = 0
    arrivals = select.poll()
    arrivals.register(libpq.socket, select.POLLIN)
    most = 0
    while True:
        length, data = libpq.get_copy_data(1)
        if length == 0:
            # libpq keeps a message until it is whole, however long it says it is.
            if received_bytes(libpq.socket) > (most := most or received_bytes(libpq.socket) + cap + _READ_AHEAD_BYTES):
                raise TooBig("row_bytes", cap)
            # libpq's own waiting would hold the interpreter's lock, and with it every thread of the process.
            arrivals.poll()
            libpq.consume_input()
            continue
        if length < 0:
            break
        if length > cap:
            raise TooBig("row_bytes", cap)
        most = 0
        block.append(bytes(data)[:-1])
        size += length
        if size >= CHUNK_BYTES:
            yield b"\0".join(block), len(block)
            block, size = [], 0
    while True:
        while libpq.is_busy():
            arrivals.poll()
            libpq.consume_input()
        if (last := libpq.get_result()) is None:
            break
        result = last
    libpq.nonblocking = 1
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)
    if block:
        yield b"\0".join(block), len(block)
