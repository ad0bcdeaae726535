"""TCP sockets to checked addresses (facts/security 5)."""

from __future__ import annotations

import ipaddress
import socket
import time

from egress.deadline import held
from egress.errors import Unreachable
from egress.policy import Target

CONNECT_SECONDS = 10.0


def open_socket(target: Target, timeout: float = CONNECT_SECONDS) -> socket.socket:
    """A TCP socket to one of the target's checked addresses, tried in their order within `timeout` seconds overall.

    The peer's address is compared again after connecting. Deadlines of the surrounding blocks hold the socket. Raises
    `Unreachable`.
    """
    end = time.monotonic() + timeout
    problem = Unreachable("connect_failed")
    for left, address in zip(range(len(target.addresses), 0, -1), target.addresses, strict=True):
        share = (end - time.monotonic()) / left
        if share <= 0:
            raise Unreachable("connect_timeout")
        try:
            return _connected(address, target.port, share)
        except TimeoutError:
            problem = Unreachable("connect_timeout")
        except ConnectionRefusedError:
            problem = Unreachable("connect_refused")
        except OSError as failure:
            problem = Unreachable("connect_failed", str(failure))
    raise problem


def _connected(address: str, port: int, timeout: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        held(connection)
        connection.settimeout(timeout)
        connection.connect((address, port))
        if ipaddress.ip_address(connection.getpeername()[0]) != ipaddress.ip_address(address):
            raise OSError("connected to another address than the checked one")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection
