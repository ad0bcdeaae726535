"""The way to a database server that speaks HTTP: checked addresses, TLS as the connection wants it, limited answers.

One connection, kept open between requests, on a socket of the guard (`egress/policy.py`). No proxies, no redirects,
no cookies, no compression. `requests` would hide the socket that cancelling needs to cut, and knows no `verify-ca`.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from drivers.errors import Broken, SettingsWrong
from egress.deadline import Deadline
from egress.errors import TargetError, Timeout, Unreachable
from egress.policy import Policy, Target
from egress.sockets import open_socket

#: What a connection raises beside our own errors, also for answers that are no HTTP at all.
PROTOCOL_ERRORS = (OSError, http.client.HTTPException, ValueError)
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class HttpEndpoint:
    """Where requests go and how: the checked target, TLS (or none), and the seconds that connecting may take."""

    target: Target
    tls: ssl.SSLContext | None
    seconds: float


def endpoint(settings: Mapping[str, str], policy: Policy, seconds: float) -> HttpEndpoint:
    """The place that a connection's settings name. Raises `SettingsWrong("ca")`, `TargetRefused`, `Unreachable`."""
    tls = tls_context(settings)
    return HttpEndpoint(policy.resolve(settings["host"], settings["port"], "web" if tls else "database"), tls, seconds)


def tls_context(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS as the setting `tls` says, None for `disable`. Raises `SettingsWrong("ca")`."""
    if settings["tls"] == "disable":
        return None
    try:
        context = ssl.create_default_context(cadata=settings["ca"].strip() or None)
    except (ssl.SSLError, ValueError):
        raise SettingsWrong("ca", "not_readable") from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = settings["tls"] == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if settings["tls"].startswith("verify") else ssl.CERT_NONE
    return context


def basic_authorization(username: str, password: str) -> str:
    """The `Authorization` header. Raises `SettingsWrong("username")` for a name with a colon, which cannot be sent."""
    if ":" in username:
        raise SettingsWrong("username", "not_readable")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class HttpResponse:
    """A response whose head has arrived."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str:
        """A header's value, empty where there is none."""
        return self._response.headers.get(name, "")

    def blocks(self, size: int) -> Iterator[bytes]:
        """The body, block by block. Raises `http.client.IncompleteRead` where it ends before its announced end."""
        while block := self._response.read(size):
            yield block
        announced = self._response.length
        if announced:
            raise http.client.IncompleteRead(b"", announced)

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
    """One connection to an endpoint; `cut` may be called from another thread, and ends it for good."""

    def __init__(self, where: HttpEndpoint) -> None:
        self.endpoint = where
        self._connection: http.client.HTTPConnection | None = None
        self._last: http.client.HTTPResponse | None = None
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._cut = False

    @property
    def encrypted(self) -> bool:
        """Whether requests travel through TLS."""
        return self.endpoint.tls is not None

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", seconds: float = 10
    ) -> HttpResponse:
        """Send a request and wait for the head of its answer, `seconds` at most for each read.

        A connection that was idle may be closed by now: then it is opened anew, once. Raises `Unreachable`,
        `SettingsWrong("tls")` and `PROTOCOL_ERRORS`.
        """
        reused = self._connection is not None
        try:
            return self._ask(method, path, headers, body, seconds)
        except _STALE:
            self.close()
            if not reused or self._cut:
                raise
        return self._ask(method, path, headers, body, seconds)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes, seconds: float) -> HttpResponse:
        if self._last is not None and not self._last.isclosed():
            self.close()
        if self._connection is None:
            self._open()
        connection = self._connection
        if connection is None or connection.sock is None:
            raise ConnectionAbortedError("cut")
        connection.sock.settimeout(seconds)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("utf-8", "surrogatepass"))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = self._last = connection.getresponse()
        if response.will_close:
            # The response keeps the socket for its body; the next request needs a new connection.
            self._connection = None
        return HttpResponse(response)

    def _open(self) -> None:
        self._check_cut()
        opened = open_socket(self.endpoint.target, self.endpoint.seconds)
        try:
            with self._lock:
                self._forget()
                # TLS takes the socket over; this handle of the same connection stays ours.
                self._handle = socket.socket(fileno=os.dup(opened.fileno()))
            self._check_cut()
            secured = self._secured(opened)
        except BaseException:
            opened.close()
            raise
        connection = http.client.HTTPConnection(self.endpoint.target.host, self.endpoint.target.port)
        # Never let the library connect by itself: it would go by the name, past the guard.
        connection.auto_open = 0
        # `Host` names the port only where it is none of the scheme's own; signed addresses insist on that.
        connection.default_port = 443 if self.endpoint.tls else 80
        connection.sock = secured
        self._connection = connection

    def _check_cut(self) -> None:
        if self._cut:
            raise ConnectionAbortedError("cut")

    def _secured(self, opened: socket.socket) -> socket.socket:
        if self.endpoint.tls is None:
            return opened
        hang_up = Deadline(self.endpoint.seconds, self._hang_up)
        try:
            return self.endpoint.tls.wrap_socket(opened, server_hostname=self.endpoint.target.host)
        except ssl.SSLCertVerificationError as problem:
            raise SettingsWrong("tls", "certificate_refused", problem.verify_message) from problem
        except ssl.SSLError as problem:
            if hang_up.is_over or self._cut:
                raise Unreachable("connect_timeout") from problem
            raise SettingsWrong("tls", "not_offered", problem.reason or "") from problem
        except (OSError, ValueError) as problem:
            late = hang_up.is_over or isinstance(problem, TimeoutError)
            raise Unreachable("connect_timeout" if late else "connect_failed") from problem
        finally:
            hang_up.close()

    def _hang_up(self) -> None:
        with self._lock:
            if self._handle is not None:
                shut(self._handle)

    def cut(self) -> None:
        """End everything that is under way, and let nothing new begin."""
        self._cut = True
        self._hang_up()

    def close(self) -> None:
        """Let go of the connection at once, without reading what the server still has to say."""
        self._hang_up()
        if self._last is not None:
            # Of a connection that ends with its answer, the answer holds the socket.
            self._last.close()
            self._last = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def shut(opened: socket.socket) -> None:
    """End a connection, whoever reads from it."""
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def login(http_connection: HttpConnection, seconds: float, close: Callable[[], None]) -> Iterator[None]:
    """The first exchange with a server: over after `seconds`; what fails here was no connection, and `close` is called.

    Raises `Unreachable` instead of `Timeout` and of a lost connection.
    """
    hang_up = Deadline(seconds, http_connection.cut)
    try:
        yield
    except (Broken, Timeout) as problem:
        close()
        if hang_up.is_over or isinstance(problem, Timeout):
            raise Unreachable("connect_timeout", problem.detail) from problem
        if problem.code == "connection_lost":
            raise Unreachable("connect_failed", problem.detail) from problem
        raise
    except BaseException:
        close()
        raise
    finally:
        hang_up.close()


def broken_connection(problem: Exception) -> TargetError:
    """What a failed request means: the connection went, or what came is no answer."""
    lost = isinstance(problem, OSError | http.client.IncompleteRead | http.client.RemoteDisconnected)
    return Broken("connection_lost" if lost else "bad_answer", type(problem).__name__)
