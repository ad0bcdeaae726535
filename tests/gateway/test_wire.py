"""Who sends or reads slowly holds no thread for ever; what was not taken is no success (facts/security 1 row 16)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from gateway.wire import Watch
from tests.databases import POSTGRESQL
from tests.gateway.bodies import FORM
from tests.gateway.databases import Source, postgresql
from tests.gateway.production import Hosted, Server, serving, serving_too
from tests.waiting import HANG

BIG = 30_000_000
SMALL = 60_000
THREADS = 8
RECEIVE, SEND = 5.0, 2.5
"""Limits in tests, in seconds: of a body or head to arrive, and of an answer to be taken."""


@dataclass(frozen=True)
class Served:
    """A server with few threads and a connection to `big` and `small`."""

    server: Server
    hosted: Hosted

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", int(self.server.environment["PORT"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with postgresql([], tmp_path_factory.mktemp("wire")) as source:
        with psycopg.connect(f"{POSTGRESQL} dbname={source.settings['database']}") as database:
            for name, rows in (("big", BIG // 1000), ("small", SMALL // 1000)):
                database.execute(
                    f"CREATE VIEW {name} AS SELECT repeat('x', 1000) AS t FROM generate_series(1, {rows}) n"
                )
        yield source


@pytest.fixture(scope="module")
def patient(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With the real limits: 20 s for senders, 55 s for readers."""
    with serving(tmp_path_factory.mktemp("wire"), WEB_CONCURRENCY="1", WEB_THREADS=str(THREADS)) as server:
        yield Served(server, server.connect("m", "postgresql", source.settings))
    assert "Traceback" not in server.log(), server.log()


@contextlib.contextmanager
def hurrying(patient: Served, **limits: float) -> Iterator[Served]:
    """Another server with the same connection and other limits."""
    given = {f"TEST_{name}_SECONDS": str(seconds) for name, seconds in limits.items()}
    with serving_too(patient.server, patient.hosted, "tests/gateway/impatient.py", **given) as (server, hosted):
        yield Served(server, hosted)
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture(scope="module")
def hurrying_senders(patient: Served) -> Iterator[Served]:
    with hurrying(patient, RECEIVE=RECEIVE) as served:
        yield served


@pytest.fixture(scope="module")
def hurrying_readers(patient: Served) -> Iterator[Served]:
    with hurrying(patient, SEND=SEND) as served:
        yield served


def drained(reader: socket.socket) -> int:
    """Bytes until the connection ends, in whichever way."""
    total = 0
    reader.settimeout(HANG)
    with contextlib.suppress(ConnectionError):
        while data := reader.recv(65536):
            total += len(data)
    return total


def is_ended(sender: socket.socket) -> bool:
    """Whether the connection ends without an answer that says yes."""
    sender.settimeout(HANG)
    try:
        return b" 200 " not in sender.recv(1000)
    except ConnectionError:
        return True


def test_an_answer_that_is_taken_is_a_success(patient: Served) -> None:
    with patient.server.recording() as calls:
        answer = patient.hosted.post(table="big")
    assert [(call["status"], call["code"], call["bytes"]) for call in calls] == [(200, "", len(answer.content))]


@pytest.mark.parametrize(("pause", "step"), [(HANG, 1), (0.2, 1)], ids=["reads nothing", "reads byte by byte"])
def test_an_answer_that_nobody_takes_is_ended_and_no_success(hurrying_readers: Served, pause: float, step: int) -> None:
    # facts/security 6: sending takes 55 s at most, in this test 2.5
    stop = threading.Event()
    with hurrying_readers.hosted.slow_reader(table="big") as reader:

        def read() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(pause) and reader.recv(step):
                    pass

        reading = threading.Thread(target=read)
        reading.start()
        try:
            with hurrying_readers.server.recording() as calls:
                started = time.monotonic()
            # Without the limit of this test it would be the usual one's turn.
            assert time.monotonic() - started < 40
        finally:
            stop.set()
            reading.join(HANG)
        assert drained(reader) < BIG // 2
    (call,) = calls
    assert (call["status"], call["code"]) == (499, "not_taken"), call
    taken, total = int(call["reason"].split()[0]), int(call["reason"].split()[2])
    assert 0 <= taken == call["bytes"] < BIG < total
    assert call["rows"] == BIG // 1000


def test_what_only_the_system_took_over_was_not_taken(hurrying_readers: Served) -> None:
    # The answer fits into the buffers of this machine, so sending it never waits.
    with hurrying_readers.server.recording() as calls:
        reader = hurrying_readers.hosted.slow_reader(table="small")
    reader.close()
    assert [(call["status"], call["code"]) for call in calls] == [(499, "not_taken")]
    assert calls[0]["bytes"] < SMALL


