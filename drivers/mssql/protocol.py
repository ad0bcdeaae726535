"""The way to a Microsoft SQL Server: login inside TLS, limited answers, and what its errors mean.

Built on python-tds, whose socket is the guard's (`egress/policy.py`). Its own TLS needs another library, wants
certificates always or never, and compares names by a rule of its own; hence ours, with Python's `ssl`. A password never
travels in clear: without encryption (`tls` = `disable`) the login still goes through TLS, or nowhere.
"""

from __future__ import annotations

import decimal
import logging
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytds import tds_base, tls  # type: ignore[import-untyped]  # has annotations, but no py.typed
from pytds.connection import NonMarsConnection  # type: ignore[import-untyped]
from pytds.row_strategies import tuple_row_strategy  # type: ignore[import-untyped]
from pytds.tds_reader import _TdsReader  # type: ignore[import-untyped]
from pytds.tds_socket import _TdsSocket  # type: ignore[import-untyped]

from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, TooBig
from drivers.tls import tls_context, tls_refused
from egress.deadline import Deadline
from egress.errors import TargetError, Timeout, Unreachable
from egress.policy import Policy, Target
from egress.sockets import open_socket

#: What python-tds raises, also for answers that are no TDS at all.
PROTOCOL_ERRORS = (
    *(tds_base.Error, tds_base.TimeoutError, OSError, ValueError, LookupError, AssertionError, TypeError),
    *(AttributeError, RuntimeError, ArithmeticError, decimal.DecimalException, struct.error),
)
_OFF, _ON, _NOT_SUPPORTED, _REQUIRED = range(4)
_ENCRYPTION_TOKEN, _LAST_TOKEN = 1, 0xFF
_PRELOGIN_PACKETS = (tds_base.PacketType.PRELOGIN, tds_base.PacketType.REPLY)
_LOGIN_BYTES = 1024 * 1024
_BLOCK = 65536

# At its usual level the library would write the beginning of every statement into the log.
logging.getLogger("pytds").setLevel(logging.WARNING)


class MeteredSocket:
    """Our socket as python-tds wants it, which takes only `allowance` bytes more from the server."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self.allowance = _LOGIN_BYTES

    def _count(self, count: int) -> None:
        self.allowance -= count
        if self.allowance < 0:
            raise TooBig("row_bytes", 0)

    def recv(self, size: int) -> bytes:
        """Some bytes, none at the end."""
        block = self._socket.recv(size)
        self._count(len(block))
        return block

    def recv_into(self, buffer: bytearray | memoryview, size: int = 0, flags: int = 0) -> int:
        """Some bytes into a buffer."""
        count = self._socket.recv_into(buffer, size, flags)
        self._count(count)
        return count

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all bytes."""
        self._socket.sendall(data, flags)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Reader(_TdsReader):  # type: ignore[misc]  # untyped base
    """A reader that knows where an answer ends: python-tds's own goes on with old bytes, or for ever."""

    def recv(self, size: int) -> bytes:
        """Some bytes of this answer. Raises `ClosedConnectionError` behind its end."""
        if size > 0 and self.stream_finished():
            raise tds_base.ClosedConnectionError
        found: bytes = super().recv(size)
        return found

    def read_fast(self, size: int) -> tuple[bytes | bytearray, int]:
        """Exactly so many bytes of this answer: a buffer, and where they begin in it."""
        if size <= self._size - self._pos:
            self._pos += size
            return self._buf, self._pos - size
        collected = bytearray()
        while len(collected) < size:
            collected += self.recv(size - len(collected))
        return collected, 0


class Tunnel(tls.EncryptedSocket):  # type: ignore[misc]  # untyped base; python-tds ends a login's tunnel by this type
    """TLS over a socket, whose handshake travels in TDS packets."""

    def __init__(self, metered_socket: MeteredSocket, context: ssl.SSLContext, host: str) -> None:
        self._transport = metered_socket
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def shake_hands(self, session: Any) -> None:
        """Agree with the server. Raises `SettingsWrong("tls")`."""
        done = False
        while not done:
            try:
                self._tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            if said := self._outgoing.read():
                session._writer.begin_packet(tds_base.PacketType.PRELOGIN)
                session._writer.write(said)
                session._writer.flush()
            if done:
                break
            if session._reader.begin_response().type not in _PRELOGIN_PACKETS:
                raise Broken("bad_answer")
            while not session._reader.stream_finished():
                self._incoming.write(bytes(session._reader.recv(_BLOCK)))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Some bytes, none at the end."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                block = self._transport.recv(_BLOCK)
                if not block:
                    return b""
                self._incoming.write(block)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send all bytes."""
        self._tls.write(data)
        self._transport.sendall(self._outgoing.read())

    def shutdown(self, how: int = 0) -> None:
        """Nothing: a login's tunnel ends without a word, and the socket stays open."""


@dataclass
class TdsConnection:
    """A connection that is logged in, its line, and the socket below."""

    connection: Any
    metered_socket: MeteredSocket
    opened: socket.socket
    encrypted: bool


def open_connection(settings: Mapping[str, str], policy: Policy, seconds: float) -> TdsConnection:
    """A connection to a checked address that is logged in; a server that names another one is followed once.

    Raises `SettingsWrong`, `TargetRefused`, `Unreachable`, `LoginFailed`, `Broken`.
    """
    target = policy.resolve(settings["host"], settings["port"])
    for _ in range(2):
        found = _login(settings, target, seconds)
        if isinstance(found, TdsConnection):
            return found
        target = policy.resolve(str(found["server"]), int(found["port"]))
    raise Broken("bad_answer", "sent on twice")


