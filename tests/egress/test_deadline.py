"""Deadlines end work at their moment, in clear and inside TLS, with one thread for all of them."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from egress.deadline import LOOK_SECONDS, Deadline, held
from egress.errors import Timeout
from egress.policy import Target
from egress.sockets import open_socket
from tests.drivers.servers import certificates
from tests.waiting import HANG, eventually


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with ours, theirs:
            ours.settimeout(HANG)
            theirs.settimeout(HANG)
            yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_at_its_end_a_deadline_cuts_what_it_holds_and_calls_once(pair: Pair) -> None:
    calls: list[str] = []
    deadline = Deadline(0.2, lambda: calls.append("cut"))
    deadline.hold(pair[0])
    assert deadline.left <= 0.2
    assert pair[0].recv(1) == b""
    with pytest.raises(Timeout, match="deadline"):
        deadline.check()
    deadline.look()
    deadline.close()
    assert deadline.is_over
    assert calls == ["cut"]
    with pytest.raises(Timeout, match="deadline"):
        _ = deadline.left


def given_up() -> tuple[Deadline, threading.Event]:
    """A deadline far away, and the event after which nobody waits."""
    gone = threading.Event()
    return Deadline(10 * HANG, is_wanted=lambda: not gone.is_set()), gone


def test_once_nobody_waits_the_connection_is_cut(pair: Pair) -> None:
    deadline, gone = given_up()
    deadline.hold(pair[0])
    gone.set()
    assert pair[0].recv(1) == b""
    with pytest.raises(Timeout, match="cancelled"):
        deadline.check()
    deadline.close()


def test_what_is_held_too_late_is_cut_at_once(pair: Pair) -> None:
    cut: list[bool] = []
    deadline = Deadline(0, lambda: cut.append(True))
    eventually(lambda: cut)
    deadline.hold(pair[0])
    assert pair[0].recv(1) == b""
    deadline.close()


def test_a_closed_deadline_cuts_nothing_and_is_not_over(pair: Pair) -> None:
    calls: list[str] = []
    deadline = Deadline(0.1, lambda: calls.append("cut"))
    deadline.hold(pair[0])
    deadline.close()
    later = Deadline(0.3)
    eventually(lambda: later.is_over)
    later.close()
    pair[1].sendall(b"x")
    assert pair[0].recv(1) == b"x"
    deadline.check()
    assert not calls


def test_connections_that_are_let_go_are_not_cut_and_leave_no_handle(pair: Pair) -> None:
    deadline = Deadline(0.1)
    deadline.hold(pair[0])
    deadline.release()
    eventually(lambda: deadline.is_over)
    pair[1].sendall(b"x")
    assert pair[0].recv(1) == b"x"
    pair[0].close()
    # Nobody has a handle any more, so the other side sees the end.
    assert pair[1].recv(1) == b""
    deadline.close()


def test_a_connection_inside_tls_is_cut_by_a_handle_of_its_own(pair: Pair, tmp_path: Path) -> None:
    files = certificates(tmp_path, "127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.cert_file, files.key_file)
    client = ssl.create_default_context(cafile=files.ca_file)

    def answer_greeting() -> None:
        with server.wrap_socket(pair[1], server_side=True) as secure, suppress(OSError):
            secure.recv(1)

    other_side = threading.Thread(target=answer_greeting)
    other_side.start()
    deadline, gone = given_up()
    deadline.hold(pair[0])
    with client.wrap_socket(pair[0], server_hostname="127.0.0.1") as secure:
        gone.set()
        # The handshake has replaced the socket that was held: it is detached.
        assert pair[0].fileno() == -1
        assert secure.recv(1) == b""
    other_side.join()
    deadline.close()


def test_blocks_hold_what_is_opened_or_used_in_them_and_let_it_go() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("any", listener.getsockname()[1], ("127.0.0.1",))
        with Deadline(0.2) as outer, Deadline(10 * HANG), open_socket(target, HANG) as opened:
            opened.settimeout(HANG)
            assert opened.recv(1) == b""
            assert outer.is_over
        with open_socket(target, HANG) as opened:
            block, gone = given_up()
            with block:
                held(opened)
            gone.set()
            time.sleep(2 * LOOK_SECONDS)
            opened.sendall(b"still there")


def test_any_number_of_deadlines_share_one_thread_and_end_in_their_order() -> None:
    ended: list[int] = []
    deadlines = [Deadline(0.05 * (20 - number), lambda number=number: ended.append(number)) for number in range(20)]  # type: ignore[misc]
    more = [Deadline(10 * HANG) for _ in range(500)]
    assert [thread.name for thread in threading.enumerate()].count("deadlines") == 1
    eventually(lambda: len(ended) == 20)
    assert ended == list(reversed(range(20)))
    for deadline in (*deadlines, *more):
        deadline.close()


def test_a_deadline_that_cannot_cut_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("cannot")

    done = threading.Event()
    with caplog.at_level(logging.ERROR):
        deadlines = [Deadline(0.05, fail), Deadline(0.1, done.set)]
        assert done.wait(HANG)
    assert "could not end" in caplog.text
    for deadline in deadlines:
        deadline.close()


def test_closing_waits_for_a_cut_that_has_begun() -> None:
    """What is cut may be freed as soon as its deadline is closed."""
    begun, finished = threading.Event(), threading.Event()

    def cut() -> None:
        begun.set()
        time.sleep(0.3)
        finished.set()

    deadline = Deadline(0.05, cut)
    assert begun.wait(HANG)
    deadline.close()
    assert finished.is_set()
