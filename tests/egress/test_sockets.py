"""Sockets go to checked addresses and nowhere else (facts/security 5)."""

from __future__ import annotations

import socket

import pytest

from egress.errors import Unreachable
from egress.policy import Target
from egress.sockets import open_socket
from tests.drivers.servers import Canary
from tests.waiting import HANG


def test_a_socket_goes_to_the_checked_address_and_tries_the_next_one(canary: Canary) -> None:
    with open_socket(Target("any.example.com", canary.port, ("127.0.0.3", "127.0.0.2")), HANG) as connection:
        assert connection.getpeername()[0] == "127.0.0.2"
    with pytest.raises(Unreachable) as problem:
        open_socket(Target("any.example.com", canary.port, ("127.0.0.3",)), HANG)
    assert problem.value.code == "connect_refused"


def test_a_socket_that_came_to_another_address_than_the_checked_one_is_given_up() -> None:
    # The system connects whoever asks for "any address" with this machine.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("any.example.com", listener.getsockname()[1], ("0.0.0.0",))
        with pytest.raises(Unreachable) as problem:
            open_socket(target, HANG)
    assert problem.value.detail == "connected to another address than the checked one"
