"""The way to a MySQL or MariaDB server: login that gives no password away, rows in blocks, what its errors mean.

Built on PyMySQL's connection, whose socket is the guard's (`egress/policy.py`).
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND

from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, TooBig
from drivers.rows import CHUNK_BYTES
from drivers.tls import is_verified, tls_context, tls_refused
from egress.deadline import Deadline
from egress.errors import TargetError, Timeout, Unreachable
from egress.policy import Target
from egress.sockets import open_socket

#: What PyMySQL raises, also for answers that are no MySQL at all.
PROTOCOL_ERRORS = (
    *(pymysql.Error, OSError, ValueError, LookupError, AssertionError, TypeError, AttributeError, RuntimeError),
    struct.error,
)
_READ_BYTES = 256 * 1024
_LONGEST_PACKET = 0xFFFFFF
_MOST_ANSWER_BYTES = 64 * 1024 * 1024


class ClearPasswordRefused:
    """Stands in for the plugins that would send the password in clear to a server that is not verified.

    Over TLS the server's own logins are left, `caching_sha2_password` among them (facts/security 1 row 11).
    """

    def __init__(self, connection: object) -> None:
        pass

    def authenticate(self, packet: object) -> NoReturn:
        """Refuse."""
        raise LoginFailed("unsafe_method")


if TYPE_CHECKING:
    _Connection = pymysql.connections.Connection[Any]
else:
    _Connection = pymysql.connections.Connection


class MySQLConnection(_Connection):
    """A connection that takes only so much from a server before rows begin, and reads rows in blocks."""

    _allowance = _MOST_ANSWER_BYTES

    def _read_bytes(self, num_bytes: int) -> bytes:
        self._allowance -= num_bytes
        if self._allowance < 0:
            raise Broken("bad_answer")
        return super()._read_bytes(num_bytes)  # type: ignore[misc, no-any-return]  # absent from the stubs

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self._allowance = _MOST_ANSWER_BYTES
        super()._execute_command(command, sql)  # type: ignore[misc]  # absent from the stubs

    @property
    def socket(self) -> socket.socket:
        """What it is connected by, with or without TLS."""
        connection: Any = self
        return cast("socket.socket", connection._sock)

    def row_blocks(self, statement: bytes, cap: int) -> Iterator[list[bytes]]:
        """Blocks of row packets of a statement, unbuffered.

        Raises `TooBig` for a row over `cap` bytes, and `Broken` for what is no packet: each has its number.
        """
        connection: Any = self
        self._execute_command(COMMAND.COM_QUERY, statement)
        header: Any = MySQLResult(self)
        header.init_unbuffered_query()
        header.unbuffered_active = False
        buffer, size, number = b"", 0, connection._next_seq_id
        block: list[bytes] = []
        while True:
            received = connection._rfile.read1(_READ_BYTES)
            if not received:
                raise pymysql.OperationalError(2013, "Lost connection to MySQL server during query")
            buffer += received
            position, end = 0, len(buffer) - 4
            while position <= end:
                head = int.from_bytes(buffer[position : position + 4], "little")
                length, start = head & 0xFFFFFF, position + 4
                if head >> 24 != number:
                    raise Broken("bad_answer")
                if length > cap or length == _LONGEST_PACKET:
                    raise TooBig("row_bytes", min(cap, _LONGEST_PACKET - 1))
                if start + length > len(buffer):
                    break
                position, number = start + length, (number + 1) & 0xFF
                kind = buffer[start]
                if kind == 0xFE and length < 9:
                    if block:
                        yield block
                    return
                if kind == 0xFF:
                    pymysql.err.raise_mysql_exception(buffer[start:position])
                block.append(buffer[start:position])
            size += position
            buffer = buffer[position:]
            if size >= CHUNK_BYTES and block:
                yield block
                block, size = [], 0


def only_cell(packet: bytes, cap: int) -> bytes:
    """The row that the server put together; it gives NULL for a text longer than its `max_allowed_packet`."""
    first = packet[0]
    if first < 0xFB:
        return packet[1:]
    if first == 0xFC:
        return packet[3:]
    if first == 0xFD:
        return packet[4:]
    if first == 0xFB:
        raise TooBig("row_bytes", cap)
    return packet[9:]


def open_connection(settings: dict[str, str], target: Target, seconds: float) -> MySQLConnection:
    """A connection to a checked address that is logged in.

    Raises `SettingsWrong`, `Unreachable`, `LoginFailed`, `Broken`.
    """
    options: dict[str, Any] = {}
    if not is_verified(settings):
        refused = dict.fromkeys((b"mysql_clear_password", b"dialog"), ClearPasswordRefused)
        # A key that is none keeps PyMySQL from asking the server for one and enciphering the password with it.
        options = {"auth_plugin_map": refused, "server_public_key": b"refused"}
    options |= {"ssl_disabled": True} if settings["tls"] == "disable" else {"ssl": tls_context(settings)}
    connection = MySQLConnection(
        host=target.host,
        port=target.port,
        user=settings["username"],
        # As the server had it when it was set; PyMySQL itself would take letters of Western Europe only.
        password=settings["password"].encode("utf-8", "surrogatepass"),
        database=settings["database"],
        charset="utf8mb4",
        conv={**{kind: encode for kind, encode in pymysql.converters.conversions.items() if isinstance(kind, type)}},
        local_infile=False,
        autocommit=True,
        defer_connect=True,
        program_name="bi-connectors",
        **options,
    )
    with Deadline(seconds) as login:
        opened = open_socket(target, seconds)
        try:
            connection.connect(opened)
        except PROTOCOL_ERRORS as problem:
            opened.close()
            raise _login_error(problem, login) from problem
        except BaseException:
            opened.close()
            raise
    return connection


_LOGIN_CODES: dict[int, tuple[type[TargetError], tuple[str, ...]]] = {
    1045: (LoginFailed, ("password",)),
    1698: (LoginFailed, ("password",)),
    1044: (LoginFailed, ("database",)),
    1049: (LoginFailed, ("database",)),
    1040: (LoginFailed, ("too_many_connections",)),
    1203: (LoginFailed, ("too_many_connections",)),
    1226: (LoginFailed, ("too_many_connections",)),
    3159: (SettingsWrong, ("tls", "required_by_server")),
    2026: (SettingsWrong, ("tls", "not_offered")),
    2059: (LoginFailed, ("unknown_method",)),
    1129: (LoginFailed, ("refused",)),
    1130: (LoginFailed, ("refused",)),
}
_QUERY_CODES = {
    1146: "unknown_table",
    1109: "unknown_table",
    1051: "unknown_table",
    1054: "unknown_column",
    1142: "no_permission",
    1143: "no_permission",
    1356: "view_broken",
    # MariaDB and MySQL, of a view whose definer is gone.
    1045: "no_permission",
    1449: "no_permission",
    1298: "value_type",
}
_STOPPED_CODES = frozenset({1317, 1969, 3024, 1053})
# What the sum in `drivers.columns.MYSQL_TOO_LONG` raises, in the server's spelling.
_OUT_OF_RANGE, _TOO_LONG = 1690, "18446744073709551615 + "
_LOST_CODES = frozenset({2006, 2013, 2055, 1927})


def _login_error(problem: Exception, login: Deadline) -> TargetError:
    """What a failed handshake or login means."""
    cause: object = getattr(problem, "original_exception", problem)
    code = problem.args[0] if isinstance(problem, pymysql.Error) and problem.args else None
    error: TargetError
    if login.is_over or isinstance(cause, TimeoutError):
        # A connection that was cut looks like any other failure, inside TLS and outside.
        error = Unreachable("connect_timeout")
    elif isinstance(cause, ssl.SSLError):
        error = tls_refused(cause)
    elif code in _LOGIN_CODES:
        kind, arguments = _LOGIN_CODES[code]
        error = kind(*arguments)
    elif isinstance(problem, ValueError):
        error = LoginFailed("unsafe_method")
    elif isinstance(problem, pymysql.Error) and code in _LOST_CODES:
        error = Unreachable("connect_failed")
    elif isinstance(problem, pymysql.Error) and isinstance(code, int) and 1000 <= code < 2000:
        error = LoginFailed("refused")
    else:
        error = Broken("bad_answer")
    error.detail = str(problem)
    return error


def target_error(problem: Exception, cap: int) -> TargetError:
    """What a failed statement means to the caller, whose rows have `cap` bytes at most."""
    detail = str(problem)
    if not isinstance(problem, pymysql.Error | OSError):
        return Broken("bad_answer", detail)
    code = problem.args[0] if isinstance(problem, pymysql.Error) and problem.args else 2013
    if code in _QUERY_CODES:
        return QueryRefused(_QUERY_CODES[code], detail=detail)
    if code in _STOPPED_CODES:
        return Timeout("deadline", detail)
    if code == _OUT_OF_RANGE and _TOO_LONG in detail:
        return TooBig("row_bytes", cap)
    if code in _LOST_CODES or isinstance(problem, OSError):
        return Broken("connection_lost", detail)
    return Broken("server_error", detail)
