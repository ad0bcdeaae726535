"""One POST with limits that hold however slowly the other side writes.

A time limit of sockets begins anew with every byte, so a peer that drips could hold a call for hours. Here a watchdog
cuts the connection when the time is over: first the time to connect and answer, then the time for the body
(facts/biconnector 5.3). Only the look-up of a name is left to the system's own patience. Endpoints and handlers of
events are called through here.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

from emulator.brackets import Pairs

SAME_AGAIN, BY_GET = (301, 307, 308), (302, 303)
"""Redirects that send a POST once more, and those that make a GET of it."""


class Unreachable(Exception):
    """Nobody answered, or not in HTTP."""


class TooSlow(Exception):
    """A limit has passed; `while_answering` tells which one."""

    def __init__(self, *, while_answering: bool) -> None:
        super().__init__(while_answering)
        self.while_answering = while_answering


def post(
    url: str, pairs: Pairs, *, answer_seconds: float, transfer_seconds: float, redirects: int = 0
) -> tuple[int, bytes]:
    """Send a form and give back status and body. Raises `Unreachable` and `TooSlow`.

    So many `redirects` are followed: 301, 307 and 308 send the form again, 302 and 303 become a GET without a body
    (facts/biconnector 5.2a). The answer behind the last one is taken as it is.
    """
    adapter = _WatchedAdapter()
    with requests.Session() as session, ExitStack() as opened:
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        # The watchdog is the limit; the library's own keeps a socket from waiting for ever should that fail.
        longest = max(answer_seconds, transfer_seconds)
        with adapter.limited(answer_seconds, while_answering=True):
            method, body = "POST", pairs
            for left in range(redirects, -1, -1):
                answer = session.request(method, url, data=body, timeout=longest, allow_redirects=False, stream=True)
                opened.enter_context(answer)
                place = answer.headers.get("Location")
                if not left or not place or answer.status_code not in (*SAME_AGAIN, *BY_GET):
                    break
                url = urljoin(url, place)
                if answer.status_code in BY_GET:
                    method, body = "GET", []
        with adapter.limited(transfer_seconds, while_answering=False):
            return answer.status_code, b"".join(answer.iter_content(chunk_size=65536))


class _WatchedAdapter(HTTPAdapter):
    """Opens connections within the running limit and cuts them when it is over."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._end = 0.0
        self._held: list[socket.socket] = []

    @contextmanager
    def limited(self, seconds: float, *, while_answering: bool) -> Iterator[None]:
        """Cut the connection if the block takes longer. Raises `TooSlow` then, and `Unreachable` for other failures."""
        self._end = time.monotonic() + seconds
        watchdog = threading.Timer(seconds, self._cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        except (requests.RequestException, OSError, ValueError) as problem:
            if time.monotonic() < self._end and not isinstance(problem, requests.Timeout):
                raise Unreachable from None
            raise TooSlow(while_answering=while_answering) from None
        finally:
            watchdog.cancel()
        # A connection that was cut can look like the end of a head, or of a body without a length.
        if time.monotonic() >= self._end:
            raise TooSlow(while_answering=while_answering)

    def get_connection_with_tls_context(self, *arguments: Any, **more: Any) -> Any:
        """The usual pool, whose connections are opened by `_open`."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **more)
        usual = pool.ConnectionCls
        if not hasattr(usual, "is_watched"):
            watched = {"_new_conn": lambda connection: self._open(connection.host, connection.port), "is_watched": True}
            pool.ConnectionCls = type("_Watched", (usual,), watched)
        return pool

    def close(self) -> None:
        """Let go of everything."""
        super().close()
        with self._lock:
            for held in self._held:
                held.close()
            self._held.clear()

    def _open(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of `host` that takes one; all of them share the limit."""
        problem: OSError = TimeoutError()
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(self._remaining())
                opened.connect(address)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    # A second handle of the same connection: TLS takes the first one away.
                    self._held.append(opened.dup())
                self._remaining()  # a watchdog that came while nothing was held has cut nothing
            except OSError as error:
                opened.close()
                problem = error
                continue
            return opened
        raise problem

    def _remaining(self) -> float:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def _cut(self) -> None:
        with self._lock:
            for held in self._held:
                with suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
