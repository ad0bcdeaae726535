"""A TCP proxy that breaks or stalls connections: after so many bytes of the server, or when it is told to."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.waiting import HANG

_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass
class Cut:
    """Where to cut: after `after` bytes from the server (None: never), by a reset or by a clean end."""

    port: int = 0
    server_port: int = 0
    """Where connections lead that come from now on."""
    after: int | None = None
    reset: bool = True
    stalls: bool = False
    """Whether the connection stands still there in place of ending, as if its peer hung; later ones pass."""
    garbage: bytes = b""
    """What comes in place of the server's own bytes from there on, before the end."""
    bytes_per_second: int = 0
    """How slowly the server's bytes pass; 0 means at once."""
    flows: threading.Event = field(default_factory=threading.Event)
    """Nothing passes while it is not set, of no connection."""
    passed: int = 0
    """Bytes of the server that went through, of all connections together."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.flows.set()

    def let_through(self, data: bytes) -> tuple[bytes, bool]:
        """What of `data` may pass, and whether the connection ends after it."""
        with self._lock:
            room = len(data) if self.after is None else max(self.after - self.passed, 0)
            self.passed += min(len(data), room)
            return data[:room], room < len(data)


@contextlib.contextmanager
def cutting(port: int) -> Iterator[Cut]:
    """A proxy for a server of this machine."""
    cut = Cut(server_port=port)
    listener = socket.create_server(("127.0.0.1", 0))
    cut.port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", cut.server_port))
            except OSError:
                client.close()
                continue
            threading.Thread(target=_forward, args=(client, server, cut), daemon=True).start()
            threading.Thread(target=_cut_backward, args=(server, client, cut), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield cut
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)


def _forward(client: socket.socket, server: socket.socket, cut: Cut) -> None:
    with contextlib.suppress(OSError):
        while data := client.recv(65536):
            cut.flows.wait(HANG)
            server.sendall(data)
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _cut_backward(server: socket.socket, client: socket.socket, cut: Cut) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(4096):
            cut.flows.wait(HANG)
            passing, ends = cut.let_through(data)
            for start in range(0, len(passing), cut.bytes_per_second or len(passing) or 1):
                client.sendall(passing[start : start + (cut.bytes_per_second or len(passing))])
                if cut.bytes_per_second:
                    time.sleep(1)
            if ends and cut.garbage:
                client.sendall(cut.garbage)
            if ends and cut.stalls:
                cut.after = None
                # Until the client gives up; what it sends goes on.
                while select.select([server], [], [], 0.05)[0] and client.fileno() >= 0 and not _is_closed(client):
                    time.sleep(0.05)
                break
            if ends:
                if cut.reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                break
    for end in (client, server):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
