"""The way to a database server that speaks HTTP: checked addresses, TLS as the connection wants it, limited answers.

One connection of urllib3's, kept open between requests, on a socket of the guard. No pool, proxies, redirects, cookies
or compression: a request goes to the server that was checked, and what that answers is all there is.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPConnection

from drivers.base import STOP_SECONDS, Session
from drivers.errors import Broken, SettingsWrong
from drivers.tls import is_verified, tls_context, tls_refused
from egress.deadline import Deadline
from egress.errors import TargetError, Timeout, Unreachable
from egress.http import pinned_connection
from egress.policy import Policy, Target
from egress.sockets import open_socket

#: What a request raises beside our own errors, also for answers that are no HTTP at all.
PROTOCOL_ERRORS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError)
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class HttpEndpoint:
    """Where requests go and how: the checked target, TLS (or none), and the seconds that connecting may take."""

    target: Target
    tls: ssl.SSLContext | None
    seconds: float


def endpoint(settings: Mapping[str, str], policy: Policy, seconds: float) -> HttpEndpoint:
    """The server that a connection's settings name. Raises `SettingsWrong("ca")`, `TargetRefused`, `Unreachable`."""
    tls = tls_context(settings)
    return HttpEndpoint(policy.resolve(settings["host"], settings["port"], "web" if tls else "database"), tls, seconds)


def basic_login(settings: Mapping[str, str]) -> str:
    """The `Authorization` header of a connection, which holds its password as it is.

    Raises `SettingsWrong("tls")` where that would go to a server that is not verified.
    """
    if settings["password"] and not is_verified(settings):
        raise SettingsWrong("tls", "unsafe_method")
    return basic_authorization(settings["username"], settings["password"])


def basic_authorization(username: str, password: str) -> str:
    """The `Authorization` header. Raises `SettingsWrong("username")` for a name with a colon, which cannot be sent."""
    if ":" in username:
        raise SettingsWrong("username", "not_readable")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class HttpResponse:
    """A response whose head has arrived. Reading raises `PROTOCOL_ERRORS` where it ends before its announced end."""

    def __init__(self, response: urllib3.HTTPResponse) -> None:
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str:
        """A header's value, empty where there is none."""
        return self._response.headers.get(name, "")

    def blocks(self, size: int) -> Iterator[bytes]:
        """The body, block by block."""
        # Not `stream`: it reads the length of a chunk without any limit.
        while block := self._response.read(size):
            yield block

    def body(self, cap: int, over: TargetError) -> bytes:
        """The whole body. Raises `over` above `cap` bytes."""
        collected: list[bytes] = []
        size = 0
        for block in self.blocks(256 * 1024):
            collected.append(block)
            size += len(block)
            if size > cap:
                raise over
        return b"".join(collected)

    def start(self, size: int) -> bytes:
        """At most the first `size` bytes of the body, for messages."""
        return self._response.read(size)


class HttpConnection:
    """Requests to one server, one after another, over a connection that `deadline` holds."""

    def __init__(self, server: HttpEndpoint, deadline: Deadline) -> None:
        self.endpoint = server
        self._deadline = deadline
        target = server.target
        self._connection = pinned_connection(target.host, target.port, server.tls, self._dialled)
        self._last: urllib3.HTTPResponse | None = None
        self._is_closed = False

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", seconds: float | None = None
    ) -> HttpResponse:
        """Send a request and wait for the head of its answer, `seconds` at most for each read.

        A connection that ended while it was idle is opened anew. Raises `Timeout`, `Unreachable`,
        `SettingsWrong("tls")` and `PROTOCOL_ERRORS`.
        """
        if self._is_closed:
            raise ConnectionAbortedError("closed")
        if self._last is not None and not self._last.isclosed():
            self._last.close()
            self._connection.close()
        # HTTP knows bytes only, and the library takes those for Latin-1.
        sent = {name: value.encode("utf-8", "surrogatepass").decode("latin-1") for name, value in headers.items()}
        is_reused = not self._connection.is_closed
        try:
            return self._send(method, path, sent, body, seconds)
        except _STALE:
            self._connection.close()
            if not is_reused:
                raise
        return self._send(method, path, sent, body, seconds)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, seconds: float | None
    ) -> HttpResponse:
        self._deadline.check()
        if self._connection.is_closed:
            self._connect()
        self._connection.timeout = seconds
        self._connection.request(method, path, body, headers, preload_content=False, decode_content=False)
        self._last = self._connection.getresponse()
        return HttpResponse(self._last)

    def _connect(self) -> None:
        self._connection.close()
        self._deadline.release()
        with Deadline(self.endpoint.seconds) as connecting:
            try:
                self._connection.connect()
            except (OSError, ValueError) as problem:
                self._connection.close()
                # A connection that was cut looks like any other failure, inside TLS and outside.
                if connecting.is_over or self._deadline.is_over or isinstance(problem, TimeoutError):
                    raise Unreachable("connect_timeout") from problem
                if isinstance(problem, ssl.SSLError):
                    raise tls_refused(problem) from problem
                raise Unreachable("connect_failed") from problem

    def _dialled(self, connection: HTTPConnection) -> socket.socket:
        opened = open_socket(self.endpoint.target, min(self.endpoint.seconds, self._deadline.left))
        self._deadline.hold(opened)
        return opened

    def close(self) -> None:
        """Let go of the connection at once, without reading what the server still has to say."""
        self._is_closed = True
        if self._last is not None:
            # Of a connection that ends with its answer, the answer holds the socket.
            self._last.close()
        self._connection.close()
        self._deadline.release()


def tell(server: HttpEndpoint, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
    """Send a request on a connection of its own, for `STOP_SECONDS` at most, whatever comes of it."""
    with (
        contextlib.suppress(TargetError, *PROTOCOL_ERRORS),
        Deadline(STOP_SECONDS) as limit,
        contextlib.closing(HttpConnection(server, limit)) as connection,
    ):
        connection.ask(method, path, headers, body).start(4096)


@contextlib.contextmanager
def login(session: Session, seconds: float) -> Iterator[None]:
    """The first exchange with a server: over after `seconds`; what fails here was no session, and closes it.

    Raises `Unreachable` instead of `Timeout` and of a lost connection.
    """
    with Deadline(seconds) as limit:
        try:
            yield
        except BaseException as problem:
            session.__exit__(None, None, None)
            if isinstance(problem, Timeout) or (isinstance(problem, Broken) and limit.is_over):
                raise Unreachable("connect_timeout", problem.detail) from problem
            if isinstance(problem, Broken) and problem.code == "connection_lost":
                raise Unreachable("connect_failed", problem.detail) from problem
            raise


def broken_connection(problem: Exception) -> TargetError:
    """What a failed request means: the connection went, or what came is no answer."""
    lost = isinstance(problem, OSError | http.client.IncompleteRead | urllib3.exceptions.HTTPError)
    return Broken("connection_lost" if lost else "bad_answer", type(problem).__name__)
