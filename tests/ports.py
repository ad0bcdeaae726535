"""Ports for servers that run as processes of their own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """A port of 127.0.0.1 that the system gives to nobody else within the block.

    A port that was merely free a moment ago may be another program's by the time a server binds it, or the local end of
    somebody's connection. The socket here is bound and does not listen, which the system counts as taken; a server that
    asks for its port by number with SO_REUSEADDR, as all servers do, may have it beside this one.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])
