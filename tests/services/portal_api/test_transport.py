"""facts/security 1 row 18 and 5.1: what leaves the app, what may come in, and what never gets out of the transport."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import urllib3

from egress.policy import Policy
from errors import PortalUnreachable
from services.portal_api import _transport
from services.portal_api._transport import Reply, TimeLimits, Transport, exchange
from tests.services.portal_api.portal import ACCESS, PORTAL
from tests.waiting import HANG, eventually

URL = f"{PORTAL}profile"


def public() -> Transport:
    return Transport(Policy(lookup=lambda host, port: ["203.0.113.9"]))


class RawServer:
    """Answers every connection with what `serve` writes; counts connections."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._open: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open = connection
            with closing(connection):
                try:
                    self._serve(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._open is not None:
            # Callers may keep their connection for another request, which the thread waits for.
            with suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)
        self._thread.join(HANG)


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[socket.socket], None]], tuple[RawServer, Transport]]]:
    started: list[RawServer] = []

    def start(serve: Callable[[socket.socket], None]) -> tuple[RawServer, Transport]:
        server = RawServer(serve)
        started.append(server)
        return server, Transport(Policy(insecure_hosts=[f"127.0.0.1:{server.port}"]))

    yield start
    for server in started:
        server.close()


Serving = Callable[[Callable[[socket.socket], None]], tuple[RawServer, Transport]]


