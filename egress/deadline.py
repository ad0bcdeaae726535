"""Deadlines: the end of an HTTP call, however slowly its server writes.

A time limit of a socket begins anew with every byte, so a server that sends a header every few seconds could hold a
thread for hours. A deadline is a moment: then the connection is cut, whether it shakes hands, sends headers or a body.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from egress.http import watching


class Deadline:
    """So many seconds from now on for one call over a guarded session."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether the time has passed; a connection that was cut looks like any other broken or ended answer."""
        return time.monotonic() >= self._end

    @contextmanager
    def running(self) -> Iterator[None]:
        """Cut the connections that this thread uses in the block when the time is over."""
        timer = threading.Timer(self._seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            with watching(self._hold):
                yield
        finally:
            timer.cancel()
            timer.join()
            with self._lock:
                for held in self._held:
                    held.close()
                self._held.clear()

    def _hold(self, used: socket.socket) -> None:
        # A second handle of the same connection: TLS takes the first one away, and the pool may close it.
        handle = socket.fromfd(used.fileno(), used.family, used.type)
        with self._lock:
            self._held.append(handle)
            if self.is_over:
                _shut(handle)

    def _cut(self) -> None:
        with self._lock:
            for held in self._held:
                _shut(held)


def _shut(held: socket.socket) -> None:
    with suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)
