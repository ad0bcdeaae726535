"""The wire to the caller: how long a request may take to arrive and an answer to be taken (facts/security 1 row 16).

Each request has a thread from its first byte to the last one of its answer, so whoever sends or reads slowly holds one.
A body has to be there within 20 s, and longer if it comes with 10,000 bytes a second at least; an answer has to be
taken within 55 s. Then the connection is reset, whatever the other side or a proxy still does. That holds for all
doors. Only the caller's socket can tell what was taken; gunicorn hands it over as `gunicorn.socket`, and under another
server nothing is limited or known.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import heapq
import io
import itertools
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WIRE = "bi.wire"
RECEIVE_SECONDS = 20.0
SLOWEST = 10_000
SEND_SECONDS = 55.0
# What is left of a body that nobody wants to read gets this long, so that an honest caller may go on on its connection.
LEFTOVER_SECONDS = 0.2
LEFTOVER_BYTES = 64 * 1024
_STEP = 16 * 1024
_TCP_CLOSE = b"\x07"


class Term:
    """Something that is due at a moment; `act` may give another moment, at which it is due again."""

    def __init__(self, act: Callable[[], float | None]) -> None:
        self._act: Callable[[], float | None] | None = act
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Nothing is done from now on."""
        with self._lock:
            self._act = None

    def come(self) -> float | None:
        """Act, unless it was cancelled."""
        with self._lock:
            return self._act() if self._act else None


class Watch:
    """Keeps terms, with one thread for all that begins with the first one of its process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._terms: list[tuple[float, int, Term]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, act: Callable[[], float | None]) -> Term:
        """Do `act`, quickly, once `seconds` are over."""
        term = Term(act)
        self._keep(time.monotonic() + seconds, term)
        return term

    def _keep(self, moment: float, term: Term) -> None:
        with self._changed:
            heapq.heappush(self._terms, (moment, next(self._numbers), term))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            elif self._terms[0][2] is term:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._terms or self._terms[0][0] > time.monotonic():
                    self._changed.wait(self._terms[0][0] - time.monotonic() if self._terms else None)
                term = heapq.heappop(self._terms)[2]
            if (again := term.come()) is not None:
                self._keep(again, term)


WATCH = Watch()


class Wire:
    """One request's connection; without a socket, everything is taken at once."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        self._socket = connection
        self.handed = 0
        """Bytes of the answer that the system took over."""
        self.ended = False

    def end(self) -> None:
        """Reset the connection: whoever waits for it goes on, and what is still on its way is dropped."""
        self.ended = True
        if self._socket is not None:
            reset(self._socket)

    def stop_receiving(self) -> None:
        """Nothing more is read; the answer is still sent."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RD)

    def missing(self, size: int) -> int:
        """How many of an answer's `size` bytes the other side does not have.

        Waits until it has them, breaks off, or its time is over.
        """
        if self._socket is None:
            return 0
        nap = 0.001
        while not self.ended and self.handed >= size and self._unsent() and not self._is_closed():
            time.sleep(nap)
            nap = min(nap * 2, 0.05)
        return min(size, max(size - self.handed, 0) + self._unsent())

    def _unsent(self) -> int:
        """Bytes that the other side has not confirmed."""
        waiting = array.array("i", [0])
        if self._socket is not None:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._socket, termios.TIOCOUTQ, waiting)
        return waiting[0]

    def _is_closed(self) -> bool:
        """Whether the other side broke the connection off."""
        # A socket of this machine knows nothing of TCP.
        with contextlib.suppress(OSError):
            state = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) if self._socket else b""
            return state[:1] == _TCP_CLOSE
        return False


def reset(connection: socket.socket) -> None:
    """End a connection at once, from any thread; what nobody took yet is dropped when it is closed."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


class _Incoming(io.RawIOBase):
    """A body that has to arrive, in time and whole; reading raises `ClientDisconnected` otherwise."""

    def __init__(self, body: Any, length: int | None, wire: Wire) -> None:
        self._body, self._length, self._wire = body, length, wire
        self._received, self._started = 0, time.monotonic()
        self.is_whole = length == 0
        self._term = WATCH.after(RECEIVE_SECONDS, self._late)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end of a whole body."""
        if self.is_whole or not len(buffer):
            return 0
        try:
            data = self._body.read(min(len(buffer), _STEP))
        except Exception as broken:
            # Whatever the server found wrong with it: there is no whole body.
            raise ClientDisconnected from broken
        self._received += len(data)
        if self._received == self._length or (self._length is None and not data):
            self.is_whole = True
            self._term.cancel()
        elif not data:
            raise ClientDisconnected
        buffer[: len(data)] = data
        return len(data)

    def done(self) -> None:
        """Nobody wants to read any more: take what is there, so that the connection can be used again."""
        self._term.cancel()
        if self.is_whole or self._wire.ended:
            return
        term = WATCH.after(LEFTOVER_SECONDS, self._wire.stop_receiving)
        with contextlib.suppress(Exception):
            for _ in range(LEFTOVER_BYTES // _STEP):
                if not self.read(_STEP):
                    break
        term.cancel()
        if not self.is_whole:
            self._wire.stop_receiving()

    def _late(self) -> float | None:
        allowed = self._started + RECEIVE_SECONDS + self._received / SLOWEST
        if time.monotonic() < allowed:
            return allowed
        self._wire.end()
        return None


class _Outgoing:
    """An answer that has to be taken in time; knows how much of it was handed over."""

    def __init__(self, answer: Iterable[bytes], wire: Wire, incoming: _Incoming | None) -> None:
        self._answer, self._blocks = answer, iter(answer)
        self._wire, self._incoming, self._last = wire, incoming, 0
        self._term = WATCH.after(SEND_SECONDS, wire.end)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # The server comes back for the next block when the system has taken over the one before.
        self._wire.handed += self._last
        self._last = 0
        block = next(self._blocks)
        self._last = len(block)
        return block

    def close(self) -> None:
        """End the answer; whoever made it may still ask what was taken of it."""
        try:
            if close := getattr(self._answer, "close", None):
                close()
        finally:
            self._term.cancel()
            if self._incoming is not None:
                self._incoming.done()


def in_time(application: WSGIApplication) -> WSGIApplication:
    """The application, whose callers have to send and to read in time."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        connection = environ.get("gunicorn.socket")
        wire = environ[WIRE] = Wire(connection)
        if connection is None:
            return application(environ, start_response)
        incoming = None
        length = environ.get("CONTENT_LENGTH")
        if length or "HTTP_TRANSFER_ENCODING" in environ:
            incoming = _Incoming(environ["wsgi.input"], int(length) if length else None, wire)
            environ["wsgi.input"] = incoming
        try:
            return _Outgoing(application(environ, start_response), wire, incoming)
        except BaseException:
            if incoming is not None:
                incoming.done()
            raise

    return serve