def _login(settings: Mapping[str, str], target: Target, seconds: float) -> TdsConnection | dict[str, Any]:
    """A connection, or where else the server sends us."""
    tunnel_mode = {**settings, "tls": "require"} if settings["tls"] == "disable" else settings
    context = tls_context(tunnel_mode)
    with Deadline(seconds) as hang_up:
        opened = open_socket(target, seconds)
        opened.settimeout(None)
        metered_socket = MeteredSocket(opened)
        try:
            tds = _TdsSocket(
                metered_socket, _login_options(settings, target), row_strategy=tuple_row_strategy, autocommit=True
            )
            session = tds.main_session
            session._reader = Reader(session, metered_socket)
            session.process_prelogin = lambda login: _negotiate_encryption(
                session, login, settings, metered_socket, context
            )
            route: dict[str, Any] | None = tds.login()
        except (*PROTOCOL_ERRORS, TargetError) as problem:
            opened.close()
            raise _login_error(problem, hang_up) from problem
        except BaseException:
            opened.close()
            raise
    if route is None:
        return TdsConnection(NonMarsConnection(False, (), tds), metered_socket, opened, isinstance(tds.sock, Tunnel))
    opened.close()
    return route


def _login_options(settings: Mapping[str, str], target: Target) -> Any:
    """What the login asks for; nothing about this machine."""
    login = tds_base._TdsLogin()
    login.server_name = target.host
    login.user_name, login.password = settings["username"], settings["password"]
    login.database = settings["database"]
    login.library = login.app_name = "bi-connectors"
    login.port = target.port
    login.client_lcid = 1033
    login.option_flag2 = tds_base.TDS_ODBC_ON
    login.bytes_to_unicode = True
    login.enc_flag = _OFF if settings["tls"] == "disable" else _ON
    return login


def _negotiate_encryption(
    session: Any, login: Any, settings: Mapping[str, str], metered_socket: MeteredSocket, context: ssl.SSLContext | None
) -> None:
    """Read what the server says to our wishes about encryption, and begin the tunnel.

    Raises `SettingsWrong("tls")`, and `LoginFailed("unsafe_method")` rather than send a password in clear.
    """
    if session.begin_response().type not in _PRELOGIN_PACKETS:
        raise Broken("bad_answer")
    answered = _encryption(bytes(session._reader.read_whole_packet()))
    if settings["tls"] != "disable" and answered not in (_ON, _REQUIRED):
        raise SettingsWrong("tls", "not_offered")
    if answered not in (_OFF, _ON, _REQUIRED) or context is None:
        raise LoginFailed("unsafe_method")
    # Inside TDS packets there is no newer version.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tunnel = Tunnel(metered_socket, context, login.server_name)
    tunnel.shake_hands(session)
    session.conn.sock = session._writer._transport = session._reader._transport = tunnel
    # For `_OFF` python-tds leaves the tunnel after the login.
    login.server_enc_flag = answered


def _encryption(packet: bytes) -> int:
    """The server's word on encryption in its answer to the greeting."""
    position = 0
    while packet[position] != _LAST_TOKEN:
        token, offset, length = struct.unpack_from(">BHH", packet, position)
        if token == _ENCRYPTION_TOKEN and length == 1:
            return int(packet[offset])
        position += 5
    return _NOT_SUPPORTED


_LOGIN_CODES: Mapping[int, tuple[type[TargetError], str]] = {
    **dict.fromkeys((18456, 18486, 18487, 18488, 18470), (LoginFailed, "password")),
    **dict.fromkeys((4060, 4063, 4064, 911, 916), (LoginFailed, "database")),
    **dict.fromkeys((17809, 17810, 10928, 10929, 10936), (LoginFailed, "too_many_connections")),
    **dict.fromkeys((18452, 40615, 40914, 40532), (LoginFailed, "refused")),
    **dict.fromkeys((40613, 6005, 17142), (Unreachable, "starting")),
}
_QUERY_CODES: Mapping[int, str] = {
    **dict.fromkeys((208, 2812), "unknown_table"),
    207: "unknown_column",
    **dict.fromkeys((229, 230), "no_permission"),
    **dict.fromkeys((220, 232, 241, 242, 244, 245, 248, 8114, 8115, 8169), "value_type"),
    **dict.fromkeys((191, 8003, 8623, 8631, 8632), "filter_too_long"),
}


def _login_error(problem: Exception, hang_up: Deadline) -> TargetError:
    """What a failed greeting or login means."""
    code = getattr(problem, "msg_no", 0)
    error: TargetError
    if isinstance(problem, TargetError) and not isinstance(problem, TooBig):
        return problem
    if hang_up.is_over or isinstance(problem, TimeoutError | tds_base.TimeoutError):
        # A connection that was cut looks like any other failure, inside TLS and outside.
        error = Unreachable("connect_timeout")
    elif isinstance(problem, ssl.SSLError):
        error = tls_refused(problem)
    elif code in _LOGIN_CODES:
        kind, word = _LOGIN_CODES[code]
        error = kind(word)
    elif code:
        error = LoginFailed("refused")
    elif isinstance(problem, OSError | tds_base.ClosedConnectionError):
        error = Unreachable("connect_failed")
    else:
        error = Broken("bad_answer")
    error.detail = str(problem)[:1000]
    return error


def target_error(problem: Exception) -> TargetError:
    """What a failed statement means to the caller."""
    code, detail = getattr(problem, "msg_no", 0), str(problem)[:4096]
    if code in _QUERY_CODES:
        return QueryRefused(_QUERY_CODES[code], detail=detail)
    if isinstance(problem, TimeoutError | tds_base.TimeoutError):
        return Timeout("deadline", detail)
    if isinstance(problem, OSError | tds_base.ClosedConnectionError):
        return Broken("connection_lost", detail)
    return Broken("server_error" if code else "bad_answer", detail)
