"""Deadlines: the moment at which work with the outside is over, however slowly the other side writes.

A time limit of a socket begins anew with every byte, so a server that sends one every few seconds could hold a thread
for hours. A deadline is a moment: then connections are cut, whether they shake hands, send a head or a body, in clear
or inside TLS. One thread of the process keeps all of them.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Literal

from egress.errors import Timeout
from egress.silence import Silence, silence_of

log = logging.getLogger(__name__)


LOOK_SECONDS = 0.5
"""How often a deadline asks whether anybody still waits, and whether the other side is silent for too long."""


class Deadline:
    """So many seconds from now on. At their end, or once `is_wanted` says no, held connections are cut.

    `is_given_up` is told how long the held connections have been silent and may end them as well. Then `interrupt` is
    called, too: once, in another thread, and never after `close` has returned. None of the three may wait for anything.
    Used as a context, a deadline holds what `open_socket` and guarded sessions open or use in
    that block, and is closed at its end.
    """

    def __init__(
        self,
        seconds: float,
        interrupt: Callable[[], None] | None = None,
        is_wanted: Callable[[], bool] | None = None,
        is_given_up: Callable[[Silence], bool] | None = None,
    ) -> None:
        self._end = self.looks = time.monotonic() + seconds
        self._interrupt, self._is_wanted, self._is_given_up = interrupt, is_wanted, is_given_up
        if is_wanted is not None or is_given_up is not None:
            self.looks = min(self._end, time.monotonic() + LOOK_SECONDS)
        self._handles: list[socket.socket] = []
        self._over: Literal["", "deadline", "cancelled", "silent", "closed"] = ""
        self._lock = threading.Lock()
        _TIMER.keep(self)

    @property
    def left(self) -> float:
        """Seconds that remain, never below a millisecond. Raises `Timeout` when it is over."""
        self.check()
        return max(self._end - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time passed, or nobody waited any more, before it was closed."""
        return self._over in ("deadline", "cancelled", "silent") or (not self._over and time.monotonic() >= self._end)

    def check(self) -> None:
        """Raise `Timeout`: `deadline` if the time is over, `cancelled` if nobody waited any more, `silent`."""
        if self.is_over:
            raise Timeout(self._over if self._over in ("cancelled", "silent") else "deadline")

    def hold(self, used: socket.socket) -> None:
        """Cut this connection, too: at once if it is over, else at the end, until `release` or `close`."""
        # A second handle of the same connection: TLS takes the first one away, and a pool may close it.
        with self._lock:
            if self._over == "closed":
                return
            handle = socket.fromfd(used.fileno(), used.family, used.type)
            self._handles.append(handle)
            if self.is_over:
                _shut(handle)

    def release(self) -> None:
        """Let go of all connections."""
        with self._lock:
            while self._handles:
                self._handles.pop().close()

    def close(self) -> None:
        """Cut nothing any more. What is over stays over."""
        with self._lock:
            self._over = "deadline" if self.is_over and not self._over else self._over or "closed"
        self.release()
        _TIMER.forget(self)

    def look(self) -> None:
        """Cut what is to be cut by now; `looks` is the moment to look next."""
        self.looks = min(self._end, time.monotonic() + LOOK_SECONDS)
        if time.monotonic() >= self._end:
            self._finish("deadline")
        elif self._is_wanted is not None and not self._is_wanted():
            self._finish("cancelled")
        elif self._is_given_up is not None and (silence := self._silence()) and self._is_given_up(silence):
            self._finish("silent")

    def _silence(self) -> Silence | None:
        with self._lock:
            return silence_of(self._handles)

    def _finish(self, how: Literal["deadline", "cancelled", "silent"]) -> None:
        _TIMER.forget(self)
        with self._lock:
            if self._over:
                return
            self._over = how
            for handle in self._handles:
                _shut(handle)
            if self._interrupt is not None:
                self._interrupt()

    def __enter__(self) -> Deadline:
        self._outer = _RUNNING.set((*_RUNNING.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        _RUNNING.reset(self._outer)
        self.close()


_RUNNING: ContextVar[tuple[Deadline, ...]] = ContextVar("running", default=())


def held(used: socket.socket) -> socket.socket:
    """The socket, which the deadlines of this thread's blocks hold from now on."""
    for deadline in _RUNNING.get():
        deadline.hold(used)
    return used


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


class _Timer:
    """The one thread that ends deadlines; it begins with the first one of its process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def keep(self, deadline: Deadline) -> None:
        with self._changed:
            self._kept.add(deadline)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif deadline.looks < self._wakes:
                self._changed.notify()

    def forget(self, deadline: Deadline) -> None:
        with self._changed:
            self._kept.discard(deadline)

    def _run(self) -> None:
        while True:
            for deadline in self._due():
                try:
                    deadline.look()
                except Exception:
                    # The thread is everybody's.
                    log.exception("a deadline could not end what it is for")

    def _due(self) -> list[Deadline]:
        with self._changed:
            now = time.monotonic()
            due = [deadline for deadline in self._kept if deadline.looks <= now]
            if not due:
                self._wakes = min((deadline.looks for deadline in self._kept), default=now + 3600)
                self._changed.wait(self._wakes - now)
            return due


_TIMER = _Timer()
