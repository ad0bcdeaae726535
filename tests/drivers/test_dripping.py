"""Servers that send a byte now and then: each comes in time, the answer never (facts/security 1 row 15)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drivers.base import Guards, Limits
from drivers.catalogue import DRIVERS
from drivers.query import TableQuery
from egress.errors import TargetError, Timeout, Unreachable
from egress.policy import Policy
from tests.drivers.http_server import listener
from tests.drivers.servers import certificates
from tests.drivers.tds_server import OFF, ON, SqlServer, done
from tests.drivers.tds_server import rows as tds_rows
from tests.drivers.test_logins import (
    ANSWERED,
    COPYING,
    DESCRIBED,
    READY,
    WELCOME,
    Rogue,
    column,
    greeting,
    packet,
    settings,
)
from tests.waiting import HANG

SHORT = Limits(connect_seconds=1.5, seconds=2)
WAYS = pytest.mark.parametrize("tls", ["disable", "require"])
OK = b"\0\0\0\2\0\0\0"

Context = ssl.SSLContext
Play = Callable[[Rogue, socket.socket, Context | None, str], None]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    files = certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    made = Context(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files.cert_file, files.key_file)
    return made


def drip(caller: socket.socket, start: bytes, rest: bytes = b"1" * 10_000) -> None:
    """Some bytes a second, for longer than any test waits."""
    caller.sendall(start)
    for byte in rest:
        caller.sendall(bytes([byte]))
        time.sleep(0.2)


def drip_handshake(caller: socket.socket, tls: Context) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    greeted = tls.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(caller.recv(65536))
    with contextlib.suppress(ssl.SSLWantReadError):
        greeted.do_handshake()
    drip(caller, b"", outgoing.read())


def play_mysql(self: Rogue, caller: socket.socket, tls: Context | None, stage: str) -> None:
    if stage == "greeting" and tls is None:
        drip(caller, b"\xff\xff\x10\0")
    caller.sendall(greeting(tls=tls is not None))
    if tls is not None:
        caller.recv(36)
        if stage == "greeting":
            drip_handshake(caller, tls)
        with tls.wrap_socket(caller, server_side=True) as secure:
            return speak_mysql(self, secure, stage, 3)
    return speak_mysql(self, caller, stage, 2)


def speak_mysql(self: Rogue, caller: socket.socket, stage: str, number: int) -> None:
    self.listen(caller)
    long_packet = b"\xff\xff\x10"
    if stage == "login" or (stage == "second login" and b"CONCAT" in self.heard):
        drip(caller, long_packet + bytes([number]))
    caller.sendall(packet(OK, number))
    while statement := self.listen(caller):
        if b"CONCAT" in statement:
            drip(caller, packet(b"\1", 1) + column(2) + packet(b"\xfe\0\0\2\0", 3) + long_packet + b"\4")
        elif b"KILL" in statement:
            drip(caller, long_packet + b"\1")
        caller.sendall(packet(OK, 1))


def play_postgresql(self: Rogue, caller: socket.socket, tls: Context | None, stage: str) -> None:
    if tls is not None:
        caller.recv(8)
        caller.sendall(b"S")
        if stage == "greeting" or (stage == "second login" and b"COPY" in self.heard):
            drip_handshake(caller, tls)
        with tls.wrap_socket(caller, server_side=True) as secure:
            return speak_postgresql(self, secure, stage)
    return speak_postgresql(self, caller, stage)


def speak_postgresql(self: Rogue, caller: socket.socket, stage: str) -> None:
    self.listen(caller)
    if stage in ("greeting", "login") or (stage == "second login" and b"COPY" in self.heard):
        drip(caller, b"E\0\0\x10\0")
    caller.sendall(WELCOME + READY)
    while b"COPY" not in self.listen(caller):
        caller.sendall(ANSWERED)
    drip(caller, COPYING + b"d\0\0\x10\0")


PLAYS: dict[str, Play] = {"mysql": play_mysql, "postgresql": play_postgresql}


@pytest.fixture
def outcome(context: Context) -> Iterator[Callable[[str, str, str], tuple[TargetError, float]]]:
    """What reading rows ends with, and after how many seconds, for driver, encryption and stage."""
    with contextlib.ExitStack() as opened:

        def read(driver: str, tls: str, stage: str) -> tuple[TargetError, float]:
            used = None if tls == "disable" else context
            server = Rogue(lambda caller: PLAYS[driver](server, caller, used, stage))
            opened.callback(server.close)
            guards = Guards(Policy(allow=[f"127.0.0.1:{server.port}"]), limits=SHORT)
            started = time.monotonic()
            with (
                pytest.raises(TargetError) as problem,
                DRIVERS[driver].open(settings(driver, server.port, tls=tls), guards) as session,
            ):
                for _ in session.rows(TableQuery(DESCRIBED.table, ("c",)), DESCRIBED):
                    pass
            return problem.value, time.monotonic() - started

        yield read


Outcome = Callable[[str, str, str], tuple[TargetError, float]]


@WAYS
@pytest.mark.parametrize("driver", PLAYS)
@pytest.mark.parametrize("stage", ["greeting", "login"])
def test_a_login_that_drips_is_given_up_in_time(outcome: Outcome, driver: str, tls: str, stage: str) -> None:
    problem, seconds = outcome(driver, tls, stage)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_timeout", problem.detail
    assert seconds < HANG / 2


@WAYS
@pytest.mark.parametrize("driver", PLAYS)
def test_a_row_that_drips_ends_at_the_deadline(outcome: Outcome, driver: str, tls: str) -> None:
    """With MySQL the end of the statement is asked for, too, and that answer drips as well."""
    problem, seconds = outcome(driver, tls, "row")
    assert isinstance(problem, Timeout)
    assert problem.code == "deadline"
    assert seconds < HANG / 2


@WAYS
@pytest.mark.parametrize("driver", PLAYS)
def test_a_second_connection_that_drips_holds_up_no_close(outcome: Outcome, driver: str, tls: str) -> None:
    problem, seconds = outcome(driver, tls, "second login")
    assert isinstance(problem, Timeout)
    assert seconds < HANG / 2


class _Dripping:
    """A caller to whom everything is sent byte by byte once a server has seen its login."""

    def __init__(self, caller: socket.socket, server: DrippingSqlServer) -> None:
        self._caller, self._server = caller, server

    def __enter__(self) -> _Dripping:
        return self

    def __exit__(self, *_: object) -> None:
        self._caller.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)

    def sendall(self, data: bytes) -> None:
        if self._server.drips():
            drip(self._caller, b"", data)
        self._caller.sendall(data)


class DrippingSqlServer(SqlServer):
    """Answers the login, or only statements, a byte now and then."""

    def __init__(self, stage: str, encryption: int, tls: Context) -> None:
        self._stage = stage
        answered = tds_rows(("bytes",), [[b"x" * 3000]]) + done()
        super().__init__(lambda statement: answered, encryption, tls)

    def drips(self) -> bool:
        return bool(self.logins) if self._stage == "login" else len(self.statements) > 1

    def _play(self, caller: socket.socket) -> None:
        super()._play(_Dripping(caller, self))  # type: ignore[arg-type]  # what it uses of a socket is there


def sql_server_outcome(port: int, **more: str) -> TargetError:
    guards = Guards(Policy(allow=[f"127.0.0.1:{port}"]), limits=SHORT)
    started = time.monotonic()
    with (
        pytest.raises(TargetError) as problem,
        DRIVERS["mssql"].open(settings("mssql", port, **more), guards) as session,
    ):
        for _ in session.rows(TableQuery(DESCRIBED.table, ("c",)), DESCRIBED):
            pass
    assert time.monotonic() - started < HANG / 2
    return problem.value


def test_a_greeting_of_sql_server_that_drips_is_given_up_in_time() -> None:
    with listener(lambda caller: drip(caller, b"\x04\x01\x10\x00\0\0\x01\0")) as port:
        problem = sql_server_outcome(port)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_timeout"


@pytest.mark.parametrize("encryption", [OFF, ON])
@pytest.mark.parametrize(("stage", "kind"), [("login", Unreachable), ("row", Timeout)])
def test_sql_server_is_given_up_in_time_inside_its_tunnel_and_outside(
    context: Context, stage: str, kind: type[TargetError], encryption: int
) -> None:
    server = DrippingSqlServer(stage, encryption, context)
    problem = sql_server_outcome(server.port, tls="disable" if encryption == OFF else "require")
    server.close()
    assert isinstance(problem, kind)
    assert server.logins == 1
