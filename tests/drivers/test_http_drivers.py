"""Drivers that speak HTTP, against hostile servers: time, memory, secrets, addresses (facts/security 1 rows 8-15)."""

from __future__ import annotations

import base64
import logging
import random
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.base import Guards, Limits
from drivers.catalogue import DRIVERS
from drivers.errors import Broken, LoginFailed, SettingsWrong, TooBig
from egress.errors import TargetError, TargetRefused, Unreachable
from egress.policy import Policy
from services import logs
from tests.drivers.http_server import Asked, Played, Script, answer, listener
from tests.drivers.servers import Canary, certificates
from tests.ports import kept_port
from tests.waiting import HANG

SECRET = "s3cret-canary-password"
FAST = Limits(connect_seconds=2, seconds=3)
"""For servers that must be given up."""
PATIENT = Limits(connect_seconds=HANG, seconds=HANG)
"""For servers that say what is wrong, however long a loaded machine takes."""
NOISE = [random.Random(seed).randbytes(256) for seed in range(3)]
BOTH = pytest.mark.parametrize("driver", ["clickhouse", "trino"])
Start = Callable[..., Played]


@pytest.fixture
def played() -> Iterator[Start]:
    opened: list[Played] = []

    def start(script: Script, tls: ssl.SSLContext | None = None) -> Played:
        opened.append(Played(script, tls))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


def failure(driver: str, port: int, limits: Limits = PATIENT, /, **more: str) -> TargetError:
    # No password goes to a server that is not verified, so there is none to give away there.
    password = SECRET if more.get("tls") == "verify-full" or more.get("ca") else ""
    given = {
        "host": "127.0.0.1",
        "port": str(port),
        "database": "test",
        "username": "reader",
        "password": password,
        "tls": "disable",
        **more,
    }
    guards = Guards(Policy(allow=[f"127.0.0.1:{port}"]), limits=limits)
    with pytest.raises(TargetError) as problem, DRIVERS[driver].open(given, guards) as session:
        session.check()
    assert SECRET not in str(problem.value) + problem.value.detail
    return problem.value


@BOTH
def test_nobody_listening_is_unreachable(driver: str) -> None:
    with kept_port() as port:
        problem = failure(driver, port)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_refused"


@BOTH
def test_a_private_address_is_refused_before_anything_is_sent(driver: str) -> None:
    with Canary(["127.0.0.1"]) as canary:
        for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "127.0.0.1@example.com", "a/../b"):
            settings = {"host": host, "port": str(canary.port), "database": "d", "username": "u"}
            with pytest.raises((TargetRefused, Unreachable, SettingsWrong)):
                DRIVERS[driver].open(settings, Guards(Policy(), limits=FAST))
        assert canary.connections == 0


@BOTH
@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_server_that_never_answers_is_given_up_in_time(driver: str, head: bytes, played: Start) -> None:
    server = played(lambda asked: head)
    started = time.monotonic()
    problem = failure(driver, server.port, FAST)
    assert isinstance(problem, Unreachable)
    assert problem.code == "connect_timeout"
    assert time.monotonic() - started < HANG / 2


