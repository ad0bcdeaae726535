"""A psycopg connection that takes only so much from a server before it gives up (facts/security 1 row 11).

libpq keeps whatever a server answers, one message after another or a single one of a gigabyte, until the statement
ends. The system's own count of what a socket received stops it: psycopg's generators yield whenever they wait.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.waiting import Wait

from drivers.errors import Broken

Result = TypeVar("Result")

HANDSHAKE_BYTES = 1024 * 1024
#: Enough for the names of a hundred thousand tables; rows of data come another way.
STATEMENT_BYTES = 16 * 1024 * 1024
_USUAL, _VERBOSE = 1, 2
# psycopg has no name for this one; its documentation says to call it so, by the pointer that it gives.
_set_verbosity = ctypes.CDLL(sys.modules[pq.PGconn.__module__].__file__).PQsetErrorVerbosity
_set_verbosity.argtypes = ctypes.c_void_p, ctypes.c_int

# `tcpi_bytes_received` in Linux's `struct tcp_info`, behind 8 bytes, 24 numbers of 32 bits and 3 of 64.
_RECEIVED = struct.Struct("@Q")
_RECEIVED_AT = 128


def received_bytes(descriptor: int) -> int:
    """How many bytes a TCP socket has received since it was opened; it stays open.

    Always 0 where the system does not count for programs: only Linux does, and only there the app is in production.
    """
    if sys.platform != "linux":
        return 0
    with socket.socket(fileno=os.dup(descriptor)) as peer:
        info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED_AT + _RECEIVED.size)
    return int(_RECEIVED.unpack_from(info, _RECEIVED_AT)[0])


class MeteredConnection(psycopg.Connection[tuple[Any, ...]]):
    """Raises `Broken("bad_answer")` where a login or the answer of a statement takes too many bytes."""

    def wait(self, gen: Generator[Any, Any, Result], *arguments: Any, **options: Any) -> Result:
        """What psycopg waits with, for every statement."""
        descriptor = self.pgconn.socket
        most = received_bytes(descriptor) + STATEMENT_BYTES
        return super().wait(_limit_received(gen, lambda _: descriptor, most), *arguments, **options)

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Any:
        # It yields the socket together with what it waits for, since there may be one for each address.
        return (yield from _limit_received(cls._log_in(conninfo), lambda waiting: int(waiting[0]), HANDSHAKE_BYTES))

    @classmethod
    def _log_in(cls, conninfo: str) -> Generator[tuple[int, Wait], Any, MeteredConnection]:
        """What psycopg does to connect, but that errors of the server come with their SQLSTATE: its words may be in any
        language, and libpq tells nothing else."""
        libpq: Any = pq.PGconn.connect_start(conninfo.encode())
        _set_verbosity(libpq.pgconn_ptr, _VERBOSE)
        waits = {pq.PollingStatus.READING: Wait.R, pq.PollingStatus.WRITING: Wait.W}
        while libpq.status != pq.ConnStatus.BAD and (waiting := waits.get(pq.PollingStatus(libpq.connect_poll()))):
            while not (yield libpq.socket, waiting):
                pass
        if libpq.status != pq.ConnStatus.OK:
            problem = LoginProblem(libpq.get_error_message("utf-8"), libpq.needs_password)
            libpq.finish()
            raise problem
        _set_verbosity(libpq.pgconn_ptr, _USUAL)
        libpq.nonblocking = 1
        return cls(libpq)


class LoginProblem(psycopg.OperationalError):
    """A login that failed: what libpq says, and whether the server asked for a password that was not given."""

    def __init__(self, said: str, needs_password: bool) -> None:
        super().__init__(said)
        self.needs_password = needs_password


def _limit_received(
    steps: Generator[Any, Any, Result], descriptor_of: Callable[[Any], int], most: int
) -> Generator[Any, Any, Result]:
    """`steps` itself, watched each time it waits."""
    answer: Any = None
    while True:
        try:
            waiting = steps.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result
        if received_bytes(descriptor_of(waiting)) > most:
            raise Broken("bad_answer")
        answer = yield waiting