def test_a_reader_that_hangs_up_has_not_taken_the_answer(patient: Served) -> None:
    with patient.server.recording() as calls:
        with patient.hosted.slow_reader(table="big") as reader:
            reader.settimeout(HANG)
            assert reader.recv(1000)
        hung_up = time.monotonic()
    assert [(call["status"], call["code"]) for call in calls] == [(499, "not_taken")]
    # It was not the reader's time that was over: that would have been after 55 s.
    assert time.monotonic() - hung_up < 40


def test_a_body_that_does_not_end_is_no_call(hurrying_senders: Served) -> None:
    with (
        hurrying_senders.server.recording(2) as calls,
        hurrying_senders.hosted.half_sent() as silent,
        hurrying_senders.hosted.half_sent() as dripping,
    ):
        until = time.monotonic() + HANG
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < until:
                dripping.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() < until
        assert is_ended(silent)
    assert [(call["status"], call["code"]) for call in calls] == [(400, "body_cut")] * 2


def test_half_a_body_is_never_taken_for_a_whole_one(patient: Served) -> None:
    # a filter that was cut off would give more rows
    with contextlib.ExitStack() as readers, patient.server.recording() as whole_calls:
        whole = readers.enter_context(patient.hosted.slow_reader(table="small", filter={"=T": "y"}))
        assert b" 200 " in whole.recv(1000)
    with patient.server.recording() as cut_calls, patient.hosted.half_sent() as cut:
        cut.sendall(patient.hosted.body(table="small"))
        cut.shutdown(socket.SHUT_WR)
        assert b" 400 " in cut.recv(1000)
    assert [call["code"] for call in whole_calls + cut_calls] == ["", "body_cut"]


def test_a_body_that_goes_on_arriving_is_waited_for(hurrying_senders: Served) -> None:
    # 10,000 bytes a second are enough, however long the whole takes
    hosted = hurrying_senders.hosted
    body = hosted.body(table="small", limit=1, mapFields={"X" * 400_000: "T"})
    path = hosted.urls["urlData"].split(str(hurrying_senders.place[1]), 1)[1]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as senders, hurrying_senders.server.recording() as calls:
        sender = senders.enter_context(socket.create_connection(hurrying_senders.place))
        sender.settimeout(HANG)
        # What came is worth 40 s, so it does not matter when exactly the rest follows, if only the limit is over.
        sender.sendall(head.encode() + body[:-10])
        time.sleep(RECEIVE + 1)
        sender.sendall(body[-10:])
        assert b"HTTP/1.1 200 " in sender.recv(1000)
    assert [(call["status"], call["rows"]) for call in calls] == [(200, 1)]


def test_connections_that_say_nothing_take_no_thread(patient: Served) -> None:
    # If each took one until it is ended for its silence, after 5 s at the earliest, the answer would come after 200 s.
    with contextlib.ExitStack() as others:
        for _ in range(40 * THREADS):
            others.enter_context(socket.create_connection(patient.place))
        with patient.server.recording():
            assert patient.hosted.post(table="small", limit=1).status_code == 200


def test_heads_that_do_not_end_stop_nobody_for_ever(hurrying_senders: Served) -> None:
    with contextlib.ExitStack() as others:
        for _ in range(2 * THREADS):
            other = others.enter_context(socket.create_connection(hurrying_senders.place))
            other.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX: ")
        with hurrying_senders.server.recording():
            assert hurrying_senders.hosted.post(table="small", limit=1).status_code == 200


def test_connections_that_are_never_closed_stop_nobody(patient: Served) -> None:
    # Closing waits up to 2 s for the other side, all together 32 s if it were done by the thread that accepts calls.
    started = time.monotonic()
    with contextlib.ExitStack() as others:
        for _ in range(2 * THREADS):
            other = others.enter_context(socket.create_connection(patient.place))
            other.settimeout(HANG)
            other.sendall(b"GET /nowhere HTTP/1.0\r\n\r\n")
            assert other.recv(100)
        with patient.server.recording():
            assert patient.hosted.post(table="small", limit=1).status_code == 200
        assert time.monotonic() - started < 28


def test_a_term_comes_once_again_as_it_asks_and_never_after_it_was_cancelled() -> None:
    watch, came = Watch(), list[str]()
    ready, over = threading.Event(), threading.Event()
    asked_for = 0.0
    moments: list[float] = []

    def act() -> float | None:
        nonlocal asked_for
        came.append("act")
        moments.append(time.monotonic())
        asked_for = time.monotonic() + 0.1
        return asked_for if len(moments) == 1 else None

    # Terms come one after the other: while this one waits, none of the others does, however long the test takes here.
    watch.after(0.0, lambda: (ready.wait(HANG), None)[1])
    never = watch.after(0.1, lambda: came.append("cancelled"))
    watch.after(0.2, act)
    watch.after(1.0, over.set)
    never.cancel()
    ready.set()
    assert over.wait(HANG)
    assert came == ["act", "act"]
    assert moments[1] - moments[0] >= 0.1