@BOTH
@pytest.mark.parametrize("tls", ["disable", "require"])
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n["])
def test_an_answer_that_drips_is_given_up_in_time(driver: str, start: bytes, tls: str, tmp_path: Path) -> None:
    """Each byte comes in time, the whole answer does not; without a start it is the handshake of TLS that drips."""
    files = certificates(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)

    def play(caller: socket.socket) -> None:
        if tls == "require" and start:
            with context.wrap_socket(caller, server_side=True) as secure:
                return drip(secure, start)
        return drip(caller, start or b"\x16\x03\x03\x40\x00")

    def drip(caller: socket.socket, first: bytes) -> None:
        caller.sendall(first)
        for _ in range(2000):
            caller.sendall(b"1")
            time.sleep(0.1)

    started = time.monotonic()
    with listener(play) as port:
        assert isinstance(failure(driver, port, FAST, tls=tls), Unreachable | Broken)
        # To its end it would take 200 s.
        assert time.monotonic() - started < HANG / 2


@BOTH
def test_a_server_that_speaks_something_else_is_a_failure_of_ours_not_a_crash(driver: str, played: Start) -> None:
    for noise in (b"\0" * 64, b"\xff" * 64, *NOISE, b"J\0\0\0\n8.0.99\0" * 9, b"HTTP/1.1 abc\r\n\r\n"):
        server = played(lambda asked, noise=noise: noise + b"Connection: close")
        assert isinstance(failure(driver, server.port), Unreachable | Broken)


def test_a_head_that_cannot_be_read_brings_no_address_into_the_log(
    played: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """The values of filters travel in addresses, and urllib3 quotes those of answers that it does not understand."""
    server = played(lambda asked: b"HTTP/1.1 200 OK\r\nConnection: close\r\nno header\r\n\r\n")
    logs.configure("INFO")
    with caplog.at_level(logging.DEBUG):
        failure("clickhouse", server.port)
    assert server.asked
    assert "readonly" not in caplog.text


@BOTH
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_the_words_of_another_service_are_told_to_nobody(driver: str, status: int, played: Start) -> None:
    """facts/field 1 V2: error text only if the service proves to be the database."""
    server = played(lambda asked: answer(b"internal-service-secret", status))
    problem = failure(driver, server.port)
    assert isinstance(problem, Broken)
    assert problem.code == "bad_answer"
    assert "internal" not in problem.detail


@BOTH
def test_a_redirect_is_not_followed(driver: str, played: Start) -> None:
    with Canary(["127.0.0.1"]) as canary:
        for status in (301, 302, 303, 307, 308):
            server = played(
                lambda asked, status=status: answer(b"", status, Location=f"http://127.0.0.1:{canary.port}/")
            )
            assert isinstance(failure(driver, server.port), Broken)
        assert canary.connections == 0


@BOTH
def test_proxies_of_the_environment_are_ignored(driver: str, played: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with Canary(["127.0.0.1"]) as canary:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        server = played(lambda asked: answer(b"", 500))
        failure(driver, server.port)
        assert len(server.asked) == 1
        assert canary.connections == 0


@BOTH
@pytest.mark.parametrize("shape", ["body", "header", "chunk size", "headers"])
def test_a_server_that_sends_without_end_costs_little_memory_and_time(driver: str, shape: str) -> None:
    head = {
        "body": b"HTTP/1.1 200 OK\r\n\r\n",
        "header": b"HTTP/1.1 200 OK\r\nX: ",
        "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "headers": b"HTTP/1.1 200 OK\r\n",
    }[shape]
    block = b"X: y\r\n" * 10_000 if shape == "headers" else b"1" * 60_000

    def flood(caller: socket.socket) -> None:
        caller.recv(65536)
        caller.sendall(head)
        while True:
            caller.sendall(block)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with listener(flood) as port:
        assert isinstance(failure(driver, port, FAST), Broken | Unreachable | TooBig)
    assert time.monotonic() - started < HANG / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024


@BOTH
def test_encryption_that_is_asked_for_and_not_offered_gives_nothing_away(driver: str) -> None:
    heard = bytearray()

    def plain(caller: socket.socket) -> None:
        heard.extend(caller.recv(65536))
        caller.sendall(answer(b"plain", 400))
        heard.extend(caller.recv(65536))

    for mode in ("require", "verify-ca", "verify-full"):
        with listener(plain) as port:
            problem = failure(driver, port, tls=mode)
        assert isinstance(problem, SettingsWrong)
        assert (problem.field, problem.code) == ("tls", "not_offered")
    assert heard
    assert b"reader" not in heard


@BOTH
def test_a_certificate_of_another_name_or_authority_is_refused(driver: str, played: Start, tmp_path: Path) -> None:
    files = certificates(tmp_path, "other.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    authority = Path(files.ca_file).read_text()
    for more in ({"tls": "verify-full", "ca": authority}, {"tls": "verify-ca"}, {"tls": "verify-full"}):
        server = played(lambda asked: answer(b""), context)
        problem = failure(driver, server.port, **more)
        assert isinstance(problem, SettingsWrong)
        is_known = "ca" in more
        assert (problem.field, problem.code) == ("tls", "certificate_name" if is_known else "certificate_refused")
        assert not server.asked
    server = played(lambda asked: answer(b"", 500), context)
    failure(driver, server.port, tls="verify-ca", ca=authority, password="pass:word ä")
    assert len(server.asked) == 1
    scheme, _, login = server.asked[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(login).decode()) == ("Basic", "reader:pass:word ä")


@BOTH
def test_an_authority_that_is_none_is_the_settings_fault(driver: str, played: Start) -> None:
    server = played(lambda asked: answer(b""))
    problem = failure(driver, server.port, tls="verify-full", ca="-----BEGIN NONSENSE-----")
    assert isinstance(problem, SettingsWrong)
    assert (problem.field, problem.code) == ("ca", "not_readable")


@BOTH
@pytest.mark.parametrize("tls", ["disable", "require", "verify-ca"])
def test_a_password_goes_to_a_verified_server_only(driver: str, tls: str) -> None:
    """facts/security 1 row 11: Basic holds it as it is, and a public authority certifies any name."""
    with Canary(["127.0.0.1"]) as canary:
        problem = failure(driver, canary.port, password=SECRET, tls=tls)
        assert isinstance(problem, SettingsWrong)
        assert (problem.field, problem.code) == ("tls", "unsafe_method")
        assert canary.connections == 0


@BOTH
def test_a_user_that_the_protocol_cannot_carry_is_the_settings_fault(
    driver: str, played: Start, tmp_path: Path
) -> None:
    files = certificates(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    server = played(lambda asked: answer(b"", 500), context)
    verified = {"tls": "verify-full", "ca": Path(files.ca_file).read_text()}
    problem = failure(driver, server.port, username="a:b", **verified)
    assert isinstance(problem, SettingsWrong)
    assert problem.field == "username"
    for name in ("Аня", "a\r\nX-Injected: 1", "ä"):
        failure(driver, server.port, username=name, **verified)
    assert not any("x-injected" in asked.headers for asked in server.asked)


def refused(status: int, **headers: str) -> Callable[[Asked], bytes]:
    return lambda asked: answer(b"Code: 516. DB::Exception: no. (AUTHENTICATION_FAILED)", status, **headers)


@pytest.mark.parametrize(
    ("driver", "script"),
    [
        ("clickhouse", refused(403, X_ClickHouse_Exception_Code="516")),
        ("clickhouse", refused(401)),
        ("trino", lambda asked: answer(b"Unauthorized", 401)),
    ],
)
def test_a_wrong_password_fails_the_check(driver: str, script: Script, played: Start) -> None:
    """facts/biconnector 5.2; facts/field 1: a failed check must never look like a connection."""
    problem = failure(driver, played(script).port)
    assert isinstance(problem, LoginFailed)
    assert problem.code == "password"