def read_request(connection: socket.socket) -> bytes:
    """Raises `ConnectionError` where the caller closes the connection before the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data


def answer(connection: socket.socket, head: str, body: bytes = b"") -> None:
    read_request(connection)
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)


@responses.activate
def test_json_and_form_travel_in_the_body_and_the_address_stays_bare() -> None:
    responses.add("POST", URL, json={"result": True})
    public().post(URL, json={"auth": ACCESS, "filter": {"%title": "ä"}})
    public().post(URL, form={"auth": ACCESS})
    first, second = (call.request for call in responses.calls)
    assert json.loads(first.body or "") == {"auth": ACCESS, "filter": {"%title": "ä"}}
    assert first.headers["Content-Type"] == "application/json"
    assert second.body == f"auth={ACCESS}"
    assert second.headers["Content-Type"] == "application/x-www-form-urlencoded"
    for request in (first, second):
        assert request.url == URL
        assert request.headers["Accept"] == "application/json"
        assert request.headers["User-Agent"].startswith("bi-connectors/")


@responses.activate
def test_redirects_are_told_and_not_followed() -> None:
    """facts/platform 5.6"""
    responses.add("POST", URL, status=302, headers={"Location": "https://elsewhere.example/rest/profile"})
    reply = public().post(URL, json={})
    assert (reply.status, reply.headers["location"]) == (302, "https://elsewhere.example/rest/profile")
    assert len(responses.calls) == 1


@responses.activate
def test_cookies_of_a_portal_are_not_kept() -> None:
    responses.add("POST", URL, json={"result": 1}, headers={"Set-Cookie": "PHPSESSID=abc; Path=/"})
    transport = public()
    transport.post(URL, json={})
    transport.post(URL, json={})
    assert "Cookie" not in responses.calls[1].request.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.bitrix24.com/rest/profile",
        "ftp://acme.bitrix24.com/rest/profile",
        "https://user:pw@acme.bitrix24.com/rest/profile",
        "https://acme.bitrix24.com@169.254.169.254/rest/profile",
        "https:///rest/profile",
        "//acme.bitrix24.com/rest/profile",
        "https://acme.bitrix24.com:99999/rest/profile",
        "https://acme.bitrix24.com/rest/\r\nX-Evil: 1",
        "https://[::1/rest/",
        "",
    ],
)
@responses.activate
def test_only_https_addresses_are_called(url: str) -> None:
    with pytest.raises(PortalUnreachable) as caught:
        public().post(url, json={"auth": ACCESS})
    assert (caught.value.reason, caught.value.sent) == ("refused", False)
    assert len(responses.calls) == 0


@responses.activate
def test_plain_http_is_for_declared_hosts_and_their_very_port() -> None:
    """BITRIX24_INSECURE_HOSTS"""
    transport = Transport(Policy(insecure_hosts=["localhost:8001"]))
    responses.add("POST", "http://localhost:8001/rest/profile", json={"result": 1})
    assert transport.post("http://localhost:8001/rest/profile", json={}).status == 200
    for url in ("http://localhost/rest/profile", "http://localhost:8002/rest/profile"):
        assert not transport.is_allowed(url)


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    """facts/security 5.1: the guard stands in the way of every portal, also of one that renamed itself"""
    transport = Transport(Policy(lookup=lambda host, port: ["10.0.0.5"]))
    with pytest.raises(PortalUnreachable) as caught:
        transport.post("https://rebound.example/rest/profile", json={"auth": ACCESS})
    assert (caught.value.reason, caught.value.sent) == ("refused", False)


FAILURES: list[tuple[Exception, str, bool]] = [
    (requests.ConnectTimeout("canary"), "timeout", False),
    (requests.ReadTimeout("canary"), "timeout", True),
    (requests.exceptions.SSLError("canary"), "tls", False),
    (requests.ConnectionError("canary: connection reset"), "connection", True),
    (requests.exceptions.ChunkedEncodingError("canary"), "connection", True),
    (requests.exceptions.ContentDecodingError("canary"), "connection", True),
    (requests.TooManyRedirects("canary"), "connection", True),
    (urllib3.exceptions.ProtocolError("canary"), "connection", True),
]


@pytest.mark.parametrize(("failure", "reason", "sent"), FAILURES, ids=lambda value: type(value).__name__)
@responses.activate
def test_no_library_exception_gets_out_not_even_as_a_cause(failure: Exception, reason: str, sent: bool) -> None:
    responses.add("POST", URL, body=failure)
    with pytest.raises(PortalUnreachable) as caught:
        public().post(URL, json={"auth": ACCESS})
    error = caught.value
    assert (error.reason, error.sent) == (reason, sent)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "canary" not in "".join(traceback.format_exception(error))


def test_a_refused_connection_was_not_sent() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    transport = Transport(Policy(insecure_hosts=[f"127.0.0.1:{port}"]))
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"http://127.0.0.1:{port}/rest/profile", json={})
    assert (caught.value.reason, caught.value.sent) == ("connection", False)


def test_a_server_that_is_silent_costs_no_more_than_the_time_limit(serving: Serving) -> None:
    hold = threading.Event()

    def be_silent(connection: socket.socket) -> None:
        read_request(connection)
        hold.wait(HANG)

    server, transport = serving(be_silent)
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={}, timeout=TimeLimits(1, 0.2))
    hold.set()
    assert (caught.value.reason, caught.value.sent) == ("timeout", True)


ENDLESS: list[tuple[str, bytes, bytes]] = [
    ("headers", b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
    ("a body", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    ("a body without length", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
]


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize(("start", "drop"), [row[1:] for row in ENDLESS], ids=[row[0] for row in ENDLESS])
def test_a_server_that_drips_is_stopped_at_the_deadline(
    serving: Serving, start: bytes, drop: bytes, used_before: bool
) -> None:
    """Each byte comes in time, the whole answer does not; also over a connection that the pool had kept."""
    stopped = threading.Event()

    def drip(connection: socket.socket) -> None:
        if used_before:
            answer(connection, "HTTP/1.1 200 OK\nContent-Length: 2", b"{}")
        read_request(connection)
        connection.sendall(start)
        while not stopped.wait(0.05):
            connection.sendall(drop)

    server, transport = serving(drip)
    url, times = f"http://127.0.0.1:{server.port}/rest/profile", TimeLimits(1, 1.5)
    if used_before:
        assert transport.post(url, json={}, timeout=TimeLimits(HANG, HANG)).body == b"{}"
    begun = time.monotonic()
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(url, json={}, timeout=times)
    spent = time.monotonic() - begun
    stopped.set()
    assert (caught.value.reason, caught.value.sent) == ("timeout", True)
    # In all as long as both limits together, and not until the other side has enough.
    assert 2.4 < spent < HANG
    eventually(lambda: server.connections)
    assert server.connections == 1


def test_a_handshake_that_drips_is_stopped_at_the_deadline(serving: Serving) -> None:
    stopped = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")  # the head of a TLS record of 16 KB
        while not stopped.wait(0.05):
            connection.sendall(b"\x02")

    server, transport = serving(drip)
    begun = time.monotonic()
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"https://127.0.0.1:{server.port}/rest/profile", json={}, timeout=TimeLimits(0.3, 0.3))
    stopped.set()
    assert caught.value.reason == "timeout"
    assert time.monotonic() - begun < HANG


def test_an_answer_in_time_leaves_no_handle_of_its_connection_behind(serving: Serving) -> None:
    def often(connection: socket.socket) -> None:
        for _ in range(9):
            answer(connection, "HTTP/1.1 200 OK\nContent-Length: 2", b"{}")

    def handles() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    server, transport = serving(often)
    counted = []
    for _ in range(2):
        transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={}, timeout=TimeLimits(10 * HANG, HANG))
        counted.append(handles())
    assert counted[0] == counted[1]


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_over_the_cap_is_refused_also_when_it_is_packed(serving: Serving, packed: bool) -> None:
    body = b" " * (_transport.BODY_LIMIT + 1)
    body = gzip.compress(body, 1) if packed else body
    head = f"HTTP/1.1 200 OK\nContent-Length: {len(body)}" + ("\nContent-Encoding: gzip" if packed else "")
    server, transport = serving(lambda connection: answer(connection, head, body))
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={})
    assert (caught.value.reason, caught.value.sent) == ("too-large", True)


def test_a_packed_answer_is_unpacked(serving: Serving) -> None:
    body = gzip.compress(b'{"result": true}')
    head = f"HTTP/1.1 200 OK\nContent-Length: {len(body)}\nContent-Encoding: gzip"
    server, transport = serving(lambda connection: answer(connection, head, body))
    assert transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={}).body == b'{"result": true}'


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 200 OK\nContent-Length: 500", b'{"result": ['),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"5\r\nhello\r\nzz\r\n"),
        ("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Encoding: gzip", b"hello"),
        ("rubbish", b""),
    ],
)
def test_a_broken_answer_is_a_lost_answer(serving: Serving, head: str, body: bytes) -> None:
    server, transport = serving(lambda connection: answer(connection, head, body))
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={"auth": ACCESS})
    assert (caught.value.reason, caught.value.sent) == ("connection", True)
    assert caught.value.__context__ is None


def test_calls_to_one_portal_share_a_connection(serving: Serving) -> None:
    def often(connection: socket.socket) -> None:
        for _ in range(9):
            answer(connection, "HTTP/1.1 200 OK\nContent-Length: 2", b"{}")

    server, transport = serving(often)
    for _ in range(2):
        transport.post(f"http://127.0.0.1:{server.port}/rest/profile", json={})
    assert server.connections == 1


def test_a_certificate_that_nobody_vouches_for_ends_the_call_before_it_is_sent(serving: Serving) -> None:
    """facts/platform 9 S10: certificate checks stay on, here against a listener that speaks no TLS at all"""
    server, transport = serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(PortalUnreachable) as caught:
        transport.post(f"https://127.0.0.1:{server.port}/rest/profile", json={"auth": ACCESS})
    assert (caught.value.reason, caught.value.sent) == ("tls", False)


@responses.activate
def test_every_call_leaves_one_line_without_values(caplog: pytest.LogCaptureFixture) -> None:
    """facts/platform 9 D1 and S6"""
    responses.add("POST", URL, json={"result": {"ID": "1"}})
    responses.add("POST", URL, body=requests.ReadTimeout(f"canary {ACCESS}"))
    caplog.set_level(logging.DEBUG)

    def judge(reply: Reply) -> Any:
        return json.loads(reply.body)["result"]

    body = {"auth": ACCESS, "title": "canary title"}
    assert exchange(public(), "profile", URL, judge, json=body) == {"ID": "1"}
    with pytest.raises(PortalUnreachable):
        exchange(public(), "profile", URL, judge, json=body)
    first, second = [record.getMessage() for record in caplog.records]
    assert "profile at acme.bitrix24.com answered 200, ok" in first
    assert "profile at acme.bitrix24.com answered -, PortalUnreachable (timeout)" in second
    for line in (first, second):
        assert "canary" not in line


def test_urllib3_keeps_its_request_lines_to_itself_at_debug() -> None:
    """facts/security 1 row 18"""
    public()
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.INFO)
