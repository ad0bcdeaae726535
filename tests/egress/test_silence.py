"""The system tells how long a connection has been silent, and whether an answer had begun."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from egress.deadline import Deadline
from egress.errors import Timeout
from egress.silence import Silence, silence_of
from tests.waiting import HANG, eventually

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with ours, theirs:
            ours.settimeout(HANG)
            yield ours, theirs


def silent_for(ours: socket.socket, seconds: float) -> Silence:
    """The silence once it is that long."""

    def long_enough() -> Silence | None:
        silence = silence_of([ours])
        return silence if silence and silence.seconds >= seconds else None

    silence = eventually(long_enough)
    assert silence is not None
    return silence


def test_what_was_asked_and_not_answered_is_a_silence_that_has_not_begun(pair: Pair) -> None:
    pair[1].sendall(b"welcome")
    assert pair[0].recv(7) == b"welcome"
    time.sleep(0.05)
    pair[0].sendall(b"question")
    assert not silent_for(pair[0], 0.1).begun


def test_a_part_of_an_answer_begins_it(pair: Pair) -> None:
    pair[0].sendall(b"question")
    time.sleep(0.05)
    pair[1].sendall(b"a part")
    assert pair[0].recv(6) == b"a part"
    assert silent_for(pair[0], 0.1).begun


def test_whoever_leaves_data_unread_is_the_slow_one(pair: Pair) -> None:
    pair[1].sendall(b"answer")
    time.sleep(0.1)
    assert silence_of([pair[0]]) is None
    assert pair[0].recv(6) == b"answer"
    assert silence_of([pair[0]]) is not None


def test_of_several_connections_the_one_counts_that_was_used_last(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as other:
        silent_for(other, 0.2)
        pair[0].sendall(b"question")
        silence = silence_of([other, pair[0]])
        assert silence is not None
        assert silence.seconds < 0.2
    assert silence_of([]) is None


def test_a_closed_connection_and_one_of_another_kind_tell_nothing(pair: Pair) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert silence_of([ours]) is None
    pair[0].close()
    assert silence_of([pair[0]]) is None


def test_a_deadline_cuts_what_is_given_up(pair: Pair) -> None:
    told: list[Silence] = []

    def is_given_up(silence: Silence) -> bool:
        told.append(silence)
        return silence.seconds > 0.6

    with Deadline(10 * HANG, is_given_up=is_given_up) as deadline:
        deadline.hold(pair[0])
        pair[0].sendall(b"question")
        assert pair[0].recv(1) == b""
        with pytest.raises(Timeout, match="silent"):
            deadline.check()
    assert told[0].seconds < 0.6 < told[-1].seconds
    assert deadline.is_over
