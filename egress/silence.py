"""How long the other side of a connection has said nothing, as the system counts it: in clear and inside TLS alike."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass

if sys.platform == "linux":
    import fcntl
    import termios

# struct tcp_info of Linux: eight bytes, nine numbers, then how many milliseconds ago data were sent and received.
_SENT_AND_RECEIVED = struct.Struct("=44xI4xI")
_WAITING = struct.Struct("i")


@dataclass(frozen=True)
class Silence:
    """For how many `seconds` nothing was sent or received; `begun`: the answer to what was sent last had begun."""

    seconds: float
    begun: bool


def silence_of(connections: Iterable[socket.socket]) -> Silence | None:
    """Of these connections together; None where there are none, where data wait to be read, or no system counts."""
    found = [counted for each in connections if (counted := _counted(each)) is not None]
    if not found:
        return None
    sent, received = min(found, key=min)
    return Silence(min(sent, received) / 1000, begun=received < sent)


def _counted(connection: socket.socket) -> tuple[int, int] | None:
    """Milliseconds since data were sent and received."""
    if sys.platform != "linux":
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SENT_AND_RECEIVED.size)
        (waiting,) = _WAITING.unpack(fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(_WAITING.size)))
    except (OSError, ValueError):
        return None
    # It is we who are slow while something waits to be read.
    if waiting or len(info) < _SENT_AND_RECEIVED.size:
        return None
    sent, received = _SENT_AND_RECEIVED.unpack(info)
    return sent, received
